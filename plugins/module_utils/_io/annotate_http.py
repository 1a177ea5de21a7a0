# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The HTTP of those who are told of changes: bounded waiting, one try, no proxy and no redirect. No message holds a token."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide

CONNECT_S = 5.0
LONGEST = 200  # characters of a server's reason in a message


class AnnotateError(ChangeError):
    """Somebody could not be told of a change."""


class Web:
    """One server, with a bearer token from a file, or with a user whose password the file holds."""

    def __init__(self, url: str, *, token_file: str | None, user: str | None, ca_path: str | None, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
            raise AnnotateError("the address is not http(s)://host[:port][/path] without a user. Correct url")
        try:
            import requests
        except ImportError as exc:
            raise AnnotateError("the Python package requests is missing on the controller: pip install requests") from exc
        self.url, self._timeout = url.rstrip("/"), (CONNECT_S, timeout_s)
        self._session = requests.Session()
        self._session.trust_env = False  # a .netrc must not replace the token, nor a proxy of the operator's shell answer
        self._session.verify = ca_path or True
        secret = _secret(token_file) if token_file else ""
        self._secrets = [secret] if secret else []
        if user:
            self._session.auth = (user, secret)
        elif secret:
            self._session.headers["Authorization"] = f"Bearer {secret}"

    def ask(self, method: str, path: str, *, query: Any = None, body: Mapping[str, Any] | None = None, text: str | None = None) -> Any:
        """The JSON of the answer, None when there is none; AnnotateError for anything but 2xx."""
        import requests

        sent: dict[str, Any] = {"json": body} if text is None else {"data": text.encode(), "headers": {"Content-Type": "text/plain"}}
        try:
            answer = self._session.request(
                method, self.url + path, params=query, timeout=self._timeout, allow_redirects=False, **(sent if method != "GET" else {})
            )
        except requests.RequestException as exc:
            raise AnnotateError(f"{self.url} gave no answer ({type(exc).__name__}). Check the address, and that it runs") from None
        try:
            document = answer.json() if answer.content else None
        except ValueError:
            document = None
        if not 200 <= answer.status_code < 300:
            raise AnnotateError(
                f"{method} {path} was answered with {answer.status_code}{self._reason(document)}. Check the token and its rights"
            )
        if answer.content and document is None:
            raise AnnotateError(f"{method} {path} was answered with something that is no JSON. Check the address")
        return document

    def _reason(self, document: Any) -> str:
        """What the server said of a refusal, without what it was told."""
        said = (document.get("message") or document.get("error")) if isinstance(document, dict) else None
        return f": {hide(said, self._secrets)[:LONGEST]}" if isinstance(said, str) and said else ""


def _secret(path: str) -> str:
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise AnnotateError(f"the token file {path} cannot be read ({type(exc).__name__}). Name a file that this user may read") from None
    if not secret or not secret.isprintable() or not secret.isascii():
        raise AnnotateError(f"the token file {path} holds no token. Write the token alone into it")
    return secret
