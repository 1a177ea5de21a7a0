# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of one Odoo over HTTP: JSON-2 for work on models, a web session for the login.

``requests`` keeps the connection open, so that a step's time is Odoo's and not the handshake's. Redirects are never
followed: to an RPC call they only mean that the wrong thing answered. No message holds a password or a key.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide

if TYPE_CHECKING:
    import requests

LONGEST = 300  # characters of a server's words in a message


class OdooError(ChangeError):
    """Odoo did not answer, or answered something else than wanted."""


@dataclass(frozen=True)
class Address:
    """Where one side answers. ``host`` is the Host header, ``headers`` come with every request (a canary's mark, say)."""

    url: str
    host: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """Who the client is."""

    database: str
    login: str
    password: str = field(repr=False)
    api_key: str = field(repr=False)


class OdooClient:
    """One side of the comparison."""

    def __init__(self, name: str, address: Address, account: Account, *, timeout_s: float = 30.0, ca_path: str | None = None) -> None:
        self.name = name
        self.account = account
        self.timeout_s = timeout_s
        self._url = address.url.rstrip("/")
        self._headers = address.headers
        self._session = self._open(address, ca_path)
        self._uid = 0

    def _open(self, address: Address, ca_path: str | None) -> requests.Session:
        try:
            import requests
        except ImportError as exc:
            raise OdooError("Python package requests is missing on this host: pip install requests") from exc
        session = requests.Session()
        session.trust_env = False  # a proxy or .netrc of the operator's shell must not change what is measured
        session.headers.update(address.headers)
        if address.host:
            session.headers["Host"] = address.host
        if ca_path:
            session.verify = ca_path
        return session

    # -- HTTP ------------------------------------------------------------------------------------------------------------
    def _request(self, verb: str, path: str, what: str, **kwargs: Any) -> requests.Response:
        import requests

        try:
            return self._session.request(verb, self._url + path, timeout=self.timeout_s, allow_redirects=False, **kwargs)
        except requests.Timeout as exc:
            raise OdooError(f"{self.name}: {what} got no answer within {self.timeout_s:g} s from {self._url}") from exc
        except requests.RequestException as exc:
            raise OdooError(f"{self.name}: {what} did not reach {self._url}: {type(exc).__name__}") from exc

    def _json(self, response: requests.Response, what: str) -> Any:
        try:
            return response.json()
        except ValueError as exc:
            seen = f"HTTP {response.status_code} with {response.headers.get('Content-Type', 'no content type')}"
            raise OdooError(f"{self.name}: {what} answered {seen}, wanted JSON: see whether {self._url} leads to this Odoo") from exc

    # -- readiness ---------------------------------------------------------------------------------------------------------
    def ready(self) -> str:
        """Why this Odoo is not ready with this database, or nothing. /web/health would say yes with PostgreSQL down."""
        try:
            answer = self._request("GET", "/web/login", "the login page", params={"db": self.account.database})
            for _hop in range(2):  # Odoo answers with a redirect to the same page when it changes the session's database
                if answer.status_code not in (302, 303) or "/web/login" not in answer.headers.get("Location", ""):
                    break
                answer = self._request("GET", "/web/login", "the login page")
        except OdooError as exc:
            return str(exc)
        finally:
            self._session.cookies.clear()
        if answer.status_code == 200 and 'name="login"' in answer.text:
            return ""
        return f"{self.name}: the login page of database {self.account.database} answers HTTP {answer.status_code}"

    def wait_ready(self, *, budget_s: float, every_s: float = 0.5, ended: Callable[[], bool] = lambda: False) -> float:
        """Waits until the login page answers with the database's registry loaded; returns the seconds it took.

        ``ended`` says that there is nothing to wait for any more.
        """
        began = time.monotonic()
        while why := self.ready():
            if ended():
                raise OdooError(f"{self.name}: this Odoo ended at its start", not_ready=True)
            if time.monotonic() - began > budget_s:
                raise OdooError(
                    f"{why}, waited {budget_s:g} s for it: see the log of this Odoo, or give ready_timeout_s more", not_ready=True
                )
            time.sleep(every_s)
        return time.monotonic() - began

    # -- JSON-2 ------------------------------------------------------------------------------------------------------------
    def call(self, model: str, method: str, *, ids: Sequence[int] = (), context: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        """Calls a model's public method with the API key."""
        what = f"{model}.{method}"
        headers = {"Authorization": f"bearer {self.account.api_key}", "X-Odoo-Database": self.account.database}
        body: dict[str, Any] = {**kwargs}
        if ids:
            body["ids"] = list(ids)
        if context:
            body["context"] = dict(context)
        response = self._request("POST", f"/json/2/{model}/{method}", what, json=body, headers=headers)
        answer = self._json(response, what)
        if response.status_code != 200:
            raise OdooError(f"{self.name}: {what} answered HTTP {response.status_code}: {self._said(answer)}")
        return answer

    # -- the web session ---------------------------------------------------------------------------------------------------
    def _rpc(self, path: str, params: Mapping[str, Any], what: str) -> Any:
        response = self._request("POST", path, what, json={"jsonrpc": "2.0", "method": "call", "params": dict(params)})
        answer = self._json(response, what)
        if not isinstance(answer, dict) or response.status_code != 200 or "error" in answer:
            error = answer.get("error") if isinstance(answer, dict) else None
            said = error.get("data") if isinstance(error, dict) and error.get("data") else error
            raise OdooError(f"{self.name}: {what} answered HTTP {response.status_code}: {self._said(said)}")
        return answer.get("result")

    def login(self) -> dict[str, Any]:
        """Opens a fresh web session with the password; returns Odoo's session information."""
        self._session.cookies.clear()
        account = self.account
        who = {"db": account.database, "login": account.login, "password": account.password}
        info = self._rpc("/web/session/authenticate", who, "the login")
        if not isinstance(info, dict) or not info.get("uid"):
            raise OdooError(f"{self.name}: the login of {account.login} gave no user: see its password and two-factor settings")
        self._uid = int(info["uid"])
        return info

    def call_kw(self, model: str, method: str, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
        """Calls a model's method as the web client does, in the session of :meth:`login`."""
        params = {"model": model, "method": method, "args": list(args), "kwargs": dict(kwargs or {})}
        return self._rpc(f"/web/dataset/call_kw/{model}/{method}", params, f"{model}.{method}")

    def read_self(self) -> dict[str, Any]:
        """The logged-in user's own record."""
        rows = self.call_kw("res.users", "read", [[self._uid], ["login", "company_id"]])
        if not isinstance(rows, list) or len(rows) != 1:
            raise OdooError(f"{self.name}: res.users.read of one's own user gave {type(rows).__name__}, wanted one record")
        return dict(rows[0])

    def logout(self) -> None:
        """Ends the web session, so that no session of the canary is left behind."""
        try:
            self._rpc("/web/session/destroy", {}, "the logout")
        finally:
            self._session.cookies.clear()

    def close(self) -> None:
        self._session.close()

    def _said(self, error: Any) -> str:
        """Odoo's words, shortened to one line, without the account's secrets."""
        text = f"{error.get('name', '')}: {error.get('message', '')}" if isinstance(error, dict) else str(error)
        text = hide(text, [self.account.password, self.account.api_key, *map(str, self._headers.values())])
        return re.sub(r"\s+", " ", text).strip()[:LONGEST].rstrip(".")
