// How many contacts were offered, over the period, against the same weekday before.

import { Chart, WHOLE } from "./charts.js";
import { words } from "./figures-words.js";
import { count } from "./format.js";
import { locale } from "./strings.js";

const HOUR_S = 3_600;
const DAY_S = 86_400;
const HEIGHT = 270;
const ALL = ["queue", "channel"];

/** By what a period is counted: the API's name, and how far apart labels may stand, in seconds. */
export const STEPS = {
  "1h": ["interval", [HOUR_S / 4]],
  today: ["interval", [HOUR_S, 2 * HOUR_S, 4 * HOUR_S]],
  "24h": ["interval", [HOUR_S, 2 * HOUR_S, 4 * HOUR_S]],
  "7d": ["day", [DAY_S]],
  "28d": ["day", [DAY_S, 7 * DAY_S]],
  month: ["day", [DAY_S, 7 * DAY_S]],
  quarter: ["week", [7 * DAY_S, 14 * DAY_S]],
};

export class Volume {
  #root;
  #chart = null;
  #shape = null;

  constructor(root) {
    this.#root = root;
  }

  /** Show an answer of /api/v1/volume of one queue and channel (null: all together), by the zone's clocks. */
  show({ rows }, period, place, zone) {
    const own = rows.filter((row) => ALL.every((name) => row[name] === place[name]));
    const shape = `${period} ${zone}`;
    if (shape !== this.#shape) {
      this.#shape = shape;
      this.#root.replaceChildren();
      this.#chart = this.#build(period, zone);
    }
    const column = (of) => own.map(of);
    this.#chart.show([
      column((row) => Date.parse(row.start) / 1000),
      column((row) => row.offered),
      column((row) => row.same_weekday_before ?? null),
    ]);
  }

  #build(period, zone) {
    const [by, steps] = STEPS[period];
    const style = by === "interval" ? { timeStyle: "short", hourCycle: "h23" } : { day: "numeric", month: "short" };
    const format = new Intl.DateTimeFormat(locale, { ...style, timeZone: zone });
    const lines = [
      { label: words.volumeNow, colour: "--on_contact", steps: true },
      { label: words.volumeBefore, colour: "--muted", dash: [6, 5], steps: true },
    ];
    const time = (at) => format.format(at * 1000);
    return new Chart(this.#root, "", lines, { value: (n) => count(n), time, steps, floor: 4, height: HEIGHT, marks: [...WHOLE, 5_000, 10_000] });
  }
}
