"""The network that can break breaks as it is told to."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest

from agents.embedded.local import LOOPBACK
from tests.harness.proxy import Proxy


class Echo:
    """Answers what it is told, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while data := connection.recv(100):
                self.heard += data
                connection.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    proxy = Proxy(echo.port)
    yield proxy
    proxy.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection((LOOPBACK, proxy.port), timeout=0.3) as client:
        client.sendall(b"1")
        assert client.recv(1) == b"1"
        yield client


def test_what_is_held_arrives_when_healed(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    proxy.hold()
    client.sendall(b"2")
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert echo.heard == b"1"
    proxy.heal()
    assert client.recv(1) == b"2"


def test_half_open_requests_arrive_and_answers_do_not(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    proxy.hold(answers_only=True)
    client.sendall(b"2")
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert echo.heard == b"12"


def test_a_cut_resets_connections_and_refuses_new_ones(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(OSError, match="reset"), socket.create_connection((LOOPBACK, proxy.port)) as other:
        other.recv(1)
    proxy.heal()
    with socket.create_connection((LOOPBACK, proxy.port), timeout=1) as other:
        other.sendall(b"2")
        assert other.recv(1) == b"2"


def test_it_leads_elsewhere_when_told(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    elsewhere = Echo()
    proxy.lead_to(elsewhere.port)
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with socket.create_connection((LOOPBACK, proxy.port), timeout=1) as other:
        other.sendall(b"2")
        assert other.recv(1) == b"2"
    assert (echo.heard, elsewhere.heard) == (b"1", b"2")
    elsewhere.close()


def test_a_slow_network_delivers_late(proxy: Proxy, client: socket.socket) -> None:
    proxy.delay(0.2)
    client.sendall(b"2")
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert client.recv(1) == b"2"
