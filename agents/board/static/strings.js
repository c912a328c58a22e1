// The page's language: the one of the link, else the one chosen here before, else the browser's own.

import { recall, remember } from "./storage.js";
import { english } from "./words/en.js";
import { french } from "./words/fr.js";
import { romanian } from "./words/ro.js";

const LANGUAGES = Object.fromEntries([english, french, romanian].map((words) => [words.language, words]));
const known = (tag) => (tag !== null && Object.hasOwn(LANGUAGES, tag.split("-")[0]) ? tag.split("-")[0] : undefined);

const asked = new URLSearchParams(location.search).get("lang");

export const strings = LANGUAGES[[asked, recall("language"), ...navigator.languages].map(known).find(Boolean) ?? "en"];

/** The browser's own variety of the page's language, for numbers and times: en-GB for a British reader. */
export const locale = navigator.languages.find((tag) => tag.split("-")[0] === strings.language) ?? strings.language;

document.documentElement.lang = strings.language;

/** Offer the languages in a select; choosing one remembers it and loads the page anew. */
export function offerLanguages(select) {
  for (const { language, name } of Object.values(LANGUAGES)) {
    const option = new Option(name, language, false, language === strings.language);
    option.lang = language;
    select.append(option);
  }
  select.addEventListener("change", () => {
    remember("language", select.value);
    const address = new URL(location.href);
    address.searchParams.delete("lang");
    location.replace(address);
  });
}

/** Fill the words of static markup: data-text is the text, data-label the accessible name, data-hint a placeholder. */
export function fillText(root) {
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = strings[element.dataset.text];
    const hint = strings.hints[element.dataset.text];
    if (hint !== undefined) {
      element.title = hint;
    }
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.ariaLabel = strings[element.dataset.label];
    element.title = strings[element.dataset.label];
  }
  for (const element of root.querySelectorAll("[data-hint]")) {
    element.placeholder = strings[element.dataset.hint];
  }
}
