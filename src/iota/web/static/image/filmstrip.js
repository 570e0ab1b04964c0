// The filmstrip: thumbnails of the images around the one shown.

import { ask, askJson } from "./source.js";
import { make } from "./dom.js";

const AROUND = 30; // thumbnails in the strip
const SIZE = 84;

export class Filmstrip {
  constructor(onchoose) {
    this.onchoose = onchoose;
    this.element = make("div", { class: "di-film", role: "listbox", "aria-label": "Images" });
    this.set = { n: 0, run: "", rows: null, frames: [] };
    this.at = 0;
    this.pictures = new Map();
    this.queue = [];
  }

  async load(place, query) {
    this.set = await askJson("set", { ...place, ...query }, { body: null }); // POST, as it may start a search
    const k = this.set.rows
      ? this.set.rows.indexOf(Number(place.row))
      : this.set.run
        ? Number(place.row ?? 0)
        : this.set.frames.findIndex(
            (frame) => frame.path === place.path && (frame.index ?? 0) === Number(place.index ?? 0),
          );
    this.at = Math.max(k, 0);
    return this.set;
  }

  // Query of image k
  place(k) {
    const { run, rows, frames } = this.set;
    if (run) return { run, row: rows ? rows[k] : k };
    return { path: frames[k].path, index: frames[k].index };
  }

  name(k) {
    const { run, rows, frames } = this.set;
    if (run) return `frame ${(rows ? rows[k] : k) + 1}`;
    const { path, index } = frames[k];
    return index === null || index === undefined ? path.split("/").pop() : `#${index + 1}`;
  }

  show(k) {
    this.at = k;
    const { n } = this.set;
    this.element.hidden = n < 2;
    const first = Math.max(0, Math.min(k - AROUND / 2, n - AROUND));
    const end = Math.min(n, first + AROUND);
    if (first !== this.first || end !== this.end) {
      this.first = first;
      this.end = end;
      this.element.replaceChildren(...Array.from({ length: end - first }, (_, i) => this.item(first + i)));
    }
    for (const item of this.element.children) item.setAttribute("aria-selected", String(Number(item.dataset.k) === k));
    const mine = this.element.children[k - first];
    if (mine) {
      this.element.scrollTo({
        left: mine.offsetLeft - this.element.clientWidth / 2 + mine.clientWidth / 2,
        behavior: "instant",
      });
    }
  }

  item(k) {
    const canvas = make("canvas", {});
    const item = make(
      "button",
      { type: "button", class: "di-thumb", role: "option", title: this.name(k), onclick: () => this.onchoose(k) },
      canvas,
      make("span", {}, this.name(k)),
    );
    item.dataset.k = k;
    if (this.pictures.has(k)) this.fillItem(item, k);
    return item;
  }

  fillItem(item, k) {
    const picture = this.pictures.get(k);
    paint(item.firstChild, picture);
    if (picture?.title) {
      item.lastChild.textContent = ending(picture.title);
      item.title = picture.title;
    }
  }

  // Fetch the visible thumbnails one after another, while nothing else is requested
  async fill(isIdle) {
    const turn = (this.turn = (this.turn ?? 0) + 1);
    const [left, right] = [this.element.scrollLeft - 200, this.element.scrollLeft + this.element.clientWidth + 200];
    const near = [...this.element.children].filter(
      (item) => item.offsetLeft > left && item.offsetLeft < right && !this.pictures.has(Number(item.dataset.k)),
    );
    near.sort((a, b) => Math.abs(a.dataset.k - this.at) - Math.abs(b.dataset.k - this.at));
    for (const item of near) {
      if (turn !== this.turn || !isIdle()) return;
      const k = Number(item.dataset.k);
      try {
        const answer = await ask("thumbnail", { ...this.place(k), size: SIZE });
        const title = decodeURIComponent(answer.headers.get("X-Title") ?? "");
        this.keep(k, { ...(await decode(await answer.arrayBuffer())), title });
      } catch {
        this.keep(k, null);
      }
      this.fillItem(item, k);
    }
  }

  keep(k, picture) {
    this.pictures.set(k, picture);
    if (this.pictures.size > 300) this.pictures.delete(this.pictures.keys().next().value);
  }
}

// Names of images differ at their ends
const ending = (name) => {
  const stem = name.length > 13 ? name.replace(/\.(cbf|img|h5|nxs|mccd|gz|bz2)/g, "") : name;
  return stem.length > 13 ? `…${stem.slice(-12)}` : stem;
};

async function decode(bytes) {
  const view = new DataView(bytes);
  const [width, height] = [view.getUint16(0, true), view.getUint16(2, true)];
  const stream = new Blob([bytes.slice(4)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return { width, height, values: new Uint8Array(await new Response(stream).arrayBuffer()) };
}

function paint(canvas, picture) {
  if (!picture) {
    canvas.classList.add("di-broken");
    return;
  }
  canvas.width = picture.width;
  canvas.height = picture.height;
  const image = new ImageData(picture.width, picture.height);
  picture.values.forEach((v, k) => {
    const grey = v ? 255 - v : 205;
    image.data.set([grey, grey, v ? grey : 216, 255], 4 * k);
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}
