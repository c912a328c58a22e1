// What a link to the board says: ?window=5m&queues=support,sales&sort=name&tv=1

export const DEFAULT_WINDOW = "5m";
const SORTS = ["trouble", "name"];

const parameters = () => new URLSearchParams(location.search);

/** Read the address: the window, the sort, the queues to show (null: all of them), and whether this is a TV. */
export function readAddress() {
  const given = parameters();
  const queues = given.getAll("queues").flatMap((names) => names.split(",")).map((name) => name.trim()).filter(Boolean);
  return {
    window: given.get("window") || DEFAULT_WINDOW,
    sort: SORTS.includes(given.get("sort")) ? given.get("sort") : SORTS[0],
    queues: queues.length > 0 ? new Set(queues) : null,
    tv: given.get("tv") === "1",
  };
}

/** Keep a choice in the address, so that a reload or a copied link shows the same board. */
export function keepInAddress(name, value) {
  const given = parameters();
  given.set(name, value);
  // Commas between queue names stay commas: the link is read by people too.
  history.replaceState(null, "", `?${given.toString().replaceAll("%2C", ",")}`);
}
