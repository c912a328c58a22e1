// The report by interval, in the form that supervisors know from their switch, and the same as CSV.

import { count, duration, percent } from "./format.js";
import { fillText, locale, offerLanguages, strings } from "./strings.js";
import { toggleTheme } from "./theme.js";
import { csvOf } from "./csv.js";
import { fromLocal, toLocal } from "./zone.js";

const DAY_MS = 86_400_000;

const byId = (id) => document.getElementById(id);
const form = byId("question");
const asked = form.elements;
fillText(document);
offerLanguages(byId("language"));
byId("theme-toggle").addEventListener("click", toggleTheme);
document.title = `${strings.report} · callwatch`;

const seconds = (value) => (value === null ? strings.dash : duration(value));

/** Columns: word, name in the CSV, what a row has there, how it is shown. */
const COLUMNS = [
  [strings.offered, "offered", (row) => row.offered, count],
  [strings.answered, "answered", (row) => row.answered, count],
  [strings.abandoned, "abandoned", (row) => row.abandoned, count],
  [strings.left, "left", (row) => row.left, count],
  [strings.serviceLevel, "service_level", (row) => row.service_level[formulaOf(row)], percent],
  [`${strings.abandoned} %`, "abandonment_rate", (row) => row.abandonment_rate, percent],
  [strings.speedOfAnswer, "average_speed_of_answer_seconds", (row) => row.average_speed_of_answer_seconds, seconds],
  ["P90", "wait_p90_seconds", (row) => row.wait_seconds.p90, seconds],
  [strings.handleTime, "average_handle_time_seconds", (row) => row.average_handle_time_seconds, seconds],
];

let zone = "UTC";
let formulas = new Map();
let csvAddress = null;

// A queue is held to its own formula; all together, and a queue that is gone, to the usual one.
const formulaOf = (row) => formulas.get(row.queue) ?? "answered_of_offered";

async function start() {
  const { time, timezone, rows } = await firstSnapshot();
  zone = timezone;
  byId("zone").textContent = zone;
  const queues = rows.filter((row) => row.queue !== null);
  formulas = new Map(queues.map((row) => [row.queue, row.promise?.formula]));
  const given = new URLSearchParams(location.search);
  const names = [...new Set([...formulas.keys(), given.get("queue")].filter(Boolean))].sort();
  asked.queue.append(new Option(strings.allQueues, ""), ...names.map((name) => new Option(name, name)));
  asked.interval.append(...Object.entries(strings.intervals).map(([value, word]) => new Option(word, value)));
  const now = Date.parse(time);
  asked.from.value = given.get("from") ?? `${toLocal(now, zone).slice(0, 10)}T00:00`;
  asked.to.value = given.get("to") ?? `${toLocal(now + DAY_MS, zone).slice(0, 10)}T00:00`;
  asked.interval.value = given.get("interval") ?? "30m";
  asked.queue.value = given.get("queue") ?? "";
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    show();
  });
  await show();
}

/** Return one snapshot of the live stream: it tells the time zone, the queues, and their formulas. */
function firstSnapshot() {
  return new Promise((resolve) => {
    const source = new EventSource("api/v1/stream");
    source.addEventListener("snapshot", (event) => {
      source.close();
      resolve(JSON.parse(event.data));
    });
  });
}

async function show() {
  const { from, to, interval, queue } = Object.fromEntries(new FormData(form));
  history.replaceState(null, "", `?${new URLSearchParams({ from, to, interval, ...(queue && { queue }) })}`);
  const span = { from: iso(from), to: iso(to), interval, ...(queue && { queue }) };
  try {
    const answer = await fetch(`api/v1/intervals?${new URLSearchParams(span)}`);
    const told = await answer.json();
    if (answer.ok) {
      showRows(told.rows);
    } else {
      fail(told.error);
    }
  } catch {
    fail(strings.lostTitle);
  }
}

const iso = (text) => new Date(fromLocal(text, zone)).toISOString();

function fail(why) {
  byId("result").textContent = `${strings.reportFailed}: ${why}`;
}

function showRows(rows) {
  byId("result").textContent = rows.length === 0 ? strings.noRows : strings.rows(count(rows.length));
  const table = byId("rows");
  const heads = [strings.start, strings.queue, strings.channel, ...COLUMNS.map(([word]) => word)];
  table.tHead.replaceChildren(lineOf(heads.map((word) => Object.assign(element("th", word), { scope: "col" }))));
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23", timeZone: zone });
  table.tBodies[0].replaceChildren(...rows.map((row) => {
    const head = Object.assign(element("th", format.format(Date.parse(row.start))), { scope: "row" });
    const named = [row.queue ?? strings.allQueues, strings.channels[row.channel] ?? row.channel ?? ""];
    const values = COLUMNS.map(([, , of, shown]) => element("td", shown(of(row))));
    const line = lineOf([head, ...named.map((name) => element("td", name)), ...values]);
    line.classList.toggle("all", row.queue === null);
    return line;
  }));
  offerCsv(rows);
}

function offerCsv(rows) {
  const heads = ["start", "queue", "channel", ...COLUMNS.map(([, name]) => name)];
  const lines = rows.map((row) => [row.start, row.queue ?? "all", row.channel, ...COLUMNS.map(([, , of]) => of(row))]);
  URL.revokeObjectURL(csvAddress);
  csvAddress = URL.createObjectURL(new Blob([csvOf([heads, ...lines])], { type: "text/csv" }));
  const link = byId("csv");
  link.href = csvAddress;
  link.download = `callwatch-${asked.from.value.slice(0, 10)}-${asked.interval.value}.csv`;
  link.hidden = rows.length === 0;
}

const element = (tag, text) => Object.assign(document.createElement(tag), { textContent: text });

function lineOf(cells) {
  const line = document.createElement("tr");
  line.append(...cells);
  return line;
}

start();
