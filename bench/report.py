"""Write the tables and charts of docs/performance.md from bench/results.json: python -m bench.report."""

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from bench.__main__ import RESULTS, ratio

Row = dict[str, Any]
DOCS: Final = Path(__file__).parent.parent / "docs"
BEGIN: Final = "<!-- results: python -m bench.report -->"
END: Final = "<!-- end of results -->"
WIDTH, HEIGHT, MARGIN = 480, 220, 48


def table(rows: list[Row]) -> str:
    """Return rows as a table of Markdown."""
    lines = [
        "| what | measured | CPU for each event | goal | ratio | counts |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for row in rows:
        met = ratio(row)
        goal = "" if met is None else f"{'under' if row.get('below') else 'at least'} {row['goal']:,}"
        cpu = f"{row['cpu_us']} µs" if "cpu_us" in row else f"{row['by_cpu']} times" if "by_cpu" in row else ""
        measured = f"{row['measured']:,} {row['unit']}".strip()
        reached = "" if met is None else f"{met:.2f}"
        lines.append(f"| {row['what']} | {measured} | {cpu} | {goal} | {reached} | {row.get('counts', '')} |")
    return "\n".join(lines)


def chart(title: str, points: list[tuple[float, float]], unit: str) -> str:
    """Return a line through (size, figure) as SVG, sizes on a logarithmic axis, figures from 0."""
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    top = max(figure for _, figure in points) * 1.2
    wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN

    def place(size: float, figure: float) -> tuple[float, float]:
        share = (math.log10(size) - first) / ((last - first) or 1.0)
        return round(MARGIN + wide * share, 1), round(HEIGHT - MARGIN - high * figure / top, 1)

    found = [(*place(*point), *point) for point in points]
    line = " ".join(f"{x},{y}" for x, y, _, _ in found)
    marks = "".join(
        f'<circle cx="{x}" cy="{y}" r="3" fill="#2563eb"/>'
        f'<text x="{x}" y="{y - 8}" text-anchor="middle">{figure:g}</text>'
        f'<text x="{x}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{size:,.0f}</text>'
        for x, y, size, figure in found
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{MARGIN}" y="20" font-size="13">{title} ({unit})</text>'
        f'<path d="M{MARGIN} {HEIGHT - MARGIN}H{WIDTH - MARGIN}" stroke="#888"/>'
        f'<polyline points="{line}" fill="none" stroke="#2563eb" stroke-width="2"/>{marks}</svg>\n'
    )


def filled(text: str, results: dict[str, Any]) -> str:
    """Return the page with what stands between its marks made from ``results``."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    rows: list[Row] = results["rows"]
    machine = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    series = sorted({row["series"] for row in rows if "series" in row})
    charts = "\n".join(f"![CPU time for each event over {name}]({_image(name)})" for name in series)
    parts = [BEGIN, f"Machine: {machine}.", table(rows), *([charts] if charts else []), END]
    return head + "\n\n".join(parts) + tail


def main() -> None:
    """Write tables and charts."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    series: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in results["rows"]:
        if "series" in row:
            series[row["series"]].append((row["size"], row["measured"]))
    for name, points in series.items():
        title = f"CPU time for each event over {name}"
        (DOCS / _image(name)).write_text(chart(title, sorted(points), "µs"), encoding="utf-8")
    page = DOCS / "performance.md"
    page.write_text(filled(page.read_text(encoding="utf-8"), results), encoding="utf-8")


def _image(series: str) -> str:
    return f"images/growth-{series.replace(' ', '-')}.svg"


if __name__ == "__main__":
    main()
