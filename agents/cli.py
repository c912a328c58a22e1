"""The command line. A user's mistake is one line on standard error and exit code 2."""

import asyncio
import dataclasses
import json
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from agents import app, backtest, report
from agents.embedded.up import Plan, up
from agents.logs import configure_logging
from agents.processors.letters import read_letters, resend
from agents.processors.worker import topic_name
from agents.sources.feed import Run, parse_rate, run_simulator
from agents.sources.pace import parse_speed
from agents.sources.replay import run_replay
from config import values
from config.errors import UsageError, one_line
from config.queues import load_policies
from config.settings import Settings, check_settings, is_set, load_settings, parse_duration, settings_table
from config.tokens import make_token
from streams import events as ev
from streams import schema as contract

Command = Callable[..., Any]


class Parsed(click.ParamType):
    """What ``parse`` makes of an option's text; it raises UsageError, which then names the option."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> object:
        """Return the value of ``value``, as it was written."""
        flag = param.opts[0] if param is not None and ctx is not None else self.name
        return values.read(flag, self._parse, value)


#: More than any file, or any run, has.
MANY: Final = 1_000_000_000_000
#: Of a longer message the middle is left out.
LONGEST_LINE: Final = 700
COUNT: Final = Parsed("number", values.whole(1, MANY))
PORT: Final = Parsed("port", values.whole(1, 65_535))
DURATION: Final = Parsed("duration", lambda text: parse_duration(text) / 1_000)


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
    configure_logging(settings)
    return settings


@click.group(invoke_without_command=True)
@click.version_option(app.version(), prog_name="callwatch")
@click.pass_context
def cli(context: click.Context) -> None:
    """Watch a call center live. Settings can also come from the environment, as docs/settings.md lists them."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@cli.command(name="up")
@_kafka
@_redis
@_queues
@click.option("--port", metavar="PORT", help="The wallboard's port, 8080 unless told.")
@click.option("--kafka-port", type=PORT, help="Port of the Kafka started here, 9092 unless told.")
@click.option("--redis-port", type=PORT, help="Port of the Redis started here, 6379 unless told.")
@click.option("--data", type=Parsed("folder", values.path), help="Where the Redis started here keeps its data.")
@click.option("--no-simulator", is_flag=True, help="Simulate no contacts.")
def up_command(*, kafka_port: int | None, redis_port: int | None, data: Path | None, **flags: Any) -> None:
    """Run everything on this machine: Kafka and Redis unless given, simulator, worker, board."""
    no_simulator = flags.pop("no_simulator")
    settings = _settings(**flags)
    load_policies(settings.queues)
    # A port asked for is one to start something on, whatever the environment has for other commands.
    kafka = settings.kafka if flags["kafka"] or (is_set("kafka") and kafka_port is None) else None
    redis = settings.redis if flags["redis"] or (is_set("redis") and redis_port is None) else None
    started_here = msgspec.structs.replace(settings, kafka_security="plaintext")
    plan = Plan(
        make_topics=lambda address: app.ensure_topics(
            settings if kafka else msgspec.structs.replace(started_here, kafka=address)
        ),
        kafka=kafka,
        redis=redis,
        kafka_port=kafka_port or 9092,
        redis_port=redis_port or 6379,
        port=settings.port,
        data=data,
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
@click.option("--port", metavar="PORT", help="The port to listen on.")
@click.option("--clock", type=click.Choice(["wall", "watermark"]), help="What now is; watermark to watch a replay.")
def board(**flags: Any) -> None:
    """Serve the wallboard, the API, and /metrics."""
    sys.exit(asyncio.run(app.run_board(_settings(**flags))))


@cli.command()
@_kafka
@click.option("--speed", default="1x", show_default=True, help="1x, 60x, or max.")
@click.option(
    "--seed",
    type=Parsed("number", values.whole(0, MANY)),
    default="1",
    show_default=True,
    help="The same seed gives the same contacts.",
)
@click.option("--history", type=DURATION, help="Begin this long ago and catch up, e.g. 15m.")
@click.option("--for", "duration", type=DURATION, help="End after this long, e.g. 10m.")
@click.option(
    "--contacts-per-second",
    type=Parsed("number", parse_rate),
    help="Scale the call center to this many contacts a second.",
)
@click.option(
    "--truth",
    type=Parsed("file", values.path),
    metavar="FILE",
    help="Write here, at the end, how likely things were and how often they happened, as JSON.",
)
@click.option("--daily", is_flag=True, help="Follow the arrivals of a day: a quiet night, two peaks.")
def simulate(*, kafka: str | None, speed: str, seed: int, daily: bool, **flags: Any) -> None:
    """Simulate a call center, as queueing theory knows it."""
    settings = _settings(kafka=kafka)
    run = Run(seed=seed, speed=parse_speed(speed), history_s=flags["history"], duration_s=flags["duration"])
    rate, truth = flags["contacts_per_second"], flags["truth"]
    run_simulator(app.kafka_of(settings), run, contacts_per_second=rate, daily=daily, truth=truth)


@cli.command()
@click.argument("file")
@_kafka
@click.option("--speed", default="max", show_default=True, help="max, or times as fast as it happened: 60x.")
@click.option("--to", type=Parsed("topic", values.name), metavar="TOPIC", help="Send all of it to one topic.")
@click.option("--from-line", type=COUNT, default="1", show_default=True, help="Resume here.")
def replay(file: str, kafka: str | None, speed: str, to: str | None, from_line: int) -> None:
    """Send a file of events (JSON Lines, .gz too, - for standard input) to Kafka."""
    settings = _settings(kafka=kafka)
    done = run_replay(file, app.kafka_of(settings), to=to, speed=speed, from_line=from_line)
    sys.exit(1 if done.trouble or done.refused else 0)


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


@cli.command(name="backtest")
@_redis
@_queues
@click.argument("rules", nargs=-1, required=True, metavar="RULES...")
@click.option("--from", "start", metavar="TIME", help="First moment, RFC 3339; local midnight where left out.")
@click.option("--to", "end", metavar="TIME", help="End; now where left out.")
def backtest_command(*, rules: tuple[str, ...], start: str | None, end: str | None, **flags: Any) -> None:
    """Tell which alerts of Prometheus' rule files would have fired in the past."""
    found = asyncio.run(backtest.run(_settings(**flags), [Path(rule) for rule in rules], start, end))
    backtest.as_table(found, click.echo)


@cli.command()
@_kafka
@click.option("--partitions", metavar="NUMBER", help="Partitions of topics that are made.")
@click.option("--replication", metavar="NUMBER", help="Replicas of topics that are made.")
def topics(**flags: Any) -> None:
    """Make the topics that are missing, and list all."""
    for name, partitions in sorted(app.ensure_topics(_settings(**flags)).items()):
        click.echo(f"{name}  {partitions} partitions")


@cli.command(name="dead-letters")
@_kafka
@click.option("--follow", is_flag=True, help="Wait for more.")
@click.option("--reason", type=Parsed("word", values.one_of(ev.REASONS)), help="Only letters of this reason.")
@click.option("--limit", type=COUNT, help="At most this many.")
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
    if again and follow:
        raise UsageError("--resend and --follow: sending again ends with the letters that there are; leave one out")
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
    """Check the file of queues, and the environment: all that is wrong, a line each."""
    settings, mistakes = check_settings(queues=file)
    try:
        policies = load_policies(settings.queues)
    except UsageError as error:
        raise UsageError("\n".join([*mistakes, str(error)])) from None
    if mistakes:
        raise UsageError("\n".join(mistakes))
    click.echo(f"{settings.queues}: {len(policies.queues)} queues, time zone {policies.timezone}: fine")


@cli.command()
@click.argument("role")
@click.argument("name")
def token(role: str, name: str) -> None:
    """Make a token for the board: ROLE is wallboard, metrics or admin; its line goes into CALLWATCH_TOKENS_FILE."""
    secret, made = make_token(role, name)
    click.echo(f"token (shown once): {secret}", err=True)
    click.echo(made.line)


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
        cli(prog_name="callwatch", standalone_mode=False)
    except UsageError as error:
        _refuse(str(error))
    except click.ClickException as error:
        context = error.ctx if isinstance(error, click.UsageError) else None
        help_of = context.command_path if context is not None else "callwatch"
        _refuse(f"{one_line(error.format_message()).rstrip('.')}; see {help_of} --help")
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)


def _refuse(message: str) -> None:
    """Say what is wrong, a line each, of an endless one its beginning and its end; exit with 2."""
    lines = (line if len(line) <= LONGEST_LINE else f"{line[:300]}...{line[-300:]}" for line in message.split("\n"))
    click.echo("callwatch: " + "\n".join(lines), err=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
