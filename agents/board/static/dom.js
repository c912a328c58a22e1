// Writes that touch the document only when something changed: a thousand tiles stay smooth that way.

export const field = (root, name) => root.querySelector(`[data-field="${name}"]`);

/** Text that shows a value; the value is formatted, and the document touched, only when it changed. */
export class TextField {
  #value;
  #node = document.createTextNode("");
  #format;

  constructor(element, format = String) {
    element.append(this.#node);
    this.#format = format;
  }

  set(value) {
    if (Object.is(value, this.#value)) {
      return;
    }
    this.#value = value;
    const text = this.#format(value);
    if (this.#node.data !== text) {
      this.#node.data = text;
    }
  }
}

/** A figure in two parts: what is read from afar, and the rest set smaller beside it. */
export class FigureField {
  #values = [];
  #whole;
  #rest;
  #parts;

  constructor(element, parts) {
    const rest = document.createElement("small");
    this.#whole = new TextField(element);
    this.#rest = new TextField(rest);
    this.#parts = parts;
    element.append(rest);
  }

  set(...values) {
    if (values.length === this.#values.length && values.every((value, i) => Object.is(value, this.#values[i]))) {
      return;
    }
    this.#values = values;
    const [whole, rest] = this.#parts(...values);
    this.#whole.set(whole);
    this.#rest.set(rest);
  }
}

/** Set an attribute, or remove it when the value is null. */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) === value) {
    return;
  }
  if (value === null) {
    element.removeAttribute(name);
  } else {
    element.setAttribute(name, value);
  }
}

/** Set a custom property; a strict content security policy allows this, not a style attribute in markup. */
export function setProperty(element, name, value) {
  if (element.style.getPropertyValue(name) !== value) {
    element.style.setProperty(name, value);
  }
}
