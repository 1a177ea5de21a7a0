"""A stand-in for AWX's API on the loopback address: documents in AWX 24's shape, and faults on demand. No AWX runs here."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "s3cret-read-token"
WORKFLOW, JOB, PLAN_JOB, APPROVAL, TEMPLATE = 500, 503, 501, 502, 40
USERS = {1: "admin", 2: "olga", 3: "rita", 7: "alice", 8: "bob", 9: "mallory"}
PEOPLE = {1: "root-1", 2: "ops-2", 3: "ops-1", 7: "alice", 8: "bob"}
"""The person that each user is; mallory is nobody."""

Documents = dict[str, Any]
Fault = Callable[[BaseHTTPRequestHandler], None]


def user(number: int) -> dict[str, Any]:
    return {"id": number, "type": "user", "username": USERS[number], "is_superuser": number == 1, "is_system_auditor": False}


def launched_by(number: int) -> dict[str, Any]:
    return {"id": number, "name": USERS[number], "type": "user", "url": f"/api/v2/users/{number}/"}


def node(number: int, identifier: str, job: int | None, kind: str) -> dict[str, Any]:
    summary = {"job": {"id": job, "name": identifier, "type": kind, "status": "successful"}} if job else {}
    return {
        "id": number,
        "type": "workflow_job_node",
        "identifier": identifier,
        "job": job,
        "workflow_job": WORKFLOW,
        "summary_fields": summary,
        "success_nodes": [],
        "do_not_run": False,
    }


def documents(change: str, digest: str) -> Documents:
    """A workflow job that olga launched, that planned, and that alice approved; the job JOB of it runs now."""
    around = {"source_workflow_job": {"id": WORKFLOW, "name": "change normal", "status": "running"}}
    workflow = {
        "id": WORKFLOW,
        "type": "workflow_job",
        "name": "change normal",
        "status": "running",
        "launch_type": "manual",
        "launched_by": launched_by(2),
        "workflow_job_template": TEMPLATE,
        "extra_vars": json.dumps({"approved_by": "bob", "tenant_password": "hunter2"}),
        "summary_fields": {"workflow_job_template": {"id": TEMPLATE, "name": "change normal"}},
    }
    plan = {
        "id": PLAN_JOB,
        "type": "job",
        "status": "successful",
        "finished": "2026-12-05T18:00:00.250000Z",
        "artifacts": {"odoo_ops_plan": {"change": change, "digest": digest}},
        "summary_fields": around,
    }
    approval = {
        "id": APPROVAL,
        "type": "workflow_approval",
        "status": "successful",
        "failed": False,
        "timed_out": False,
        "canceled_on": None,
        "finished": "2026-12-05T18:30:00.500000Z",
        "summary_fields": {**around, "approved_or_denied_by": {"id": 7, "username": "alice", "first_name": "", "last_name": ""}},
    }
    running = {
        "id": JOB,
        "type": "job",
        "status": "running",
        "launched_by": {"id": WORKFLOW, "name": "change normal", "type": "workflow_job"},
    }
    nodes = [node(11, "plan", PLAN_JOB, "job"), node(12, "approve", APPROVAL, "workflow_approval"), node(13, "apply", JOB, "job")]
    return {
        f"workflow_jobs/{WORKFLOW}/": workflow,
        f"workflow_jobs/{WORKFLOW}/workflow_nodes/": {"count": len(nodes), "next": None, "previous": None, "results": nodes},
        f"jobs/{PLAN_JOB}/": plan,
        f"jobs/{JOB}/": {**running, "summary_fields": around},
        f"workflow_approvals/{APPROVAL}/": approval,
        **{f"users/{number}/": user(number) for number in USERS},
    }


def nodes_of(found: Documents) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = found[f"workflow_jobs/{WORKFLOW}/workflow_nodes/"]["results"]
    return nodes


def setup(**changed: Any) -> dict[str, Any]:
    """The option awx, less its address."""
    users = [{"id": number, "username": USERS[number], "person": person} for number, person in PEOPLE.items()]
    return {"token": TOKEN, "workflow_job": WORKFLOW, "workflow_templates": ["change normal"], "users": users, **changed}


class Awx:
    """The server. ``documents`` may be changed at any time; ``fault``, when set, answers instead of them."""

    def __init__(self, found: Documents, token: str = TOKEN) -> None:
        self.documents, self.token = deepcopy(found), token
        self.fault: Fault | None = None
        self.asked: list[str] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Awx:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{to.command} {to.path}")
        if self.fault is not None:
            self.fault(to)
        elif to.headers.get("Authorization") != f"Bearer {self.token}":
            reply(401, b'{"detail": "Authentication credentials were not provided."}')(to)
        else:
            path = to.path.removeprefix("/api/v2/")
            found = self.documents.get(path, self.documents.get(path.partition("?")[0]))
            body = {"detail": "Not found."} if found is None else found
            reply(404 if found is None else 200, json.dumps(body).encode())(to)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        awx = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                awx.answer(self)

            def log_message(self, *_args: Any) -> None:
                """Says nothing."""

        return Handler


# -- faults ----------------------------------------------------------------------------------------------------------------
def reply(status: int, body: bytes = b"{}", kind: str = "application/json", **headers: str) -> Fault:
    def answer(to: BaseHTTPRequestHandler) -> None:
        to.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(body)

    return answer


def hang_up(to: BaseHTTPRequestHandler) -> None:
    to.connection.close()
    to.close_connection = True


def cut_off(to: BaseHTTPRequestHandler) -> None:
    reply(200, b'{"id": 500', **{"Content-Length": "4000"})(to)
    to.close_connection = True


def silent(to: BaseHTTPRequestHandler) -> None:
    time.sleep(3)


def drip(to: BaseHTTPRequestHandler) -> None:
    """One byte after the other, each within any timeout."""
    to.send_response(200)
    to.send_header("Content-Type", "application/json")
    to.end_headers()
    try:
        for _byte in range(200):
            to.wfile.write(b" ")
            to.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass


def then(times: int, fault: Fault, awx: Awx) -> Fault:
    """The fault so many times, then the truth."""
    left = [times]

    def answer(to: BaseHTTPRequestHandler) -> None:
        left[0] -= 1
        if left[0] >= 0:
            fault(to)
        else:
            awx.fault = None
            awx.answer(to)

    return answer
