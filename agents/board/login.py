"""A browser shows its token once, in a form, and has it in a cookie from then on; no address ever holds it.

The cookie holds the token itself: any copy of the board knows it, and who is taken out of the file is out.
"""

import asyncio
from html import escape
from typing import Final
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from agents.board.guard import COOKIE, LARGEST_BODY, PAGES, Guard, failure
from config.tokens import Token

#: A screen on the wall logs in twice a year.
REMEMBER_S: Final = 180 * 24 * 3600

#: A form arrives within this, in seconds.
ARRIVES_S: Final = 5.0

_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>callwatch: log in</title>"
    '<meta name=viewport content="width=device-width"><link rel=stylesheet href="/static/docs.css">'
    "<h1>callwatch</h1>{said}"
    '<form method=post action="/login"><input type=hidden name=next value="{to}">'
    "<p><label>Token <input type=password name=token autocomplete=current-password required autofocus size=52></label>"
    "<p><button>Log in</button></form>"
)


class Login:
    """The form, and what becomes of it."""

    def __init__(self) -> None:
        #: What stands before the routes; without tokens nobody has to log in.
        self.guard: Guard | None = None

    async def login(self, request: Request) -> Response:
        """Show the form; take it; give the cookie."""
        if self.guard is None or not self.guard.asks:
            return RedirectResponse("/", status_code=303)
        if request.method != "POST":
            return _form(destination(request.query_params.get("next", "/")))
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return failure(403, "log in on the board's own page")
        fields = await _fields(request)
        if isinstance(fields, Response):
            return fields
        to, secret = destination(fields.get("next", "/")), fields.get("token", "").strip()
        token = self.guard.check(request, secret) if secret else None
        if token is None or token.role == "metrics":
            return self._refused(request, to, token)
        answer = RedirectResponse(to, status_code=303)
        secure = request.scope["scheme"] == "https"
        answer.set_cookie(COOKIE, secret, max_age=REMEMBER_S, path="/", httponly=True, samesite="strict", secure=secure)
        return answer

    @staticmethod
    def _refused(request: Request, to: str, token: Token | None) -> Response:
        wait_s = getattr(request.state, "wait_s", 0)
        if wait_s:
            answer = _form(to, f"Too many wrong tokens: try again in {wait_s} s.", 429)
            answer.headers["Retry-After"] = str(wait_s)
            return answer
        if token is not None:
            return _form(to, "That token is for Prometheus: it opens /metrics alone.", 403)
        return _form(to, "That token is not known.", 401)

    async def logout(self, _request: Request) -> Response:
        """Take the cookie back."""
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return answer


def destination(asked: str) -> str:
    """Return the page of this board that was asked for, written anew; the wallboard where it is no page of it."""
    try:
        parts = urlsplit(asked)
    except ValueError:
        return "/"
    if parts.scheme or parts.netloc or parts.path not in PAGES:
        return "/"
    query = urlencode(parse_qsl(parts.query), safe=",")
    return parts.path + ("?" + query if query else "")


def _form(to: str, said: str = "", status: int = 200) -> HTMLResponse:
    shown = f"<p role=alert>{escape(said)}" if said else "<p>This board asks for a token."
    return HTMLResponse(_PAGE.format(said=shown, to=escape(to, quote=True)), status_code=status)


async def _fields(request: Request) -> dict[str, str] | Response:
    """Return the fields of a form, or what is said to one that is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return failure(415, "a form is application/x-www-form-urlencoded")
    body = b""
    try:
        async with asyncio.timeout(ARRIVES_S):
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST_BODY:
                    return failure(413, f"a request has at most {LARGEST_BODY} bytes")
        found = parse_qs(body.decode("ascii"), max_num_fields=10)
    except (TimeoutError, ClientDisconnect):
        return failure(408, "the form did not arrive in time")
    except ValueError:
        return failure(400, "that is no form")
    return {name: values[0] for name, values in found.items()}
