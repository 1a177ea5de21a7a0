"""The kubelet's side of the API: a few calls, and a watch that never ends."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.lab.kubernetes.api_translator import lines

Json = dict[str, Any]
MERGE = {"Content-Type": "application/merge-patch+json"}


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


class NodeApi:
    """Calls with the kubelet's token, straight to the API server."""

    def __init__(self, kubeconfig: Path) -> None:
        config = json.loads(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self.server = cluster["server"]
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=cluster["certificate-authority"]), limit=0)
        headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self.session = aiohttp.ClientSession(
            connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=None, sock_connect=5)
        )

    async def call(self, method: str, path: str, body: Json | None = None, *, headers: dict[str, str] | None = None) -> tuple[int, Json]:
        data = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json", **(headers or {})} if data else {}
        async with self.session.request(
            method, self.server + path, data=data, headers=sent, timeout=aiohttp.ClientTimeout(total=30)
        ) as answer:
            text = await answer.read()
            return answer.status, json.loads(text) if "json" in answer.content_type else {"message": text.decode()}

    async def patch(self, path: str, body: Json) -> int:
        """A merge patch; 404 and 409 (gone, or another object of the same name) are for the caller to read."""
        status, answer = await self.call("PATCH", path, body, headers=MERGE)
        if status >= 400 and status not in (404, 409):
            raise aiohttp.ClientError(f"PATCH {path}: {status} {answer.get('message')}")
        return status

    async def data(self, kind: str, namespace: str, name: str) -> dict[str, str] | None:
        """The data of a Secret or ConfigMap as text, None when there is none."""
        status, answer = await self.call("GET", f"/api/v1/namespaces/{namespace}/{kind}s/{name}")
        if status == 404:
            return None
        if status != 200:
            raise aiohttp.ClientError(f"{kind} {namespace}/{name}: {status} {answer.get('message')}")
        found = answer.get("data") or {}
        return {k: base64.b64decode(v).decode("utf-8", "surrogateescape") for k, v in found.items()} if kind == "secret" else found

    async def list(self, url: str) -> Json:
        status, listed = await self.call("GET", url)
        if status != 200:
            raise aiohttp.ClientError(f"list {url}: {status} {listed.get('message')}")
        return listed

    async def watch(self, path: str, selector: str) -> AsyncIterator[tuple[str, Any]]:
        """("LIST", all objects) first and after every gap, then one (type, object) for each change, for ever."""
        while True:
            try:
                listed = await self.list(f"{path}?{selector}")
                yield "LIST", listed["items"]
                async for event in self.changes(f"{path}?{selector}", listed["metadata"]["resourceVersion"]):
                    yield event
            except (aiohttp.ClientError, OSError, TimeoutError) as exc:
                say("watch:", repr(exc))
                await asyncio.sleep(0.5)

    async def changes(self, url: str, version: str) -> AsyncIterator[tuple[str, Json]]:
        """Changes after ``version``, over as many connections as it takes, until the server has forgotten it."""
        while True:
            following = f"{self.server}{url}&watch=1&allowWatchBookmarks=true&resourceVersion={version}"
            async with self.session.get(following) as answer:
                if answer.status != 200:
                    return
                async for line in lines(answer.content):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        return
                    version = event["object"]["metadata"]["resourceVersion"]
                    if event["type"] != "BOOKMARK":
                        yield event["type"], event["object"]
