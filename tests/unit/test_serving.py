"""Where the board listens and to whom; and what it does with those who take their time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import httpx
import pytest

from agents.board import serving
from agents.board.serving import LOOPBACK_NAMES, door_of, is_loopback, server_of
from agents.board.web import Door
from config.errors import UsageError
from config.settings import Settings
from config.tokens import make_token
from tests.unit.served import Served, served_life


@asynccontextmanager
async def listening(served: Served, *trusted: str) -> AsyncIterator[int]:
    server = server_of(served.board, trusted, host="127.0.0.1", port=0)
    running = asyncio.create_task(server.serve())
    end = monotonic() + 10
    while not server.started:
        assert monotonic() < end
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await asyncio.wait_for(running, 5)


def tokens_file(directory: Path) -> Path:
    path = directory / "tokens"
    path.write_text(make_token("admin", "boss")[1].line + "\n")
    return path


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *((host, True) for host in ("127.0.0.1", "127.8.8.8", "::1", "localhost")),
        *((host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "localhost.evil.test", "127.0.0.1.test")),
    ],
)
def test_only_loopback_is_loopback(host: str, expected: bool) -> None:  # noqa: FBT001 -- a table's column
    assert is_loopback(host) is expected


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "callwatch.test"])
def test_a_board_that_others_can_reach_does_not_start_without_tokens(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        door_of(Settings(host=host))
    said = str(caught.value)
    assert said.startswith(f"CALLWATCH_HOST: {host} can be reached from elsewhere")
    assert "CALLWATCH_TOKENS_FILE" in said
    assert "CALLWATCH_GUARDED=yes" in said
    assert "\n" not in said


def test_a_board_that_others_can_reach_starts_with_tokens_or_behind_a_guard(tmp_path: Path) -> None:
    door = door_of(Settings(host="0.0.0.0", tokens_file=tokens_file(tmp_path)))
    assert (door.tokens is not None, door.hosts) == (True, None)
    door = door_of(Settings(host="0.0.0.0", guarded="yes", hosts=("wall.test",)))
    assert (door.tokens, door.hosts) == (None, ("wall.test", *LOOPBACK_NAMES, "0.0.0.0"))


def test_a_board_on_loopback_asks_nobody_and_goes_by_no_other_name(tmp_path: Path) -> None:
    door = door_of(Settings())
    assert (door.tokens, set(door.hosts or ())) == (None, {"localhost", "127.0.0.1", "[::1]"})
    assert "[::1]" in (door_of(Settings(host="::1")).hosts or ())
    assert door_of(Settings(tokens_file=tokens_file(tmp_path))).hosts is None


async def test_more_streams_than_allowed_are_told_to_come_back_and_one_that_ends_makes_room() -> None:
    served = await served_life(door=Door(streams=2))
    async with listening(served) as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        request = client.build_request("GET", "/api/v1/stream")
        first = [await client.send(request, stream=True) for _ in range(2)]
        assert [answer.status_code for answer in first] == [200, 200]
        full = await client.get("/api/v1/stream")
        assert (full.status_code, full.headers["retry-after"]) == (503, "10")
        assert full.json()["error"].startswith("2 streams are open")
        assert (await client.get("/api/v1/queues")).status_code == 200
        await first.pop().aclose()
        end = monotonic() + 5
        while len(served.board._streams) > 1:
            assert monotonic() < end
            await asyncio.sleep(0.05)
        again = await client.send(request, stream=True)
        assert again.status_code == 200
        for answer in (*first, again):
            await answer.aclose()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET /api/v1/queues HTTP/1.1\r\nHost: x\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /heal",
    ],
)
async def test_who_does_not_say_what_is_wanted_is_let_go(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "REQUEST_S", 0.3)
    served = await served_life()
    async with listening(served) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said)
        began = monotonic()
        async with asyncio.timeout(4):
            while await reader.read(65_536):
                pass
        assert 0.2 < monotonic() - began < 3
        writer.close()


async def test_a_byte_now_and_then_does_not_keep_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "REQUEST_S", 0.3)
    served = await served_life()
    async with listening(served) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = monotonic()
        for byte in b"GET /healthz HTTP/1.1\r\nHost: " + b"x" * 500:
            writer.write(bytes([byte]))
            if reader.at_eof() or monotonic() - began > 3:
                break
            await asyncio.sleep(0.02)
        assert monotonic() - began < 3
        writer.close()


async def test_a_head_without_end_is_refused() -> None:
    served = await served_life()
    async with listening(served) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 100_000)
        async with asyncio.timeout(4):
            answer = await reader.read(65_536)
        assert answer.startswith(b"HTTP/1.1 4")
        writer.close()


async def test_a_proxy_is_believed_only_where_it_is_trusted() -> None:
    served = await served_life()
    for trusted, secure in ((("127.0.0.1",), True), (("192.0.2.1",), False)):
        async with listening(served, *trusted) as port, httpx.AsyncClient() as client:
            answer = await client.get(f"http://127.0.0.1:{port}/healthz", headers={"X-Forwarded-Proto": "https"})
        assert ("strict-transport-security" in answer.headers) is secure
