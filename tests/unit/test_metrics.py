"""The exposition: every metric of the contract with its type and labels, true to what was counted."""

from collections import defaultdict
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from agents.board.catalogue import METRICS, markdown
from agents.board.exposition import text_of
from agents.board.metrics import Collector, cumulative
from agents.store import Beat
from agents.store.memory import MemoryStore
from streams import kpis
from streams.measures import EDGES, HANDLE_BOUNDS_MS, WAIT_BOUNDS_MS, bin_of
from streams.policy import DAY_MS, FORMULAS, HOUR_MS, Opening, Policies, Promise, ServiceLevelFormula
from tests.unit.life import POLICIES, WINDOWS, Counting, Stamp, life_of
from tests.unit.served import NOW, Served, counted_life, served_life

QUEUE = {"queue", "channel"}
WINDOW = {*QUEUE, "window"}
PARTITION = {"topic", "partition"}
#: The names that the design promises, with their types and labels.
PROMISED = {
    **{
        f"callcenter_contacts_{name}": ("counter", QUEUE)
        for name in (
            *("offered", "answered", "answered_within_target", "abandoned", "short_abandoned", "left", "lost"),
            "handled",
        )
    },
    "callcenter_wait_seconds": ("histogram", {*QUEUE, "outcome"}),
    "callcenter_handle_seconds": ("histogram", QUEUE),
    "callcenter_queue_length": ("gauge", QUEUE),
    "callcenter_longest_wait_seconds": ("gauge", QUEUE),
    "callcenter_service_level_ratio": ("gauge", WINDOW),
    "callcenter_abandonment_ratio": ("gauge", WINDOW),
    "callcenter_average_speed_of_answer_seconds": ("gauge", WINDOW),
    "callcenter_average_handle_time_seconds": ("gauge", WINDOW),
    "callcenter_queue_length_average": ("gauge", WINDOW),
    "callcenter_service_level_target_ratio": ("gauge", QUEUE),
    "callcenter_service_level_threshold_seconds": ("gauge", QUEUE),
    "callcenter_abandonment_target_ratio": ("gauge", QUEUE),
    "callcenter_service_level_contacts": ("gauge", WINDOW),
    "callcenter_service_level_met_contacts": ("gauge", WINDOW),
    "callcenter_decided_contacts": ("gauge", WINDOW),
    "callcenter_minimum_contacts": ("gauge", QUEUE),
    "callcenter_queue_open": ("gauge", QUEUE),
    "callcenter_queue_info": ("gauge", {*QUEUE, "group", "formula"}),
    "callcenter_agents": ("gauge", {"state"}),
    "callcenter_occupancy_ratio": ("gauge", {"window"}),
    "callwatch_events": ("counter", {"topic", "type"}),
    "callwatch_dead_letters": ("counter", {"topic", "reason"}),
    "callwatch_event_lag_seconds": ("gauge", PARTITION),
    "callwatch_last_event_timestamp_seconds": ("gauge", PARTITION),
    "callwatch_commit_seconds": ("histogram", set()),
    "callwatch_commits_refused": ("counter", set()),
    "callwatch_store_reachable": ("gauge", set()),
    "callwatch_workers_alive": ("gauge", set()),
    "callwatch_worker_resident_memory_bytes": ("gauge", PARTITION),
    "process_resident_memory_bytes": ("gauge", set()),
    "process_cpu_seconds": ("counter", set()),
    "callwatch_build_info": ("gauge", {"version"}),
}


def read(collector: Collector) -> dict[str, Metric]:
    """Return what Prometheus reads of what is told, by name."""
    text = "".join(text_of(family, openmetrics=False) for family in collector.collect() if family is not None)
    return {family.name: family for family in text_string_to_metric_families(text)}


def families_of(served: Served) -> dict[str, Metric]:
    return read(Collector(served.follower, POLICIES, WINDOWS, "1.2.3"))


def value(family: Metric, suffix: str = "", **labels: str) -> float:
    (sample,) = [s for s in family.samples if s.name == family.name + suffix and labels.items() <= s.labels.items()]
    return float(sample.value)


async def a_life_with_a_dead_letter() -> Served:
    counting = await counted_life()
    await counting.send(
        [{"id": "x", "type": "contact.nonsense", "time": "2026-01-05T10:00:00Z", "contact_id": "x", "channel": "voice"}]
    )
    await counting.beat()
    served = Served(counting.store)
    await served.look()
    return served


async def test_every_promised_metric_has_samples_of_its_type_with_its_labels() -> None:
    families = families_of(await a_life_with_a_dead_letter())
    for name, (kind, labels) in PROMISED.items():
        family = families[name]
        assert family.type == kind, name
        assert family.samples, name
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == labels, sample


async def test_what_is_exported_is_exactly_what_the_catalogue_lists() -> None:
    families = families_of(await a_life_with_a_dead_letter())
    assert sorted(families) == sorted(spec.name for spec in METRICS)
    for spec in METRICS:
        family = families[spec.name]
        assert (family.type, family.documentation) == (spec.kind, spec.help)
        assert all(set(s.labels) - {"le"} == set(spec.labels) for s in family.samples), spec.name


def test_the_document_is_made_from_the_catalogue() -> None:
    assert (Path(__file__).parents[2] / "docs" / "metrics.md").read_text() == markdown()


async def test_counters_are_what_the_visits_add_up_to() -> None:
    families, visits = families_of(await served_life()), life_of(1)
    own = [v for v in visits if v.queue == "support"]
    answered = [v for v in own if v.how == "answered" and v.exit <= NOW]
    labels = {"queue": "support", "channel": "voice"}
    assert value(families["callcenter_contacts_offered"], "_total", **labels) == sum(v.queued <= NOW for v in own)
    assert value(families["callcenter_contacts_answered"], "_total", **labels) == len(answered)
    waits = families["callcenter_wait_seconds"]
    assert value(waits, "_sum", **labels, outcome="answered") == sum(v.wait for v in answered) / 1000
    for bound in (5, 20, 30, 60, 120):
        within = sum(v.wait <= bound * 1000 for v in answered)
        assert value(waits, "_bucket", **labels, outcome="answered", le=f"{bound}.0") == within
    assert value(families["callcenter_contacts_answered_within_target"], "_total", **labels) == value(
        waits, "_bucket", **labels, outcome="answered", le="30.0"
    )


async def test_the_reasons_of_leaving_add_up_to_those_who_left() -> None:
    families = families_of(await served_life())
    by_reason: defaultdict[tuple[str, str], float] = defaultdict(float)
    for sample in families["callcenter_contacts_left_by_reason"].samples:
        by_reason[sample.labels["queue"], sample.labels["channel"]] += sample.value
    for (queue, channel), number in by_reason.items():
        assert value(families["callcenter_contacts_left"], "_total", queue=queue, channel=channel) == number
    assert by_reason


async def test_histograms_rise_and_end_with_their_count() -> None:
    families = families_of(await served_life())
    for name in ("callcenter_wait_seconds", "callcenter_handle_seconds", "callwatch_commit_seconds"):
        series: defaultdict[tuple[tuple[str, str], ...], list[Sample]] = defaultdict(list)
        for sample in families[name].samples:
            series[tuple(item for item in sorted(sample.labels.items()) if item[0] != "le")].append(sample)
        for labels, samples in series.items():
            buckets = [s.value for s in samples if s.name.endswith("_bucket")]
            (count,) = [s.value for s in samples if s.name.endswith("_count")]
            assert buckets == sorted(buckets), (name, labels)
            assert buckets[-1] == count
    answered = families["callcenter_contacts_answered"]
    for sample in families["callcenter_wait_seconds"].samples:
        if sample.name.endswith("_count") and sample.labels["outcome"] == "answered":
            place = {name: sample.labels[name] for name in QUEUE}
            assert value(answered, "_total", **place) == sample.value


def test_a_wait_of_exactly_a_bound_lies_within_it_and_one_more_does_not() -> None:
    for bounds in (WAIT_BOUNDS_MS, HANDLE_BOUNDS_MS):
        for at, bound in enumerate(bounds):
            assert cumulative([(bin_of(bound), 1)], bounds)[at][1] == 1
            assert cumulative([(bin_of(bound + 1), 1)], bounds)[at][1] == 0
    assert cumulative([(len(EDGES) - 1, 3)], WAIT_BOUNDS_MS)[-1] == ("+Inf", 3.0)


async def test_a_silent_queue_is_known_to_be_empty_and_its_ratios_have_no_sample() -> None:
    counting = Counting()
    await counting.feed(life_of(2, visits=50))
    served = Served(counting.store, Stamp(NOW + 2 * DAY_MS))
    await served.look()
    families = families_of(served)
    lengths = {s.labels["queue"]: s.value for s in families["callcenter_queue_length"].samples}
    assert lengths == dict.fromkeys(["sales", "support", "chat", "unlisted"], 0)
    for name in (
        *("longest_wait_seconds", "service_level_ratio", "service_level_live_ratio", "abandonment_ratio"),
        *("average_speed_of_answer_seconds", "average_handle_time_seconds"),
    ):
        assert families[f"callcenter_{name}"].samples == [], name


async def test_the_promises_are_exported_so_that_alert_rules_hold_no_numbers() -> None:
    families = families_of(await served_life())
    place = {"queue": "chat", "channel": "chat"}
    assert value(families["callcenter_service_level_target_ratio"], **place) == 0.9
    assert value(families["callcenter_service_level_threshold_seconds"], **place) == 60
    assert value(families["callcenter_abandonment_target_ratio"], **place) == 0.05


async def test_service_level_is_by_the_formula_that_the_queue_is_held_to() -> None:
    served = await served_life()
    families = families_of(served)
    async with served.client() as client:
        rows = (await client.get("/api/v1/queues?window=1h")).json()["rows"]
    for row in rows[:-1]:
        place = {"queue": row["queue"], "channel": row["channel"], "window": "1h"}
        expected = row["service_level"][row["promise"]["formula"]]
        assert value(families["callcenter_service_level_ratio"], **place) == expected


async def test_events_and_dead_letters_are_told_by_topic() -> None:
    families = families_of(await a_life_with_a_dead_letter())
    visits = life_of(1)
    chats = sum(v.queued <= NOW and v.channel == "chat" for v in visits)
    labels = {"topic": "callcenter.chats", "type": "contact.queued"}
    assert value(families["callwatch_events"], "_total", **labels) == chats
    labels = {"topic": "callcenter.calls", "reason": "unknown_type"}
    assert value(families["callwatch_dead_letters"], "_total", **labels) == 1


async def test_lag_goes_on_growing_when_the_worker_falls_silent() -> None:
    store = MemoryStore()
    beat = Beat(0, 3_000, 10, NOW, 150_000_000)  # a sign of life from 1970
    await store.beat("calls/0", (await store.load("calls/0")).head, beat)
    served = Served(store)
    await served.look()
    families = families_of(served)
    assert value(families["callwatch_event_lag_seconds"], topic="callcenter.calls", partition="0") > HOUR_MS / 1000
    assert value(families["callwatch_up"]) == 0
    assert value(families["callwatch_last_event_timestamp_seconds"]) == NOW / 1000
    assert value(families["callwatch_worker_resident_memory_bytes"], partition="0") == 150_000_000


async def test_nothing_counted_yet_is_a_valid_exposition_too() -> None:
    served = Served(MemoryStore())
    async with served.client() as client:
        text = (await client.get("/metrics")).text
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"callcenter_contacts_offered", "callwatch_build_info"} <= names
    assert "NaN" not in text


def collected(served: Served, policies: Policies) -> dict[str, Metric]:
    return read(Collector(served.follower, policies, WINDOWS, "1.2.3"))


async def test_limits_minimum_and_hours_are_exported_and_no_limit_has_no_sample() -> None:
    # NOW is a Monday, 10:00:05 in UTC: one queue opened at 10:00 there, one closed then, one keeps a holiday.
    policies = Policies(
        queues={
            "sales": Promise(
                queue_length_limit=7, longest_wait_limit_ms=90_000, minimum_contacts=3, hours=(Opening(0, 600, 900),)
            ),
            "support": Promise(hours=(Opening(0, 480, 600),)),
            "chat": Promise(holidays=frozenset({"2026-01-05"})),
        },
        groups={"sales": "phone"},
    )
    families = collected(await served_life(), policies)
    opened = {s.labels["queue"]: s.value for s in families["callcenter_queue_open"].samples}
    assert opened == {"sales": 1, "support": 0, "chat": 0, "unlisted": 1}
    place = {"queue": "sales", "channel": "voice"}
    assert value(families["callcenter_queue_length_limit"], **place) == 7
    assert value(families["callcenter_longest_wait_limit_seconds"], **place) == 90
    assert value(families["callcenter_minimum_contacts"], **place) == 3
    assert value(families["callcenter_queue_info"], **place, group="phone", formula="answered_of_offered") == 1
    assert [s.labels["queue"] for s in families["callcenter_queue_length_limit"].samples] == ["sales"]


async def test_a_listed_queue_has_its_promise_before_its_first_contact() -> None:
    policies = Policies(queues={"new": Promise(target_ratio=0.7), "sales": Promise()}, channels={"new": "email"})
    families = collected(Served(MemoryStore()), policies)
    target = families["callcenter_service_level_target_ratio"]
    assert value(target, queue="new", channel="email") == 0.7
    assert value(target, queue="sales", channel="voice") == 0.8
    target = collected(await served_life(), policies)["callcenter_service_level_target_ratio"]
    assert sum(s.labels["queue"] == "sales" for s in target.samples) == 1, "its contacts have told its channel"


@pytest.mark.parametrize("formula", FORMULAS)
async def test_met_of_judged_contacts_is_the_service_level_by_every_formula(formula: ServiceLevelFormula) -> None:
    served = await served_life()
    policies = Policies(default=Promise(formula=formula), timezone="Europe/Berlin")
    families = collected(served, policies)
    met, judged = (families[f"callcenter_service_level_{name}"] for name in ("met_contacts", "contacts"))
    for place, row in served.follower.model.contacts.sums("1h").items():
        labels = {"queue": place[0], "channel": place[1], "window": "1h"}
        ratio = value(met, **labels) / value(judged, **labels)
        assert ratio == pytest.approx(kpis.service_level(row)[formula]), (place, formula)
    assert sum(s.value for s in judged.samples) > 100


async def test_agents_are_counted_by_queue_and_a_state_that_nobody_is_in_is_zero() -> None:
    counting = await counted_life()
    moment = "2026-01-05T09:40:00Z"
    events = [
        {"id": f"{name}2", "type": "agent.state", "time": moment, "agent_id": name, "state": state, "queues": queues}
        for name, state, queues in (("ann", "available", ["sales", "chat"]), ("bob", "offline", ["chat"]))
    ]
    await counting.send(events, key="agent_id")
    served = Served(counting.store)
    await served.look()
    agents = families_of(served)["callcenter_queue_agents"]
    found = {(s.labels["queue"], s.labels["state"]): s.value for s in agents.samples}
    assert {key for key, count in found.items() if count} == {
        *(("sales", "available"), ("chat", "available"), ("chat", "offline")),
    }
    assert found["sales", "on_contact"] == 0
    assert len(found) == 2 * 6


async def test_a_dead_worker_is_told_from_a_store_that_is_gone() -> None:
    counting = await counted_life()
    served = Served(counting.store)
    families = families_of(served)
    assert value(families["callwatch_workers_alive"]) == 0, "nobody has been heard of yet"
    await served.look()
    served.follower._note_trouble("store_away", OSError())
    families = families_of(served)
    assert value(families["callwatch_store_reachable"]) == 0
