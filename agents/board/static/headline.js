// A queue's name, its level, and why: in colour, shape and word.

import { TextField, field, setAttribute } from "./dom.js";
import { promised, span, threshold } from "./format.js";
import { strings } from "./strings.js";
import { whyOf } from "./tile.js";
import { judge } from "./verdict.js";

export class Headline {
  #root;
  #fields;

  constructor(root, { queue }) {
    this.#root = root;
    const names = ["about", "level", "why", "since"];
    this.#fields = Object.fromEntries(names.map((name) => [name, new TextField(field(root, name))]));
    new TextField(field(root, "name")).set(queue);
  }

  /** Show what `row` promises and whether it keeps it; return its level. */
  show(row) {
    const { level, troubles } = judge(row);
    setAttribute(this.#root, "data-level", level);
    setAttribute(field(this.#root, "shape"), "href", `#shape-${level}`);
    this.#fields.level.set(strings.levels[level]);
    this.#fields.why.set(whyOf(troubles));
    this.#fields.about.set([row.promise?.group, strings.channels[row.channel], ...termsOf(row.promise)].filter(Boolean).join(" · "));
    return level;
  }

  /** Show since when the queue has been in breach: {at (epoch milliseconds), atLeast}, or undefined. */
  showSince(since, now, clock) {
    const words = since?.atLeast ? strings.sinceBefore : strings.since;
    this.#fields.since.set(since === undefined ? "" : words(clock.format(since.at), span((now - since.at) / 1000)));
  }
}

function termsOf(promise) {
  if (promise === null) {
    return [];
  }
  const target = strings.within(promised(promise.target_ratio), threshold(promise.threshold_seconds));
  const formula = strings.formulas[promise.formula] ?? promise.formula;
  return [`${strings.target} ${target}, ${formula}`, `${strings.mostAbandoned} ${promised(promise.abandonment_ratio)}`];
}
