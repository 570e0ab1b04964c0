// @ts-check
// From counts to colours.

/** @typedef {[number, number, number]} Rgb 0 to 255 */

export const MASKED = 65535;
/** @type {Record<string, Rgb[]>} */
const STOPS = {
  grey: [
    [255, 255, 255],
    [0, 0, 0],
  ],
  night: [
    [8, 10, 14],
    [250, 250, 245],
  ],
  viridis: [
    [68, 1, 84],
    [72, 40, 120],
    [62, 74, 137],
    [49, 104, 142],
    [38, 130, 142],
    [31, 158, 137],
    [53, 183, 121],
    [109, 205, 89],
    [180, 222, 44],
    [253, 231, 37],
  ],
  inferno: [
    [0, 0, 4],
    [31, 12, 72],
    [85, 15, 109],
    [136, 34, 106],
    [186, 54, 85],
    [227, 89, 51],
    [249, 140, 10],
    [249, 201, 50],
    [252, 255, 164],
  ],
};
export const PALETTES = { grey: "Black on white", night: "White on black", viridis: "Viridis", inferno: "Inferno" };
/** @type {Record<string, Rgb>} */
const MASK_COLOURS = { grey: [196, 206, 216], night: [38, 48, 60], viridis: [30, 30, 34], inferno: [46, 52, 60] };
/** @type {Rgb} */
const SATURATED = [230, 0, 120];

/**
 * Colour of a palette.
 * @param {string} palette
 * @param {number} fraction of the way from its first colour to its last
 */
export function colour(palette, fraction) {
  const stops = STOPS[palette];
  const at = Math.min(Math.max(fraction, 0), 1) * (stops.length - 1);
  const k = Math.min(Math.floor(at), stops.length - 2);
  const between = (/** @type {number} */ i) => Math.round(stops[k][i] + (stops[k + 1][i] - stops[k][i]) * (at - k));
  return /** @type {Rgb} */ ([between(0), between(1), between(2)]);
}

/** @type {(colour: Rgb) => number} */
const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

/**
 * Table from the 65536 values of a tile to pixels.
 * @param {{palette: string, low: number, high: number, power: number}} shades
 * @param {{offset: number, step: number}} scale counts = offset + step * value
 * @param {number} saturation in counts
 */
export function makeTable({ palette, low, high, power }, scale, saturation) {
  const table = new Uint32Array(65536);
  const shades = Array.from({ length: 256 }, (_, k) => packed(colour(palette, k / 255)));
  const range = Math.max(high - low, 1e-9);
  const full = Math.min(Math.max(Math.ceil((high - scale.offset) / scale.step), 0), 65534);
  const first = Math.min(Math.max(Math.floor((low - scale.offset) / scale.step), 0), 65534);
  table.fill(shades[0], 0, first);
  for (let v = first; v < full; v++) {
    const fraction = (scale.offset + scale.step * v - low) / range;
    table[v] = shades[Math.round(255 * Math.pow(Math.min(Math.max(fraction, 0), 1), power))];
  }
  table.fill(shades[255], full, 65535);
  const end = Math.ceil((saturation - scale.offset) / scale.step);
  if (end <= 65534) table.fill(packed(SATURATED), Math.max(end, 0), 65535);
  else table[65534] = packed(SATURATED);
  table[MASKED] = packed(MASK_COLOURS[palette]);
  return table;
}
