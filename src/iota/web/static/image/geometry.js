// @ts-check
// Positions of pixels, on panels, on the plane that is drawn and in the laboratory, and their resolution.
//
// Positions are in pixels from the corner of the first one: pixel 0 spans 0 to 1. The plane is that of the server's
// layout; all maps are linear. Parallax in the sensor, a fraction of a pixel, is neglected.
// Coordinate frames and signs: docs/explanations/coordinate-frames.md.

/**
 * @typedef {[number, number]} Pair
 * @typedef {[number, number, number]} Vector
 * @typedef {object} Place of a panel, on the plane (pixels) and in the laboratory (mm): origin, and steps per pixel
 * @property {string} name
 * @property {Pair} size
 * @property {Pair} origin
 * @property {Pair} fast
 * @property {Pair} slow
 * @property {Vector} lab_origin
 * @property {Vector} lab_fast
 * @property {Vector} lab_slow
 * @typedef {object} Layout what the server says of the detector
 * @property {number} width of the plane, in pixels
 * @property {number} height
 * @property {Place[]} panels
 * @property {Vector} plane_origin of the plane in the laboratory (mm)
 * @property {Vector} plane_x step per pixel
 * @property {Vector} plane_y
 * @property {Vector} s0 direction of the beam
 * @property {number} wavelength_A
 * @property {number} distance_mm
 * @property {number} pixel_mm
 * @property {Pair | null} beam position of the direct beam on the plane
 */

const RING_STEPS = 720;

export const ICE_RINGS_A = [3.895, 3.669, 3.438, 2.668, 2.249, 2.068, 1.947, 1.916, 1.882, 1.719];

/** @type {(a: Vector, b: Vector) => number} */
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
/** @type {(a: Vector, b: Vector) => Vector} */
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
/** @type {(o: Vector, s: number, a: Vector, t: number, b: Vector) => Vector} o + s a + t b */
const sum = (o, s, a, t, b) => [o[0] + s * a[0] + t * b[0], o[1] + s * a[1] + t * b[1], o[2] + s * a[2] + t * b[2]];
/** @type {(s: number, a: Vector) => Vector} */
const scaled = (s, a) => [s * a[0], s * a[1], s * a[2]];
/** @type {(a: Vector) => Vector} */
const unit = (a) => scaled(1 / Math.hypot(...a), a);

export class Geometry {
  /** @param {Layout} layout */
  constructor(layout) {
    this.layout = layout;
    this.width = layout.width;
    this.height = layout.height;
    this.panels = layout.panels.map((place) => new Panel(place));
    /** @type {Map<number, Pair[][]>} */
    this.rings = new Map();
  }

  /**
   * @param {number} panel
   * @param {number} fast
   * @param {number} slow
   */
  toPlane(panel, fast, slow) {
    return this.panels[panel].toPlane(fast, slow);
  }

  /**
   * Panel and pixel at a position of the plane, null where there is no panel.
   * @param {number} x
   * @param {number} y
   */
  toPanel(x, y) {
    for (let k = 0; k < this.panels.length; k++) {
      const [fast, slow] = this.panels[k].fromPlane(x, y);
      const [nFast, nSlow] = this.panels[k].size;
      if (fast >= 0 && slow >= 0 && fast < nFast && slow < nSlow) return { panel: k, fast, slow };
    }
    return null;
  }

  /**
   * Laboratory position (mm) of a position of the plane: on the panel there, otherwise on the plane itself.
   * @param {number} x
   * @param {number} y
   */
  lab(x, y) {
    const at = this.toPanel(x, y);
    if (at) return this.panels[at.panel].lab(at.fast, at.slow);
    const { plane_origin: o, plane_x: px, plane_y: py } = this.layout;
    return sum(o, x, px, y, py);
  }

  /**
   * Resolution (A) at a laboratory position; infinite in the direct beam.
   * @param {Vector} lab
   */
  resolution(lab) {
    const cosine = dot(lab, this.layout.s0) / Math.hypot(...lab);
    return this.layout.wavelength_A / (2 * Math.sqrt(Math.max(0, (1 - cosine) / 2)));
  }

  /**
   * Lines on the plane where the resolution is d (A); none where no pixel has it.
   * @param {number} d
   */
  ring(d) {
    const ring = this.rings.get(d) ?? this.makeRing(d);
    this.rings.set(d, ring);
    return ring;
  }

  /** @param {number} d */
  makeRing(d) {
    const sine = this.layout.wavelength_A / (2 * d);
    if (!(sine > 0 && sine < 1)) return [];
    const twoTheta = 2 * Math.asin(sine);
    const s0 = this.layout.s0;
    const u = unit(cross(s0, Math.abs(s0[0]) < 0.9 ? [1, 0, 0] : [0, 1, 0]));
    const v = cross(s0, u);
    /** @type {Pair[][]} */
    const lines = [];
    /** @type {Pair[]} */
    let line = [];
    /** @type {Pair | null} */
    let last = null;
    const far = Math.max(this.width, this.height) / 20;
    for (let k = 0; k <= RING_STEPS; k++) {
      const phi = (2 * Math.PI * k) / RING_STEPS;
      const across = sum([0, 0, 0], Math.cos(phi), u, Math.sin(phi), v);
      const direction = sum([0, 0, 0], Math.cos(twoTheta), s0, Math.sin(twoTheta), across);
      const at = this.meet(direction);
      if (at && last && Math.hypot(at[0] - last[0], at[1] - last[1]) > far) {
        lines.push(line);
        line = [];
      }
      if (at) {
        line.push(at);
      } else if (line.length) {
        lines.push(line);
        line = [];
      }
      last = at;
    }
    if (line.length) lines.push(line);
    return lines.filter((one) => one.length > 1);
  }

  /**
   * Where a ray from the sample meets a panel, or between panels the plane; null outside.
   * @param {Vector} direction
   */
  meet(direction) {
    for (const panel of this.panels) {
      const at = panel.meet(direction);
      if (at) return panel.toPlane(...at);
    }
    const { plane_origin: o, plane_x: px, plane_y: py } = this.layout;
    return meetRectangle(o, px, py, [this.width, this.height], direction);
  }
}

/** A panel on the plane and in the laboratory; positions on it are pixels, [fast, slow]. */
export class Panel {
  /** @param {Place} place */
  constructor(place) {
    this.name = place.name;
    this.size = place.size;
    this.origin = place.origin;
    this.fast = place.fast;
    this.slow = place.slow;
    this.place = place;
    const det = this.fast[0] * this.slow[1] - this.fast[1] * this.slow[0];
    this.inverse = [this.slow[1] / det, -this.slow[0] / det, -this.fast[1] / det, this.fast[0] / det];
  }

  /**
   * @param {number} fast
   * @param {number} slow
   * @returns {Pair}
   */
  toPlane(fast, slow) {
    return [
      this.origin[0] + fast * this.fast[0] + slow * this.slow[0],
      this.origin[1] + fast * this.fast[1] + slow * this.slow[1],
    ];
  }

  /**
   * @param {number} x
   * @param {number} y
   * @returns {Pair}
   */
  fromPlane(x, y) {
    const dx = x - this.origin[0];
    const dy = y - this.origin[1];
    return [this.inverse[0] * dx + this.inverse[1] * dy, this.inverse[2] * dx + this.inverse[3] * dy];
  }

  /**
   * Laboratory position (mm).
   * @param {number} fast
   * @param {number} slow
   */
  lab(fast, slow) {
    return sum(this.place.lab_origin, fast, this.place.lab_fast, slow, this.place.lab_slow);
  }

  /**
   * Where a ray from the sample meets the panel, null where it does not.
   * @param {Vector} direction
   */
  meet(direction) {
    return meetRectangle(this.place.lab_origin, this.place.lab_fast, this.place.lab_slow, this.size, direction);
  }
}

/**
 * Steps along a and b from the origin o to where a ray from the sample meets their plane (Cramer's rule), up to a number
 * of steps; null outside and behind the sample.
 * @param {Vector} o
 * @param {Vector} a
 * @param {Vector} b
 * @param {Pair} size
 * @param {Vector} direction
 * @returns {Pair | null}
 */
function meetRectangle(o, a, b, size, direction) {
  const normal = cross(a, b);
  const along = dot(direction, normal);
  if (Math.abs(along) < 1e-12) return null;
  const t = dot(o, normal) / along;
  if (t <= 0) return null;
  const p = sum(scaled(-1, o), t, direction, 0, direction);
  const n2 = dot(normal, normal);
  const x = dot(cross(p, b), normal) / n2;
  const y = dot(cross(a, p), normal) / n2;
  return x >= 0 && y >= 0 && x <= size[0] && y <= size[1] ? [x, y] : null;
}
