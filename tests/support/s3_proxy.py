"""A proxy before a real object store that does to answers what a storm says. It counts what is asked, and knows what came through whole."""

from __future__ import annotations

import hashlib
import http.client
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

PAGE = 7
"""So many entries has a page of a listing, so that a small bucket has several."""
HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Request:
    """``nth``: how often the same was asked before; ``count``: how much was asked before in all."""

    method: str
    path: str
    query: str
    nth: int
    count: int

    @property
    def is_listing(self) -> bool:
        """Of objects or versions, and not a question about the bucket."""
        asked = {name for name, _value in parse_qsl(self.query, keep_blank_values=True)}
        return self.method == "GET" and self.path.strip("/").count("/") == 0 and bool(asked & {"versions", "list-type"})

    @property
    def key(self) -> str:
        """Of an object that is read, else nothing."""
        return self.path.strip("/").partition("/")[2] if self.method == "GET" else ""


@dataclass(frozen=True)
class Answer:
    """``cut``: the connection is closed after so many bytes of the body; -1: before the answer begins."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: int | None = None


Storm = Callable[[Request, Callable[[], Answer]], Answer]
"""Answers a request, and may ask the store for its answer."""


def calm(_request: Request, ask: Callable[[], Answer]) -> Answer:
    return ask()


class Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, facts: Mapping[str, Any]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.facts, self.context = facts, ssl.create_default_context(cafile=facts["ca"])
        self.storm: Storm = calm
        self.lock, self.upstream = threading.Lock(), threading.local()
        self.begin(calm)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def begin(self, storm: Storm) -> None:
        """From here on, and with nothing counted."""
        with self.lock:
            self.storm, self.asked, self.delivered = storm, Counter[tuple[str, str, str]](), set[tuple[str, str]]()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Connections that the other side closed."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def counted(self, method: str, path: str, query: str) -> Request:
        """Where a listing has pages, each is another request."""
        with self.lock:
            nth, count = self.asked[method, path, query], self.asked.total()
            self.asked[method, path, query] += 1
        return Request(method, path, query, nth, count)

    def ask(self, request: Request, headers: Mapping[str, str], body: bytes) -> Answer:
        target, sent = f"{request.path}{f'?{request.query}' if request.query else ''}", dict(headers)
        if request.is_listing:
            target, sent = self.signed_page(request)
        connection = self.connection()
        connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if name.lower() not in {"connection", "transfer-encoding", "content-length", "expect"}:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        told = {name: value for name, value in response.getheaders() if name.lower() not in HOP}
        size = response.headers.get("Content-Length")
        if request.method == "HEAD" and size is not None:
            told["Content-Length"] = size
        return Answer(response.status, told, response.read())

    def connection(self) -> http.client.HTTPSConnection:
        if not hasattr(self.upstream, "connection"):
            host, _colon, port = self.facts["host"].partition(":")
            self.upstream.connection = http.client.HTTPSConnection(host, int(port), context=self.context, timeout=20)
        found: http.client.HTTPSConnection = self.upstream.connection
        return found

    def signed_page(self, request: Request) -> tuple[str, dict[str, str]]:
        """The same listing in small pages, signed anew by the admin, because the query is part of what was signed."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        asked = {**dict(parse_qsl(request.query, keep_blank_values=True)), "max-keys": str(PAGE)}
        url = f"{self.facts['endpoint']}{request.path}?{urlencode(asked, quote_via=quote)}"
        page = AWSRequest("GET", url, headers={"x-amz-content-sha256": hashlib.sha256(b"").hexdigest(), "Host": self.facts["host"]})
        keys = self.facts["admin"]
        S3SigV4Auth(Credentials(keys["access_key"], keys["secret_key"]), "s3", self.facts["region"]).add_auth(page)
        parts = urlsplit(page.prepare().url)
        return f"{parts.path}?{parts.query}", dict(page.headers.items())


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def log_message(self, *_words: Any) -> None:
        """Nothing."""

    def answer(self) -> None:
        body, parts = self.body(), urlsplit(self.path)
        request = self.server.counted(self.command, parts.path, parts.query)
        true: list[Answer] = []

        def ask() -> Answer:
            true.append(self.server.ask(request, dict(self.headers.items()), body))
            return true[-1]

        answer = self.server.storm(request, ask)
        self.send(answer)
        whole = bool(true) and answer.cut is None and (answer.status, answer.body) == (true[-1].status, true[-1].body)
        if whole and request.key and answer.status == 200:
            with self.server.lock:
                self.server.delivered.add((request.key, hashlib.sha256(answer.body).hexdigest()))

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

    def body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def send(self, answer: Answer) -> None:
        if answer.cut == -1:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(b"" if self.command == "HEAD" else answer.body[: answer.cut])
        if answer.cut is not None:
            self.close_connection = True


def refusal(status: int, code: str) -> Answer:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>a storm</Message></Error>'
    return Answer(status, {"Content-Type": "application/xml"}, body.encode())


def with_header(answer: Answer, name: str, value: str | None) -> Answer:
    kept = {key: old for key, old in answer.headers.items() if key.lower() != name.lower()}
    return replace(answer, headers=kept if value is None else {**kept, name: value})
