// Which queues are looked for: a search, a channel, a group. What is chosen stays in the address.

import { keepInAddress } from "./address.js";
import { locale, strings } from "./strings.js";

const folded = (text) => text.normalize("NFD").replaceAll(/\p{Mark}/gu, "").toLocaleLowerCase(locale);

export class Filter {
  #search;
  #choices;
  #address;

  /** Read `address`; `changed` is called when a person looks for something else. */
  constructor({ search, channel, group }, address, changed) {
    this.#search = search;
    this.#address = address;
    search.value = address.find;
    search.addEventListener("input", () => this.#keep("find", search.value.trim() || null, changed));
    this.#choices = [
      new Selection(channel, strings.allChannels, (name) => strings.channels[name] ?? name),
      new Selection(group, strings.allGroups, (name) => name),
    ];
    channel.addEventListener("change", () => this.#keep("channel", channel.value || null, changed));
    group.addEventListener("change", () => this.#keep("group", group.value || null, changed));
  }

  /** Tell whether anything at all is looked for. */
  get looking() {
    return Boolean(this.#address.find || this.#address.channel || this.#address.group);
  }

  /** Offer the channels and groups that `rows` have; return the rows that are looked for. */
  choose(rows) {
    const { find, channel, group } = this.#address;
    this.#choices[0].offer(rows.map((row) => row.channel), channel);
    this.#choices[1].offer(rows.map((row) => row.promise?.group), group);
    const wanted = folded(find ?? "");
    return rows.filter(
      (row) =>
        (channel === null || row.channel === channel) &&
        (group === null || row.promise?.group === group) &&
        folded(row.queue).includes(wanted),
    );
  }

  focus() {
    this.#search.focus();
    this.#search.select();
  }

  #keep(name, value, changed) {
    this.#address[name] = name === "find" ? (value ?? "") : value;
    keepInAddress(name, value);
    changed();
  }
}

class Selection {
  #select;
  #all;
  #word;
  #offered = "";

  constructor(select, all, word) {
    this.#select = select;
    this.#all = all;
    this.#word = word;
  }

  offer(names, chosen) {
    const values = [...new Set([...names, chosen].filter(Boolean))].sort();
    const offered = JSON.stringify(values);
    if (offered !== this.#offered) {
      this.#offered = offered;
      this.#select.replaceChildren(new Option(this.#all, ""), ...values.map((name) => new Option(this.#word(name), name)));
      this.#select.hidden = values.length < 2 && chosen === null;
    }
    this.#select.value = chosen ?? "";
  }
}
