// Today against the same weekday a week before: the figures so far, and what was offered in each half hour.

import { Chart, WHOLE } from "./charts.js";
import { TextField } from "./dom.js";
import { count, duration, percent } from "./format.js";
import { timeFormat } from "./hands.js";
import { locale, strings } from "./strings.js";

const HALF_HOURS = 48;
const EVERY = [4, 6, 8, 12];

const clockOf = (half) => `${String(Math.floor(half / 2)).padStart(2, "0")}:${half % 2 ? "30" : "00"}`;

export class Day {
  #body;
  #until;
  #chartRoot;
  #chart = null;

  constructor(page) {
    this.#body = page.getElementById("day").tBodies[0];
    this.#until = new TextField(page.getElementById("until"));
    this.#chartRoot = page.getElementById("day-chart");
  }

  /** Show an answer of /api/v1/weekday; service level is the one by `formula`. */
  show(told, zone, formula) {
    this.#until.set(strings.upTo(timeFormat(zone, "short").format(Date.parse(told.until))));
    const days = [[strings.today, told.today], [strings.weekBefore, told.before]];
    this.#body.replaceChildren(...days.map(([name, day]) => lineOf(name, day, formula)));
    this.#chart ??= new Chart(
      this.#chartRoot,
      "",
      [
        { label: strings.today, colour: "--on_contact" },
        { label: strings.weekBefore, colour: "--muted", dash: [6, 5] },
      ],
      { value: (n) => count(n), time: (half) => clockOf(half), steps: EVERY, floor: 4, marks: WHOLE },
    );
    const halves = Array.from({ length: HALF_HOURS }, (_, half) => half);
    const passed = halves.filter((half) => told.today.half_hours[clockOf(half)] !== undefined).at(-1) ?? -1;
    const offered = (day, last) =>
      halves.map((half) => (half > last ? null : (day.half_hours[clockOf(half)]?.offered ?? 0)));
    this.#chart.show([halves, offered(told.today, passed), offered(told.before, HALF_HOURS)]);
  }
}

function lineOf(name, { date, figures }, formula) {
  const line = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  const shown = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeZone: "UTC" }).format(Date.parse(date));
  head.textContent = `${name} · ${shown}`;
  const seconds = (value) => (value === null ? strings.dash : duration(value));
  const values =
    figures === null
      ? Array(6).fill(strings.dash)
      : [
          count(figures.offered),
          count(figures.answered),
          percent(figures.service_level[formula]),
          percent(figures.abandonment_rate),
          seconds(figures.average_speed_of_answer_seconds),
          seconds(figures.average_handle_time_seconds),
        ];
  line.append(head, ...values.map((value) => Object.assign(document.createElement("td"), { textContent: value })));
  return line;
}
