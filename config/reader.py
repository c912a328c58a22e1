"""A file of YAML, read so that every mistake in it is named by line and key.

The file is composed into YAML's nodes and no further: they keep the line and the text of every value, so that
``80 %``, ``08:00`` and ``2027-12-25`` are read here and not as YAML guesses, and all mistakes are found at once.
"""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from config.errors import UsageError, nearest, one_line

T = TypeVar("T")

NULL_TAG: Final = "tag:yaml.org,2002:null"

#: Keys, and for each the field that it fills and what reads its value.
Values = tuple[tuple[str, str, Callable[[str], object]], ...]


class Entry(NamedTuple):
    """A value in the file: the line of its key (of itself in a list), the keys that lead to it, its node."""

    line: int
    path: str
    node: Node


class Reader:
    """Reads values of the file and notes what is wrong with them; every error is (line, message)."""

    def __init__(self) -> None:
        self.errors: list[tuple[int, str]] = []

    def fault(self, entry: Entry, what: str) -> None:
        """Note that ``what`` is wrong with ``entry``."""
        self.errors.append((entry.line, one_line(f"{entry.path}: {what}" if entry.path else what)))

    def mapping(self, entry: Entry, known: Collection[str] = ()) -> dict[str, Entry]:
        """Return the entries of a mapping, by key; of no others than ``known``, if given. Nothing is an empty one."""
        if _is_null(entry.node):
            return {}
        if not isinstance(entry.node, MappingNode):
            self.fault(entry, "has no keys under it; write keys with values, each on a line of its own, indented")
            return {}
        entries: dict[str, Entry] = {}
        for key, value in entry.node.value:
            line = key.start_mark.line + 1
            name = str(key.value) if isinstance(key, ScalarNode) else "?"
            found = Entry(line, f"{entry.path}.{name}".lstrip("."), value)
            if known and name not in known:
                hint = nearest(name, known) or f"; write one of {', '.join(known)}"
                self.fault(found, f"no such key{hint}")
            elif name in entries:
                self.fault(found, f"given twice, first in line {entries[name].line}; write it once")
            else:
                entries[name] = found
        return entries

    def items(self, entry: Entry, example: str) -> list[Entry]:
        """Return the entries of a list."""
        if not isinstance(entry.node, SequenceNode):
            self.fault(entry, f"is not a list; write {example}")
            return []
        return [Entry(node.start_mark.line + 1, entry.path, node) for node in entry.node.value]

    def value(self, entry: Entry, parse: Callable[[str], T]) -> T | None:
        """Return what ``parse`` makes of a single value; None where it is wrong."""
        if not isinstance(entry.node, ScalarNode):
            self.fault(entry, "has keys or a list under it; write one value")
        elif _is_null(entry.node):
            self.fault(entry, "has no value; write one, or leave the key out")
        else:
            try:
                return parse(entry.node.value.strip())
            except UsageError as error:
                self.fault(entry, str(error))
        return None

    def values(self, entries: Mapping[str, Entry], known: Values) -> dict[str, Any]:
        """Return what is given of ``known``, by field; None where it is wrong."""
        return {field: self.value(entries[key], parse) for key, field, parse in known if key in entries}

    def name(self, entry: Entry, name: str, kind: Any) -> None:
        """Note a name that no event can carry."""
        try:
            msgspec.convert(name, kind)
        except msgspec.ValidationError as error:
            self.fault(entry, f'"{name[:40]}" is not a name: {error}')


def compose(path: Path) -> Node:
    """Return the root of the file's nodes; raise UsageError where it cannot be read or is not YAML."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); CALLWATCH_QUEUES or --queues names it") from None
    try:
        root: Node | None = YAML().compose(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from None
    except RecursionError:
        raise UsageError(f"{path}:1: is nested too deeply to be meant; take out brackets") from None
    except YAMLError as error:
        line, what = _yaml_error(error, data)
        raise UsageError(f"{path}:{line}: {one_line(what)}") from None
    if root is None or _is_null(root):
        raise UsageError(f"{path}:1: is empty; write at least queues, as the example that comes with callwatch does")
    return root


def _yaml_error(error: YAMLError, data: bytes) -> tuple[int, str]:
    """Return the line of a mistake in the YAML, and what it is."""
    if isinstance(error, ReaderError):
        before = data.decode("utf-8-sig")[: error.position]
        return before.count("\n") + 1, f"is not YAML: {error.reason}; take out the control character"
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return 1, f"is not YAML: {' '.join(str(error).split())}"
    line = error.problem_mark.line + 1
    if "'\\t'" in str(error.problem):
        return line, "a tab; YAML is indented with spaces"
    context = f" {error.context}" if error.context else ""
    opened = f" that began in line {error.context_mark.line + 1}" if context and error.context_mark else ""
    return line, f"is not YAML: {error.problem}{context}{opened}; check colons, quotes, brackets and indentation"


def _is_null(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.tag == NULL_TAG
