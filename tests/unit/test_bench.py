import json
from collections import Counter
from xml.etree import ElementTree as ET

from bench import counts
from bench.__main__ import FLOORS, fallen, ratio
from bench.load import calls, even
from bench.peers.counting import Counting
from bench.report import BEGIN, END, chart, filled, table
from bench.throughput import OWN


def _counted(messages: list[bytes]) -> counts.Counts:
    counting = Counting()
    for message in messages:
        counting.add(json.loads(message))
    changes, events = counting.take()
    assert events == len(messages)
    found: counts.Counts = Counter()
    for (key, name), amount in changes.items():
        _, bucket, queue = key.split(":", 2)
        found[int(bucket), queue, name] += amount
    return found


def test_what_the_peers_count_is_what_the_oracle_counts() -> None:
    messages = calls(6_000, 20.0)
    found = _counted([message.value for message in messages])
    assert {name for _, _, name in found} == set(counts.MEASURES)
    assert counts.verdict(found, counts.right(messages)) == "as the oracle"


def test_a_wrong_count_is_named() -> None:
    messages = calls(500, 20.0)
    right = counts.right(messages)
    wrong = right.copy()
    wrong[next(iter(right))] += 1
    assert counts.verdict(wrong, right) == f"WRONG in 1 of {len(right)} counts"
    assert counts.verdict(Counter(), right).startswith("WRONG")


def test_the_even_load_keeps_as_many_contacts_open_as_asked() -> None:
    events = [json.loads(message.value) for message in even(900, 7, 100, 1_000)]
    kinds = Counter(event["type"] for event in events)
    assert len(events) == 900
    assert kinds["contact.queued"] - kinds["contact.ended"] in (100, 101)
    assert kinds["contact.queued"] - kinds["contact.answered"] in (10, 11)
    assert len({event["queue"] for event in events}) == 7
    assert len({(event["contact_id"], event["id"]) for event in events}) == 900


def test_a_ratio_is_above_one_when_the_goal_is_met() -> None:
    assert ratio({"measured": 300, "goal": 150}) == 2
    assert ratio({"measured": 0.1, "goal": 0.2, "below": True}) == 2
    assert ratio({"measured": 1}) is None


def test_a_ratio_under_its_floor_and_a_wrong_count_of_our_own_fail_the_bench() -> None:
    peer = "worker over Faust with take(1000)"
    floor = FLOORS[peer]
    assert fallen([{"what": peer, "by_cpu": floor}, {"what": OWN, "counts": "as the oracle"}]) == []
    under = round(floor - 0.1, 2)
    assert fallen([{"what": peer, "by_cpu": under}]) == [f"below its floor of {floor}: {peer} {under}"]
    assert fallen([{"what": OWN, "counts": "WRONG in 1 of 2 counts"}]) == [f"{OWN}: WRONG in 1 of 2 counts"]


def test_the_page_keeps_what_stands_around_its_results() -> None:
    rows = [{"what": "speed", "measured": 1_500, "unit": "events/s", "goal": 1_000, "counts": "as the oracle"}]
    page = filled(f"before\n{BEGIN}\nold\n{END}\nafter\n", {"machine": {"cores": 2}, "rows": rows})
    assert page.startswith("before\n")
    assert page.endswith("\nafter\n")
    assert "old" not in page
    assert table(rows) in page
    assert "| speed | 1,500 events/s |  | at least 1,000 | 1.50 | as the oracle |" in page


def test_a_chart_marks_every_size_higher_figures_higher_up() -> None:
    drawn = ET.fromstring(chart("time", [(10, 4.0), (100, 8.0), (1_000, 2.0)], "µs"))  # noqa: S314 - our own
    marks = [float(mark.attrib["cy"]) for mark in drawn.iter("{http://www.w3.org/2000/svg}circle")]
    assert len(marks) == 3
    assert marks[1] < marks[0] < marks[2]
