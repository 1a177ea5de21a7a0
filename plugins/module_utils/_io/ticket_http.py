# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A thin client of a ticket system's REST API: JSON in and out, bounded waiting, one try. The next stage tells what could not be told."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

CONNECT_S = 5.0
LONGEST = 300  # characters of a system's reasons in a message
SENDS_BODY = ("POST", "PATCH", "PUT")


class TicketError(ChangeError):
    """A ticket system that did not answer, or not as it should. No message holds the token. ``status``: of HTTP, 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class TicketApi:
    """One system, with one account: a user and its password or token, or a bearer token alone."""

    def __init__(self, url: str, *, token_file: Path, user: str | None, timeout_s: float, ca_path: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise TicketError("url is not http(s)://host without a user. Correct it in change_ticket")
        self.url, self._timeout = url.rstrip("/"), (CONNECT_S, timeout_s)
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            raise TicketError(f"the token file {token_file} cannot be read. Give one that who runs Ansible may read") from exc
        basic = base64.b64encode(f"{user}:{token}".encode()).decode()
        self._authorization = f"Basic {basic}" if user else f"Bearer {token}"
        self._session = self._open(ca_path)

    def _open(self, ca_path: str | None) -> Any:
        try:
            import requests
        except ImportError as exc:
            raise TicketError("the Python package requests is missing on the controller: pip install requests") from exc
        session = requests.Session()
        session.auth = self._sign  # an auth of one's own keeps .netrc from replacing the token
        session.headers["Accept"] = "application/json"
        session.verify = ca_path or True
        return session

    def _sign(self, request: Any) -> Any:
        request.headers["Authorization"] = self._authorization
        return request

    def ask(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Mapping[str, Any] | None = None) -> Any:
        """The JSON of an answer, None when it is empty; TicketError for anything but 2xx."""
        import requests

        try:
            answer = self._session.request(method, self.url + path, params=query, json=body, timeout=self._timeout, allow_redirects=False)
        except requests.RequestException as exc:
            raise TicketError(f"{self.url} gave no answer ({type(exc).__name__})") from None
        try:
            document = answer.json() if answer.content else None
        except ValueError:
            document = None
        if not 200 <= answer.status_code < 300:
            raise TicketError(f"{method} {path} was answered with {answer.status_code}{_reason(document)}", status=answer.status_code)
        if answer.content and document is None:
            raise TicketError(f"{method} {path} was answered with something that is no JSON")
        return document


def _reason(document: Any) -> str:
    """What ServiceNow (error) and Jira (errorMessages, errors) say of a refusal."""
    if not isinstance(document, dict):
        return ""
    error = document.get("error")
    texts = [error.get("message"), error.get("detail")] if isinstance(error, dict) else []
    texts += list(document.get("errorMessages") or [])
    fields = document.get("errors")
    texts += [f"{key}: {text}" for key, text in fields.items()] if isinstance(fields, dict) else []
    said = "; ".join(str(text) for text in texts if text)[:LONGEST]
    return f": {said}" if said else ""
