// What a link to the board says: ?window=5m&queues=support,sales&sort=name&tv=1

const SORTS = ["trouble", "name"];

const parameters = () => new URLSearchParams(location.search);

/** Read the address: window (null: the board's usual one), sort, queues to show (null: all), and whether on a TV. */
export function readAddress() {
  const given = parameters();
  const queues = given.getAll("queues").flatMap((names) => names.split(",")).map((name) => name.trim()).filter(Boolean);
  return {
    window: given.get("window") || null,
    sort: SORTS.includes(given.get("sort")) ? given.get("sort") : SORTS[0],
    queues: queues.length > 0 ? new Set(queues) : null,
    tv: given.get("tv") === "1",
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
