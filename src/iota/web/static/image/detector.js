// The image page: the image with its toolbar, what is drawn over it, and the filmstrip.

import { OverlayControls, PreviewControls } from "./controls.js";
import { icon, make, slider } from "./dom.js";
import { Filmstrip } from "./filmstrip.js";
import { Geometry, ICE_RINGS_A } from "./geometry.js";
import { Interaction } from "./interaction.js";
import { Marks } from "./marks.js";
import { MaskTool } from "./mask_tool.js";
import { PALETTES, colour } from "./palette.js";
import { Readout } from "./readout.js";
import { savePicture } from "./saving.js";
import { ImageSource, ask } from "./source.js";
import { DetectorView, NUMBERS_FROM } from "./view.js";

const KEPT_IMAGES = 4; // the one shown, its neighbours, and the previous one

export class Detector {
  constructor(root, { place, query, emit }) {
    this.root = root;
    this.query = query ?? {};
    this.emit = emit;
    this.images = new Map(); // by place: ImageSource
    root.classList.add("di");
    this.canvas = make("canvas", { class: "di-canvas", tabindex: "0", "aria-label": "Detector image" });
    this.over = make("canvas", { class: "di-over", "aria-hidden": "true" });
    this.view = new DetectorView(this.canvas, this.over);
    this.marks = new Marks(this.view);
    this.marks.iceRings = ICE_RINGS_A;
    this.readout = new Readout(this);
    this.mask = new MaskTool(this);
    this.overlays = new OverlayControls(this);
    this.preview = new PreviewControls(this);
    this.film = new Filmstrip((k) => this.step(k - this.film.at));
    this.build();
    this.interaction = new Interaction(this);
    this.overlays.onflag = (name, on) => this.flagged(name, on);
    this.view.drawOver = (context, width, height) => {
      this.marks.draw(context, width, height);
      this.mask.draw(context);
      if (this.view.scale >= NUMBERS_FROM) this.numbers(context);
      this.scaleBar(context, height);
    };
    this.view.onReady = () => this.ready();
    this.theme();
    new MutationObserver(() => this.theme()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.begin(place);
  }

  // -- elements

  build() {
    this.title = make("span", { class: "di-title" });
    this.count = make("span", { class: "di-note iota-number" });
    this.palette = make(
      "select",
      { "aria-label": "Palette", onchange: () => this.shade({ palette: this.palette.value }) },
      ...Object.entries(PALETTES).map(([value, text]) => make("option", { value }, text)),
    );
    this.high = slider("Display maximum", { min: 1, max: 10000, step: 1, value: 10, log: true }, (high) =>
      this.shade({ high }),
    );
    this.low = slider("Display minimum", { min: 0, max: 100, step: 1, value: 0 }, (low) => this.shade({ low }));
    this.message = make("div", { class: "di-message", role: "alert", hidden: true });
    this.tip = make("div", { class: "di-tip", hidden: true });
    const tabs = {
      Overlays: this.overlays.element,
      "Spot finding": this.preview.element,
      Mask: this.mask.element,
      Pixels: this.readout.element,
    };
    this.tabButtons = Object.keys(tabs).map((name) =>
      make("button", { type: "button", role: "tab", class: "di-tab-button", onclick: () => this.tab(name) }, name),
    );
    this.tabs = tabs;
    this.root.replaceChildren(
      make(
        "div",
        { class: "di-bar" },
        icon("chevron_left", "Previous image (←)", () => this.step(-1)),
        icon("chevron_right", "Next image (→)", () => this.step(1)),
        this.title,
        this.count,
        make("span", { class: "di-space" }),
        this.low.element,
        this.high.element,
        this.palette,
        icon("contrast", "Adjust contrast to this image", () => this.autoContrast()),
        icon("fit_screen", "Show the whole detector (0)", () => this.view.fit()),
        icon("center_focus_strong", "Go to the beam centre (B)", () => this.toBeam()),
        icon("image", "Save the view as PNG", () => this.save()),
        icon("open_in_new", "Open in dials.image_viewer", () => this.openViewer()),
      ),
      make(
        "div",
        { class: "di-middle" },
        make("div", { class: "di-stage" }, this.canvas, this.over, this.message, this.tip),
        make(
          "aside",
          { class: "di-side" },
          make("div", { class: "di-tabs", role: "tablist" }, ...this.tabButtons),
          ...Object.values(tabs),
        ),
      ),
      this.readout.line,
      this.film.element,
    );
    this.tab("Overlays");
  }

  tab(name) {
    Object.entries(this.tabs).forEach(([key, element]) => {
      element.hidden = key !== name;
    });
    this.tabButtons.forEach((element) => element.setAttribute("aria-selected", String(element.textContent === name)));
    if (name !== "Mask") this.mask.choose(null);
  }

  theme() {
    const dark = document.body.classList.contains("body--dark");
    this.view.background = dark ? "#0b0f13" : "#e6ebf0";
    this.readout.paint();
    this.view.request();
  }

  // -- images

  async begin(place) {
    if (place.run || place.path) await this.show(place);
    else this.setState("loading");
    try {
      const set = await this.film.load(place, this.query);
      this.film.show(this.film.at);
      this.tellPlace();
      if (set.n && !set.run && !place.path) await this.show(this.film.place(0));
      else if (!set.n) this.wrong(set.remarks[0] ?? "No image found.");
      if (set.remarks?.length && this.state !== "error") this.emit("remark", set.remarks.join(" "));
      if (this.state === "ready") this.rest();
    } catch (error) {
      if (this.state !== "error") this.wrong(error.message);
    }
  }

  step(by) {
    const k = this.film.at + by;
    if (k < 0 || k >= this.film.set.n) return;
    this.film.show(k);
    this.tellPlace();
    this.show(this.film.place(k));
  }

  tellPlace() {
    const { n } = this.film.set;
    this.count.textContent = n > 1 ? `${(this.film.at + 1).toLocaleString("en")} of ${n.toLocaleString("en")}` : "";
  }

  image(place) {
    const key = JSON.stringify(place);
    let source = this.images.get(key);
    if (!source) source = new ImageSource(place);
    this.images.delete(key);
    this.images.set(key, source);
    for (const [old, other] of this.images) {
      if (this.images.size <= KEPT_IMAGES) break;
      if (other === this.source || other === source) continue;
      other.close();
      this.images.delete(old);
    }
    return source;
  }

  async show(place) {
    const begun = performance.now();
    this.begun = begun;
    this.setState("loading");
    const source = this.image(place);
    this.wanted = source;
    this.tip.hidden = true;
    let head;
    try {
      head = await source.open();
    } catch (error) {
      if (this.wanted === source && error.name !== "AbortError") {
        this.images.delete(JSON.stringify(place));
        this.title.textContent = place.path ? place.path.split("/").pop() : `frame ${Number(place.row) + 1}`;
        this.view.blank();
        this.readout.clear();
        this.wrong(error.message);
      }
      return;
    }
    if (this.wanted !== source) return;
    const isFirst = !this.source;
    this.source = source;
    this.geometry = new Geometry(head.layout);
    source.onError = (error) => this.wrong(error.message);
    this.message.hidden = true;
    this.title.textContent = head.title;
    this.title.title = head.path;
    document.title = `${head.title} - IOTA`;
    const words = new URLSearchParams({
      ...Object.fromEntries(
        Object.entries({ ...place, ...this.query }).filter(([, v]) => v !== null && v !== undefined && v !== ""),
      ),
    });
    history.replaceState(history.state, "", `?${words}`);
    this.marks.clear();
    this.readout.clear();
    this.overlays.describe(head);
    if (isFirst) this.autoContrast(head);
    this.view.show(source, this.geometry);
    this.mask.list();
  }

  setState(state) {
    this.state = state;
    this.root.dataset.state = state;
  }

  wrong(sentence) {
    this.setState("error");
    this.message.textContent = sentence;
    this.message.hidden = false;
    this.root.dataset.milliseconds = "";
  }

  // The image is complete
  ready() {
    if (this.state !== "loading") return;
    this.setState("ready");
    this.root.dataset.milliseconds = String(Math.round(performance.now() - this.begun));
    this.rest();
  }

  // What can wait until the image is shown
  async rest() {
    const source = this.source;
    const isCurrent = () => source === this.source && this.state === "ready";
    this.root.dataset.marks = "";
    await this.loadMarks(source);
    if (!isCurrent()) return;
    if (this.preview.on.box.checked) await this.preview.refresh();
    this.mask.refresh();
    await this.prefetch(isCurrent);
    if (isCurrent()) await this.film.fill(isCurrent);
  }

  async loadMarks(source) {
    const { marks } = this;
    try {
      if (source.head.record) {
        const lattices = await source.once("marks");
        if (source !== this.source) return;
        marks.lattices = lattices;
        this.overlays.counts();
        this.view.request(false);
        const spots = await source.once("spots");
        if (source !== this.source) return;
        marks.spots = spots;
        this.overlays.counts();
      } else {
        this.overlays.counts();
      }
      for (const name of ["bad", "runMask"]) if (marks.shown[name]) await this.flagged(name, true);
    } catch (error) {
      if (error.name !== "AbortError") this.emit("remark", error.message);
    }
    this.root.dataset.marks = "ready";
    this.view.request(false);
  }

  // Update the counts of spots
  counts() {
    this.overlays.counts();
    this.preview.counts();
    this.view.request(false);
  }

  async flagged(name, on) {
    const { source, marks } = this;
    if (name === "mask") this.counts();
    if (!on || !source?.head) return;
    try {
      if (name === "bad" && !marks.bad.length) marks.bad = await source.once("bad-pixels");
      if (name === "runMask") {
        if (source.head.run_mask) {
          marks.runMask = (await source.once("mask/load", { file: source.head.run_mask })).rectangles;
        } else {
          this.overlays.runMask.say("none");
        }
      }
    } catch (error) {
      this.emit("remark", error.message);
    }
    this.view.request(false);
  }

  // Spots found with these settings
  async spots(settings, signal) {
    return (await ask("spots", { ...this.source.query, ...settings }, { signal })).json();
  }

  // Fetch the tiles with which the neighbours would first be shown
  async prefetch(isCurrent) {
    for (const by of [1, -1]) {
      const k = this.film.at + by;
      if (k < 0 || k >= this.film.set.n || !isCurrent()) continue;
      const source = this.image(this.film.place(k));
      try {
        await source.open();
        source.want(
          [...this.view.base, ...this.view.detail]
            .flatMap((picture) => picture.keys)
            .filter((key) => !source.tiles.has(key)),
        );
        while (source.waiting.size && isCurrent()) {
          await new Promise((resolve) => {
            setTimeout(resolve, 30);
          });
        }
      } catch {
        this.images.delete(JSON.stringify(this.film.place(k)));
      }
    }
    this.root.dataset.prefetched = String(this.film.at);
  }

  // -- contrast

  shade(changes) {
    this.view.shade(changes);
    this.readout.paint();
  }

  autoContrast(head = this.source?.head) {
    if (!head) return;
    const { low, high } = head.contrast;
    this.high.range(Math.max(high / 100, 0.01), Math.max(high * 100, 1000));
    this.low.range(Math.min(low, 0), Math.max(high, 10));
    this.high.set(high);
    this.low.set(low);
    if (this.source) this.shade({ low, high });
    else Object.assign(this.view.shades, { low, high });
  }

  toBeam() {
    const beam = this.geometry?.layout.beam;
    if (beam) this.view.goTo(...beam, Math.max(this.view.scale, 2));
  }

  // -- drawn over the image

  numbers(context) {
    const { scale } = this.view;
    context.font = `${Math.min(scale / 3.2, 15)}px ui-monospace, monospace`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const { low, high } = this.view.shades;
    this.geometry.panels.forEach((panel, k) => {
      const seen = this.view.seen(panel);
      if (!seen) return;
      for (let y = Math.floor(seen[2]); y < seen[3]; y++) {
        for (let x = Math.floor(seen[0]); x < seen[1]; x++) {
          const count = this.source.count(k, x, y);
          if (count === null || count === undefined) continue;
          const [r, g, b] = colour(this.view.shades.palette, (count - low) / (high - low));
          context.fillStyle = 0.3 * r + 0.6 * g + 0.1 * b > 128 ? "#14202a" : "#f4f6f8";
          context.fillText(String(count), ...this.view.toCanvas(...panel.toPlane(x + 0.5, y + 0.5)));
        }
      }
    });
    context.textBaseline = "alphabetic";
  }

  scaleBar(context, height) {
    const { pixel_mm: mm } = this.geometry.layout;
    const target = (120 / this.view.scale) * mm;
    const power = 10 ** Math.floor(Math.log10(target));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= target) ?? power;
    const px = (length / mm) * this.view.scale;
    context.fillStyle = "rgba(255,255,255,.82)";
    context.fillRect(10, height - 36, px + 20, 27);
    context.fillStyle = "#14202a";
    context.fillRect(20, height - 17, px, 3);
    context.font = "11.5px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillText(`${Number(length.toPrecision(2))} mm`, 20 + px / 2, height - 21);
  }

  // -- saving and leaving

  async save() {
    if (this.geometry) await savePicture(this.view, this.source.head);
  }

  // Open the start page with these parameters and images
  startPage(assignments) {
    const words = new URLSearchParams();
    if (this.source.place.run) words.append("recover", this.source.place.run);
    else words.append("input", this.query.sources || this.source.place.path);
    assignments.forEach((one) => words.append("set", one));
    window.location.href = `${window.path_prefix || ""}/?${words}`;
  }

  async openViewer() {
    if (!this.source) return;
    try {
      this.emit("remark", (await (await ask("viewer", this.source.query, { body: {} })).json()).message);
    } catch (error) {
      this.emit("remark", error.message);
    }
  }
}
