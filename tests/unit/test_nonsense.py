"""Every option of every command, given nonsense: one line that says so, exit code 2, never a traceback."""

from collections.abc import Iterator
from typing import Final

import click
import pytest

from agents.cli import cli
from agents.embedded.local import LOOPBACK
from tests.harness.commands import Ended, run_all
from tests.harness.server import free_port

NONSENSE: Final = (
    *("", " ", "-1", "0", "99999999", "1e9", "nan", "x", "é\x00", "a\nb", "\udcff", "٣"),
    *("x" * 100, "9" * 400, "y" * 100_000, "../..", "--", "%s{}", "[::1", "127.0.0.1:0"),
)
COMMANDS: Final = cli.commands


def values_of(command: click.Command) -> list[click.Parameter]:
    """Return the options and arguments that take a value; for a token's name hardly anything is nonsense."""
    return [each for each in command.params if not getattr(each, "is_flag", False) and each.name != "name"]


def cases(nobody: int) -> Iterator[tuple[str, ...]]:
    """Yield every parameter with every nonsense, the others fine.

    What is no nonsense for a parameter starts nothing either: the addresses are those of nobody.
    """
    addresses = {"kafka": f"{LOOPBACK}:{nobody}", "redis": f"redis://{LOOPBACK}:{nobody}/0"}
    for name, command in COMMANDS.items():
        taken = values_of(command)
        for parameter in taken:
            others = [
                part
                for each in taken
                if each.name in addresses and each is not parameter
                for part in (each.opts[0], addresses[str(each.name)])
            ]
            arguments = [__file__] if name == "replay" and parameter.name != "file" else []
            for nonsense in NONSENSE:
                given = (parameter.opts[0], nonsense) if isinstance(parameter, click.Option) else ("--", nonsense)
                yield (name, *others, *arguments, *given, *(["tv"] if name == "token" else []))


@pytest.fixture(scope="module")
def ended() -> dict[tuple[str, ...], Ended]:
    all_cases = list(cases(free_port()))
    return dict(zip(all_cases, run_all(all_cases), strict=True))


def test_every_parameter_is_given_nonsense(ended: dict[tuple[str, ...], Ended]) -> None:
    assert len(ended) == len(NONSENSE) * sum(len(values_of(command)) for command in COMMANDS.values()) > 500


def test_nonsense_is_one_line_and_exit_code_2(ended: dict[tuple[str, ...], Ended]) -> None:
    wrong = {
        case: told
        for case, told in ended.items()
        if told.code != 2 or told.err.count("\n") != 1 or not told.err.startswith("callwatch: ") or told.out
    }
    assert wrong == {}


def test_what_is_told_is_short_even_of_something_long(ended: dict[tuple[str, ...], Ended]) -> None:
    longest = max(ended.values(), key=lambda told: len(told.err))
    assert len(longest.err) < 1_000
