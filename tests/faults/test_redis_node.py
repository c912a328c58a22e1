"""The Redis that faults befall comes back as an operator would bring it back."""

from pathlib import Path

import pytest

from tests.harness.redis_pair import RedisNode

pytestmark = pytest.mark.integration


def test_a_damaged_append_only_file_is_mended_up_to_the_damage(tmp_path: Path) -> None:
    node = RedisNode(tmp_path / "node")
    node.start()
    try:
        node.do("SET", "before", 1)
        node.kill()
        (file,) = (node.directory / "appendonlydir").glob("*.incr.aof")
        whole = file.read_bytes()
        file.write_bytes(whole + b"\0" * 300 + whole)
        node.start()
        assert node.do("GET", "before") == b"1"
        assert file.read_bytes() == whole
    finally:
        node.kill()
