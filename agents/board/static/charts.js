// Lines over time, drawn by uPlot, in the page's own colours.

import { locale } from "./strings.js";

const HEIGHT = 170;

/** Resolve light-dark() and var() to a colour that a canvas knows. */
function resolved(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export class Chart {
  #root;
  #lines;
  #options;
  #plot = null;
  #data = null;

  /**
   * Draw into `root`, under `title`, a line for each of `lines` ({label, colour: custom property, dash}).
   *
   * `options.value` formats a value, `options.time` a moment of the first column; `steps` and `marks` are the distances
   * allowed between labels. The vertical axis ends at `share`, or where that is left out at `floor` or higher; `height`
   * is in pixels.
   */
  constructor(root, title, lines, options) {
    this.#root = document.createElement("figure");
    this.#lines = lines;
    this.#options = options;
    const caption = document.createElement("figcaption");
    caption.textContent = title;
    for (const line of lines.filter(({ label }) => label)) {
      const key = document.createElement("span");
      key.textContent = line.label;
      key.dataset.dash = line.dash ? "" : "none";
      caption.append(key);
    }
    this.#root.append(caption);
    root.append(this.#root);
    new ResizeObserver(() => this.#plot?.setSize({ width: this.#width(), height: this.#height() })).observe(this.#root);
    new MutationObserver(() => this.#rebuild()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
  }

  /** Show columns: the moments, then the values of each line (null: nothing to show). */
  show(columns) {
    this.#data = columns;
    if (this.#plot === null) {
      this.#rebuild();
    } else {
      this.#plot.setData(columns);
    }
    this.#root.dataset.points = String(columns[0].length);
  }

  #height() {
    return this.#options.height ?? HEIGHT;
  }

  #width() {
    return Math.max(200, Math.floor(this.#root.getBoundingClientRect().width));
  }

  #rebuild() {
    if (this.#data === null) {
      return;
    }
    this.#plot?.destroy();
    const { value, time, share, floor } = this.#options;
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: resolved("--muted"), font, grid: { stroke: resolved("--line"), width: 1 }, ticks: { show: false } };
    this.#plot = new globalThis.uPlot(
      {
        width: this.#width(),
        height: this.#height(),
        padding: [8, 18, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false }, y: { range: (_plot, _low, high) => [0, share ?? Math.max(floor, high * 1.2)] } },
        axes: [
          { ...axis, values: (_plot, splits) => splits.map(time), incrs: this.#options.steps, space: 70, size: 28 },
          { ...axis, values: (_plot, splits) => splits.map(value), size: 52, incrs: this.#options.marks },
        ],
        series: [{}, ...this.#lines.map((line) => ({
          stroke: resolved(line.colour),
          width: 2,
          dash: line.dash,
          points: { show: false },
          paths: line.steps ? globalThis.uPlot.paths.stepped({ align: 1 }) : undefined,
        }))],
      },
      this.#data,
      this.#root,
    );
    this.#plot.root.querySelector("canvas").setAttribute("role", "presentation");
  }
}

/** Distances between the labels of counts. */
export const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

export const shareLabel = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
