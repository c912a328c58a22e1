"""What a user is told when something they gave is wrong."""

from collections.abc import Iterable
from difflib import get_close_matches


class UsageError(Exception):
    """A user's mistake, as one line that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """


def one_line(text: str) -> str:
    """Return ``text`` with line breaks and other control characters escaped, so that it fills one line."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` with what is nearest to ``word`` in any case, or nothing if all is far from it."""
    folded = {each.lower(): each for each in known}
    found = get_close_matches(word.lower(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[found[0]]}?" if found else ""
