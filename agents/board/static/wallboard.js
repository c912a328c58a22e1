// The live wallboard: puts the parts together. A snapshot comes in, the parts patch what changed.

import { keepInAddress, readAddress } from "./address.js";
import { Board } from "./board.js";
import { Breaches } from "./breaches.js";
import { Choice } from "./choice.js";
import { Filter } from "./filter.js";
import { fitTiles } from "./fit.js";
import { WallClock } from "./hands.js";
import { windowName } from "./format.js";
import { fillHelp, listenToKeys } from "./keys.js";
import { Alarm, Announcer, Banner, Empty } from "./notices.js";
import { Agents, Levels, Totals } from "./overview.js";
import { Past } from "./past.js";
import { Sound } from "./sound.js";
import { Stream } from "./stream.js";
import { TextField, setAttribute } from "./dom.js";
import { fillText, offerLanguages, strings } from "./strings.js";
import { toggleTheme } from "./theme.js";
import { Pages, hideIdlePointer, stayAwake, toggleFullScreen } from "./tv.js";

const TICK_EVERY_MS = 200;

const byId = (id) => document.getElementById(id);
const template = byId("tile");
fillText(document);
fillText(template.content);
fillHelp(byId("help"));
offerLanguages(byId("language"));

const address = readAddress();
setAttribute(document.documentElement, "data-tv", address.tv ? "" : null);

const board = new Board(byId("board"), template, address.sort);
const pages = new Pages(byId("board"), byId("turn"));
const totals = new Totals(byId("totals"));
const levels = new Levels(byId("levels"), byId("level"));
const agents = new Agents(byId("agents"));
const banner = new Banner(byId("banner"));
const empty = new Empty(byId("empty"));
const sound = new Sound(byId("sound-toggle"));
const announcer = new Announcer(byId("announcer"), () => sound.ring());
const alarm = new Alarm(byId("alarm"));
const breaches = new Breaches();
const clock = new WallClock(byId("clock"), byId("age"));
const spanShown = new TextField(byId("span"));

let live = null;
let shown = null;

function hear(snapshot) {
  live = snapshot;
  clock.hear(snapshot);
  if (!past.open) {
    show(snapshot);
  }
}

function show(snapshot) {
  shown = snapshot;
  const time = Date.parse(snapshot.time);
  const rows = snapshot.rows.filter((row) => row.queue !== null);
  const linked = address.queues === null ? rows : rows.filter((row) => address.queues.has(row.queue));
  board.show(filter.choose(linked), time);
  const all = snapshot.rows.find((row) => row.queue === null);
  if (all !== undefined) {
    totals.show(all, time);
  }
  agents.show(snapshot.agents);
  showWindows(snapshot);
  showTiles(time);
}

function showTiles(time) {
  const tiles = board.tiles;
  const breached = tiles.filter((tile) => tile.verdict.level === "breach");
  levels.show(tiles);
  empty.show(tiles.length, address.queues, filter.looking);
  pages.lay(fitTiles(byId("board"), tiles.length, address.tv));
  if (past.open) {
    breaches.forget();
  } else {
    announcer.show(tiles);
    breaches.ask(shown.window, breached.length > 0);
  }
  for (const tile of tiles) {
    tile.showSince(tile.verdict.level === "breach" ? breaches.of(tile.row) : undefined, time, clock.short);
  }
  const title = strings.titleOf(breached.length);
  if (document.title !== title) {
    document.title = title;
  }
}

// Fresh only when the connection stands, the pipeline is fresh, and the numbers are those of the chosen window.
function showFreshness(silence, lost) {
  alarm.show(lost);
  clock.showAge(live?.pipeline.age_seconds ?? null, silence);
  if (lost) {
    banner.lost(silence);
  } else if (live !== null) {
    banner.pipeline(live.pipeline);
  }
  const waiting = live === null || live.window !== (address.window ?? live.window);
  const freshness = lost ? "lost" : waiting ? "connecting" : live.pipeline.stale ? "stale" : "live";
  setAttribute(document.body, "data-freshness", past.open ? "past" : freshness);
}

function tick() {
  const now = clock.tick();
  if (now !== null && document.body.dataset.freshness === "live") {
    board.tick(now);
    totals.tick(now);
  }
}

function chooseWindow(name) {
  address.window = name;
  keepInAddress("window", name);
  breaches.forget();
  stream.open(name);
  showFreshness(0, false);
}

function toggleSort() {
  board.sort = board.sort === "name" ? "trouble" : "name";
  byId("sort-toggle").ariaPressed = String(board.sort === "name");
  keepInAddress("sort", board.sort);
  board.arrange();
}

const windowChoice = new Choice(byId("window-choice"), "window", chooseWindow);
const showAgain = () => shown !== null && show(shown);
const filter = new Filter({ search: byId("search"), channel: byId("channel"), group: byId("group") }, address, showAgain);
const past = new Past(byId("past"), {
  live: () => live,
  show: (snapshot) => {
    show(snapshot ?? live);
    showFreshness(0, false);
  },
});

function showWindows({ window: name, windows: names }) {
  windowChoice.show(names.map((each) => [each, windowName(each)]), address.window ?? name);
  spanShown.set(name === "today" ? strings.today : strings.last(windowName(name)));
}

const actions = {
  s: toggleSort,
  t: toggleTheme,
  b: () => sound.toggle(),
  f: toggleFullScreen,
  p: () => past.toggle(),
  c: () => byId("figures").click(),
  r: () => byId("report").click(),
  "/": () => filter.focus(),
  "?": () => byId("help").showModal(),
};
for (let number = 1; number <= 9; number += 1) {
  actions[number] = () => live?.windows[number - 1] && chooseWindow(live.windows[number - 1]);
}
listenToKeys(actions);

byId("sort-toggle").ariaPressed = String(address.sort === "name");
for (const [id, action] of [["sort", "s"], ["theme", "t"], ["full", "f"], ["past", "p"], ["help", "?"]]) {
  byId(`${id}-toggle`).addEventListener("click", actions[action]);
}
byId("controls").addEventListener("submit", (event) => event.preventDefault());
addEventListener("resize", () => pages.lay(fitTiles(byId("board"), board.tiles.length, address.tv)));
if (address.tv) {
  hideIdlePointer(document.documentElement);
  stayAwake();
  setInterval(() => pages.turn(), address.turn * 1_000);
}

const stream = new Stream(address.window, {
  snapshot: hear,
  watch: showFreshness,
  refused: () => {
    if (address.window !== null) {
      chooseWindow(null);
    }
  },
});
setInterval(tick, TICK_EVERY_MS);
