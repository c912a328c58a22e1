"""The house's own rules, for every file that is or is about to be in the repository."""

import ast
import re
import subprocess
from pathlib import Path
from shutil import which

import pytest

from tests.harness.server import missing

ROOT = Path(__file__).parents[2]
SOURCE_SUFFIXES = {".py", ".js", ".css", ".html", ".lua", ".sh"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60

# Written so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w./-])/(?:work|root|home|Users|opt/wheels)/|(?<![\w./-])/tmp/\w")
REGISTRY = re.compile(
    r"\b(?:pypi\.org|pythonhosted\.org|crates\.io|proxy\.golang\.org|npmjs\.(?:org|com)|yarnpkg\.com"
    r"|maven\.apache\.org/maven2|repo\d?\.maven|deb\.debian\.org|docker\.io|ghcr\.io|quay\.io)\b"
)
UNFINISHED = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X)\b")


def _files() -> list[Path]:
    if which("git") is None or not (ROOT / ".git").exists():
        missing("no git checkout to list the repository's files from")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def _texts() -> dict[str, str]:
    texts = {}
    for path in _files():
        try:
            texts[path.relative_to(ROOT).as_posix()] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
    return texts


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return _texts()


@pytest.fixture(scope="module")
def sources(texts: dict[str, str]) -> dict[str, str]:
    found = {name: text for name, text in texts.items() if Path(name).suffix in SOURCE_SUFFIXES}
    assert "tests/unit/test_house.py" in found
    return found


def _matches(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {found[0]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (found := pattern.search(line))
    ]


def _long_functions(text: str) -> list[tuple[str, int]]:
    return [
        (node.name, length)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) >= LONGEST_FUNCTION
    ]


def test_no_file_names_a_path_of_the_machine_it_was_written_on(texts: dict[str, str]) -> None:
    assert _matches(MACHINE_PATH, texts) == []


def test_no_file_names_a_package_registry(texts: dict[str, str]) -> None:
    assert _matches(REGISTRY, texts) == []


def test_nothing_is_left_for_later(sources: dict[str, str]) -> None:
    assert _matches(UNFINISHED, sources) == []


def test_every_source_file_is_short(sources: dict[str, str]) -> None:
    lengths = {name: text.count("\n") for name, text in sources.items()}
    assert {name: length for name, length in lengths.items() if length >= LONGEST_FILE} == {}


def test_every_function_is_short(sources: dict[str, str]) -> None:
    long = {name: _long_functions(text) for name, text in sources.items() if name.endswith(".py")}
    assert {name: functions for name, functions in long.items() if functions} == {}


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE_PATH, "see " + "/work" + "/main/Makefile"),
        (MACHINE_PATH, 'open("/' + 'tmp/x.log")'),
        (REGISTRY, "--index-url https://" + "pypi" + ".org/simple"),
        (UNFINISHED, "# TO" + "DO: later"),
    ],
)
def test_what_is_forbidden_is_found(pattern: re.Pattern[str], line: str) -> None:
    assert _matches(pattern, {"a.py": f"first\n{line}"}) == [f"a.py:2: {pattern.search(line)[0]}"]  # type: ignore[index]


def test_a_function_is_measured_from_its_name_to_its_last_line() -> None:
    body = "    pass\n" * (LONGEST_FUNCTION - 1)
    assert _long_functions(f"async def short():\n    pass\n\n\ndef long():\n{body}") == [("long", LONGEST_FUNCTION)]
