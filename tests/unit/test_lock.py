"""requirements.lock holds all that is installed, each version pinned by hash, and nothing is installed without it."""

import re
from functools import cache
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT: Final = Path(__file__).parents[2]
ENTRIES: Final = re.findall(
    r"^([A-Za-z0-9._-]+)==(\S+)((?: ; [^\\\n]+)?) \\\n((?:    --hash=\S+(?: \\)?\n)+)",
    (ROOT / "requirements.lock").read_text(encoding="utf-8"),
    re.MULTILINE,
)
LOCKED: Final[dict[str, Version]] = {canonicalize_name(name): Version(version) for name, version, _, _ in ENTRIES}
EXTRAS: Final = ("", "dev", "embedded")


def needed(name: str, extras: tuple[str, ...]) -> list[Requirement]:
    """Return what a package that is installed here wants of others here."""
    try:
        found = [Requirement(text) for text in requires(name) or ()]
    except PackageNotFoundError:
        return []
    return [each for each in found if any(each.marker is None or each.marker.evaluate({"extra": x}) for x in extras)]


@cache
def closure() -> dict[str, Requirement]:
    """Return every package that callwatch leads to, with the requirement that first led there."""
    found: dict[str, Requirement] = {}
    ahead = needed("callwatch", EXTRAS)
    while ahead:
        each = ahead.pop()
        name = canonicalize_name(each.name)
        if name not in found and name != "callwatch":
            found[name] = each
            ahead += needed(name, ("", *each.extras))
    return found


def test_no_line_of_the_lock_is_without_version_and_sha256() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(packages) == len(ENTRIES) > 50
    for name, _, _, hashes in ENTRIES:
        assert re.fullmatch(r"(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", hashes), name


@pytest.mark.parametrize("name", sorted(closure()))
def test_what_callwatch_needs_is_locked_at_a_version_it_allows(name: str) -> None:
    assert name in LOCKED, f"run make lock: {name} is not in requirements.lock"
    assert closure()[name].specifier.contains(LOCKED[name], prereleases=True)


def test_whatever_installs_goes_by_the_lock() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = [line for line in makefile.splitlines() if re.search(r"pip install", line)]
    assert installs
    for line in installs:
        # Of callwatch itself nothing is fetched: neither what it needs nor what builds it.
        assert "--require-hashes -r requirements.lock" in line or "--no-deps --no-build-isolation -e ." in line
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").rstrip().endswith("make test")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "--constraint requirements.lock" in dockerfile
    assert "--build-constraint requirements.lock" in dockerfile
