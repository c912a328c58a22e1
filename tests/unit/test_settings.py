"""Settings: what the environment gives, and every mistake in it told."""

from pathlib import Path

import pytest

from config.errors import UsageError
from config.settings import (
    Settings,
    check_settings,
    format_duration,
    is_set,
    load_settings,
    parse_duration,
    settings_table,
)
from streams.partition import Limits

#: Its blanks are part of it.
HORSE = " correct horse "
FILES = ("CALLWATCH_KAFKA_CA_FILE", "CALLWATCH_KAFKA_CERT_FILE", "CALLWATCH_KAFKA_KEY_FILE")
SASL = {
    "CALLWATCH_KAFKA_SECURITY": "sasl_ssl",
    "CALLWATCH_KAFKA_USERNAME": "marie",
    "CALLWATCH_KAFKA_PASSWORD": "hunter2",
}


UNUSED = {"CALLWATCH_KAFKA_USERNAME": "marie", "CALLWATCH_KAFKA_PASSWORD": "hunter2"}


def refusal(environ: dict[str, str], **overrides: object) -> str:
    """Return what the user is told."""
    with pytest.raises(UsageError) as caught:
        load_settings(environ, **overrides)
    return str(caught.value)


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = load_settings({"HOME": "/nowhere", "CALLWATCHER": "somebody else's"})
    assert settings == Settings()
    assert settings.queues.is_file()
    assert settings.queues.name == "queues.yaml"


def test_the_default_limits_are_those_of_counting() -> None:
    assert Settings().limits() == Limits()


def test_limits_follow_the_settings() -> None:
    limits = load_settings(
        {
            "CALLWATCH_SETTLING": "1m",
            "CALLWATCH_WRAP_UP": "2m",
            "CALLWATCH_OPEN_LIMIT": "3h",
            "CALLWATCH_REMEMBER": "4d",
            "CALLWATCH_FUTURE": "5s",
            "CALLWATCH_UNLISTED_QUEUES": "6",
        }
    ).limits()
    assert limits == Limits(
        settling_ms=60_000,
        wrap_up_ms=120_000,
        open_ms=10_800_000,
        remember_ms=345_600_000,
        future_ms=5_000,
        unlisted_queues=6,
    )


def test_every_variable_is_read() -> None:
    environ = {
        "CALLWATCH_KAFKA": "a:9092, [::1]:9093",
        "CALLWATCH_REDIS": "redis-cluster://store:7000",
        "CALLWATCH_HOST": "::1",
        "CALLWATCH_PORT": "0",
        "CALLWATCH_QUEUES": "mine.yaml",
        "CALLWATCH_TOPIC_PREFIX": "test.calls",
        "CALLWATCH_PARTITIONS": "16",
        "CALLWATCH_REPLICATION": "3",
        "CALLWATCH_GROUP": "night",
        "CALLWATCH_FINE_RETENTION": "3h",
        "CALLWATCH_INTERVAL_RETENTION": "400d",
        "CALLWATCH_WINDOWS": "30s, 2h",
        "CALLWATCH_CLOCK": "watermark",
        "CALLWATCH_BATCH_RECORDS": "100",
        "CALLWATCH_STALE_AFTER": "1.5s",
        "CALLWATCH_LOG_LEVEL": "debug",
        "CALLWATCH_LOG_FORMAT": "json",
        "CALLWATCH_REDIS_PASSWORD": HORSE,
    }
    assert load_settings(environ) == Settings(
        kafka="a:9092,[::1]:9093",
        redis="redis-cluster://store:7000",
        host="::1",
        port=0,
        queues=Path("mine.yaml"),
        topic_prefix="test.calls",
        partitions=16,
        replication=3,
        group="night",
        fine_retention_ms=10_800_000,
        interval_retention_ms=34_560_000_000,
        windows=("30s", "2h"),
        clock="watermark",
        batch_records=100,
        stale_after_ms=1_500,
        log_level="debug",
        log_format="json",
        redis_password=HORSE,
    )


def test_windows_have_lengths_in_the_order_given() -> None:
    settings = load_settings({"CALLWATCH_WINDOWS": "1h,10s"})
    assert list(settings.windows_ms().items()) == [("1h", 3_600_000), ("10s", 10_000)]


def test_an_empty_variable_counts_as_not_set() -> None:
    assert load_settings({"CALLWATCH_PORT": "", "CALLWATCH_REDIS_PASSWORD_FILE": ""}) == Settings()


def test_a_flag_wins_over_the_environment_and_none_does_not() -> None:
    environ = {"CALLWATCH_PORT": "9000", "CALLWATCH_GROUP": "night"}
    settings = load_settings(environ, port="9001", group=None, partitions=2, settling_ms="5m")
    assert (settings.port, settings.group, settings.partitions, settings.settling_ms) == (9001, "night", 2, 300_000)


def test_a_wrong_flag_is_named_as_a_flag() -> None:
    assert refusal({}, stale_after_ms="soon").startswith('--stale-after: "soon" is not a duration')


def test_a_wrong_variable_hidden_by_a_flag_does_no_harm() -> None:
    assert load_settings({"CALLWATCH_PORT": "none"}, port="9001").port == 9001


def test_an_override_that_is_no_setting_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="prot"):
        load_settings({}, prot=1)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("CALLWATCH_REDDIS", "; did you mean CALLWATCH_REDIS?"),
        ("CALLWATCH_SETTLING_MS", "; did you mean CALLWATCH_SETTLING?"),
        ("CALLWATCH_KAFKA_PASWORD_FILE", "; did you mean CALLWATCH_KAFKA_PASSWORD_FILE?"),
        ("CALLWATCH_ZZZZZZZZZZZZZZZZZZZZZZ", ""),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_known(name: str, advice: str) -> None:
    assert refusal({name: "hunter2"}) == f"{name}: no such setting{advice}"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("CALLWATCH_KAFKA", "localhost", "host:port"),
        ("CALLWATCH_KAFKA", "a:9092,", "host:port"),
        ("CALLWATCH_KAFKA", "a:99999", "host:port"),
        ("CALLWATCH_KAFKA", "kafka://a:9092", "host:port"),
        ("CALLWATCH_KAFKA", "a b:9092", "host:port"),
        ("CALLWATCH_REDIS", "127.0.0.1:6379", "redis://host:port/0"),
        ("CALLWATCH_REDIS", "http://127.0.0.1:6379", "redis://host:port/0"),
        ("CALLWATCH_REDIS", "redis://h:port/0", "redis://host:port/0"),
        ("CALLWATCH_REDIS", "redis://h:6379/zero", "redis://host:port/0"),
        ("CALLWATCH_REDIS", "REDIS-CLUSTER://h:6379", "redis-cluster://host:port"),
        ("CALLWATCH_REDIS", "redis-cluster://h:6379/3", "redis-cluster://host:port"),
        ("CALLWATCH_REDIS", "redis://h:6379/0#x", "redis://host:port/0"),
        ("CALLWATCH_REDIS", "redis://h h:6379/0", "redis://host:port/0"),
        ("CALLWATCH_HOST", "not a host", "127.0.0.1"),
        ("CALLWATCH_PORT", "65536", "from 0 to 65535"),
        ("CALLWATCH_PORT", "-1", "from 0 to 65535"),
        ("CALLWATCH_PARTITIONS", "0", "from 1 to"),
        ("CALLWATCH_REPLICATION", "two", "from 1 to"),
        ("CALLWATCH_UNLISTED_QUEUES", "1.5", "from 0 to"),
        ("CALLWATCH_BATCH_RECORDS", "0", "from 1 to"),
        ("CALLWATCH_TOPIC_PREFIX", "call center", "letters, digits"),
        ("CALLWATCH_GROUP", "a/b", "letters, digits"),
        ("CALLWATCH_SETTLING", "10", "ms, s, m, h or d"),
        ("CALLWATCH_SETTLING", "0s", "longer than 0"),
        ("CALLWATCH_WINDOWS", "5m,15s", "multiple of 10s"),
        ("CALLWATCH_WINDOWS", "1m,60s", "each once"),
        ("CALLWATCH_WINDOWS", "1m,,5m", "ms, s, m, h or d"),
        ("CALLWATCH_CLOCK", "sundial", "wall, watermark"),
        ("CALLWATCH_LOG_LEVEL", "DEBUG", "debug, info, warning, error"),
        ("CALLWATCH_LOG_FORMAT", "xml", "console, json"),
        ("CALLWATCH_KAFKA_SECURITY", "tls", "plaintext, ssl, sasl_plaintext, sasl_ssl"),
        ("CALLWATCH_KAFKA_SASL_MECHANISM", "GSSAPI", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ("CALLWATCH_KAFKA_CA_FILE", "no/such.pem", "the path of a file"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    message = refusal({name: value})
    assert message.startswith(f'{name}: "')
    assert allowed in message
    assert "\n" not in message
    assert any(f'"{part}"' in message for part in (value, *value.split(",")))


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("redis://h:1/0?ssl_ca_certs=a", '"redis://h:1/0?***" has unknown options; redis:// takes username, password'),
        ("rediss://h:1/0?db=x", '"rediss://h:1/0?***" has unknown options; rediss:// takes username, password, ssl_'),
        ("redis-cluster://h:1?hunter2", '"redis-cluster://h:1?***" has unknown options; redis-cluster:// takes'),
    ],
)
def test_an_option_that_redis_would_trip_over_is_refused(address: str, told: str) -> None:
    assert refusal({"CALLWATCH_REDIS": address}).startswith(f"CALLWATCH_REDIS: {told}")


@pytest.mark.parametrize(
    "address",
    [
        "redis://[::1]:6379",
        "redis-cluster://h:7000/0?username=joe&password=tiger",
        "rediss://h/7?ssl_ca_certs=ca.pem&ssl_cert_reqs=required",
        "rediss-cluster://h:7000/?ssl_certfile=a.pem&ssl_keyfile=b.pem",
    ],
)
def test_an_address_of_redis_is_taken_as_it_is_written(address: str) -> None:
    assert load_settings({"CALLWATCH_REDIS": address}).redis == address


@pytest.mark.parametrize("text", ["8080\n9090", "80\x1b[31m80", "80\u202880", "80\r80"])
def test_a_value_with_control_characters_is_told_in_one_line(text: str) -> None:
    message = refusal({"CALLWATCH_PORT": text})
    assert message.isprintable()
    assert message.endswith("is not allowed; write a whole number from 0 to 65535")


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250ms", 250), ("20s", 20_000), ("1.5h", 5_400_000), ("10 m", 600_000), (" 7d ", 604_800_000), ("0.001s", 1)],
)
def test_a_duration_is_a_number_and_a_unit(text: str, milliseconds: int) -> None:
    assert parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "20", "s", "-5s", "1h30m", "5 sec", "1e3s", ".5s", "\u0665s", "0.5ms", "36501d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f'"{text}" is '):
        parse_duration(text)


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(1, "1ms"), (90_000, "90s"), (7_200_000, "2h"), (86_400_000, "1d"), (0, "0d")]
)
def test_a_formatted_duration_reads_back(milliseconds: int, text: str) -> None:
    assert format_duration(milliseconds) == text
    assert parse_duration(text) == milliseconds


def test_fine_buckets_are_kept_for_the_longest_window_and_the_settling_time() -> None:
    environ = {"CALLWATCH_WINDOWS": "1m,2h", "CALLWATCH_FINE_RETENTION": "130m"}
    assert load_settings(environ).fine_retention_ms == 7_800_000
    message = refusal({**environ, "CALLWATCH_FINE_RETENTION": "129m"})
    why = "longest window + settling time, and the wallboard's hour"
    assert message == f"CALLWATCH_FINE_RETENTION: 129m is too short; write at least 130m ({why})"


def test_fine_buckets_are_kept_for_the_hour_that_the_wallboard_draws_and_the_window_before_it() -> None:
    environ = {"CALLWATCH_WINDOWS": "1m,30m"}
    assert load_settings({**environ, "CALLWATCH_FINE_RETENTION": "90m"}).fine_retention_ms == 5_400_000
    assert "at least 90m" in refusal({**environ, "CALLWATCH_FINE_RETENTION": "89m"})


def test_intervals_are_kept_for_the_longest_day() -> None:
    assert "at least 25h" in refusal({"CALLWATCH_INTERVAL_RETENTION": "1d"})


def test_settled_ids_are_remembered_for_the_settling_time() -> None:
    assert "at least 10m" in refusal({"CALLWATCH_REMEMBER": "9m"})


def test_the_table_has_every_setting_once_and_no_path_of_this_machine() -> None:
    lines = settings_table().splitlines()
    names = [line.split("`")[1] for line in lines[2:]]
    assert len(names) == len(set(names)) == len(Settings.__struct_fields__) + 3
    assert "| `CALLWATCH_SETTLING` | `10m` | how late an event may come and still correct its contact |" in lines
    assert any(line.startswith("| `CALLWATCH_QUEUES` | `config/queues.yaml` of the package |") for line in lines)
    assert str(Path(__file__).parents[2]) not in settings_table()
    assert all(line.count("|") == 4 for line in lines)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    wrong = {"CALLWATCH_REDDIS": "x", "CALLWATCH_PORT": "x", "CALLWATCH_KAFKA": "y", "CALLWATCH_KAFKA_PASSWORD": "z"}
    assert [line.split(":")[0] for line in refusal(wrong).splitlines()] == [
        "CALLWATCH_REDDIS",
        "CALLWATCH_KAFKA",
        "CALLWATCH_PORT",
    ]
    assert [line.split(":")[0] for line in refusal({"CALLWATCH_REMEMBER": "1m", **UNUSED}).splitlines()] == [
        "CALLWATCH_REMEMBER",
        "CALLWATCH_KAFKA_USERNAME",
        "CALLWATCH_KAFKA_PASSWORD",
    ]


def test_what_is_right_is_read_beside_what_is_wrong() -> None:
    settings, mistakes = check_settings({"CALLWATCH_PORT": "x", "CALLWATCH_GROUP": "night"})
    assert (settings.port, settings.group, len(mistakes)) == (8080, "night", 1)


#: As Kubernetes sets them for Services named callwatch, callwatch-kafka and callwatch-board.
SERVICES = {
    "CALLWATCH_PORT": "tcp://10.0.0.1:8080",
    "CALLWATCH_SERVICE_HOST": "10.0.0.1",
    "CALLWATCH_SERVICE_PORT": "8080",
    "CALLWATCH_SERVICE_PORT_HTTP": "8080",
    "CALLWATCH_PORT_8080_TCP": "tcp://10.0.0.1:8080",
    "CALLWATCH_PORT_8080_TCP_PROTO": "tcp",
    "CALLWATCH_PORT_8080_TCP_PORT": "8080",
    "CALLWATCH_PORT_8080_TCP_ADDR": "10.0.0.1",
    "CALLWATCH_KAFKA_PORT": "tcp://10.0.0.2:9092",
    "CALLWATCH_KAFKA_SERVICE_HOST": "10.0.0.2",
    "CALLWATCH_BOARD_PORT_53_UDP_ADDR": "10.0.0.3",
}


def test_what_kubernetes_says_of_its_services_is_no_mistake_and_no_setting() -> None:
    assert load_settings(SERVICES) == Settings()
    assert load_settings({**SERVICES, "CALLWATCH_PORT": "9000"}).port == 9000
    assert not is_set("port", SERVICES)


@pytest.mark.parametrize("name", ["CALLWATCH_PORT_HTTP", "CALLWATCH_KAFKA_PORT", "CALLWATCH_SERVICES"])
def test_what_only_looks_like_kubernetes_is_refused(name: str) -> None:
    assert refusal({name: "8080"}).startswith(f"{name}: no such setting")


def test_a_long_value_is_told_in_short() -> None:
    message = refusal({"CALLWATCH_PORT": "9" * 10_000})
    assert message == f'CALLWATCH_PORT: "{"9" * 200}..." is not allowed; write a whole number from 0 to 65535'


@pytest.mark.parametrize("host", ["a" * 64, "a..b"])
def test_a_host_that_no_name_server_would_take_is_refused(host: str) -> None:
    assert "is not an address" in refusal({"CALLWATCH_KAFKA": f"{host}:9092"})
    assert "is not an address" in refusal({"CALLWATCH_REDIS": f"redis://{host}:6379"})
    assert "is not a host" in refusal({"CALLWATCH_HOST": host})


def test_a_setting_is_set_when_the_environment_names_it() -> None:
    assert is_set("settling_ms", {"CALLWATCH_SETTLING": "1m"})
    assert not is_set("kafka", {"CALLWATCH_KAFKA": "", "CALLWATCH_KAFKA_SECURITY": "ssl"})
