// Numbers and times as people read them. Nothing (null) is always a dash, never 0 and never 100 %.

import { locale, strings } from "./strings.js";

const counts = new Intl.NumberFormat(locale);
const percents = new Intl.NumberFormat(locale, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const roundPercents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });
const units = Object.fromEntries(
  ["second", "minute", "hour"].map((unit) => [
    unit,
    new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 0 }),
  ]),
);

export const count = (value) => (value === null ? strings.dash : counts.format(value));

export const percent = (ratio) => (ratio === null ? strings.dash : percents.format(ratio));

/** A promised ratio: 80 %, not 80.0 %. */
export const promised = (ratio) => roundPercents.format(ratio);

/** A percentage in two parts, the whole number that is read from afar and the rest: ["75", ".4%"]. */
export function percentParts(ratio) {
  if (ratio === null) {
    return [strings.dash, ""];
  }
  const parts = percents.formatToParts(ratio);
  const split = parts.findIndex((part) => part.type === "decimal");
  const text = (some) => some.map((part) => part.value).join("");
  return [text(parts.slice(0, split)), text(parts.slice(split))];
}

/** Seconds as a stopwatch shows them: 0:31, 12:05, 1:02:45. */
export function duration(seconds) {
  if (seconds === null) {
    return strings.dash;
  }
  const whole = Math.max(0, Math.floor(seconds));
  const rest = `${twoDigits.format(Math.floor(whole / 60) % 60)}:${twoDigits.format(whole % 60)}`;
  return whole < 3600 ? `${Math.floor(whole / 60)}:${twoDigits.format(whole % 60)}` : `${Math.floor(whole / 3600)}:${rest}`;
}

/** Seconds in words, in the largest unit that keeps two digits of meaning: 20 sec, 4 min, 3 hr. */
export function span(seconds) {
  if (seconds < 120) {
    return units.second.format(seconds);
  }
  return seconds < 7200 ? units.minute.format(seconds / 60) : units.hour.format(seconds / 3600);
}

/** A window's name for people: 5m is 5 min. */
export function windowName(name) {
  const parts = /^(\d+)([smh])$/.exec(name);
  if (parts === null) {
    return name === "today" ? strings.today : name;
  }
  return units[{ s: "second", m: "minute", h: "hour" }[parts[2]]].format(Number(parts[1]));
}
