// The call center's time zone, whatever the browser's own is.

const formats = new Map();

function partsOf(zone) {
  if (!formats.has(zone)) {
    const digits = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
    const options = { ...digits, second: "2-digit", hourCycle: "h23", timeZone: zone };
    formats.set(zone, new Intl.DateTimeFormat("en-GB", options));
  }
  return formats.get(zone);
}

/** Return a moment (epoch milliseconds) as the zone's clocks show it: 2026-11-23T14:05:00. */
export function toLocal(at, zone) {
  const part = Object.fromEntries(partsOf(zone).formatToParts(at).map(({ type, value }) => [type, value]));
  return `${part.year}-${part.month}-${part.day}T${part.hour}:${part.minute}:${part.second}`;
}

/** Return the moment (epoch milliseconds) at which the zone's clocks show `text`. */
export function fromLocal(text, zone) {
  const asUtc = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  const offset = (at) => Date.parse(`${toLocal(at, zone)}Z`) - at;
  // Twice, as the first guess may lie beyond a change of the clocks.
  return asUtc - offset(asUtc - offset(asUtc));
}
