// The image: panels at their positions, panned and zoomed. From the plane to the canvas, in CSS pixels:
// canvas = (plane - centre) * scale + middle.

import { makeTable } from "./palette.js";
import { PanelPicture } from "./panel_picture.js";
import { TILE } from "./source.js";

const BASE_SIZE = 600; // px; the whole detector is shown at no more than this size before its details arrive
const MAX_SCALE = 120;
export const NUMBERS_FROM = 26; // px of the screen per pixel, so that its counts can be read

export class DetectorView {
  // Marks have a canvas of their own above the image: a new contrast does not redraw them, nor new marks the image
  constructor(canvas, over) {
    this.canvas = canvas;
    this.over = over;
    this.context = canvas.getContext("2d", { alpha: false });
    this.overContext = over.getContext("2d");
    this.source = null;
    this.centre = [0, 0];
    this.scale = 1;
    this.shades = { palette: "grey", low: 0, high: 10, power: 1 };
    this.drawOver = () => {};
    this.onMove = () => {};
    this.onReady = () => {};
    this.nFrames = 0;
    this.requested = false;
    this.isOld = { picture: true, marks: true };
    this.isBlank = false;
    this.background = "#888";
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.resize();
  }

  get size() {
    return [this.canvas.clientWidth || 1, this.canvas.clientHeight || 1];
  }

  resize() {
    const [width, height] = this.size;
    this.ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.canvas, this.over]) {
      canvas.width = Math.round(width * this.ratio);
      canvas.height = Math.round(height * this.ratio);
    }
    if (this.fits) this.fit();
    this.request();
  }

  // Show an image; if the detector is the same, position and zoom stay
  show(source, geometry) {
    const isSame = this.geometry && this.geometry.width === geometry.width && this.geometry.height === geometry.height;
    if (this.source) this.source.onTiles = () => {};
    this.source = source;
    this.geometry = geometry;
    this.base = geometry.panels.map((panel, k) => new PanelPicture(k, panel.size));
    this.detail = geometry.panels.map((panel, k) => new PanelPicture(k, panel.size));
    this.older = geometry.panels.map(() => null);
    this.isReady = this.isBlank = false;
    source.onTiles = () => this.request(true, this.scale >= NUMBERS_FROM);
    this.shade({});
    if (!isSame) this.fit();
    this.request();
  }

  // Show nothing until the next image
  blank() {
    this.isBlank = true;
    this.request();
  }

  shade(changes) {
    Object.assign(this.shades, changes);
    if (!this.source) return;
    const { scale, saturation } = this.source.head;
    this.table = makeTable(this.shades, scale, Math.min(...saturation));
    [...this.base, ...this.detail].forEach((picture) => picture.repaint());
    this.older.fill(null);
    this.request(true, this.scale >= NUMBERS_FROM);
  }

  // -- position and zoom

  fit() {
    if (!this.geometry) return;
    const [width, height] = this.size;
    this.scale = Math.min(width / this.geometry.width, height / this.geometry.height) * 0.98;
    this.centre = [this.geometry.width / 2, this.geometry.height / 2];
    this.fits = true;
    this.moved();
  }

  zoom(factor, at = this.size.map((n) => n / 2)) {
    this.zoomTo(this.scale * factor, at);
  }

  zoomTo(scale, at = this.size.map((n) => n / 2)) {
    const before = this.toPlane(...at);
    const [width, height] = this.size;
    const least = 0.2 * Math.min(width / this.geometry.width, height / this.geometry.height);
    this.scale = Math.min(Math.max(scale, least), MAX_SCALE);
    const after = this.toPlane(...at);
    this.centre = [this.centre[0] + before[0] - after[0], this.centre[1] + before[1] - after[1]];
    this.moved();
  }

  pan(dx, dy) {
    this.centre = [this.centre[0] - dx / this.scale, this.centre[1] - dy / this.scale];
    this.moved();
  }

  goTo(x, y, scale = this.scale) {
    this.scale = scale;
    this.centre = [x, y];
    this.moved();
  }

  moved() {
    const [width, height] = this.size;
    const whole = Math.min(width / this.geometry.width, height / this.geometry.height) * 0.98;
    this.fits = Math.abs(this.scale / whole - 1) < 1e-6 && this.centre[0] === this.geometry.width / 2;
    this.isReady = false;
    this.onMove();
    this.request();
  }

  toCanvas(x, y) {
    const [width, height] = this.size;
    return [(x - this.centre[0]) * this.scale + width / 2, (y - this.centre[1]) * this.scale + height / 2];
  }

  toPlane(cx, cy) {
    const [width, height] = this.size;
    return [(cx - width / 2) / this.scale + this.centre[0], (cy - height / 2) / this.scale + this.centre[1]];
  }

  // -- drawing

  request(picture = true, marks = true) {
    this.isOld.picture ||= picture;
    this.isOld.marks ||= marks;
    if (this.requested) return;
    this.requested = true;
    requestAnimationFrame(() => {
      this.requested = false;
      this.draw();
    });
  }

  draw() {
    this.nFrames++;
    const [width, height] = this.size;
    if (this.isBlank || !this.source?.head) {
      this.paintBackground(this.context, width, height, this.ratio);
      this.overContext.setTransform(1, 0, 0, 1, 0, 0);
      this.overContext.clearRect(0, 0, this.over.width, this.over.height);
      return;
    }
    if (this.isOld.picture) {
      this.wantTiles();
      this.paint(this.context, width, height, this.ratio);
    }
    if (this.isOld.marks) {
      this.overContext.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      this.overContext.clearRect(0, 0, width, height);
      this.drawOver(this.overContext, width, height);
    }
    this.isOld = { picture: false, marks: false };
    if (!this.isReady && this.isComplete()) {
      this.isReady = true;
      this.onReady();
    }
  }

  paintBackground(context, width, height, ratio) {
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.background;
    context.fillRect(0, 0, width, height);
  }

  // The image without marks
  paint(context, width, height, ratio) {
    this.paintBackground(context, width, height, ratio);
    context.imageSmoothingEnabled = false;
    this.geometry.panels.forEach((panel, k) => {
      this.toPanelPixels(context, panel, width, height, ratio);
      const detail = this.detail[k];
      if (!(detail.isComplete && this.covers(panel, detail))) {
        this.base[k].draw(context);
        this.older[k]?.draw(context);
      }
      detail.draw(context);
    });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  // Let a context draw in pixels of a panel
  toPanelPixels(context, panel, width, height, ratio) {
    const s = this.scale * ratio;
    const x = ((panel.origin[0] - this.centre[0]) * this.scale + width / 2) * ratio;
    const y = ((panel.origin[1] - this.centre[1]) * this.scale + height / 2) * ratio;
    context.setTransform(panel.fast[0] * s, panel.fast[1] * s, panel.slow[0] * s, panel.slow[1] * s, x, y);
  }

  // Visible pixels of a panel, [x0, x1, y0, y1]; null if there are none
  seen(panel) {
    const [width, height] = this.size;
    const corners = [
      [0, 0],
      [width, 0],
      [0, height],
      [width, height],
    ].map((c) => panel.fromPlane(...this.toPlane(...c)));
    const x0 = Math.max(0, Math.min(...corners.map((c) => c[0])));
    const x1 = Math.min(panel.size[0], Math.max(...corners.map((c) => c[0])));
    const y0 = Math.max(0, Math.min(...corners.map((c) => c[1])));
    const y1 = Math.min(panel.size[1], Math.max(...corners.map((c) => c[1])));
    return x1 > x0 && y1 > y0 ? [x0, x1, y0, y1] : null;
  }

  covers(panel, picture) {
    const seen = this.seen(panel);
    if (!seen) return true;
    const tile = TILE * 2 ** picture.level;
    const [x0, x1, y0, y1] = picture.range;
    return (
      picture.level >= 0 && x0 * tile <= seen[0] && x1 * tile >= seen[1] && y0 * tile <= seen[2] && y1 * tile >= seen[3]
    );
  }

  // A pixel of a tile covers one to two pixels of the screen, so that none is skipped
  level(panel) {
    const pixel = this.scale * this.ratio * Math.hypot(...panel.fast);
    return Math.max(0, Math.ceil(Math.log2(1 / pixel) - 0.001));
  }

  baseLevel(panel) {
    return Math.max(
      0,
      Math.ceil(Math.log2((Math.max(...panel.size) * Math.sqrt(this.geometry.panels.length)) / BASE_SIZE)),
    );
  }

  wantTiles() {
    const wanted = [];
    this.geometry.panels.forEach((panel, k) => {
      const base = this.base[k];
      const detail = this.detail[k];
      const baseLevel = this.baseLevel(panel);
      base.frame(baseLevel, 0, Math.ceil(base.columns(baseLevel) / TILE), 0, Math.ceil(base.rows(baseLevel) / TILE));
      const seen = this.seen(panel);
      if (!seen) return;
      const level = Math.min(this.level(panel), baseLevel);
      const tile = TILE * 2 ** level;
      const range = [
        Math.floor(seen[0] / tile),
        Math.ceil(seen[1] / tile),
        Math.floor(seen[2] / tile),
        Math.ceil(seen[3] / tile),
      ];
      if (detail.isComplete && detail.level !== level) this.keepOlder(k);
      this.detail[k].frame(level, ...range);
      this.detail[k].fill(this.source, this.table);
      wanted.push(...this.detail[k].keys.filter((key) => !this.detail[k].done.has(key)));
      if (this.detail[k].isComplete) return; // the base is not visible
      base.fill(this.source, this.table);
      wanted.push(...base.keys.filter((key) => !base.done.has(key)));
    });
    if (wanted.length) this.source.want(this.nearestFirst([...new Set(wanted)]));
  }

  keepOlder(k) {
    this.older[k] = this.detail[k];
    this.detail[k] = new PanelPicture(k, this.geometry.panels[k].size);
  }

  nearestFirst(keys) {
    const distance = (key) => {
      const [k, level, x, y] = key.split(".").map(Number);
      const middle = this.geometry.toPlane(k, (x + 0.5) * TILE * 2 ** level, (y + 0.5) * TILE * 2 ** level);
      return Math.hypot(middle[0] - this.centre[0], middle[1] - this.centre[1]) - level * 1e5;
    };
    return keys
      .map((key) => [distance(key), key])
      .sort((a, b) => a[0] - b[0])
      .map((pair) => pair[1]);
  }

  isComplete() {
    return this.geometry.panels.every(
      (panel, k) => !this.seen(panel) || (this.detail[k].isComplete && this.covers(panel, this.detail[k])),
    );
  }
}
