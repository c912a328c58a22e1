// What the page of figures is made of: facts, tables, bars, and a figure with the interval that it is sure to.

import { setProperty } from "./dom.js";

/** Return an element with a text and, where there are any, a class and attributes. */
export function element(tag, text = "", className = "", attributes = {}) {
  const made = Object.assign(document.createElement(tag), { textContent: text, className });
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  return made;
}

/** Fill a list with facts: [term, value, what is set smaller behind it, hint]. */
export function fillFacts(list, facts) {
  list.replaceChildren(...facts.map(([term, value, rest, hint]) => {
    const line = element("div");
    const shown = element("dd", value);
    if (rest) {
      shown.append(element("small", rest));
    }
    line.append(element("dt", term, "", hint ? { title: hint } : {}), shown);
    return line;
  }));
}

/** Fill a table: the words of its columns, then rows of [head, ...texts]; `marked(i)` tells which rows sum up others. */
export function fillTable(table, columns, rows, marked = () => false) {
  const heads = element("tr");
  heads.append(...columns.map((word) => (word ? element("th", word, "", { scope: "col" }) : element("td"))));
  table.tHead.replaceChildren(heads);
  table.tBodies[0].replaceChildren(...rows.map(([head, ...texts], i) => {
    const line = element("tr", "", marked(i) ? "all" : "");
    line.append(element("th", head, "", { scope: "row" }), ...texts.map((text) => element("td", text)));
    return line;
  }));
}

/** Return a bar that is `share` (0 to 1) of its track long. */
export function bar(share, kind = "") {
  const track = element("span", "", `share ${kind}`, { "aria-hidden": "true" });
  const fill = element("i");
  setProperty(fill, "--share", share.toFixed(4));
  track.append(fill);
  return track;
}

/**
 * Return a track from `lowest` to `highest` with the interval [low, high] drawn on it and a mark at the value.
 * An open track says that there is no interval.
 */
export function intervalTrack(value, interval, [lowest, highest], label) {
  const at = (x) => ((Math.min(highest, Math.max(lowest, x)) - lowest) / (highest - lowest)).toFixed(4);
  const track = element("div", "", "interval", { role: "img", "aria-label": label });
  if (interval) {
    const band = element("i", "", "band");
    setProperty(band, "--low", at(interval[0]));
    setProperty(band, "--high", at(interval[1]));
    track.append(band);
  }
  const mark = element("i", "", "at");
  setProperty(mark, "--at", at(value));
  track.append(mark);
  return track;
}
