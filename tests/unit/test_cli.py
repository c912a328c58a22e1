"""A user's mistake is one line on standard error and exit code 2; nothing else is printed."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from agents.embedded.local import LOOPBACK
from streams import events as ev
from tests.harness.server import free_port


def callwatch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line with no other settings than these."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("CALLWATCH_")}
    return subprocess.run(
        [sys.executable, "-m", "agents.cli", *arguments],
        env={**others, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def mistake(*arguments: str, **environment: str) -> str:
    """Run a command that must fail; return its one line."""
    ended = callwatch(*arguments, **environment)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    assert ended.stderr.count("\n") == 1, ended.stderr
    assert ended.stderr.startswith("callwatch: ")
    return ended.stderr.removeprefix("callwatch: ").rstrip("\n")


@pytest.fixture(scope="module")
def nobody() -> int:
    """A port that nothing listens on."""
    return free_port()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something else listens on."""
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.mark.parametrize(
    "command",
    [("topics",), ("dead-letters",), ("dead-letters", "--resend"), ("simulate",)],
    ids=" ".join,
)
def test_a_kafka_that_is_not_there_is_one_line(command: tuple[str, ...], nobody: int) -> None:
    began = time.monotonic()
    said = mistake(*command, "--kafka", f"{LOOPBACK}:{nobody}")
    assert f"{LOOPBACK}:{nobody}" in said
    assert time.monotonic() - began < 20


def test_a_replay_to_a_kafka_that_is_not_there_is_one_line(tmp_path: Path, nobody: int) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("{}\n")
    assert f"{LOOPBACK}:{nobody}" in mistake("replay", str(path), "--kafka", f"{LOOPBACK}:{nobody}")


@pytest.mark.parametrize("command", ["worker", "report"])
def test_a_redis_that_is_not_there_is_one_line(command: str, nobody: int) -> None:
    said = mistake(command, "--redis", f"redis://user:secret@{LOOPBACK}:{nobody}/0")
    assert f"{LOOPBACK}:{nobody}" in said
    assert "--redis" in said
    assert "secret" not in said


def test_a_redis_cluster_that_is_not_there_is_one_line(nobody: int) -> None:
    assert str(nobody) in mistake("report", "--redis", f"redis-cluster://{LOOPBACK}:{nobody}")


def test_a_board_without_redis_is_one_line(nobody: int) -> None:
    address = f"redis://{LOOPBACK}:{nobody}/0"
    assert address in mistake("board", "--redis", address, "--port", str(free_port()))


def test_a_port_in_use_is_one_line(taken: int) -> None:
    said = mistake("board", "--port", str(taken))
    assert (
        said
        == f"port {taken} on {LOOPBACK} cannot be used (Address already in use); free it or give another with --port"
    )


def test_up_on_a_port_in_use_is_one_line(taken: int) -> None:
    said = mistake("up", "--port", str(taken))
    assert f"port {taken}" in said
    assert "--port" in said


def test_a_setting_that_is_not_known_is_one_line_and_says_what_was_meant() -> None:
    assert (
        mistake("check-config", CALLWATCH_KAFAK="x")
        == "CALLWATCH_KAFAK: no such setting; did you mean CALLWATCH_KAFKA?"
    )


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CALLWATCH_KAFKA", "no port"), ("CALLWATCH_REDIS", "http://x"), ("CALLWATCH_BATCH_RECORDS", "many")],
)
def test_a_value_that_is_not_allowed_is_one_line(variable: str, value: str) -> None:
    said = mistake("check-config", **{variable: value})
    assert said.startswith(f"{variable}: ")


def test_a_queues_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    assert str(missing) in mistake("check-config", str(missing))


@pytest.mark.parametrize(
    ("text", "says"),
    [("queues: [", "line "), ("queues:\n  sales:\n    targt: 0.8\n", "targt"), ("nonsense: 1\n", "nonsense")],
    ids=["no YAML", "unknown key of a queue", "unknown key"],
)
def test_a_mistake_in_the_queues_file_is_one_line_with_file_and_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "queues.yaml"
    path.write_text(text)
    said = mistake("check-config", str(path))
    assert said.startswith(str(path))
    assert says in said


def test_a_right_queues_file_is_fine() -> None:
    checked = callwatch("check-config")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.rstrip().endswith(": fine")


@pytest.mark.parametrize(
    "arguments", [("--interval", "7m"), ("--from", "yesterday"), ("--interval", "x")], ids=" ".join
)
def test_a_report_of_what_cannot_be_is_refused(arguments: tuple[str, ...], redis_url: str) -> None:
    said = mistake("report", "--redis", redis_url, *arguments)
    assert arguments[1] in said or arguments[0].strip("-") in said


def test_a_report_of_nothing_has_its_headings_alone(redis_url: str) -> None:
    made = callwatch("report", "--redis", redis_url, "--format", "csv")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.startswith("start,queue,channel,offered,")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nonsense",), "No such command 'nonsense'; see callwatch --help"),
        (("worker", "--zzzzzz", "1x"), "No such option: --zzzzzz; see callwatch worker --help"),
        (("replay",), "Missing argument 'FILE'; see callwatch replay --help"),
        (("report", "--format", "xml"), "'xml' is not one of 'table', 'csv', 'json'; see callwatch report --help"),
        (("topics", "--partitions", "x"), '--partitions: "x" is not allowed; write a whole number from 1 to 10000'),
        (("up", "--port", "99999"), '--port: "99999" is not allowed; write a whole number from 0 to 65535'),
        (("up", "--kafka-port", "-1"), '--kafka-port: "-1" is not allowed; write a whole number from 1 to 65535'),
        (("up", "--redis-port", "0"), '--redis-port: "0" is not allowed; write a whole number from 1 to 65535'),
        (("board", "--port", "99999"), '--port: "99999" is not allowed; write a whole number from 0 to 65535'),
        (("dead-letters", "--reason", "bogus"), f'"bogus" is not allowed; write one of {", ".join(ev.REASONS)}'),
        (("dead-letters", "--limit", "-1"), '--limit: "-1" is not allowed'),
        (("simulate", "--contacts-per-second", "0"), '--contacts-per-second: "0" is no rate; write how many'),
        (("simulate", "--history", "10"), '--history: "10" is not a duration'),
    ],
)
def test_a_command_that_is_not_understood_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    assert says in mistake(*arguments)


def test_the_command_alone_tells_what_there_is() -> None:
    told = callwatch()
    assert (told.returncode, told.stderr) == (0, "")
    assert "check-config" in told.stdout


def test_all_mistakes_of_environment_and_file_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "queues.yaml"
    path.write_text("queues:\n  sales:\n    targt: 0.8\nnonsense: 1\n")
    wrong = {"CALLWATCH_PORT": "x", "CALLWATCH_KAFAK": "y", "CALLWATCH_SETTLING": "10", "CALLWATCH_QUEUES": str(path)}
    ended = callwatch("check-config", **wrong)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert [line.split(": ")[:2] for line in ended.stderr.splitlines()] == [
        ["callwatch", "CALLWATCH_KAFAK"],
        ["CALLWATCH_PORT", '"x" is not allowed; write a whole number from 0 to 65535'],
        ["CALLWATCH_SETTLING", '"10" is not a duration; write a number and ms, s, m, h or d, such as 20s or 1.5h'],
        [f"{path}:3", "queues.sales.targt"],
        [f"{path}:4", "nonsense"],
    ]


def test_a_wrong_environment_alone_is_told_with_a_right_file() -> None:
    assert mistake("check-config", CALLWATCH_PORT="x").startswith("CALLWATCH_PORT: ")


def test_schema_prints_a_json_schema_that_an_event_satisfies() -> None:
    printed = callwatch("schema")
    assert (printed.returncode, printed.stderr) == (0, "")
    schema = json.loads(printed.stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    event = {"id": "e1", "type": "contact.queued", "time": "2026-01-05T09:00:00Z", "contact_id": "c1"}
    jsonschema.validate({**event, "channel": "voice", "queue": "sales"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**event, "channel": "voice"}, schema)


def test_schema_prints_asyncapi_too() -> None:
    assert json.loads(callwatch("schema", "--asyncapi").stdout)["asyncapi"].startswith("3.")


def test_docs_are_written_only_at_the_top_of_the_repository(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "agents.cli", "schema", "--check"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "no folder docs" in ended.stderr
