# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A client of one Odoo over HTTP: JSON-2 (or XML-RPC, before 19) for work on models, a web session for what a browser does.

``requests`` keeps the connection open, so that a step's time is Odoo's and not the handshake's. Redirects are never
followed: to an RPC call they only mean that the wrong thing answered. No message holds a password or a key.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import odoo_xmlrpc

if TYPE_CHECKING:
    import requests

LONGEST = 300  # characters of a server's words in a message
FIRST_JSON2 = 19  # the release that JSON-2 came with
DENIED = "RIGHTS"  # the user lacks a right
EXPIRED = 100  # Odoo's number for a session that it does not know


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

    def __init__(
        self, name: str, address: Address, account: Account, *, timeout_s: float = 30.0, ca_path: str | None = None, api: str = "auto"
    ) -> None:
        self.name = name
        self.account = account
        self.timeout_s = timeout_s
        self._address, self._ca_path = address, ca_path
        self.origin = self  # the side whose sessions are carried over to this one
        self._kept: tuple[str, int] | None = None  # cookie and user of the session that stays open
        self._url = address.url.rstrip("/")
        self._headers = address.headers
        self._session = self._open(address, ca_path)
        self._held = self._open(address, ca_path)  # for the sessions that stay open: what is opened and closed must not touch those
        self._uid = self._rpc_uid = 0
        self._api = "" if api == "auto" else api

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

    def twin(self) -> OdooClient:
        """Another client of the same, with connections and sessions of its own."""
        return OdooClient(self.name, self._address, self.account, timeout_s=self.timeout_s, ca_path=self._ca_path, api=self._api or "auto")

    # -- HTTP ------------------------------------------------------------------------------------------------------------
    def _request(self, verb: str, path: str, what: str, *, held: bool = False, **kwargs: Any) -> requests.Response:
        import requests

        session = self._held if held else self._session
        try:
            return session.request(verb, self._url + path, timeout=self.timeout_s, allow_redirects=False, **kwargs)
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

    # -- work on models ----------------------------------------------------------------------------------------------------
    @property
    def api(self) -> str:
        """``json2`` where this Odoo has it, else ``xmlrpc``; asked once."""
        if not self._api:
            answer = self._request("GET", "/json/version", "its version")
            told = self._json(answer, "its version") if answer.status_code == 200 else {}
            major = (told.get("version_info") or [0])[0] if isinstance(told, dict) else 0
            self._api = "json2" if isinstance(major, int) and major >= FIRST_JSON2 else "xmlrpc"
        return self._api

    def call(
        self, model: str, method: str, *, ids: Sequence[int] = (), context: Mapping[str, Any] | None = None, api: str = "", **kwargs: Any
    ) -> Any:
        """Calls a model's public method with the API key."""
        if context:
            kwargs["context"] = dict(context)
        way = self._xmlrpc if (api or self.api) == "xmlrpc" else self._json2
        return way(model, method, ids, kwargs)

    def _json2(self, model: str, method: str, ids: Sequence[int], kwargs: Mapping[str, Any]) -> Any:
        what = f"{model}.{method}"
        headers = {"Authorization": f"bearer {self.account.api_key}", "X-Odoo-Database": self.account.database}
        body = {**kwargs, "ids": list(ids)} if ids else dict(kwargs)
        response = self._request("POST", f"/json/2/{model}/{method}", what, json=body, headers=headers)
        answer = self._json(response, what)
        if response.status_code != 200:
            denied = {"code": DENIED} if response.status_code == 403 else {}
            raise OdooError(f"{self.name}: {what} answered HTTP {response.status_code}: {self._said(answer)}", **denied)
        return answer

    def _xmlrpc(self, model: str, method: str, ids: Sequence[int], kwargs: Mapping[str, Any]) -> Any:
        account = self.account
        if not self._rpc_uid:
            self._rpc_uid = self._xml(
                "common", odoo_xmlrpc.request("authenticate", [account.database, account.login, account.api_key, {}]), "login"
            )
            if not self._rpc_uid:
                raise OdooError(f"{self.name}: XML-RPC knows no user {account.login} with this API key")
        who = (account.database, self._rpc_uid, account.api_key)
        return self._xml("object", odoo_xmlrpc.execute(who, model, method, ids, kwargs), f"{model}.{method}")

    def _xml(self, service: str, text: bytes, what: str) -> Any:
        path = f"/xmlrpc/2/{service}"
        response = self._request("POST", path, what, data=text, headers={"Content-Type": "text/xml"})
        if response.status_code in (404, 410):
            raise OdooError(
                f"{self.name}: {path} gives HTTP {response.status_code}: this release speaks no XML-RPC any more. Use JSON-2 (api: json2), "
                "and move whatever still calls XML-RPC before this release is rolled out",
                code="API_GONE",
            )
        try:
            return odoo_xmlrpc.answer(response.content)
        except odoo_xmlrpc.FaultError as exc:
            denied = {"code": DENIED} if exc.denied else {}
            raise OdooError(f"{self.name}: {what} failed over XML-RPC: {self._said(str(exc))}", **denied) from None
        except ValueError as exc:
            seen = f"HTTP {response.status_code} with {response.headers.get('Content-Type', 'no content type')}"
            raise OdooError(f"{self.name}: {what} answered {seen}, wanted XML-RPC: see whether {self._url} leads to this Odoo") from exc

    # -- anything else over HTTP -------------------------------------------------------------------------------------------
    def http(self, verb: str, path: str, *, auth: str = "session", body: Any = None) -> dict[str, Any]:
        """One request: status, type, JSON of the body or none, and its size and SHA-1. ``auth``: session, key or none."""
        headers = {"X-Odoo-Database": self.account.database}
        if auth == "key":
            headers["Authorization"] = f"bearer {self.account.api_key}"
        options: dict[str, Any] = {} if body is None else {"json": body}
        if auth == "none":
            self._session.cookies.clear()
        response = self._request(verb, path, f"{verb} {path}", headers=headers, **options)
        try:
            document = response.json()
        except ValueError:
            document = None
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        content = response.content
        digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()  # what Odoo names its files by
        return {"status": response.status_code, "type": kind, "json": document, "size": len(content), "sha1": digest}

    # -- the web session ---------------------------------------------------------------------------------------------------
    def _rpc(self, path: str, params: Mapping[str, Any], what: str, *, held: bool = False) -> Any:
        response = self._request("POST", path, what, held=held, json={"jsonrpc": "2.0", "method": "call", "params": dict(params)})
        answer = self._json(response, what)
        if not isinstance(answer, dict) or response.status_code != 200 or "error" in answer:
            error = answer.get("error") if isinstance(answer, dict) else None
            said = error.get("data") if isinstance(error, dict) and error.get("data") else error
            expired = isinstance(error, dict) and error.get("code") == EXPIRED
            why = f"{self.name}: {what} answered HTTP {response.status_code}: {self._said(said)}"
            raise OdooError(why, **({"code": "SESSION_LOST"} if expired else {}))
        return answer.get("result")

    def session(self, what: str) -> Any:
        """``open`` a fresh one, ``read`` the own record in it, ``close`` it; the own record in one that was ``kept``, or ``carried``."""
        if what == "open":
            return self.login()
        if what == "read":
            return self.read_self()
        if what == "close":
            return self.logout()
        return self._read_kept(self if what == "kept" else self.origin)

    def kept(self) -> tuple[str, int]:
        """Cookie and user of the session that stays open, opened when there is none."""
        if self._kept is None:
            uid = int(self.login()["uid"])
            self._kept = (self._session.cookies.get("session_id") or "", uid)
            self._session.cookies.clear()
        return self._kept

    def _read_kept(self, side: OdooClient) -> dict[str, Any]:
        """The own record in the session that a side opened in an earlier round."""
        cookie, uid = side.kept()
        self._held.cookies.clear()
        self._held.cookies.set("session_id", cookie)
        params = {"model": "res.users", "method": "read", "args": [[uid], ["login", "company_id"]], "kwargs": {}}
        try:
            rows = self._rpc("/web/dataset/call_kw/res.users/read", params, f"a read in the session of {side.name}", held=True)
        except OdooError as exc:
            if exc.facts.get("code") != "SESSION_LOST":
                raise
            side._kept = None
            raise OdooError(
                f"{self.name}: the session that was opened on {side.name} is not known any more, so whoever was logged in is logged out: "
                "see where sessions are stored, and whether that store failed over or was emptied",
                code="SESSION_LOST",
            ) from exc
        renewed = [one.value for one in self._held.cookies if one.name == "session_id" and one.value and one.value != cookie]
        side._kept = (renewed[0] if renewed else cookie, uid)
        return dict(rows[0])

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

    def forget(self) -> None:
        """Ends the session that was kept open, so that none of the canary is left behind."""
        if self._kept:
            self._held.cookies.clear()
            self._held.cookies.set("session_id", self._kept[0])
            self._kept = None
            with suppress(OdooError):  # it may be lost, which is what a step was for
                self._rpc("/web/session/destroy", {}, "the logout", held=True)

    def close(self) -> None:
        self._session.close()
        self._held.close()

    def _said(self, error: Any) -> str:
        """Odoo's words, shortened to one line, without the account's secrets."""
        text = f"{error.get('name', '')}: {error.get('message', '')}" if isinstance(error, dict) else str(error)
        text = hide(text, [self.account.password, self.account.api_key, *map(str, self._headers.values())])
        return re.sub(r"\s+", " ", text).strip()[:LONGEST].rstrip(".")
