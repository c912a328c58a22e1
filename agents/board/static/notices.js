// What the page says about itself and aloud: the banner, the empty state, the announcement of breaches.

import { TextField, field, setAttribute } from "./dom.js";
import { count, span } from "./format.js";
import { strings } from "./strings.js";
import { whyOf } from "./tile.js";

/** The banner over the board: connection lost before stale data before nothing to say. */
export class Banner {
  #root;
  #title;
  #detail;

  constructor(root) {
    this.#root = root;
    this.#title = new TextField(field(root, "title"));
    this.#detail = new TextField(field(root, "detail"));
  }

  /** Say that nothing was heard for `silence` milliseconds. */
  lost(silence) {
    this.#say("lost", strings.lostTitle, strings.lostDetail(span(Math.floor(silence / 1000))));
  }

  /** Say what `pipeline` says of itself: nothing when its data is fresh. */
  pipeline({ stale, reason: told, cause, values, age_seconds: age }) {
    if (!stale) {
      setAttribute(this.#root, "hidden", "");
      return;
    }
    const reason = strings.causes[cause]?.(...values.map(count)) ?? told;
    const detail = age === null ? strings.staleDetailUnknownAge(reason) : strings.staleDetail(reason, span(age));
    this.#say("stale", strings.staleTitle, detail);
  }

  #say(kind, title, detail) {
    setAttribute(this.#root, "data-kind", kind);
    setAttribute(this.#root, "hidden", null);
    this.#title.set(title);
    this.#detail.set(detail);
  }
}

/** What stands where the tiles would be while there are none. */
export class Empty {
  #root;
  #title;
  #hint;
  #command;

  constructor(root) {
    this.#root = root;
    this.#title = new TextField(field(root, "title"));
    this.#hint = new TextField(field(root, "hint"));
    this.#command = new TextField(field(root, "command"));
    this.#show(strings.connecting, "", "");
  }

  /** Show why there is no tile: none that is `searched` for, none in the link's queues, none at all; or hide. */
  show(tiles, filter, searched) {
    if (tiles > 0) {
      setAttribute(this.#root, "hidden", "");
    } else if (searched) {
      this.#show(strings.noMatchTitle, strings.noMatchHint, "");
    } else if (filter === null) {
      this.#show(strings.emptyTitle, strings.emptyHint, strings.emptyCommand);
    } else {
      this.#show(strings.filteredTitle, [...filter].join(", "), "");
    }
  }

  #show(title, hint, command) {
    this.#title.set(title);
    this.#hint.set(hint);
    this.#command.set(command);
    setAttribute(this.#root, "hidden", null);
  }
}

/** Tells a screen reader, once each time, that the connection was lost and that it is back. */
export class Alarm {
  #text;
  #lost = false;

  constructor(root) {
    this.#text = new TextField(root);
  }

  show(lost) {
    if (lost !== this.#lost) {
      this.#lost = lost;
      this.#text.set(lost ? strings.saidLost : strings.saidBack);
    }
  }
}

/** Tells a screen reader of queues that went into breach, once each; `rang` is called for those that were not before. */
export class Announcer {
  #text;
  #known = null;
  #rang;

  constructor(root, rang) {
    this.#text = new TextField(root);
    this.#rang = rang;
  }

  show(tiles) {
    const breached = tiles.filter((tile) => tile.verdict.level === "breach");
    const fresh = breached.filter((tile) => !this.#known?.has(tile));
    // What was in breach when the page was opened is seen, and need not be heard.
    if (fresh.length > 0 && this.#known !== null) {
      this.#rang();
    }
    if (fresh.length === 1) {
      this.#text.set(strings.breachOf(fresh[0].row.queue, whyOf(fresh[0].verdict.troubles)));
    } else if (fresh.length > 1) {
      this.#text.set(strings.breachesOf(fresh.length, fresh.slice(0, 5).map((tile) => tile.row.queue).join(", ")));
    } else if (breached.length < (this.#known?.size ?? 0)) {
      // Emptied, so that the same queue's next breach is a change of text and is said again.
      this.#text.set("");
    }
    this.#known = new Set(breached);
  }
}
