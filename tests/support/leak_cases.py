"""Where secrets are put: one task each, made from the options that the plugins document and from a scene for each plugin.

A plugin without a scene is an error, so that a new one is not forgotten.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import load_signer, load_trust

from tests.support import awx as awx_documents
from tests.support.leak_options import SPEAKS_OF_SECRET, Option, documented, entry_points, is_action, names, options
from tests.support.leak_place import CHANGE, Place
from tests.support.leak_servers import OF_IDENTITY

ODD = "\"'\\%/+:@ é"
"""Behind the mark of a seed: what quoting and escaping change, so that replacing the bare secret is not enough."""
Args = dict[str, Any]


class Seeds:
    """Unique secrets, each with a label that says where it was put."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self.labels: dict[str, str] = {}

    def new(self, label: str, tail: str = "") -> str:
        number = f"{len(self.labels):06d}"
        self.labels[number] = label
        return f"{self.mark}{number}{tail}"


@dataclass
class Case:
    """One task. ``secret`` is where its seeds are, ``outcome`` how it is to end."""

    plugin: str
    secret: str
    outcome: str
    args: Args
    check: bool = False
    diff: bool = True
    slow: bool = False
    proxied: bool = False
    action: str = ""

    @property
    def task(self) -> str:
        return self.action or f"odoo_ops.change_control.{self.plugin}"

    @property
    def name(self) -> str:
        return f"{self.plugin}: {self.secret}: {self.outcome}{' in check mode' if self.check else ''}"


@dataclass(frozen=True)
class Scene:
    """Arguments with which a plugin gets as far as it can; ``reaches`` is the outside system whose address is then varied."""

    plugin: str
    name: str
    make: Callable[[Maker], Args]
    reaches: str = ""


@dataclass
class Maker:
    """What a scene is made from: a place, fresh seeds, and where the outside systems are in this case."""

    place: Place
    seeds: Seeds
    about: str = ""
    tail: str = ""
    web: str = ""
    port: int = 1
    behaviour: str = "closed"
    keys: bool = True
    identities: Iterator[int] = field(default_factory=itertools.count)

    def seed(self, where: str) -> str:
        return self.seeds.new(f"{self.about}{where}", self.tail)

    def ledger(self, kind: str = "folder") -> Args:
        trust = {"ledger_key": str(self.place.key), "ledger_trusted": str(self.place.trusted)}
        if kind == "folder":
            return {"ledger": str(self.place.ledger), **trust}
        return {"ledger": "s3://records/ledger", **trust, "ledger_s3": self.s3("ledger_s3")}

    def s3(self, name: str) -> Args:
        return {"endpoint_url": self.web, **(self.s3_keys(name) if self.keys else {})}

    def s3_keys(self, name: str) -> Args:
        secret = self.seed(f"{name}.secret_key")
        identity = f"AKIA{secret[len(self.seeds.mark) :][:6]}"
        OF_IDENTITY[identity] = secret
        return {"access_key": identity, "secret_key": secret}

    def awx(self) -> Args:
        return {"url": self.web, **awx_documents.setup(token=self.seed("awx.token")), "timeout_s": 1}


# -- scenes ----------------------------------------------------------------------------------------------------------------
def approve(m: Maker, **more: Any) -> Args:
    people = {"requester": "ops-1", "executor": "ops-2", "approvals": [str(m.place.approvals)], "allowed_signers": str(m.place.signers)}
    return {"change": CHANGE, "digest": "sha256:" + "a" * 64, **people, **more}


def guard(m: Maker, **more: Any) -> Args:
    given = {"change": m.place.change(), "tenant": "acme", "purpose": "apply", "allowed_signers": str(m.place.signers)}
    return {**given, "executor": "ops-2", "calendars": [], **more}


def glass(m: Maker, state: str, **more: Any) -> Args:
    asked = {"grant": "BG-2026-0007", "requester": "ops-1", "reason": "An invoice run hangs", "incident": "INC-1", "executor": "ops-2"}
    return {"state": state, **(asked if state != "swept" else {}), **more}


def canary(m: Maker, **more: Any) -> Args:
    side = {"url": m.web, "host": "acme.example.org"}
    sides = {name: {**side, "headers": {"X-Mark": m.seed(f"{name}.headers")}} for name in ("baseline", "canary")}
    account = {"database": "acme", "login": "canary", "password": m.seed("password"), "api_key": m.seed("api_key")}
    return {"tenant": "acme", "change": CHANGE, **account, **sides, "ready_timeout_s": 0.2, "request_timeout_s": 1, "budget_s": 3, **more}


def reader(m: Maker) -> Args:
    login = {"login_password": m.seed("login_password")} if m.keys else {}
    return {"host": "127.0.0.1", "port": m.port, **login, "sslmode": "disable"}


def attachments(m: Maker, **store: Any) -> Args:
    return {"tenant": "acme", "database": "acme", **reader(m), **store}


def parameters(m: Maker) -> Args:
    return {"tenant": "acme", "database": "acme", "toggles": [{"parameter": "acme_billing.strict", "value": "warn"}], **reader(m)}


def checkpoint(m: Maker, state: str) -> Args:
    cluster = {"host": "127.0.0.1", "port": m.port, "admin_password": m.seed("admin_password")}
    stores = {"s3": m.s3("s3"), "filestore_s3": m.s3("filestore_s3")}
    what = {"tenant": "acme", "change": CHANGE, "database": "acme", "destination": "s3://restorepoints/acme"}
    return {"state": state, **what, **cluster, **stores, "filestore": {"bucket": "files"}, "stanza": "shared", "busy_timeout_s": 1}


def database(m: Maker) -> Args:
    password = {"admin_password": m.seed("admin_password")} if m.keys else {}
    who = {"host": "127.0.0.1", "port": m.port, "admin_user": "postgres", **password, "sslmode": "disable" if m.port % 2 else "prefer"}
    return {**who, "database": "acme", "owner": "odoo_acme", "owner_password": m.seed("owner_password"), "template": "template"}


def filestore(m: Maker) -> Args:
    secret = m.seed("secret_key")
    OF_IDENTITY[identity := m.seed("access_key")] = secret
    keys = {"access_key": identity, "secret_key": secret} if m.keys else {}
    return {"endpoint": m.web, **keys, "bucket": "files", "source": "template", "target": "acme"}


def objects(m: Maker, named: str = "odoo") -> list[Args]:
    where = {"name": named, "namespace": "acme"}
    values = {"stringData": {"PGPASSWORD": m.seed("objects Secret.stringData")}, "data": {"KEY": m.seed("objects Secret.data")}}
    notes = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": m.seed("objects Secret annotation")})}}
    return [{"apiVersion": "v1", "kind": "Secret", "metadata": {**where, **notes}, **values}]


def kube(m: Maker, **more: Any) -> Args:
    token = m.seeds.new(f"{m.about}token in the kubeconfig", m.tail if m.tail == "" else "")
    return {"kubeconfig": str(m.place.kubeconfig(m.web, token)), "objects": objects(m), "wait": False, **more}


def awx_objects(m: Maker) -> Args:
    hook = {"url": "https://hooks.example.org", "http_method": "POST", "headers": {}, "password": m.seed("objects notification password")}
    where = {"organization": "Odoo"}
    return {
        "organizations": [{"name": "Odoo"}],
        "credential_types": [
            {
                "name": "Ledger",
                "kind": "cloud",
                "inputs": {"fields": [{"id": "key", "label": "Key", "type": "string", "secret": True}]},
                "injectors": {"extra_vars": {"k": "{{ key }}"}},
            }
        ],
        "credentials": [{"name": "Ledger", "credential_type": "Ledger", **where, "inputs": {"key": m.seed("objects credential input")}}],
        "notification_templates": [{"name": "Hook", **where, "notification_type": "webhook", "notification_configuration": hook}],
    }


def backup_command(m: Maker) -> Args:
    return {"stanza": "shared", "config": str(m.place.secret_file("pgbackrest.conf", f"repo1-cipher-pass={m.seed('config')}\n"))}


def bundled(m: Maker) -> Args:
    return {"tenant": "acme", "location": str(m.place.scratch / "recovery"), "state": "verified"}


def rehearsed(m: Maker, kind: str = "folder") -> Args:
    return {**m.ledger(kind), "change": "CHG-2026-1", "digest": "sha256:1", "tenants": ["acme"]}


def access(m: Maker, system: str) -> Args:
    listed = m.place.secret_file("access.yml", 'schema: 1\nversion: "1"\nrights: []\n')
    return {"access": str(listed), "systems": [system], "tenants": m.place.tenant_at(m.behaviour) if system == "postgresql" else "acme"}


def sync_windows(m: Maker) -> Args:
    token = m.seeds.new(f"{m.about}token in the kubeconfig")
    return {"project": "odoo", "kubeconfig": str(m.place.kubeconfig(m.web, token)), "calendars": []}


def workload(m: Maker, **how: Any) -> Args:
    return {"prometheus": {"url": m.web, "timeout_s": 1, **how}, "tenants": ["acme"]}


def ticket(m: Maker, system: str) -> Args:
    token = m.place.secret_file("token", m.seeds.new(f"{m.about}ticket.token_file"))
    where = {"system": system, "url": m.web, "user": "robot", "token_file": str(token), "timeout_s": 1}
    return {**m.ledger(), "change": CHANGE, "id": "OPS-17", "ticket": where}


def traffic(m: Maker, **how: Any) -> Args:
    return {"prometheus": {"url": m.web, "timeout_s": 1, **how}, "state": "reachable", "selectors": {"service": "odoo-acme"}}


def token_of(m: Maker, where: str) -> str:
    return str(m.place.secret_file("token", m.seeds.new(f"{m.about}{where}.token_file")))


def annotated(m: Maker, whom: str) -> Args:
    """A change that has begun, in a ledger of its own: of another one there is nothing to tell."""
    folder = m.place.inputs / "begun"
    if not folder.exists():
        ledger = Ledger(DirectoryStore(folder), trust=load_trust(m.place.trusted), signer=load_signer(m.place.key))
        plan = {"class": "normal", "change": {"domain": "application", "environment": "production"}, "tenants": {"acme": {}}}
        for event, tenant, evidence in (("planned", None, {"plan": plan}), ("started", "acme", {})):
            ledger.append(CHANGE, event, actor="ops-2", at=dt.datetime.now(dt.UTC), tenant=tenant, evidence=evidence)
    where = {"url": m.web, "token_file": token_of(m, whom), "timeout_s": 1, **({"user": "robot"} if whom == "pushgateway" else {})}
    return {"ledger": str(folder), "ledger_trusted": str(m.place.trusted), "change": CHANGE, whom: where}


def record(m: Maker, state: str, **more: Any) -> Args:
    what = {"recorded": {"event": "rehearsed", "evidence": {"minutes": 4}}, "latest": {"series": "CHG", "event": "rehearsed"}}
    return {"state": state, **({} if state == "latest" else {"change": CHANGE}), **what.get(state, {}), **more}


SCENES = [
    Scene("awx_apply", "AWX", lambda m: {"url": m.web, "token": m.seed("token"), "objects": awx_objects(m), "timeout_s": 1}, "web"),
    Scene("change_approve", "approvals in AWX", lambda m: {**m.ledger(), **approve(m, awx=m.awx())}, "web"),
    Scene("change_approve", "ledger on S3", lambda m: {**m.ledger("s3"), **approve(m)}, "s3"),
    Scene("change_guard", "launchers in AWX", lambda m: {**m.ledger(), **guard(m, awx=m.awx())}, "web"),
    Scene("change_guard", "ledger on S3", lambda m: {**m.ledger("s3"), **guard(m)}, "s3"),
    Scene("change_plan", "ledger on S3", lambda m: {**m.ledger("s3"), "change": m.place.change(), "current": m.place.current}, "s3"),
    Scene("change_record", "write to S3", lambda m: {**m.ledger("s3"), **record(m, "recorded")}, "s3"),
    Scene("change_record", "verify on S3", lambda m: {**m.ledger("s3"), **record(m, "verified")}, "s3"),
    Scene("change_debts", "ledger on S3", lambda m: m.ledger("s3"), "s3"),
    Scene("break_glass", "ledger on S3", lambda m: {**m.ledger("s3"), **glass(m, "opened", tenants="acme", postgresql="none")}, "s3"),
    Scene("break_glass", "clusters", lambda m: {**m.ledger(), **glass(m, "read", tenants=m.place.tenant_at(m.behaviour))}, "postgres"),
    Scene(
        "rehearsal_check",
        "ledger on S3",
        lambda m: rehearsed(m, "s3"),
        "s3",
    ),
    Scene("staging_check", "ledger on S3", lambda m: {**m.ledger("s3"), "image": m.place.current["acme"]}, "s3"),
    Scene("drill_due", "ledger on S3", lambda m: {**m.ledger("s3"), "tenants": "acme"}, "s3"),
    Scene("change_ticket", "Jira", lambda m: ticket(m, "jira"), "web"),
    Scene("change_ticket", "ServiceNow", lambda m: ticket(m, "servicenow"), "web"),
    Scene("workload_check", "Prometheus", lambda m: workload(m, headers={"Authorization": m.seed("prometheus.headers")}), "web"),
    Scene("traffic_check", "Prometheus", lambda m: traffic(m, headers={"Authorization": m.seed("prometheus.headers")}), "web"),
    Scene("traffic_check", "Prometheus, a token in a file", lambda m: traffic(m, token_file=token_of(m, "prometheus")), "web"),
    Scene("release_annotate", "Grafana", lambda m: annotated(m, "grafana"), "web"),
    Scene("release_annotate", "Pushgateway", lambda m: annotated(m, "pushgateway"), "web"),
    Scene("sync_windows_check", "Kubernetes", sync_windows, "web"),
    Scene("access_review", "clusters", lambda m: access(m, "postgresql"), "postgres"),
    Scene("tenant_database", "cluster", database, "postgres"),
    Scene("tenant_checkpoint", "cluster", lambda m: checkpoint(m, "absent"), "postgres"),
    Scene("tenant_checkpoint", "object store", lambda m: checkpoint(m, "restored"), "s3"),
    Scene("tenant_filestore", "object store", filestore, "s3"),
    Scene("filestore_verify", "cluster", lambda m: attachments(m, path=str(m.place.root)), "postgres"),
    Scene("filestore_verify", "object store", lambda m: attachments(m, bucket="filestore", s3=m.s3("s3")), "s3"),
    Scene("filestore_verify", "memory", lambda m: attachments(m, path=str(m.place.root), depth="checksums", state=str(m.place.root / "m"))),
    Scene(
        "pg_backup_verify",
        "memory in a bucket",
        lambda m: {**backup_command(m), "command": str(m.place.tool), "state": "s3://memory/acme", "state_s3": m.s3("state_s3")},
        "s3",
    ),
    Scene(
        "filestore_verify",
        "memory in a bucket",
        lambda m: attachments(m, path=str(m.place.root), depth="checksums", state="s3://memory/acme", state_s3=m.s3("state_s3")),
        "s3",
    ),
    Scene("tenant_dump", "cluster", lambda m: {"database": "acme", "location": str(m.place.exports), **reader(m)}, "postgres"),
    Scene(
        "pg_backup_verify",
        "object store",
        lambda m: {"engine": "dump", "database": "acme", "location": "s3://dumps", "s3": m.s3("s3")},
        "s3",
    ),
    Scene("recovery_check", "cluster", lambda m: {"stanza": "shared", "max_rto": "PT1H", **reader(m)}, "postgres"),
    Scene("toggle_check", "cluster", parameters, "postgres"),
    Scene("tenant_apply", "Kubernetes", kube, "web"),
    Scene("odoo_canary", "Odoo", canary, "web"),
    Scene("odoo_canary", "Odoo, smoke", lambda m: canary(m, mode="smoke", rounds=1), "web"),
    Scene(
        "odoo_canary",
        "its record",
        lambda m: canary(m, mode="record", record="s3://canaries/acme", record_s3=m.s3("record_s3")),
        "s3",
    ),
    Scene("pg_backup_verify", "pgBackRest", lambda m: {**backup_command(m), "command": str(m.place.tool)}),
    Scene("recovery_bundle", "nothing there", bundled),
    Scene("restore_drill", "pgBackRest", lambda m: {**backup_command(m), "command": str(m.place.tool), "scratch": str(m.place.scratch)}),
    Scene("blackout_check", "calendars", lambda m: {"tenants": ["acme"], "calendars": [], "duration": "PT1H"}),
    Scene("change_plan", "validated", lambda m: {**m.ledger(), "change": m.place.change(), "state": "validated"}),
    Scene("change_plan", "planned", lambda m: {**m.ledger(), "change": m.place.change(), "current": m.place.current}),
    Scene("change_plan", "recorded", lambda m: {**m.ledger(), "change": m.place.change(), "state": "recorded"}),
    *(
        Scene("change_record", state, lambda m, state=state: {**m.ledger(), **record(m, state, dest=str(m.place.exports))})
        for state in ("recorded", "read", "verified", "latest", "shown", "exported")
    ),
    Scene("change_debts", "read", lambda m: m.ledger()),
    Scene("rehearsal_check", "never rehearsed", rehearsed),
    Scene("staging_check", "never there", lambda m: {**m.ledger(), "image": m.place.current["acme"]}),
    Scene("drill_due", "no drill", lambda m: {**m.ledger(), "tenants": "acme"}),
    Scene("source_check", "no repository", lambda m: {"path": str(m.place.inputs)}),
    Scene("readiness_check", "not a plan", lambda m: {"plan": {"change": {"id": CHANGE}}}),
    Scene("access_review", "Kubernetes refuses", lambda m: access(m, "kubernetes")),
    Scene("change_ticket", "a file", lambda m: {**m.ledger(), "change": CHANGE, "ticket": {"path": str(m.place.exports)}}),
    Scene("change_debts", "opened", lambda m: {**m.ledger(), "state": "opened", "change": CHANGE, "within": "PT4H", "reason": "urgent"}),
    Scene("change_guard", "state", lambda m: {**m.ledger(), **guard(m, purpose="state")}),
    Scene("change_guard", "apply", lambda m: {**m.ledger(), **guard(m)}),
    Scene("change_approve", "nobody approved", lambda m: {**m.ledger(), **approve(m)}),
    Scene("change_approve", "AWX says yes", lambda m: {**m.ledger(), **approve(m, awx=m.place.good_awx())}),
    Scene("awx_apply", "AWX takes it", lambda m: {**m.place.good_awx_apply(), "objects": awx_objects(m), "renew_secrets": True}),
    Scene("tenant_apply", "Kubernetes takes it", lambda m: kube(m, kubeconfig=m.place.good_kubeconfig())),
    Scene("tenant_apply", "read", lambda m: kube(m, kubeconfig=m.place.good_kubeconfig(), state="read")),
    Scene("break_glass", "asked for", lambda m: {**m.ledger(), **glass(m, "opened", tenants="acme", postgresql="none")}),
    Scene("odoo_canary", "predicted", canary),
]


# -- cases -----------------------------------------------------------------------------------------------------------------
SLOW = {"500", "503", "drop", "silent", "closed"}
"""Behaviours after which a client asks again, so that one case takes seconds: one of each is enough."""
MODES = ((False, True), (True, True), (False, False))


GROUPS = ("successes", "answers", "shapes", "addresses", "slips", "siblings", "contents", "roles", "proxies")


class Cases:
    """All cases at one place. ``web`` and ``ports`` are the careless servers by behaviour."""

    def __init__(self, place: Place, seeds: Seeds, web: Mapping[str, str], ports: Mapping[str, int]) -> None:
        self.place, self.seeds, self.web, self.ports = place, seeds, web, ports
        if missing := set(names()) - {scene.plugin for scene in SCENES}:
            raise LookupError(f"no scene for {', '.join(sorted(missing))}: write one in tests/support/leak_cases.py")

    def all(self, groups: Sequence[str]) -> list[Case]:
        return [case for group in groups for case in getattr(self, group)()]

    def maker(self, about: str, *, tail: str = "", behaviour: str = "closed", **more: Any) -> Maker:
        where = {"web": self.web.get(behaviour, self.web["closed"]), "port": self.ports.get(behaviour, 1), "behaviour": behaviour}
        return Maker(self.place, self.seeds, f"{about}: ", tail, **{**where, **more})

    def base(self, plugin: str, about: str, *, tail: str = "") -> Args:
        """The arguments of the plugin's last scene that needs no server, else of its first one with nobody there."""
        scenes = [scene for scene in SCENES if scene.plugin == plugin]
        chosen = next((scene for scene in scenes if not scene.reaches), scenes[0])
        return chosen.make(self.maker(about, tail=tail))

    # -- how it ends ---------------------------------------------------------------------------------------------------------
    def successes(self) -> Iterator[Case]:
        """What can be done without a site: check mode first, then for real, then once more."""
        for scene in SCENES:
            if not scene.reaches:
                for check, diff in ((True, True), (False, True), (False, True), (True, False)):
                    about = f"{scene.plugin} ({scene.name})"
                    yield Case(scene.plugin, "all secrets", scene.name, scene.make(self.maker(about)), check, diff)

    def answers(self) -> Iterator[Case]:
        """Each server in each behaviour; with odd secrets as well, and with those of the environment."""
        for scene in SCENES:
            for behaviour in (self.ports if scene.reaches == "postgres" else self.web) if scene.reaches else ():
                if behaviour == "kube":
                    continue
                slow = behaviour in SLOW
                variants = [("", mode, True) for mode in (MODES[:1] if slow else MODES if is_action(scene.plugin) else MODES[:2])]
                variants += [] if slow else [(ODD, mode, True) for mode in MODES[:2]]
                if scene.reaches in ("s3", "postgres") and not slow:
                    variants.append(("", MODES[0], False))
                for tail, (check, diff), keys in variants:
                    about = f"{scene.plugin} ({scene.name}) at a server that does {behaviour}"
                    args = scene.make(self.maker(about, tail=tail, behaviour=behaviour, keys=keys))
                    secret = ("odd secrets" if tail else "plain secrets") if keys else "secrets of the environment"
                    yield Case(scene.plugin, f"{secret} ({scene.name})", behaviour, args, check, diff, slow)

    def proxies(self) -> Iterator[Case]:
        """A proxy with a password in its address, from the environment."""
        for scene in SCENES:
            if scene.reaches in ("web", "s3"):
                about = f"{scene.plugin} ({scene.name}) through a proxy"
                for url in ("https://host.invalid", "http://host.invalid"):
                    args = scene.make(self.maker(about, web=url))
                    yield Case(scene.plugin, f"secrets ({scene.name})", f"proxy to {url}", args, slow=True, proxied=True)

    # -- how it is written ---------------------------------------------------------------------------------------------------
    def shapes(self) -> Iterator[Case]:
        """A secret in a value of another type than wanted, at its option and at the options around it."""
        for option in self._options(lambda option: option.no_log or option.looks_secret):
            for number in range(len(shapes_of("")) - (option.kind == "dict")):
                yield self._put(option, "shape", shapes_of, number)
        for option in self._options(self._holds_a_secret):
            for number in range(len(parents_of(""))):
                yield self._put(option, "mapping", parents_of, number)

    def addresses(self) -> Iterator[Case]:
        """An address with a password in every option that is free text, a path, a list or a mapping."""
        turn = itertools.count()
        for option in self._options(lambda option: not option.no_log and not option.closed and not self._suboptions(option)):
            fitting, every = functools.partial(fitted, option), range(len(addresses_of("")))
            # a module costs a process, and refuses all of them in one place: one of the addresses for each option
            for number in every if is_action(option.plugin) else [next(turn) % len(every)]:
                yield self._put(option, "address", lambda seed, fit=fitting: [fit(text) for text in addresses_of(seed)], number)

    def slips(self) -> Iterator[Case]:
        """A secret under a name that is misspelt."""
        for option in self._options(lambda option: option.no_log or option.looks_secret):
            for slip in (option.path[-1][:-2] + option.path[-1][-1], option.path[-1].replace("_", "") + "s", option.path[-1].upper()):
                about = f"{option} misspelt as {slip}"
                args = self.base(option.plugin, about, tail=ODD)
                seed = self.seeds.new(about)
                yield Case(option.plugin, str(option), f"misspelt as {slip}", placed(args, option, seed, name=slip))

    def siblings(self) -> Iterator[Case]:
        """Every other option wrong or absent, while the secrets are right."""
        for plugin in names():
            for name, entry in documented(plugin).items():
                about = f"{plugin} with a wrong {name}"
                if entry.get("type", "str") in ("int", "float", "bool", "dict", "list") or "choices" in entry:
                    args = self.base(plugin, about, tail=ODD)
                    yield Case(plugin, "all secrets", f"{name} is wrong", {**args, name: "nonsense"})
                if entry.get("required"):
                    args = self.base(plugin, about, tail=ODD)
                    args.pop(name, None)
                    yield Case(plugin, "all secrets", f"{name} is not given", args)

    def contents(self) -> Iterator[Case]:
        """Files that hold secrets, and that cannot be read or understood."""
        for option in self._options(lambda option: option.kind in ("path", "raw") or option.elements in ("path", "raw")):
            for kind in ("words", "mapping", "broken", "pem", "folder", "binary", "json"):
                about = f"{option} is a file with a secret ({kind})"
                path = str(self.place.file_of(kind, self.seeds.new(about)))
                value: Any = [path] if option.kind == "list" else path
                yield Case(option.plugin, str(option), f"file: {kind}", placed(self.base(option.plugin, about), option, value))
        for number, text in enumerate(self.place.kubeconfigs(lambda where: self.seeds.new(f"kubeconfig: {where}"), self.web)):
            path = str(self.place.secret_file(f"kubeconfig-{number}", text))
            for check in (False, True):
                args = {**self.base("tenant_apply", f"kubeconfig {number}"), "kubeconfig": path}
                yield Case("tenant_apply", "kubeconfig", f"kubeconfig {number}", args, check)

    def roles(self) -> Iterator[Case]:
        """Inputs of roles in a wrong type: Ansible checks them and tells what is wrong."""
        for entry, inputs in entry_points().items():
            for name, spec in inputs.items():
                of_some_type = spec.get("type") in ("dict", "list", "raw") or (SPEAKS_OF_SECRET.search(name) and spec.get("type") != "bool")
                if not (spec.get("no_log") or of_some_type):
                    continue
                for number in range(len(parents_of(""))):
                    seed = self.seeds.new(f"role {entry}: {name} as mapping {number}")
                    args = {"argument_spec": {name: spec}, "provided_arguments": {name: parents_of(seed)[number]}}
                    yield Case(f"role {entry}", name, f"mapping {number}", args, action="ansible.builtin.validate_argument_spec")

    # -- tools ---------------------------------------------------------------------------------------------------------------
    def _options(self, wanted: Callable[[Option], bool]) -> Iterator[Option]:
        for plugin in names():
            yield from (option for option in options(plugin) if wanted(option) and not (option.exempt and option.kind == "bool"))

    def _suboptions(self, option: Option) -> bool:
        return any(len(o.path) > len(option.path) and o.path[: len(option.path)] == option.path for o in options(option.plugin))

    def _holds_a_secret(self, option: Option) -> bool:
        below = (o for o in options(option.plugin) if len(o.path) > len(option.path) and o.path[: len(option.path)] == option.path)
        return any(o.no_log or o.looks_secret for o in below)

    def _put(self, option: Option, kind: str, values: Callable[[str], list[Any]], number: int) -> Case:
        """One of the values that a seed makes; every other one in check mode."""
        about = f"{option} as {kind} {number}"
        args = placed(self.base(option.plugin, about), option, values(self.seeds.new(about))[number])
        return Case(option.plugin, str(option), f"{kind} {number}", args, check=bool(number % 2))


def shapes_of(seed: str) -> list[Any]:
    """The last one has a secret for a name, which is no secret where a mapping is wanted."""
    return [{"a": seed}, [seed], {"a": {"b": [seed]}}, [[{"a": seed}]], f'{{"a": "{seed}', f"a={seed} b", {seed: 1}]


def parents_of(seed: str) -> list[Any]:
    known = {"secret_key": seed, "token": seed, "url": "http://127.0.0.1:9", "headers": {"A": seed}}
    return [
        seed,
        [seed],
        [{"secret_key": seed}],
        {"unknown": seed},
        known,
        json.dumps(known),
        f"secret_key={seed} token={seed}",
        f"secret_key: {seed}",
        {"secret_key": seed, "region": {"a": 1}, "timeout_s": "nonsense"},
        {"secret_key": {"a": seed}, "token": {"a": seed}, "headers": seed, "url": "http://127.0.0.1:9"},
    ]


def addresses_of(seed: str) -> list[str]:
    odd = quote(seed + ODD, safe="")
    return [f"https://robot:{seed}@127.0.0.1:9/x", f"postgresql://robot:{odd}@127.0.0.1/x?a=b", f"s3://robot:{seed}@records/x"]


def fitted(option: Option, text: str) -> Any:
    """The text as a value of the option's type."""
    if option.kind == "dict":
        return {"note": text, "more": [{"note": text}]}
    if option.kind == "list":
        return [{"note": text}] if option.elements == "dict" else [text]
    return text


def placed(args: Args, option: Option, value: Any, *, name: str = "") -> Args:
    """The arguments with the value at the option's place, or under another name beside it."""
    out = copy.deepcopy(args)
    place = out
    kinds: Sequence[str] = [_kind(option, depth) for depth in range(1, len(option.path))]
    for word, kind in zip(option.path[:-1], kinds, strict=True):
        if kind == "list":
            place[word] = place.get(word) or [{}]
            place = place[word][0]
        else:
            if not isinstance(place.get(word), dict):
                place[word] = {}
            place = place[word]
    if name:
        place.pop(option.path[-1], None)
    place[name or option.path[-1]] = value
    return out


def _kind(option: Option, depth: int) -> str:
    return next(o.kind for o in options(option.plugin) if o.path == option.path[:depth])
