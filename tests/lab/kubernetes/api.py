"""A few synchronous calls to the API server, as the lab's administrator."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

from tests.lab.site import LabError


class Api:
    """One connection, kept open. ``server`` may be the API server (with ``ca``) or the proxy."""

    def __init__(self, server: str, token: str, ca: str | None = None) -> None:
        address = urlsplit(server)
        host, port = address.hostname or "", address.port
        if address.scheme == "https":
            self.connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=30, context=ssl.create_default_context(cafile=ca)
            )
        else:
            self.connection = http.client.HTTPConnection(host, port, timeout=30)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def call(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> tuple[int, Any]:
        """Status and body; a body that is not JSON comes as text."""
        payload = None if body is None else json.dumps(body)
        try:
            self.connection.request(method, path, payload, {**self.headers, **({"Content-Type": content_type} if payload else {})})
            answer = self.connection.getresponse()
            text = answer.read().decode()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            raise
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def get(self, path: str) -> Any:
        return self.expect("GET", path)

    def expect(self, method: str, path: str, body: Any = None, *, content_type: str = "application/json") -> Any:
        status, answer = self.call(method, path, body, content_type=content_type)
        if status >= 400:
            raise LabError(f"{method} {path}: {status} {answer.get('message') if isinstance(answer, dict) else answer}")
        return answer

    def apply(self, path: str, manifest: dict[str, Any], *, manager: str = "lab") -> Any:
        """Server-side apply of one object; ``path`` is that of its collection."""
        url = f"{path}/{manifest['metadata']['name']}?fieldManager={manager}&force=true"
        return self.expect("PATCH", url, manifest, content_type="application/apply-patch+yaml")
