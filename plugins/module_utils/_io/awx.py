# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads AWX's API with a read token: GET only, bounded in time and size, redirects never followed. Nothing is decided here.

A redirect would carry the token to whoever is named in it, and a login page is no answer.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import awx_documents as documents
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_approval import only_node
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError

ATTEMPTS = 3
PAUSE_S = 0.2
BUDGET_S = 60.0
MAX_BYTES = 4 * 1024 * 1024
MAX_PAGES = 20
MAX_DEPTH = 8
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class AwxError(ChangeError):
    """An answer that AWX did not give. ``code`` is one of _core/awx_approval.HINTS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.code = code


class _Busy(Exception):  # noqa: N818 - a reason to ask again
    """No answer this time."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


@dataclass(frozen=True)
class Connection:
    """Where AWX is, and what to show it. ``timeout_s`` bounds each wait for the network."""

    url: str
    token: str
    ca_file: str | None = None
    validate_certs: bool = True
    timeout_s: float = 10.0


class AwxClient:
    """One reading: all its questions together may take ``BUDGET_S`` seconds."""

    def __init__(self, to: Connection) -> None:
        self._to = to
        self._base = _checked(to)
        self._until = time.monotonic() + BUDGET_S
        here = urlsplit(to.url).hostname in LOOPBACK
        proxies = [urllib.request.ProxyHandler({})] if here else []
        tls = [urllib.request.HTTPSHandler(context=_context(to))] if self._base.startswith("https:") else []
        self._opener = urllib.request.build_opener(_NoRedirect(), *tls, *proxies)

    def get(self, path: str) -> Any:
        """The JSON document at a path below the address; AwxError otherwise."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._json(path, self._once(path))
            except _Busy as exc:
                if attempt == ATTEMPTS or time.monotonic() >= self._until:
                    raise AwxError("AWX_UNREACHABLE", f"{self._base}{path}: {exc}, asked {attempt} times") from None
                time.sleep(PAUSE_S * attempt)
        raise AssertionError("not reached")

    def _once(self, path: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._to.token}", "Accept": "application/json"}
        request = urllib.request.Request(self._base + path, headers=headers)  # noqa: S310 - the scheme is checked in _checked
        try:
            with self._opener.open(request, timeout=self._to.timeout_s) as answer:
                return self._body(path, answer)
        except urllib.error.HTTPError as exc:
            raise _failure(exc.code, f"{self._base}{path}: HTTP status {exc.code}") from None
        except (OSError, http.client.HTTPException) as exc:
            raise _Busy(f"{type(exc).__name__}: {getattr(exc, 'reason', exc)}") from None

    def _body(self, path: str, answer: Any) -> bytes:
        """The body, read in pieces: a server that drips must not outlast the budget, nor one that floods fill the memory."""
        kind, data = answer.headers.get_content_type(), bytearray()
        if kind != "application/json":
            raise AwxError("AWX_ODD_ANSWER", f"{self._base}{path}: the answer is {kind}, wanted application/json")
        while piece := answer.read1(65536):
            data += piece
            if len(data) > MAX_BYTES:
                raise AwxError("AWX_ODD_ANSWER", f"{self._base}{path}: the answer is larger than {MAX_BYTES} bytes")
            if time.monotonic() > self._until:
                raise _Busy(f"the answer is not whole after {BUDGET_S:.0f} s")
        if answer.length:
            raise _Busy(f"the answer lacks {answer.length} bytes")
        return bytes(data)

    def _json(self, path: str, body: bytes) -> Any:
        try:
            return json.loads(body, object_pairs_hook=_once_each)
        except (ValueError, RecursionError) as exc:
            raise AwxError("AWX_ODD_ANSWER", f"{self._base}{path}: the answer is no JSON document ({type(exc).__name__})") from None


def running_job(environment: Mapping[str, str] | None = None) -> int | None:
    """The number of the AWX job that this run is, from the environment that AWX makes; None outside of AWX.

    Extra variables could say anything; AWX lets no credential and no variable set these.
    """
    given = os.environ if environment is None else environment
    number = given.get("JOB_ID", "")
    return int(number) if "AWX_HOST" in given and re.fullmatch(r"[0-9]{1,18}", number) else None


def read_launchers(client: AwxClient, job: int) -> list[dict[str, Any]]:
    """Who launched the job that runs, and the workflow jobs around it."""
    return _running(client, job)[0]


def read_workflow(
    client: AwxClient, *, workflow_job: int | None, job: int | None, plan_node: str, approval_nodes: Sequence[str]
) -> dict[str, Any]:
    """What _core/awx_approval decides by. ``problem`` tells what could not be read; ``launchers`` is None when they could not."""
    read: dict[str, Any] = {"schema": 1, "launchers": None, "workflow_job": None, "nodes": [], "plan_job": None}
    read |= {"approvals": {}, "users": {}}
    try:
        launchers, around = _running(client, job) if job is not None else ([], None)
        number = workflow_job if workflow_job is not None else around
        if number is not None:
            read["workflow_job"] = _document(client, f"/api/v2/workflow_jobs/{number}/", documents.workflow_job, number)
            launchers += _launched(client, read["workflow_job"]["launched_by"])
        read["launchers"] = launchers
        if number is not None:
            _read_nodes(client, read, plan_node, approval_nodes)
    except AwxError as exc:
        read["problem"] = {"code": exc.code, "seen": str(exc)}
    return read


def _read_nodes(client: AwxClient, read: dict[str, Any], plan_node: str, approval_nodes: Sequence[str]) -> None:
    number = read["workflow_job"]["id"]
    read["nodes"] = _nodes(client, number)
    planned = only_node(read["nodes"], plan_node, number)
    if planned and planned["job"] is not None and planned["type"] == "job":
        read["plan_job"] = _document(client, f"/api/v2/jobs/{planned['job']}/", documents.plan_job, planned["job"])
    for name in approval_nodes:
        node = only_node(read["nodes"], name, number)
        if node and node["job"] is not None and node["type"] == "workflow_approval":
            found = _document(client, f"/api/v2/workflow_approvals/{node['job']}/", documents.approval, node["job"])
            read["approvals"][str(found["id"])] = found
            if found["by"] is not None:
                who = found["by"]["id"]
                read["users"][str(who)] = _document(client, f"/api/v2/users/{who}/", documents.user, who)


def _running(client: AwxClient, job: int) -> tuple[list[dict[str, Any]], int | None]:
    """Who launched the running job, and the workflow job that it is part of."""
    found = _document(client, f"/api/v2/jobs/{job}/", documents.running_job, job)
    if found["workflow_job"] is None:
        return [found["launched_by"]], None
    around = _document(client, f"/api/v2/workflow_jobs/{found['workflow_job']}/", documents.workflow_job, found["workflow_job"])
    return _launched(client, around["launched_by"]), found["workflow_job"]


def _launched(client: AwxClient, by: dict[str, Any]) -> list[dict[str, Any]]:
    """Whoever launched the outermost of nested workflow jobs."""
    for _level in range(MAX_DEPTH):
        if by["type"] != "workflow_job" or by["id"] is None:
            break
        by = _document(client, f"/api/v2/workflow_jobs/{by['id']}/", documents.workflow_job, by["id"])["launched_by"]
    return [by]


def _nodes(client: AwxClient, number: int) -> list[dict[str, Any]]:
    first = f"/api/v2/workflow_jobs/{number}/workflow_nodes/"
    path: str | None = f"{first}?page_size=200"
    found: list[dict[str, Any]] = []
    for _page in range(MAX_PAGES):
        entries, path = _shaped(client, path or first, documents.page)
        found += [_understood(path or first, documents.node, entry) for entry in entries]
        if path is None:
            return found
        if not path.startswith(f"{first}?"):
            raise AwxError("AWX_ODD_ANSWER", f"{first}: the next page is said to be {path[:80]!r}")
    raise AwxError("AWX_ODD_ANSWER", f"{first}: more than {MAX_PAGES} pages")


def _document(client: AwxClient, path: str, shape: Callable[[Any], dict[str, Any]], number: int) -> dict[str, Any]:
    """The document at a path, which must have the number that was asked for."""
    found = _shaped(client, path, shape)
    if found["id"] != number:
        raise AwxError("AWX_ODD_ANSWER", f"{path}: the document's id is {found['id']}")
    return dict(found)


def _shaped(client: AwxClient, path: str, shape: Callable[[Any], Any]) -> Any:
    return _understood(path, shape, client.get(path))


def _understood(path: str, shape: Callable[[Any], Any], document: Any) -> Any:
    try:
        return shape(document)
    except documents.AwxOddError as exc:
        raise AwxError("AWX_ODD_ANSWER", f"{path}: {exc}") from exc


def _failure(status: int, message: str) -> Exception:
    """What an HTTP status other than 200 means."""
    if status in (401, 403):
        return AwxError("AWX_REFUSED", message)
    if status == 404:
        return AwxError("AWX_NOT_FOUND", message)
    if 300 <= status < 400:
        return AwxError("AWX_REDIRECT", message)
    return _Busy(message) if status == 429 or status >= 500 else AwxError("AWX_ODD_ANSWER", message)


def _checked(to: Connection) -> str:
    """The address without a slash at its end; AwxError when the token would travel in the clear, or could not travel."""
    try:
        parts = urlsplit(to.url)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        parts = urlsplit("")
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    if not secure or not parts.hostname or parts.username or parts.password or parts.query or parts.fragment:
        raise AwxError("AWX_UNREACHABLE", "awx.url is no address to send a token to. Write https://HOST, without user, password or query.")
    if not re.fullmatch(r"[!-~]+", to.token):
        raise AwxError("AWX_REFUSED", "awx.token is empty, or holds blanks or letters outside ASCII. Give the token as AWX has shown it.")
    return to.url.rstrip("/")


def _context(to: Connection) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=to.ca_file)
    except (OSError, ValueError) as exc:
        raise AwxError("AWX_UNREACHABLE", f"awx.ca_file {to.ca_file} cannot be read: {exc}. Give the path of a PEM file.") from None
    if not to.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found
