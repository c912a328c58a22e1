// The page of customer service: every figure of a period, by queue and channel.

import { keepInAddress } from "./address.js";
import { Choice } from "./choice.js";
import { TextField, setAttribute } from "./dom.js";
import { showChannels, showPeople, showQueues, showRow, showSubjects } from "./figures-panels.js";
import { STEPS, Volume } from "./figures-volume.js";
import { fillWords, words } from "./figures-words.js";
import { WallClock } from "./hands.js";
import { fillHelp, listenToKeys } from "./keys.js";
import { Alarm, Banner } from "./notices.js";
import { Stream } from "./stream.js";
import { fillText, locale, offerLanguages, strings } from "./strings.js";
import { toggleTheme } from "./theme.js";

const PERIODS = Object.keys(words.periods);
const USUAL = "today";
const ASK_EVERY_MS = 30_000;
const TICK_EVERY_MS = 200;

const byId = (id) => document.getElementById(id);
fillText(document);
fillWords(document);
fillHelp(byId("help"), words.keys);
offerLanguages(byId("language"));
document.title = `${words.title} · callwatch`;

const given = new URLSearchParams(location.search);
const chosen = {
  period: PERIODS.includes(given.get("period")) ? given.get("period") : USUAL,
  queue: given.get("queue") || null,
  channel: given.get("channel") || null,
};
const banner = new Banner(byId("banner"));
const alarm = new Alarm(byId("alarm"));
const clock = new WallClock(byId("clock"), byId("age"));
const volume = new Volume(byId("volume"));
const failed = new TextField(byId("failed"));
const span = new TextField(byId("span"));

let live = null;
let figures = null;
let asked = 0;

/** Ask the board; return its answer, or null while it has none or does not tell it to this reader. */
async function ask(path, parameters) {
  const answer = await fetch(`api/v1/${path}?${new URLSearchParams(parameters)}`);
  if (answer.ok) {
    return answer.json();
  }
  if (path === "figures") {
    throw new Error((await answer.json()).error);
  }
  return null;
}

async function askAll() {
  const mine = (asked += 1);
  const { period, queue } = chosen;
  const about = queue === null ? {} : { queue };
  try {
    const told = await ask("figures", { period, ...about });
    // Another period may have been chosen meanwhile.
    if (mine !== asked) {
      return;
    }
    figures = told;
    failed.set("");
    showFigures();
    await Promise.all([askVolume(mine), askSubjects(mine), askPeople(mine)]);
  } catch (error) {
    // Where the connection is lost the banner says so; what was shown stays.
    failed.set(error instanceof TypeError ? "" : `${words.failed}: ${error.message}`);
  }
}

function showFigures() {
  const { rows, from, to } = figures;
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short", hourCycle: "h23", timeZone: live.timezone });
  span.set(format.formatRange(Date.parse(from), Date.parse(to)));
  offer(byId("queue"), strings.allQueues, live.rows.map((row) => row.queue), chosen.queue, (name) => name);
  const channels = [...rows, ...live.rows].map((row) => row.channel);
  offer(byId("channel"), strings.allChannels, channels, chosen.channel, (name) => strings.channels[name] ?? name);
  const row = rows.find(isAsked) ?? null;
  setAttribute(document.body, "data-nothing", row === null ? "" : null);
  if (row !== null) {
    showRow(row);
  }
  showChannels(rows);
  const shown = rows.filter((row) => chosen.channel === null || row.channel === chosen.channel || row.channel === null);
  // A queue's channels are its own rows already.
  const own = chosen.queue === null ? shown : shown.filter((row) => row.queue !== null || row.channel === null);
  showQueues(own, chosen.queue ?? strings.allQueues);
}

/** Tell whether a row is the one chosen. Of one queue alone the board gives its rows, and last all of them together. */
function isAsked(row) {
  const whole = chosen.queue === null || chosen.channel === null;
  return row.channel === chosen.channel && row.queue === (whole ? null : chosen.queue);
}

function offer(select, all, names, value, worded) {
  const offered = [...new Set([...names, value].filter(Boolean))].sort();
  if (select.dataset.offered !== offered.join("\n")) {
    select.dataset.offered = offered.join("\n");
    select.replaceChildren(new Option(all, ""), ...offered.map((name) => new Option(worded(name), name)));
  }
  select.value = value ?? "";
}

async function askVolume(mine) {
  const { period, queue, channel } = chosen;
  const span = { from: figures.from, to: figures.to };
  const about = { ...(queue !== null && { queue }), ...(channel !== null && { channel }) };
  const told = await ask("volume", { by: STEPS[period][0], ...span, ...about });
  if (mine === asked && told !== null) {
    volume.show(told, period, { queue: null, channel: null }, live.timezone);
  }
}

async function askSubjects(mine) {
  const period = { "1h": "1h", today: "24h", "24h": "24h" }[chosen.period] ?? "7d";
  const told = await ask("subjects", { period });
  if (mine === asked && told !== null) {
    showSubjects(told, period);
  }
}

async function askPeople(mine) {
  const told = await ask("agents", { period: chosen.period });
  // Who may not see people sees no empty table either.
  const people = told?.people;
  byId("people-panel").hidden = people === undefined;
  if (mine === asked && people !== undefined) {
    const own = (person) => chosen.queue === null || person.queues.includes(chosen.queue);
    showPeople(people.filter(own), Date.parse(told.time));
  }
}

function choose(name, value) {
  chosen[name] = value;
  keepInAddress(name, value);
  periodChoice.show(PERIODS.map((each) => [each, words.periods[each]]), chosen.period);
  byId("report").href = `report?${new URLSearchParams(chosen.queue === null ? {} : { queue: chosen.queue })}`;
  askAll();
}

function hear(snapshot) {
  const first = live === null;
  live = snapshot;
  clock.hear(snapshot);
  if (first) {
    askAll();
  }
}

function showFreshness(silence, lost) {
  alarm.show(lost);
  clock.showAge(live?.pipeline.age_seconds ?? null, silence);
  if (lost) {
    banner.lost(silence);
  } else if (live !== null) {
    banner.pipeline(live.pipeline);
  }
  const freshness = lost ? "lost" : live === null ? "connecting" : live.pipeline.stale ? "stale" : "live";
  setAttribute(document.body, "data-freshness", freshness);
}

const periodChoice = new Choice(byId("period-choice"), "period", (name) => choose("period", name));
periodChoice.show(PERIODS.map((each) => [each, words.periods[each]]), chosen.period);
byId("queue").addEventListener("change", () => choose("queue", byId("queue").value || null));
byId("channel").addEventListener("change", () => choose("channel", byId("channel").value || null));
byId("theme-toggle").addEventListener("click", toggleTheme);
byId("help-toggle").addEventListener("click", () => byId("help").showModal());
const go = (address) => location.assign(address);
listenToKeys({
  ...Object.fromEntries(PERIODS.map((name, i) => [String(i + 1), () => choose("period", name)])),
  t: toggleTheme,
  o: () => go("./"),
  r: () => go(byId("report").href),
  "?": () => byId("help").showModal(),
});
new Stream(null, { snapshot: hear, watch: showFreshness, refused: () => {} });
setInterval(() => clock.tick(), TICK_EVERY_MS);
setInterval(() => live !== null && askAll(), ASK_EVERY_MS);
