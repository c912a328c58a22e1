"""Who is let in: hosts, tokens, roles, limits. It stands before all routes, and what it does not know it refuses."""

import re
from collections import OrderedDict
from collections.abc import Callable, Collection
from functools import partial
from ipaddress import IPv6Address, ip_address
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.tokens import Role, Token, Tokens, digest_of

COOKIE: Final = "callwatch"

#: What everybody may ask: neither has a figure in it. /healthz and /readyz tell details to roles alone.
OPEN: Final = frozenset({"/healthz", "/readyz", "/login", "/logout", "/static/docs.css", "/static/icon.svg"})
METRICS: Final = "/metrics"
#: Where a browser that nobody knows yet is sent to log in, instead of being told 401.
PAGES: Final = frozenset({"/", "/docs", "/queue", "/report", "/figures"})

#: No request has a body but a login, and that is short.
LARGEST_BODY: Final = 16 * 1024

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HTTPS_ONLY: Final = "max-age=31536000"

_HOST: Final = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


class Json(Response):
    """JSON as msgspec writes it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return ``content`` as JSON."""
        return msgspec.json.encode(content)


def failure(status: int, error: str, **headers: str) -> Json:
    """Return an answer that says in one line what is wrong."""
    return Json({"error": error}, status_code=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def may(role: Role, path: str) -> bool:
    """Tell whether a role may ask for a path."""
    return role == "admin" or (path == METRICS) == (role == "metrics")


class Failures:
    """Who has shown wrong tokens lately, by address, in bounded memory.

    A few different ones a minute are let go; then the address waits, with any token that is new from there. A screen
    that repeats one old token guesses nothing, and does not shut out the others behind the same address.
    """

    LIMIT: Final = 10
    WITHIN_S: Final = 60.0
    ADDRESSES: Final = 10_000

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        #: address -> when the first wrong token came, and the digests of all
        self._wrong: OrderedDict[str, tuple[float, set[bytes]]] = OrderedDict()
        self._right: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def wait_s(self, address: str, secret: str) -> int:
        """Return how long this address has to wait with this token, in seconds; 0 if it need not."""
        began, wrong = self._wrong.get(address, (0.0, set[bytes]()))
        digest, left = digest_of(secret), began + self.WITHIN_S - self._clock()
        if len(wrong) < self.LIMIT or left <= 0 or digest in wrong or (address, digest) in self._right:
            return 0
        return int(left) + 1

    def note(self, address: str, secret: str, *, right: bool) -> None:
        """Note how a token was found."""
        if right:
            self._right[address, digest_of(secret)] = None
            self._right.move_to_end((address, digest_of(secret)))
        else:
            now = self._clock()
            began, wrong = self._wrong.pop(address, (now, set[bytes]()))
            if now - began >= self.WITHIN_S:
                began, wrong = now, set()
            if len(wrong) < self.LIMIT:
                wrong.add(digest_of(secret))
            self._wrong[address] = (began, wrong)
        for kept in (self._wrong, self._right):
            while len(kept) > self.ADDRESSES:
                kept.popitem(last=False)


def address_of(scope: Scope) -> str:
    """Return who asks; of IPv6 the network, since a host has as many addresses in it as it likes."""
    client = scope.get("client")
    if not client:
        return ""
    try:
        address = ip_address(client[0])
    except ValueError:
        return str(client[0])
    return f"{IPv6Address(int(address) >> 64 << 64)}/64" if isinstance(address, IPv6Address) else str(address)


class Guard:
    """Plain ASGI, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp, tokens: Tokens | None, hosts: Collection[str] | None) -> None:
        """Let ``tokens`` in to what their roles may, everybody if None; under the names ``hosts``, any if None."""
        self._app = app
        self._tokens = tokens
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self.failures = Failures()

    @property
    def asks(self) -> bool:
        """Tell whether a token is asked for at all."""
        return self._tokens is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        secured = partial(_send_secured, scope, send)
        request = Request(scope)
        refusal = self._refusal(request) or self._unknown(request)
        await (refusal or self._app)(scope, receive, secured)

    def _refusal(self, request: Request) -> Response | None:
        """Return what is said to a request that is wrong whoever asks."""
        hosts = request.headers.getlist("host")
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None:
            return failure(400, "host: not the name of a host")
        if self._hosts is not None and found[1].lower() not in self._hosts:
            return failure(400, "host: this board does not go by that name; CALLWATCH_HOSTS lists its names")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:9]) > LARGEST_BODY or len(length) > 9:  # noqa: PLR2004 -- digits
            return failure(413, f"a request has at most {LARGEST_BODY} bytes")
        return None

    def _unknown(self, request: Request) -> Response | None:
        """Return what is said to somebody who may not ask this; note the role of who may."""
        path, request.state.role = request.scope["path"], "admin"
        if self._tokens is None:
            return None
        given = secret_of(request)
        token = self.check(request, given) if given is not None else None
        request.state.role = None if token is None else token.role
        if path in OPEN:
            return None
        if token is None:
            return _who_is_there(request)
        return None if may(token.role, path) else failure(403, f"a token of the role {token.role} is not for this")

    def check(self, request: Request, secret: str) -> Token | None:
        """Return whose token ``secret`` is; None for nobody's, and for an address that has to wait."""
        address = address_of(request.scope)
        request.state.wait_s = self.failures.wait_s(address, secret)
        if self._tokens is None or request.state.wait_s:
            return None
        token = self._tokens.find(secret)
        self.failures.note(address, secret, right=token is not None)
        return token


def secret_of(request: Request) -> str | None:
    """Return the token that comes with a request: as a bearer's, or in the cookie of a browser."""
    given = request.headers.get("authorization")
    if given is None:
        return request.cookies.get(COOKIE)
    scheme, _, secret = given.partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""


def _who_is_there(request: Request) -> Response:
    wait_s = getattr(request.state, "wait_s", 0)
    if wait_s:
        return failure(429, "too many wrong tokens; wait", Retry_After=str(wait_s))
    path = request.scope["path"]
    if path in PAGES and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
        query = request.scope["query_string"].decode("latin-1")
        asked = quote(path + ("?" + query if query else ""), safe="")
        return RedirectResponse(f"/login?next={asked}", status_code=303)
    return failure(401, "a token is needed: Authorization: Bearer ..., or /login", WWW_Authenticate="Bearer")


async def _send_secured(scope: Scope, send: Send, message: Message) -> None:
    if message["type"] == "http.response.start":
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers.setdefault(name, value)
        # What is no file of the page is figures, or about a person: no cache on the way keeps it.
        headers.setdefault("Cache-Control", "no-cache" if scope["path"].startswith("/static/") else "no-store")
        if scope["scheme"] == "https":
            headers.setdefault("Strict-Transport-Security", HTTPS_ONLY)
    await send(message)
