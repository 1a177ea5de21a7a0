"""Stand-ins for ServiceNow's Table API and Jira's REST API (version 2) on loopback: the part that a change's ticket needs.

Built from the public API contracts, not from running systems. Each refuses what the real one refuses, keeps what is written, and can be
made to be down, or to take a state back without saying so.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

Json = dict[str, Any]
USER, SECRET = "odoo.ops", "s3cret-of-the-tickets"
SYS_ID = "0097fabadbf02c5065d944fa139619c2"


class RefusedError(Exception):
    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status, self.body = status, body


class TicketServer:
    """One system. ``broken``: answer each request with this status instead."""

    def __init__(self) -> None:
        self.broken: int | None = None
        self.stubborn = False
        self.log: list[tuple[str, str, Json | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, answer = server.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
                data = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_PUT = do

            def log_message(self, *args: Any) -> None:
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Any:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def writes(self) -> list[Json]:
        return [body or {} for method, _path, body in self.log if method != "GET"]

    def answer(self, method: str, address: str, authorization: str, raw: bytes) -> tuple[int, Any]:
        parts = urlsplit(address)
        body = json.loads(raw) if raw else None
        self.log.append((method, parts.path, body))
        if self.broken:
            return self.broken, None
        if authorization not in (f"Basic {base64.b64encode(f'{USER}:{SECRET}'.encode()).decode()}", f"Bearer {SECRET}"):
            return 401, self.refusal("User Not Authenticated")
        try:
            return self.serve(method, unquote(parts.path), dict(parse_qsl(parts.query)), body)
        except RefusedError as exc:
            return exc.status, exc.body

    def refusal(self, why: str) -> Json:
        raise NotImplementedError

    def refuse(self, status: int, why: str) -> RefusedError:
        return RefusedError(status, self.refusal(why))

    def serve(self, method: str, path: str, query: dict[str, str], body: Json | None) -> tuple[int, Any]:
        raise NotImplementedError


class ServiceNowServer(TicketServer):
    """One change request of the type normal. Its state model goes from state to state; fields that there are not are ignored, as there."""

    NEXT = {
        "-5": {"-4", "4"},
        "-4": {"-3", "4", "-5"},
        "-3": {"-2", "4"},
        "-2": {"-1", "4"},
        "-1": {"0", "4"},
        "0": {"3"},
        "3": set(),
        "4": set(),
    }
    KNOWN = {"state", "correlation_id", "correlation_display", "work_notes", "close_code", "close_notes"}

    def __init__(self, state: str = "-2") -> None:
        super().__init__()
        self.record = {"sys_id": SYS_ID, "number": "CHG0030001", "state": state, "correlation_id": ""}
        self.notes: list[str] = []

    def refusal(self, why: str) -> Json:
        return {"error": {"message": why, "detail": "by a business rule"}, "status": "failure"}

    def serve(self, method: str, path: str, query: dict[str, str], body: Json | None) -> tuple[int, Any]:
        fields = query.get("sysparm_fields", "").split(",")
        if (method, path) == ("GET", "/api/now/table/change_request"):
            wanted = re.fullmatch(r"number=(\w+)", query["sysparm_query"])
            assert wanted, "a query that reaches further than one number"
            found = [self.record] if wanted[1] == self.record["number"] else []
            return 200, {"result": [{key: record[key] for key in fields} for record in found]}
        if method != "PATCH" or path != f"/api/now/table/change_request/{SYS_ID}" or body is None:
            raise self.refuse(404, "No Record found")
        self.patch(body)
        return 200, {"result": {key: self.record[key] for key in fields}}

    def patch(self, body: Json) -> None:
        assert set(body) <= self.KNOWN, "a field that a change request has not is ignored there, so nothing would be told"
        state = body.get("state", self.record["state"])
        if state != self.record["state"] and state not in self.NEXT[self.record["state"]]:
            raise self.refuse(403, f"Operation Failed: {self.record['state']} does not lead to {state}")
        if state == "3" and state != self.record["state"] and not (body.get("close_code") and body.get("close_notes")):
            raise self.refuse(403, "Operation Failed: close_code and close_notes are mandatory")
        assert body.get("close_code", "successful") in ("successful", "successful_issues", "unsuccessful")
        assert len(body.get("correlation_id", "")) <= 100, "longer ones are cut off there"
        self.notes += [body["work_notes"]] if "work_notes" in body else []
        self.record.update({key: value for key, value in body.items() if key != "state" or not self.stubborn})


class JiraServer(TicketServer):
    """One issue of a workflow with four statuses."""

    FLOW = {"To Do": {"11": "In Progress"}, "In Progress": {"21": "In Review", "22": "To Do"}, "In Review": {"31": "Done"}, "Done": {}}
    ISSUE = "/rest/api/2/issue/OPS-17"

    def __init__(self, status: str = "To Do") -> None:
        super().__init__()
        self.status = status
        self.links: dict[str, Json] = {}

    def refusal(self, why: str) -> Json:
        return {"errorMessages": [why], "errors": {}}

    def serve(self, method: str, path: str, query: dict[str, str], body: Json | None) -> tuple[int, Any]:
        served = {
            ("GET", self.ISSUE): self.issue,
            ("GET", f"{self.ISSUE}/transitions"): self.transitions,
            ("POST", f"{self.ISSUE}/transitions"): self.transit,
            ("GET", f"{self.ISSUE}/remotelink"): self.link,
            ("POST", f"{self.ISSUE}/remotelink"): self.put_link,
        }.get((method, path))
        if served is None:
            raise self.refuse(404, "Issue does not exist or you do not have permission to see it.")
        return served(query, body or {})

    def issue(self, query: dict[str, str], body: Json) -> tuple[int, Any]:
        return 200, {"id": "10017", "key": "OPS-17", "fields": {"status": {"name": self.status}}}

    def transitions(self, query: dict[str, str], body: Json) -> tuple[int, Any]:
        return 200, {"transitions": [{"id": n, "name": f"to {name}", "to": {"name": name}} for n, name in self.FLOW[self.status].items()]}

    def transit(self, query: dict[str, str], body: Json) -> tuple[int, Any]:
        assert set(body) == {"transition"}
        wanted = body["transition"]["id"]
        if wanted not in self.FLOW[self.status]:
            raise self.refuse(400, f"Transition id '{wanted}' is not valid for this issue.")
        if not self.stubborn:
            self.status = self.FLOW[self.status][wanted]
        return 204, None

    def link(self, query: dict[str, str], body: Json) -> tuple[int, Any]:
        if query["globalId"] not in self.links:
            raise self.refuse(404, "The remote issue link cannot be found")
        return 200, {"id": 10000, **self.links[query["globalId"]]}

    def put_link(self, query: dict[str, str], body: Json) -> tuple[int, Any]:
        assert set(body) <= {"globalId", "application", "relationship", "object"} and len(body["globalId"]) <= 255
        if not body["object"].get("url") or not body["object"].get("title"):
            raise RefusedError(400, {"errorMessages": [], "errors": {"title": "'title' is required."}})
        known = body["globalId"] in self.links
        self.links[body["globalId"]] = body
        return (200 if known else 201), {"id": 10000, "self": f"{self.url}{self.ISSUE}/remotelink/10000"}
