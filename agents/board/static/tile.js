// One queue's tile: built once from the template, patched ever after.

import { FigureField, TextField, field, setAttribute, setProperty } from "./dom.js";
import { count, duration, durationParts, percent, percentParts, promised, shareParts, span, threshold } from "./format.js";
import { strings } from "./strings.js";

/** Return what identifies a row: a queue is shown once for each of its channels. */
export const keyOf = (row) => JSON.stringify([row.queue, row.channel]);

/** Return the address of a queue's own page. */
export const pageOf = (row) => `queue?${new URLSearchParams({ queue: row.queue, channel: row.channel ?? "" })}`;

/** Return all the promises that are broken or at risk, in words, the worst first. */
export const whyOf = (troubles) => troubles.map((trouble) => strings.promises[trouble]).join(", ");

/** Return in words that a team is overloaded, and what it would take to recover. */
export const overloadOf = (overload) =>
  overload === null
    ? ""
    : strings.overload(
        overload.agents_needed ? count(overload.agents_needed) : "",
        overload.minutes_to_recover === null ? "" : span(overload.minutes_to_recover * 60),
      );

export class Tile {
  #fields;
  #marks;
  #overload;
  #estimate;
  #gauge;
  #shape;
  #serviceLevel;
  #link;
  #since = null;

  constructor(template) {
    this.element = template.content.firstElementChild.cloneNode(true);
    const at = (name) => field(this.element, name);
    this.#fields = {
      name: new TextField(at("name")),
      about: new TextField(at("about")),
      level: new TextField(at("level"), (level) => strings.levels[level]),
      why: new TextField(at("why")),
      overload: new TextField(at("overload")),
      estimatedWait: new TextField(at("estimated_wait"), duration),
      since: new TextField(at("since")),
      formula: new TextField(at("formula")),
      queueLength: new TextField(at("queue_length"), count),
      longestWait: new FigureField(at("longest_wait"), durationParts),
      serviceLevel: new FigureField(at("service_level"), percentParts),
      abandonment: new FigureField(at("abandonment"), percentParts),
      target: new TextField(at("target")),
      abandonmentTarget: new TextField(at("abandonment_target")),
      live: new TextField(at("live"), percent),
      speedOfAnswer: new TextField(at("speed_of_answer"), duration),
      answered: new FigureField(at("answered_of_ended"), shareParts),
    };
    this.#overload = at("overload");
    this.#estimate = at("estimate");
    this.#marks = this.element.querySelectorAll("[data-mark]");
    this.#gauge = this.element.querySelector(".gauge");
    this.#serviceLevel = at("service_level").parentElement;
    this.#shape = at("shape");
    this.#link = at("name");
  }

  /** Show `row` and its verdict; `since` is when its longest wait began (epoch milliseconds; null: nobody waits). */
  show(row, verdict, since) {
    this.row = row;
    this.verdict = verdict;
    this.#since = since;
    const fields = this.#fields;
    fields.name.set(row.queue);
    setAttribute(this.#link, "href", pageOf(row));
    const channel = strings.channels[row.channel] ?? row.channel;
    fields.about.set([row.promise?.group, channel].filter(Boolean).join(" · "));
    fields.queueLength.set(row.queue_length);
    fields.longestWait.set(since === null ? null : Math.floor(row.longest_wait_seconds));
    fields.abandonment.set(row.abandonment_rate);
    fields.live.set(row.service_level.live);
    fields.speedOfAnswer.set(row.average_speed_of_answer_seconds);
    // Of those whose wait is over: who is still waiting was offered too, and may be answered in the next window.
    fields.answered.set(row.answered, row.answered + row.abandoned);
    this.#showOutlook(row);
    this.#showServiceLevel(row);
    this.#showVerdict(verdict);
  }

  /** Carry the longest wait on to `now` (epoch milliseconds). */
  tick(now) {
    if (this.#since !== null) {
      this.#fields.longestWait.set(Math.floor((now - this.#since) / 1000));
    }
  }

  /** Show since when the queue has been in breach: {at (epoch milliseconds), atLeast}, or undefined. */
  showSince(since, now, clock) {
    const words = since?.atLeast ? strings.sinceBefore : strings.since;
    this.#fields.since.set(since === undefined ? "" : words(clock.format(since.at), span((now - since.at) / 1000)));
  }

  /** What whoever arrives now has to expect; a board of the past knows neither. */
  #showOutlook({ estimated_wait_seconds: wait = null, overload = null }) {
    setAttribute(this.#estimate, "hidden", wait === null ? "" : null);
    this.#fields.estimatedWait.set(wait === null ? 0 : Math.round(wait));
    setAttribute(this.#overload, "hidden", overload === null ? "" : null);
    this.#fields.overload.set(overloadOf(overload));
  }

  #showServiceLevel(row) {
    const promise = row.promise;
    const ratio = row.service_level[promise?.formula ?? "answered_of_offered"];
    this.#fields.serviceLevel.set(ratio);
    setProperty(this.#gauge, "--ratio", (ratio ?? 0).toFixed(3));
    if (promise === null) {
      this.#fields.target.set(strings.dash);
      this.#fields.abandonmentTarget.set(strings.dash);
      this.#fields.formula.set("");
      return;
    }
    setProperty(this.#gauge, "--target", promise.target_ratio.toFixed(3));
    const formula = strings.formulas[promise.formula] ?? promise.formula;
    setAttribute(this.#serviceLevel, "title", formula);
    this.#fields.formula.set(`${strings.serviceLevel}: ${formula}`);
    this.#fields.abandonmentTarget.set(promised(promise.abandonment_ratio));
    this.#fields.target.set(strings.within(promised(promise.target_ratio), threshold(promise.threshold_seconds)));
  }

  #showVerdict({ level, marks, troubles }) {
    setAttribute(this.element, "data-level", level);
    setAttribute(this.#shape, "href", `#shape-${level}`);
    this.#fields.level.set(level);
    this.#fields.why.set(whyOf(troubles));
    for (const element of this.#marks) {
      setAttribute(element, "data-level", marks[element.dataset.mark]);
    }
  }
}
