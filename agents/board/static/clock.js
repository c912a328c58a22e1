// The board's own clock, carried on in the browser, so that waits and the time of day tick between snapshots.

const MEMORY = 30;
const STEP_MS = 2_000;

export class ServerClock {
  // Local time minus server time, of the last snapshots: the smallest is the one that travelled fastest. Keeping to
  // it holds a ticking wait steady, where following each arrival would make it stutter.
  #offsets = [];

  /** Take in the server's time (epoch milliseconds) of a snapshot that has just arrived. */
  hear(serverTime) {
    const offset = performance.now() - serverTime;
    if (this.#offsets.length > 0 && Math.abs(offset - this.#offsets.at(-1)) > STEP_MS) {
      this.#offsets = [];
    }
    this.#offsets.push(offset);
    if (this.#offsets.length > MEMORY) {
      this.#offsets.shift();
    }
  }

  /** Return the server's time now in epoch milliseconds; null before the first snapshot. */
  now() {
    return this.#offsets.length > 0 ? performance.now() - Math.min(...this.#offsets) : null;
  }
}
