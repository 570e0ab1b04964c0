// @ts-check
// Draws a chart on its canvas: axes, points, marks, the box that is being drawn, messages.

import { DIM, Density } from "./density.js";
import { BOTTOM, roundStep } from "./model.js";

const MAX_DISCS = 2500; // visible points up to which each is drawn as a disc

/** @typedef {{problem: string, isLoading: boolean}} Status of the source */

export class Painter {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {import("./model.js").Model} model
   * @param {{colours: string[], selected?: string}} colours as #rrggbb: by outcome code, and that of the marked frame
   */
  constructor(canvas, model, { colours, selected }) {
    this.canvas = canvas;
    this.model = model;
    this.colours = colours;
    this.rgb = colours.map(parseHex);
    this.selected = selected;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.densities = model.panels.map((_, index) => new Density(model, index));
    this.ink = "";
    this.dpr = 1;
  }

  /** Count all points anew at the next paint. */
  forget() {
    for (const density of this.densities) density.forget();
  }

  /** Give the canvas the size of the model, in pixels of the screen. */
  resize() {
    this.dpr = window.devicePixelRatio || 1;
    this.canvas.style.height = `${this.model.height}px`;
    this.canvas.width = Math.round(this.model.width * this.dpr);
    this.canvas.height = Math.round(this.model.height * this.dpr);
    this.forget();
  }

  /** @param {Status} status */
  paint(status) {
    const { context, model } = this;
    if ((window.devicePixelRatio || 1) !== this.dpr) this.resize();
    const style = getComputedStyle(this.canvas);
    this.ink = style.color;
    context.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    context.clearRect(0, 0, model.width, model.height);
    context.font = `11px ${style.fontFamily}`;
    for (let index = 0; index < model.panels.length; index++) {
      this.paintValueAxis(index);
      this.paintPoints(index);
      this.paintMarks(index);
    }
    this.paintFrameAxis();
    this.paintBox();
    this.paintMessages(status);
  }

  /** @param {number} index of the panel */
  paintValueAxis(index) {
    const { context, model } = this;
    const panel = model.panels[index];
    const { left, right, top, height } = model.area(index);
    const { low, high } = model.range(index);
    context.strokeStyle = context.fillStyle = this.ink;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = roundStep(high - low, Math.max(2, Math.floor(height / 34)));
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
      const y = Math.round(model.yOf(index, k * step)) + 0.5;
      context.globalAlpha = 0.13;
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
      context.globalAlpha = 0.85;
      context.fillText(numberText(k * step, step), left - 6, y);
    }
    context.globalAlpha = 0.5;
    context.beginPath();
    context.moveTo(left - 0.5, top);
    context.lineTo(left - 0.5, top + height + 0.5);
    context.lineTo(right, top + height + 0.5);
    context.stroke();
    context.globalAlpha = 1;
    context.save();
    context.translate(12, top + height / 2);
    context.rotate(-Math.PI / 2);
    context.textAlign = "center";
    context.fillText(panel.unit ? `${panel.label} (${panel.unit})` : panel.label, 0, 0);
    context.restore();
  }

  paintFrameAxis() {
    const { context, model } = this;
    const { left, right } = model.area(0);
    const { low, high } = model.span();
    const bottom = model.height - BOTTOM;
    const step = Math.max(1, roundStep(high - low, Math.max(2, Math.floor((model.width - left) / 90))));
    context.fillStyle = context.strokeStyle = this.ink;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.globalAlpha = 0.85;
    for (let number = Math.max(0, Math.ceil(low / step) * step); number <= high; number += step) {
      const x = model.xOf(number);
      context.fillRect(Math.round(x), bottom, 1, 4);
      context.fillText(numberText(number, step), Math.min(x, model.width - 14), bottom + 16);
    }
    context.globalAlpha = 1;
    context.fillText("frame, in order of completion", (left + right) / 2, model.height - 5);
  }

  /** @param {number} index of the panel */
  paintPoints(index) {
    const { first, last } = this.model.visibleRows();
    if (last < first) return;
    if (last - first < MAX_DISCS) this.paintDiscs(index, first, last);
    else this.densities[index].paint(this.context, first, last, this.rgb, parseCss(this.ink));
  }

  /**
   * Draw each point as a disc, those in the selection above the others.
   * @param {number} index of the panel
   * @param {number} first row
   * @param {number} last row
   */
  paintDiscs(index, first, last) {
    const { context, model } = this;
    const { left, right, top, height } = model.area(index);
    const radius = last - first < 300 ? 3.2 : 2.2;
    context.save();
    context.beginPath();
    context.rect(left, top - 4, right - left + 4, height + 8);
    context.clip();
    for (const isSelected of model.mask ? [false, true] : [true]) {
      for (const [code, path] of this.discs(index, first, last, radius, isSelected)) {
        context.globalAlpha = code === DIM ? 0.18 : 0.85;
        context.fillStyle = code === DIM ? this.ink : this.colours[code];
        context.fill(path);
      }
    }
    context.restore();
  }

  /**
   * Discs of the points inside or outside the selection: one path per colour.
   * @param {number} index of the panel
   * @param {number} first row
   * @param {number} last row
   * @param {number} radius
   * @param {boolean} isSelected
   */
  discs(index, first, last, radius, isSelected) {
    const { rows, mask } = this.model;
    const xAxis = this.model.frameAxis();
    const yAxis = this.model.valueAxis(index);
    const values = rows.values[index];
    /** @type {Map<number, Path2D>} */
    const paths = new Map();
    for (let row = first; row <= last; row++) {
      if (Number.isNaN(values[row]) || (mask && Boolean(mask[row]) !== isSelected)) continue;
      const code = isSelected ? rows.outcome[row] : DIM;
      const path = paths.get(code) ?? new Path2D();
      paths.set(code, path);
      const x = xAxis.scale * (row + 1) + xAxis.offset;
      const y = yAxis.scale * values[row] + yAxis.offset;
      path.moveTo(x + radius, y);
      path.arc(x, y, radius, 0, 2 * Math.PI);
    }
    return paths;
  }

  /**
   * Draw the frame under the cursor and the marked one.
   * @param {number} index of the panel
   */
  paintMarks(index) {
    const { context, model } = this;
    const { top, height } = model.area(index);
    this.paintCircle(index, model.hover, 4.5, this.ink);
    const x = this.visibleX(model.frame);
    if (x === null) return;
    const colour = this.selected ?? this.ink;
    context.strokeStyle = colour;
    context.globalAlpha = 0.6;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    context.globalAlpha = 1;
    this.paintCircle(index, model.frame, 6, colour);
  }

  /**
   * Draw a circle around the point of a row, if it has one and is visible.
   * @param {number} index of the panel
   * @param {number | null} row
   * @param {number} radius
   * @param {string} colour
   */
  paintCircle(index, row, radius, colour) {
    const { context, model } = this;
    const x = this.visibleX(row);
    if (row === null || x === null) return;
    const value = model.rows.values[index][row];
    if (Number.isNaN(value)) return;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, model.yOf(index, value), radius, 0, 2 * Math.PI);
    context.stroke();
  }

  /**
   * Position in x of a row, null where it is not shown.
   * @param {number | null} row
   */
  visibleX(row) {
    if (row === null || row >= this.model.rows.n) return null;
    const { left, right } = this.model.area(0);
    const x = this.model.xOf(row + 1);
    return x >= left && x <= right ? x : null;
  }

  paintBox() {
    const { context } = this;
    const { box } = this.model;
    if (!box) return;
    context.strokeStyle = this.ink;
    context.fillStyle = this.selected ?? this.ink;
    context.lineWidth = 1;
    context.globalAlpha = 0.15;
    context.fillRect(box.x, box.y, box.toX - box.x, box.toY - box.y);
    context.globalAlpha = 0.8;
    context.setLineDash([4, 3]);
    context.strokeRect(box.x, box.y, box.toX - box.x, box.toY - box.y);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** @param {Status} status */
  paintMessages(status) {
    const { context, model } = this;
    context.fillStyle = this.ink;
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.globalAlpha = 0.75;
    for (let index = 0; index < model.panels.length; index++) {
      const { left, right, top, height } = model.area(index);
      const isEmpty = model.rows.isEmpty(index);
      const text = message(status, index, isEmpty);
      if (text) context.fillText(text, (left + right) / 2, top + (isEmpty ? height / 2 : 10));
    }
    context.globalAlpha = 1;
  }
}

/**
 * What a panel says instead of points, or above them.
 * @param {Status} status
 * @param {number} index of the panel
 * @param {boolean} isEmpty
 */
function message({ problem, isLoading }, index, isEmpty) {
  if (problem && index === 0) return problem;
  if (!isEmpty) return "";
  return isLoading ? "Loading…" : "No values yet";
}

/**
 * A number beside an axis.
 * @param {number} value
 * @param {number} step between numbers, which gives the decimals
 */
function numberText(value, step) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(4)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(4)}k`;
  const decimals = Math.min(6, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return value.toFixed(decimals).replace("-", "\u2212");
}

/**
 * @param {string} colour #rrggbb
 * @returns {import("./density.js").Rgb}
 */
function parseHex(colour) {
  const part = (/** @type {number} */ at) => parseInt(colour.slice(at, at + 2), 16);
  return [part(1), part(3), part(5)];
}

/**
 * @param {string} colour rgb(...) or rgba(...), as getComputedStyle gives it; anything else becomes grey
 * @returns {import("./density.js").Rgb}
 */
function parseCss(colour) {
  const [red, green, blue] = colour.startsWith("rgb") ? (colour.match(/\d+/g) ?? []).map(Number) : [];
  return blue === undefined ? [136, 136, 136] : [red, green, blue];
}
