// @ts-check
// What a chart shows and where: limits of the axes, selection, and the maps between rows and positions on the canvas.
//
// Frames are numbered from 1 on the axis; row 0 is frame 1. Positions are CSS pixels from the top left of the canvas.

import { Rows } from "./rows.js";

const LEFT = 58;
const RIGHT = 14;
const TOP = 8;
const GAP = 12; // between panels
export const BOTTOM = 36;
const NEAR_PX = 12; // how far from a point a click may be
const FEWEST_FRAMES = 10; // that the axis is made for, even if a run has fewer

/**
 * @typedef {{low: number, high: number}} Limits
 * @typedef {{scale: number, offset: number}} Axis position = scale * value + offset
 * @typedef {object} PanelOptions
 * @property {string} column its name in the API
 * @property {string} label
 * @property {string} unit empty for a number without a unit
 * @property {number} [digits] after the decimal point, in the tooltip
 * @property {boolean} [flipped] whether small values are at the top
 * @typedef {PanelOptions & {zoom: Limits | null}} Panel
 * @typedef {{x: number, y: number, toX: number, toY: number}} Box corners on the canvas
 */

/** Panels one above the other with a common axis of frames. */
export class Model {
  /**
   * @param {PanelOptions[]} panels from top to bottom
   * @param {number} panelHeight in px
   */
  constructor(panels, panelHeight) {
    /** @type {Panel[]} */
    this.panels = panels.map((panel) => ({ ...panel, zoom: null }));
    this.panelHeight = panelHeight;
    this.rows = new Rows(panels.length);
    this.width = 0; // in px; 0 until the chart has been visible
    this.height = TOP + panels.length * (panelHeight + GAP) - GAP + BOTTOM;
    /** @type {Limits | null} */
    this.zoom = null; // frames chosen by the user; null shows all
    /** @type {Uint8Array | null} */
    this.mask = null; // per row, 1 in the selection; null without a selection
    /** @type {number | null} */
    this.frame = null; // row of the marked frame
    /** @type {number | null} */
    this.hover = null; // row under the cursor
    /** @type {Box | null} */
    this.box = null; // that is being drawn
  }

  /**
   * Fit into a width.
   * @param {number} width in px
   */
  resize(width) {
    this.width = Math.max(width, LEFT + RIGHT + 40);
  }

  /**
   * Select rows.
   * @param {string | null | undefined} bits packed, the first row in the highest bit, as base64; null selects nothing
   */
  select(bits) {
    if (bits === null || bits === undefined) {
      this.mask = null;
      return;
    }
    const bytes = Uint8Array.from(atob(bits), (letter) => letter.charCodeAt(0));
    this.mask = new Uint8Array(bytes.length * 8);
    for (let at = 0; at < this.mask.length; at++) this.mask[at] = (bytes[at >> 3] >> (7 - (at & 7))) & 1;
  }

  // -- limits of the axes

  /** First and last frame number shown. */
  span() {
    if (this.zoom) return this.zoom;
    const n = Math.max(this.rows.n, FEWEST_FRAMES);
    const step = roundStep(n, 5) / 5;
    return { low: 0, high: Math.ceil((n + 1) / step) * step };
  }

  /**
   * Lowest and highest value shown in a panel.
   * @param {number} index of the panel
   */
  range(index) {
    const { zoom } = this.panels[index];
    if (zoom) return zoom;
    if (this.rows.isEmpty(index)) return { low: 0, high: 1 };
    const high = this.rows.high[index];
    let low = this.rows.low[index];
    if (low >= 0 && low < 0.5 * high) low = 0;
    const step = roundStep(high - low || Math.abs(high) * 0.1 || 1, 8);
    low = low === 0 ? 0 : Math.floor(low / step - 0.3) * step;
    return { low, high: Math.ceil(high / step + 0.3) * step };
  }

  get isZoomed() {
    return this.zoom !== null || this.panels.some((panel) => panel.zoom !== null);
  }

  showAll() {
    this.zoom = null;
    for (const panel of this.panels) panel.zoom = null;
  }

  /**
   * Zoom the axis of frames.
   * @param {number} middle frame number that stays where it is
   * @param {number} factor by which the number of frames shown is multiplied
   */
  zoomFrames(middle, factor) {
    const { low, high } = this.span();
    const n = Math.max(this.rows.n, FEWEST_FRAMES);
    const width = Math.min(Math.max((high - low) * factor, 5), 1.2 * n);
    const fraction = (middle - low) / (high - low);
    const start = Math.max(-0.1 * n, middle - fraction * width);
    this.zoom = { low: start, high: start + width };
  }

  /**
   * Zoom the axis of values of a panel.
   * @param {number} index of the panel
   * @param {number} middle value that stays where it is
   * @param {number} factor by which the range of values is multiplied
   */
  zoomValues(index, middle, factor) {
    const { low, high } = this.range(index);
    this.panels[index].zoom = { low: middle - (middle - low) * factor, high: middle + (high - middle) * factor };
  }

  // -- positions

  /**
   * Drawing area of a panel.
   * @param {number} index of the panel
   */
  area(index) {
    const top = TOP + index * (this.panelHeight + GAP);
    return { left: LEFT, right: this.width - RIGHT, top, height: this.panelHeight };
  }

  /**
   * Panel nearest to a height.
   * @param {number} y
   */
  panelAt(y) {
    const index = Math.floor((y - TOP + GAP / 2) / (this.panelHeight + GAP));
    return Math.min(this.panels.length - 1, Math.max(0, index));
  }

  /**
   * From frame numbers to x.
   * @returns {Axis}
   */
  frameAxis() {
    const { low, high } = this.span();
    const scale = (this.width - RIGHT - LEFT) / (high - low);
    return { scale, offset: LEFT - low * scale };
  }

  /**
   * From values of a panel to y.
   * @param {number} index of the panel
   * @returns {Axis}
   */
  valueAxis(index) {
    const { low, high } = this.range(index);
    const { top, height } = this.area(index);
    const scale = height / (high - low);
    if (this.panels[index].flipped) return { scale, offset: top - low * scale };
    return { scale: -scale, offset: top + high * scale };
  }

  /** @param {number} number of a frame */
  xOf(number) {
    const { scale, offset } = this.frameAxis();
    return scale * number + offset;
  }

  /**
   * Frame number, with its fraction, at a position.
   * @param {number} x
   */
  numberAt(x) {
    const { scale, offset } = this.frameAxis();
    return (x - offset) / scale;
  }

  /**
   * @param {number} index of the panel
   * @param {number} value
   */
  yOf(index, value) {
    const { scale, offset } = this.valueAxis(index);
    return scale * value + offset;
  }

  /**
   * @param {number} index of the panel
   * @param {number} y
   */
  valueAt(index, y) {
    const { scale, offset } = this.valueAxis(index);
    return (y - offset) / scale;
  }

  /** Rows within the axis of frames: the first and the last. */
  visibleRows() {
    return this.rowsBetween(LEFT, this.width - RIGHT, true);
  }

  /**
   * Rows between two positions in x: the first and the last; none if the last is smaller.
   * @param {number} x0
   * @param {number} x1
   * @param {boolean} [isWide] with the rows just outside
   */
  rowsBetween(x0, x1, isWide = false) {
    const [low, high] = [this.numberAt(x0) - 1, this.numberAt(x1) - 1];
    return {
      first: Math.max(0, isWide ? Math.floor(low) : Math.ceil(low)),
      last: Math.min(this.rows.n - 1, isWide ? Math.ceil(high) : Math.floor(high)),
    };
  }

  /**
   * The row of the point nearest to a position, null if none is near.
   * @param {number} x
   * @param {number} y
   */
  nearest(x, y) {
    const index = this.panelAt(y);
    const { top, height } = this.area(index);
    const { first, last } = this.rowsBetween(x - NEAR_PX, x + NEAR_PX);
    const values = this.rows.values[index];
    const xAxis = this.frameAxis();
    const yAxis = this.valueAxis(index);
    let nearest = NEAR_PX * NEAR_PX;
    let found = null;
    for (let row = first; row <= last; row++) {
      const pointY = yAxis.scale * values[row] + yAxis.offset;
      if (!(pointY >= top && pointY <= top + height)) continue; // outside, or there is no value
      const dx = xAxis.scale * (row + 1) + xAxis.offset - x;
      const dy = pointY - y;
      const distance = dx * dx + dy * dy;
      if (distance < nearest) {
        nearest = distance;
        found = row;
      }
    }
    return found;
  }
}

/**
 * The smallest step of 1, 2 or 5 times a power of ten that divides a width into at most so many parts.
 * @param {number} width
 * @param {number} nMax
 */
export function roundStep(width, nMax) {
  if (!(width > 0)) return 1;
  const raw = width / nMax;
  const power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5].map((k) => k * power).find((step) => step >= raw * (1 - 1e-9)) ?? 10 * power;
}
