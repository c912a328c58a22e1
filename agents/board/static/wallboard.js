// The live wallboard: puts the parts together. A snapshot comes in, the parts patch what changed.

import { keepInAddress, readAddress } from "./address.js";
import { Board } from "./board.js";
import { Choice } from "./choice.js";
import { ServerClock } from "./clock.js";
import { TextField, field, setAttribute } from "./dom.js";
import { fitTiles } from "./fit.js";
import { windowName } from "./format.js";
import { Announcer, Banner, Empty } from "./notices.js";
import { Agents, Levels, Totals } from "./overview.js";
import { Stream } from "./stream.js";
import { fillText, locale, strings } from "./strings.js";
import { toggleTheme } from "./theme.js";

const TICK_EVERY_MS = 200;

const byId = (id) => document.getElementById(id);
const template = byId("tile");
fillText(document);
fillText(template.content);

const address = readAddress();
setAttribute(document.documentElement, "data-tv", address.tv ? "" : null);

const board = new Board(byId("board"), template, address.sort);
const totals = new Totals(byId("totals"));
const levels = new Levels(byId("levels"), byId("level"));
const agents = new Agents(byId("agents"));
const banner = new Banner(byId("banner"));
const empty = new Empty(byId("empty"));
const announcer = new Announcer(byId("announcer"));
const clock = new ServerClock();
const timeOfDay = new TextField(field(byId("clock"), "time"));
const zone = new TextField(field(byId("clock"), "zone"));
const spanShown = new TextField(byId("span"));

let latest = null;
let clockFormat = null;

function showSnapshot(snapshot) {
  const time = Date.parse(snapshot.time);
  clock.hear(time);
  if (snapshot.timezone !== latest?.timezone) {
    const options = { timeStyle: "medium", timeZone: snapshot.timezone, hourCycle: "h23" };
    clockFormat = new Intl.DateTimeFormat(locale, options);
    zone.set(snapshot.timezone.split("/").at(-1).replaceAll("_", " "));
  }
  latest = snapshot;
  const rows = snapshot.rows.filter((row) => row.queue !== null);
  board.show(address.queues === null ? rows : rows.filter((row) => address.queues.has(row.queue)), time);
  const all = snapshot.rows.find((row) => row.queue === null);
  if (all !== undefined) {
    totals.show(all, time);
  }
  agents.show(snapshot.agents);
  showWindows(snapshot);
  showTiles();
}

function showTiles() {
  const tiles = board.tiles;
  levels.show(tiles);
  announcer.show(tiles);
  empty.show(tiles.length, address.queues);
  fitTiles(byId("board"), tiles.length, address.tv);
  const title = strings.titleOf(tiles.filter((tile) => tile.verdict.level === "breach").length);
  if (document.title !== title) {
    document.title = title;
  }
}

// Fresh only when the connection stands, the pipeline is fresh, and the numbers are those of the chosen window.
function showFreshness(silence, lost) {
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
  const now = clock.now();
  if (now === null) {
    return;
  }
  timeOfDay.set(clockFormat.format(now));
  if (document.body.dataset.freshness === "live") {
    board.tick(now);
    totals.tick(now);
  }
}

function chooseWindow(name) {
  address.window = name;
  keepInAddress("window", name);
  stream.open(name);
  showFreshness(0, false);
}

function chooseSort(name) {
  board.sort = name;
  byId("sort-toggle").ariaPressed = String(name === "name");
  keepInAddress("sort", name);
  board.arrange();
}

const windowChoice = new Choice(byId("window-choice"), "window", chooseWindow);

function showWindows({ window: shown, windows: names }) {
  windowChoice.show(names.map((name) => [name, windowName(name)]), address.window ?? shown);
  spanShown.set(shown === "today" ? strings.today : strings.last(windowName(shown)));
}

byId("sort-toggle").ariaPressed = String(address.sort === "name");
byId("sort-toggle").addEventListener("click", () => chooseSort(board.sort === "name" ? "trouble" : "name"));
byId("theme-toggle").addEventListener("click", toggleTheme);
addEventListener("resize", () => fitTiles(byId("board"), board.tiles.length, address.tv));

const stream = new Stream(address.window, {
  snapshot: showSnapshot,
  watch: showFreshness,
  refused: () => {
    if (address.window !== null) {
      chooseWindow(null);
    }
  },
});
setInterval(tick, TICK_EVERY_MS);
