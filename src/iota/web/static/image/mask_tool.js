// The mask tool: shapes on panels, with the numbers of dials.generate_mask. DIALS makes the mask of them, on the server.

import { ask, askJson } from "./source.js";
import { COLOURS } from "./marks.js";
import { button, icon, make, numberInput, section } from "./dom.js";
import { corners, distanceFrom, rectangle, shapesOf } from "./mask_shapes.js";

const EMPTY = { shapes: [], border: 0, d_min: null, d_max: null, resolution_ranges: [], base: [] };
const NAMES = { circle: ["x", "y", "r"], rectangle: ["x₀", "x₁", "y₀", "y₁"] };
const TOOLS = {
  circle: ["radio_button_unchecked", "Circle: press at the centre and drag"],
  rectangle: ["crop_square", "Rectangle: drag from corner to corner"],
  polygon: ["polyline", "Polygon: click the corners; double-click or Enter to finish"],
};

export class MaskTool {
  constructor(detector) {
    this.detector = detector;
    this.drawing = structuredClone(EMPTY);
    this.past = [];
    this.future = [];
    this.tool = null;
    this.draft = null; // what is being drawn, see mask_shapes.js
    this.saved = null;
    this.element = make("div", { class: "di-tab" });
    this.build();
  }

  // -- what is drawn

  change(make_change) {
    this.past.push(JSON.stringify(this.drawing));
    this.future = [];
    make_change(this.drawing);
    this.changed();
  }

  undo() {
    if (this.past.length) {
      this.future.push(JSON.stringify(this.drawing));
      this.drawing = JSON.parse(this.past.pop());
      this.changed();
    }
  }

  redo() {
    if (this.future.length) {
      this.past.push(JSON.stringify(this.drawing));
      this.drawing = JSON.parse(this.future.pop());
      this.changed();
    }
  }

  get isEmpty() {
    return JSON.stringify(this.sent) === JSON.stringify(EMPTY);
  }

  // As the server expects it, without what only this page needs
  get sent() {
    return {
      ...this.drawing,
      shapes: this.drawing.shapes.map(({ kind, panel, numbers }) => ({ kind, panel, numbers })),
    };
  }

  changed() {
    this.saved = null;
    this.say("");
    this.list();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), 120);
    this.detector.view.request(false);
  }

  // Fetch the mask of the shapes
  async refresh() {
    const { source, marks } = this.detector;
    if (!source?.head) return;
    if (this.isEmpty) {
      marks.hide(null);
      this.area.textContent = "";
      this.detector.counts();
      return;
    }
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const answer = await (await ask("mask", source.query, { body: this.sent, signal: this.asked.signal })).json();
      marks.hide(answer.rectangles);
      this.area.textContent = `${answer.n_masked.toLocaleString("en")} of ${answer.n_pixels.toLocaleString("en")} pixels (${((100 * answer.n_masked) / answer.n_pixels).toFixed(2)} %) are masked.`;
      this.phil.textContent = answer.phil;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.say(error.message, true);
    }
    this.detector.counts();
  }

  // -- drawing by hand; all return whether the image must not be panned

  down(at, event) {
    if (!this.tool || event.button) return false;
    const [x, y] = this.detector.view.toPlane(...at);
    if (this.tool === "polygon") {
      if (!this.draft) {
        const place = this.nearestPanel(x, y);
        this.draft = { kind: "polygon", panel: place.panel, points: [] };
      }
      this.draft.points.push(this.local(x, y));
      this.draft.next = null;
    } else {
      const place = this.nearestPanel(x, y);
      this.draft = {
        kind: this.tool,
        panel: place.panel,
        points: [
          [place.fast, place.slow],
          [place.fast, place.slow],
        ],
      };
    }
    this.detector.view.request(false);
    return true;
  }

  move(at) {
    if (!this.draft) return false;
    const point = this.local(...this.detector.view.toPlane(...at));
    if (this.draft.kind === "polygon") this.draft.next = point;
    else this.draft.points[1] = point;
    this.detector.view.request(false);
    return true;
  }

  up() {
    if (!this.draft || this.draft.kind === "polygon") return false;
    this.finish();
    return true;
  }

  finish() {
    const draft = this.draft;
    this.draft = null;
    if (!draft) return;
    const made = shapesOf(draft, this.detector.geometry.panels);
    if (made.length) this.change((drawing) => drawing.shapes.push(...made));
    this.detector.view.request(false);
  }

  cancel() {
    this.draft = null;
    this.choose(null);
    this.detector.view.request(false);
  }

  local(x, y) {
    return this.detector.geometry.panels[this.draft.panel].fromPlane(x, y);
  }

  nearestPanel(x, y) {
    const { geometry } = this.detector;
    const at = geometry.toPanel(x, y);
    if (at) return at;
    const places = geometry.panels.map((panel, k) => {
      const [fast, slow] = panel.fromPlane(x, y);
      return { panel: k, fast, slow, away: distanceFrom(panel.size, fast, slow) };
    });
    return places.reduce((best, one) => (one.away < best.away ? one : best));
  }

  draw(context) {
    const { view, geometry } = this.detector;
    const toCanvas = (panel, [fast, slow]) => view.toCanvas(...geometry.toPlane(panel, fast, slow));
    context.lineWidth = 1.6;
    context.strokeStyle = COLOURS.mask;
    for (const { kind, panel, numbers, group } of this.drawing.shapes) {
      if (group) continue; // many small rectangles: their area says enough
      context.beginPath();
      if (kind === "circle") {
        const radius = numbers[2] * view.scale * Math.hypot(...geometry.panels[panel].fast);
        context.arc(...toCanvas(panel, numbers), radius, 0, 2 * Math.PI);
      } else {
        const points = corners(kind, numbers).map((corner) => toCanvas(panel, corner));
        polyline(context, points, true);
      }
      context.stroke();
    }
    if (this.draft) this.drawDraft(context, (point) => toCanvas(this.draft.panel, point));
  }

  drawDraft(context, toCanvas) {
    const { kind, points, next } = this.draft;
    context.setLineDash([5, 3]);
    context.beginPath();
    if (kind === "circle") {
      const [a, b] = points.map(toCanvas);
      context.arc(...a, Math.hypot(b[0] - a[0], b[1] - a[1]), 0, 2 * Math.PI);
    } else if (kind === "rectangle") {
      polyline(context, rectangle(points[0], points[1]).map(toCanvas), true);
    } else {
      polyline(context, [...points, ...(next ? [next] : [])].map(toCanvas), false);
    }
    context.stroke();
    context.setLineDash([]);
  }

  // -- the controls

  build() {
    this.tools = Object.fromEntries(
      Object.entries(TOOLS).map(([name, [sign, title]]) => [
        name,
        icon(sign, title, () => this.choose(this.tool === name ? null : name)),
      ]),
    );
    this.border = this.limit("Panel edges (px)", "border", 1);
    this.dMin = this.limit("High-resolution limit (Å)", "d_min", 0.1);
    this.dMax = this.limit("Low-resolution limit (Å)", "d_max", 1);
    this.threshold = numberInput("Shadow below (counts)", { value: "3", min: "0", step: "0.5" });
    this.from = numberInput("Range from (Å)", { step: "0.01", placeholder: "3.70" });
    this.to = numberInput("Range to (Å)", { step: "0.01", placeholder: "3.64" });
    this.items = make("div", { class: "di-list" });
    this.said = make("div", { class: "di-said", role: "status" });
    this.area = make("div", { class: "di-note" });
    this.name = make("input", { type: "text", class: "di-text", value: "mask", "aria-label": "Name of the mask" });
    this.phil = make("pre", { class: "di-phil" });
    const tools = this.toolSection();
    const save = this.saveSection();
    tools.classList.add("di-tools");
    save.classList.add("di-save");
    const load = button("Load a mask or PHIL...", () => this.detector.emit("choose-mask"));
    this.element.append(
      tools,
      this.areaSection(),
      section("Shapes and files", this.items, load),
      make("details", {}, make("summary", {}, "PHIL for dials.generate_mask"), this.phil),
      save,
    );
    this.list();
  }

  toolSection() {
    const removeAll = () => this.change((d) => Object.assign(d, structuredClone(EMPTY)));
    const row = make(
      "div",
      { class: "di-row" },
      ...Object.values(this.tools),
      make("span", { class: "di-space" }),
      icon("undo", "Undo (Ctrl+Z)", () => this.undo()),
      icon("redo", "Redo (Ctrl+Shift+Z)", () => this.redo()),
      icon("delete_sweep", "Remove all", removeAll),
    );
    return section(null, row);
  }

  areaSection() {
    const add = icon("add", "Add the range", () => this.addRange());
    const find = button("Find", () => this.findShadow());
    const range = make("div", { class: "di-field" }, make("span", {}, "Resolution range (Å)"), this.from, this.to, add);
    const shadow = make("div", { class: "di-field" }, make("span", {}, "Beamstop shadow below"), this.threshold, find);
    return section("Areas", this.border, this.dMax, this.dMin, range, shadow);
  }

  saveSection() {
    const save = button("Save", () => this.save());
    const use = button("Use for the next run", () => this.use(), { class: "di-button di-main" });
    return section(null, this.area, this.said, make("div", { class: "di-field" }, this.name, save), use);
  }

  limit(text, name, step) {
    const none = name === "border" ? 0 : null;
    const set = () =>
      this.change((d) => {
        d[name] = input.value === "" ? none : Number(input.value);
      });
    const input = numberInput(text, { min: "0", step: String(step), onchange: set });
    this[`input_${name}`] = input;
    return make("label", { class: "di-field" }, make("span", {}, text), input);
  }

  choose(tool) {
    this.tool = tool;
    if (!tool) this.draft = null;
    Object.entries(this.tools).forEach(([name, element]) =>
      element.setAttribute("aria-pressed", String(name === tool)),
    );
    this.detector.canvas.classList.toggle("di-drawing", Boolean(tool));
  }

  list() {
    const { shapes, base, resolution_ranges: ranges } = this.drawing;
    this.items.replaceChildren();
    const nPanels = this.detector.geometry?.panels.length ?? 1;
    const groups = new Map();
    shapes.forEach((shape, k) => {
      if (shape.group) groups.set(shape.group, (groups.get(shape.group) ?? 0) + 1);
      else this.items.append(this.shapeItem(shape, k, nPanels));
    });
    for (const [name, n] of groups) {
      this.items.append(
        this.item(`${name}: ${n} rectangles`, (d) => {
          d.shapes = d.shapes.filter((s) => s.group !== name);
        }),
      );
    }
    ranges.forEach((range, k) =>
      this.items.append(this.item(`${range[0]} to ${range[1]} Å`, (d) => d.resolution_ranges.splice(k, 1))),
    );
    base.forEach((path, k) =>
      this.items.append(this.item(`Mask file ${path.split("/").pop()}`, (d) => d.base.splice(k, 1), path)),
    );
    if (!this.items.children.length) {
      this.items.append(
        make("span", { class: "di-note" }, "No shapes yet. Choose one above and draw it on the image."),
      );
    }
    for (const name of ["border", "d_min", "d_max"]) this[`input_${name}`].value = this.drawing[name] || "";
  }

  item(text, remove, title = "") {
    return make(
      "div",
      { class: "di-item", title },
      make("span", { class: "di-grow" }, text),
      icon("close", `Remove ${text}`, () => this.change(remove)),
    );
  }

  shapeItem(shape, k, nPanels) {
    const inputs = shape.numbers.map((value, i) => {
      const set = () =>
        this.change((d) => {
          d.shapes[k].numbers[i] = Math.round(Number(input.value));
        });
      const axis = i % 2 ? "y" : "x";
      const input = numberInput(`${shape.kind} ${k + 1} ${NAMES[shape.kind]?.[i] ?? axis + (Math.floor(i / 2) + 1)}`, {
        class: "di-number di-small",
        value: String(value),
        step: "1",
        title: NAMES[shape.kind]?.[i] ?? axis,
        onchange: set,
      });
      return input;
    });
    const where = nPanels > 1 ? `, panel ${shape.panel}` : "";
    return make(
      "div",
      { class: "di-item di-shape" },
      make(
        "span",
        { class: "di-grow" },
        shape.kind[0].toUpperCase() + shape.kind.slice(1) + where,
        make("span", { class: "di-note" }, ` ${NAMES[shape.kind]?.join(" ") ?? "x y of each corner"}`),
      ),
      icon("close", `Remove ${shape.kind} ${k + 1}`, () => this.change((d) => d.shapes.splice(k, 1))),
      make("div", { class: "di-numbers" }, ...inputs),
    );
  }

  say(text, isWrong = false) {
    this.said.textContent = text;
    this.said.classList.toggle("iota-bad", isWrong);
  }

  addRange() {
    const pair = [Number(this.from.value), Number(this.to.value)];
    if (!(pair[0] > 0 && pair[1] > 0)) {
      this.say("Enter both limits of the range in Å.", true);
      return;
    }
    this.change((d) => d.resolution_ranges.push([Math.max(...pair), Math.min(...pair)]));
  }

  async findShadow() {
    this.say("Searching for the shadow...");
    try {
      const found = await askJson("shadow", { ...this.detector.source.query, threshold: this.threshold.value });
      const group = `Shadow below ${this.threshold.value}`;
      this.change((d) => {
        d.shapes = d.shapes.filter((shape) => shape.group !== group);
        d.shapes.push(...found.map(([panel, numbers]) => ({ kind: "rectangle", panel, numbers, group })));
      });
    } catch (error) {
      this.say(error.message, true);
    }
  }

  async save() {
    try {
      const answer = await (
        await ask("mask/save", { ...this.detector.source.query, name: this.name.value }, { body: this.sent })
      ).json();
      this.saved = answer.mask;
      this.say(`Saved: ${answer.mask} and its PHIL file.`);
    } catch (error) {
      this.say(error.message, true);
    }
    return this.saved;
  }

  async use() {
    if (this.isEmpty) {
      this.say("No mask yet.", true);
      return;
    }
    const path = this.saved ?? (await this.save());
    if (path) this.detector.startPage([`image_import.mask=${path}`]);
  }

  // Add a file: the shapes of PHIL, or a mask
  async load(file) {
    try {
      const { drawing } = await askJson("mask/load", { ...this.detector.source.query, file });
      if (drawing) {
        this.change((d) => {
          d.shapes.push(...drawing.shapes);
          d.resolution_ranges.push(...drawing.resolution_ranges);
          Object.assign(d, {
            border: Math.max(d.border, drawing.border),
            d_min: drawing.d_min ?? d.d_min,
            d_max: drawing.d_max ?? d.d_max,
          });
        });
      } else {
        this.change((d) => {
          if (!d.base.includes(file)) d.base.push(file);
        });
      }
    } catch (error) {
      this.say(error.message, true);
    }
  }
}

function polyline(context, points, isClosed) {
  points.forEach((p, k) => (k ? context.lineTo(...p) : context.moveTo(...p)));
  if (isClosed) context.closePath();
}
