// The live stream: server-sent events, with a watchdog for the silences that EventSource does not notice.

const LOST_AFTER_MS = 3_000;
const REOPEN_AFTER_MS = 5_000;
const WATCH_EVERY_MS = 500;

export class Stream {
  #source = null;
  #window;
  #openedAt = 0;
  #answered = false;
  #heardAt = performance.now();
  #handlers;

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
    source.addEventListener("snapshot", (event) => this.#hear(source, event));
    source.addEventListener("error", () => this.#fail(source));
    this.#source = source;
  }

  #url() {
    return this.#window === null ? "api/v1/stream" : `api/v1/stream?window=${encodeURIComponent(this.#window)}`;
  }

  #hear(source, event) {
    if (source !== this.#source) {
      return;
    }
    const snapshot = JSON.parse(event.data);
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
