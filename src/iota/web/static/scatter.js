// Growing scatter charts over the frames of a run, one above the other with one axis of frames.
//
// A plain module without a framework.  Points are counted into cells of the canvas; rows that arrive are added to
// counts of before, so that a million frames cost what a thousand cost.  Rows come from the columns address of the API
// as float32; whoever owns the chart only says that there is more, with pull().

const LEFT = 58, RIGHT = 14, TOP = 8, GAP = 12, BOTTOM = 36;
const NEAR_PX = 12; // how far from a point a click may be
const FEW = 2500; // points in view that are drawn as discs
const DIM = 255; // code of cells with points outside the selection only
const RETRY_MS = 1500;

/** Rows of the columns that are shown; arrays grow by doubling. */
class Rows {
  constructor(nColumns) {
    this.nColumns = nColumns;
    this.clear();
  }

  clear() {
    this.n = 0;
    this.outcome = new Uint8Array(1024);
    this.values = Array.from({ length: this.nColumns }, () => new Float32Array(1024));
    this.known = Array.from({ length: this.nColumns }, () => new Uint32Array(1024)); // rows with a value, in order
    this.nKnown = new Array(this.nColumns).fill(0);
    this.low = new Array(this.nColumns).fill(Infinity);
    this.high = new Array(this.nColumns).fill(-Infinity);
  }

  /** Add rows, outcome first and then the columns, row by row. */
  add(block) {
    const width = this.nColumns + 1, more = block.length / width;
    if (this.n + more > this.outcome.length) this.reserve(Math.max(this.n + more, 2 * this.outcome.length));
    for (let row = 0; row < more; row++) this.outcome[this.n + row] = block[row * width];
    for (let column = 0; column < this.nColumns; column++) {
      const values = this.values[column];
      const known = this.known[column];
      let low = this.low[column], high = this.high[column], nKnown = this.nKnown[column];
      for (let row = 0, at = column + 1; row < more; row++, at += width) {
        const value = block[at];
        values[this.n + row] = value;
        if (value !== value) continue;
        known[nKnown++] = this.n + row;
        if (value < low) low = value;
        if (value > high) high = value;
      }
      this.nKnown[column] = nKnown;
      this.low[column] = low;
      this.high[column] = high;
    }
    this.n += more;
  }

  reserve(capacity) {
    this.outcome = longer(this.outcome, capacity);
    this.values = this.values.map((values) => longer(values, capacity));
    this.known = this.known.map((known) => longer(known, capacity));
  }

  /** Where the first known row is that is not before a row. */
  placeOf(column, row) {
    let low = 0, high = this.nKnown[column];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.known[column][middle] < row) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function longer(old, capacity) {
  const made = new old.constructor(capacity);
  made.set(old);
  return made;
}

/** Round step of 1, 2 or 5 times a power of ten that cuts a width into at most so many parts. */
export function roundStep(width, most) {
  if (!(width > 0)) return 1;
  const raw = width / most, power = 10 ** Math.floor(Math.log10(raw));
  return [1, 2, 5, 10].map((k) => k * power).find((step) => step >= raw * (1 - 1e-9));
}

function numberText(value, step) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${+(value / 1e6).toPrecision(4)}M`;
  if (size >= 1e4) return `${+(value / 1e3).toPrecision(4)}k`;
  return value.toFixed(Math.min(6, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)))).replace("-", "\u2212");
}

function colourParts(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

export class Scatter {
  /**
   * @param {HTMLElement} host element that the chart fills in width
   * @param {object} options
   *   url: address of the columns of a run;
   *   panels: [{column, label, unit, digits, flipped}], from top to bottom;
   *   colours, words: by code of outcome; selected: colour of the selected frame;
   *   panelHeight: px of a drawing area;
   *   onFrame(row): a point was clicked;  onBox({column, low, high, first, last}): rows first to last, ends included;
   *   onRows(n): rows have arrived
   */
  constructor(host, options) {
    this.host = host;
    this.options = { panelHeight: 170, onFrame() {}, onBox() {}, onRows() {}, ...options };
    this.panels = options.panels.map((panel) => ({ ...panel, zoom: null, key: "", counted: 0 }));
    this.rows = new Rows(this.panels.length);
    this.rgb = options.colours.map(colourParts);
    this.zoom = null; // {low, high} of frame numbers that a person chose; null shows all
    this.mask = null; // Uint8Array by row, 1 in the selection; null without one
    this.frame = null; // row of the selected frame
    this.boxMode = false;
    this.problem = "";
    this.isLoading = true;
    this.drag = null;
    this.hover = null;
    this.build();
    host.scatter = this;
    this.pull();
  }

  build() {
    this.host.classList.add("iota-scatter");
    this.host.style.position = "relative";
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", this.panels.map((p) => p.label).join(" and ") + " per frame");
    this.canvas.style.cssText = "display:block;width:100%;touch-action:pan-y;cursor:crosshair";
    this.tip = document.createElement("div");
    this.tip.className = "iota-scatter-tip";
    this.tools = document.createElement("div");
    this.tools.className = "iota-scatter-tools";
    this.boxButton = this.button("Select a box", "M4 4h4v2H6v2H4zm12 0h4v4h-2V6h-2zM4 16h2v2h2v2H4zm14 0h2v4h-4v-2h2z", () => {
      this.boxMode = !this.boxMode;
      this.boxButton.setAttribute("aria-pressed", String(this.boxMode));
    });
    this.boxButton.title = "Drag a box to select frames (or hold Shift)";
    this.boxButton.setAttribute("aria-pressed", "false");
    this.resetButton = this.button("Show all", "M3 3h7v2H5v5H3zm11 0h7v7h-2V5h-5zM3 14h2v5h5v2H3zm16 0h2v7h-7v-2h5z", () => this.showAll());
    this.resetButton.title = "Show all frames (double-click)";
    this.host.replaceChildren(this.canvas, this.tools, this.tip);
    this.tools.append(this.boxButton, this.resetButton);
    this.context = this.canvas.getContext("2d");
    this.cells = document.createElement("canvas");
    this.listen();
    this.resize();
  }

  button(name, path, action) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", name);
    button.innerHTML = `<svg viewBox="0 0 24 24" width="16" height="16" fill="currentColor" aria-hidden="true"><path d="${path}"/></svg>`;
    button.addEventListener("click", action);
    return button;
  }

  listen() {
    this.ended = new AbortController();
    const on = (target, name, action, more = {}) => target.addEventListener(name, action, { signal: this.ended.signal, ...more });
    on(this.canvas, "wheel", (event) => this.wheel(event), { passive: false });
    on(this.canvas, "pointerdown", (event) => this.down(event));
    on(this.canvas, "pointermove", (event) => this.move(event));
    on(this.canvas, "pointerup", (event) => this.up(event));
    on(this.canvas, "pointercancel", () => { this.drag = null; this.draw(); });
    on(this.canvas, "pointerleave", () => this.setHover(null));
    on(this.canvas, "dblclick", () => this.showAll());
    this.sizes = new ResizeObserver(() => this.resize());
    this.sizes.observe(this.host);
    this.modes = new MutationObserver(() => this.draw()); // dark and light are classes of the body
    this.modes.observe(document.body, { attributes: true, attributeFilter: ["class", "style"] });
  }

  destroy() {
    this.ended.abort();
    this.sizes.disconnect();
    this.modes.disconnect();
    cancelAnimationFrame(this.scheduled);
    clearTimeout(this.retry);
  }

  // -- data

  /** Get the rows that are new; when rows are on their way, look again after them. */
  async pull() {
    if (this.ended.signal.aborted) return;
    if (this.isPulling) {
      this.pullAgain = true;
      return;
    }
    this.isPulling = true;
    clearTimeout(this.retry);
    try {
      let more = true;
      while (more) {
        this.pullAgain = false;
        more = (await this.pullOnce()) || this.pullAgain;
      }
      this.problem = "";
    } catch (error) {
      if (!this.ended.signal.aborted) {
        this.problem = error.sentence ?? "The server does not respond; trying again.";
        this.retry = setTimeout(() => this.pull(), RETRY_MS);
      }
    } finally {
      this.isPulling = false;
      this.isLoading = false;
      this.draw();
    }
  }

  async pullOnce() {
    const names = ["outcome", ...this.panels.map((panel) => panel.column)].join(",");
    const since = this.rows.n, mark = since ? `&generation=${this.generation ?? ""}` : "";
    const reply = await fetch(`${this.options.url}?names=${names}&since=${since}${mark}`, { signal: this.ended.signal });
    if (!reply.ok) {
      const told = await reply.json().catch(() => null);
      throw Object.assign(new Error(`status ${reply.status}`), { sentence: told?.error?.message });
    }
    const from = Number(reply.headers.get("X-Rows-From"));
    this.generation = reply.headers.get("X-Generation") ?? "";
    const block = new Float32Array(await reply.arrayBuffer());
    if (from !== this.rows.n) { // the ledger was replaced
      this.rows.clear();
      this.panels.forEach((panel) => (panel.key = ""));
      if (from !== 0) return true;
    }
    if (!block.length) return false;
    this.rows.add(block);
    this.host.dataset.rows = this.rows.n;
    this.options.onRows(this.rows.n);
    this.draw();
    return true;
  }

  /** Show a set of rows: all others are dimmed.  `bits` is base64 of packed bits, first row highest; null shows all. */
  select(bits) {
    this.mask = null;
    if (bits !== null && bits !== undefined) {
      const bytes = Uint8Array.from(atob(bits), (letter) => letter.charCodeAt(0));
      this.mask = new Uint8Array(bytes.length * 8);
      for (let at = 0; at < this.mask.length; at++) this.mask[at] = (bytes[at >> 3] >> (7 - (at & 7))) & 1;
    }
    this.panels.forEach((panel) => (panel.key = ""));
    this.draw();
  }

  /** Mark a frame; null marks none. */
  setFrame(row) {
    this.frame = row ?? null;
    this.draw();
  }

  // -- places

  /** Limits of frame numbers, from 1, that are shown. */
  span() {
    if (this.zoom) return this.zoom;
    const n = Math.max(this.rows.n, 10), step = roundStep(n, 5);
    return { low: 0, high: Math.ceil((n + 1) / (step / 5)) * (step / 5) };
  }

  /** Limits of values that are shown in a panel. */
  range(index) {
    const panel = this.panels[index];
    if (panel.zoom) return panel.zoom;
    let low = this.rows.low[index], high = this.rows.high[index];
    if (!(low <= high)) return { low: 0, high: 1 };
    if (low >= 0 && low < 0.5 * high) low = 0;
    const step = roundStep((high - low) || Math.abs(high) * 0.1 || 1, 8);
    low = low === 0 ? 0 : Math.floor(low / step - 0.3) * step;
    return { low, high: Math.ceil(high / step + 0.3) * step };
  }

  area(index) {
    const { panelHeight } = this.options;
    return { left: LEFT, right: this.width - RIGHT, top: TOP + index * (panelHeight + GAP), height: panelHeight };
  }

  panelAt(y) {
    return Math.min(this.panels.length - 1, Math.max(0, Math.floor((y - TOP + GAP / 2) / (this.options.panelHeight + GAP))));
  }

  xOf(number) {
    const { low, high } = this.span();
    return LEFT + ((number - low) / (high - low)) * (this.width - RIGHT - LEFT);
  }

  numberAt(x) {
    const { low, high } = this.span();
    return low + ((x - LEFT) / (this.width - RIGHT - LEFT)) * (high - low);
  }

  yOf(index, value) {
    const { low, high } = this.range(index), { top, height } = this.area(index);
    const share = (value - low) / (high - low);
    return top + height * (this.panels[index].flipped ? share : 1 - share);
  }

  valueAt(index, y) {
    const { low, high } = this.range(index), { top, height } = this.area(index);
    const share = (y - top) / height;
    return low + (high - low) * (this.panels[index].flipped ? share : 1 - share);
  }

  /** Where a row is on the page (px of the viewport), null where it is not shown. */
  placeOf(row, index = 0) {
    const value = this.rows.values[index][row];
    if (row >= this.rows.n || Number.isNaN(value)) return null;
    const box = this.canvas.getBoundingClientRect();
    return { x: box.left + this.xOf(row + 1), y: box.top + this.yOf(index, value) };
  }

  /** The row nearest to a place of the canvas, null when none is near. */
  nearest(x, y) {
    const index = this.panelAt(y), values = this.rows.values[index], { top, height } = this.area(index);
    const first = Math.max(0, Math.ceil(this.numberAt(x - NEAR_PX) - 1));
    const last = Math.min(this.rows.n - 1, Math.floor(this.numberAt(x + NEAR_PX) - 1));
    let best = NEAR_PX * NEAR_PX, found = null;
    for (let row = first; row <= last; row++) {
      const value = values[row];
      if (value !== value) continue;
      const px = this.yOf2(index, value);
      if (px < top || px > top + height) continue;
      const dx = this.xs * (row + 1) + this.x0 - x, dy = px - y, distance = dx * dx + dy * dy;
      if (distance < best) {
        best = distance;
        found = row;
      }
    }
    return found;
  }

  /** As yOf, from factors that are worked out once for each picture. */
  yOf2(index, value) {
    return this.ys[index] * value + this.y0[index];
  }

  setFactors() {
    const { low, high } = this.span();
    this.xs = (this.width - RIGHT - LEFT) / (high - low);
    this.x0 = LEFT - low * this.xs;
    this.ys = [];
    this.y0 = [];
    this.panels.forEach((panel, index) => {
      const at0 = this.yOf(index, 0);
      this.ys.push(this.yOf(index, 1) - at0);
      this.y0.push(at0);
    });
  }

  // -- what people do

  showAll() {
    this.zoom = null;
    this.panels.forEach((panel) => (panel.zoom = null));
    this.draw();
  }

  wheel(event) {
    event.preventDefault();
    const x = event.offsetX, y = event.offsetY, factor = Math.exp(Math.sign(event.deltaY) * Math.min(0.4, Math.abs(event.deltaY) / 400));
    if (x < LEFT || event.altKey) {
      const index = this.panelAt(y), middle = this.valueAt(index, y), { low, high } = this.range(index);
      this.panels[index].zoom = { low: middle - (middle - low) * factor, high: middle + (high - middle) * factor };
    } else {
      this.zoomFrames(this.numberAt(x), factor);
    }
    this.draw();
  }

  zoomFrames(middle, factor) {
    const { low, high } = this.span(), all = Math.max(this.rows.n, 10);
    const width = Math.min(Math.max((high - low) * factor, 5), 1.2 * all);
    const share = (middle - low) / (high - low), start = Math.max(-0.1 * all, middle - share * width);
    this.zoom = { low: start, high: start + width };
  }

  down(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    const index = this.panelAt(event.offsetY);
    this.drag = {
      x: event.offsetX, y: event.offsetY, toX: event.offsetX, toY: event.offsetY, index, isBox: this.boxMode || event.shiftKey,
      span: this.span(), range: this.range(index), hadZoom: this.panels[index].zoom !== null, moved: false,
    };
    this.setHover(null);
  }

  move(event) {
    const drag = this.drag;
    if (!drag) {
      this.setHover(this.nearest(event.offsetX, event.offsetY), event);
      return;
    }
    drag.toX = event.offsetX;
    drag.toY = event.offsetY;
    drag.moved ||= Math.hypot(drag.toX - drag.x, drag.toY - drag.y) > 3;
    if (drag.moved && !drag.isBox) this.pan(drag);
    this.draw();
  }

  pan(drag) {
    const perPx = (drag.span.high - drag.span.low) / (this.width - RIGHT - LEFT), shift = (drag.x - drag.toX) * perPx;
    this.zoom = { low: drag.span.low + shift, high: drag.span.high + shift };
    if (drag.hadZoom) {
      const sign = this.panels[drag.index].flipped ? -1 : 1;
      const up = (sign * (drag.toY - drag.y) * (drag.range.high - drag.range.low)) / this.options.panelHeight;
      this.panels[drag.index].zoom = { low: drag.range.low + up, high: drag.range.high + up };
    }
  }

  up(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag) return;
    if (!drag.moved) {
      const row = this.nearest(drag.x, drag.y);
      if (row !== null) {
        this.setFrame(row);
        this.options.onFrame(row);
      }
    } else if (drag.isBox) {
      const numbers = [drag.x, drag.toX].map((x) => this.numberAt(x)).sort((a, b) => a - b);
      const values = [drag.y, drag.toY].map((y) => this.valueAt(drag.index, y)).sort((a, b) => a - b);
      this.options.onBox({
        column: this.panels[drag.index].column, low: values[0], high: values[1],
        first: Math.max(0, Math.ceil(numbers[0] - 1)), last: Math.min(this.rows.n - 1, Math.floor(numbers[1] - 1)),
      });
    }
    this.draw();
  }

  setHover(row, event = null) {
    this.tip.style.display = row === null ? "none" : "block";
    if (row !== null) {
      const values = this.panels.map((panel, index) => {
        const value = this.rows.values[index][row];
        return Number.isNaN(value) ? null : `${value.toFixed(panel.digits ?? 2)} ${panel.unit || panel.label.toLowerCase()}`;
      });
      this.tip.textContent = [`frame ${row + 1}`, ...values.filter((text) => text), this.options.words[this.rows.outcome[row]]].join(" · ");
      const right = event.offsetX > this.width / 2;
      this.tip.style.left = right ? "" : `${event.offsetX + 14}px`;
      this.tip.style.right = right ? `${this.width - event.offsetX + 14}px` : "";
      this.tip.style.top = `${Math.max(0, event.offsetY - 28)}px`;
    }
    if (row !== this.hover) {
      this.hover = row;
      this.draw();
    }
  }

  // -- drawing

  resize() {
    const width = Math.floor(this.host.clientWidth);
    if (!width) return; // on a tab that is not shown
    this.width = Math.max(width, LEFT + RIGHT + 40);
    this.height = TOP + this.panels.length * (this.options.panelHeight + GAP) - GAP + BOTTOM;
    this.dpr = window.devicePixelRatio || 1;
    this.canvas.style.height = `${this.height}px`;
    this.canvas.width = Math.round(this.width * this.dpr);
    this.canvas.height = Math.round(this.height * this.dpr);
    this.panels.forEach((panel) => (panel.key = ""));
    this.draw();
  }

  /** Draw with the next picture of the browser. */
  draw() {
    if (this.scheduled) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = 0;
      this.paint();
    });
  }

  paint() {
    if (!this.width || this.ended.signal.aborted) return;
    if ((window.devicePixelRatio || 1) !== this.dpr) return this.resize();
    const context = this.context, style = getComputedStyle(this.host);
    this.ink = style.color;
    context.setTransform(this.dpr, 0, 0, this.dpr, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    context.font = `11px ${style.fontFamily}`;
    this.setFactors();
    this.resetButton.style.visibility = this.zoom || this.panels.some((panel) => panel.zoom) ? "visible" : "hidden";
    this.panels.forEach((panel, index) => {
      this.paintAxes(panel, index);
      this.paintPoints(panel, index);
      this.paintMarks(index);
    });
    this.paintFrames();
    this.paintBox();
    this.paintWords();
  }

  paintAxes(panel, index) {
    const context = this.context, { left, right, top, height } = this.area(index), { low, high } = this.range(index);
    context.strokeStyle = context.fillStyle = this.ink;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const step = roundStep(high - low, Math.max(2, Math.floor(height / 34)));
    for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
      const y = Math.round(this.yOf(index, k * step)) + 0.5;
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

  paintFrames() {
    const context = this.context, { low, high } = this.span(), bottom = this.height - BOTTOM;
    const step = Math.max(1, roundStep(high - low, Math.max(2, Math.floor((this.width - LEFT) / 90))));
    context.fillStyle = context.strokeStyle = this.ink;
    context.textAlign = "center";
    context.textBaseline = "alphabetic";
    context.globalAlpha = 0.85;
    for (let number = Math.max(0, Math.ceil(low / step) * step); number <= high; number += step) {
      const x = this.xOf(number);
      context.fillRect(Math.round(x), bottom, 1, 4);
      context.fillText(numberText(number, step), Math.min(x, this.width - 14), bottom + 16);
    }
    context.globalAlpha = 1;
    context.fillText("frame, in order of finishing", (LEFT + this.width - RIGHT) / 2, this.height - 5);
  }

  paintPoints(panel, index) {
    const first = Math.max(0, Math.floor(this.numberAt(LEFT) - 1)), last = Math.min(this.rows.n - 1, Math.ceil(this.numberAt(this.width - RIGHT) - 1));
    if (last < first) return;
    if (last - first < FEW) this.paintDiscs(index, first, last);
    else this.paintCells(panel, index, first, last);
  }

  /** Few points: discs, those of the selection above the others. */
  paintDiscs(index, first, last) {
    const context = this.context, values = this.rows.values[index], { left, right, top, height } = this.area(index);
    const radius = last - first < 300 ? 3.2 : 2.2;
    context.save();
    context.beginPath();
    context.rect(left, top - 4, right - left + 4, height + 8);
    context.clip();
    for (const inSelection of this.mask ? [false, true] : [true]) {
      const paths = new Map();
      for (let row = first; row <= last; row++) {
        const value = values[row];
        if (value !== value || (this.mask && Boolean(this.mask[row]) !== inSelection)) continue;
        const code = inSelection ? this.rows.outcome[row] : DIM;
        if (!paths.has(code)) paths.set(code, new Path2D());
        const x = this.xs * (row + 1) + this.x0, y = this.yOf2(index, value), path = paths.get(code);
        path.moveTo(x + radius, y);
        path.arc(x, y, radius, 0, 7);
      }
      for (const [code, path] of paths) {
        context.globalAlpha = code === DIM ? 0.18 : 0.85;
        context.fillStyle = code === DIM ? this.ink : this.options.colours[code];
        context.fill(path);
      }
    }
    context.restore();
  }

  /** Many points: counts in cells of two or three pixels, which remember the last outcome. */
  paintCells(panel, index, first, last) {
    const { left, right, top, height } = this.area(index), size = last - first < 20000 ? 3 : 2;
    const width = Math.ceil((right - left) / size), rows = Math.ceil(height / size);
    const key = [this.xs, this.x0, this.ys[index], this.y0[index], size, width, rows].join(" ");
    if (panel.key !== key) {
      panel.key = key;
      panel.counted = first;
      panel.counts = new Uint32Array(width * rows);
      panel.codes = new Uint8Array(width * rows).fill(DIM);
    }
    this.count(panel, index, Math.max(first, panel.counted), last, { left, top, size, width, rows });
    panel.counted = last + 1;
    this.paintCounts(panel, { left, top, size, width, rows });
  }

  /** Count rows into cells, column by column of cells, whose counts lie side by side in memory: 3 ns a point. */
  count(panel, index, first, last, { left, top, size, width, rows }) {
    const { counts, codes } = panel, values = this.rows.values[index], known = this.rows.known[index];
    const outcome = this.rows.outcome, mask = this.mask;
    const xs = this.xs / size, x0 = (this.x0 + this.xs - left) / size;
    const ys = this.ys[index] / size, y0 = (this.y0[index] - top) / size + 1; // 1 more, so that | 0 rounds down
    const end = this.rows.placeOf(index, last + 1);
    let at = this.rows.placeOf(index, Math.max(first, Math.ceil(-x0 / xs)));
    for (let x = Math.max(0, Math.floor(xs * (known[at] ?? 0) + x0)); x < width && at < end; x++) {
      const after = Math.ceil((x + 1 - x0) / xs), base = x * rows - 1;
      for (; at < end; at++) {
        const row = known[at];
        if (row >= after) break;
        const y = (ys * values[row] + y0) | 0;
        if (y < 1 || y > rows) continue;
        counts[base + y]++;
        if (mask === null || mask[row] === 1) codes[base + y] = outcome[row];
      }
    }
  }

  paintCounts(panel, { left, top, size, width, rows }) {
    const { counts, codes } = panel, image = new ImageData(width, rows), pixels = new Uint32Array(image.data.buffer);
    let most = 1;
    for (let at = 0; at < counts.length; at++) if (counts[at] > most) most = counts[at];
    const scale = most > 1 ? 0.55 / Math.log(most) : 0;
    const dim = colourParts(/rgb/.test(this.ink) ? "#" + this.ink.match(/\d+/g).slice(0, 3).map((n) => (+n).toString(16).padStart(2, "0")).join("") : "#888888");
    const colours = [...this.rgb, ...new Array(256 - this.rgb.length).fill(dim)].map(([r, g, b]) => (b << 16) | (g << 8) | r);
    for (let x = 0, at = 0; x < width; x++) {
      for (let y = 0; y < rows; y++, at++) {
        const n = counts[at];
        if (!n) continue;
        const code = codes[at], opacity = code === DIM && this.mask ? 0.12 : 0.45 + scale * Math.log(n);
        pixels[y * width + x] = ((Math.round(255 * opacity) << 24) | colours[code]) >>> 0;
      }
    }
    this.cells.width = width;
    this.cells.height = rows;
    this.cells.getContext("2d").putImageData(image, 0, 0);
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(this.cells, left, top, width * size, rows * size);
  }

  paintMarks(index) {
    const context = this.context, { top, height } = this.area(index);
    for (const [row, radius, colour] of [[this.hover, 4.5, this.ink], [this.frame, 6, this.options.selected ?? this.ink]]) {
      if (row === null || row >= this.rows.n) continue;
      const x = this.xOf(row + 1), value = this.rows.values[index][row];
      if (x < LEFT || x > this.width - RIGHT) continue;
      context.strokeStyle = colour;
      if (row === this.frame) {
        context.globalAlpha = 0.6;
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(x, top);
        context.lineTo(x, top + height);
        context.stroke();
        context.globalAlpha = 1;
      }
      if (Number.isNaN(value)) continue;
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, this.yOf(index, value), radius, 0, 7);
      context.stroke();
    }
  }

  paintBox() {
    const drag = this.drag;
    if (!drag?.isBox || !drag.moved) return;
    const context = this.context;
    context.strokeStyle = this.ink;
    context.fillStyle = this.options.selected ?? this.ink;
    context.lineWidth = 1;
    context.globalAlpha = 0.15;
    context.fillRect(drag.x, drag.y, drag.toX - drag.x, drag.toY - drag.y);
    context.globalAlpha = 0.8;
    context.setLineDash([4, 3]);
    context.strokeRect(drag.x, drag.y, drag.toX - drag.x, drag.toY - drag.y);
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  paintWords() {
    const context = this.context;
    context.fillStyle = this.ink;
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.panels.forEach((panel, index) => {
      const { left, right, top, height } = this.area(index);
      const isEmpty = !(this.rows.low[index] <= this.rows.high[index]);
      const words = this.problem && index === 0 ? this.problem : this.isLoading && isEmpty ? "Loading…" : isEmpty ? "No frame with this value yet" : "";
      if (!words) return;
      context.globalAlpha = 0.75;
      context.fillText(words, (left + right) / 2, top + (isEmpty ? height / 2 : 10));
      context.globalAlpha = 1;
    });
  }
}
