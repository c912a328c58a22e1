// Two notes when a queue goes into breach, for those who have asked for it.

import { recall, remember } from "./storage.js";

const NOTES_HZ = [880, 660];
const NOTE_S = 0.18;
const LOUDNESS = 0.2;

export class Sound {
  #button;
  #context = null;

  constructor(button) {
    this.#button = button;
    this.#show(recall("sound") === "on");
    button.addEventListener("click", () => this.toggle());
    // A browser lets a page be heard only after somebody has touched it.
    for (const touch of ["pointerdown", "keydown"]) {
      addEventListener(touch, () => this.#context?.resume());
    }
  }

  /** Turn it on or off; turned on, it is heard once. */
  toggle() {
    const on = this.#button.ariaPressed !== "true";
    remember("sound", on ? "on" : null);
    this.#show(on);
    this.ring();
  }

  /** Be heard, if turned on. */
  ring() {
    if (this.#button.ariaPressed !== "true") {
      return;
    }
    this.#context ??= new AudioContext();
    const start = this.#context.currentTime;
    NOTES_HZ.forEach((frequency, i) => this.#note(frequency, start + i * NOTE_S));
    this.#button.dataset.rang = String(Number(this.#button.dataset.rang ?? 0) + 1);
  }

  #note(frequency, at) {
    const tone = this.#context.createOscillator();
    const volume = this.#context.createGain();
    tone.frequency.value = frequency;
    volume.gain.setValueAtTime(LOUDNESS, at);
    volume.gain.exponentialRampToValueAtTime(0.001, at + NOTE_S);
    tone.connect(volume).connect(this.#context.destination);
    tone.start(at);
    tone.stop(at + NOTE_S);
  }

  #show(on) {
    this.#button.ariaPressed = String(on);
  }
}
