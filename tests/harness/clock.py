"""A wall clock that can be set wrong for one process alone."""

import shutil
import subprocess
from pathlib import Path

from tests.harness.server import missing

SOURCE = Path(__file__).with_suffix(".c")


class WrongClock:
    """The clock of a host; processes started with its ``environment`` go by it."""

    def __init__(self, directory: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            missing("no clock to be set wrong: it needs a C compiler, and there is no cc on the path")
        self._offset, library = directory / "clock-offset", directory / "clock.so"
        self._offset.write_bytes(bytes(8))
        command = [str(compiler), "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, timeout=60)
        self.environment = {"LD_PRELOAD": str(library), "CLOCK_OFFSET": str(self._offset)}

    def jump(self, seconds: int) -> None:
        """Be wrong by ``seconds`` from now on; 0 is right."""
        with self._offset.open("r+b") as file:
            file.write(seconds.to_bytes(8, "little", signed=True))
