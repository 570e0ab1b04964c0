// What is under the cursor: a line below the image, and 17 x 17 pixels beside it.

import { askJson } from "./source.js";
import { make } from "./dom.js";
import { colour } from "./palette.js";

const HALF = 8;
const N = 2 * HALF + 1;
const CELL = 18;

export class Readout {
  constructor(detector) {
    this.detector = detector;
    this.line = make("div", { class: "di-readout iota-mono", role: "status", "aria-label": "Under the cursor" });
    this.canvas = make("canvas", { class: "di-pixels", "aria-label": "Pixels around the cursor" });
    this.said = make(
      "div",
      { class: "di-note iota-mono" },
      "Move the cursor over the image; click to freeze these pixels.",
    );
    this.element = make("div", { class: "di-tab" }, this.canvas, this.said);
    this.canvas.width = this.canvas.height = N * CELL * 2;
    this.table = null;
    this.isKept = false;
  }

  clear() {
    this.at = null;
    this.table = null;
    this.isKept = false;
    this.line.textContent = "";
    this.paint();
  }

  move(canvasAt) {
    const { geometry, view, source, marks } = this.detector;
    if (!geometry) return;
    const [x, y] = view.toPlane(...canvasAt);
    const at = geometry.toPanel(x, y);
    const lab = geometry.lab(x, y);
    const d = geometry.resolution(lab);
    const words = [];
    if (at) {
      const count = source.count(at.panel, at.fast, at.slow) ?? this.fromTable(at);
      const pixel = `${Math.floor(at.fast)}, ${Math.floor(at.slow)}`;
      words.push(`pixel ${pixel}`, count === null ? "masked" : count === undefined ? "counts ..." : `${count} counts`);
      if (geometry.panels.length > 1) {
        words.push(`panel ${at.panel} ${geometry.panels[at.panel].name.split("/").pop()}`);
      }
      this.look(at);
    } else {
      words.push("not on a panel");
    }
    words.push(`${d > 999 ? "∞" : d.toFixed(d < 10 ? 3 : 1)} Å`, `x ${lab[0].toFixed(2)}  y ${lab[1].toFixed(2)} mm`);
    const reflection = marks.reflectionAt(...canvasAt);
    if (reflection) {
      const { lattice, number, k } = reflection;
      words.push(
        `hkl ${lattice.h[k]} ${lattice.k[k]} ${lattice.l[k]}  I/σ ${lattice.i_over_sigma[k].toFixed(1)}${marks.lattices.length > 1 ? `  lattice ${number + 1}` : ""}`,
      );
    }
    this.line.textContent = words.join("   ");
    this.reflection = reflection;
  }

  fromTable({ panel, fast, slow }) {
    const { table, at } = this;
    if (!table || at.panel !== panel) return undefined;
    return table.counts[Math.floor(slow) - at.slow + HALF]?.[Math.floor(fast) - at.fast + HALF];
  }

  // Pixels around a position: from tiles that are here, otherwise from the server once the cursor rests
  look({ panel, fast, slow }) {
    if (this.isKept || !this.element.isConnected || !this.element.offsetParent) {
      this.lookSoon(panel, fast, slow);
      return;
    }
    this.showAt(panel, Math.floor(fast), Math.floor(slow));
  }

  // While the table is hidden, only the count under the cursor is needed
  lookSoon(panel, fast, slow) {
    if (this.isKept || this.detector.source.count(panel, fast, slow) !== undefined) return;
    this.askAt(panel, Math.floor(fast), Math.floor(slow));
  }

  showAt(panel, fast, slow) {
    const { source, geometry } = this.detector;
    const size = geometry.panels[panel].size;
    const counts = [];
    for (let y = slow - HALF; y <= slow + HALF; y++) {
      const row = [];
      for (let x = fast - HALF; x <= fast + HALF; x++) {
        const outside = x < 0 || y < 0 || x >= size[0] || y >= size[1];
        const count = outside ? null : source.count(panel, x, y);
        if (count === undefined) {
          this.askAt(panel, fast, slow);
          return;
        }
        row.push(count);
      }
      counts.push(row);
    }
    this.set({ counts, d_A: null }, panel, fast, slow);
  }

  askAt(panel, fast, slow) {
    clearTimeout(this.timer);
    const { source } = this.detector;
    this.timer = setTimeout(async () => {
      try {
        const answer = await askJson("region", { ...source.query, panel, fast, slow });
        if (source === this.detector.source) {
          this.set(answer, panel, fast, slow);
          this.detector.interaction.hoverAgain();
        }
      } catch {
        /* the page says what is wrong with the image */
      }
    }, 60);
  }

  set(table, panel, fast, slow) {
    this.table = table;
    this.at = { panel, fast, slow };
    this.paint();
  }

  keep() {
    this.isKept = !this.isKept && Boolean(this.table);
    this.paint();
  }

  paint() {
    const context = this.canvas.getContext("2d");
    const dark = document.body.classList.contains("body--dark");
    context.setTransform(2, 0, 0, 2, 0, 0);
    context.fillStyle = dark ? "#1b2229" : "#fff";
    context.fillRect(0, 0, N * CELL, N * CELL);
    if (!this.table) return;
    const { palette, low, high } = this.detector.view.shades;
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.table.counts.forEach((row, y) =>
      row.forEach((count, x) => {
        if (count === null) {
          context.fillStyle = dark ? "#35404b" : "#d5dbe1";
          context.fillRect(x * CELL, y * CELL, CELL - 0.5, CELL - 0.5);
          return;
        }
        const share = Math.min(Math.max((count - low) / Math.max(high - low, 1e-6), 0), 1);
        const [r, g, b] = colour(palette, share);
        context.fillStyle = `rgb(${r},${g},${b})`;
        context.fillRect(x * CELL, y * CELL, CELL - 0.5, CELL - 0.5);
        context.fillStyle = 0.3 * r + 0.6 * g + 0.1 * b > 128 ? "#14202a" : "#f4f6f8";
        const text = short(count);
        context.font = `${text.length > 3 ? 7 : text.length > 2 ? 8.5 : 10}px ui-monospace, "DejaVu Sans Mono", monospace`;
        context.fillText(text, (x + 0.5) * CELL, (y + 0.55) * CELL);
      }),
    );
    context.strokeStyle = "#d81b60";
    context.lineWidth = 1.5;
    context.strokeRect(HALF * CELL - 0.5, HALF * CELL - 0.5, CELL, CELL);
    const d = this.table.d_A ? `, ${this.table.d_A} Å` : "";
    this.said.textContent = `Around pixel ${this.at.fast}, ${this.at.slow} of panel ${this.at.panel}${d}${this.isKept ? " (frozen; click again to follow the cursor)" : ""}`;
  }
}

const short = (count) =>
  Number.isInteger(count) ? (count > 99999 ? `${Math.round(count / 1000)}k` : String(count)) : count.toPrecision(2);
