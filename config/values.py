"""What an operator can write as a value. What is wrong raises UsageError that says what is allowed."""

import re
from collections.abc import Callable, Collection
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

from config.errors import UsageError, one_line

T = TypeVar("T")

#: So much of a wrong value is repeated.
LONGEST_TOLD: Final = 200
REDIS_SCHEMES: Final = ("redis", "rediss", "redis-cluster", "rediss-cluster")
#: What may stand behind an address's question mark; all else that redis-py takes there is callwatch's to choose.
REDIS_OPTIONS: Final = ("username", "password")
TLS_OPTIONS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")


def without_password(address: str) -> str:
    """Return ``address`` as it may be shown: who logs in, and the options, are masked."""
    masked = re.sub(r"^([a-z-]*://)?.*@", r"\1***@", address, flags=re.DOTALL)
    return re.sub(r"\?.*", "?***", masked, flags=re.DOTALL)


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a parser of whole numbers from ``lowest`` to ``highest``; it raises UsageError for anything else."""

    def parse(text: str) -> int:
        if re.fullmatch(r"[0-9]{1,15}", text) is None or not lowest <= int(text) <= highest:
            raise UsageError(f'"{text}" is not allowed; write a whole number from {lowest} to {highest}')
        return int(text)

    return parse


def one_of(words: Collection[str]) -> Callable[[str], str]:
    """Return a parser that takes one of ``words`` and raises UsageError for anything else."""

    def parse(text: str) -> str:
        if text not in words:
            raise UsageError(f'"{text}" is not allowed; write one of {", ".join(words)}')
        return text

    return parse


def ratio(text: str) -> float:
    """Return a share from 0 to 1 of what is written as ``80 %`` or ``0.8``."""
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(%?)", text)
    share = Decimal(found[1]) / (100 if found[2] else 1) if found else None
    if share is None or share > 1:
        raise UsageError(f'"{text}" is not a ratio; write 80 % or 0.8')
    return float(share)


def iso_date(text: str) -> str:
    """Return ``text`` if it is a date such as 2027-12-25."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise UsageError(f'"{text}" is not a date; write one such as 2027-12-25')


def read(label: str, parse: Callable[[str], T], text: str) -> T:
    """Return what ``parse`` makes of ``text``; a UsageError says that ``label`` (a variable or a flag) gave it."""
    try:
        return parse(text)
    except UsageError as error:
        told = str(error)
        if len(text) > LONGEST_TOLD:
            told = told.replace(text, f"{text[:LONGEST_TOLD]}...")
        raise UsageError(one_line(f"{label}: {told}")) from None


def _split(address: str) -> SplitResult | None:
    """Return the parts of ``address``, or None where host or port are wrong."""
    try:
        parts = urlsplit(address)
        # urlsplit passes over blanks and line breaks, which no host has.
        usable = parts.hostname and parts.port != 0 and re.search(r"\s", address) is None
        # A part of a name that is empty or too long would only be found when it is looked up.
        (parts.hostname or "").encode("idna")
    except ValueError:
        return None
    return parts if usable else None


def brokers(text: str) -> str:
    """Return Kafka's brokers, ``host:port``, comma separated."""
    found = [part.strip() for part in text.split(",")]
    for broker in found:
        parts = _split(f"//{broker}")
        if parts is None or parts.port is None or parts.netloc != broker or "@" in broker:
            raise UsageError(f'"{without_password(text)}" is not an address; write host:port,host:port,...')
    return ",".join(found)


def redis(text: str) -> str:
    """Return Redis's address, a URL of one of ``REDIS_SCHEMES`` with no options that callwatch does not pass on."""
    parts = _split(text)
    scheme = text.partition("://")[0]
    database = r"(/0?)?" if scheme.endswith("-cluster") else r"(/[0-9]{0,5})?"
    if parts is None or scheme not in REDIS_SCHEMES or parts.fragment or re.fullmatch(database, parts.path) is None:
        raise UsageError(
            f'"{without_password(text)}" is not an address of Redis; '
            "write redis://host:port/0, rediss://host:port/0 or redis-cluster://host:port"
        )
    options = REDIS_OPTIONS + TLS_OPTIONS if scheme.startswith("rediss") else REDIS_OPTIONS
    if any(name not in options for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise UsageError(f'"{without_password(text)}" has unknown options; {scheme}:// takes {", ".join(options)}')
    return text


def name(text: str) -> str:
    """Return a name of a topic or of a consumer group, as Kafka allows it."""
    if re.fullmatch(r"[A-Za-z0-9._-]{1,200}", text) is None or text in {".", ".."}:
        raise UsageError(f'"{text}" is not a name; write letters, digits, ".", "_" and "-", at most 200')
    return text


def host(text: str) -> str:
    """Return a name or an address of this machine."""
    if (
        re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", text) is None
        or _split(f"//[{text}]" if ":" in text else f"//{text}") is None
    ):
        raise UsageError(f'"{text}" is not a host; write an address of this machine, such as 127.0.0.1')
    return text


def path(text: str) -> Path:
    """Return a path that can be written in one line; whether anything is there is for whoever opens it to say."""
    if not text.isprintable() or not text:
        raise UsageError(f'"{text}" is not a path; write one without control characters')
    return Path(text)


def file(text: str) -> Path:
    """Return the path of a file that is there."""
    if not Path(text).is_file():
        raise UsageError(f'"{text}" is not there; write the path of a file')
    return Path(text)
