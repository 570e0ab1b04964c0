// The image page: the picture with its toolbar, what is drawn over it, and the images that are gone through.

import { OverlayControls, PreviewControls } from './controls.js';
import { icon, make, slider } from './dom.js';
import { Filmstrip } from './filmstrip.js';
import { Geometry, ICE_RINGS_A } from './geometry.js';
import { Marks } from './marks.js';
import { MaskTool } from './mask_tool.js';
import { PALETTES, colour } from './palette.js';
import { Readout } from './readout.js';
import { ImageSource, askJson, ask } from './source.js';
import { DetectorView, NUMBERS_FROM } from './view.js';

const KEPT_IMAGES = 4; // the one that is shown, its neighbours, and the one before

export class Detector {
  constructor(root, { place, query, emit }) {
    this.root = root;
    this.query = query ?? {};
    this.emit = emit;
    this.images = new Map(); // by place: ImageSource
    root.classList.add('di');
    this.canvas = make('canvas', { class: 'di-canvas', tabindex: '0', 'aria-label': 'Detector image' });
    this.over = make('canvas', { class: 'di-over', 'aria-hidden': 'true' });
    this.view = new DetectorView(this.canvas, this.over);
    this.marks = new Marks(this.view);
    this.marks.iceRings = ICE_RINGS_A;
    this.readout = new Readout(this);
    this.mask = new MaskTool(this);
    this.overlays = new OverlayControls(this);
    this.preview = new PreviewControls(this);
    this.film = new Filmstrip((k) => this.step(k - this.film.at));
    this.build();
    this.listen();
    this.overlays.onflag = (name, on) => this.flagged(name, on);
    this.view.drawOver = (context, width, height) => {
      this.marks.draw(context, width, height);
      this.mask.draw(context);
      if (this.view.scale >= NUMBERS_FROM) this.numbers(context, width, height);
      this.scaleBar(context, width, height);
    };
    this.view.onReady = () => this.ready();
    this.theme();
    new MutationObserver(() => this.theme()).observe(document.body, { attributes: true, attributeFilter: ['class'] });
    this.begin(place);
  }

  // -- elements

  build() {
    this.title = make('span', { class: 'di-title' });
    this.count = make('span', { class: 'di-note iota-number' });
    this.palette = make('select', { 'aria-label': 'Palette', onchange: () => this.shade({ palette: this.palette.value }) },
      ...Object.entries(PALETTES).map(([value, text]) => make('option', { value }, text)));
    this.high = slider('Display maximum', { least: 1, most: 10000, step: 1, value: 10, log: true }, (high) => this.shade({ high }));
    this.low = slider('Display minimum', { least: 0, most: 100, step: 1, value: 0 }, (low) => this.shade({ low }));
    this.message = make('div', { class: 'di-message', role: 'alert', hidden: true });
    this.tip = make('div', { class: 'di-tip', hidden: true });
    const tabs = { Overlays: this.overlays.element, 'Spot finding': this.preview.element, Mask: this.mask.element, Pixels: this.readout.element };
    this.tabButtons = Object.keys(tabs).map((name) => make('button', { type: 'button', role: 'tab', class: 'di-tab-button', onclick: () => this.tab(name) }, name));
    this.tabs = tabs;
    this.root.replaceChildren(
      make('div', { class: 'di-bar' },
        icon('chevron_left', 'Previous image (←)', () => this.step(-1)), icon('chevron_right', 'Next image (→)', () => this.step(1)),
        this.title, this.count, make('span', { class: 'di-space' }), this.low.element, this.high.element, this.palette,
        icon('contrast', 'Contrast of this image', () => this.autoContrast()),
        icon('fit_screen', 'Whole detector (0)', () => this.view.fit()), icon('center_focus_strong', 'Beam centre (B)', () => this.toBeam()),
        icon('image', 'Save the view as PNG', () => this.save()), icon('open_in_new', 'Open in dials.image_viewer', () => this.openViewer())),
      make('div', { class: 'di-middle' },
        make('div', { class: 'di-stage' }, this.canvas, this.over, this.message, this.tip),
        make('aside', { class: 'di-side' }, make('div', { class: 'di-tabs', role: 'tablist' }, ...this.tabButtons), ...Object.values(tabs))),
      this.readout.line, this.film.element);
    this.tab('Overlays');
  }

  tab(name) {
    Object.entries(this.tabs).forEach(([key, element]) => { element.hidden = key !== name; });
    this.tabButtons.forEach((element) => element.setAttribute('aria-selected', String(element.textContent === name)));
    if (name !== 'Mask') this.mask.choose(null);
  }

  theme() {
    const dark = document.body.classList.contains('body--dark');
    this.view.background = dark ? '#0b0f13' : '#e6ebf0';
    this.readout.paint();
    this.view.request();
  }

  // -- going through images

  async begin(place) {
    if (place.run || place.path) await this.show(place);
    else this.setState('loading');
    try {
      const set = await this.film.load(place, this.query);
      this.film.show(this.film.at);
      this.tellPlace();
      if (set.n && !set.run && !place.path) await this.show(this.film.place(0));
      else if (!set.n) this.wrong(set.remarks[0] ?? 'No image.');
      if (set.remarks?.length && this.state !== 'error') this.emit('remark', set.remarks.join(' '));
      if (this.state === 'ready') this.rest();
    } catch (error) {
      if (this.state !== 'error') this.wrong(error.message);
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
    this.count.textContent = n > 1 ? `${(this.film.at + 1).toLocaleString('en')} of ${n.toLocaleString('en')}` : '';
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
    this.setState('loading');
    const source = this.image(place);
    this.wanted = source;
    this.tip.hidden = true;
    let head;
    try {
      head = await source.open();
    } catch (error) {
      if (this.wanted === source && error.name !== 'AbortError') {
        this.images.delete(JSON.stringify(place));
        this.title.textContent = place.path ? place.path.split('/').pop() : `frame ${Number(place.row) + 1}`;
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
    const words = new URLSearchParams({ ...Object.fromEntries(Object.entries({ ...place, ...this.query }).filter(([, v]) => v !== null && v !== undefined && v !== '')) });
    history.replaceState(history.state, '', `?${words}`);
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
    this.setState('error');
    this.message.textContent = sentence;
    this.message.hidden = false;
    this.root.dataset.milliseconds = '';
  }

  // The picture is complete
  ready() {
    if (this.state !== 'loading') return;
    this.setState('ready');
    this.root.dataset.milliseconds = String(Math.round(performance.now() - this.begun));
    this.rest();
  }

  // What can wait until the picture is there
  async rest() {
    const source = this.source;
    const isCurrent = () => source === this.source && this.state === 'ready';
    this.root.dataset.marks = '';
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
        const lattices = await source.once('marks');
        if (source !== this.source) return;
        marks.lattices = lattices;
        this.overlays.counts();
        this.view.request(false);
        const spots = await source.once('spots');
        if (source !== this.source) return;
        marks.spots = spots;
        this.overlays.counts();
      } else this.overlays.counts();
      for (const name of ['bad', 'runMask']) if (marks.shown[name]) await this.flagged(name, true);
    } catch (error) {
      if (error.name !== 'AbortError') this.emit('remark', error.message);
    }
    this.root.dataset.marks = 'ready';
    this.view.request(false);
  }

  // Count again what the picture shows
  counts() {
    this.overlays.counts();
    this.preview.counts();
    this.view.request(false);
  }

  async flagged(name, on) {
    const { source, marks } = this;
    if (name === 'mask') this.counts();
    if (!on || !source?.head) return;
    try {
      if (name === 'bad' && !marks.bad.length) marks.bad = await source.once('bad-pixels');
      if (name === 'runMask') {
        if (source.head.run_mask) marks.runMask = (await source.once('mask/load', { file: source.head.run_mask })).rectangles;
        else this.overlays.runMask.say('none');
      }
    } catch (error) { this.emit('remark', error.message); }
    this.view.request(false);
  }

  // Spots with some settings
  async spots(settings, signal) { return (await ask('spots', { ...this.source.query, ...settings }, { signal })).json(); }

  // The neighbours, as far as their first view needs
  async prefetch(isCurrent) {
    for (const by of [1, -1]) {
      const k = this.film.at + by;
      if (k < 0 || k >= this.film.set.n || !isCurrent()) continue;
      const source = this.image(this.film.place(k));
      try {
        await source.open();
        source.want([...this.view.base, ...this.view.detail].flatMap((picture) => picture.keys).filter((key) => !source.tiles.has(key)));
        while (source.waiting.size && isCurrent()) await new Promise((resolve) => { setTimeout(resolve, 30); });
      } catch { this.images.delete(JSON.stringify(this.film.place(k))); }
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
    if (this.source) this.shade({ low, high }); else Object.assign(this.view.shades, { low, high });
  }

  toBeam() {
    const beam = this.geometry?.layout.beam;
    if (beam) this.view.goTo(...beam, Math.max(this.view.scale, 2));
  }

  // -- what is drawn on top

  numbers(context, width, height) {
    const { scale } = this.view;
    context.font = `${Math.min(scale / 3.2, 15)}px ui-monospace, monospace`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    const { low, high } = this.view.shades;
    this.geometry.panels.forEach((panel, k) => {
      const seen = this.view.seen(panel);
      if (!seen) return;
      for (let y = Math.floor(seen[2]); y < seen[3]; y++) {
        for (let x = Math.floor(seen[0]); x < seen[1]; x++) {
          const count = this.source.count(k, x, y);
          if (count === null || count === undefined) continue;
          const [r, g, b] = colour(this.view.shades.palette, (count - low) / (high - low));
          context.fillStyle = 0.3 * r + 0.6 * g + 0.1 * b > 128 ? '#14202a' : '#f4f6f8';
          context.fillText(String(count), ...this.view.toCanvas(...panel.toPlane(x + 0.5, y + 0.5)));
        }
      }
    });
    context.textBaseline = 'alphabetic';
  }

  scaleBar(context, width, height) {
    const { pixel_mm: mm } = this.geometry.layout;
    const target = 120 / this.view.scale * mm;
    const power = 10 ** Math.floor(Math.log10(target));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= target) ?? power;
    const px = length / mm * this.view.scale;
    context.fillStyle = 'rgba(255,255,255,.82)';
    context.fillRect(10, height - 36, px + 20, 27);
    context.fillStyle = '#14202a';
    context.fillRect(20, height - 17, px, 3);
    context.font = '11.5px system-ui, sans-serif';
    context.textAlign = 'center';
    context.fillText(`${Number(length.toPrecision(2))} mm`, 20 + px / 2, height - 21);
  }

  // -- saving and leaving

  async save() {
    if (!this.geometry) return;
    const [width, height] = this.view.size;
    const head = 30, foot = 34, ratio = 2;
    const canvas = make('canvas', {});
    canvas.width = width * ratio;
    canvas.height = (height + head + foot) * ratio;
    const picture = make('canvas', {});
    picture.width = width * ratio;
    picture.height = height * ratio;
    const onPicture = picture.getContext('2d', { alpha: false });
    this.view.paint(onPicture, width, height, ratio);
    this.view.drawOver(onPicture, width, height);
    const context = canvas.getContext('2d', { alpha: false });
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, head * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = '#14202a';
    context.font = '600 13px system-ui, sans-serif';
    context.fillText(this.source.head.title, 10, 20);
    this.legend(context, width, head + height + 8);
    const blob = await new Promise((resolve) => { canvas.toBlob(resolve, 'image/png'); });
    const link = make('a', { href: URL.createObjectURL(blob), download: `${this.source.head.title.replace(/[^\w.-]+/g, '_')}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  legend(context, width, y) {
    const { palette, low, high } = this.view.shades;
    const bar = 180, x = width - bar - 60;
    for (let k = 0; k < bar; k++) {
      context.fillStyle = `rgb(${colour(palette, k / bar).join(',')})`;
      context.fillRect(x + k, y, 1.5, 14);
    }
    context.strokeStyle = '#5c6b78';
    context.lineWidth = 0.5;
    context.strokeRect(x, y, bar, 14);
    context.fillStyle = '#14202a';
    context.font = '12px system-ui, sans-serif';
    context.textAlign = 'right';
    context.fillText(`counts ${Number(low.toPrecision(3))}`, x - 6, y + 11);
    context.textAlign = 'left';
    context.fillText(String(Number(high.toPrecision(3))), x + bar + 6, y + 11);
    const { layout } = this.source.head;
    context.fillText(`${layout.distance_mm.toFixed(1)} mm, ${layout.wavelength_A.toFixed(4)} Å`, 10, y + 11);
  }

  // The start page with some parameters set, and the images that are looked at
  startPage(assignments) {
    const words = new URLSearchParams();
    if (this.source.place.run) words.append('recover', this.source.place.run);
    else words.append('input', this.query.sources || this.source.place.path);
    assignments.forEach((one) => words.append('set', one));
    window.location.href = `${window.path_prefix || ''}/?${words}`;
  }

  async openViewer() {
    if (!this.source) return;
    try {
      this.emit('remark', (await (await ask('viewer', this.source.query, { body: {} })).json()).message);
    } catch (error) { this.emit('remark', error.message); }
  }

  // -- hands

  listen() {
    const at = (event) => { const box = this.canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    let drag = null;
    this.canvas.addEventListener('pointerdown', (event) => {
      if (!this.geometry) return;
      this.canvas.focus({ preventScroll: true });
      this.canvas.setPointerCapture(event.pointerId);
      const isTaken = this.mask.down(at(event), event);
      drag = { last: at(event), isTaken, moved: 0, isContrast: event.shiftKey };
    });
    this.canvas.addEventListener('pointermove', (event) => {
      if (!this.geometry) return;
      const now = at(event);
      this.hover = now;
      if (!this.mask.move(now) && drag && !drag.isTaken) {
        const [dx, dy] = [now[0] - drag.last[0], now[1] - drag.last[1]];
        if (drag.isContrast) this.dragContrast(dy);
        else this.view.pan(dx, dy);
        drag.moved += Math.hypot(dx, dy);
      }
      if (drag) drag.last = now;
      if (!drag || drag.isTaken) this.hoverAgain();
    });
    const release = (event) => {
      if (drag && !this.mask.up() && !drag.isTaken && drag.moved < 3 && event.type === 'pointerup') this.readout.keep();
      drag = null;
    };
    this.canvas.addEventListener('pointerup', release);
    this.canvas.addEventListener('pointercancel', release);
    this.canvas.addEventListener('pointerleave', () => { this.tip.hidden = true; this.hover = null; });
    this.canvas.addEventListener('dblclick', (event) => {
      if (this.mask.draft) {
        this.mask.draft.points.pop(); // the second click of the double click
        this.mask.finish();
      } else if (!this.mask.tool && this.geometry) this.view.zoom(2, at(event));
    });
    this.canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      if (this.geometry) this.view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), at(event));
    }, { passive: false });
    document.addEventListener('keydown', (event) => this.key(event));
  }

  dragContrast(dy) {
    const high = Math.max(this.view.shades.low + 0.01, this.view.shades.high * Math.exp(dy * 0.01));
    this.high.set(high);
    this.shade({ high });
  }

  key(event) {
    if (!this.root.isConnected || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) && event.target.type !== 'checkbox') return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z') {
      if (event.shiftKey) this.mask.redo(); else this.mask.undo();
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const acts = { ArrowRight: () => this.step(1), ArrowLeft: () => this.step(-1), 0: () => this.view.fit(), b: () => this.toBeam(),
      '+': () => this.view.zoom(1.5), '=': () => this.view.zoom(1.5), '-': () => this.view.zoom(1 / 1.5), Enter: () => this.mask.finish(),
      Escape: () => this.mask.cancel(), Home: () => this.step(-this.film.at), End: () => this.step(this.film.set.n - 1 - this.film.at) };
    const act = acts[event.key];
    if (!act || (event.key === 'Enter' && !this.mask.draft)) return;
    event.preventDefault();
    act();
  }

  hoverAgain() {
    if (!this.hover || this.view.isBlank) return;
    this.readout.move(this.hover);
    const reflection = this.readout.reflection;
    this.tip.hidden = !reflection;
    if (reflection) {
      const { lattice, k } = reflection;
      this.tip.textContent = `${lattice.h[k]} ${lattice.k[k]} ${lattice.l[k]}`;
      this.tip.style.transform = `translate(${this.hover[0] + 14}px, ${this.hover[1] + 14}px)`;
    }
  }
}
