// The last hour of a queue: three charts, the percentiles of its waits, who waits since when, its agents.

import { Chart, WHOLE, shareLabel } from "./charts.js";
import { TextField, setAttribute } from "./dom.js";
import { count, duration } from "./format.js";
import { timeFormat } from "./hands.js";
import { strings } from "./strings.js";

const QUARTER_S = [300, 600, 900, 1800];

const cell = (text, tag = "td") => {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
};

/** Fill a list of terms and what they come to. */
function fill(list, pairs) {
  list.replaceChildren(...pairs.flatMap(([term, value]) => [cell(term, "dt"), cell(value, "dd")]));
}

export class Trend {
  #at;
  #charts = null;
  #promise = null;
  #waits = [];
  #more;
  #clock;
  #format = null;

  constructor(page) {
    this.#at = (id) => page.getElementById(id);
    this.#more = new TextField(this.#at("more"));
  }

  /** Take the promises and the percentiles of the queue's live row. */
  hold(row) {
    this.#promise = row.promise;
    fill(this.#at("waits"), Object.entries(row.wait_seconds).map(([name, seconds]) => [
      strings.percentile(name.slice(1)),
      seconds === null ? strings.dash : duration(seconds),
    ]));
  }

  /** Show an answer of /api/v1/trend. */
  show(told) {
    this.#format ??= timeFormat(told.timezone, "short");
    this.#clock ??= timeFormat(told.timezone, "medium");
    this.#charts ??= this.#build();
    const { times, queue_length: lengths, service_level: levels, abandonment_rate: abandoned } = told;
    const flat = (value) => times.map(() => value ?? null);
    this.#charts[0].show([times, lengths, flat(this.#promise?.queue_length_limit)]);
    this.#charts[1].show([times, levels, flat(this.#promise?.target_ratio)]);
    this.#charts[2].show([times, abandoned, flat(this.#promise?.abandonment_ratio)]);
    this.#showWaiting(told.waiting);
    this.#showAgents(told.agents);
  }

  /** Carry the waits on to `now` (epoch milliseconds). */
  tick(now) {
    for (const { since, shown } of this.#waits) {
      shown.set(duration(Math.floor((now - since) / 1000)));
    }
  }

  #build() {
    const time = (at) => this.#format.format(at * 1000);
    const shares = { value: (share) => shareLabel.format(share), share: 1, steps: QUARTER_S, marks: [0.25, 0.5], time };
    const parts = { ...shares, share: undefined, floor: 0.1, marks: [0.02, 0.05, 0.1, 0.25, 0.5] };
    const dashed = { colour: "--text", dash: [6, 5] };
    const target = { ...dashed, label: strings.target };
    const limit = { ...dashed, label: strings.limit };
    const own = { colour: "--on_contact" };
    const root = this.#at("charts");
    const lengths = { value: (n) => count(n), floor: 4, marks: WHOLE, steps: QUARTER_S, time };
    return [
      new Chart(root, strings.queueLength, [{ ...own, steps: true }, limit], lengths),
      new Chart(root, strings.serviceLevel, [own, target], shares),
      new Chart(root, strings.abandoned, [own, limit], parts),
    ];
  }

  #showWaiting({ count: waiting, first }) {
    setAttribute(this.#at("nobody"), "hidden", waiting > 0 ? "" : null);
    setAttribute(this.#at("waiting"), "hidden", waiting > 0 ? null : "");
    this.#more.set(waiting > first.length ? strings.moreWait(count(waiting - first.length)) : "");
    this.#waits = first.map(({ since }) => {
      const waited = document.createElement("td");
      return { since: Date.parse(since), waited, shown: new TextField(waited) };
    });
    this.#at("waiting").tBodies[0].replaceChildren(...this.#waits.map(({ since, waited }, i) => {
      const line = document.createElement("tr");
      line.append(cell(count(i + 1)), cell(this.#clock.format(since)), waited);
      return line;
    }));
  }

  #showAgents(states) {
    const known = Object.keys(strings.states).filter((state) => states[state] > 0);
    setAttribute(this.#at("no-agents"), "hidden", known.length > 0 ? "" : null);
    fill(this.#at("agents"), known.map((state) => [strings.states[state], count(states[state])]));
  }
}
