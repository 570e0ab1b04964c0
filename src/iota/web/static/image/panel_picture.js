// One panel at one size: its tiles side by side on a canvas of their own, so that there are no seams and a drag redraws
// it in one piece.

import { TILE } from "./source.js";

const surfaces = new Map(); // nearly all tiles have the same size, and use the same memory one after another

function surface(columns, rows) {
  const key = `${columns} ${rows}`;
  if (!surfaces.has(key)) {
    if (surfaces.size > 16) surfaces.clear();
    const image = new ImageData(columns, rows);
    surfaces.set(key, { image, pixels: new Uint32Array(image.data.buffer) });
  }
  return surfaces.get(key);
}

export class PanelPicture {
  constructor(number, size) {
    this.number = number;
    this.size = size;
    this.level = -1;
    this.canvas = document.createElement("canvas");
    this.done = new Set();
    this.range = [0, 0, 0, 0]; // tiles: first and end in x, first and end in y
  }

  columns(level) {
    return Math.ceil(this.size[0] / 2 ** level);
  }
  rows(level) {
    return Math.ceil(this.size[1] / 2 ** level);
  }

  // Show these tiles; returns whether a new canvas was begun
  frame(level, x0, x1, y0, y1) {
    const [a0, a1, b0, b1] = this.range;
    if (level === this.level && x0 >= a0 && x1 <= a1 && y0 >= b0 && y1 <= b1) return false;
    const old = { level: this.level, range: this.range, canvas: this.canvas, done: this.done };
    this.level = level;
    this.range = [x0, x1, y0, y1];
    this.canvas = document.createElement("canvas");
    this.canvas.width = Math.min(x1 * TILE, this.columns(level)) - x0 * TILE;
    this.canvas.height = Math.min(y1 * TILE, this.rows(level)) - y0 * TILE;
    this.context = this.canvas.getContext("2d");
    this.done = new Set();
    if (old.level === level) {
      // keep what is drawn already
      this.context.drawImage(old.canvas, (old.range[0] - x0) * TILE, (old.range[2] - y0) * TILE);
      this.keys.forEach((key) => {
        if (old.done.has(key)) this.done.add(key);
      });
    }
    return true;
  }

  get keys() {
    const [x0, x1, y0, y1] = this.range;
    const keys = [];
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) keys.push(`${this.number}.${this.level}.${x}.${y}`);
    return keys;
  }

  get isComplete() {
    return this.level >= 0 && this.done.size === (this.range[1] - this.range[0]) * (this.range[3] - this.range[2]);
  }

  repaint() {
    this.done.clear();
  }

  // Draw the tiles that have arrived
  fill(source, table) {
    for (const key of this.keys) {
      if (this.done.has(key)) continue;
      const values = source.tile(key);
      if (!values) continue;
      this.done.add(key);
      if (values.length) this.put(key, values, table);
    }
  }

  put(key, values, table) {
    const [, , x, y] = key.split(".").map(Number);
    const columns = Math.min(TILE, this.columns(this.level) - x * TILE);
    const rows = values.length / columns;
    const { image, pixels } = surface(columns, rows);
    for (let k = 0; k < values.length; k++) pixels[k] = table[values[k]];
    this.context.putImageData(image, (x - this.range[0]) * TILE, (y - this.range[2]) * TILE);
  }

  // Draw into a context whose unit is a pixel of the panel
  draw(context) {
    if (this.level < 0 || !this.done.size) return;
    const step = 2 ** this.level;
    const x = this.range[0] * TILE * step;
    const y = this.range[2] * TILE * step;
    // the last pixels at a small size may reach beyond the panel
    const width = Math.min(this.canvas.width, (this.size[0] - x) / step);
    const height = Math.min(this.canvas.height, (this.size[1] - y) / step);
    context.drawImage(this.canvas, 0, 0, width, height, x, y, width * step, height * step);
  }
}
