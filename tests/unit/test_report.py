"""The forms of a report: for people, for a spreadsheet, for programs."""

import csv
import io
import json
from typing import Any

from agents import report


def row(**fields: Any) -> dict[str, Any]:
    counts = (
        "offered",
        "answered",
        "answered_within_target",
        "abandoned",
        "short_abandoned",
        "left",
        "lost",
        "handled",
    )
    return {
        "start": "2026-01-05T09:00:00Z",
        "queue": "sales",
        "channel": "voice",
        **dict.fromkeys(counts, 0),
        "service_level": {"answered_of_offered": None},
        "abandonment_rate": None,
        "average_speed_of_answer_seconds": None,
        "average_handle_time_seconds": None,
        "wait_seconds": {"p90": None},
        **fields,
    }


FULL = row(
    offered=1_234,
    answered=1_000,
    service_level={"answered_of_offered": 0.8004},
    abandonment_rate=0.05,
    average_speed_of_answer_seconds=12.345,
    wait_seconds={"p90": 41.25},
)
ALL = row(queue=None, channel=None)


def test_a_table_shows_ratios_in_percent_and_a_dash_for_a_ratio_of_nothing() -> None:
    heading, full, nothing = report.as_table([FULL, ALL]).splitlines()
    assert heading.split()[0] == "start"
    assert "answered within target" in heading
    assert "80.0 %" in full
    assert "5.0 %" in full
    assert "12.3" in full
    assert nothing.split()[1:3] == ["all", "all"]
    assert nothing.split()[-5:] == ["-"] * 5


def test_a_tables_columns_are_in_line() -> None:
    lines = report.as_table([FULL, ALL, row(queue="a queue with a much longer name than others")]).splitlines()
    assert len({len(line) for line in lines}) == 1
    end = lines[0].index("offered") + len("offered")
    assert lines[1][:end].endswith("1234")
    assert lines[2][:end].endswith(" 0")


def test_a_csv_holds_plain_numbers_and_nothing_for_a_ratio_of_nothing() -> None:
    full, nothing = csv.DictReader(io.StringIO(report.as_csv([FULL, ALL])))
    assert (full["offered"], full["service_level"], full["asa_seconds"]) == ("1234", "0.8004", "12.345")
    assert (nothing["queue"], nothing["service_level"], nothing["wait_p90_seconds"]) == ("all", "", "")


def test_a_csv_keeps_a_queues_name_whatever_it_holds() -> None:
    odd = 'a "b", c\nd'
    assert next(csv.DictReader(io.StringIO(report.as_csv([row(queue=odd)]))))["queue"] == odd


def test_json_is_one_row_a_line_as_the_api_gives_it() -> None:
    lines = report.as_json([FULL, ALL]).splitlines()
    assert [json.loads(line) for line in lines] == [FULL, ALL]


def test_every_form_of_nothing_is_its_headings_alone() -> None:
    assert report.as_table([]).count("\n") == 1
    assert report.as_csv([]).count("\n") == 1
    assert report.as_json([]) == ""


def test_the_documents_are_made_from_the_code() -> None:
    made = report.documents()
    assert set(made) == {"events.md", "asyncapi.json", "metrics.md", "contact.md"}
    assert "contact.queued" in made["events.md"]
    assert json.loads(made["asyncapi.json"])["asyncapi"]
    assert "callcenter_contacts_offered_total" in made["metrics.md"]
