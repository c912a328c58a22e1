"""What is vendored is what its manifest says: package, version, licence, and the hash of every file."""

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["agents/board/static/vendor", "tests/browser/vendor"])
def test_what_is_vendored_is_what_its_manifest_says(name: str) -> None:
    folder = ROOT / name
    listed = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    files = {file: digest for package in listed for file, digest in package["files"].items()}
    assert set(files) == {path.name for path in folder.iterdir()} - {"manifest.json", "README.md"}
    for file, digest in files.items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest, file
    for package in listed:
        assert package["version"] in (folder / "README.md").read_text(encoding="utf-8")
        assert package["licence"]
