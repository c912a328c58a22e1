// What the wall clock shows: the call center's time of day, and how old the figures beside it are.

import { ServerClock } from "./clock.js";
import { TextField, field } from "./dom.js";
import { span } from "./format.js";
import { locale, strings } from "./strings.js";

/** Return a format of times of day in `zone`, of the style "medium" (with seconds) or "short". */
export const timeFormat = (zone, timeStyle) =>
  new Intl.DateTimeFormat(locale, { timeStyle, timeZone: zone, hourCycle: "h23" });

export class WallClock {
  #server = new ServerClock();
  #time;
  #zone;
  #age;
  #format = null;
  #timezone = null;

  constructor(root, age) {
    this.#time = new TextField(field(root, "time"));
    this.#zone = new TextField(field(root, "zone"));
    this.#age = new TextField(age);
  }

  /** Take in the time and the zone of a snapshot that has just arrived. */
  hear({ time, timezone }) {
    this.#server.hear(Date.parse(time));
    if (timezone !== this.#timezone) {
      this.#timezone = timezone;
      this.#format = timeFormat(timezone, "medium");
      this.short = timeFormat(timezone, "short");
      this.#zone.set(timezone.split("/").at(-1).replaceAll("_", " "));
    }
  }

  /** Show how old the figures are: `age` seconds when they arrived (null: not known), `silence` milliseconds ago. */
  showAge(age, silence) {
    this.#age.set(age === null ? "" : strings.age(span(Math.round(age + silence / 1000))));
  }

  /** Show the time of day; return it (epoch milliseconds), or null before the first snapshot. */
  tick() {
    const now = this.#server.now();
    if (now !== null) {
      this.#time.set(this.#format.format(now));
    }
    return now;
  }
}
