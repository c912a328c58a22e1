"""What stands at the end of Alertmanager's wire: keeps every message that it is sent."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from agents.embedded.local import LOOPBACK


class Message(msgspec.Struct, frozen=True):
    """One message: when it came (``time.monotonic``), the receiver it was for, and what it said."""

    at: float
    receiver: str
    body: dict[str, Any]

    def alerts(self, status: str) -> dict[str, dict[str, Any]]:
        """Return the alerts of a status, by name."""
        return {each["labels"]["alertname"]: each for each in self.body["alerts"] if each["status"] == status}


class Receiver:
    """An HTTP server on loopback, in a thread of its own."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                messages.append(Message(time.monotonic(), self.path.strip("/"), body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- named so by the base class
                """Stay quiet."""

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Return the address to post to."""
        return f"http://{LOOPBACK}:{self._server.server_port}"

    def pages(self, since: float = 0.0) -> list[Message]:
        """Return the pages that came after ``since``."""
        return [message for message in self.messages if message.receiver == "pages" and message.at > since]

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
