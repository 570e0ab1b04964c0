// One image as the server gives it: geometry, tiles of counts, spots and predictions. Nothing is drawn here.

const MAX_TILE_BYTES = 160e6;
const TILES_PER_REQUEST = 16;
const REQUESTS_AT_ONCE = 3;
export const TILE = 256;

export class ServerError extends Error {}

const prefix = () => window.path_prefix || "";

export async function ask(path, query, { body, signal } = {}) {
  let answer;
  try {
    const words = new URLSearchParams(
      Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== ""),
    );
    answer = await fetch(
      `${prefix()}/api/image/${path}?${words}`,
      body === undefined ? { signal } : { method: "POST", body: JSON.stringify(body), signal },
    );
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError("The server is not responding. The page will continue once it does.");
  }
  if (!answer.ok) {
    const said = await answer.json().catch(() => null);
    throw new ServerError(
      said?.error
        ? [said.error.message, said.error.next].filter(Boolean).join(" ")
        : `The server responded with status ${answer.status}.`,
    );
  }
  return answer;
}

export const askJson = async (...words) => (await ask(...words)).json();

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

export class ImageSource {
  constructor(place) {
    this.place = place;
    this.tiles = new Map(); // "panel.level.x.y" -> Uint16Array, the most recently used at the end
    this.bytes = 0;
    this.waiting = new Map(); // wanted keys -> whether they have been requested
    this.nAtWork = 0;
    this.abort = new AbortController();
    this.onTiles = () => {};
    this.onError = () => {};
    this.kept = new Map(); // responses that do not change
  }

  async open() {
    if (!this.head) this.head = await askJson("open", this.place, { signal: this.abort.signal });
    return this.head;
  }

  get query() {
    return { ...this.place, v: this.head?.version };
  }

  // A response about this image, requested once
  once(path, query = {}) {
    const key = path + JSON.stringify(query);
    if (!this.kept.has(key)) {
      const promise = askJson(path, { ...this.query, ...query }, { signal: this.abort.signal });
      promise.catch(() => this.kept.delete(key));
      this.kept.set(key, promise);
    }
    return this.kept.get(key);
  }

  tile(key) {
    const found = this.tiles.get(key);
    if (found) {
      this.tiles.delete(key);
      this.tiles.set(key, found);
    }
    return found;
  }

  // Request tiles in this order; those that were wanted before and have not been requested are dropped
  want(keys) {
    for (const [key, atWork] of this.waiting) if (!atWork) this.waiting.delete(key);
    for (const key of keys) if (!this.tiles.has(key) && !this.waiting.has(key)) this.waiting.set(key, false);
    this.fetchMore();
  }

  fetchMore() {
    while (this.nAtWork < REQUESTS_AT_ONCE) {
      const keys = [];
      for (const [key, atWork] of this.waiting) {
        if (!atWork) keys.push(key);
        if (keys.length === TILES_PER_REQUEST) break;
      }
      if (!keys.length) return;
      this.fetchTiles(keys);
    }
  }

  async fetchTiles(keys) {
    keys.forEach((key) => this.waiting.set(key, true));
    this.nAtWork++;
    try {
      const answer = await ask("tiles", { ...this.query, tiles: keys.join(",") }, { signal: this.abort.signal });
      const bytes = await answer.arrayBuffer();
      const view = new DataView(bytes);
      const parts = [];
      for (let at = 0; at < bytes.byteLength;) {
        const n = view.getUint32(at, true);
        parts.push(new Uint8Array(bytes, at + 4, n));
        at += 4 + n;
      }
      await Promise.all(
        parts.map(async (part, k) =>
          this.keep(keys[k], part.length ? new Uint16Array(await inflate(part)) : new Uint16Array(0)),
        ),
      );
    } catch (error) {
      if (error.name !== "AbortError") this.onError(error);
      keys.forEach((key) => {
        if (!this.tiles.has(key)) this.keep(key, new Uint16Array(0));
      });
    }
    keys.forEach((key) => this.waiting.delete(key));
    this.nAtWork--;
    this.onTiles();
    this.fetchMore();
  }

  keep(key, values) {
    this.tiles.set(key, values);
    this.bytes += values.byteLength;
    for (const [old, data] of this.tiles) {
      if (this.bytes <= MAX_TILE_BYTES) break;
      this.tiles.delete(old);
      this.bytes -= data.byteLength;
    }
  }

  // Counts of a pixel if its tile is here: null if masked, undefined if not known yet
  count(panel, fast, slow) {
    const size = this.head.layout.panels[panel].size;
    const x = Math.floor(fast / TILE);
    const y = Math.floor(slow / TILE);
    const values = this.tiles.get(`${panel}.0.${x}.${y}`);
    if (!values?.length) return undefined;
    const columns = Math.min(TILE, size[0] - x * TILE);
    const value = values[(Math.floor(slow) - y * TILE) * columns + Math.floor(fast) - x * TILE];
    if (value === 65535) return null;
    if (value === 65534 || (value === 0 && this.head.scale.offset < 0)) return undefined; // outside the range of a tile
    return Math.round((this.head.scale.offset + this.head.scale.step * value) * 1000) / 1000;
  }

  // Strong pixels with these settings: per panel, their indices (row by row)
  async strong(settings, signal) {
    const bytes = await (await ask("strong", { ...this.query, ...settings }, { signal })).arrayBuffer();
    const values = new Uint32Array(bytes);
    const panels = [];
    for (let at = 0; at < values.length;) {
      panels.push(values.subarray(at + 1, at + 1 + values[at]));
      at += 1 + values[at];
    }
    return panels;
  }

  close() {
    this.abort.abort();
  }
}
