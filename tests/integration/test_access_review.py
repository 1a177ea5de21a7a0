"""access_review against a real PostgreSQL, real keys, and a stand-in for the Kubernetes API that answers lists as it does."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import create_key

from tests.lab.distribution import postgres_bin
from tests.lab.site import as_user, free_port, wait_for
from tests.support.ansible import command, environment, parse
from tests.support.approvers import People
from tests.support.small_cluster import USER

RBAC = "/apis/rbac.authorization.k8s.io/v1"
OPERATOR = {
    "kind": "ClusterRole",
    "metadata": {"name": "odoo-operator"},
    "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
}
LISTS: dict[str, list[dict[str, Any]]] = {
    "rolebindings": [
        {
            "metadata": {"name": "ops", "namespace": "odoo-acme"},
            "roleRef": {"kind": "ClusterRole", "name": "odoo-operator"},
            "subjects": [{"kind": "User", "name": "operator"}],
        }
    ],
    "clusterrolebindings": [],
    "roles": [],
    "clusterroles": [OPERATOR, {"kind": "ClusterRole", "metadata": {"name": "unbound"}, "rules": []}],
}
KINDS = {"rolebindings": "RoleBinding", "clusterrolebindings": "ClusterRoleBinding", "roles": "Role", "clusterroles": "ClusterRole"}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A cluster with the roles of a tenant, of its administrator and of nobody else."""
    home, programs, number = Path(tempfile.mkdtemp(prefix="access-review-")), postgres_bin(), free_port()
    if USER:
        shutil.chown(home, USER, USER)
    made = [*as_user(USER), str(programs / "initdb"), "-D", str(home / "data"), "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run(made, cwd="/", check=True, capture_output=True, stdin=subprocess.DEVNULL)
    argv = [*as_user(USER), str(programs / "postgres"), "-D", str(home / "data"), "-p", str(number), "-k", str(home)]
    argv += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "shared_buffers=16MB"]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(argv, stdout=log, stderr=log, cwd="/")
    try:
        wait_for(lambda: connect(number).close() is None, what="PostgreSQL", timeout_s=60)
        with connect(number) as db:
            db.execute("CREATE ROLE odoo_acme LOGIN")
        yield number
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(home)


def connect(port: int) -> psycopg.Connection[Any]:
    return psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres", autocommit=True)


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.partition("?")[0].removeprefix(RBAC).strip("/")
            resources = [{"name": plural, "kind": kind, "namespaced": not plural.startswith("cluster")} for plural, kind in KINDS.items()]
            body = {"resources": resources} if not name else {"items": LISTS[name], "metadata": {}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_args: Any) -> None:
            """Quiet."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Place:
    def __init__(self, root: Path, port: int, api: str) -> None:
        self.root, self.port = root, port
        self.people = People(root)
        (root / "signers").write_text(f"alice {(root / 'alice.pub').read_text()}")
        self.key = create_key(root / "ledger.pem").keyid
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": api}}],
            "users": [{"name": "u", "user": {"token": "t"}}],
        }
        (root / "kubeconfig").write_text(yaml.safe_dump(config))
        tenant = {
            "ansible_connection": "local",
            "tenant_database_host": "127.0.0.1",
            "tenant_database_port": port,
            "tenant_database_admin_user": "postgres",
            "tenant_database_admin_password": "x",
            "tenant_database_name": "acme",
            "tenant_database_owner": "odoo_acme",
            "tenant_namespace": "odoo-acme",
            "tenant_kubeconfig": str(root / "kubeconfig"),
        }
        (root / "hosts.json").write_text(json.dumps({"all": {"hosts": {"acme": tenant, "zeta": tenant}}}))
        self.allow(self.wanted())

    def wanted(self) -> list[dict[str, Any]]:
        where = f"127.0.0.1:{self.port}"
        postgres = [{"system": "postgresql", "where": where, "subject": "postgres", "right": "*"}]
        postgres += [{"system": "postgresql", "where": where, "subject": "odoo_*", "right": "login", "required": True}]
        kubernetes = [
            {"system": "kubernetes", "where": "odoo-*", "subject": "User:operator", "right": "ClusterRole/odoo-operator"},
            {"system": "kubernetes", "where": "cluster", "subject": "ClusterRole/odoo-operator", "right": "get core: pods"},
        ]
        files = [{"system": "ledger", "where": "trusted", "subject": self.key, "right": "sign"}]
        files += [{"system": "approvals", "where": "allowed_signers", "subject": "alice", "right": "sign with SHA256:*"}]
        files += [{"system": "approvals", "where": "groups", "subject": "alice", "right": "dba"}]
        return [*postgres, *kubernetes, *files]

    def allow(self, rights: list[dict[str, Any]]) -> None:
        (self.root / "access.yml").write_text(yaml.safe_dump({"schema": 1, "version": "1", "rights": rights}))

    def args(self, **other: Any) -> dict[str, Any]:
        return {
            "access": str(self.root / "access.yml"),
            "tenants": "acme,zeta",
            "ledger_trusted": str(self.root / "ledger.pem.pub"),
            "allowed_signers": str(self.root / "signers"),
            "approver_groups": {"dba": ["alice"]},
            "enforce": False,
            **other,
        }

    def review(self, **other: Any) -> dict[str, Any]:
        argv = [*command("access_review", self.args(**other)), "-i", str(self.root / "hosts.json")]
        done = subprocess.run(argv, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
        return {"failed": done.returncode != 0, **parse(done.stdout)}


@pytest.fixture
def place(tmp_path: Path, port: int, api: str) -> Place:
    return Place(tmp_path, port, api)


def codes(result: dict[str, Any]) -> dict[str, str]:
    return {c["id"]: c["code"] for c in result["evidence"]["checks"] if c["ok"] is not True}


def test_rights_that_are_all_wanted(place: Place) -> None:
    result = place.review()
    assert (result["verdict"], codes(result)) == ("pass", {}), result
    told = {(right["subject"], right["right"]) for right in result["rights"]}
    assert {("postgres", "superuser"), ("odoo_acme", "login"), ("User:operator", "ClusterRole/odoo-operator"), ("alice", "dba")} <= told
    assert not [right for right in result["rights"] if right["subject"].endswith("unbound")], "a role that nobody has gives nothing"


@pytest.fixture
def stranger(port: int) -> Iterator[None]:
    with connect(port) as db:
        db.execute("CREATE ROLE mallory LOGIN CREATEROLE")
        db.execute("GRANT odoo_acme TO mallory WITH ADMIN OPTION")
        yield
        db.execute("DROP ROLE mallory")


@pytest.mark.usefixtures("stranger")
def test_a_role_that_nobody_wanted(place: Place) -> None:
    result = place.review(enforce=True)
    assert result["failed"]
    assert codes(result) == {"access_postgresql": "EXCESS_RIGHT"}
    for right in ("mallory: createrole", "mallory: login", "mallory: member of odoo_acme, may grant it"):
        assert right in result["msg"]


Edit = Callable[[Place], Any]


@pytest.mark.parametrize(
    ("edit", "other", "wanted"),
    [
        pytest.param(lambda p: p.allow(p.wanted()[:-1]), {}, {"access_approvals": "EXCESS_RIGHT"}, id="a-member-of-a-group"),
        pytest.param(
            lambda p: (p.root / "signers").write_text((p.root / "signers").read_text() + f"bob {(p.root / 'bob.pub').read_text()}"),
            {},
            {"access_approvals": "EXCESS_RIGHT"},
            id="a-signer-more",
        ),
        pytest.param(
            lambda p: p.allow([*p.wanted(), {"system": "ledger", "where": "trusted", "subject": "old", "right": "sign", "required": True}]),
            {},
            {"access_ledger_required": "MISSING_RIGHT"},
            id="a-key-is-gone",
        ),
        pytest.param(
            lambda p: p.allow([e for e in p.wanted() if e["subject"] != "ClusterRole/odoo-operator"]),
            {},
            {"access_kubernetes": "EXCESS_RIGHT"},
            id="what-a-role-lets-do",
        ),
        pytest.param(lambda _p: None, {"allowed_signers": "/nonexistent"}, {"access_approvals": "NOT_READ"}, id="no-signers"),
        pytest.param(lambda _p: None, {"approver_groups": {"dba": "alice"}}, {"access_approvals": "NOT_READ"}, id="no-groups"),
        pytest.param(lambda p: (p.root / "ledger.pem.pub").unlink(), {}, {"access_ledger": "NOT_READ"}, id="no-keys"),
        pytest.param(lambda p: (p.root / "kubeconfig").write_text("{}"), {}, {"access_kubernetes": "NOT_READ"}, id="no-cluster"),
    ],
)
def test_each_difference_and_what_cannot_be_read(place: Place, edit: Edit, other: dict[str, Any], wanted: dict[str, str]) -> None:
    edit(place)
    result = place.review(**other)
    assert codes(result) == wanted, result["msg"]
    assert result["verdict"] == ("unknown" if "NOT_READ" in wanted.values() else "fail")


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        ({"tenants": None}, "tenants (for kubernetes)"),
        ({"tenants": "nosuch"}, "matches no tenant"),
        ({"access": "/nonexistent"}, "access /nonexistent: cannot be read"),
    ],
)
def test_bad_options(place: Place, other: dict[str, Any], wanted: str) -> None:
    result = place.review(**other)
    assert result["failed"]
    assert wanted in result["msg"]


def test_the_playbook_writes_the_rights_and_fails_for_one_too_many(place: Place) -> None:
    variables = {
        "change_access": str(place.root / "access.yml"),
        "change_ledger_trusted": str(place.root / "ledger.pem.pub"),
        "change_allowed_signers": str(place.root / "signers"),
        "change_approver_groups": {"dba": ["alice"]},
        "access_review_export": str(place.root / "rights.json"),
    }

    def run(*args: str) -> tuple[int, str]:
        argv = [str(Path(sys.executable).parent / "ansible-playbook"), "odoo_ops.change_control.access_review"]
        argv += ["-i", str(place.root / "hosts.json"), "-e", json.dumps(variables), *args]
        env = environment({"ANSIBLE_STDOUT_CALLBACK": "default"})
        done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
        return done.returncode, done.stdout + done.stderr

    assert run("--check")[0] == 0
    assert not (place.root / "rights.json").exists()
    code, out = run()
    assert code == 0, out
    assert {"system": "approvals", "where": "groups", "subject": "alice", "right": "dba"} in json.loads(
        (place.root / "rights.json").read_text()
    )
    code, out = run()
    assert "changed=0" in out, out
    place.allow(place.wanted()[1:])
    code, out = run()
    assert code != 0
    assert "postgres: createrole" in out
