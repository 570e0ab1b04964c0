// @ts-check
// Growing scatter charts over the frames of a run, one above the other with one axis of frames, without a framework:
// source.js fetches the rows into rows.js, model.js holds what is shown and where, painter.js draws it (many points with
// density.js), and interaction.js follows the mouse.

import { Interaction } from "./interaction.js";
import { Model } from "./model.js";
import { Painter } from "./painter.js";
import { Source } from "./source.js";

/**
 * @typedef {object} Options
 * @property {string} url columns address of a run
 * @property {import("./model.js").PanelOptions[]} panels from top to bottom
 * @property {string[]} colours by outcome code, as #rrggbb
 * @property {string[]} words by outcome code
 * @property {string} [selected] colour of the marked frame
 * @property {number} [panelHeight] px of a drawing area
 * @property {(row: number) => void} [onFrame] a point was clicked
 * @property {(selection: import("./interaction.js").Selection) => void} [onBox] a box was drawn
 */

export class Scatter {
  /**
   * @param {HTMLElement} host element whose width the chart fills
   * @param {Options} options
   */
  constructor(host, options) {
    const { url, panels, words, panelHeight = 170, onFrame = () => {}, onBox = () => {} } = options;
    this.host = host;
    this.scheduled = 0; // the animation frame in which it will be painted
    this.model = new Model(panels, panelHeight);
    this.canvas = document.createElement("canvas");
    this.painter = new Painter(this.canvas, this.model, options);
    this.interaction = new Interaction(this.canvas, this.model, words, { redraw: () => this.draw(), onFrame, onBox });
    this.source = new Source(
      url,
      panels.map((panel) => panel.column),
      this.model.rows,
      { onRows: () => this.hasGrown(), onReplaced: () => this.painter.forget(), onDone: () => this.draw() },
    );
    this.build();
    Object.assign(host, { scatter: this });
    this.pull();
  }

  build() {
    const { host, canvas } = this;
    host.classList.add("iota-scatter");
    host.style.position = "relative";
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${this.model.panels.map((panel) => panel.label).join(" and ")} per frame`);
    canvas.style.cssText = "display:block;width:100%;touch-action:pan-y;cursor:crosshair";
    host.replaceChildren(canvas, this.interaction.tools, this.interaction.tip);
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(host);
    this.modes = new MutationObserver(() => this.draw()); // dark and light are classes of the body
    this.modes.observe(document.body, { attributes: true, attributeFilter: ["class", "style"] });
    this.resize();
  }

  destroy() {
    this.source.close();
    this.sizes?.disconnect();
    this.modes?.disconnect();
    cancelAnimationFrame(this.scheduled);
  }

  /** Fetch the rows that are new. */
  pull() {
    return this.source.pull();
  }

  hasGrown() {
    this.host.dataset.rows = String(this.rows.n);
    this.draw();
  }

  get rows() {
    return this.model.rows;
  }

  /**
   * Select rows; all others are dimmed.
   * @param {string | null} bits packed, the first row in the highest bit, as base64; null selects nothing
   */
  select(bits) {
    this.model.select(bits);
    this.painter.forget();
    this.draw();
  }

  /**
   * Mark a frame.
   * @param {number | null} row null for none
   */
  setFrame(row) {
    this.model.frame = row ?? null;
    this.draw();
  }

  /**
   * Where the point of a row is, in px of the viewport; null if it has none.
   * @param {number} row
   * @param {number} [index] of the panel
   */
  placeOf(row, index = 0) {
    const value = this.rows.values[index][row];
    if (row >= this.rows.n || Number.isNaN(value)) return null;
    const box = this.canvas.getBoundingClientRect();
    return { x: box.left + this.model.xOf(row + 1), y: box.top + this.model.yOf(index, value) };
  }

  resize() {
    const width = Math.floor(this.host.clientWidth);
    if (!width) return; // on a tab that is not shown
    this.model.resize(width);
    this.painter.resize();
    this.draw();
  }

  /** Paint with the next animation frame of the browser. */
  draw() {
    if (this.scheduled) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      this.paint();
    });
  }

  paint() {
    if (!this.model.width || this.source.isClosed) return;
    this.interaction.update();
    this.painter.paint(this.source);
  }
}
