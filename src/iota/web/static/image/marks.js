// What is drawn over the image: spots, predictions, rings, masks, indices. All have positions on panels, and are mapped
// to the canvas as pixels are.

export const COLOURS = {
  indexed: "#0b7fd6",
  unindexed: "#e0601b",
  preview: "#c2185b",
  ring: "#1f9e89",
  ice: "#5aa9e6",
  beam: "#d81b60",
  mask: "#d62728",
  bad: "#b8860b",
  lattices: ["#12a150", "#9b51e0", "#b8860b", "#008fa8", "#e64980"],
};

const HALO = "rgba(255,255,255,.75)";

export class Marks {
  constructor(view) {
    this.view = view;
    this.stamps = new Map();
    this.clear();
    this.shown = {
      indexed: true,
      unindexed: true,
      predictions: true,
      weak: true,
      indices: false,
      rings: true,
      ice: false,
      beam: true,
      bad: false,
      runMask: false,
      mask: true,
      strong: true,
      previewSpots: true,
    };
    this.ringsAt = [10, 5, 3, 2];
  }

  clear() {
    Object.assign(this, {
      spots: null,
      lattices: [],
      bad: [],
      runMask: null,
      drawnMask: null,
      masked: null,
      strong: null,
      previewSpots: null,
    });
    this.paths = new Map();
  }

  // Set the pixels of the drawn mask, as rectangles on each panel; null for no mask
  hide(panels) {
    this.drawnMask = panels;
    this.masked =
      panels?.map((rectangles, k) => {
        const [columns, rows] = this.view.geometry.panels[k].size;
        const masked = new Uint8Array(columns * rows);
        for (const [x0, x1, y0, y1] of rectangles) {
          for (let y = y0; y < y1; y++) masked.fill(1, y * columns + x0, y * columns + x1);
        }
        return masked;
      }) ?? null;
  }

  // Whether a pixel, by its index in the panel, is in the drawn mask while that is shown
  isMasked(panel, pixel) {
    return Boolean(this.shown.mask && this.masked?.[panel][pixel]);
  }

  isSpotMasked({ panel, x, y }, k) {
    const columns = this.view.geometry.panels[panel[k]].size[0];
    return this.isMasked(panel[k], Math.floor(y[k]) * columns + Math.floor(x[k]));
  }

  // Number of spots of a kind: n outside the drawn mask, nMasked in it
  count(spots, isMeant = () => true) {
    const meant = spots.panel.map((_, k) => k).filter(isMeant);
    const nMasked = meant.filter((k) => this.isSpotMasked(spots, k)).length;
    return { n: meant.length - nMasked, nMasked };
  }

  // Number of strong pixels outside the drawn mask
  countStrong() {
    return this.strong.reduce(
      (sum, pixels, panel) => sum + pixels.filter((pixel) => !this.isMasked(panel, pixel)).length,
      0,
    );
  }

  draw(context, width, height) {
    const { geometry } = this.view;
    const { shown } = this;
    if (!geometry) return;
    this.box = [width, height];
    this.named = [];
    this.drawAreas(context);
    if (shown.rings) this.ringsAt.forEach((d) => this.ring(context, geometry, d, COLOURS.ring));
    if (shown.ice) this.iceRings.forEach((d) => this.ring(context, geometry, d, COLOURS.ice));
    if (shown.predictions) this.lattices.forEach((lattice, k) => this.predictions(context, lattice, k));
    this.drawSpots(context);
    if (shown.bad) this.crosses(context, this.bad);
    if (shown.beam && geometry.layout.beam) this.beam(context, geometry.layout.beam);
  }

  drawAreas(context) {
    const { shown } = this;
    if (shown.runMask && this.runMask) this.fillRectangles(context, this.runMask, COLOURS.mask, 0.28, "run");
    if (shown.mask && this.drawnMask) this.fillRectangles(context, this.drawnMask, COLOURS.mask, 0.42, "drawn");
    if (shown.strong && this.strong) this.fillPixels(context);
  }

  // Those of the preview, or else those of the run
  drawSpots(context) {
    const { shown, spots } = this;
    if (shown.previewSpots && this.previewSpots) {
      this.circles(context, this.previewSpots, () => true, COLOURS.preview);
      return;
    }
    if (!spots) return;
    if (shown.unindexed) this.circles(context, spots, (k) => spots.lattice[k] < 0, COLOURS.unindexed);
    if (shown.indexed) this.circles(context, spots, (k) => spots.lattice[k] >= 0, COLOURS.indexed);
  }

  // Position of a mark on the canvas; null outside
  at(panel, fast, slow, margin = 20) {
    const [x, y] = this.view.toCanvas(...this.view.geometry.toPlane(panel, fast, slow));
    return x > -margin && y > -margin && x < this.box[0] + margin && y < this.box[1] + margin ? [x, y] : null;
  }

  stroke(context, colour, width = 1.5) {
    context.lineWidth = width + 1.4;
    context.strokeStyle = HALO;
    context.stroke();
    context.lineWidth = width;
    context.strokeStyle = colour;
    context.stroke();
  }

  // A mark that is drawn once and stamped many times, ten times as fast as one path of all: 1,600 in 3 ms, not 34
  stamp(name, half, paint) {
    const ratio = this.view.ratio;
    const key = `${name} ${ratio}`;
    let kept = this.stamps.get(key);
    if (kept?.half !== half) {
      const canvas = document.createElement("canvas");
      const size = 2 * Math.ceil(half + 3);
      canvas.width = canvas.height = size * ratio;
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, (size / 2) * ratio, (size / 2) * ratio);
      paint(context);
      kept = { half, canvas, size };
      this.stamps.set(key, kept);
    }
    return kept;
  }

  circles(context, spots, isMeant, colour) {
    const radius = Math.max(3.5, Math.min(3.2 * this.view.scale, 60));
    const { canvas, size } = this.stamp(`circle ${colour}`, radius, (made) => {
      made.beginPath();
      made.arc(0, 0, radius, 0, 2 * Math.PI);
      this.stroke(made, colour, radius < 5 ? 1.2 : 1.5);
    });
    for (let k = 0; k < spots.panel.length; k++) {
      const at = isMeant(k) && !this.isSpotMasked(spots, k) && this.at(spots.panel[k], spots.x[k], spots.y[k], radius);
      if (at) context.drawImage(canvas, at[0] - size / 2, at[1] - size / 2, size, size);
    }
  }

  // Squares: thin and pale below I/sigma 1, full from 3
  predictions(context, lattice, number) {
    const colour = COLOURS.lattices[number % COLOURS.lattices.length];
    const half = Math.max(2.2, Math.min(2.2 * this.view.scale, 44));
    const stamps = [
      [0.45, 1],
      [0.8, 1.1],
      [1, 1.7],
    ].map(([alpha, width], k) =>
      this.stamp(`square ${colour} ${k}`, half, (made) => {
        made.globalAlpha = alpha;
        made.lineWidth = width;
        made.strokeStyle = colour;
        made.strokeRect(-half, -half, 2 * half, 2 * half);
      }),
    );
    const places = [];
    for (let k = 0; k < lattice.panel.length; k++) {
      const strength = lattice.i_over_sigma[k];
      if (!this.shown.weak && !(strength >= 3)) continue;
      const at = this.at(lattice.panel[k], lattice.x[k], lattice.y[k], half);
      if (!at) continue;
      const { canvas, size } = stamps[strength >= 3 ? 2 : strength >= 1 ? 1 : 0];
      context.drawImage(canvas, at[0] - size / 2, at[1] - size / 2, size, size);
      places.push([at, k]);
    }
    if (this.shown.indices && this.view.scale >= 1 && places.length < 400) {
      context.font = "11px ui-monospace, monospace";
      context.textAlign = "center";
      for (const [[x, y], k] of places) {
        label(context, `${lattice.h[k]} ${lattice.k[k]} ${lattice.l[k]}`, x, y - half - 4, colour);
      }
    }
  }

  ring(context, geometry, d, colour) {
    const lines = geometry.ring(d).map((line) => line.map(([x, y]) => this.view.toCanvas(x, y)));
    if (!lines.length) return;
    context.beginPath();
    lines.forEach((line) => this.ringLine(context, line));
    context.globalAlpha = 0.9;
    context.lineWidth = 1.2;
    if (colour === COLOURS.ice) context.setLineDash([2, 4]);
    context.strokeStyle = colour;
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
    this.nameRing(context, lines, `${d} Å`, colour);
  }

  // The parts of a line that are near the canvas
  ringLine(context, line) {
    const [width, height] = this.box;
    const isNear = ([x, y]) => x > -60 && y > -60 && x < width + 60 && y < height + 60;
    let isPenThere = false; // at the last point
    for (let k = 1; k < line.length; k++) {
      if (isNear(line[k]) || isNear(line[k - 1])) {
        if (!isPenThere) context.moveTo(...line[k - 1]);
        context.lineTo(...line[k]);
        isPenThere = true;
      } else {
        isPenThere = false;
      }
    }
  }

  // At its highest visible point; of rings that are close only the first is named
  nameRing(context, lines, name, colour) {
    const [width, height] = this.box;
    let top = null;
    for (const at of lines.flat()) {
      const isInside = at[0] > 24 && at[0] < width - 24 && at[1] > 12 && at[1] < height - 12;
      if (isInside && (!top || at[1] < top[1])) top = at;
    }
    if (!top || this.named.some(([x, y]) => Math.abs(x - top[0]) < 60 && Math.abs(y - top[1]) < 14)) return;
    this.named.push(top);
    context.font = "600 11.5px system-ui, sans-serif";
    context.textAlign = "center";
    label(context, name, top[0], top[1] + 4, colour);
  }

  beam(context, [x, y]) {
    const at = this.view.toCanvas(x, y);
    context.beginPath();
    context.moveTo(at[0] - 11, at[1]);
    context.lineTo(at[0] + 11, at[1]);
    context.moveTo(at[0], at[1] - 11);
    context.lineTo(at[0], at[1] + 11);
    this.stroke(context, COLOURS.beam, 2);
  }

  crosses(context, places) {
    const half = Math.max(4, 0.7 * this.view.scale);
    context.beginPath();
    for (const [panel, fast, slow] of places) {
      const at = this.at(panel, fast, slow);
      if (!at) continue;
      context.moveTo(at[0] - half, at[1] - half);
      context.lineTo(at[0] + half, at[1] + half);
      context.moveTo(at[0] - half, at[1] + half);
      context.lineTo(at[0] + half, at[1] - half);
    }
    this.stroke(context, COLOURS.bad);
  }

  // Rectangles, [[x0, x1, y0, y1], ...] for each panel
  fillRectangles(context, panels, colour, alpha, name) {
    let kept = this.paths.get(name);
    if (kept?.of !== panels) {
      const paths = panels.map((rectangles) => {
        const path = new Path2D();
        for (const [x0, x1, y0, y1] of rectangles) path.rect(x0, y0, x1 - x0, y1 - y0);
        return path;
      });
      kept = { of: panels, paths };
      this.paths.set(name, kept);
    }
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    this.onPanels(context, (_panel, k) => context.fill(kept.paths[k]));
    context.globalAlpha = 1;
  }

  fillPixels(context) {
    const side = Math.max(1, 1.6 / this.view.scale); // strong pixels are visible on the whole detector, too
    context.fillStyle = COLOURS.preview;
    context.globalAlpha = 0.75;
    this.onPanels(context, (panel, k) => {
      const columns = panel.size[0];
      const seen = this.view.seen(panel);
      if (!seen || !this.strong[k]) return;
      const [x0, x1, y0, y1] = seen;
      context.beginPath();
      for (const pixel of this.strong[k]) {
        if (this.isMasked(k, pixel)) continue;
        const x = pixel % columns;
        const y = (pixel - x) / columns;
        if (x >= x0 - 1 && x <= x1 && y >= y0 - 1 && y <= y1) {
          context.rect(x + 0.5 - side / 2, y + 0.5 - side / 2, side, side);
        }
      }
      context.fill();
    });
    context.globalAlpha = 1;
  }

  onPanels(context, draw) {
    const before = context.getTransform();
    this.view.geometry.panels.forEach((panel, k) => {
      this.view.toPanelPixels(context, panel, ...this.box, before.a);
      draw(panel, k);
    });
    context.setTransform(before);
  }

  // The reflection nearest to a position on the canvas, within some pixels
  reflectionAt(cx, cy, within = 12) {
    let found = null;
    let nearest = within;
    if (!this.shown.predictions) return null;
    this.lattices.forEach((lattice, number) => {
      for (let k = 0; k < lattice.panel.length; k++) {
        const [x, y] = this.view.toCanvas(...this.view.geometry.toPlane(lattice.panel[k], lattice.x[k], lattice.y[k]));
        const distance = Math.hypot(x - cx, y - cy);
        if (distance < nearest) {
          nearest = distance;
          found = { lattice, number, k };
        }
      }
    });
    return found;
  }
}

export function label(context, text, x, y, colour) {
  context.lineWidth = 3;
  context.strokeStyle = "rgba(255,255,255,.9)";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
