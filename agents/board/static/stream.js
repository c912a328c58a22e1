// The live stream: server-sent events, with a watchdog for the silences that EventSource does not notice.

import { keyOf } from "./tile.js";

const LOST_AFTER_MS = 3_000;
const REOPEN_AFTER_MS = 5_000;
const WATCH_EVERY_MS = 500;

/** Return a row as it is after `elapsed` milliseconds in which nothing but time has changed it. */
export function waitedOn(row, elapsed) {
  const longest = row.longest_wait_seconds;
  return longest === null || elapsed === 0
    ? row
    : { ...row, longest_wait_seconds: Math.max(0, Math.round(longest * 1000) + elapsed) / 1000 };
}

export class Stream {
  #source = null;
  #window;
  #openedAt = 0;
  #answered = false;
  #heardAt = performance.now();
  #handlers;
  #snapshot = null;
  #rows = new Map();

  /**
   * Open the stream of `window`; null leaves the choice to the board.
   *
   * `handlers.snapshot(snapshot)` gets each snapshot, `handlers.watch(silence, lost)` twice a second the milliseconds
   * since the last one, `handlers.refused()` is called when the board does not know the window.
   */
  constructor(window, handlers) {
    this.#handlers = handlers;
    this.open(window);
    setInterval(() => this.#watch(), WATCH_EVERY_MS);
    addEventListener("online", () => this.open(this.#window));
    document.addEventListener("visibilitychange", () => this.#watch());
  }

  /** Close what is open and open the stream of `window`. */
  open(window) {
    this.#source?.close();
    this.#window = window;
    this.#openedAt = performance.now();
    this.#answered = false;
    const source = new EventSource(this.#url());
    source.addEventListener("snapshot", (event) => this.#hear(source, event, (data) => this.#begin(data)));
    source.addEventListener("changes", (event) => this.#hear(source, event, (data) => this.#change(data)));
    source.addEventListener("error", () => this.#fail(source));
    this.#source = source;
  }

  #url() {
    const asked = new URLSearchParams(this.#window === null ? {} : { window: this.#window });
    asked.set("changes", "yes");
    return `api/v1/stream?${asked}`;
  }

  #begin(snapshot) {
    this.#rows = new Map();
    this.#take(snapshot);
    return snapshot;
  }

  // What is not named has not changed, but for its longest wait, which time carries on.
  #change({ gone, ...changes }) {
    for (const place of gone) {
      this.#rows.delete(JSON.stringify(place));
    }
    this.#take(changes);
    const now = Date.parse(changes.time);
    const rows = [...this.#rows.values()].map(({ row, at }) => waitedOn(row, now - at));
    return { ...this.#snapshot, ...changes, rows };
  }

  #take({ rows, time }) {
    const at = Date.parse(time);
    for (const row of rows) {
      this.#rows.set(keyOf(row), { row, at });
    }
  }

  #hear(source, event, taken) {
    if (source !== this.#source) {
      return;
    }
    const snapshot = taken(JSON.parse(event.data));
    this.#snapshot = snapshot;
    this.#heardAt = performance.now();
    this.#openedAt = this.#heardAt;
    this.#answered = true;
    this.#handlers.snapshot(snapshot);
    this.#handlers.watch(0, false);
  }

  // EventSource tries again by itself unless it got an HTTP error, and then it does not say which: ask once. A 4xx
  // is about this request, and waiting will not mend it. A stream that has sent something was not refused: it ends
  // this way when the page is left.
  async #fail(source) {
    if (this.#answered || source !== this.#source || source.readyState !== EventSource.CLOSED) {
      return;
    }
    const stop = new AbortController();
    try {
      const { status } = await fetch(this.#url(), { signal: stop.signal });
      if (status === 401) {
        location.assign(`login?next=${encodeURIComponent(location.pathname + location.search)}`);
      } else if (status >= 400 && status < 500 && source === this.#source) {
        this.#handlers.refused();
      }
    } catch {
      // Not reachable at all: the watchdog goes on trying.
    } finally {
      stop.abort();
    }
  }

  #watch() {
    const now = performance.now();
    const lost = now - this.#heardAt > LOST_AFTER_MS;
    this.#handlers.watch(now - this.#heardAt, lost);
    if (lost && now - this.#openedAt > REOPEN_AFTER_MS) {
      this.open(this.#window);
    }
  }
}
