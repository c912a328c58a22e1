"""Environment -> settings. Nothing else in callwatch reads the environment.

``VARIABLES`` says for every setting what it means and what may be written there. A setting's variable is
``CALLWATCH_`` and its name in capitals, without ``_ms``; a variable that is empty counts as not set.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from config import values
from config.errors import UsageError, nearest, one_line
from config.values import one_of, read, whole, without_password
from streams.partition import Limits
from streams.policy import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from streams.windows import FINE_MS

PREFIX: Final = "CALLWATCH_"
PACKAGE: Final = Path(__file__).parent

Clock = Literal["wall", "watermark"]
LogFormat = Literal["console", "json"]
YesNo = Literal["yes", "no"]
LogLevel = Literal["debug", "info", "warning", "error"]
KafkaSecurity = Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

UNITS_MS: Final = {"d": DAY_MS, "h": HOUR_MS, "m": MINUTE_MS, "s": SECOND_MS, "ms": 1}
#: A longer duration is a slip of the pen, and Redis could not count it in milliseconds.
LONGEST_MS: Final = 36_500 * DAY_MS
#: What Kubernetes tells every container of a Service whose name is, or begins with, callwatch.
KUBERNETES: Final = re.compile(
    r"CALLWATCH(_\w+)?_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
#: ``today`` is made from intervals, and with summer time ending a day has 25 hours.
SHORTEST_INTERVAL_RETENTION_MS: Final = 25 * HOUR_MS


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator can set, checked. Durations are milliseconds; ``VARIABLES`` has the meanings."""

    kafka: str = "127.0.0.1:9092"
    redis: str = "redis://127.0.0.1:6379/0"
    host: str = "127.0.0.1"
    port: int = 8080
    queues: Path = PACKAGE / "queues.yaml"
    topic_prefix: str = "callcenter"
    partitions: int = 8
    replication: int = 1
    group: str = "callwatch"
    settling_ms: int = 10 * MINUTE_MS
    wrap_up_ms: int = 30 * MINUTE_MS
    open_limit_ms: int = DAY_MS
    remember_ms: int = 7 * DAY_MS
    future_ms: int = MINUTE_MS
    fine_retention_ms: int = 2 * HOUR_MS
    interval_retention_ms: int = 35 * DAY_MS
    days_retention_ms: int = 400 * DAY_MS
    unlisted_queues: int = 200
    windows: tuple[str, ...] = ("1m", "5m", "15m", "30m", "1h")
    clock: Clock = "wall"
    batch_records: int = 10_000
    stale_after_ms: int = 10 * SECOND_MS
    tokens_file: Path | None = None
    guarded: YesNo = "no"
    hosts: tuple[str, ...] | None = None
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    streams: int = 200
    log_level: LogLevel = "warning"
    log_format: LogFormat = "console"
    redis_password: str | None = None
    kafka_security: KafkaSecurity = "plaintext"
    kafka_sasl_mechanism: SaslMechanism = "PLAIN"
    kafka_username: str | None = None
    kafka_password: str | None = None
    kafka_ca_file: Path | None = None
    kafka_cert_file: Path | None = None
    kafka_key_file: Path | None = None

    def limits(self) -> Limits:
        """Return what counting needs of the settings."""
        return Limits(
            settling_ms=self.settling_ms,
            wrap_up_ms=self.wrap_up_ms,
            open_ms=self.open_limit_ms,
            remember_ms=self.remember_ms,
            future_ms=self.future_ms,
            unlisted_queues=self.unlisted_queues,
        )

    def windows_ms(self) -> dict[str, int]:
        """Return the rolling windows, name -> length in ms, in the order given."""
        return {window: parse_duration(window) for window in self.windows}

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={shown!r}' for name, shown in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Return name and value of every setting, without the secrets: logs and tracebacks show these."""
        return [(variable.field, variable.show(getattr(self, variable.field))) for variable in VARIABLES]


def parse_duration(text: str) -> int:
    """Return the milliseconds of ``text``, such as ``20s``, ``1.5h`` or ``250 ms``.

    Raise UsageError unless it is a number with a unit, whole milliseconds, and at most a hundred years.
    """
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?(ms|s|m|h|d)", text.strip())
    if found is None:
        raise UsageError(f'"{text}" is not a duration; write a number and ms, s, m, h or d, such as 20s or 1.5h')
    milliseconds = Decimal(found[1]) * UNITS_MS[found[2]]
    if milliseconds != int(milliseconds) or milliseconds > LONGEST_MS:
        raise UsageError(f'"{text}" is out of range; write whole milliseconds, at most 36500d')
    return int(milliseconds)


def format_duration(milliseconds: int) -> str:
    """Return the shortest text that ``parse_duration`` reads as ``milliseconds``."""
    unit = next(unit for unit, length in UNITS_MS.items() if milliseconds % length == 0)
    return f"{milliseconds // UNITS_MS[unit]}{unit}"


def _positive_duration(text: str) -> int:
    milliseconds = parse_duration(text)
    if milliseconds == 0:
        raise UsageError(f'"{text}" is too short; write a duration longer than 0, such as 10s')
    return milliseconds


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(values.host(part.strip()) for part in text.split(","))


def _windows(text: str) -> tuple[str, ...]:
    windows = tuple(part.replace(" ", "") for part in text.split(","))
    lengths = [_positive_duration(window) for window in windows]
    for window, length in zip(windows, lengths, strict=True):
        if length % FINE_MS:
            raise UsageError(f'"{window}" is not a multiple of 10s; write windows such as 1m,5m,1h')
        if lengths.count(length) > 1:
            raise UsageError(f'"{text}" has a window of {format_duration(length)} twice; write each once')
    return windows


class Variable(msgspec.Struct, frozen=True):
    """One setting: the field, what its text may be (``parse`` raises UsageError), and what it means."""

    field: str
    parse: Callable[[str], object]
    meaning: str
    #: Never shown, and can also be read from the file that the variable with ``_FILE`` names.
    secret: bool = False

    @property
    def name(self) -> str:
        """Return the variable in the environment."""
        return PREFIX + self.field.removesuffix("_ms").upper()

    @property
    def flag(self) -> str:
        """Return the flag on the command line."""
        return "--" + self.field.removesuffix("_ms").replace("_", "-")

    def show(self, value: object) -> object:
        """Return ``value`` as it may be shown."""
        if self.secret and value is not None:
            return "***"
        return without_password(value) if self.field == "redis" and isinstance(value, str) else value

    def read(self, name: str, text: str) -> object:
        """Return the value of ``text``, which ``name`` (the variable or the flag) gave."""
        return read(name, self.parse, text)


VARIABLES: Final = (
    Variable("kafka", values.brokers, "Kafka's brokers, `host:port`, comma separated"),
    Variable("redis", values.redis, "Redis: `redis://`, `rediss://` (TLS) or `redis-cluster://host:port`"),
    Variable("host", values.host, "the address that the board listens on"),
    Variable("port", whole(0, 65_535), "the port that the board listens on; 0 takes any that is free"),
    Variable("queues", values.path, "the file with queues, promises, time zone and agents' skills"),
    Variable("topic_prefix", values.name, "what the names of the topics in Kafka begin with"),
    Variable("partitions", whole(1, 10_000), "partitions of a topic when it is made"),
    Variable("replication", whole(1, 100), "copies of a topic when it is made; 3 in a cluster"),
    Variable("group", values.name, "the consumer group that the workers share"),
    Variable("settling_ms", _positive_duration, "how late an event may come and still correct its contact"),
    Variable("wrap_up_ms", _positive_duration, "how long a contact that is over waits for its wrap-up"),
    Variable("open_limit_ms", _positive_duration, "a contact that never ends is closed this long after its last event"),
    Variable("remember_ms", _positive_duration, "how long the ids of settled contacts are remembered"),
    Variable("future_ms", _positive_duration, "an event further ahead of now than this is refused"),
    Variable("fine_retention_ms", _positive_duration, "how long 10 s buckets are kept, which make the windows"),
    Variable("interval_retention_ms", _positive_duration, "how long 15 min intervals are kept, which make the reports"),
    Variable("days_retention_ms", _positive_duration, "how long days are kept, which make quarters and years"),
    Variable("unlisted_queues", whole(0, 100_000), "as many queues that the queues file lacks keep their own name"),
    Variable("windows", _windows, "the rolling windows, comma separated, each a multiple of 10s"),
    Variable(
        "clock", one_of(get_args(Clock)), "what the board takes for now; `watermark` to watch a replay of history"
    ),
    Variable("batch_records", whole(1, 1_000_000), "the most records that one commit takes"),
    Variable("stale_after_ms", _positive_duration, "the board says that its data is stale after this"),
    Variable("tokens_file", values.file, "the file with who may ask the board what; `callwatch token` makes its lines"),
    Variable("guarded", one_of(get_args(YesNo)), "`yes`: a proxy in front of a board without tokens asks who it is"),
    Variable("hosts", _hosts, "the names that the board goes by, comma separated; any where it asks for tokens"),
    Variable("trusted_proxies", _hosts, "addresses of proxies whose word for the client's address and https counts"),
    Variable("streams", whole(1, 100_000), "the most live streams that the board keeps open"),
    Variable(
        "log_level", one_of(get_args(LogLevel)), "the least that is logged: `debug`, `info`, `warning` or `error`"
    ),
    Variable("log_format", one_of(get_args(LogFormat)), "`console` for people, `json` for machines"),
    Variable("redis_password", str, "Redis's password, where it is not in the address", secret=True),
    Variable("kafka_security", one_of(get_args(KafkaSecurity)), "`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`"),
    Variable("kafka_sasl_mechanism", one_of(get_args(SaslMechanism)), "`PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`"),
    Variable("kafka_username", str, "the user at Kafka, for the `sasl_` securities", secret=True),
    Variable("kafka_password", str, "that user's password", secret=True),
    Variable("kafka_ca_file", values.file, "the authority that signed Kafka's certificate (PEM)"),
    Variable("kafka_cert_file", values.file, "this client's certificate (PEM)"),
    Variable("kafka_key_file", values.file, "the key of this client's certificate (PEM)"),
)


def load_settings(environ: Mapping[str, str] = os.environ, **overrides: object) -> Settings:
    """Return the settings of ``environ``, or of ``overrides`` (flags of the command line) where these say otherwise.

    An override that is None is none; a text is read as its variable's would be; anything else is taken as it is.
    Raise UsageError for every variable that is not known and every value that is not allowed, a line each.
    """
    settings, mistakes = check_settings(environ, **overrides)
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return settings


def check_settings(environ: Mapping[str, str] = os.environ, **overrides: object) -> tuple[Settings, list[str]]:
    """Return what ``load_settings`` does, with defaults in place of what is wrong, and all that is wrong."""
    environ = {name: text for name, text in environ.items() if not _of_kubernetes(name, text)}
    mistakes = list(_unknown(environ))
    found: dict[str, Any] = {}
    readable = True
    for variable in VARIABLES:
        try:
            value = _value(variable, environ, overrides.pop(variable.field, None))
        except UsageError as error:
            mistakes.append(str(error))
            readable = False
        else:
            found |= {} if value is None else {variable.field: value}
    if overrides:
        raise TypeError(f"no such settings: {', '.join(overrides)}")
    settings = Settings(**found)
    if readable:
        mistakes += [*_wrong_times(settings), *_wrong_secrets(settings)]
    return settings, mistakes


def is_set(field: str, environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether ``environ`` gives the setting ``field``."""
    name = next(variable.name for variable in VARIABLES if variable.field == field)
    return bool(environ.get(name)) and not _of_kubernetes(name, environ[name])


def _of_kubernetes(name: str, text: str) -> bool:
    """Tell whether a variable is Kubernetes' word for a Service: no setting, and nobody's mistake."""
    link = name.startswith(PREFIX) and name.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", text)
    return bool(link or KUBERNETES.fullmatch(name))


def _names() -> list[str]:
    """Return all variables that are known."""
    return [name for each in VARIABLES for name in ((each.name, f"{each.name}_FILE") if each.secret else (each.name,))]


def _unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what to say of each variable that is not known."""
    known = _names()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            yield one_line(f"{name}: no such setting{nearest(name, known)}")


def _value(variable: Variable, environ: Mapping[str, str], override: object) -> object:
    """Return the value given for ``variable``, None where there is none."""
    if isinstance(override, str):
        return variable.read(variable.flag, override)
    if override is not None:
        return override
    name, text = _text(variable, environ)
    return variable.read(name, text) if text else None


def _text(variable: Variable, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return which variable has the text, and the text; of a secret it can stand in a file."""
    text = environ.get(variable.name, "")
    name = f"{variable.name}_FILE"
    path = environ.get(name, "")
    if not (variable.secret and path):
        return variable.name, text
    if text:
        raise UsageError(f"{variable.name} and {name} are both set; set one of them")
    try:
        text = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f'{name}: "{path}" cannot be read ({reason}); write the path of a file') from None
    if not text:
        raise UsageError(f'{name}: "{path}" is empty; write the secret into it')
    return name, text


def _wrong_times(settings: Settings) -> Iterator[str]:
    """Yield where one time does not go with another."""
    window = max(settings.windows_ms().values())
    windows = max(window + settings.settling_ms, min(window, HOUR_MS) + HOUR_MS)
    for name, value, least, why in (
        (
            "FINE_RETENTION",
            settings.fine_retention_ms,
            windows,
            "longest window + settling time, and the wallboard's hour",
        ),
        ("INTERVAL_RETENTION", settings.interval_retention_ms, SHORTEST_INTERVAL_RETENTION_MS, "longest day"),
        ("DAYS_RETENTION", settings.days_retention_ms, settings.remember_ms + 2 * DAY_MS, "REMEMBER + 2 days"),
        ("REMEMBER", settings.remember_ms, settings.settling_ms, "settling time"),
    ):
        if value < least:
            yield (
                f"{PREFIX}{name}: {format_duration(value)} is too short; "
                f"write at least {format_duration(least)} ({why})"
            )


def _wrong_secrets(settings: Settings) -> Iterator[str]:
    """Yield each secret that would be missing, or would go unused without a word."""
    if settings.redis_password and urlsplit(settings.redis).password:
        yield "CALLWATCH_REDIS_PASSWORD: CALLWATCH_REDIS has a password too; give it once"
    security = settings.kafka_security
    for name, value in (("USERNAME", settings.kafka_username), ("PASSWORD", settings.kafka_password)):
        if security.startswith("sasl_") and not value:
            yield f"CALLWATCH_KAFKA_{name}: not set; CALLWATCH_KAFKA_SECURITY={security} needs it"
        if value and not security.startswith("sasl_"):
            yield (f"CALLWATCH_KAFKA_{name}: CALLWATCH_KAFKA_SECURITY={security} has no use for it; set sasl_ssl")
    for name in ("ca", "cert", "key"):
        if getattr(settings, f"kafka_{name}_file") and not security.endswith("ssl"):
            yield (
                f"CALLWATCH_KAFKA_{name.upper()}_FILE: CALLWATCH_KAFKA_SECURITY={security} has no use for it; set ssl"
            )
    if settings.kafka_key_file and not settings.kafka_cert_file:
        yield "CALLWATCH_KAFKA_KEY_FILE: a key without its certificate; set CALLWATCH_KAFKA_CERT_FILE too"


def settings_table() -> str:
    """Return all settings as a Markdown table: variable, default, meaning."""
    lines = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for variable in VARIABLES:
        lines.append(f"| `{variable.name}` | {_shown(variable)} | {variable.meaning} |")
        if variable.secret:
            lines.append(f"| `{variable.name}_FILE` | | a file to read `{variable.name}` from |")
    return "\n".join(lines) + "\n"


def _shown(variable: Variable) -> str:
    """Return the default as somebody would write it."""
    default = getattr(Settings(), variable.field)
    if default is None:
        return ""
    if isinstance(default, Path):
        return f"`{default.relative_to(PACKAGE.parent).as_posix()}` of the package"
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{format_duration(default) if variable.field.endswith('_ms') else default}`"
