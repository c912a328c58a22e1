// How the page of figures writes them: a dash for what is absent, days for what lasts for days, money in its currency.

import { count, duration, percent } from "./format.js";
import { locale, strings } from "./strings.js";

const HOUR_S = 3_600;
const DAY_S = 86_400;
const CENTS_BELOW = 1_000;

const days = new Intl.NumberFormat(locale, { style: "unit", unit: "day", unitDisplay: "short", maximumFractionDigits: 1 });
const scores = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const points = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, signDisplay: "exceptZero" });
const wholePercents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const changes = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });

/** Return a formatter that shows what is absent (null, undefined) as a dash. */
const orDash = (format) => (value) => (value === null || value === undefined ? strings.dash : format(value));

export const number = orDash(count);
export const ratio = orDash(percent);
export const score = orDash((value) => scores.format(value));
export const netPoints = orDash((value) => points.format(value));
export const roundRatio = orDash((value) => wholePercents.format(value));
export const change = orDash((value) => changes.format(value));

/** Seconds: 0:42, 12:05, 2h 32m, 3.5 days. */
export const time = orDash((seconds) => {
  // A response to the second, and what takes less than one is still some time.
  return seconds >= 2 * DAY_S ? days.format(seconds / DAY_S) : duration(seconds < HOUR_S ? Math.round(seconds) : seconds);
});

/** Return a formatter of amounts in `currency` (null: none is configured). */
export function moneyOf(currency) {
  const options = currency ? { style: "currency", currency } : {};
  const whole = new Intl.NumberFormat(locale, { ...options, maximumFractionDigits: 0 });
  const exact = new Intl.NumberFormat(locale, { ...options, minimumFractionDigits: 2, maximumFractionDigits: 2 });
  return orDash((value) => (Math.abs(value) >= CENTS_BELOW ? whole : exact).format(value));
}
