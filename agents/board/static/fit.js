// On a TV nobody scrolls: the tiles are made as large as they can be while all of them fit.

const TILE_WIDTH_TO_HEIGHT = 1.3;
// Below this height figures can no longer be read from ten metres on a wall screen of 1080 lines.
const SMALLEST_HEIGHT = 220;

/** Return the columns and rows that make `count` tiles largest in `width` by `height` pixels. */
export function bestGrid(count, width, height) {
  let best = { columns: 1, rows: count, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns / TILE_WIDTH_TO_HEIGHT, height / rows);
    if (size > best.size) {
      best = { columns, rows, size };
    }
  }
  if (best.size >= SMALLEST_HEIGHT) {
    return best;
  }
  // Too many for one screen: the first of them, which sorted by trouble are those that matter, stay readable.
  const columns = Math.max(1, Math.floor(width / (SMALLEST_HEIGHT * TILE_WIDTH_TO_HEIGHT)));
  const rows = Math.max(1, Math.floor(height / SMALLEST_HEIGHT));
  return { columns, rows, size: height / rows };
}

/** Tell the style sheet how many tiles there are and, on a TV, in which grid they fit. */
export function fitTiles(list, count, tv) {
  const density = count <= 6 ? "few" : count <= 24 ? "some" : "many";
  if (list.dataset.density !== density) {
    list.dataset.density = density;
  }
  if (!tv || count === 0) {
    return;
  }
  const box = list.getBoundingClientRect();
  const { columns, rows } = bestGrid(count, box.width, box.height);
  for (const [name, value] of [["--columns", columns], ["--rows", rows]]) {
    if (list.style.getPropertyValue(name) !== String(value)) {
      list.style.setProperty(name, value);
    }
  }
}
