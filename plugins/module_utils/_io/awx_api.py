# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A thin client of the AWX API: one token, JSON in and out, bounded waiting, pages followed.

Nothing that may have been done is sent twice unseen: a request that may be repeated is, and before a new object is asked
for again it is looked for. No message holds the token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide

API = "/api/v2/"
TRIES = 5
PAUSE_S = 0.3  # doubled each time
LONGEST_PAUSE_S = 10.0
PAGE = 200
MOST_PAGES = 100
PASSING = (429, 500, 502, 503, 504)
LONGEST = 1200  # characters of AWX's reasons in a message


class AwxError(ChangeError):
    """``status`` is the HTTP status, 0 when no answer came."""

    def __init__(self, message: str, *, status: int = 0, code: str = "AWX_UNREACHABLE") -> None:
        super().__init__(message, code=code)
        self.status = status
        self.code = code

    @property
    def passing(self) -> bool:
        return self.status in (0, *PASSING)


class Awx:
    """One AWX, seen with one token."""

    def __init__(self, url: str, token: str, *, timeout_s: float = 30.0, ca_path: str | None = None) -> None:
        self.url = checked_url(url)
        self.token = token
        self.hidden = [token]  # what no message may hold; whoever sends secrets adds them
        self.timeout_s = timeout_s
        self.requests = 0
        self.writes = 0
        self.ca_path = ca_path
        self._session = self._open()

    def _open(self) -> Any:
        try:
            import requests
        except ImportError as exc:
            raise AwxError("the Python package requests is missing on the controller: pip install requests", code="NO_CLIENT") from exc
        session = requests.Session()
        session.auth = self._sign  # an auth of one's own keeps .netrc from replacing the token
        session.headers["Accept"] = "application/json"
        if self.ca_path:
            session.verify = self.ca_path
        return session

    def _sign(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    # -- reading ---------------------------------------------------------------------------------------------------------
    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._repeated("GET", path, query=query)

    def all(self, path: str, query: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The results of all pages."""
        found: list[dict[str, Any]] = []
        page = self.get(path, {"page_size": PAGE, **(query or {})})
        for _page in range(MOST_PAGES):
            found += _results(page, path, self.url)
            following = page.get("next")
            if not following:
                return found
            page = self.get(self._same_server(str(following)))
        raise AwxError(f"{path}: AWX has more than {MOST_PAGES} pages of {PAGE}. Give a narrower organization.", code="TOO_MANY")

    def _same_server(self, address: str) -> str:
        """Path and query of the next page; the token goes to no other server."""
        parts = urlsplit(address)
        if parts.netloc and parts.netloc != urlsplit(self.url).netloc:
            raise AwxError(f"AWX's next page lies on another server, {parts.netloc}. Call AWX by the name it gives itself.", code="NOT_AWX")
        return parts.path + (f"?{parts.query}" if parts.query else "")

    # -- writing ---------------------------------------------------------------------------------------------------------
    def create(self, path: str, body: Mapping[str, Any], *, made: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
        """A new object. ``made`` looks whether it is there, and is asked after each answer that leaves it open."""
        for number in range(1, TRIES + 1):
            try:
                return self.request("POST", path, body=body)
            except AwxError as exc:
                if not exc.passing or number == TRIES:
                    raise
                _pause(number)
            if (there := made()) is not None:
                return there
        raise AssertionError("unreachable")

    def patch(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._repeated("PATCH", path, body=body)

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A POST that may be repeated: an association, a survey."""
        return self._repeated("POST", path, body=body)

    def delete(self, path: str) -> None:
        try:
            self._repeated("DELETE", path)
        except AwxError as exc:
            if exc.status != 404:
                raise

    # -- requests --------------------------------------------------------------------------------------------------------
    def _repeated(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        for number in range(1, TRIES + 1):
            try:
                return self.request(method, path, **kwargs)
            except AwxError as exc:
                if not exc.passing or number == TRIES:
                    raise
                _pause(number)
        raise AssertionError("unreachable")

    def request(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, query: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """One request; ``path`` is below /api/v2/, or whole. AwxError for anything but 2xx with JSON or nothing."""
        import requests

        whole = path if path.startswith("/") else API + path
        self.requests += 1
        self.writes += method != "GET"
        try:
            answer = self._session.request(
                method, self.url + whole, json=body, params=query, timeout=(5.0, self.timeout_s), allow_redirects=False
            )
        except requests.RequestException as exc:
            raise AwxError(self._unreachable(exc)) from None
        return self._answer(method, path, answer)

    def _answer(self, method: str, path: str, answer: Any) -> dict[str, Any]:
        try:
            document = answer.json() if answer.content else {}
        except ValueError:
            document = None
        if not 200 <= answer.status_code < 300:
            raise refusal(method, path, answer.status_code, hide(document, self.hidden), self.url)
        if not isinstance(document, dict):
            raise AwxError(
                f"{self.url} answered {method} {path} with something that is no JSON object. Check that url is the address of AWX.",
                status=answer.status_code,
                code="NOT_AWX",
            )
        return document

    def _unreachable(self, exc: Exception) -> str:
        name = type(exc).__name__
        told = {
            "SSLError": "did not prove who it is. Give its authority with ca_path",
            "ConnectTimeout": "did not take the connection within 5 s. Check the address and the network",
            "ReadTimeout": f"gave no answer within {self.timeout_s:g} s. Look at its load",
            "ConnectionError": "cannot be reached, or dropped the connection. Check the address, and that AWX runs",
        }
        return f"AWX at {self.url} {told.get(name, f'gave no answer ({name}). Check the address and the network')}."


def checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        shown = f"{parts.scheme}://{parts.hostname}" if parts.hostname else "no address"
        raise AwxError(f"url is {shown}, wanted http(s)://host[:port] without a user. Correct it.", code="BAD_URL")
    return url.rstrip("/")


def _results(page: Mapping[str, Any], path: str, url: str) -> list[dict[str, Any]]:
    results = page.get("results")
    if not isinstance(results, list):
        raise AwxError(f"{path}: the answer holds no results. Check that {url} is the address of AWX.", code="NOT_AWX")
    return results


def _pause(number: int) -> None:
    time.sleep(min(PAUSE_S * 2 ** (number - 1), LONGEST_PAUSE_S))


def reasons(document: Any, path: str = "") -> list[str]:
    """What AWX says of each field: ``field: reason``."""
    if isinstance(document, Mapping):
        return [text for key, inner in document.items() for text in reasons(inner, _named(path, str(key)))]
    if isinstance(document, list):
        return [text for inner in document for text in reasons(inner, path)]
    return [f"{path}: {document}" if path else str(document)]


def _named(path: str, key: str) -> str:
    """The words under which AWX speaks of the whole request are left out."""
    if key in ("detail", "error", "Error", "msg", "__all__", "non_field_errors"):
        return path
    return f"{path}.{key}" if path else key


def refusal(method: str, path: str, status: int, document: Any, url: str) -> AwxError:
    said = "; ".join(reasons(document))[:LONGEST].rstrip(".") if document else "no reason given"
    told = {
        400: ("REFUSED", f"AWX refuses it (400): {said}. Correct these fields"),
        401: ("UNAUTHORIZED", "AWX does not know the token (401). Make a new one with scope write"),
        403: ("FORBIDDEN", f"the token's user may not do this (403): {said}. Give the user the right"),
        404: ("NOT_FOUND", f"it is not there (404): {said}. Check the address of AWX, and run again"),
        405: ("NOT_ALLOWED", f"AWX does not offer this (405): {said}. Check the version of AWX, wanted 24.6.1"),
        409: ("CONFLICT", f"it is in use (409): {said}. Wait until its jobs have ended, and run again"),
    }
    passing = f"AWX at {url} answered {status}, {TRIES} times at most. Look at its web and task pods, and run again"
    code, text = told.get(status, ("AWX_ERROR", passing if status in PASSING else f"AWX answered {status}: {said}. Look into its log"))
    return AwxError(f"{method} {path.partition('?')[0]}: {text}.", status=status, code=code)
