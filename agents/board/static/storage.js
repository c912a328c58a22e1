// What this browser remembers. One that refuses storage still shows the board; a choice then lasts as long as the page.

/** Return what was remembered under `key`; null when nothing was. */
export function recall(key) {
  try {
    return localStorage.getItem(`callwatch.${key}`);
  } catch {
    return null;
  }
}

/** Remember `value` under `key`, or forget it (null). */
export function remember(key, value) {
  try {
    if (value === null) {
      localStorage.removeItem(`callwatch.${key}`);
    } else {
      localStorage.setItem(`callwatch.${key}`, value);
    }
  } catch {
    // As above.
  }
}
