// The tiles of all queues: kept by queue and channel, patched in place, ordered with few moves.

import { arrange } from "./order.js";
import { locale } from "./strings.js";
import { Tile, keyOf } from "./tile.js";
import { LEVELS, judge } from "./verdict.js";

const collator = new Intl.Collator(locale, { numeric: true, sensitivity: "base" });

const byName = (a, b) =>
  collator.compare(a.row.queue, b.row.queue) || collator.compare(a.row.channel ?? "", b.row.channel ?? "");

// Inside a level the count of troubles and then the name decide, not the figures: tiles that swap places every second
// cannot be read.
const byTrouble = (a, b) =>
  LEVELS.indexOf(a.verdict.level) - LEVELS.indexOf(b.verdict.level) ||
  b.verdict.troubles.length - a.verdict.troubles.length ||
  byName(a, b);

const ORDERS = { name: byName, trouble: byTrouble };

export class Board {
  #list;
  #template;
  #tiles = new Map();

  constructor(list, template, sort) {
    this.#list = list;
    this.#template = template;
    this.sort = sort;
  }

  /** Return the tiles as last shown. */
  get tiles() {
    return [...this.#tiles.values()];
  }

  /** Show exactly these rows, as they were at `time` (epoch milliseconds). */
  show(rows, time) {
    const shown = new Set();
    for (const row of rows) {
      const key = keyOf(row);
      shown.add(key);
      this.#tileOf(key).show(row, judge(row), sinceOf(row, time));
    }
    for (const [key, tile] of this.#tiles) {
      if (!shown.has(key)) {
        tile.element.remove();
        this.#tiles.delete(key);
      }
    }
    this.arrange();
  }

  /** Bring the tiles into the order of the chosen sort. */
  arrange() {
    const ordered = this.tiles.sort(ORDERS[this.sort]);
    arrange(this.#list, ordered.map((tile) => tile.element));
  }

  /** Carry every longest wait on to `now` (epoch milliseconds). */
  tick(now) {
    for (const tile of this.#tiles.values()) {
      tile.tick(now);
    }
  }

  #tileOf(key) {
    let tile = this.#tiles.get(key);
    if (tile === undefined) {
      tile = new Tile(this.#template);
      this.#tiles.set(key, tile);
    }
    return tile;
  }
}

/** Return when the longest wait of a row began (epoch milliseconds); null when nobody waits. */
export function sinceOf(row, time) {
  return row.queue_length > 0 && row.longest_wait_seconds !== null ? time - row.longest_wait_seconds * 1000 : null;
}
