// The controls beside the image: what is drawn over it, and the preview of spot finding.

import { COLOURS } from "./marks.js";
import { button, make, section, slider, toggle } from "./dom.js";

export class OverlayControls {
  constructor(detector) {
    const { marks, view } = detector;
    this.marks = marks;
    const redraw = () => view.request(false);
    const flag = (name, text, words) => {
      const made = toggle(
        text,
        marks.shown[name],
        (on) => {
          marks.shown[name] = on;
          redraw();
          this.onflag?.(name, on);
        },
        words,
      );
      this[name] = made;
      return made.element;
    };
    this.ringsAt = make("input", {
      type: "text",
      class: "di-text",
      value: marks.ringsAt.join(" "),
      "aria-label": "Resolution rings (Å)",
      onchange: () => {
        marks.ringsAt = this.ringsAt.value
          .split(/[\s,;]+/)
          .map(Number)
          .filter((d) => d > 0)
          .slice(0, 20);
        redraw();
      },
    });
    this.about = make("div", { class: "di-about" });
    this.cells = make("div", { class: "di-note" });
    this.element = make(
      "div",
      { class: "di-tab" },
      this.about,
      section(
        "Spots",
        flag("indexed", "Indexed", { colour: COLOURS.indexed }),
        flag("unindexed", "Not indexed", { colour: COLOURS.unindexed }),
      ),
      section(
        "Predictions",
        flag("predictions", "Integrated reflections", { colour: COLOURS.lattices[0] }),
        flag("weak", "Weak (I/σ < 3)", {}),
        flag("indices", "Miller indices", {}),
        this.cells,
      ),
      section(
        "Resolution",
        flag("rings", "Rings (Å)", { colour: COLOURS.ring }),
        this.ringsAt,
        flag("ice", "Ice rings", { colour: COLOURS.ice }),
      ),
      section(
        "Detector",
        flag("beam", "Beam centre", { colour: COLOURS.beam }),
        flag("bad", "Bad pixels", { colour: COLOURS.bad }),
        flag("runMask", "Run mask", { colour: COLOURS.mask }),
        flag("mask", "Drawn mask", { colour: COLOURS.mask }),
      ),
    );
  }

  // What is known of the image
  describe(head) {
    const { record, layout } = head;
    const words = record
      ? [
          record.words,
          record.n_spots !== null && record.n_spots !== undefined ? `${record.n_spots} spots found in the run` : null,
        ]
      : [];
    const n = layout.panels.length;
    words.push(`${(head.n_pixels / 1e6).toFixed(1)} Mpixel${n > 1 ? `, ${n} panels` : ""}`);
    const beam = layout.beam
      ? `beam centre ${layout.beam.map((v) => v.toFixed(1)).join(", ")}`
      : "beam centre outside the detector";
    const geometry = `${layout.distance_mm.toFixed(1)} mm, ${layout.wavelength_A.toFixed(4)} Å, ${beam}`;
    this.about.replaceChildren(
      make("div", {}, words.filter(Boolean).join(" · ")),
      make("div", { class: "di-note" }, geometry),
      ...(record?.reason ? [make("div", { class: "di-note" }, record.reason)] : []),
    );
  }

  counts() {
    const { marks } = this;
    const { spots, lattices } = marks;
    const said = (isMeant) => {
      const { n, nMasked } = marks.count(spots, isMeant);
      return nMasked ? `${n}, ${nMasked} masked` : String(n);
    };
    this.indexed.say(spots ? said((k) => spots.lattice[k] >= 0) : "");
    this.unindexed.say(spots ? said((k) => spots.lattice[k] < 0) : "");
    this.predictions.say(lattices.length ? String(lattices.reduce((sum, one) => sum + one.panel.length, 0)) : "none");
    this.cells.replaceChildren(
      ...lattices.map((one, k) =>
        make(
          "div",
          {},
          make("span", { class: "di-key", style: `background:${COLOURS.lattices[k % COLOURS.lattices.length]}` }),
          ` ${one.space_group}  ${one.unit_cell
            .slice(0, 3)
            .map((v) => v.toFixed(1))
            .join(" ")}  ${one.unit_cell
            .slice(3)
            .map((v) => v.toFixed(0))
            .join(" ")}`,
        ),
      ),
    );
  }
}

const SETTINGS = [
  ["sigma_background", "Sigma background", { min: 0, max: 15, step: 0.1, value: 6 }],
  ["sigma_strong", "Sigma strong", { min: 0, max: 15, step: 0.1, value: 3 }],
  ["global_threshold", "Minimum counts", { min: 0, max: 200, step: 1, value: 0 }],
  ["kernel_size", "Kernel size", { min: 1, max: 10, step: 1, value: 3 }],
  ["min_spot_size", "Minimum pixels", { min: 1, max: 30, step: 1, value: 3 }],
  ["d_min", "Minimum d (Å)", { min: 0, max: 10, step: 0.1, value: 0 }],
];
const NAMES = {
  sigma_background: "spotfinder.threshold.dispersion.sigma_background",
  sigma_strong: "spotfinder.threshold.dispersion.sigma_strong",
  global_threshold: "spotfinder.threshold.dispersion.global_threshold",
  kernel_size: "spotfinder.threshold.dispersion.kernel_size",
  min_spot_size: "spotfinder.filter.min_spot_size",
  d_min: "spotfinder.filter.d_min",
};

export class PreviewControls {
  constructor(detector) {
    this.detector = detector;
    this.changed = {};
    this.sliders = {};
    this.on = toggle("Preview spot finding", false, (on) => (on ? this.refresh() : this.stop()));
    const rows = SETTINGS.map(([name, text, words]) => {
      const made = (this.sliders[name] = slider(text, words, (value) => this.set(name, value)));
      return made.element;
    });
    const { marks, view } = detector;
    const flag = (name, text) =>
      toggle(
        text,
        true,
        (on) => {
          marks.shown[name] = on;
          view.request(false);
        },
        { colour: COLOURS.preview },
      ).element;
    this.said = make("div", { class: "di-said", role: "status" });
    this.element = make(
      "div",
      { class: "di-tab" },
      section(null, this.on.element, flag("strong", "Strong pixels"), flag("previewSpots", "Spots found")),
      section("Settings", ...rows),
      section(
        null,
        this.said,
        make(
          "div",
          { class: "di-row" },
          button("Use for the next run", () => this.use(), { class: "di-button di-main" }),
          button("Reset", () => this.reset()),
        ),
      ),
      make(
        "p",
        { class: "di-note" },
        "Sliders start at IOTA's defaults. Settings that are not changed keep the values used in the run.",
      ),
    );
  }

  get settings() {
    return this.changed;
  }

  set(name, value) {
    if (name === "d_min" && !value) delete this.changed.d_min;
    else this.changed[name] = value;
    if (!this.on.box.checked) this.on.box.checked = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), 80);
  }

  reset() {
    this.changed = {};
    SETTINGS.forEach(([name, , { value }]) => this.sliders[name].set(value));
    if (this.on.box.checked) this.refresh();
  }

  stop() {
    this.asked?.abort();
    Object.assign(this.detector.marks, { strong: null, previewSpots: null });
    this.said.textContent = "";
    this.detector.view.request(false);
  }

  // Find strong pixels first, then the spots they make up
  async refresh() {
    if (!this.on.box.checked) return;
    const { source, marks, view } = this.detector;
    this.asked?.abort();
    const { signal } = (this.asked = new AbortController());
    try {
      marks.strong = await source.strong(this.changed, signal);
      view.request(false);
      marks.previewSpots = await this.detector.spots({ ...this.changed, again: 1 }, signal);
      this.counts();
    } catch (error) {
      if (error.name === "AbortError") return;
      Object.assign(marks, { strong: null, previewSpots: null });
      this.said.textContent = error.message;
      this.said.classList.add("iota-bad");
    }
    view.request(false);
  }

  counts() {
    const { marks } = this.detector;
    if (!marks.previewSpots) return;
    const { n, nMasked } = marks.count(marks.previewSpots);
    const masked = nMasked ? `; ${nMasked.toLocaleString("en")} more under the drawn mask` : "";
    this.said.textContent = `${n.toLocaleString("en")} spots from ${marks.countStrong().toLocaleString("en")} strong pixels${masked}`;
    this.said.classList.remove("iota-bad");
  }

  use() {
    const words = Object.entries(this.changed).map(
      ([name, value]) => `${NAMES[name]}=${name === "kernel_size" ? `${value},${value}` : value}`,
    );
    if (words.length) this.detector.startPage(words);
    else this.said.textContent = "No changes yet.";
  }
}
