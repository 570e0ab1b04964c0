// @ts-check
// Shapes of a mask, in the numbers of dials.generate_mask, and what is drawn on one panel as shapes on all of them.

/**
 * @typedef {import("./geometry.js").Pair} Pair
 * @typedef {import("./geometry.js").Panel} Panel
 * @typedef {"circle" | "rectangle" | "polygon"} Kind
 * @typedef {{kind: Kind, numbers: number[]}} Shape on one panel
 * @typedef {{kind: Kind, panel: number, points: Pair[]}} Draft what is being drawn, with pixels of one panel: centre and
 *   edge of a circle, opposite corners of a rectangle, all corners of a polygon
 */

/**
 * Shapes of DIALS for a draft, one for each panel that it touches.
 * @param {Draft} draft
 * @param {Panel[]} panels
 */
export function shapesOf(draft, panels) {
  const from = panels[draft.panel];
  return panels.flatMap((panel, k) => {
    /** @type {(point: Pair) => Pair} */
    const onPanel = ([fast, slow]) => (k === draft.panel ? [fast, slow] : panel.fromPlane(...from.toPlane(fast, slow)));
    const shape =
      draft.kind === "circle" ? circleOn(panel, draft.points.map(onPanel)) : polygonOn(panel, draft, onPanel);
    return shape ? [{ ...shape, panel: k }] : [];
  });
}

/**
 * Corners of a rectangle between two opposite ones.
 * @type {(a: Pair, b: Pair) => Pair[]}
 */
export const rectangle = ([x0, y0], [x1, y1]) => [
  [x0, y0],
  [x1, y0],
  [x1, y1],
  [x0, y1],
];

/**
 * Corners of a rectangle or polygon.
 * @param {Kind} kind
 * @param {number[]} numbers
 * @returns {Pair[]}
 */
export function corners(kind, numbers) {
  if (kind === "rectangle") return rectangle([numbers[0], numbers[2]], [numbers[1], numbers[3]]);
  return Array.from({ length: numbers.length / 2 }, (_, k) => [numbers[2 * k], numbers[2 * k + 1]]);
}

/** @type {(panel: Panel, points: Pair[]) => Shape | null} */
function circleOn({ size }, [centre, edge]) {
  const [x, y] = centre.map(Math.round);
  const r = Math.round(Math.hypot(edge[0] - centre[0], edge[1] - centre[1]));
  return r > 0 && distanceFrom(size, x, y) < r ? { kind: "circle", numbers: [x, y, r] } : null;
}

/**
 * Distance of a position from the nearest pixel of a panel.
 * @param {Pair} size
 * @param {number} fast
 * @param {number} slow
 */
export function distanceFrom(size, fast, slow) {
  return Math.hypot(fast - clamp(fast, size[0]), slow - clamp(slow, size[1]));
}

/** @type {(value: number, highest: number) => number} */
const clamp = (value, highest) => Math.min(Math.max(value, 0), highest);

/**
 * A rectangle stays one if the panel's rows are parallel to those of the panel it was drawn on.
 * @type {(panel: Panel, draft: Draft, onPanel: (point: Pair) => Pair) => Shape | null}
 */
function polygonOn(panel, draft, onPanel) {
  const isRectangle = draft.kind === "rectangle";
  const points = (isRectangle ? rectangle(draft.points[0], draft.points[1]) : draft.points).map(onPanel);
  if (isRectangle && Math.abs(points[1][1] - points[0][1]) < 1 && Math.abs(points[3][0] - points[0][0]) < 1) {
    const xs = points.map((p) => clamp(Math.round(p[0]), panel.size[0]));
    const ys = points.map((p) => clamp(Math.round(p[1]), panel.size[1]));
    const numbers = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    return numbers[1] > numbers[0] && numbers[3] > numbers[2] ? { kind: "rectangle", numbers } : null;
  }
  const clipped = clip(points, panel.size);
  const numbers = clipped.flat().map(Math.round);
  return clipped.length >= 3 && area(clipped) >= 1 ? { kind: "polygon", numbers } : null;
}

/**
 * The part of a polygon on a panel (Sutherland & Hodgman, Comm. ACM (1974) 17, 32).
 * @type {(points: Pair[], size: Pair) => Pair[]}
 */
function clip(points, [nFast, nSlow]) {
  const edges = [
    [0, 0, 1],
    [0, nFast, -1],
    [1, 0, 1],
    [1, nSlow, -1],
  ];
  for (const [axis, limit, sign] of edges) {
    /** @type {(p: Pair) => boolean} */
    const inside = (p) => sign * (p[axis] - limit) >= 0;
    /** @type {Pair[]} */
    const kept = [];
    points.forEach((p, k) => {
      const before = points[(k + points.length - 1) % points.length];
      if (inside(p) !== inside(before)) {
        const t = (limit - before[axis]) / (p[axis] - before[axis]);
        kept.push([before[0] + t * (p[0] - before[0]), before[1] + t * (p[1] - before[1])]);
      }
      if (inside(p)) kept.push(p);
    });
    points = kept;
  }
  return points;
}

/** @type {(points: Pair[]) => number} */
function area(points) {
  const twice = points.reduce((sum, p, k) => {
    const q = points[(k + 1) % points.length];
    return sum + p[0] * q[1] - p[1] * q[0];
  }, 0);
  return Math.abs(twice) / 2;
}
