// Where pixels are: on panels, on the plane that is drawn, in the laboratory; and at which resolution.
//
// Positions count in pixels from the corner of the first one: pixel 0 spans 0 to 1. The plane is that of the server's
// layout; all maps are linear. Without parallax in the sensor, which is a fraction of a pixel.

const RING_STEPS = 720;

export const ICE_RINGS_A = [3.895, 3.669, 3.438, 2.668, 2.249, 2.068, 1.947, 1.916, 1.882, 1.719];

const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const unit = (a) => { const n = Math.hypot(...a); return a.map((x) => x / n); };

export class Geometry {
  constructor(layout) {
    this.layout = layout;
    this.width = layout.width;
    this.height = layout.height;
    this.panels = layout.panels.map((place) => new Panel(place));
    this.rings = new Map();
  }

  toPlane(panel, fast, slow) { return this.panels[panel].toPlane(fast, slow); }

  // {panel, fast, slow} under a position of the plane, null where there is no panel
  toPanel(x, y) {
    for (let k = 0; k < this.panels.length; k++) {
      const [fast, slow] = this.panels[k].fromPlane(x, y);
      const [nFast, nSlow] = this.panels[k].size;
      if (fast >= 0 && slow >= 0 && fast < nFast && slow < nSlow) return { panel: k, fast, slow };
    }
    return null;
  }

  // Laboratory position (mm) of a position of the plane: that of the panel there, or of the plane itself
  lab(x, y) {
    const at = this.toPanel(x, y);
    if (at) return this.panels[at.panel].lab(at.fast, at.slow);
    const { plane_origin: o, plane_x: px, plane_y: py } = this.layout;
    return [0, 1, 2].map((k) => o[k] + x * px[k] + y * py[k]);
  }

  // Resolution (A) at a laboratory position; infinite in the direct beam
  resolution(lab) {
    const cosine = dot(lab, this.layout.s0) / Math.hypot(...lab);
    return this.layout.wavelength_A / (2 * Math.sqrt(Math.max(0, (1 - cosine) / 2)));
  }

  // Lines [[x, y], ...] on the plane where the resolution is d (A); none where no pixel has it
  ring(d) {
    if (!this.rings.has(d)) this.rings.set(d, this.makeRing(d));
    return this.rings.get(d);
  }

  makeRing(d) {
    const sine = this.layout.wavelength_A / (2 * d);
    if (!(sine > 0 && sine < 1)) return [];
    const twoTheta = 2 * Math.asin(sine);
    const s0 = this.layout.s0;
    const u = unit(cross(s0, Math.abs(s0[0]) < 0.9 ? [1, 0, 0] : [0, 1, 0]));
    const v = cross(s0, u);
    const lines = [];
    let line = [], last = null;
    const far = Math.max(this.width, this.height) / 20;
    for (let k = 0; k <= RING_STEPS; k++) {
      const phi = (2 * Math.PI * k) / RING_STEPS;
      const direction = [0, 1, 2].map(
        (i) => Math.cos(twoTheta) * s0[i] + Math.sin(twoTheta) * (Math.cos(phi) * u[i] + Math.sin(phi) * v[i]));
      const at = this.meet(direction);
      if (at && last && Math.hypot(at[0] - last[0], at[1] - last[1]) > far) { lines.push(line); line = []; }
      if (at) line.push(at);
      else if (line.length) { lines.push(line); line = []; }
      last = at;
    }
    if (line.length) lines.push(line);
    return lines.filter((one) => one.length > 1);
  }

  // Where a ray from the sample meets a panel, or between panels the plane; null outside
  meet(direction) {
    for (const panel of this.panels) {
      const at = panel.meet(direction);
      if (at) return panel.toPlane(...at);
    }
    const { plane_origin: o, plane_x: px, plane_y: py } = this.layout;
    const at = meetPlane(o, px, py, direction);
    return at && at[0] >= 0 && at[1] >= 0 && at[0] <= this.width && at[1] <= this.height ? at : null;
  }

  // Finest resolution (A) of the corners of panels
  get finest() {
    const corners = this.panels.flatMap((p) => [[0, 0], [p.size[0], 0], [0, p.size[1]], p.size].map((c) => p.lab(...c)));
    return Math.min(...corners.map((lab) => this.resolution(lab)));
  }
}

class Panel {
  constructor(place) {
    Object.assign(this, { name: place.name, size: place.size, origin: place.origin, fast: place.fast, slow: place.slow });
    this.place = place;
    const det = this.fast[0] * this.slow[1] - this.fast[1] * this.slow[0];
    this.inverse = [this.slow[1] / det, -this.slow[0] / det, -this.fast[1] / det, this.fast[0] / det];
  }

  toPlane(fast, slow) {
    return [this.origin[0] + fast * this.fast[0] + slow * this.slow[0],
      this.origin[1] + fast * this.fast[1] + slow * this.slow[1]];
  }

  fromPlane(x, y) {
    const dx = x - this.origin[0], dy = y - this.origin[1];
    return [this.inverse[0] * dx + this.inverse[1] * dy, this.inverse[2] * dx + this.inverse[3] * dy];
  }

  lab(fast, slow) {
    const { lab_origin: o, lab_fast: f, lab_slow: s } = this.place;
    return [0, 1, 2].map((k) => o[k] + fast * f[k] + slow * s[k]);
  }

  meet(direction) {
    const at = meetPlane(this.place.lab_origin, this.place.lab_fast, this.place.lab_slow, direction);
    return at && at[0] >= 0 && at[1] >= 0 && at[0] <= this.size[0] && at[1] <= this.size[1] ? at : null;
  }
}

// Steps along a and b from the origin o to where a ray meets their plane (Cramer's rule); null behind the sample
function meetPlane(o, a, b, direction) {
  const normal = cross(a, b);
  const along = dot(direction, normal);
  if (Math.abs(along) < 1e-12) return null;
  const t = dot(o, normal) / along;
  if (t <= 0) return null;
  const p = [0, 1, 2].map((k) => t * direction[k] - o[k]);
  const n2 = dot(normal, normal);
  return [dot(cross(p, b), normal) / n2, dot(cross(a, p), normal) / n2];
}
