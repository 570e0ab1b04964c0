// The mask tool: shapes on panels, in the numbers of dials.generate_mask; what is hidden is made by DIALS on the server.

import { ask, askJson } from './source.js';
import { COLOURS } from './marks.js';
import { button, icon, make, section } from './dom.js';

const EMPTY = { shapes: [], border: 0, d_min: null, d_max: null, resolution_ranges: [], base: [] };
const NAMES = { circle: ['x', 'y', 'r'], rectangle: ['x₀', 'x₁', 'y₀', 'y₁'] };
const TOOLS = { circle: ['radio_button_unchecked', 'Circle: press in the centre and drag'],
  rectangle: ['crop_square', 'Rectangle: drag from corner to corner'],
  polygon: ['polyline', 'Polygon: click the corners; double-click or Enter to finish'] };

export class MaskTool {
  constructor(detector) {
    this.detector = detector;
    this.drawing = structuredClone(EMPTY);
    this.past = [];
    this.future = [];
    this.tool = null;
    this.draft = null; // what is being drawn: {kind, panel, points: [[fast, slow], ...]}
    this.saved = null;
    this.element = make('div', { class: 'di-tab' });
    this.build();
  }

  // -- what is drawn

  change(make_change) {
    this.past.push(JSON.stringify(this.drawing));
    this.future = [];
    make_change(this.drawing);
    this.changed();
  }

  undo() { if (this.past.length) { this.future.push(JSON.stringify(this.drawing)); this.drawing = JSON.parse(this.past.pop()); this.changed(); } }

  redo() { if (this.future.length) { this.past.push(JSON.stringify(this.drawing)); this.drawing = JSON.parse(this.future.pop()); this.changed(); } }

  get isEmpty() { return JSON.stringify(this.sent) === JSON.stringify(EMPTY); }

  // Without what only this page knows
  get sent() {
    return { ...this.drawing, shapes: this.drawing.shapes.map(({ kind, panel, numbers }) => ({ kind, panel, numbers })) };
  }

  changed() {
    this.saved = null;
    this.say('');
    this.list();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.refresh(), 120);
    this.detector.view.request(false);
  }

  // Ask what the shapes hide
  async refresh() {
    const { source, marks } = this.detector;
    if (!source?.head) return;
    if (this.isEmpty) { marks.hide(null); this.area.textContent = ''; this.detector.counts(); return; }
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const answer = await (await ask('mask', source.query, { body: this.sent, signal: this.asked.signal })).json();
      marks.hide(answer.rectangles);
      this.area.textContent = `${answer.n_masked.toLocaleString('en')} of ${answer.n_pixels.toLocaleString('en')} pixels (${(100 * answer.n_masked / answer.n_pixels).toFixed(2)} %) are masked.`;
      this.phil.textContent = answer.phil;
    } catch (error) {
      if (error.name === 'AbortError') return;
      this.say(error.message, true);
    }
    this.detector.counts();
  }

  // -- drawing by hand; all return whether the picture shall not move

  down(at, event) {
    if (!this.tool || event.button) return false;
    const [x, y] = this.detector.view.toPlane(...at);
    if (this.tool === 'polygon') {
      if (!this.draft) {
        const place = this.nearestPanel(x, y);
        this.draft = { kind: 'polygon', panel: place.panel, points: [] };
      }
      this.draft.points.push(this.local(x, y));
      this.draft.next = null;
    } else {
      const place = this.nearestPanel(x, y);
      this.draft = { kind: this.tool, panel: place.panel, points: [[place.fast, place.slow], [place.fast, place.slow]] };
    }
    this.detector.view.request(false);
    return true;
  }

  move(at) {
    if (!this.draft) return false;
    const point = this.local(...this.detector.view.toPlane(...at));
    if (this.draft.kind === 'polygon') this.draft.next = point;
    else this.draft.points[1] = point;
    this.detector.view.request(false);
    return true;
  }

  up() {
    if (!this.draft || this.draft.kind === 'polygon') return false;
    this.finish();
    return true;
  }

  finish() {
    const draft = this.draft;
    this.draft = null;
    if (!draft) return;
    const made = this.shapes(draft);
    if (made.length) this.change((drawing) => drawing.shapes.push(...made));
    this.detector.view.request(false);
  }

  cancel() { this.draft = null; this.choose(null); this.detector.view.request(false); }

  local(x, y) { return this.detector.geometry.panels[this.draft.panel].fromPlane(x, y); }

  nearestPanel(x, y) {
    const geometry = this.detector.geometry;
    const at = geometry.toPanel(x, y);
    if (at) return at;
    let best = null;
    geometry.panels.forEach((panel, k) => {
      const [fast, slow] = panel.fromPlane(x, y);
      const away = Math.hypot(fast - Math.min(Math.max(fast, 0), panel.size[0]), slow - Math.min(Math.max(slow, 0), panel.size[1]));
      if (!best || away < best.away) best = { panel: k, fast, slow, away };
    });
    return best;
  }

  // Shapes of DIALS, one for each panel that the drawn one touches
  shapes(draft) {
    const { geometry } = this.detector;
    const from = geometry.panels[draft.panel];
    const found = [];
    geometry.panels.forEach((panel, k) => {
      const there = ([fast, slow]) => (k === draft.panel ? [fast, slow] : panel.fromPlane(...from.toPlane(fast, slow)));
      const shape = draft.kind === 'circle' ? circleOn(panel, draft.points.map(there)) : polygonOn(panel, draft, there);
      if (shape) found.push({ ...shape, panel: k });
    });
    return found;
  }

  draw(context) {
    const { view, geometry } = this.detector;
    const at = (panel, fast, slow) => view.toCanvas(...geometry.toPlane(panel, fast, slow));
    context.lineWidth = 1.6;
    context.strokeStyle = COLOURS.mask;
    for (const { kind, panel, numbers, group } of this.drawing.shapes) {
      if (group) continue; // many small rectangles: their area says enough
      context.beginPath();
      if (kind === 'circle') {
        const centre = at(panel, numbers[0], numbers[1]);
        context.arc(...centre, numbers[2] * view.scale * Math.hypot(...geometry.panels[panel].fast), 0, 2 * Math.PI);
      } else polyline(context, corners(kind, numbers).map((c) => at(panel, ...c)), true);
      context.stroke();
    }
    if (!this.draft) return;
    const { kind, panel, points, next } = this.draft;
    context.setLineDash([5, 3]);
    context.beginPath();
    if (kind === 'circle') {
      const [a, b] = points.map((p) => at(panel, ...p));
      context.arc(...a, Math.hypot(b[0] - a[0], b[1] - a[1]), 0, 2 * Math.PI);
    } else if (kind === 'rectangle') {
      const [[x0, y0], [x1, y1]] = points;
      polyline(context, [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map((c) => at(panel, ...c)), true);
    } else polyline(context, [...points, ...(next ? [next] : [])].map((p) => at(panel, ...p)), false);
    context.stroke();
    context.setLineDash([]);
  }

  // -- the controls

  build() {
    this.tools = Object.fromEntries(Object.entries(TOOLS).map(([name, [sign, title]]) =>
      [name, icon(sign, title, () => this.choose(this.tool === name ? null : name))]));
    this.border = this.number('Panel edges (px)', 'border', 1);
    this.dMin = this.number('Beyond (Å)', 'd_min', 0.1);
    this.dMax = this.number('Within (Å)', 'd_max', 1);
    this.threshold = make('input', { type: 'number', class: 'di-number', value: '3', min: '0', step: '0.5', 'aria-label': 'Shadow below (counts)' });
    this.from = make('input', { type: 'number', class: 'di-number', step: '0.01', placeholder: '3.70', 'aria-label': 'Range from (Å)' });
    this.to = make('input', { type: 'number', class: 'di-number', step: '0.01', placeholder: '3.64', 'aria-label': 'Range to (Å)' });
    this.items = make('div', { class: 'di-list' });
    this.said = make('div', { class: 'di-said', role: 'status' });
    this.area = make('div', { class: 'di-note' });
    this.name = make('input', { type: 'text', class: 'di-text', value: 'mask', 'aria-label': 'Name of the mask' });
    this.phil = make('pre', { class: 'di-phil' });
    this.element.append(
      section(null, make('div', { class: 'di-row' }, ...Object.values(this.tools), make('span', { class: 'di-space' }),
        icon('undo', 'Undo (Ctrl+Z)', () => this.undo()), icon('redo', 'Redo (Ctrl+Shift+Z)', () => this.redo()),
        icon('delete_sweep', 'Remove all', () => this.change((d) => Object.assign(d, structuredClone(EMPTY)))))),
      section('Areas', this.border, this.dMax, this.dMin,
        make('div', { class: 'di-field' }, make('span', {}, 'Resolution range (Å)'), this.from, this.to, icon('add', 'Add the range', () => this.addRange())),
        make('div', { class: 'di-field' }, make('span', {}, 'Beamstop shadow below'), this.threshold, button('Find', () => this.findShadow()))),
      section('Shapes and files', this.items, button('Load a mask or PHIL...', () => this.detector.emit('choose-mask'))),
      make('details', {}, make('summary', {}, 'PHIL of dials.generate_mask'), this.phil),
      section(null, this.area, this.said, make('div', { class: 'di-field' }, this.name, button('Save', () => this.save())),
        button('Use for the next run', () => this.use(), { class: 'di-button di-main' })));
    this.element.firstChild.classList.add('di-tools');
    this.element.lastChild.classList.add('di-save');
    this.list();
  }

  number(text, name, step) {
    const input = make('input', { type: 'number', class: 'di-number', min: '0', step: String(step), 'aria-label': text,
      onchange: () => this.change((d) => { d[name] = input.value === '' ? (name === 'border' ? 0 : null) : Number(input.value); }) });
    this[`input_${name}`] = input;
    return make('label', { class: 'di-field' }, make('span', {}, text), input);
  }

  choose(tool) {
    this.tool = tool;
    if (!tool) this.draft = null;
    Object.entries(this.tools).forEach(([name, element]) => element.setAttribute('aria-pressed', String(name === tool)));
    this.detector.canvas.classList.toggle('di-drawing', Boolean(tool));
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
    for (const [name, n] of groups) this.items.append(this.item(`${name}: ${n} rectangles`, (d) => { d.shapes = d.shapes.filter((s) => s.group !== name); }));
    ranges.forEach((range, k) => this.items.append(this.item(`${range[0]} to ${range[1]} Å`, (d) => d.resolution_ranges.splice(k, 1))));
    base.forEach((path, k) => this.items.append(this.item(`and ${path.split('/').pop()}`, (d) => d.base.splice(k, 1), path)));
    if (!this.items.children.length) this.items.append(make('span', { class: 'di-note' }, 'Nothing yet. Choose a shape above and draw it on the image.'));
    for (const name of ['border', 'd_min', 'd_max']) this[`input_${name}`].value = this.drawing[name] || '';
  }

  item(text, remove, title = '') {
    return make('div', { class: 'di-item', title }, make('span', { class: 'di-grow' }, text), icon('close', `Remove ${text}`, () => this.change(remove)));
  }

  shapeItem(shape, k, nPanels) {
    const inputs = shape.numbers.map((value, i) => {
      const input = make('input', { type: 'number', class: 'di-number di-small', value: String(value), step: '1', title: NAMES[shape.kind]?.[i] ?? (i % 2 ? 'y' : 'x'),
        'aria-label': `${shape.kind} ${k + 1} ${NAMES[shape.kind]?.[i] ?? (i % 2 ? 'y' : 'x') + (Math.floor(i / 2) + 1)}`,
        onchange: () => this.change((d) => { d.shapes[k].numbers[i] = Math.round(Number(input.value)); }) });
      return input;
    });
    const where = nPanels > 1 ? `, panel ${shape.panel}` : '';
    return make('div', { class: 'di-item di-shape' },
      make('span', { class: 'di-grow' }, shape.kind[0].toUpperCase() + shape.kind.slice(1) + where, make('span', { class: 'di-note' }, ` ${NAMES[shape.kind]?.join(' ') ?? 'x y of each corner'}`)),
      icon('close', `Remove ${shape.kind} ${k + 1}`, () => this.change((d) => d.shapes.splice(k, 1))), make('div', { class: 'di-numbers' }, ...inputs));
  }

  say(text, isWrong = false) {
    this.said.textContent = text;
    this.said.classList.toggle('iota-bad', isWrong);
  }

  addRange() {
    const pair = [Number(this.from.value), Number(this.to.value)];
    if (!(pair[0] > 0 && pair[1] > 0)) { this.say('Enter both limits of the range in Å.', true); return; }
    this.change((d) => d.resolution_ranges.push([Math.max(...pair), Math.min(...pair)]));
  }

  async findShadow() {
    this.say('Looking for the shadow...');
    try {
      const found = await askJson('shadow', { ...this.detector.source.query, threshold: this.threshold.value });
      const group = `Shadow below ${this.threshold.value}`;
      this.change((d) => {
        d.shapes = d.shapes.filter((shape) => shape.group !== group);
        d.shapes.push(...found.map(([panel, numbers]) => ({ kind: 'rectangle', panel, numbers, group })));
      });
    } catch (error) { this.say(error.message, true); }
  }

  async save() {
    try {
      const answer = await (await ask('mask/save', { ...this.detector.source.query, name: this.name.value }, { body: this.sent })).json();
      this.saved = answer.mask;
      this.say(`Saved: ${answer.mask} and its PHIL.`);
    } catch (error) { this.say(error.message, true); }
    return this.saved;
  }

  async use() {
    if (this.isEmpty) { this.say('There is no mask yet.', true); return; }
    const path = this.saved ?? await this.save();
    if (path) this.detector.startPage([`image_import.mask=${path}`]);
  }

  // A file that was chosen: shapes from PHIL, anything else is a mask that is joined
  async load(file) {
    try {
      const { drawing } = await askJson('mask/load', { ...this.detector.source.query, file });
      if (drawing) {
        this.change((d) => {
          d.shapes.push(...drawing.shapes);
          d.resolution_ranges.push(...drawing.resolution_ranges);
          Object.assign(d, { border: Math.max(d.border, drawing.border), d_min: drawing.d_min ?? d.d_min, d_max: drawing.d_max ?? d.d_max });
        });
      } else this.change((d) => { if (!d.base.includes(file)) d.base.push(file); });
    } catch (error) { this.say(error.message, true); }
  }
}

const corners = (kind, n) => (kind === 'rectangle' ? [[n[0], n[2]], [n[1], n[2]], [n[1], n[3]], [n[0], n[3]]]
  : Array.from({ length: n.length / 2 }, (_, k) => [n[2 * k], n[2 * k + 1]]));

function polyline(context, points, isClosed) {
  points.forEach((p, k) => (k ? context.lineTo(...p) : context.moveTo(...p)));
  if (isClosed) context.closePath();
}

function circleOn({ size }, [centre, edge]) {
  const [x, y] = centre.map(Math.round);
  const r = Math.round(Math.hypot(edge[0] - centre[0], edge[1] - centre[1]));
  const away = Math.hypot(x - Math.min(Math.max(x, 0), size[0]), y - Math.min(Math.max(y, 0), size[1]));
  return r > 0 && away < r ? { kind: 'circle', numbers: [x, y, r] } : null;
}

// A rectangle stays one where the panel's rows are parallel to those of the panel it was drawn on
function polygonOn(panel, draft, there) {
  const [[x0, y0], [x1, y1]] = [draft.points[0], draft.points[1] ?? draft.points[0]];
  const points = (draft.kind === 'rectangle' ? [[x0, y0], [x1, y0], [x1, y1], [x0, y1]] : draft.points).map(there);
  if (draft.kind === 'rectangle' && Math.abs(points[1][1] - points[0][1]) < 1 && Math.abs(points[3][0] - points[0][0]) < 1) {
    const clamp = (v, n) => Math.min(Math.max(Math.round(v), 0), n);
    const xs = points.map((p) => clamp(p[0], panel.size[0])), ys = points.map((p) => clamp(p[1], panel.size[1]));
    const numbers = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    return numbers[1] > numbers[0] && numbers[3] > numbers[2] ? { kind: 'rectangle', numbers } : null;
  }
  const clipped = clip(points, panel.size);
  const numbers = clipped.flat().map(Math.round);
  return clipped.length >= 3 && area(clipped) >= 1 ? { kind: 'polygon', numbers } : null;
}

// The part of a polygon on a panel (Sutherland & Hodgman, Comm. ACM (1974) 17, 32)
function clip(points, [nFast, nSlow]) {
  const edges = [[0, 0, 1], [0, nFast, -1], [1, 0, 1], [1, nSlow, -1]];
  for (const [axis, limit, sign] of edges) {
    const inside = (p) => sign * (p[axis] - limit) >= 0;
    const kept = [];
    points.forEach((p, k) => {
      const before = points[(k + points.length - 1) % points.length];
      if (inside(p) !== inside(before)) {
        const t = (limit - before[axis]) / (p[axis] - before[axis]);
        kept.push([0, 1].map((i) => before[i] + t * (p[i] - before[i])));
      }
      if (inside(p)) kept.push(p);
    });
    points = kept;
  }
  return points;
}

const area = (points) => Math.abs(points.reduce((sum, p, k) => {
  const q = points[(k + 1) % points.length];
  return sum + p[0] * q[1] - p[1] * q[0];
}, 0)) / 2;
