// @ts-check
// Many points of one panel, as counts in cells of two or three pixels. Rows that arrive are added to the counts of
// before, so that a million frames cost what a thousand cost.

/** Code of cells in which no point is in the selection. */
export const DIM = 255;

/**
 * @typedef {[number, number, number]} Rgb 0 to 255
 * @typedef {{left: number, top: number, size: number, nX: number, nY: number}} Grid top left corner and size of a cell
 *   in px, number of cells
 */

/** Counts the points of a panel, and draws the counts. */
export class Density {
  /**
   * @param {import("./model.js").Model} model
   * @param {number} index of the panel
   */
  constructor(model, index) {
    this.model = model;
    this.index = index;
    this.key = ""; // for which axes and cells the counts were made
    this.nCounted = 0; // the row up to which points were counted
    this.counts = new Uint32Array(0); // per cell, column by column
    this.codes = new Uint8Array(0); // outcome of the last point in each cell, or DIM
    this.canvas = document.createElement("canvas"); // one px per cell
  }

  /** Count anew at the next paint, as rows or selection are others. */
  forget() {
    this.key = "";
  }

  /**
   * Draw the points of rows first to last.
   * @param {CanvasRenderingContext2D} context
   * @param {number} first
   * @param {number} last
   * @param {Rgb[]} colours by outcome code
   * @param {Rgb} ink of points outside the selection
   */
  paint(context, first, last, colours, ink) {
    const { left, right, top, height } = this.model.area(this.index);
    const size = last - first < 20000 ? 3 : 2;
    const grid = { left, top, size, nX: Math.ceil((right - left) / size), nY: Math.ceil(height / size) };
    const xAxis = this.model.frameAxis();
    const yAxis = this.model.valueAxis(this.index);
    const key = [xAxis.scale, xAxis.offset, yAxis.scale, yAxis.offset, size, grid.nX, grid.nY].join(" ");
    if (this.key !== key) {
      this.key = key;
      this.nCounted = first;
      this.counts = new Uint32Array(grid.nX * grid.nY);
      this.codes = new Uint8Array(grid.nX * grid.nY).fill(DIM);
    }
    this.count(Math.max(first, this.nCounted), last, grid, xAxis, yAxis);
    this.nCounted = last + 1;
    this.drawCounts(context, grid, colours, ink);
  }

  /**
   * Count rows first to last, column by column of cells, whose counts are adjacent in memory: 3 ns per point.
   * @param {number} first
   * @param {number} last
   * @param {Grid} grid
   * @param {import("./model.js").Axis} xAxis
   * @param {import("./model.js").Axis} yAxis
   */
  count(first, last, { left, top, size, nX, nY }, xAxis, yAxis) {
    const { counts, codes } = this;
    const { rows, mask } = this.model;
    const values = rows.values[this.index];
    const known = rows.known[this.index];
    const { outcome } = rows;
    // column of cells = xScale * row + xOffset; row of cells likewise, plus 1, so that | 0 rounds down
    const xScale = xAxis.scale / size;
    const xOffset = (xAxis.offset + xAxis.scale - left) / size;
    const yScale = yAxis.scale / size;
    const yOffset = (yAxis.offset - top) / size + 1;
    const end = rows.firstKnown(this.index, last + 1);
    let at = rows.firstKnown(this.index, Math.max(first, Math.ceil(-xOffset / xScale)));
    for (let x = Math.max(0, Math.floor(xScale * (known[at] ?? 0) + xOffset)); x < nX && at < end; x++) {
      const firstOfNext = Math.ceil((x + 1 - xOffset) / xScale);
      const base = x * nY - 1;
      for (; at < end; at++) {
        const row = known[at];
        if (row >= firstOfNext) break;
        const y = (yScale * values[row] + yOffset) | 0;
        if (y < 1 || y > nY) continue;
        counts[base + y]++;
        if (mask === null || mask[row] === 1) codes[base + y] = outcome[row];
      }
    }
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {Grid} grid
   * @param {Rgb[]} colours
   * @param {Rgb} ink
   */
  drawCounts(context, { left, top, size, nX, nY }, colours, ink) {
    const { counts, codes } = this;
    const image = new ImageData(nX, nY);
    const pixels = new Uint32Array(image.data.buffer);
    let highest = 1;
    for (let at = 0; at < counts.length; at++) if (counts[at] > highest) highest = counts[at];
    const scale = highest > 1 ? 0.55 / Math.log(highest) : 0;
    const packed = Array.from({ length: 256 }, (_, code) => pack(colours[code] ?? ink));
    const isSelecting = this.model.mask !== null;
    for (let x = 0, at = 0; x < nX; x++) {
      for (let y = 0; y < nY; y++, at++) {
        const n = counts[at];
        if (!n) continue;
        const code = codes[at];
        const opacity = code === DIM && isSelecting ? 0.12 : 0.45 + scale * Math.log(n);
        pixels[y * nX + x] = ((Math.round(255 * opacity) << 24) | packed[code]) >>> 0;
      }
    }
    this.canvas.width = nX;
    this.canvas.height = nY;
    this.canvas.getContext("2d")?.putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(this.canvas, left, top, nX * size, nY * size);
  }
}

/** @param {Rgb} colour */
function pack([red, green, blue]) {
  return (blue << 16) | (green << 8) | red;
}
