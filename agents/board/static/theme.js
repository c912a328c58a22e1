// Light or dark: the system's preference until somebody chooses otherwise. Loaded before the first paint.

import { recall, remember } from "./storage.js";

const systemDark = matchMedia("(prefers-color-scheme: dark)");

function apply(theme) {
  if (theme === null) {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
}

/** Switch to the other theme; choosing what the system prefers goes back to following it. */
export function toggleTheme() {
  const system = systemDark.matches ? "dark" : "light";
  const shown = document.documentElement.dataset.theme ?? system;
  const wanted = shown === "dark" ? "light" : "dark";
  const choice = wanted === system ? null : wanted;
  remember("theme", choice);
  apply(choice);
}

apply(["light", "dark"].find((theme) => theme === recall("theme")) ?? null);
