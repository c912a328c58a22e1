// The top of the board: all queues together, how many of them are in trouble, the agents by state.

import { sinceOf } from "./board.js";
import { RatioField, TextField, field, setAttribute, setProperty } from "./dom.js";
import { count, duration, percentParts } from "./format.js";
import { strings } from "./strings.js";
import { LEVELS } from "./verdict.js";

export class Totals {
  #fields;
  #since = null;

  constructor(root) {
    const at = (name) => field(root, name);
    this.#fields = {
      queueLength: new TextField(at("queue_length"), count),
      longestWait: new TextField(at("longest_wait")),
      serviceLevel: new RatioField(at("service_level"), percentParts),
      live: new RatioField(at("live"), percentParts),
      abandonment: new RatioField(at("abandonment"), percentParts),
      speedOfAnswer: new TextField(at("speed_of_answer"), duration),
      answered: new TextField(at("answered_of_offered")),
    };
  }

  /** Show the row of all queues, as it was at `time` (epoch milliseconds). */
  show(row, time) {
    const fields = this.#fields;
    this.#since = sinceOf(row, time);
    fields.queueLength.set(row.queue_length);
    fields.longestWait.set(duration(this.#since === null ? null : row.longest_wait_seconds));
    fields.serviceLevel.set(row.service_level.answered_of_offered);
    fields.live.set(row.service_level.live);
    fields.abandonment.set(row.abandonment_rate);
    fields.speedOfAnswer.set(row.average_speed_of_answer_seconds);
    fields.answered.set(strings.of(count(row.answered), count(row.offered)));
  }

  tick(now) {
    if (this.#since !== null) {
      this.#fields.longestWait.set(duration((now - this.#since) / 1000));
    }
  }
}

/** How many queues are at each level, worst first. */
export class Levels {
  #items;

  constructor(list, template) {
    this.#items = LEVELS.map((level) => {
      const item = template.content.firstElementChild.cloneNode(true);
      item.dataset.level = level;
      field(item, "shape").setAttribute("href", `#shape-${level}`);
      field(item, "word").textContent = strings.levels[level];
      list.append(item);
      return { level, item, number: new TextField(field(item, "number"), count) };
    });
  }

  show(tiles) {
    for (const { level, item, number } of this.#items) {
      const total = tiles.filter((tile) => tile.verdict.level === level).length;
      number.set(total);
      setAttribute(item, "hidden", total === 0 ? "" : null);
    }
  }
}

/** The agents by state: a strip in proportion, and the counts in words. */
export class Agents {
  #root;
  #staffed;
  #states;

  constructor(root) {
    this.#root = root;
    this.#staffed = new TextField(field(root, "staffed"));
    this.#states = Object.keys(strings.states).map((state) => this.#build(state));
  }

  show(agents) {
    const signedIn = Object.entries(agents).reduce((sum, [state, n]) => sum + (state === "offline" ? 0 : n), 0);
    this.#staffed.set(strings.staffed(count(signedIn)));
    for (const { state, part, number } of this.#states) {
      const total = agents[state] ?? 0;
      number.set(total);
      setProperty(part, "--share", String(total));
    }
  }

  #build(state) {
    const part = document.createElement("i");
    part.dataset.state = state;
    const item = document.createElement("li");
    item.dataset.state = state;
    const number = document.createElement("b");
    const word = document.createElement("span");
    word.textContent = strings.states[state];
    item.append(number, word);
    this.#root.querySelector(".strip").append(part);
    this.#root.querySelector("ul").append(item);
    return { state, part, number: new TextField(number, count) };
  }
}
