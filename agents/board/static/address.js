// What a link to the board says: ?window=5m&queues=support,sales&channel=voice&group=phone&find=vip&sort=name&tv=1&turn=15

const SORTS = ["trouble", "name"];

const parameters = () => new URLSearchParams(location.search);

// A page of tiles stays this long on a TV.
const TURN_S = 15;

/**
 * Read the address: window (null: the board's usual one), sort, queues to show (null: all), what else is looked for,
 * whether on a TV, and after how many seconds a TV turns the page.
 */
export function readAddress() {
  const given = parameters();
  const queues = given.getAll("queues").flatMap((names) => names.split(",")).map((name) => name.trim()).filter(Boolean);
  return {
    window: given.get("window") || null,
    sort: SORTS.includes(given.get("sort")) ? given.get("sort") : SORTS[0],
    queues: queues.length > 0 ? new Set(queues) : null,
    channel: given.get("channel") || null,
    group: given.get("group") || null,
    find: given.get("find") ?? "",
    tv: given.get("tv") === "1",
    turn: Math.max(1, Number(given.get("turn")) || TURN_S),
  };
}

/** Keep a choice in the address, or forget it (null), so that a reload or a copied link shows the same board. */
export function keepInAddress(name, value) {
  const given = parameters();
  if (value === null) {
    given.delete(name);
  } else {
    given.set(name, value);
  }
  // Commas between queue names stay commas: the link is read by people too.
  history.replaceState(null, "", `?${given.toString().replaceAll("%2C", ",")}`);
}
