"""Before the command line is there, it can be interrupted already."""

import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec

import pytest

from agents.__main__ import main


class Interrupted(MetaPathFinder):
    """Somebody who presses Ctrl-C while a module is loaded."""

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> ModuleSpec | None:
        """Find nothing."""
        if fullname == "agents.cli":
            raise KeyboardInterrupt
        return None


def test_ctrl_c_while_it_loads_ends_it_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agents.cli", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Interrupted(), *sys.meta_path])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
