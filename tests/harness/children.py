"""Commands for child processes that behave well and badly, for the tests of what starts and ends them."""

import sys

SLEEPER = (sys.executable, "-c", "import time; time.sleep(120)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)",
)
FAILING = (sys.executable, "-c", "import sys, time; time.sleep(1); print('no such queue: sales'); sys.exit(3)")
# Starts a child of its own, as a worker that forks would.
PARENT = (sys.executable, "-c", f"import subprocess; subprocess.run({list(SLEEPER)!r})")
BOARD = (
    sys.executable,
    "-c",
    """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Board(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()
    def log_message(self, *args): pass
print(os.environ["CALLWATCH_KAFKA"], os.environ["CALLWATCH_REDIS"], flush=True)
HTTPServer(("127.0.0.1", int(os.environ["CALLWATCH_PORT"])), Board).serve_forever()
""",
)
