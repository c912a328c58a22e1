// Since when queues have been in breach: the board knows it from what is stored, so that a reload forgets nothing.

import { keyOf } from "./tile.js";

const ASK_EVERY_MS = 5_000;

export class Breaches {
  #since = new Map();
  #askedAt = -Infinity;

  /** Return since when a row has been in breach, {at (epoch milliseconds), atLeast}; undefined when not known. */
  of(row) {
    return this.#since.get(keyOf(row));
  }

  /** Ask the board anew if it is time to; `window` is the rolling window that is shown. */
  async ask(window, wanted) {
    const now = performance.now();
    // A day has no moving window: since when it is below its target is not told.
    if (!wanted || window === "today" || now - this.#askedAt < ASK_EVERY_MS) {
      return;
    }
    this.#askedAt = now;
    try {
      const answer = await fetch(`api/v1/breaches?window=${encodeURIComponent(window)}`);
      const rows = answer.ok ? (await answer.json()).rows : [];
      this.#since = new Map(rows.map((row) => [keyOf(row), { at: Date.parse(row.since), atLeast: row.at_least }]));
    } catch {
      // The banner says that the connection is lost; what was known stays.
    }
  }

  /** Forget, as the window is another one now. */
  forget() {
    this.#since.clear();
    this.#askedAt = -Infinity;
  }
}
