"""Who is let in to what: every route without a token, with a wrong one, and with each role."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from starlette.routing import Mount, Route

from agents.board.guard import COOKIE, HEADERS, LARGEST_BODY, Failures, address_of
from agents.board.web import Door
from config.tokens import Tokens, make_token
from tests.unit.life import Stamp
from tests.unit.served import Served, served_life

MADE: Final = {role: make_token(role, role) for role in ("wallboard", "metrics", "admin")}
SECRET: Final = {role: secret for role, (secret, _) in MADE.items()}
DOOR: Final = Door(tokens=Tokens(tuple(token for _, token in MADE.values())))
#: Nothing of these says anything about the call center.
OPEN: Final = {"/healthz", "/readyz", "/login", "/logout"}
BRIEF: Final[Mapping[str, Any]] = {"/healthz": {"status": "ok"}}


def bearer(role: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRET[role]}"}


@pytest.fixture
async def served() -> Served:
    return await served_life(door=DOOR)


@pytest.fixture
async def client(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    async with served.client() as client:
        yield client


def paths(served: Served) -> list[str]:
    """Return an address under every route there is."""
    found = [route.path for route in served.board.routes() if isinstance(route, Route)]
    mounts = [route.path for route in served.board.routes() if isinstance(route, Mount)]
    assert mounts == ["/static"]
    return [*found, "/static/wallboard.js", "/static/", "/nothing", "/api/v1/nothing"]


async def status_of(client: httpx.AsyncClient, path: str, headers: Mapping[str, str]) -> int:
    if path != "/api/v1/stream":
        return (await client.get(path, headers=headers)).status_code
    # The stream has no end of its own.
    return (await client.head(path, headers=headers)).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {SECRET['admin']}"},
        {"Authorization": SECRET["admin"]},
        {"Authorization": "Bearer"},
        {"Cookie": f"{COOKIE}=wrong"},
        {"Cookie": f"session={SECRET['admin']}"},
        {"Authorization": "", "Cookie": f"{COOKIE}={SECRET['admin']}"},
    ],
)
async def test_every_route_gives_nothing_without_a_token(
    headers: dict[str, str], served: Served, client: httpx.AsyncClient
) -> None:
    for path in paths(served):
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            if path in OPEN:
                continue
            answer = await client.request(method, path, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
            if method != "HEAD":
                assert list(answer.json()) == ["error"]
    for path in ("/api/v1/queues", "/metrics"):
        assert (await client.get(path, params={"token": SECRET["admin"]}, headers=headers)).status_code == 401


async def test_what_is_open_tells_nothing_but_that_it_serves(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"ready": True}
    assert (await client.get("/healthz", headers=bearer("metrics"))).json() == {"status": "ok"}
    for role in ("wallboard", "admin"):
        assert (await client.get("/healthz", headers=bearer(role))).json() == {"status": "ok", "version": "1.2.3"}
        assert (await client.get("/readyz", headers=bearer(role))).json()["pipeline"]["lag_seconds"] is not None


async def test_each_role_gets_exactly_what_it_may(served: Served, client: httpx.AsyncClient) -> None:
    there = [path for path in paths(served) if path not in OPEN and not path.endswith(("nothing", "static/"))]
    for path in there:
        asked = path + ("?queue=sales" if path in ("/api/v1/trend", "/api/v1/weekday") else "")
        for role in MADE:
            expected = 200 if role == "admin" or (role == "metrics") == (path == "/metrics") else 403
            assert await status_of(client, asked, bearer(role)) == expected, (path, role)
            cookie = {"Cookie": f"{COOKIE}={SECRET[role]}"}
            assert await status_of(client, asked, cookie) == expected, (path, role)


@pytest.mark.parametrize("path", ["/metrics/", "//metrics", "/METRICS", "/x/../metrics", "/%6detrics", "/metrics%00"])
async def test_no_other_writing_of_a_path_gives_a_role_more(path: str, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"http://board{path}", headers=bearer("wallboard"))
    assert answer.status_code in (403, 404)
    assert "callcenter_" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../web.py", "/static/%2e%2e/web.py", "/static/..%2fweb.py", "/static/..%5cweb.py"),
        *("/static//etc/passwd", "/static/%2fetc/passwd", "/static/wallboard.js%00.css", "/static/vendor/", "/static"),
    ],
)
async def test_static_gives_no_other_file_and_no_list(path: str, client: httpx.AsyncClient) -> None:
    answer = await client.get(f"http://board{path}", headers=bearer("admin"))
    assert answer.status_code in (400, 404)
    assert answer.json() == {"error": "there is nothing here"} or answer.status_code == 400


async def test_a_browser_is_sent_to_log_in_and_back_to_the_page_it_asked_for(client: httpx.AsyncClient) -> None:
    sent = await client.get("/?window=5m&tv=1", headers={"Accept": "text/html,*/*"})
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2F%3Fwindow%3D5m%26tv%3D1")
    form = await client.get(sent.headers["location"])
    assert form.status_code == 200
    to = re.search(r'name=next value="([^"]*)"', form.text)
    assert to is not None
    fields = {"token": SECRET["wallboard"], "next": to[1].replace("&amp;", "&")}
    done = await client.post("/login", data=fields)
    assert (done.status_code, done.headers["location"]) == (303, "/?window=5m&tv=1")
    cookie = done.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Secure" not in cookie
    assert (await client.get("/api/v1/queues")).status_code == 200
    assert (await client.get("/metrics")).status_code == 403
    assert (await client.post("/logout")).status_code == 303
    assert (await client.get("/api/v1/queues")).status_code == 401


async def test_over_https_the_cookie_is_for_https_alone_and_so_is_the_site(served: Served) -> None:
    transport = httpx.ASGITransport(served.app)
    async with httpx.AsyncClient(transport=transport, base_url="https://board") as client:
        done = await client.post("/login", data={"token": SECRET["wallboard"]})
        assert "Secure" in done.headers["set-cookie"]
        assert done.headers["strict-transport-security"] == "max-age=31536000"
    async with served.client() as client:
        assert "strict-transport-security" not in (await client.get("/healthz")).headers


@pytest.mark.parametrize(
    "to",
    [
        *("//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", ""),
        *("/login", "/metrics", "/static/x", "/\r\nSet-Cookie: a=b", "/%0d%0aSet-Cookie:a=b", "http://[", "/..//evil"),
    ],
)
async def test_login_sends_nobody_elsewhere(to: str, client: httpx.AsyncClient) -> None:
    done = await client.post("/login", data={"token": SECRET["wallboard"], "next": to})
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert done.headers.get_list("set-cookie")[0].startswith(COOKIE)
    assert (await client.get(f"/login?next={quote(to)}")).text.count('value="/"') == 1


async def test_line_breaks_in_a_query_make_no_header(client: httpx.AsyncClient) -> None:
    for path in ("/?a=%0d%0aSet-Cookie:%20x=y", "/?%0d%0aLocation:%20//evil.example"):
        sent = await client.get(path, headers={"Accept": "text/html"})
        assert "set-cookie" not in sent.headers
        done = await client.post("/login", data={"token": SECRET["wallboard"], "next": "/?a=\r\nSet-Cookie: x=y"})
        assert done.headers["location"] == "/?a=Set-Cookie%3A+x%3Dy"
        assert len(done.headers.get_list("set-cookie")) == 1


@pytest.mark.parametrize(
    ("token", "status", "said"),
    [("wrong", 401, "not known"), ("", 401, "not known"), (SECRET["metrics"], 403, "opens /metrics alone")],
    ids=["wrong", "empty", "not for this"],
)
async def test_a_login_that_fails_says_why_and_gives_no_cookie(
    token: str, status: int, said: str, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/login", data={"token": token})
    assert (answer.status_code, "set-cookie" in answer.headers) == (status, False)
    assert said in answer.text
    assert not token or token not in answer.text


async def test_a_form_of_another_site_another_kind_or_another_size_is_refused(client: httpx.AsyncClient) -> None:
    right = {"token": SECRET["wallboard"]}
    assert (await client.post("/login", data=right, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
    assert (await client.post("/login", json=right)).status_code == 415
    assert (await client.post("/login", data={**right, "x": "x" * LARGEST_BODY})).status_code == 413

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000

    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/login", content=endless(), headers=form)).status_code == 413
    assert (await client.post("/login", content=b"a=" + b"&b=" * 50, headers=form)).status_code == 400
    assert (await client.post("/login", content=b"\xff\xfe", headers=form)).status_code == 400


async def test_without_tokens_nobody_logs_in_and_everybody_is_let_in() -> None:
    served = await served_life()
    async with served.client() as client:
        assert (await client.get("/login")).headers["location"] == "/"
        assert (await client.get("/metrics")).status_code == 200


async def test_who_guesses_has_to_wait_and_who_was_right_before_does_not(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/agents", headers=bearer("wallboard"))).status_code == 200
    wrong = [{"Authorization": f"Bearer guess-{number}"} for number in range(Failures.LIMIT + 5)]
    guesses = [await client.get("/metrics", headers=headers) for headers in wrong]
    assert [answer.status_code for answer in guesses] == [401] * Failures.LIMIT + [429] * 5
    assert 1 <= int(guesses[-1].headers["retry-after"]) <= 61
    # A right guess is no better than a wrong one now.
    assert (await client.get("/metrics", headers=bearer("metrics"))).status_code == 429
    late = await client.post("/login", data={"token": SECRET["admin"]})
    assert (late.status_code, "set-cookie" in late.headers) == (429, False)
    assert (await client.get("/api/v1/agents", headers=bearer("wallboard"))).status_code == 200


def test_failures_are_forgotten_after_a_while_and_never_many() -> None:
    clock = Stamp(0)
    failures = Failures(clock)
    for number in range(Failures.LIMIT):
        failures.note("10.0.0.1", f"guess-{number}", right=False)
    assert failures.wait_s("10.0.0.1", "another") == 61
    assert failures.wait_s("10.0.0.2", "another") == 0
    clock.at = 60
    assert failures.wait_s("10.0.0.1", "another") == 0
    for number in range(3 * Failures.ADDRESSES):
        failures.note(f"10.1.{number >> 8}.{number & 255}", "guess", right=False)
        failures.note("10.0.0.3", f"right-{number}", right=True)
    assert len(failures._wrong) == len(failures._right) == Failures.ADDRESSES


def test_a_screen_that_repeats_an_old_token_guesses_nothing() -> None:
    failures = Failures(Stamp(0))
    for _ in range(1_000):
        failures.note("10.0.0.1", "old", right=False)
    assert failures.wait_s("10.0.0.1", "new") == 0


@pytest.mark.parametrize(
    ("client", "address"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("unix", 0), "unix"),
        (None, ""),
    ],
)
def test_an_address_is_a_host_or_the_network_of_ipv6(client: tuple[str, int] | None, address: str) -> None:
    assert address_of({"type": "http", "client": client}) == address


@pytest.mark.parametrize("host", ["evil.test", "evil.test:80", "127.0.0.1.evil.test", "", "a b", "x\\y", "[::2]"])
async def test_a_board_is_not_read_under_a_name_that_is_not_its_own(host: str) -> None:
    served = await served_life(door=Door(hosts=("localhost", "127.0.0.1", "[::1]")))
    async with served.client() as client:
        for path in ("/", "/metrics", "/healthz", "/api/v1/queues"):
            answer = await client.get(path, headers={"Host": host})
            assert answer.status_code == 400
            assert not host or host not in answer.text
            assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8080", "127.0.0.1:1", "[::1]:8080"])
async def test_a_board_is_read_under_its_own_names(host: str) -> None:
    served = await served_life(door=Door(hosts=("localhost", "127.0.0.1", "[::1]")))
    async with served.client() as client:
        assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("length", ["1000000", "99999999999999999999", "-1", "x"])
async def test_a_request_that_is_too_large_is_refused_before_it_is_read(length: str, client: httpx.AsyncClient) -> None:
    headers = {**bearer("admin"), "Content-Length": length}
    assert (await client.get("/api/v1/queues", headers=headers)).status_code == 413


async def test_figures_are_kept_in_no_cache(client: httpx.AsyncClient) -> None:
    for path in ("/", "/api/v1/queues", "/metrics", "/docs"):
        assert (await client.get(path, headers=bearer("admin"))).headers["cache-control"] == "no-store"
    assert (await client.get("/static/wallboard.js", headers=bearer("admin"))).headers["cache-control"] == "no-cache"


async def test_what_breaks_is_500_and_says_nothing_of_it(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> None:
        raise RuntimeError("redis://user:secret@host")

    monkeypatch.setattr(type(served.follower), "health", broken)
    transport = httpx.ASGITransport(served.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://board", headers=bearer("admin")) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 500
    assert answer.json() == {"error": "something is wrong with the board; its log says what"}
    assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
