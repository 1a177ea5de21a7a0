# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The HTTP of those who are told of a change, such as ticket systems and Grafana: bounded waiting, one try, no redirect. What could not be
told is told by the next stage. No message holds a token."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide

CONNECT_S = 5.0
LONGEST = 300  # characters of a server's reasons in a message


class ToldError(ChangeError):
    """Somebody could not be told of a change. ``status``: of HTTP, 0 without an answer."""

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class JsonApi:
    """One server, with one account: a user and the password or token that a file holds, or the file's bearer token alone."""

    def __init__(self, url: str, *, token_file: str | None, user: str | None, ca_path: str | None, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise ToldError("the address is not http(s)://host[:port][/path] without a user. Correct url")
        self.url, self._timeout = url.rstrip("/"), (CONNECT_S, timeout_s)
        self._secret = _secret(token_file) if token_file else ""
        basic = base64.b64encode(f"{user}:{self._secret}".encode()).decode()
        self._authorization = f"Basic {basic}" if user else f"Bearer {self._secret}" if self._secret else ""
        self._session = self._open(ca_path)

    def _open(self, ca_path: str | None) -> Any:
        try:
            import requests
        except ImportError as exc:
            raise ToldError("the Python package requests is missing on the controller: pip install requests") from exc
        session = requests.Session()
        session.auth = self._sign  # an auth of one's own keeps .netrc from replacing the token
        session.headers["Accept"] = "application/json"
        session.verify = ca_path or True
        return session

    def _sign(self, request: Any) -> Any:
        if self._authorization:
            request.headers["Authorization"] = self._authorization
        return request

    def ask(self, method: str, path: str, *, query: Any = None, body: Mapping[str, Any] | None = None, text: str | None = None) -> Any:
        """Sends JSON, or text as it is. The JSON of the answer, None when it is empty; ToldError for anything but 2xx."""
        import requests

        sent: dict[str, Any] = {"json": body} if text is None else {"data": text.encode(), "headers": {"Content-Type": "text/plain"}}
        try:
            answer = self._session.request(method, self.url + path, params=query, timeout=self._timeout, allow_redirects=False, **sent)
        except requests.RequestException as exc:
            raise ToldError(f"{self.url} gave no answer ({type(exc).__name__}). Check the address, and that it runs") from None
        try:
            document = answer.json() if answer.content else None
        except ValueError:
            document = None
        if not 200 <= answer.status_code < 300:
            said = hide(reasons(document), [self._secret] if self._secret else [])[:LONGEST]
            raise ToldError(f"{method} {path} was answered with {answer.status_code}{said}", status=answer.status_code)
        if answer.content and document is None:
            raise ToldError(f"{method} {path} was answered with something that is no JSON. Check the address")
        return document


def reasons(document: Any) -> str:
    """What ServiceNow (error), Jira (errorMessages, errors), Grafana (message) and the Pushgateway (error) say of a refusal."""
    if not isinstance(document, dict):
        return ""
    error, fields = document.get("error"), document.get("errors")
    texts = [document.get("message"), *((error.get("message"), error.get("detail")) if isinstance(error, dict) else (error,))]
    texts += document.get("errorMessages") or []
    texts += [f"{key}: {text}" for key, text in fields.items()] if isinstance(fields, dict) else []
    said = "; ".join(str(text) for text in texts if text)
    return f": {said}" if said else ""


def _secret(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ToldError(f"the token file {path} cannot be read ({type(exc).__name__}). Name a file that this user may read") from None
    if not secret or not secret.isprintable() or not secret.isascii():
        raise ToldError(f"the token file {path} holds no token. Write the token alone into it")
    return secret
