"""Who may ask the board what: a file with a line ``name:role:hash`` for each token.

A token is 256 random bits, shown once, when it is made; the file holds its SHA-256. Nothing weaker is ever hashed, so
no slow hash is needed: there is nothing to guess.
"""

import hmac
import re
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Final, Literal, get_args

import msgspec

from config.errors import UsageError, nearest, one_line

Role = Literal["wallboard", "metrics", "admin"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)

#: What every token begins with, so that one that leaked is found.
MARK: Final = "callwatch_"

_NAME: Final = r"[A-Za-z0-9._-]{1,64}"


class Token(msgspec.Struct, frozen=True):
    """One line of the file: whose it is, what it may, and the SHA-256 of the token."""

    name: str
    role: Role
    digest: bytes

    @property
    def line(self) -> str:
        """Return the line of the file."""
        return f"{self.name}:{self.role}:{self.digest.hex()}"


class Tokens:
    """All tokens that the board knows."""

    def __init__(self, known: tuple[Token, ...]) -> None:
        self._known = known

    def find(self, secret: str) -> Token | None:
        """Return whose token ``secret`` is, or None; how long that takes says nothing about any of them."""
        digest, found = digest_of(secret), None
        for token in self._known:
            if hmac.compare_digest(token.digest, digest):
                found = token
        return found


def digest_of(secret: str) -> bytes:
    """Return what the file holds of a token."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()


def make_token(role: str, name: str) -> tuple[str, Token]:
    """Return a new token's secret, to be shown once, and what goes into the file. Raise UsageError for a bad name."""
    if role not in ROLES:
        raise UsageError(one_line(f'"{role}" is not a role{nearest(role, ROLES)}; write one of {", ".join(ROLES)}'))
    if re.fullmatch(_NAME, name) is None:
        raise UsageError(one_line(f'"{name}" is not a name; write letters, digits, ".", "_" and "-", at most 64'))
    secret = MARK + token_urlsafe(32)
    return secret, Token(name, role, digest_of(secret))


def load_tokens(path: Path) -> Tokens:
    """Return the tokens of a file. Raise UsageError that names the file, the line, and what belongs there."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(one_line(f"{path}: cannot be read ({reason})")) from None
    known: dict[str, Token] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        token = _token(text)
        # The line itself is not shown: somebody may have written a token there instead of its hash.
        if token is None:
            raise UsageError(
                one_line(f"{path}:{number}: not a token's line; callwatch token ROLE NAME makes one, name:role:hash")
            )
        if token.name in known:
            raise UsageError(
                one_line(f'{path}:{number}: there are two tokens of "{token.name}"; give each its own name')
            )
        known[token.name] = token
    if not known:
        raise UsageError(one_line(f"{path}: no token in it; callwatch token ROLE NAME makes one"))
    return Tokens(tuple(known.values()))


def _token(text: str) -> Token | None:
    found = re.fullmatch(rf"({_NAME}):({'|'.join(ROLES)}):([0-9a-f]{{64}})", text)
    if found is None:
        return None
    role = next(role for role in ROLES if role == found[2])
    return Token(found[1], role, bytes.fromhex(found[3]))
