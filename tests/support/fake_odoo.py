"""An Odoo that knows how to log a user in and nothing else, as slowly as it is told: for what is done around a canary.

Whether a canary is right is tested on real Odoo; this one is for the speed at which tests can be had.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import chosen

LOGIN, COMPANY = "change-canary", {"id": 5, "name": "Change canary"}
ACCOUNT = {"database": "acme", "login": LOGIN, "password": "a-pass-that-nobody-tells", "api_key": "a-key-that-nobody-tells"}


class Handler(BaseHTTPRequestHandler):
    """``took_s`` is set on the subclass of each server, and may be changed while it runs."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    took_s = 0.004
    draw = random.Random(1)

    def do_GET(self) -> None:
        version = json.dumps({"version_info": [19, 0]})
        self.reply(version if self.path == "/json/version" else '<input name="login">')

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reply(json.dumps(self.answer(self.path)))

    def answer(self, path: str) -> Any:
        if path.endswith("/authenticate"):
            return {"result": {"uid": 7, "user_companies": {"allowed_companies": {"5": COMPANY}}}}
        if path.endswith("/res.users/read"):
            time.sleep(self.took_s * math.exp(self.draw.gauss(0, 0.15)))
            return {"result": [{"id": 7, "login": LOGIN, "company_id": [5, "Change canary"]}]}
        if path.startswith("/web/"):
            return {"result": {}}
        return [{"name": "base", "state": "installed"}] if "ir.module.module" in path else []

    def reply(self, body: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_args: Any) -> None:
        """Says nothing."""


@contextmanager
def serving(took_s: float) -> Iterator[str]:
    """The address of an Odoo whose logins take so long."""
    handler = type("Paced", (Handler,), {"took_s": took_s})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def canary(old: str, new: str, **more: Any) -> dict[str, Any]:
    """The options of a canary that logs in on both."""
    sides = {"baseline": {"url": old}, "canary": {"url": new}}
    return {
        "tenant": "acme",
        "change": "CHG-2026-0142",
        **ACCOUNT,
        **sides,
        "transactions": ["login"],
        "definitions": chosen(["login"]),
        **more,
    }
