// Where all tiles can be seen at once they are: as large as they can be. On a TV, where nobody scrolls, in pages.

import { setAttribute, setProperty } from "./dom.js";

const TILE_WIDTH_TO_HEIGHT = 1.3;
// Below this height figures can no longer be read from ten metres on a wall screen of 1080 lines.
const SMALLEST_ON_TV = 220;
// At a desk a smaller tile lacks the room for its details.
const SMALLEST_AT_DESK = 320;

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
  return best;
}

/** Return the grid of as many tiles as stay readable. */
function pageGrid(width, height) {
  const columns = Math.max(1, Math.floor(width / (SMALLEST_ON_TV * TILE_WIDTH_TO_HEIGHT)));
  const rows = Math.max(1, Math.floor(height / SMALLEST_ON_TV));
  return { columns, rows, size: height / rows };
}

/**
 * Tell the style sheet in which grid `count` tiles fit the window, or that they are to be scrolled.
 *
 * Returns how many are on a page: all (Infinity), except on a TV with more than can be read.
 */
export function fitTiles(list, count, tv) {
  const density = count <= 6 ? "few" : count <= 24 ? "some" : "many";
  setAttribute(list, "data-density", density);
  const { width, left, top } = list.getBoundingClientRect();
  const height = innerHeight - (top + scrollY) - left;
  let grid = bestGrid(count, width, height);
  const fits = count > 0 && grid.size >= (tv ? SMALLEST_ON_TV : SMALLEST_AT_DESK);
  setAttribute(document.documentElement, "data-fit", fits || tv ? "" : null);
  if (!fits && !tv) {
    return Infinity;
  }
  if (!fits) {
    grid = pageGrid(width, height);
  }
  setProperty(list, "--columns", String(grid.columns));
  setProperty(list, "--rows", String(grid.rows));
  return fits ? Infinity : grid.columns * grid.rows;
}
