// @ts-check
// The columns of a run that are shown, one row per frame. Rows are only ever added, or all of them replaced.

const MIN_CAPACITY = 1024;

/** Columns as arrays that grow by doubling. */
export class Rows {
  /** @param {number} nColumns */
  constructor(nColumns) {
    const columns = new Array(nColumns).fill(0);
    this.nColumns = nColumns;
    this.n = 0;
    this.outcome = new Uint8Array(0);
    this.values = columns.map(() => new Float32Array(0));
    this.known = columns.map(() => new Uint32Array(0)); // rows that have a value, in order
    this.nKnown = columns.map(() => 0);
    this.low = columns.map(() => Infinity); // lowest and highest value
    this.high = columns.map(() => -Infinity);
  }

  clear() {
    Object.assign(this, new Rows(this.nColumns));
  }

  /**
   * Add rows.
   * @param {Float32Array} block row by row: the outcome, then the value of each column, NaN where there is none
   */
  add(block) {
    const width = this.nColumns + 1;
    const nNew = block.length / width;
    const capacity = this.outcome.length;
    if (this.n + nNew > capacity) this.reserve(Math.max(this.n + nNew, 2 * capacity, MIN_CAPACITY));
    for (let row = 0; row < nNew; row++) this.outcome[this.n + row] = block[row * width];
    for (let column = 0; column < this.nColumns; column++) this.addColumn(column, block, width, nNew);
    this.n += nNew;
  }

  /**
   * @param {number} column
   * @param {Float32Array} block
   * @param {number} width of a row of the block
   * @param {number} nNew
   */
  addColumn(column, block, width, nNew) {
    const values = this.values[column];
    const known = this.known[column];
    let low = this.low[column];
    let high = this.high[column];
    let nKnown = this.nKnown[column];
    for (let row = 0, at = column + 1; row < nNew; row++, at += width) {
      const value = block[at];
      values[this.n + row] = value;
      if (Number.isNaN(value)) continue;
      known[nKnown++] = this.n + row;
      if (value < low) low = value;
      if (value > high) high = value;
    }
    this.nKnown[column] = nKnown;
    this.low[column] = low;
    this.high[column] = high;
  }

  /** @param {number} capacity in rows */
  reserve(capacity) {
    this.outcome = copied(this.outcome, new Uint8Array(capacity));
    this.values = this.values.map((old) => copied(old, new Float32Array(capacity)));
    this.known = this.known.map((old) => copied(old, new Uint32Array(capacity)));
  }

  /**
   * Whether no row has a value in a column.
   * @param {number} column
   */
  isEmpty(column) {
    return this.nKnown[column] === 0;
  }

  /**
   * Index, among the rows with a value in a column, of the first one at or after a row.
   * @param {number} column
   * @param {number} row
   */
  firstKnown(column, row) {
    const known = this.known[column];
    let low = 0;
    let high = this.nKnown[column];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (known[middle] < row) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * @template {Uint8Array | Uint32Array | Float32Array} T
 * @param {T} from
 * @param {T} to longer
 */
function copied(from, to) {
  to.set(from);
  return to;
}
