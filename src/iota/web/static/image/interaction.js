// Mouse and keyboard on the image: pan, zoom, contrast, drawing masks, and what is under the cursor.

export class Interaction {
  constructor(detector) {
    this.detector = detector;
    this.hover = null; // position of the cursor on the canvas
    this.drag = null; // while a button is pressed: {last position, whether the mask takes it, way moved, whether contrast}
    const { canvas } = detector;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", (event) => this.release(event));
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("dblclick", (event) => this.finishOrZoom(event));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    document.addEventListener("keydown", (event) => this.key(event));
  }

  at(event) {
    const box = this.detector.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  down(event) {
    const { canvas, geometry, mask } = this.detector;
    if (!geometry) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    const isTaken = mask.down(this.at(event), event);
    this.drag = { last: this.at(event), isTaken, moved: 0, isContrast: event.shiftKey };
  }

  move(event) {
    const { geometry, mask, view } = this.detector;
    if (!geometry) return;
    const { drag } = this;
    const now = this.at(event);
    this.hover = now;
    if (!mask.move(now) && drag && !drag.isTaken) {
      const [dx, dy] = [now[0] - drag.last[0], now[1] - drag.last[1]];
      if (drag.isContrast) this.dragContrast(dy);
      else view.pan(dx, dy);
      drag.moved += Math.hypot(dx, dy);
    }
    if (drag) drag.last = now;
    if (!drag || drag.isTaken) this.hoverAgain();
  }

  release(event) {
    const { drag } = this;
    const { mask, readout } = this.detector;
    if (drag && !mask.up() && !drag.isTaken && drag.moved < 3 && event.type === "pointerup") readout.keep();
    this.drag = null;
  }

  leave() {
    this.detector.tip.hidden = true;
    this.hover = null;
  }

  finishOrZoom(event) {
    const { geometry, mask, view } = this.detector;
    if (mask.draft) {
      mask.draft.points.pop(); // the second click of the double click
      mask.finish();
    } else if (!mask.tool && geometry) {
      view.zoom(2, this.at(event));
    }
  }

  wheel(event) {
    event.preventDefault();
    const { geometry, view } = this.detector;
    if (geometry) view.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), this.at(event));
  }

  dragContrast(dy) {
    const { high, view } = this.detector;
    const value = Math.max(view.shades.low + 0.01, view.shades.high * Math.exp(dy * 0.01));
    high.set(value);
    this.detector.shade({ high: value });
  }

  key(event) {
    const { mask, root } = this.detector;
    if (!root.isConnected || isTyping(event.target)) return;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
      if (event.shiftKey) mask.redo();
      else mask.undo();
      event.preventDefault();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = this.actions[event.key];
    if (!act || (event.key === "Enter" && !mask.draft)) return;
    event.preventDefault();
    act();
  }

  get actions() {
    const { detector } = this;
    const { film, mask, view } = detector;
    return {
      ArrowRight: () => detector.step(1),
      ArrowLeft: () => detector.step(-1),
      0: () => view.fit(),
      b: () => detector.toBeam(),
      "+": () => view.zoom(1.5),
      "=": () => view.zoom(1.5),
      "-": () => view.zoom(1 / 1.5),
      Enter: () => mask.finish(),
      Escape: () => mask.cancel(),
      Home: () => detector.step(-film.at),
      End: () => detector.step(film.set.n - 1 - film.at),
    };
  }

  // Say what is under the cursor, after a move or when more is known
  hoverAgain() {
    const { readout, tip, view } = this.detector;
    if (!this.hover || view.isBlank) return;
    readout.move(this.hover);
    const { reflection } = readout;
    tip.hidden = !reflection;
    if (!reflection) return;
    const { lattice, k } = reflection;
    tip.textContent = `${lattice.h[k]} ${lattice.k[k]} ${lattice.l[k]}`;
    tip.style.transform = `translate(${this.hover[0] + 14}px, ${this.hover[1] + 14}px)`;
  }
}

function isTyping({ tagName, type }) {
  return /^(INPUT|TEXTAREA|SELECT)$/.test(tagName) && type !== "checkbox";
}
