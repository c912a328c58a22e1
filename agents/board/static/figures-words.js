// The words of the page of figures, in the language that the page is in.

import { strings } from "./strings.js";
import { english } from "./words/figures-en.js";
import { french } from "./words/figures-fr.js";
import { romanian } from "./words/figures-ro.js";

export const words = { en: english, fr: french, ro: romanian }[strings.language];

/** Fill the words of static markup that are this page's own: data-word is the text. */
export function fillWords(root) {
  for (const element of root.querySelectorAll("[data-word]")) {
    element.textContent = words[element.dataset.word];
  }
}
