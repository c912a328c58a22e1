// Numbers and times as people read them. Nothing (null) is always a dash, never 0 and never 100 %.

import { locale, strings } from "./strings.js";

const counts = new Intl.NumberFormat(locale);
const oneDecimal = { minimumFractionDigits: 1, maximumFractionDigits: 1 };
const percents = new Intl.NumberFormat(locale, { style: "percent", ...oneDecimal });
const roundPercents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(locale, { minimumIntegerDigits: 2, useGrouping: false });
const units = unitFormats("short");
const narrow = unitFormats("narrow");

function unitFormats(unitDisplay) {
  const options = { style: "unit", unitDisplay, maximumFractionDigits: 0 };
  const format = (unit) => new Intl.NumberFormat(locale, { ...options, unit });
  return { second: format("second"), minute: format("minute"), hour: format("hour") };
}

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

/**
 * Seconds in two parts: as a stopwatch below an hour, ["12:05", ""], and in hours from there on, ["2h", " 32m"], so
 * that nobody takes hours for minutes from across the room.
 */
export function durationParts(seconds) {
  if (seconds === null) {
    return [strings.dash, ""];
  }
  const whole = Math.max(0, Math.floor(seconds));
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return [`${counts.format(minutes)}:${twoDigits.format(whole % 60)}`, ""];
  }
  return [narrow.hour.format(Math.floor(minutes / 60)), ` ${narrow.minute.format(minutes % 60)}`];
}

/** Seconds as one text: 0:31, 12:05, 2h 32m. */
export const duration = (seconds) => durationParts(seconds).join("");

/** A part of a whole in two parts: ["470", " of 533"]. */
export const shareParts = (part, whole) => [count(part), strings.of(count(whole))];

/** A threshold, shortly: 20s, 5m. */
export function threshold(seconds) {
  const unit = seconds % 3600 === 0 ? "hour" : seconds % 60 === 0 ? "minute" : "second";
  return narrow[unit].format(seconds / { hour: 3600, minute: 60, second: 1 }[unit]);
}

/** Seconds in words, in the largest unit that keeps two digits of meaning: 20 sec, 4 min, 3 hr. */
export function span(seconds) {
  if (seconds < 120) {
    return units.second.format(Math.max(0, seconds));
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
