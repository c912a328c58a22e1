// A screen on the wall: it turns pages, hides the pointer, and does not fall asleep.

import { TextField, setAttribute } from "./dom.js";
import { strings } from "./strings.js";

const POINTER_MS = 3_000;

/** Shows one page of the tiles after the other when they do not all fit. */
export class Pages {
  #list;
  #sign;
  #shown;
  #page = 0;
  #perPage = Infinity;

  constructor(list, sign) {
    this.#list = list;
    this.#sign = sign;
    this.#shown = new TextField(sign);
  }

  /** Lay out the tiles with as many on a page as fit (`perPage`). */
  lay(perPage) {
    this.#perPage = perPage;
    const tiles = this.#list.children;
    const pages = Math.max(1, Math.ceil(tiles.length / perPage));
    this.#page %= pages;
    for (let i = 0; i < tiles.length; i += 1) {
      const here = perPage === Infinity || Math.floor(i / perPage) === this.#page;
      setAttribute(tiles[i], "hidden", here ? null : "");
    }
    setAttribute(this.#sign, "hidden", pages > 1 ? null : "");
    this.#shown.set(strings.page(this.#page + 1, pages));
  }

  /** Turn to the next page. */
  turn() {
    this.#page += 1;
    this.lay(this.#perPage);
  }
}

/** Hide the pointer while nobody moves it. */
export function hideIdlePointer(root) {
  let timer = 0;
  const moved = () => {
    setAttribute(root, "data-idle", null);
    clearTimeout(timer);
    timer = setTimeout(() => setAttribute(root, "data-idle", ""), POINTER_MS);
  };
  addEventListener("pointermove", moved);
  moved();
}

/** Keep the screen from sleeping, and take that up again whenever the page comes back into sight. */
export function stayAwake() {
  const ask = async () => {
    try {
      await navigator.wakeLock?.request("screen");
    } catch {
      // Not allowed here (out of sight, low battery, no HTTPS): the screen's own settings decide.
    }
  };
  document.addEventListener("visibilitychange", ask);
  ask();
}

/** Fill the screen, or leave it. */
export async function toggleFullScreen() {
  if (document.fullscreenElement !== null) {
    await document.exitFullscreen();
  } else {
    await document.documentElement.requestFullscreen();
  }
}
