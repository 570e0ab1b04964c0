// @ts-check
// Fetches the rows of a run from the columns address of the API, as float32: first all of them, then those that are new.

const RETRY_MS = 1500;

/** An answer that is not the rows; its message is shown to the user. */
class RefusedError extends Error {}

/** Fills rows from the server; whoever owns it says when there may be more, with pull(). */
export class Source {
  /**
   * @param {string} url columns address of a run
   * @param {string[]} columns
   * @param {import("./rows.js").Rows} rows to be filled
   * @param {{onRows: () => void, onReplaced: () => void, onDone: () => void}} listener told of rows that have arrived,
   *   of a ledger that was replaced (all rows are new), and of the end of a pull, successful or not
   */
  constructor(url, columns, rows, listener) {
    this.url = url;
    this.names = ["outcome", ...columns].join(",");
    this.rows = rows;
    this.listener = listener;
    this.problem = ""; // a sentence while the server does not give rows
    this.isLoading = true; // until the first pull has ended
    this.isPulling = false;
    this.mustPullAgain = false;
    this.generation = ""; // of the ledger, as the server counts
    this.closing = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
  }

  get isClosed() {
    return this.closing.signal.aborted;
  }

  close() {
    this.closing.abort();
    clearTimeout(this.retry);
  }

  /** Fetch the rows that are new. A call while rows are on their way makes it look once more after them. */
  async pull() {
    if (this.isClosed) return;
    if (this.isPulling) {
      this.mustPullAgain = true;
      return;
    }
    this.isPulling = true;
    clearTimeout(this.retry);
    try {
      let hasMore = true;
      while (hasMore) {
        this.mustPullAgain = false;
        hasMore = (await this.pullOnce()) || this.mustPullAgain;
      }
      this.problem = "";
    } catch (error) {
      if (!this.isClosed) {
        this.problem = error instanceof RefusedError ? error.message : "The server is not responding; retrying.";
        this.retry = setTimeout(() => this.pull(), RETRY_MS);
      }
    } finally {
      this.isPulling = false;
      this.isLoading = false;
      this.listener.onDone();
    }
  }

  /** Fetch one block of rows; returns whether there may be more. */
  async pullOnce() {
    const { rows } = this;
    const generation = rows.n ? `&generation=${this.generation}` : "";
    const address = `${this.url}?names=${this.names}&since=${rows.n}${generation}`;
    const reply = await fetch(address, { signal: this.closing.signal });
    if (!reply.ok) throw await refusal(reply);
    const from = Number(reply.headers.get("X-Rows-From"));
    this.generation = reply.headers.get("X-Generation") ?? "";
    const block = new Float32Array(await reply.arrayBuffer());
    if (from !== rows.n) {
      rows.clear(); // the ledger was replaced
      this.listener.onReplaced();
      if (from !== 0) return true;
    }
    if (!block.length) return false;
    rows.add(block);
    this.listener.onRows();
    return true;
  }
}

/** @param {Response} reply */
async function refusal(reply) {
  const answer = await reply.json().catch(() => null);
  return answer?.error?.message ? new RefusedError(answer.error.message) : new Error(`status ${reply.status}`);
}
