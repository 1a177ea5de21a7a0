"""A stand-in for AWX 24.6.1 on loopback: the part of its API that configuration as code needs, refusing what AWX refuses.

Built from the public API contract, not from a running AWX. It counts what it is asked and what is written, and it can be told to fail.
"""

from __future__ import annotations

import copy
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.support import awx_rules as rules
from tests.support.awx_rules import EDGES, SECRET, TEMPLATES, Json, Refused, refuse

API = "/api/v2/"
TOKEN, READ_TOKEN = "tok3n-that-may-write", "tok3n-that-may-read"


@dataclass
class Table:
    """The fields of one collection with their types and defaults, what they refer to, and what is unique."""

    fields: dict[str, Any]
    refs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ("name",)
    unique: tuple[str, ...] = ("name",)
    methods: tuple[str, ...] = ("GET", "POST")


def notified(*more: str) -> dict[str, str]:
    return {f"notification_templates_{event}": "notification_templates" for event in ("started", "success", "error", *more)}


PROMPTS = ("variables", "limit", "job_type", "diff_mode", "inventory", "scm_branch", "credential", "verbosity")
ASKED = {f"ask_{prompt}_on_launch": False for prompt in PROMPTS}
BASE = {"name": "", "description": ""}
TABLES = {
    "organizations": Table({**BASE, "max_hosts": 0}, links={"galaxy_credentials": "credentials", **notified("approvals")}),
    "credential_types": Table({**BASE, "kind": "", "inputs": {}, "injectors": {}}, required=("name", "kind"), unique=("name", "kind")),
    "credentials": Table(
        {**BASE, "inputs": {}},
        {"organization": ("organizations",), "credential_type": ("credential_types",)},
        required=("name", "credential_type"),
        unique=("organization", "name", "credential_type"),
    ),
    "execution_environments": Table(
        {**BASE, "image": "", "pull": ""},
        {"organization": ("organizations",), "credential": ("credentials",)},
        required=("name", "image"),
    ),
    "notification_templates": Table(
        {**BASE, "notification_type": "", "notification_configuration": {}, "messages": {}},
        {"organization": ("organizations",)},
        required=("name", "organization", "notification_type"),
        unique=("organization", "name"),
    ),
    "projects": Table(
        {
            **BASE,
            "scm_type": "",
            "scm_url": "",
            "scm_branch": "",
            "scm_refspec": "",
            "scm_clean": False,
            "scm_track_submodules": False,
            "scm_delete_on_update": False,
            "scm_update_on_launch": False,
            "scm_update_cache_timeout": 0,
            "allow_override": False,
            "timeout": 0,
        },
        {"organization": ("organizations",), "credential": ("credentials",), "default_environment": ("execution_environments",)},
        notified(),
        unique=("organization", "name"),
    ),
    "inventories": Table(
        {**BASE, "variables": "", "prevent_instance_group_fallback": False},
        {"organization": ("organizations",)},
        required=("name", "organization"),
        unique=("organization", "name"),
    ),
    "inventory_sources": Table(
        {
            **BASE,
            "source": "",
            "source_path": "",
            "source_vars": "",
            "scm_branch": "",
            "overwrite": False,
            "overwrite_vars": False,
            "update_on_launch": False,
            "update_cache_timeout": 0,
            "timeout": 0,
            "verbosity": 1,
            "limit": "",
        },
        {
            "inventory": ("inventories",),
            "source_project": ("projects",),
            "credential": ("credentials",),
            "execution_environment": ("execution_environments",),
        },
        notified(),
        required=("name", "inventory"),
        unique=("inventory", "name"),
    ),
    "job_templates": Table(
        {
            **BASE,
            "job_type": "run",
            "playbook": "",
            "scm_branch": "",
            "forks": 0,
            "limit": "",
            "verbosity": 0,
            "extra_vars": "",
            "job_tags": "",
            "skip_tags": "",
            "timeout": 0,
            "diff_mode": False,
            "use_fact_cache": False,
            "become_enabled": False,
            "allow_simultaneous": False,
            "job_slice_count": 1,
            "survey_enabled": False,
            **ASKED,
        },
        {"inventory": ("inventories",), "project": ("projects",), "execution_environment": ("execution_environments",)},
        {"credentials": "credentials", **notified()},
        unique=("organization", "name"),
    ),
    "workflow_job_templates": Table(
        {**BASE, "extra_vars": "", "limit": "", "scm_branch": "", "allow_simultaneous": False, "survey_enabled": False, **ASKED},
        {"organization": ("organizations",), "inventory": ("inventories",)},
        notified("approvals"),
        unique=("organization", "name"),
    ),
    "workflow_job_template_nodes": Table(
        {"identifier": "", "all_parents_must_converge": False, "extra_data": {}},
        {"workflow_job_template": ("workflow_job_templates",), "unified_job_template": TEMPLATES},
        required=("workflow_job_template",),
        unique=("workflow_job_template", "identifier"),
    ),
    "workflow_approval_templates": Table({**BASE, "timeout": 0}, unique=(), methods=()),
    "schedules": Table(
        {**BASE, "rrule": "", "enabled": True, "extra_data": {}},
        {"unified_job_template": TEMPLATES},
        required=("name", "rrule", "unified_job_template"),
        unique=("unified_job_template", "name"),
    ),
}
TYPES = {
    bool: "Must be a valid boolean.",
    int: "A valid integer is required.",
    str: "Not a valid string.",
    dict: "Value must be valid JSON.",
}
VARIABLES = ("extra_vars", "variables", "source_vars")


class Store:
    """The objects, and the rules by which they may be changed."""

    def __init__(self, playbooks: list[str]) -> None:
        self.playbooks = playbooks
        self.rows: dict[str, dict[int, Json]] = {name: {} for name in TABLES}
        self.links: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], Json] = {}
        self.syncing: dict[int, int] = {}
        self.sync_reads = 1
        self.number = 0
        self.plant()

    def plant(self) -> None:
        """What every AWX has from the beginning."""
        vault = {"fields": [{"id": "vault_password", "label": "Vault password", "type": "string", "secret": True}]}
        galaxy = {"fields": [{"id": "url", "label": "URL", "type": "string"}]}
        kinds = (("Vault", "vault", vault), ("Ansible Galaxy/Automation Hub API Token", "galaxy", galaxy))
        self.insert("organizations", {"name": "Default"})
        for name, kind, inputs in kinds:
            self.insert("credential_types", {"name": name, "kind": kind, "inputs": inputs, "injectors": {}, "managed": True})
        self.insert("credentials", {"name": "Ansible Galaxy", "credential_type": 3, "organization": None, "inputs": {}})

    def insert(self, end: str, given: Json) -> Json:
        self.number += 1
        table = TABLES[end]
        doc = {**copy.deepcopy(table.fields), **dict.fromkeys(table.refs), **copy.deepcopy(given), "id": self.number}
        if end == "workflow_job_template_nodes":
            doc.update({way: [] for way in EDGES})
        self.rows[end][self.number] = doc
        return doc

    def ids(self, ends: tuple[str, ...]) -> dict[int, tuple[str, Json]]:
        return {number: (end, doc) for end in ends for number, doc in self.rows[end].items()}

    # -- writing ---------------------------------------------------------------------------------------------------------
    def save(self, end: str, given: Json, old: Json | None = None) -> Json:
        """Validates as a serializer does and keeps the object; unknown fields are ignored, as AWX ignores them."""
        table = TABLES[end]
        clean = self.typed(table, given)
        if not old:
            lacking = [name for name in table.required if clean.get(name) in (None, "")]
            if lacking:
                raise Refused(400, {name: ["This field is required."] for name in lacking})
        doc = copy.deepcopy({**(old or {**table.fields, **dict.fromkeys(table.refs)}), **clean})
        if end == "job_templates":
            project = self.rows["projects"].get(doc["project"] or 0)
            doc["organization"] = project["organization"] if project else None
        self.judge(end, doc, old)
        self.unique(end, table, doc, old)
        if old:
            moved = end == "projects" and any(doc[key] != old[key] for key in ("scm_url", "scm_branch", "scm_type"))
            old.clear()
            old.update(doc)
        else:
            doc, moved = self.insert(end, doc), end == "projects"
        if moved:
            kept = self.rows["projects"][doc["id"]]
            kept["status"], self.syncing[doc["id"]] = "pending", self.sync_reads
        return self.rows[end][doc["id"]]

    def typed(self, table: Table, given: Json) -> Json:
        clean: Json = {}
        for name, default in table.fields.items():
            if name not in given:
                continue
            value = given[name]
            if not isinstance(value, type(default)) or (isinstance(value, bool) and not isinstance(default, bool)):
                raise refuse(name, TYPES[type(default)])
            clean[name] = value.strip() if isinstance(value, str) else value
        for name, ends in table.refs.items():
            if given.get(name) is not None:
                if not isinstance(given[name], int):
                    raise refuse(name, f"Incorrect type. Expected pk value, received {type(given[name]).__name__}.")
                if given[name] not in self.ids(ends):
                    raise refuse(name, f'Invalid pk "{given[name]}" - object does not exist.')
            if name in given:
                clean[name] = given[name]
        return clean

    def judge(self, end: str, doc: Json, old: Json | None) -> None:
        for name in VARIABLES:
            if name in doc:
                rules.check_variables(name, doc[name])
        judge: Callable[[Json, Json | None], None] | None = getattr(self, f"judge_{end}", None)
        if judge:
            judge(doc, old)

    def judge_credential_types(self, doc: Json, old: Json | None) -> None:
        in_use = old is not None and any(one["credential_type"] == old["id"] for one in self.rows["credentials"].values())
        rules.check_credential_type(doc, old, in_use)

    def judge_credentials(self, doc: Json, old: Json | None) -> None:
        if doc["organization"] is None:
            raise Refused(400, {"detail": ["Missing 'user', 'team', or 'organization'."]})
        rules.check_credential(doc, self.rows["credential_types"][doc["credential_type"]])
        keep(doc["inputs"], old["inputs"] if old else {})

    def judge_notification_templates(self, doc: Json, old: Json | None) -> None:
        rules.check_notification(doc)
        keep(doc["notification_configuration"], old["notification_configuration"] if old else {})

    def judge_projects(self, doc: Json, old: Json | None) -> None:
        if doc["scm_type"] not in ("", "git", "svn", "archive", "insights"):
            raise refuse("scm_type", f'"{doc["scm_type"]}" is not a valid choice.')

    def judge_job_templates(self, doc: Json, old: Json | None) -> None:
        if doc["job_type"] not in ("run", "check"):
            raise refuse("job_type", f'"{doc["job_type"]}" is not a valid choice.')
        rules.check_job_template(doc, self.rows, self.playbooks)

    def judge_inventory_sources(self, doc: Json, old: Json | None) -> None:
        rules.check_inventory_source(doc, self.rows)

    def judge_schedules(self, doc: Json, old: Json | None) -> None:
        rules.check_rrule(doc["rrule"])
        self.launchable(doc)

    def judge_workflow_job_template_nodes(self, doc: Json, old: Json | None) -> None:
        self.launchable(doc)

    def launchable(self, doc: Json) -> None:
        end, template = self.ids(TEMPLATES).get(doc["unified_job_template"] or 0, ("", {}))
        rules.check_launch_data(doc, template, self.surveys.get((end, template.get("id", 0)), {}))

    def unique(self, end: str, table: Table, doc: Json, old: Json | None) -> None:
        identity = [doc.get(name) for name in table.unique]
        for other in self.rows[end].values():
            if table.unique and other is not old and [other.get(name) for name in table.unique] == identity:
                what = " and ".join(name.replace("_", " ").capitalize() for name in table.unique)
                raise Refused(400, {"__all__": [f"{end[:-1].replace('_', ' ').capitalize()} with this {what} already exists."]})

    def remove(self, end: str, number: int) -> None:
        if self.rows[end][number].get("busy"):
            raise Refused(409, {"error": "Resource is being used by running jobs.", "active_jobs": []})
        if end == "workflow_job_templates":
            nodes = [n for n, node in self.rows["workflow_job_template_nodes"].items() if node["workflow_job_template"] == number]
            for node in nodes:
                self.remove("workflow_job_template_nodes", node)
        del self.rows[end][number]
        for node in self.rows["workflow_job_template_nodes"].values():
            for way in EDGES:
                node[way] = [one for one in node[way] if one != number]

    # -- associations ------------------------------------------------------------------------------------------------------
    def associate(self, end: str, number: int, name: str, given: Json) -> None:
        target = TABLES[end].links[name]
        if given.get("id") not in self.rows[target]:
            raise Refused(400, {"error": f"{target} {given.get('id')} does not exist."})
        kept = self.links.setdefault((end, number, name), [])
        if given.get("disassociate"):
            self.links[end, number, name] = [one for one in kept if one != given["id"]]
            return
        if given["id"] in kept:
            return
        if target == "credentials":
            credentials = [self.rows["credentials"][one] for one in (*kept, given["id"])]
            rules.check_attached(name, [self.rows["credential_types"][one["credential_type"]] for one in credentials])
        kept.append(given["id"])

    def edge(self, parent: Json, way: str, given: Json) -> Json | None:
        nodes = self.rows["workflow_job_template_nodes"]
        if "id" not in given:
            child = self.save("workflow_job_template_nodes", {**given, "workflow_job_template": parent["workflow_job_template"]})
            parent[way].append(child["id"])
            return child
        if given["id"] not in nodes:
            raise Refused(400, {"error": "Node does not exist."})
        if given.get("disassociate"):
            parent[way] = [one for one in parent[way] if one != given["id"]]
        elif given["id"] not in parent[way]:
            rules.check_edge(nodes, parent, way, nodes[given["id"]])
            parent[way].append(given["id"])
        return None

    # -- reading -----------------------------------------------------------------------------------------------------------
    def told(self, end: str, doc: Json) -> Json:
        """The object as AWX shows it: secrets hidden, references summarised."""
        out = copy.deepcopy({key: value for key, value in doc.items() if key != "managed"})
        if end == "credentials":
            secret = rules.secret_inputs(self.rows["credential_types"][doc["credential_type"]])
            out["inputs"] = {key: SECRET if key in secret and value else value for key, value in out["inputs"].items()}
        if end == "notification_templates":
            given = out["notification_configuration"]
            out["notification_configuration"] = {k: SECRET if k in rules.NOTIFIER_SECRETS and v else v for k, v in given.items()}
        out["summary_fields"], out["related"] = {}, {}
        for name, ends in TABLES[end].refs.items():
            to, target = self.ids(ends).get(doc[name] or 0, ("", {}))
            if target:
                out["summary_fields"][name] = {"id": target["id"], "name": target.get("name", "")}
                out["related"][name] = f"{API}{to}/{target['id']}/"
        return out

    def sync(self, number: int) -> None:
        """A project's synchronisation goes on each time it is looked at."""
        if number in self.syncing:
            self.syncing[number] -= 1
            if self.syncing[number] < 0:
                del self.syncing[number]
                doc = self.rows["projects"][number]
                doc["status"] = "failed" if "unreachable" in doc["scm_url"] else "successful"


def keep(new: Json, old: Json) -> None:
    """What was sent as ``$encrypted$`` keeps the value that AWX has."""
    for key, value in new.items():
        if value == SECRET:
            new[key] = old.get(key, "")


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: Json


def permit(request: Request, token: str, writer: str = TOKEN) -> None:
    if token not in (writer, READ_TOKEN):
        raise Refused(401, {"detail": "Authentication credentials were not provided."})
    if token == READ_TOKEN and request.method != "GET":
        raise Refused(403, {"detail": "You do not have permission to perform this action."})


class AwxServer:
    """``with AwxServer([...playbooks]) as awx:`` serves until the block ends."""

    def __init__(self, playbooks: list[str], token: str = TOKEN) -> None:
        self.store, self.token = Store(playbooks), token
        self.log: list[tuple[str, str, int]] = []
        # asked before each request (number, method, path): "500", "502", "503", "drop" (before it is done), "drop-after", "slow", or ""
        self.fault: Callable[[int, str, str], str] = lambda _number, _method, _path: ""
        self.slow_s = 1.0
        self.largest_page = 200
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {"awx": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> AwxServer:
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def writes(self) -> int:
        """Requests that ask for a change, whatever became of them."""
        return sum(method != "GET" for method, _path, _status in self.log)

    def one(self, end: str, name: str) -> Json:
        (found,) = [doc for doc in self.store.rows[end].values() if doc.get("name") == name]
        return found

    def linked(self, end: str, name: str, link: str) -> list[str]:
        target = TABLES[end].links[link]
        return sorted(self.store.rows[target][n]["name"] for n in self.store.links.get((end, self.one(end, name)["id"], link), []))

    def nodes(self, workflow: str) -> dict[str, Json]:
        number = self.one("workflow_job_templates", workflow)["id"]
        rows = self.store.rows["workflow_job_template_nodes"].values()
        return {node["identifier"]: node for node in rows if node["workflow_job_template"] == number}

    # -- answering ---------------------------------------------------------------------------------------------------------
    def answer(self, request: Request, token: str) -> tuple[int, Any]:
        with self._lock:
            try:
                permit(request, token, self.token)
                status, document = self.route(request)
            except Refused as exc:
                status, document = exc.status, exc.document
            self.log.append((request.method, request.path, status))
            return status, document

    def route(self, request: Request) -> tuple[int, Any]:
        parts = [part for part in request.path.removeprefix(API).split("/") if part]
        if not request.path.startswith(API) or not request.path.endswith("/") or not parts:
            raise Refused(404, {"detail": "The requested resource could not be found."})
        if parts == ["unified_job_templates"] and request.method == "GET":
            rows = [self.store.told(end, doc) for end, doc in self.store.ids(TEMPLATES[:4]).values()]
            return 200, self.page(request, rows, {"name", "organization"})
        if parts[0] not in TABLES:
            raise Refused(404, {"detail": "The requested resource could not be found."})
        if len(parts) == 1:
            return self.collection(request, parts[0])
        doc = self.store.rows[parts[0]].get(int(parts[1]) if parts[1].isdecimal() else 0)
        if doc is None:
            raise Refused(404, {"detail": "Not found."})
        return self.detail(request, parts[0], doc) if len(parts) == 2 else self.below(request, parts[0], doc, parts[2])

    def collection(self, request: Request, end: str) -> tuple[int, Any]:
        if not TABLES[end].methods:
            raise Refused(404, {"detail": "The requested resource could not be found."})
        if request.method == "POST":
            return 201, self.store.told(end, self.store.save(end, request.body))
        if request.method != "GET":
            raise Refused(405, {"detail": f'Method "{request.method}" not allowed.'})
        known = {*TABLES[end].fields, *TABLES[end].refs, "id", "organization"}
        return 200, self.page(request, [self.store.told(end, doc) for doc in self.store.rows[end].values()], known)

    def detail(self, request: Request, end: str, doc: Json) -> tuple[int, Any]:
        if request.method == "PATCH":
            return 200, self.store.told(end, self.store.save(end, request.body, doc))
        if request.method == "DELETE":
            self.store.remove(end, doc["id"])
            return 204, None
        if request.method != "GET":
            raise Refused(405, {"detail": f'Method "{request.method}" not allowed.'})
        if end == "projects":
            self.store.sync(doc["id"])
        return 200, self.store.told(end, doc)

    def below(self, request: Request, end: str, doc: Json, name: str) -> tuple[int, Any]:
        if name == "survey_spec" and end in ("job_templates", "workflow_job_templates"):
            return self.survey(request, end, doc)
        if name in TABLES[end].links:
            return self.association(request, end, doc, name)
        if end == "workflow_job_templates" and name == "workflow_nodes" and request.method == "POST":
            return 201, self.node({**request.body, "workflow_job_template": doc["id"]})
        if end == "workflow_job_template_nodes" and name in EDGES and request.method == "POST":
            child = self.store.edge(doc, name, request.body)
            return (201, self.store.told(end, child)) if child else (204, None)
        if end == "workflow_job_template_nodes" and name == "create_approval_template" and request.method == "POST":
            approval = self.store.save("workflow_approval_templates", request.body)
            doc["unified_job_template"] = approval["id"]
            return 201, self.store.told("workflow_approval_templates", approval)
        raise Refused(404, {"detail": "The requested resource could not be found."})

    def node(self, body: Json) -> Json:
        return self.store.told("workflow_job_template_nodes", self.store.save("workflow_job_template_nodes", body))

    def survey(self, request: Request, end: str, doc: Json) -> tuple[int, Any]:
        if request.method == "POST":
            rules.check_survey(request.body)
            self.store.surveys[end, doc["id"]] = request.body
        elif request.method == "DELETE":
            self.store.surveys.pop((end, doc["id"]), None)
        else:
            return 200, self.store.surveys.get((end, doc["id"]), {})
        return 200, None

    def association(self, request: Request, end: str, doc: Json, name: str) -> tuple[int, Any]:
        if request.method == "POST":
            self.store.associate(end, doc["id"], name, request.body)
            return 204, None
        target = TABLES[end].links[name]
        rows = [self.store.told(target, self.store.rows[target][n]) for n in self.store.links.get((end, doc["id"], name), [])]
        return 200, self.page(request, rows, {"name"})

    def page(self, request: Request, rows: list[Json], known: set[str]) -> Json:
        query = dict(request.query)
        number, size = int(query.pop("page", 1)), min(int(query.pop("page_size", 25)), self.largest_page)
        for name, value in query.items():
            if name not in known:
                raise Refused(400, {"detail": f"Model has no field named '{name}'"})
            rows = [row for row in rows if str(row.get(name)) == value]
        following = {**query, "page": number + 1, "page_size": size}
        more = number * size < len(rows)
        return {
            "count": len(rows),
            "next": f"{request.path}?{urlencode(following)}" if more else None,
            "previous": None,
            "results": rows[(number - 1) * size : number * size],
        }


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    awx: AwxServer

    def respond(self) -> None:
        parts = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.awx.fault(len(self.awx.log) + 1, self.command, parts.path)
        if fault == "slow":
            time.sleep(self.awx.slow_s)
        if fault in ("500", "502", "503", "drop"):
            self.awx.log.append((self.command, parts.path, int(fault) if fault.isdecimal() else 0))
            self.send(int(fault), "<html>nginx</html>") if fault.isdecimal() else self.drop()
            return
        body = json.loads(text) if text else {}
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        status, document = self.awx.answer(Request(self.command, parts.path, dict(parse_qsl(parts.query)), body), token)
        if fault == "drop-after":
            self.drop()
            return
        self.send(status, "" if document is None else json.dumps(document))

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = respond

    def send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if text.startswith("<") else "application/json")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def drop(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, *args: Any) -> None:
        """Silence."""
