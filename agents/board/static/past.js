// The time machine: the board as it was at a moment, and on from there at sixty times the speed.

import { TextField, field, setAttribute } from "./dom.js";
import { windowName } from "./format.js";
import { locale, strings } from "./strings.js";
import { fromLocal, toLocal } from "./zone.js";
import { keyOf } from "./tile.js";

const STEP_MS = 1_000;
const SPEED = 60;
const QUARTER_MS = 15 * 60 * 1_000;
const FIRST_LOOK_BACK_MS = 10 * 60 * 1_000;

export class Past {
  #form;
  #detail;
  #handlers;
  #at = null;
  #zone = "UTC";
  #timer = 0;
  #asked = 0;

  /** `handlers.live()` gives the last live snapshot; `handlers.show(snapshot)` shows one, null being the live one. */
  constructor(form, handlers) {
    this.#form = form;
    this.#detail = new TextField(field(form, "detail"));
    this.#handlers = handlers;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.elements.moment.addEventListener("change", () => this.#pick());
    form.elements.play.addEventListener("click", () => this.#play(this.#timer === 0));
    form.elements.live.addEventListener("click", () => this.leave());
  }

  /** Tell whether the board shows the past. */
  get open() {
    return this.#at !== null;
  }

  /** Open at a little before now, or go back to now. */
  toggle() {
    if (this.open) {
      this.leave();
      return;
    }
    const live = this.#handlers.live();
    if (live !== null) {
      this.#zone = live.timezone;
      setAttribute(this.#form, "hidden", null);
      this.#go(Date.parse(live.time) - FIRST_LOOK_BACK_MS);
      this.#form.elements.moment.focus();
    }
  }

  /** Show the live board again. */
  leave() {
    this.#play(false);
    this.#at = null;
    this.#asked += 1;
    setAttribute(this.#form, "hidden", "");
    this.#handlers.show(null);
  }

  #pick() {
    const text = this.#form.elements.moment.value;
    if (text) {
      this.#go(fromLocal(text, this.#zone));
    }
  }

  #play(playing) {
    clearInterval(this.#timer);
    this.#timer = playing ? setInterval(() => this.#step(), STEP_MS) : 0;
    this.#form.elements.play.textContent = playing ? strings.pause : strings.play;
  }

  #step() {
    const next = this.#at + STEP_MS * SPEED;
    if (next >= Date.parse(this.#handlers.live().time)) {
      this.leave();
    } else {
      this.#go(next);
    }
  }

  async #go(at) {
    this.#at = at;
    this.#form.elements.moment.value = toLocal(at, this.#zone);
    const asked = (this.#asked += 1);
    const live = this.#handlers.live();
    let snapshot = null;
    try {
      snapshot = (await rollingAt(at, live)) ?? (await quarterAt(at, this.#zone));
    } catch {
      // As when nothing is stored: the line beside the moment says so, and what was shown stays.
    }
    // Another moment may have been picked meanwhile.
    if (asked !== this.#asked) {
      return;
    }
    this.#detail.set(snapshot === null ? strings.pastNothing : snapshot.detail(this.#zone));
    if (snapshot !== null) {
      this.#handlers.show({ ...live, time: new Date(at).toISOString(), rows: promised(snapshot.rows, live.rows) });
    }
  }
}

const shortTime = (at, zone) =>
  new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", timeZone: zone }).format(at);

/** Return the rows of the rolling window up to `at`; null when these are not kept so long. */
async function rollingAt(at, live) {
  const window = live.window === "today" ? live.windows[0] : live.window;
  const answer = await fetch(`api/v1/queues?${new URLSearchParams({ window, at: new Date(at).toISOString() })}`);
  if (!answer.ok) {
    return null;
  }
  const { rows } = await answer.json();
  return { rows, detail: (zone) => strings.pastDetail(shortTime(at, zone), strings.last(windowName(window))) };
}

/** Return the rows of the quarter of an hour that `at` lies in; null when there are none. */
async function quarterAt(at, zone) {
  const from = Math.floor(at / QUARTER_MS) * QUARTER_MS;
  const span = { from: new Date(from).toISOString(), to: new Date(from + QUARTER_MS).toISOString(), interval: "15m" };
  const answer = await fetch(`api/v1/intervals?${new URLSearchParams(span)}`);
  const rows = answer.ok ? (await answer.json()).rows : [];
  return rows.length === 0 ? null : { rows, detail: () => strings.pastQuarter(shortTime(from, zone)) };
}

/** Give past rows the promises of today, by which they are judged; a queue with contacts is taken for open. */
function promised(rows, live) {
  const promises = new Map(live.map((row) => [keyOf(row), row.promise]));
  return rows.map((row) => {
    const promise = promises.get(keyOf(row)) ?? null;
    return { ...row, promise: promise === null ? null : { ...promise, open: true } };
  });
}
