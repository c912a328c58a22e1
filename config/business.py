"""What queues.yaml says under ``business``: costs, customers, windows, and the standards that agents are held to."""

import re
from typing import Any, Final

from config.errors import UsageError
from config.reader import Entry, Reader, Values
from config.settings import parse_duration
from config.values import iso_date, ratio
from streams.policy import Business


def read_business(reader: Reader, entry: Entry) -> Business:
    """Return what stands under ``business``; mistakes are noted."""
    keys = reader.mapping(entry, BUSINESS_KEYS)
    values: dict[str, Any] = reader.values(keys, BUSINESS_VALUES)
    if "customers" in keys:
        noted = len(reader.errors)
        parts = reader.mapping(keys["customers"], [key for key, _, _ in CUSTOMERS_VALUES])
        values |= reader.values(parts, CUSTOMERS_VALUES)
        missing = [key for key, _, _ in CUSTOMERS_VALUES if key not in parts]
        if missing and len(reader.errors) == noted:
            told = f"has no {' and no '.join(missing)}; write {{number: 12000, counted: 2027-01-01}}"
            reader.fault(keys["customers"], told)
    if "currency" not in keys:
        for key in MONEY_KEYS:
            if key in keys:
                reader.fault(keys[key], "is an amount of no currency; write business.currency, such as EUR, as well")
    return Business(**{field: value for field, value in values.items() if value is not None})


def _currency(text: str) -> str:
    if re.fullmatch(r"[A-Z]{3}", text) is None:
        raise UsageError(f'"{text}" is not a currency; write its three letters of ISO 4217, such as EUR')
    return text


def _cents(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,12})(?:\.([0-9]{1,2}))?", text)
    if found is None:
        raise UsageError(f'"{text}" is not an amount; write a number such as 35 or 35.50, without its currency')
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def _customers(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,12}", text) is None:
        raise UsageError(f'"{text}" is not a number of customers; write a whole number such as 12000')
    return int(text)


def _window(text: str) -> int:
    window = parse_duration(text)
    if not window:
        raise UsageError(f'"{text}" is no time; write one such as 7d')
    return window


MONEY_KEYS: Final = ("agent_hour_cost", "overhead_per_month")
CUSTOMERS_VALUES: Final[Values] = (("number", "customers", _customers), ("counted", "customers_counted", iso_date))
BUSINESS_VALUES: Final[Values] = (
    ("currency", "currency", _currency),
    ("agent_hour_cost", "agent_hour_cents", _cents),
    ("overhead_per_month", "overhead_month_cents", _cents),
    ("margin", "margin_ratio", ratio),
    ("return_window", "return_window_ms", _window),
    ("order_window", "order_window_ms", _window),
    ("quality_standard", "quality_ratio", ratio),
    ("occupancy", "occupancy_ratio", ratio),
    ("utilisation", "utilisation_ratio", ratio),
)
BUSINESS_KEYS: Final = (*(key for key, _, _ in BUSINESS_VALUES), "customers")
