"""The proxy in front of the API server: current API versions, addresses that answer, and a count of writes per caller.

It has no credentials: each request goes on with its caller's own, and one without a token is anonymous. Under
``/lab/writes`` it tells who wrote what (requests that were accepted and were not a dry run).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from tests.lab.kubernetes.translation import Route, Translator, with_protocols

HOP = {"transfer-encoding", "connection", "content-length", "content-encoding", "host", "accept-encoding", "date", "keep-alive", "upgrade"}
MUTATING = ("POST", "PUT", "PATCH", "DELETE")
QUESTIONS = ("/apis/authorization.k8s.io/", "/apis/authentication.k8s.io/")  # reviews are asked by POST and change nothing
LARGEST = 16 << 20


class Writes:
    """Accepted mutating requests, by caller. The paths of the last ones help to say which write was one too many."""

    def __init__(self, users: dict[str, str]) -> None:
        self.by_token = {token: user for user, token in users.items()}
        self.callers: dict[str, dict[str, Any]] = {}

    def count(self, request: web.Request, body: bytes, status: int) -> None:
        if request.method not in MUTATING or status >= 400 or request.path.startswith(QUESTIONS) or dry_run(request, body):
            return
        seen = self.callers.setdefault(self.caller(request), {"total": 0, "methods": {}, "last": []})
        seen["total"] += 1
        seen["methods"][request.method] = seen["methods"].get(request.method, 0) + 1
        seen["last"] = [*seen["last"][-99:], f"{request.method} {request.path}"]

    def caller(self, request: web.Request) -> str:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not token:
            return "system:anonymous"
        return self.by_token.get(token) or service_account(token) or "unknown"

    def document(self) -> dict[str, Any]:
        return {"total": sum(c["total"] for c in self.callers.values()), "callers": self.callers}


def service_account(token: str) -> str | None:
    """Whose token this says to be. For counting only: the server is who verifies it."""
    try:
        claims = token.split(".")[1]
        return str(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["sub"])
    except (ValueError, KeyError, IndexError):
        return None


def dry_run(request: web.Request, body: bytes) -> bool:
    """Dry run is asked in the query, or in the body's options (of a delete, an eviction)."""
    if "dryRun" in request.query:
        return True
    if b"dryRun" not in body:
        return False
    document = parsed(body)
    options = document.get("deleteOptions") if document.get("kind") == "Eviction" else document if request.method == "DELETE" else None
    return bool((options or {}).get("dryRun"))


def parsed(body: bytes) -> Any:
    """A body in JSON or YAML (server-side apply may send either)."""
    try:
        return json.loads(body)
    except ValueError:
        return yaml.load(body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


class Proxy:
    def __init__(self, server: str, translator: Translator, writes: Writes) -> None:
        self.server, self.translator, self.writes = server, translator, writes
        self.session: aiohttp.ClientSession

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/lab/writes":
            return web.json_response(self.writes.document())
        headers = {k: v for k, v in request.headers.items() if k.lower() not in HOP}
        if request.path.startswith("/api"):
            headers["Accept"] = plain_json(headers.get("Accept", ""))
        try:
            if request.method == "GET" and self.translator.in_discovery(request.path):
                return await self.discovery(request, headers)
            return await self.forward(request, headers)
        except aiohttp.ClientConnectionError as exc:
            return refusal(503, "ServiceUnavailable", f"the lab's API server does not answer: {exc}")

    # -- discovery ---------------------------------------------------------------------------------------------------------
    async def discovery(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        status, document = await self.ask(request.path, headers)
        if len(parts) < 3:
            return web.json_response(self.translator.add_versions(document) if status == 200 else document, status=status)
        group, version = parts[1:]
        old_status, old = await self.ask(f"/apis/{group}/{self.translator.rules[group, version].old}", headers)
        if old_status != 200:
            return web.json_response(old, status=old_status)
        return web.json_response(self.translator.add_resources(group, version, document if status == 200 else None, old))

    async def ask(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        async with self.session.get(self.server + path, headers=headers) as answer:
            return answer.status, json.loads(await answer.read() or b"{}") if "json" in answer.content_type else {
                "message": await answer.text()
            }

    # -- everything else -----------------------------------------------------------------------------------------------------
    async def forward(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        route = self.translator.route(request.path)
        given = body = await request.read()
        if route.kind and body:
            if "json" not in request.content_type and "yaml" not in request.content_type:
                return refusal(
                    415, "UnsupportedMediaType", f"the lab translates {route.kind} from JSON or YAML, not {request.content_type}"
                )
            body = json.dumps(self.translator.body(parsed(body), route, up=False)).encode()
        elif self.translator.completes(request.content_type):
            body = json.dumps(with_protocols(parsed(body))).encode()
        raw_path, _dummy, query = request.raw_path.partition("?")
        path = route.path if route.rule else raw_path
        url = URL(self.server + path + (f"?{query}" if query else ""), encoded=True)
        async with self.session.request(request.method, url, headers=headers, data=body or None, allow_redirects=False) as answer:
            self.writes.count(request, given, answer.status)
            return await self.reply(request, route, answer)

    async def reply(self, request: web.Request, route: Route, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {k: v for k, v in answer.headers.items() if k.lower() not in HOP}
        watching = request.query.get("watch") in ("1", "true") and answer.status == 200
        if route.kind and not watching and "json" in answer.content_type:
            document = self.translator.body(json.loads(await answer.read()), route, up=True)
            return web.Response(body=json.dumps(document).encode(), status=answer.status, headers=headers)
        out = web.StreamResponse(status=answer.status, headers=headers)
        await out.prepare(request)
        async for chunk in self.events(route, answer) if watching and route.kind else answer.content.iter_any():
            await out.write(chunk)
        await out.write_eof()
        return out

    async def events(self, route: Route, answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        async for line in lines(answer.content):
            event = json.loads(line)
            event["object"] = self.translator.body(event["object"], route, up=True)
            yield json.dumps(event).encode() + b"\n"


def plain_json(accept: str) -> str:
    """JSON alone: bodies are translated, and aggregated discovery would name only what the server knows."""
    return ",".join(part for part in accept.split(",") if "json" in part and "APIGroupDiscovery" not in part) or "application/json"


def refusal(code: int, reason: str, message: str) -> web.Response:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message}
    return web.json_response(status, status=code)


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: an event holds a whole object, and the reader's own readline ends at 64 KiB."""
    parts: list[bytes] = []
    async for chunk in stream.iter_any():
        *whole, rest = chunk.split(b"\n")
        for end in whole:
            yield b"".join((*parts, end))
            parts = []
        if rest:
            parts.append(rest)


async def serve(args: argparse.Namespace) -> None:
    users = json.loads(args.users.read_text())
    proxy = Proxy(args.server, Translator(args.minor), Writes(users))
    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=args.ca), limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None)) as proxy.session:
        app = web.Application(client_max_size=LARGEST)
        app.router.add_route("*", "/{path:.*}", proxy.handle)
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", args.port).start()
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", required=True)
    parser.add_argument("--ca", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--minor", type=int, required=True, help="the server is Kubernetes 1.MINOR")
    parser.add_argument("--users", type=Path, required=True, help="a file of users and their tokens, to count writes by name")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
