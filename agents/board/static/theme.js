// Light or dark: the system's preference until somebody chooses otherwise. Loaded before the first paint.

const KEY = "callwatch.theme";
const systemDark = matchMedia("(prefers-color-scheme: dark)");

// A browser that refuses storage still shows the board; the choice then lasts as long as the page.
function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function store(theme) {
  try {
    if (theme === null) {
      localStorage.removeItem(KEY);
    } else {
      localStorage.setItem(KEY, theme);
    }
  } catch {
    // As above.
  }
}

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
  store(choice);
  apply(choice);
}

apply(["light", "dark"].find((theme) => theme === stored()) ?? null);
