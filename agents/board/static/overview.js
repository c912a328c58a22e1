// The top of the board: all queues together, how many of them are in trouble, the agents by state.

import { sinceOf } from "./board.js";
import { FigureField, TextField, field, setAttribute, setProperty } from "./dom.js";
import { count, durationParts, percentParts, shareParts } from "./format.js";
import { strings } from "./strings.js";
import { LEVELS } from "./verdict.js";

export class Totals {
  #fields;
  #formulaOf;
  #since = null;

  /** Show figures in `root`; service level by the formula that `formulaOf(row)` names. */
  constructor(root, formulaOf = () => "answered_of_offered") {
    this.#formulaOf = formulaOf;
    const at = (name) => field(root, name);
    this.#fields = {
      queueLength: new TextField(at("queue_length"), count),
      longestWait: new FigureField(at("longest_wait"), durationParts),
      serviceLevel: new FigureField(at("service_level"), percentParts),
      live: new FigureField(at("live"), percentParts),
      abandonment: new FigureField(at("abandonment"), percentParts),
      speedOfAnswer: new FigureField(at("speed_of_answer"), durationParts),
      answered: new FigureField(at("answered_of_ended"), shareParts),
    };
  }

  /** Show a row, as it was at `time` (epoch milliseconds). */
  show(row, time) {
    const fields = this.#fields;
    this.#since = sinceOf(row, time);
    fields.queueLength.set(row.queue_length);
    fields.longestWait.set(this.#since === null ? null : Math.floor(row.longest_wait_seconds));
    fields.serviceLevel.set(row.service_level[this.#formulaOf(row)]);
    fields.live.set(row.service_level.live);
    fields.abandonment.set(row.abandonment_rate);
    fields.speedOfAnswer.set(row.average_speed_of_answer_seconds);
    fields.answered.set(row.answered, row.answered + row.abandoned);
  }

  tick(now) {
    if (this.#since !== null) {
      this.#fields.longestWait.set(Math.floor((now - this.#since) / 1000));
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
      setAttribute(part, "hidden", total === 0 ? "" : null);
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
