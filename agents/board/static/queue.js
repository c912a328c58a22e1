// One queue's own page: its figures live, its last hour, who waits, its agents, its day against a week ago.

import { keepInAddress, readAddress } from "./address.js";
import { Breaches } from "./breaches.js";
import { Choice } from "./choice.js";
import { Day } from "./day.js";
import { TextField, setAttribute } from "./dom.js";
import { windowName } from "./format.js";
import { WallClock } from "./hands.js";
import { Headline } from "./headline.js";
import { Alarm, Banner } from "./notices.js";
import { Totals } from "./overview.js";
import { Stream } from "./stream.js";
import { fillText, offerLanguages, strings } from "./strings.js";
import { toggleTheme } from "./theme.js";
import { Trend } from "./trend.js";

const TREND_EVERY_MS = 5_000;
const DAY_EVERY_MS = 60_000;
const TICK_EVERY_MS = 200;

const byId = (id) => document.getElementById(id);
fillText(document);
offerLanguages(byId("language"));

const given = new URLSearchParams(location.search);
const place = { queue: given.get("queue") ?? "", channel: given.get("channel") || null };
const address = readAddress();
document.title = `${place.queue} · callwatch`;

const banner = new Banner(byId("banner"));
const alarm = new Alarm(byId("alarm"));
const clock = new WallClock(byId("clock"), byId("age"));
const headline = new Headline(byId("headline"), place);
const totals = new Totals(byId("totals"), (row) => row.promise?.formula ?? "answered_of_offered");
const breaches = new Breaches();
const trend = new Trend(document);
const day = new Day(document);
const unknown = new TextField(byId("unknown"));

let latest = null;

const own = (snapshot) =>
  snapshot.rows.find((row) => row.queue === place.queue && (place.channel === null || row.channel === place.channel));

function show(snapshot) {
  const first = latest === null;
  latest = snapshot;
  clock.hear(snapshot);
  windowChoice.show(snapshot.windows.map((name) => [name, windowName(name)]), address.window ?? snapshot.window);
  const row = own(snapshot);
  if (row !== undefined) {
    const time = Date.parse(snapshot.time);
    totals.show(row, time);
    trend.hold(row);
    const level = headline.show(row);
    breaches.ask(snapshot.window, level === "breach");
    headline.showSince(level === "breach" ? breaches.of(row) : undefined, time, clock.short);
  }
  if (first) {
    askTrend();
    askDay();
  }
}

/** Ask the board about this queue; return its answer, or null while it has none. */
async function ask(path, beyond = {}) {
  const asked = new URLSearchParams({ queue: place.queue, ...(place.channel && { channel: place.channel }), ...beyond });
  try {
    const answer = await fetch(`api/v1/${path}?${asked}`);
    const told = await answer.json();
    const gone = answer.status === 400 && own(latest) === undefined;
    setAttribute(byId("unknown"), "hidden", gone ? null : "");
    unknown.set(gone ? strings.unknownQueue : "");
    return answer.ok ? told : null;
  } catch {
    // The banner says that the connection is lost; what was shown stays.
    return null;
  }
}

async function askTrend() {
  // A day has no moving window: its trend is that of the first one there is.
  const window = latest.window === "today" ? latest.windows[1] : latest.window;
  const told = await ask("trend", { window });
  if (told !== null) {
    trend.show(told);
  }
}

async function askDay() {
  const told = await ask("weekday");
  if (told !== null) {
    day.show(told, latest.timezone, own(latest)?.promise?.formula ?? "answered_of_offered");
  }
}

function showFreshness(silence, lost) {
  alarm.show(lost);
  clock.showAge(latest?.pipeline.age_seconds ?? null, silence);
  if (lost) {
    banner.lost(silence);
  } else if (latest !== null) {
    banner.pipeline(latest.pipeline);
  }
  const waiting = latest === null || latest.window !== (address.window ?? latest.window);
  const freshness = lost ? "lost" : waiting ? "connecting" : latest.pipeline.stale ? "stale" : "live";
  setAttribute(document.body, "data-freshness", freshness);
}

function tick() {
  const now = clock.tick();
  if (now !== null && document.body.dataset.freshness === "live") {
    totals.tick(now);
    trend.tick(now);
  }
}

const windowChoice = new Choice(byId("window-choice"), "window", (name) => {
  address.window = name;
  keepInAddress("window", name);
  breaches.forget();
  stream.open(name);
  showFreshness(0, false);
});
byId("theme-toggle").addEventListener("click", toggleTheme);
byId("report").href = `report?${new URLSearchParams({ queue: place.queue })}`;

const stream = new Stream(address.window, { snapshot: show, watch: showFreshness, refused: () => stream.open(null) });
setInterval(tick, TICK_EVERY_MS);
setInterval(() => latest && askTrend(), TREND_EVERY_MS);
setInterval(() => latest && askDay(), DAY_EVERY_MS);
