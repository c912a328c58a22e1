"""The table of all metrics that the board exports; docs/metrics.md is made from it.

Base units, ratios from 0 to 1. A ratio of nothing has no sample: Prometheus then knows that it knows nothing.
"""

from typing import Final, Literal

import msgspec

Kind = Literal["counter", "gauge", "histogram"]


class MetricSpec(msgspec.Struct, frozen=True):
    """One metric: its name without ``_total``, what it is, what it means, by what it is told apart."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


QUEUE: Final = ("queue", "channel")
WINDOW: Final = ("queue", "channel", "window")

PERIOD: Final = ("queue", "channel", "period")

#: Beyond the queue: how contacts are answered and settled, what customers say, what is to be expected.
SERVICE: Final = (
    MetricSpec("callcenter_first_responses", "counter", "Contacts in which a person wrote a first line.", QUEUE),
    MetricSpec("callcenter_responses", "counter", "Customers' lines that a person answered.", QUEUE),
    MetricSpec("callcenter_agent_offers", "counter", "Times that a contact was offered to an agent.", QUEUE),
    MetricSpec("callcenter_agent_declines", "counter", "Times that the agent did not take it.", QUEUE),
    MetricSpec("callcenter_first_response_seconds", "gauge", "Mean time to a person's first line.", WINDOW),
    MetricSpec("callcenter_response_seconds", "gauge", "Mean time from a line to a person's next line.", WINDOW),
    MetricSpec("callcenter_contacts_opened", "counter", "Contacts that began.", QUEUE),
    MetricSpec("callcenter_contacts_closed", "counter", "Contacts that ended or were resolved.", QUEUE),
    MetricSpec("callcenter_contacts_resolved", "counter", "Contacts resolved.", QUEUE),
    MetricSpec("callcenter_contacts_reopened", "counter", "Times that a contact was opened again.", QUEUE),
    MetricSpec("callcenter_contacts_automated", "counter", "Contacts resolved with no person taking part.", QUEUE),
    MetricSpec("callcenter_orders", "counter", "Orders, each at the contact that it followed.", QUEUE),
    MetricSpec("callcenter_survey_answers", "counter", "Customers' answers to a survey.", ("queue", "survey")),
    MetricSpec("callcenter_survey_satisfied", "counter", "Those of them that were satisfied.", ("queue", "survey")),
    MetricSpec("callcenter_reviews", "counter", "Reviews of contacts.", ("queue",)),
    MetricSpec("callcenter_tickets_open", "gauge", "Tickets open now.", QUEUE),
    MetricSpec("callcenter_oldest_ticket_seconds", "gauge", "Age of the oldest open ticket; none without.", QUEUE),
    MetricSpec("callcenter_ticket_age_median_seconds", "gauge", "Median age of the open tickets; none without.", QUEUE),
    MetricSpec("callcenter_backlog_goal", "gauge", "As many tickets may be open; none where not limited.", QUEUE),
    MetricSpec(
        "callcenter_estimated_wait_seconds",
        "gauge",
        "How long whoever arrives now will wait; none if not known.",
        QUEUE,
    ),
    MetricSpec(
        "callcenter_estimated_wait_error_seconds",
        "gauge",
        "How far off it was, on average, for those answered in the last hour.",
        QUEUE,
    ),
    MetricSpec(
        "callcenter_overloaded", "gauge", "1 while more come than can be taken; none where agents are not known.", QUEUE
    ),
    MetricSpec("callcenter_agents_needed", "gauge", "Agents that keep the promise of an overloaded queue.", QUEUE),
    MetricSpec("callcenter_resolved_ratio", "gauge", "Resolved of opened.", PERIOD),
    MetricSpec("callcenter_automated_resolution_ratio", "gauge", "Of the resolved, those without a person.", PERIOD),
    MetricSpec("callcenter_resolution_seconds", "gauge", "Mean time from opened to resolved.", PERIOD),
    MetricSpec(
        "callcenter_first_contact_resolution_ratio",
        "gauge",
        "Resolved whose customer has not come back so far.",
        PERIOD,
    ),
    MetricSpec(
        "callcenter_first_contact_resolution_final_ratio",
        "gauge",
        "The same of those whose time to come back has passed.",
        PERIOD,
    ),
    MetricSpec("callcenter_single_reply_ratio", "gauge", "Of the resolved, those with one reply of a person.", PERIOD),
    MetricSpec(
        "callcenter_ticket_handle_time_seconds", "gauge", "Mean time of tickets from first contact to closing.", PERIOD
    ),
    MetricSpec("callcenter_repeat_contacts_day_ratio", "gauge", "Contacts followed by another within a day.", PERIOD),
    MetricSpec("callcenter_several_agents_ratio", "gauge", "Contacts with more than one agent.", PERIOD),
    MetricSpec("callcenter_revenue", "gauge", "Revenue of orders that followed a contact, in the currency.", PERIOD),
    MetricSpec("callcenter_repeat_contacts_ratio", "gauge", "Contacts followed by another within a week.", PERIOD),
    MetricSpec("callcenter_conversion_ratio", "gauge", "Contacts followed by an order.", PERIOD),
    MetricSpec("callcenter_cost_per_resolution", "gauge", "Cost per resolved contact, in the currency.", PERIOD),
    MetricSpec("callcenter_cost_per_conversation", "gauge", "Cost per handled contact, in the currency.", PERIOD),
    MetricSpec("callcenter_customer_satisfaction_ratio", "gauge", "The top two of five (CSAT).", ("queue", "period")),
    MetricSpec("callcenter_customer_satisfaction_score", "gauge", "Mean from 1 to 5 (CSAT).", ("queue", "period")),
    MetricSpec(
        "callcenter_survey_response_ratio",
        "gauge",
        "Answers to a survey, of the contacts handled.",
        ("queue", "survey", "period"),
    ),
    MetricSpec("callcenter_net_promoter_score", "gauge", "From -100 to 100 (NPS).", ("queue", "period")),
    MetricSpec(
        "callcenter_customer_effort_score", "gauge", "Mean from 1 to 7, 7 the least (CES).", ("queue", "period")
    ),
    MetricSpec("callcenter_quality_ratio", "gauge", "Mean score of reviews, of the scale.", ("queue", "period")),
    MetricSpec(
        "callcenter_quality_to_standard_ratio", "gauge", "Reviews at or above the standard.", ("queue", "period")
    ),
    MetricSpec(
        "callcenter_quality_spread_ratio",
        "gauge",
        "Standard deviation between agents' mean scores, of the scale.",
        ("queue", "period"),
    ),
    MetricSpec("callcenter_employee_satisfaction_ratio", "gauge", "The top two of five (ESAT).", ("period",)),
    MetricSpec("callcenter_bot_contacts", "gauge", "Contacts in which a bot wrote.", ("channel", "period")),
    MetricSpec("callcenter_bot_handover_ratio", "gauge", "Of them, those that went to a queue.", ("channel", "period")),
    MetricSpec(
        "callcenter_left_after_bot_ratio",
        "gauge",
        "Of them, those that ended after a bot's line.",
        ("channel", "period"),
    ),
    MetricSpec("callcenter_utilisation_ratio", "gauge", "Agents' time on contacts, of all but offline.", ("period",)),
    MetricSpec("callcenter_concurrency", "gauge", "Contacts that an agent had at the same time.", ("period",)),
    MetricSpec("callcenter_customer_retention_ratio", "gauge", "Customers kept, of those at the start.", ("period",)),
    MetricSpec(
        "callcenter_customer_lifetime_value", "gauge", "What a customer is worth, in the currency.", ("period",)
    ),
    MetricSpec("callcenter_customer_churn_ratio", "gauge", "Customers lost, of those at the start.", ("period",)),
)

METRICS: Final = (
    MetricSpec("callcenter_contacts_offered", "counter", "Visits to a queue that began.", QUEUE),
    MetricSpec("callcenter_contacts_answered", "counter", "Visits answered by an agent.", QUEUE),
    MetricSpec(
        "callcenter_contacts_answered_within_target", "counter", "Visits answered within the queue's threshold.", QUEUE
    ),
    MetricSpec("callcenter_contacts_abandoned", "counter", "Visits whose customer gave up waiting.", QUEUE),
    MetricSpec(
        "callcenter_contacts_short_abandoned", "counter", "Visits given up before the short-abandon limit.", QUEUE
    ),
    MetricSpec("callcenter_contacts_left", "counter", "Visits that left unanswered without giving up.", QUEUE),
    MetricSpec("callcenter_contacts_left_by_reason", "counter", "The same, told apart by reason.", (*QUEUE, "reason")),
    MetricSpec(
        "callcenter_contacts_lost", "counter", "Visits whose exit never came within the longest credible wait.", QUEUE
    ),
    MetricSpec("callcenter_contacts_handled", "counter", "Contacts that an agent finished.", QUEUE),
    MetricSpec("callcenter_wait_seconds", "histogram", "Time waited, by how the wait ended.", (*QUEUE, "outcome")),
    MetricSpec("callcenter_handle_seconds", "histogram", "Talk with hold, and wrap-up, of a handled contact.", QUEUE),
    MetricSpec("callcenter_queue_length", "gauge", "Contacts waiting now.", QUEUE),
    MetricSpec(
        "callcenter_longest_wait_seconds",
        "gauge",
        "How long the first in the queue has waited; none when nobody waits.",
        QUEUE,
    ),
    MetricSpec("callcenter_service_level_ratio", "gauge", "Service level by the queue's own formula.", WINDOW),
    MetricSpec(
        "callcenter_service_level_live_ratio",
        "gauge",
        "Service level, those who wait past the threshold now counted as missed.",
        WINDOW,
    ),
    MetricSpec("callcenter_abandonment_ratio", "gauge", "Abandoned of answered and abandoned.", WINDOW),
    MetricSpec("callcenter_average_speed_of_answer_seconds", "gauge", "Mean wait of the answered.", WINDOW),
    MetricSpec("callcenter_average_handle_time_seconds", "gauge", "Talk and wrap-up per handled contact.", WINDOW),
    MetricSpec("callcenter_queue_length_average", "gauge", "Time-weighted average number of contacts waiting.", WINDOW),
    MetricSpec(
        "callcenter_service_level_contacts", "gauge", "Visits that the queue's service level is a share of.", WINDOW
    ),
    MetricSpec("callcenter_service_level_met_contacts", "gauge", "Those of them that met it.", WINDOW),
    MetricSpec("callcenter_decided_contacts", "gauge", "Visits answered or abandoned.", WINDOW),
    MetricSpec("callcenter_service_level_target_ratio", "gauge", "The service level that the queue is held to.", QUEUE),
    MetricSpec(
        "callcenter_service_level_threshold_seconds", "gauge", "Answered within this is within the target.", QUEUE
    ),
    MetricSpec("callcenter_abandonment_target_ratio", "gauge", "The abandonment that the queue stays under.", QUEUE),
    MetricSpec(
        "callcenter_queue_length_limit", "gauge", "More waiting than this is too many; none where not limited.", QUEUE
    ),
    MetricSpec(
        "callcenter_longest_wait_limit_seconds", "gauge", "A longer wait is too long; none where not limited.", QUEUE
    ),
    MetricSpec("callcenter_minimum_contacts", "gauge", "A ratio of fewer contacts alarms nobody.", QUEUE),
    MetricSpec("callcenter_queue_open", "gauge", "1 within the queue's opening hours, else 0.", QUEUE),
    MetricSpec(
        "callcenter_queue_info",
        "gauge",
        "Always 1: the queue's group, and the definition of service level that it is held to.",
        (*QUEUE, "group", "formula"),
    ),
    MetricSpec("callcenter_queue_agents", "gauge", "Agents of a queue in a state now.", ("queue", "state")),
    MetricSpec("callcenter_agents", "gauge", "Agents in a state now.", ("state",)),
    MetricSpec(
        "callcenter_occupancy_ratio",
        "gauge",
        "Share of their staffed time that agents worked on contacts.",
        ("window",),
    ),
    *SERVICE,
    MetricSpec("callwatch_events", "counter", "Events read and counted.", ("topic", "type")),
    MetricSpec("callwatch_dead_letters", "counter", "Messages that could not be counted.", ("topic", "reason")),
    MetricSpec("callwatch_event_lag_seconds", "gauge", "How far the worker is behind Kafka.", ("topic", "partition")),
    MetricSpec(
        "callwatch_last_event_timestamp_seconds",
        "gauge",
        "The watermark: the latest event's time, carried on while idle.",
        ("topic", "partition"),
    ),
    MetricSpec(
        "callwatch_worker_age_seconds",
        "gauge",
        "Since the partition's worker last gave a sign of life.",
        ("topic", "partition"),
    ),
    MetricSpec(
        "callwatch_worker_resident_memory_bytes",
        "gauge",
        "Resident memory of the worker that counts the partition.",
        ("topic", "partition"),
    ),
    MetricSpec("callwatch_commit_seconds", "histogram", "Time to commit one batch."),
    MetricSpec("callwatch_commits_refused", "counter", "Commits refused since the store had another head."),
    MetricSpec("callwatch_offset_resets", "counter", "Times that Kafka no longer held the stored offset."),
    MetricSpec("callwatch_up", "gauge", "1 while the board reads fresh figures from the store, else 0."),
    MetricSpec("callwatch_store_reachable", "gauge", "1 while the board can read the store, else 0."),
    MetricSpec(
        "callwatch_workers_alive", "gauge", "1 while the worker of every partition gives signs of life, else 0."
    ),
    MetricSpec("process_resident_memory_bytes", "gauge", "Resident memory size in bytes."),
    MetricSpec("process_cpu_seconds", "counter", "Total user and system CPU time spent in seconds."),
    MetricSpec("callwatch_build_info", "gauge", "Always 1.", ("version",)),
)


def markdown() -> str:
    """Return docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Made from the table in `agents/board/catalogue.py` by `callwatch schema --write`. Counters end in `_total`.",
        "",
        "| name | type | labels | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for spec in METRICS:
        name = spec.name + ("_total" if spec.kind == "counter" else "")
        lines.append(f"| `{name}` | {spec.kind} | {', '.join(spec.labels)} | {spec.help} |")
    return "\n".join(lines) + "\n"
