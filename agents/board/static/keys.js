// Keyboard shortcuts, and the list of them.

import { strings } from "./strings.js";

const typesText = (element) => element.matches("input:not([type=radio]), select, textarea");

/** Call what belongs to a key: `actions` maps keys to functions. While text is typed no key is a shortcut. */
export function listenToKeys(actions) {
  addEventListener("keydown", (event) => {
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const meant = !event.ctrlKey && !event.metaKey && !event.altKey && !document.querySelector("dialog[open]");
    if (action === undefined || !meant || typesText(event.target)) {
      return;
    }
    event.preventDefault();
    action();
  });
}

/** Fill the dialog that lists the shortcuts; `keys` maps keys to what they do. */
export function fillHelp(dialog, keys = strings.keys) {
  const list = dialog.querySelector("dl");
  for (const [key, meaning] of Object.entries(keys)) {
    const term = document.createElement("dt");
    const sign = document.createElement("kbd");
    sign.textContent = key;
    term.append(sign);
    const described = document.createElement("dd");
    described.textContent = meaning;
    list.append(term, described);
  }
}
