"""The command line. A user's mistake is one line on standard error and exit code 2."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import click

from agents import app, report
from agents.embedded.up import Plan, up
from agents.processors.letters import read_letters, resend
from agents.processors.worker import topic_name
from agents.sources.feed import Run, run_simulator
from agents.sources.pace import parse_speed
from agents.sources.replay import run_replay
from config.errors import UsageError
from config.queues import load_policies
from config.settings import Settings, load_settings, parse_duration, settings_table
from streams import events as ev
from streams import schema as contract

Command = Callable[..., Any]


def _kafka(command: Command) -> Command:
    return click.option("--kafka", metavar="HOST:PORT", help="Kafka's address, several with commas.")(command)


def _redis(command: Command) -> Command:
    return click.option("--redis", metavar="URL", help="Redis' address: redis://, rediss://, redis-cluster://.")(
        command
    )


def _queues(command: Command) -> Command:
    return click.option("--queues", metavar="FILE", help="The file of queues and their promises.")(command)


def _settings(**flags: Any) -> Settings:
    settings = load_settings(**flags)
    app.configure_logging(settings)
    return settings


@click.group()
@click.version_option(app.version(), prog_name="callwatch")
def cli() -> None:
    """Watch a call center live. Every option can also come from the environment, as CALLWATCH_<NAME>."""


@cli.command(name="up")
@_kafka
@_redis
@_queues
@click.option("--port", type=int, default=8080, show_default=True, help="The wallboard's port.")
@click.option("--kafka-port", type=int, default=9092, show_default=True, help="Port of the Kafka started here.")
@click.option("--redis-port", type=int, default=6379, show_default=True, help="Port of the Redis started here.")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Where the Redis started here keeps its data."
)
@click.option("--no-simulator", is_flag=True, help="Simulate no contacts.")
def up_command(*, port: int, kafka_port: int, redis_port: int, no_simulator: bool, **flags: Any) -> None:
    """Run everything on this machine: Kafka and Redis unless given, simulator, worker, board."""
    kafka, redis = flags["kafka"], flags["redis"]
    settings = _settings(kafka=kafka, redis=redis, queues=flags["queues"], port=port)
    load_policies(settings.queues)
    plan = Plan(
        make_topics=lambda address: app.ensure_topics(settings if kafka else Settings(kafka=address)),
        kafka=kafka,
        redis=redis,
        kafka_port=kafka_port,
        redis_port=redis_port,
        port=port,
        data=flags["data"],
        simulator=not no_simulator,
        environment={"CALLWATCH_QUEUES": str(settings.queues)},
    )
    # The wallboard is full at once: the simulator first sends the quarter of an hour that has just passed.
    simulate = (*plan.commands["simulate"], "--speed", "max", "--history", "15m")
    sys.exit(asyncio.run(up(dataclasses.replace(plan, commands={**plan.commands, "simulate": simulate}))))


@cli.command()
@_kafka
@_redis
@_queues
@click.option("--group", help="The consumer group that shares the partitions.")
def worker(**flags: Any) -> None:
    """Count: read Kafka, keep the figures in Redis."""
    sys.exit(asyncio.run(app.run_worker(_settings(**flags))))


@cli.command()
@_redis
@_queues
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port to listen on.")
@click.option("--clock", type=click.Choice(["wall", "watermark"]), help="What now is; watermark to watch a replay.")
def board(**flags: Any) -> None:
    """Serve the wallboard, the API, and /metrics."""
    sys.exit(asyncio.run(app.run_board(_settings(**flags))))


@cli.command()
@_kafka
@click.option("--speed", default="1x", show_default=True, help="1x, 60x, or max.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same contacts.")
@click.option("--history", help="Begin this long ago and catch up, e.g. 15m.")
@click.option("--for", "duration", help="End after this long, e.g. 10m.")
@click.option("--contacts-per-second", type=float, help="Scale the call center to this many contacts a second.")
@click.option("--daily", is_flag=True, help="Follow the arrivals of a day: a quiet night, two peaks.")
def simulate(
    kafka: str | None, speed: str, seed: int, history: str | None, duration: str | None,
    contacts_per_second: float | None, *, daily: bool,
) -> None:  # fmt: skip
    """Simulate a call center, as queueing theory knows it."""
    settings = _settings(kafka=kafka)
    run = Run(seed=seed, speed=parse_speed(speed), history_s=_seconds(history), duration_s=_seconds(duration))
    run_simulator(settings.kafka, run, contacts_per_second=contacts_per_second, daily=daily)


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text) / 1000


@cli.command()
@click.argument("file")
@_kafka
@click.option("--speed", default="max", show_default=True, help="max, or times as fast as it happened: 60x.")
@click.option("--to", metavar="TOPIC", help="Send all of it to one topic.")
@click.option("--from-line", type=int, default=1, show_default=True, help="Resume here.")
def replay(file: str, kafka: str | None, speed: str, to: str | None, from_line: int) -> None:
    """Send a file of events (JSON Lines, .gz too, - for standard input) to Kafka."""
    settings = _settings(kafka=kafka)
    sys.exit(1 if run_replay(file, settings.kafka, to=to, speed=speed, from_line=from_line).trouble else 0)


@cli.command(name="report")
@_redis
@_queues
@click.option("--from", "start", metavar="TIME", help="First moment, RFC 3339; local midnight where left out.")
@click.option("--to", "end", metavar="TIME", help="End; now where left out.")
@click.option("--interval", default="30m", show_default=True, help="A multiple of 15m up to 1d, or of 1d.")
@click.option("--queue", help="One queue alone.")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
def report_command(*, start: str | None, end: str | None, interval: str, form: str, **flags: Any) -> None:
    """Print the figures by interval."""
    settings = _settings(redis=flags["redis"], queues=flags["queues"])
    rows = asyncio.run(app.interval_report(settings, start, end, interval, flags["queue"]))
    click.echo(report.FORMS[form](rows), nl=False)


@cli.command()
@_kafka
@click.option("--partitions", type=int, help="Partitions of topics that are made.")
@click.option("--replication", type=int, help="Replicas of topics that are made.")
def topics(**flags: Any) -> None:
    """Make the topics that are missing, and list all."""
    for name, partitions in sorted(app.ensure_topics(_settings(**flags)).items()):
        click.echo(f"{name}  {partitions} partitions")


@cli.command(name="dead-letters")
@_kafka
@click.option("--follow", is_flag=True, help="Wait for more.")
@click.option("--reason", help="Only letters of this reason.")
@click.option("--limit", type=int, help="At most this many.")
@click.option("--with-value", is_flag=True, help="Print the messages too: they may hold customers' data.")
@click.option("--resend", "again", is_flag=True, help="Send them to where they came from, after a fix.")
def dead_letters(
    kafka: str | None, reason: str | None, limit: int | None, *, follow: bool, with_value: bool, again: bool
) -> None:
    """List what could not be counted, and why."""
    settings = _settings(kafka=kafka)
    security, topic = app.kafka_security(settings), topic_name(settings.topic_prefix, ev.DEAD_LETTERS)
    found = read_letters(settings.kafka, topic, security, follow=follow)
    chosen = islice((letter for letter in found if reason in (None, letter.reason)), limit)
    if again:
        click.echo(f"sent {resend(settings.kafka, chosen, security)} again")
        return
    for letter in chosen:
        meaning = ev.REASONS.get(letter.reason, "")
        click.echo(f"{letter.place}  {letter.reason} ({meaning}): {letter.error}")
        if with_value:
            click.echo(f"    {(letter.value or b'').decode(errors='backslashreplace')}")


@cli.command(name="check-config")
@click.argument("file", required=False)
def check_config(file: str | None) -> None:
    """Check the file of queues, and the environment."""
    settings = _settings(queues=file)
    policies = load_policies(settings.queues)
    click.echo(f"{settings.queues}: {len(policies.queues)} queues, time zone {policies.timezone}: fine")


@cli.command()
@click.option("--asyncapi", "form", flag_value="asyncapi", help="AsyncAPI instead of JSON Schema.")
@click.option("--write", "form", flag_value="write", help="Write the docs that are made from the code.")
@click.option("--check", "form", flag_value="check", help="Fail if those docs are stale.")
def schema(form: str | None) -> None:
    """Print the event contract as JSON Schema."""
    made = {**report.documents(), "settings.md": f"# Settings\n\n{settings_table()}"}
    docs = Path("docs")
    if form in ("write", "check") and not docs.is_dir():
        raise UsageError("there is no folder docs here; run this at the top of callwatch's repository")
    stale = [name for name, text in made.items() if not (docs / name).is_file() or (docs / name).read_text() != text]
    if form == "write":
        for name in stale:
            (docs / name).write_text(made[name])
    elif form == "check" and stale:
        raise UsageError(f"stale: {', '.join(f'docs/{name}' for name in stale)}; run: callwatch schema --write")
    elif form in (None, "asyncapi"):
        click.echo(json.dumps(contract.asyncapi() if form else contract.json_schema(), indent=2))


def main() -> None:
    """Run the command line; a user's mistake is told in one line."""
    try:
        cli(standalone_mode=False)
    except UsageError as error:
        click.echo(f"callwatch: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


if __name__ == "__main__":
    main()
