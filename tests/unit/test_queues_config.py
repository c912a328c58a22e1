import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from config.business import BUSINESS_KEYS, CUSTOMERS_VALUES
from config.errors import UsageError
from config.queues import PROMISE_VALUES, QUEUE_KEYS, ROOT_KEYS, SERVICE_LEVEL_VALUES, load_policies
from config.settings import Settings
from streams.policy import FORMULAS, Opening, Policies, Promise


def load(tmp_path: Path, text: str | bytes) -> Policies:
    file = tmp_path / "queues.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_policies(file)


def refusals(tmp_path: Path, text: str | bytes) -> list[str]:
    """Return what the user is told, a line each, without the folder."""
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(f"{tmp_path}{os.sep}", "").splitlines()


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """Return the only thing that the user is told."""
    [line] = refusals(tmp_path, text)
    return line


def queue(text: str) -> str:
    """Return a file with one queue whose keys begin in line 3."""
    return "queues:\n  sales:\n" + "".join(f"    {line}\n" for line in text.splitlines())


def test_the_file_that_comes_with_callwatch_is_always_open_in_utc() -> None:
    policies = load_policies(Settings().queues)
    assert set(policies.queues) == {"sales", "support", "billing", "chat", "mail"}
    assert policies.zone.utcoffset(datetime(2027, 7, 1, tzinfo=UTC)) == UTC.utcoffset(None)
    assert all(promise.hours == () for promise in (policies.default, *policies.queues.values()))
    assert policies.groups == {
        "sales": "phone",
        "support": "phone",
        "billing": "phone",
        "chat": "digital",
        "mail": "digital",
    }
    assert set(policies.skills["bob"]) == {"billing", "support"}
    assert (policies.of("chat").target_ratio, policies.of("chat").threshold_ms) == (0.9, 60_000)
    assert policies.of("nobody has listed me").target_ratio == 0.8


def test_the_examples_in_its_comments_hold(tmp_path: Path) -> None:
    text = Settings().queues.read_text(encoding="utf-8")
    text = text.replace("  hours: always\n", "").replace("  holidays: []\n", "")
    policies = load(tmp_path, text.replace("  #   ", "  "))
    assert len(policies.default.hours) == 4 + 2
    assert policies.default.holidays == {"2027-01-01", "2027-12-25"}
    assert policies.of("support").hours[-1] == Opening(5, 540, 1020)


def test_its_comments_name_every_formula() -> None:
    text = Settings().queues.read_text(encoding="utf-8")
    assert all(formula in text for formula in FORMULAS)


def test_it_shows_every_key_that_is_accepted() -> None:
    shown = set(re.findall(r"([a-z_]+):", Settings().queues.read_text(encoding="utf-8")))
    values = (*PROMISE_VALUES, *SERVICE_LEVEL_VALUES, *CUSTOMERS_VALUES)
    keys = {key for key, _, _ in values} | {"hours", "holidays", *QUEUE_KEYS, *BUSINESS_KEYS}
    assert {*ROOT_KEYS, "service_level", *keys} <= shown


#: What an editor, a careless paste or a bad disk may leave in the file.
SLIPS = st.sampled_from(
    ["\t", "\n", ":", "- ", "{", "]", "'", '"a\\nb"', "&a [*a]", "*a", "~", "|\n  x\n", "\u2028", "%", "é"]
)


@settings(max_examples=100, deadline=None)
@given(slips=st.lists(st.tuples(st.integers(0, 2_500), st.integers(0, 10), SLIPS), min_size=1, max_size=4))
@example(slips=[(0, 9_999, '"a\\nb": 1')])
@example(slips=[(0, 9_999, 'timezone: "a\\nb\\e[31m"')])
def test_any_slip_is_read_or_told_a_line_each(
    tmp_path_factory: pytest.TempPathFactory, slips: list[tuple[int, int, str]]
) -> None:
    text = Settings().queues.read_text(encoding="utf-8")
    for at, cut, slip in slips:
        text = text[:at] + slip + text[at + cut :]
    file = tmp_path_factory.getbasetemp() / "slips.yaml"
    file.write_text(text, encoding="utf-8")
    try:
        load_policies(file)
    except UsageError as error:
        told = str(error).split("\n")
        assert all(line.isprintable() and re.match(rf"{re.escape(str(file))}:[0-9]+: .", line) for line in told)


def test_every_key_is_read(tmp_path: Path) -> None:
    policies = load(
        tmp_path,
        """
timezone: Europe/Berlin
defaults: {abandonment: 3 %}
queues:
  sales:
    group: voice
    channel: messaging
    minimum_contacts: 7
    service_level: {target: 85.5%, within: 1m, formula: left_missed}
    short_abandon: 2.5s
    abandonment: 0.08
    longest_credible_wait: 1h
    queue_length_limit: 12
    longest_wait_limit: 90 s
    hours: {monday: 08:00-20:00}
    holidays: [2027-12-25, "2027-12-26"]
  chat:
skills:
  "007": [sales, chat, sales]
  bob: []
""",
    )
    assert policies == Policies(
        timezone="Europe/Berlin",
        default=Promise(abandonment_ratio=0.03),
        queues={
            "sales": Promise(
                target_ratio=0.855,
                threshold_ms=60_000,
                formula="left_missed",
                short_abandon_ms=2_500,
                abandonment_ratio=0.08,
                longest_credible_wait_ms=3_600_000,
                queue_length_limit=12,
                longest_wait_limit_ms=90_000,
                minimum_contacts=7,
                hours=(Opening(0, 480, 1200),),
                holidays=frozenset({"2027-12-25", "2027-12-26"}),
            ),
            "chat": Promise(abandonment_ratio=0.03),
        },
        groups={"sales": "voice"},
        channels={"sales": "messaging"},
        skills={"007": ("sales", "chat"), "bob": ()},
    )


@pytest.mark.parametrize("text", ["80 %", "80%", "0.8", "'80 %'", "0.80", "80.0 %"])
def test_a_ratio_can_be_written_as_percent(tmp_path: Path, text: str) -> None:
    policies = load(tmp_path, queue(f"service_level: {{target: {text}}}"))
    assert policies.of("sales").target_ratio == 0.8


def test_a_queue_replaces_what_the_defaults_say_key_by_key(tmp_path: Path) -> None:
    policies = load(
        tmp_path,
        "defaults:\n  service_level: {target: 90 %, within: 30s}\n  queue_length_limit: 9\n  longest_wait_limit: 2m\n"
        "  hours: {monday: 08:00-20:00}\n"
        "queues:\n  sales:\n    service_level: {within: 10s}\n    queue_length_limit: none\n    hours: always\n",
    )
    assert policies.of("other") == policies.default
    assert policies.default.hours == (Opening(0, 480, 1200),)
    sales = policies.of("sales")
    assert (sales.target_ratio, sales.threshold_ms) == (0.9, 10_000)
    assert (sales.queue_length_limit, sales.longest_wait_limit_ms, sales.hours) == (None, 120_000, ())


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("{monday: 08:00-12:00}", [(0, 480, 720)]),
        ("{monday: '13:00-18:00, 8:00 - 12:00'}", [(0, 480, 720), (0, 780, 1080)]),
        ("{monday: [08:00-12:00, 12:00-18:00]}", [(0, 480, 720), (0, 720, 1080)]),
        ("{Tuesday - wednesday: 00:00-24:00}", [(1, 0, 1440), (2, 0, 1440)]),
        ("{saturday-monday: 10:00-11:00}", [(0, 600, 660), (5, 600, 660), (6, 600, 660)]),
        ("{'friday, sunday': 10:00-11:00, saturday: closed}", [(4, 600, 660), (6, 600, 660)]),
    ],
)
def test_hours_are_stretches_of_weekdays(tmp_path: Path, hours: str, expected: list[tuple[int, int, int]]) -> None:
    assert load(tmp_path, queue(f"hours: {hours}")).of("sales").hours == tuple(Opening(*each) for each in expected)


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        ("monday: 20:00-08:00", '4: queues.sales.hours.monday: "20:00-08:00" closes before it opens; past midnight'),
        ("monday: 08:00-08:00", '4: queues.sales.hours.monday: "08:00-08:00" closes before it opens'),
        ("monday: 8-20", '4: queues.sales.hours.monday: "8-20" is not a stretch of time; write 08:00-20:00'),
        ("monday: 08:60-20:00", '4: queues.sales.hours.monday: "08:60-20:00" is not a stretch of time'),
        ("monday: 08:00-24:01", '4: queues.sales.hours.monday: "08:00-24:01" ends after the day does'),
        (
            "monday: 08:00-12:00, 11:00-13:00",
            "4: queues.sales.hours.monday: 11:00-13:00 overlaps 08:00-12:00 on monday",
        ),
        (
            "monday-friday: 08:00-20:00\nfriday: 19:00-21:00",
            "5: queues.sales.hours.friday: 19:00-21:00 overlaps 08:00-20:00 on friday",
        ),
        ("monday:\n  - 08:00-12:00\n  - 09:00-10:00", "6: queues.sales.hours.monday: 09:00-10:00 overlaps 08:00-12:00"),
        ("tusday: 08:00-20:00", '4: queues.sales.hours.tusday: "tusday" is not a weekday; did you mean tuesday?'),
        ("a-b-c: 08:00-20:00", '4: queues.sales.hours.a-b-c: "a-b-c" is not a weekday'),
        ("monday-tuesday-friday: 08:00-20:00", '4: queues.sales.hours.monday-tuesday-friday: "monday-tuesday-friday"'),
        ("monday: {from: 8}", "4: queues.sales.hours.monday: has keys or a list under it; write one value"),
        ("monday:", "4: queues.sales.hours.monday: has no value"),
        ("monday: closed", "3: queues.sales.hours: is never open"),
        ("{}", "3: queues.sales.hours: is never open; write monday-friday: 08:00-20:00, or always"),
        ("sometimes", "3: queues.sales.hours: has no keys under it; write keys with values"),
    ],
)
def test_wrong_hours_are_told_by_line(tmp_path: Path, hours: str, told: str) -> None:
    indented = "".join(f"\n  {line}" for line in hours.splitlines())
    assert refusal(tmp_path, queue(f"hours:{indented}")).startswith(f"queues.yaml:{told}")


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (
            "service_level:\n  target: eighty",
            '4: queues.sales.service_level.target: "eighty" is not a ratio; write 80 % or 0.8',
        ),
        ("service_level: {target: 80}", '3: queues.sales.service_level.target: "80" is not a ratio'),
        ("service_level: {target: 101 %}", '3: queues.sales.service_level.target: "101 %" is not a ratio'),
        ("abandonment: -0.1", '3: queues.sales.abandonment: "-0.1" is not a ratio'),
        ("abandonment: .nan", '3: queues.sales.abandonment: ".nan" is not a ratio'),
        ("abandonment: [5 %]", "3: queues.sales.abandonment: has keys or a list under it; write one value"),
        ("abandonment:\nshort_abandon: 5s", "3: queues.sales.abandonment: has no value; write one, or leave the key"),
        ("short_abandon: 5", '3: queues.sales.short_abandon: "5" is not a duration; write a number and ms, s, m'),
        ("service_level: {within: 20}", '3: queues.sales.service_level.within: "20" is not a duration'),
        ("longest_credible_wait: none", '3: queues.sales.longest_credible_wait: "none" is not a duration'),
        ("queue_length_limit: 1.5", '3: queues.sales.queue_length_limit: "1.5" is not a number of contacts'),
        ("channel: post", '3: queues.sales.channel: "post" is not a channel; write one of voice, chat, email'),
        ("channel: vioce", '3: queues.sales.channel: "vioce" is not a channel; did you mean voice?; write one of'),
        (
            "minimum_contacts: 0",
            '3: queues.sales.minimum_contacts: "0" is not a number of contacts; write a whole number',
        ),
        ("longest_wait_limit: true", '3: queues.sales.longest_wait_limit: "true" is not a duration'),
        (
            "service_level: {formula: answered_of_oferred}",
            '3: queues.sales.service_level.formula: "answered_of_oferred" is not a formula; did you mean answered_',
        ),
        ("service_level: 80 %", "3: queues.sales.service_level: has no keys under it; write keys with values"),
        ("service_level:\n  traget: 1", "4: queues.sales.service_level.traget: no such key; did you mean target?"),
        ("shortabandon: 5s", "3: queues.sales.shortabandon: no such key; did you mean short_abandon?"),
        ("zzz: 5s", "3: queues.sales.zzz: no such key; write one of service_level, short_abandon, "),
        ("<<: {group: a}", "3: queues.sales.<<: no such key"),
        ("? [a, b]\n: 1", "3: queues.sales.?: no such key"),
        ("group: a\n# a comment\n\ngroup: b", "6: queues.sales.group: given twice, first in line 3; write it once"),
        ("group: [a]", "3: queues.sales.group: has keys or a list under it"),
        ("holidays: 2027-12-25", "3: queues.sales.holidays: is not a list; write [2027-01-01, 2027-12-25]"),
        (
            "holidays:\n  - 2027-12-25\n  - 2027-13-45",
            '5: queues.sales.holidays: "2027-13-45" is not a date; write one',
        ),
        ("holidays: [20271225]", '3: queues.sales.holidays: "20271225" is not a date'),
        (
            "longest_credible_wait: 20s",
            "2: queues.sales: service_level.within (20s) is not below longest_credible_wait (20s); change one",
        ),
        ("longest_wait_limit: 5h", "2: queues.sales: longest_wait_limit (5h) is not below longest_credible_wait (4h)"),
    ],
)
def test_a_wrong_value_is_told_by_line_and_key(tmp_path: Path, keys: str, told: str) -> None:
    assert refusal(tmp_path, queue(keys)).startswith(f"queues.yaml:{told}")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("\ntimezone: Europe/Berlim\n", '2: timezone: "Europe/Berlim" is not a time zone; did you mean Europe/Berlin?'),
        ("timezone: utc\n", '1: timezone: "utc" is not a time zone; did you mean UTC?'),
        ("timezone: Europe\n", '1: timezone: "Europe" is not a time zone'),
        ("timezone: ../UTC\n", '1: timezone: "../UTC" is not a time zone'),
        ("timezone: ''\n", '1: timezone: "" is not a time zone'),
        ("timezone: +01:00\n", '1: timezone: "+01:00" is not a time zone'),
        ("timezone:\n", "1: timezone: has no value"),
        ("queue: {}\n", "1: queue: no such key; did you mean queues?"),
        ("queues: [sales]\n", "1: queues: has no keys under it; write keys with values"),
        ("- sales\n", "1: has no keys under it; write keys with values"),
        ("sales\n", "1: has no keys under it; write keys with values"),
        ("defaults:\n  group: a\n", "2: defaults.group: no such key; write one of service_level"),
        ("queues:\n  sales:\n  sales:\n", "3: queues.sales: given twice, first in line 2"),
        ('queues:\n  "": {}\n', '2: queues.: "" is not a name: Expected `str` of length >= 1'),
        (
            "queues: {sales: }\nskills:\n  bob: [sales]\n  eve: [slaes]\n",
            '4: skills.eve: "slaes" is not among the queues; did you mean sales?',
        ),
        (
            "queues: {sales: }\nskills:\n  bob:\n    - sales\n    - zzz\n",
            '5: skills.bob: "zzz" is not among the queues; write one of sales',
        ),
        ("skills:\n  bob: [a]\n", '2: skills.bob: "a" is not among the queues; write one of those under queues'),
        ("queues: {sales: }\nskills:\n  bob: sales\n", "3: skills.bob: is not a list; write [sales, support]"),
        ("", "1: is empty; write at least queues"),
        ("# only\n# comments\n", "1: is empty"),
        ("---\n", "1: is empty"),
        ("queues:\n\tsales:\n", "2: a tab; YAML is indented with spaces"),
        ("queues: {sales: {}\n", "2: is not YAML: expected ',' or '}', but got '<stream end>' while parsing a flow"),
        ("queues:\n  sales: a: b\n", "2: is not YAML: mapping values are not allowed here; check colons"),
        ("queues:\n  a: *b\n", "2: is not YAML: found undefined alias 'b'; check colons"),
        (
            "queues:\n  a: 'b\n",
            "3: is not YAML: found unexpected end of stream while scanning a quoted scalar that beg",
        ),
        ("queues: {}\n---\nqueues: {}\n", "2: is not YAML: but found another document expected a single document"),
        ("queues:\n  a: \x00\n", "2: is not YAML: special characters are not allowed; take out the control character"),
        (b"queues:\n  caf\xe9: {}\n", "2: is not UTF-8 text; save it as UTF-8"),
        ("[" * 600, "1: is nested too deeply to be meant"),
    ],
)
def test_a_wrong_file_is_told_by_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    assert refusal(tmp_path, text).startswith(f"queues.yaml:{told}")


def test_all_mistakes_are_told_in_the_order_of_lines(tmp_path: Path) -> None:
    text = (
        "skills: {bob: [chat]}\ntimezone: Mars\nqueues:\n  sales:\n    abandonment: many\n    group: a\n    group: b\n"
        "  support: {hours: {monday: 9-5}, holiday: []}\ndefaults: {short_abandon: 5}\n"
    )
    lines = [line.split(":")[1] for line in refusals(tmp_path, text)]
    assert lines == ["1", "2", "5", "7", "8", "8", "9"]


def test_a_mistake_in_the_defaults_is_told_once(tmp_path: Path) -> None:
    text = "defaults:\n  short_abandon: 5h\nqueues: {sales: {group: a}, support: {abandonment: 1 %}}\n"
    assert refusal(tmp_path, text).startswith("queues.yaml:1: defaults: short_abandon (5h) is not below")


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbftimezone: Asia/Tokyo\n").timezone == "Asia/Tokyo"


@pytest.mark.parametrize(("name", "reason"), [("missing.yaml", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, reason: str) -> None:
    path = tmp_path / name
    with pytest.raises(UsageError) as caught:
        load_policies(path)
    assert str(caught.value) == f"{path}: cannot be read ({reason}); CALLWATCH_QUEUES or --queues names it"


def test_a_file_without_permission_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    # Whoever runs the tests as root may read everything.
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match=r"queues.yaml: cannot be read \(Permission denied\)"):
        load_policies(tmp_path / "queues.yaml")
