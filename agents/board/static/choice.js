// A row of radio buttons that looks like one control.

/** Offer `options` ([value, label] pairs) in `fieldset`; `chosen` is called with the value a person picks. */
export class Choice {
  #fieldset;
  #name;
  #offered = "";

  constructor(fieldset, name, chosen) {
    this.#fieldset = fieldset;
    this.#name = name;
    fieldset.addEventListener("change", (event) => chosen(event.target.value));
  }

  /** Show the options with `value` picked; options that stay the same are not rebuilt. */
  show(options, value) {
    const offered = JSON.stringify(options);
    if (offered !== this.#offered) {
      this.#offered = offered;
      this.#fieldset.querySelectorAll("label").forEach((label) => label.remove());
      this.#fieldset.append(...options.map((option) => this.#build(option)));
    }
    for (const input of this.#fieldset.querySelectorAll("input")) {
      input.checked = input.value === value;
    }
  }

  #build([value, text]) {
    const label = document.createElement("label");
    const input = document.createElement("input");
    input.type = "radio";
    input.name = this.#name;
    input.value = value;
    const word = document.createElement("span");
    word.textContent = text;
    label.append(input, word);
    return label;
  }
}
