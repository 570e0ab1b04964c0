// @ts-check
// What users do with a chart: zoom, pan, select a box, click and point at frames.

/**
 * @typedef {import("./model.js").Model} Model
 * @typedef {{column: string, low: number, high: number, first: number, last: number}} Selection values between two in a
 *   column, in rows first to last, ends included
 * @typedef {object} Callbacks
 * @property {() => void} redraw
 * @property {(row: number) => void} onFrame a point was clicked
 * @property {(selection: Selection) => void} onBox a box was drawn
 */

const BOX_SIGN = "M4 4h4v2H6v2H4zm12 0h4v4h-2V6h-2zM4 16h2v2h2v2H4zm14 0h2v4h-4v-2h2z";
const ALL_SIGN = "M3 3h7v2H5v5H3zm11 0h7v7h-2V5h-5zM3 14h2v5h5v2H3zm16 0h2v7h-7v-2h5z";

/** A press of the mouse button, while it lasts. */
class Drag {
  /**
   * @param {Model} model
   * @param {PointerEvent} event
   * @param {boolean} isBox whether it selects; it pans otherwise
   */
  constructor(model, event, isBox) {
    this.model = model;
    this.isBox = isBox;
    this.x = this.toX = event.offsetX;
    this.y = this.toY = event.offsetY;
    this.index = model.panelAt(event.offsetY);
    this.span = model.span(); // limits of the axes when it began
    this.range = model.range(this.index);
    this.isValueZoomed = model.panels[this.index].zoom !== null;
    this.hasMoved = false;
  }

  /** @param {PointerEvent} event */
  move(event) {
    this.toX = event.offsetX;
    this.toY = event.offsetY;
    this.hasMoved ||= Math.hypot(this.toX - this.x, this.toY - this.y) > 3;
    if (!this.hasMoved) return;
    if (this.isBox) this.model.box = { x: this.x, y: this.y, toX: this.toX, toY: this.toY };
    else this.pan();
  }

  pan() {
    const { model, span, range } = this;
    const shift = (this.x - this.toX) / model.frameAxis().scale;
    model.zoom = { low: span.low + shift, high: span.high + shift };
    if (!this.isValueZoomed) return;
    const up = (this.y - this.toY) / model.valueAxis(this.index).scale;
    model.panels[this.index].zoom = { low: range.low + up, high: range.high + up };
  }

  /** @returns {Selection} */
  get selection() {
    const { model, index } = this;
    const values = [this.y, this.toY].map((y) => model.valueAt(index, y));
    return {
      column: model.panels[index].column,
      low: Math.min(...values),
      high: Math.max(...values),
      ...model.rowsBetween(Math.min(this.x, this.toX), Math.max(this.x, this.toX)),
    };
  }
}

/** Turns events of the canvas into changes of the model; has the buttons and the tooltip. */
export class Interaction {
  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Model} model
   * @param {string[]} outcomes by code, for the tooltip
   * @param {Callbacks} callbacks
   */
  constructor(canvas, model, outcomes, callbacks) {
    this.canvas = canvas;
    this.model = model;
    this.outcomes = outcomes;
    this.callbacks = callbacks;
    this.isBoxMode = false;
    /** @type {Drag | null} */
    this.drag = null;
    this.boxButton = iconButton("Select a box", "Drag a box to select frames (or hold Shift)", BOX_SIGN, () =>
      this.setBoxMode(!this.isBoxMode),
    );
    this.resetButton = iconButton("Show all", "Show all frames (double-click)", ALL_SIGN, () => this.showAll());
    this.setBoxMode(false);
    this.tools = document.createElement("div");
    this.tools.className = "iota-scatter-tools";
    this.tools.append(this.boxButton, this.resetButton);
    this.tip = document.createElement("div");
    this.tip.className = "iota-scatter-tip";
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.up());
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("pointerleave", () => this.clearHover());
    canvas.addEventListener("dblclick", () => this.showAll());
  }

  /** Show the button only when it would do something. */
  update() {
    this.resetButton.style.visibility = this.model.isZoomed ? "visible" : "hidden";
  }

  /** @param {boolean} isOn */
  setBoxMode(isOn) {
    this.isBoxMode = isOn;
    this.boxButton.setAttribute("aria-pressed", String(isOn));
  }

  showAll() {
    this.model.showAll();
    this.callbacks.redraw();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const { model } = this;
    const { offsetX: x, offsetY: y, deltaY } = event;
    const factor = Math.exp(Math.sign(deltaY) * Math.min(0.4, Math.abs(deltaY) / 400));
    const index = model.panelAt(y);
    if (x < model.area(index).left || event.altKey) model.zoomValues(index, model.valueAt(index, y), factor);
    else model.zoomFrames(model.numberAt(x), factor);
    this.callbacks.redraw();
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.drag = new Drag(this.model, event, this.isBoxMode || event.shiftKey);
    this.clearHover();
  }

  /** @param {PointerEvent} event */
  move(event) {
    if (!this.drag) {
      this.hover(event);
      return;
    }
    this.drag.move(event);
    this.callbacks.redraw();
  }

  up() {
    const { drag, model } = this;
    if (!drag) return;
    this.cancel();
    if (!drag.hasMoved) {
      const row = model.nearest(drag.x, drag.y);
      if (row === null) return;
      model.frame = row;
      this.callbacks.onFrame(row);
    } else if (drag.isBox) {
      this.callbacks.onBox(drag.selection);
    }
  }

  cancel() {
    this.drag = null;
    this.model.box = null;
    this.callbacks.redraw();
  }

  // -- the frame under the cursor

  /** @param {PointerEvent} event */
  hover(event) {
    const row = this.model.nearest(event.offsetX, event.offsetY);
    if (row === null) {
      this.clearHover();
      return;
    }
    const isRight = event.offsetX > this.model.width / 2;
    this.tip.textContent = this.describe(row);
    this.tip.style.display = "block";
    this.tip.style.left = isRight ? "" : `${event.offsetX + 14}px`;
    this.tip.style.right = isRight ? `${this.model.width - event.offsetX + 14}px` : "";
    this.tip.style.top = `${Math.max(0, event.offsetY - 28)}px`;
    this.setHover(row);
  }

  clearHover() {
    this.tip.style.display = "none";
    this.setHover(null);
  }

  /** @param {number | null} row */
  setHover(row) {
    if (row === this.model.hover) return;
    this.model.hover = row;
    this.callbacks.redraw();
  }

  /**
   * Number, values and outcome of a frame.
   * @param {number} row
   */
  describe(row) {
    const { panels, rows } = this.model;
    const values = panels.flatMap((panel, index) => {
      const value = rows.values[index][row];
      return Number.isNaN(value)
        ? []
        : [`${value.toFixed(panel.digits ?? 2)} ${panel.unit || panel.label.toLowerCase()}`];
    });
    return [`frame ${row + 1}`, ...values, this.outcomes[rows.outcome[row]]].join(" · ");
  }
}

/**
 * @param {string} name
 * @param {string} title
 * @param {string} sign path of an SVG of 24 x 24
 * @param {() => void} action
 */
function iconButton(name, title, sign, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.title = title;
  button.setAttribute("aria-label", name);
  button.innerHTML = `<svg viewBox="0 0 24 24" width="16" height="16" fill="currentColor" aria-hidden="true"><path d="${sign}"/></svg>`;
  button.addEventListener("click", action);
  return button;
}
