"""What the documents say is so."""

import re
from pathlib import Path
from random import Random
from typing import Final

import click
import pytest

from agents.cli import cli
from streams import kpis
from streams.measures import Histogram, Measure, bin_of
from streams.policy import FORMULAS

ROOT: Final = Path(__file__).parents[2]
API: Final = (ROOT / "docs" / "api.md").read_text()
ARCHITECTURE: Final = (ROOT / "docs" / "architecture.md").read_text()
README: Final = (ROOT / "README.md").read_text()
LEFT: Final = Measure.LEFT_OVERFLOW


def formulas() -> dict[str, str]:
    """Return the formulas of the table in docs/api.md, by name."""
    table = API.partition("## Service level")[2].partition("## Other figures")[0]
    return dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \| .{30,} \|$", table, re.MULTILINE))


def test_every_formula_is_explained() -> None:
    assert list(formulas()) == [*FORMULAS, "live"]


@pytest.mark.parametrize("seed", range(5))
def test_the_formulas_written_are_those_that_are_computed(seed: int) -> None:
    draw = Random(seed).randrange
    counts = {"a_T": draw(50), "b_T": draw(9), "s": draw(9), "left": draw(9), "w": draw(9)}
    counts |= {"a": counts["a_T"] + draw(1, 20), "b": counts["b_T"] + counts["s"] + draw(1, 20)}
    row: dict[int, int] = {
        Measure.ANSWERED: counts["a"],
        Measure.ANSWERED_WITHIN_TARGET: counts["a_T"],
        Measure.ABANDONED: counts["b"],
        Measure.ABANDONED_WITHIN_TARGET: counts["b_T"],
        Measure.SHORT_ABANDONED: counts["s"],
        LEFT: counts["left"],
    }
    told = {name: eval(formula, {}, counts) for name, formula in formulas().items()}  # noqa: S307 -- our own page
    computed = {**kpis.service_level(row), "live": kpis.live_service_level(row, counts["w"])}
    assert computed == pytest.approx(told)


def test_every_module_has_its_place_in_the_table_and_every_place_exists() -> None:
    named = set(re.findall(r"`((?:streams|agents|config)/[\w./]*)`", ARCHITECTURE))
    assert [place for place in sorted(named) if not (ROOT / place).exists()] == []
    modules = {
        path.relative_to(ROOT).as_posix()
        for home in ("streams", "agents", "config")
        for path in (ROOT / home).rglob("*.py")
        if path.name != "__init__.py"
    }
    folders = tuple(place for place in named if place.endswith("/"))
    assert [module for module in sorted(modules) if module not in named and not module.startswith(folders)] == []


def test_every_link_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def commands(text: str) -> list[list[str]]:
    """Return the command lines of a page's code blocks that begin with callwatch's own path."""
    blocks = re.findall(r"^ {4,8}(\S.*)$", text, re.MULTILINE)
    return [line.split("#")[0].split()[1:] for line in blocks if line.startswith(".venv/bin/callwatch ")]


def test_the_readmes_commands_are_known_with_their_options() -> None:
    found = commands(README)
    assert {command for command, *_ in found} >= {"check-config", "replay", "dead-letters", "report", "worker", "board"}
    for name, *arguments in found:
        command = cli.commands[name]
        command.make_parser(click.Context(command)).parse_args(list(arguments))


def test_the_readme_and_the_command_line_have_the_same_commands() -> None:
    table = README.partition("| command | does |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(?:callwatch )?([a-z-]+)(?: [A-Z]+)?`", table)) == set(cli.commands)


def test_a_percentile_is_as_near_as_the_page_says() -> None:
    for wait in (1, 7, 40, 333, 2_000):
        row: dict[int, int] = {Histogram.WAIT_ANSWERED + bin_of(wait * 1_000): 1}
        assert kpis.percentile(row, Histogram.WAIT_ANSWERED, 90) == pytest.approx(wait, rel=0.05)
