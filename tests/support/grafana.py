"""A stand-in for Grafana's annotations on loopback: the part of its HTTP API that annotations of the organisation need.

Built from the documented contract, not from a running Grafana, which no package registry here has. It refuses what the real one refuses
(no token, no text), finds by all tags together, and keeps what is written.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "glsa_s3cret-of-annotations"


class Grafana:
    """``broken``: answer each request with this status, or with a page when it is 0."""

    def __init__(self) -> None:
        self.annotations: dict[int, dict[str, Any]] = {}
        self.writes: list[tuple[str, str, Any]] = []
        self.broken: int | None = None
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = server.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
                data = b"<html>" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Grafana:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, method: str, address: str, authorization: str, raw: bytes) -> tuple[int, Any]:
        parts, body = urlsplit(address), json.loads(raw) if raw else None
        if method != "GET":
            self.writes.append((method, parts.path, body))
        if self.broken is not None:
            return (self.broken, {"message": f"broken: {authorization}"}) if self.broken else (200, None)
        if authorization != f"Bearer {TOKEN}":
            return 401, {"message": "Invalid API key"}
        if method == "GET" and parts.path == "/api/annotations":
            return 200, self.find(parse_qs(parts.query))
        if method == "POST" and parts.path == "/api/annotations":
            return self.create(body)
        if method == "PATCH" and (match := re.fullmatch(r"/api/annotations/(\d+)", parts.path)):
            return self.patch(int(match[1]), body)
        return 404, {"message": "Not found"}

    def find(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        """The newest first, as Grafana sorts."""
        wanted = set(query.get("tags", []))
        found = [one for one in self.annotations.values() if wanted <= set(one["tags"])]
        return sorted(found, key=lambda one: -int(one["time"]))[: int(query.get("limit", ["100"])[0])]

    def create(self, body: Any) -> tuple[int, Any]:
        if not body.get("text"):
            return 400, {"message": "Failed to save annotation: text field should not be empty"}
        number = len(self.annotations) + 1
        one = {"dashboardId": 0, "panelId": 0, "tags": [], "time": 0, **body}
        self.annotations[number] = {"id": number, **one, "timeEnd": body.get("timeEnd", one["time"])}
        return 200, {"message": "Annotation added", "id": number}

    def patch(self, number: int, body: Any) -> tuple[int, Any]:
        if number not in self.annotations:
            return 404, {"message": "Annotation not found"}
        self.annotations[number].update({key: body[key] for key in ("text", "tags", "time", "timeEnd") if key in body})
        return 200, {"message": "Annotation patched"}
