"""Break-glass against real PostgreSQL clusters and a real Kubernetes API: what is granted, what is not, and that nothing is left."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.action.break_glass import STATES, ActionModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import approval_document
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import passfile, postgres_access, signing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import Kube
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils import _break_glass
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._debts import open_debts
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger, os_user

from tests.lab.kubernetes.api import Api
from tests.lab.kubernetes.control_plane import Cluster
from tests.lab.parts.postgres import connect
from tests.lab.site import Site
from tests.support.ansible import environment

pytestmark = pytest.mark.lab

PARTS = ["postgres", "kubernetes"]

RULES = yaml.safe_load((Path(__file__).parents[2] / "roles/break_glass/defaults/main.yml").read_text())["break_glass_kubernetes"]
NUMBERS = count(int(time.time()))
TENANTS = {"bgacme": "shared", "bgzeta": "shared", "bgsolo": "dedicated"}
Json = dict[str, Any]


class World:
    """Three tenants on two clusters, keys of three people, a ledger; and everything that a person with a grant can try."""

    def __init__(self, site: Site, root: Path) -> None:
        self.site, self.root = site, root
        cluster = Cluster.of(site)
        self.api = Api(cluster.server, cluster.tokens["lab-admin"], str(cluster.ca))
        signing.create_key(root / "ledger.pem")
        lines = []
        for person in ("alice", "bob"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", person, "-f", str(root / person)], check=True)
            lines.append(f"{person} {(root / f'{person}.pub').read_text()}")
        (root / "signers").write_text("".join(lines))
        self.hostvars = {name: self.variables(name) for name in TENANTS}

    def cluster(self, tenant: str) -> Json:
        return dict(self.site.facts("postgres")["clusters"][TENANTS[tenant]])

    def variables(self, name: str) -> Json:
        cluster = self.cluster(name)
        return {
            "tenant_database_host": cluster["host"],
            "tenant_database_port": cluster["port"],
            "tenant_database_admin_user": "postgres",
            "tenant_database_admin_password": cluster["admin_password"],
            "tenant_database_name": name,
            "tenant_database_owner": f"odoo_{name}",
            "tenant_namespace": f"odoo-{name}",
            "tenant_kubeconfig": self.site.facts("kubernetes")["kubeconfig"],
        }

    # -- the tenants -----------------------------------------------------------------------------------------------------
    def build(self) -> None:
        self.clear()
        for name in TENANTS:
            with connect(self.cluster(name)) as db:
                db.execute(f"CREATE ROLE odoo_{name} LOGIN PASSWORD 'owner-of-{name}'")
                db.execute(f"CREATE DATABASE {name} OWNER odoo_{name} TEMPLATE template0")
                db.execute(f"REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC")
            with connect(self.cluster(name), name) as db:
                db.execute(f"SET ROLE odoo_{name}")
                db.execute("CREATE TABLE account_move (id serial PRIMARY KEY, total numeric)")
                db.execute("INSERT INTO account_move (total) VALUES (17)")
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"odoo-{name}"}}
            if self.api.call("GET", f"/api/v1/namespaces/odoo-{name}")[0] == 404:
                self.api.call("POST", "/api/v1/namespaces", namespace)

    def clear(self) -> None:
        self.clear_access()
        for name in TENANTS:
            with connect(self.cluster(name)) as db:
                db.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
                db.execute(f"DROP ROLE IF EXISTS odoo_{name}")

    def clear_access(self) -> None:
        for server in ("shared", "dedicated"):
            cluster = self.site.facts("postgres")["clusters"][server]
            with connect(cluster) as db:
                for (role,) in db.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^break_glass_'").fetchall():
                    db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [role])
                    for (name,) in db.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall():
                        with connect(cluster, name) as inside:
                            inside.execute(f"DROP OWNED BY {role}")
                    db.execute(f"DROP ROLE {role}")
        for kind in ("rolebindings", "roles"):
            for name in TENANTS:
                self.api.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/odoo-{name}/{kind}")

    # -- the task, without Ansible around it ----------------------------------------------------------------------------
    def ledger_args(self) -> Json:
        return {"ledger": str(self.root / "ledger"), "ledger_key": str(self.root / "ledger.pem"), "ledger_trusted": None, "ledger_s3": None}

    def ledger(self) -> Ledger:
        return open_ledger(self.ledger_args())

    def run(self, state: str, grant: str = "", *, at: dt.datetime | None = None, check: bool = False, **more: Any) -> Json:
        given = {
            "grant": grant,
            "tenants": "bgacme",
            "requester": "alice",
            "reason": "stuck invoice queue",
            "incident": "INC-4711",
            "kubernetes": RULES,
            "password_file": str(self.root / f"{grant}.pgpass"),
            "approvals": str(self.root / grant),
            "allowed_signers": str(self.root / "signers"),
            "enforce": False,
            **more,
        }
        args = {name: given.get(name, spec.get("default")) for name, spec in ActionModule.SPEC.items()}
        now = at or dt.datetime.now(dt.UTC)
        names = list(TENANTS) if args["tenants"] == "all" else args["tenants"].split(",")
        return STATES[state](_break_glass.Run(args, self.ledger(), self.hostvars, names, now, check, os_user()))

    def inventory(self) -> Path:
        common = {
            "ansible_connection": "local",
            "change_ledger": str(self.root / "ledger"),
            "change_ledger_key": str(self.root / "ledger.pem"),
            "change_ledger_trusted": str(self.root / "ledger.pem.pub"),
            "change_allowed_signers": str(self.root / "signers"),
        }
        path = self.root / "inventory.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": self.hostvars, "vars": common}}))
        return path

    def sign(self, grant: str, digest: str, by: str = "bob") -> None:
        document = self.root / grant / f"{by}.json"
        document.parent.mkdir(exist_ok=True)
        document.write_bytes(approval_document(grant, digest, by, dt.datetime.now(dt.UTC)))
        document.with_name(f"{by}.json.sig").unlink(missing_ok=True)
        subprocess.run(
            ["ssh-keygen", "-q", "-Y", "sign", "-n", "odoo-ops-change", "-f", str(self.root / by), str(document)],
            check=True,
            capture_output=True,
        )

    def open(self, grant: str, **more: Any) -> Json:
        """Asks, signs, and opens."""
        asked = self.run("opened", grant, **more)
        self.sign(grant, asked["digest"])
        return self.run("opened", grant, **more)

    def events(self, grant: str) -> list[str]:
        return [event.event for event in self.ledger().events(grant)]

    # -- what the person with the grant can do -----------------------------------------------------------------------------
    def login(self, grant: str, tenant: str = "bgacme", database: str | None = None) -> psycopg.Connection[Any]:
        """As the documentation says, the password comes from the file; for what is not in it, it is tried by hand."""
        cluster = self.cluster(tenant)
        file = self.root / f"{grant}.pgpass"
        given = {"passfile": str(file)} if f":{database or tenant}:" in file.read_text() else {"password": self.password(grant)}
        return psycopg.connect(
            host=cluster["host"],
            port=cluster["port"],
            user=_break_glass.core.role_name(grant),
            dbname=database or tenant,
            **given,
            autocommit=True,
        )

    def password(self, grant: str) -> str:
        return (self.root / f"{grant}.pgpass").read_text().splitlines()[0].rsplit(":", 1)[1]

    def may(self, verb: str, resource: str, tenant: str = "bgacme", user: str = "alice", group: str = "") -> bool:
        attributes = {"namespace": f"odoo-{tenant}", "verb": verb, "resource": resource, "group": group}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {"user": user, "resourceAttributes": attributes},
        }
        return bool(self.api.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)[1]["status"]["allowed"])

    def left(self, grant: str) -> list[str]:
        """Everything of a grant, looked for with other eyes than the product's."""
        found = []
        role = _break_glass.core.role_name(grant)
        for name in ("shared", "dedicated"):
            cluster = self.site.facts("postgres")["clusters"][name]
            with connect(cluster) as db:
                found += [f"role {row[0]}" for row in db.execute("SELECT rolname FROM pg_roles WHERE rolname = %s", [role])]
                found += [f"session {row[0]}" for row in db.execute("SELECT pid FROM pg_stat_activity WHERE usename = %s", [role])]
        for kind in ("roles", "rolebindings"):
            items = self.api.get(f"/apis/rbac.authorization.k8s.io/v1/{kind}")["items"]
            found += [f"{kind} {item['metadata']['name']}" for item in items if grant.lower() in item["metadata"]["name"]]
        return found + [str(path) for path in self.root.glob(f"{grant}.pgpass")]

    def log(self, tenant: str = "bgacme") -> str:
        return (self.site.root / "log" / f"pg-{TENANTS[tenant]}.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def world(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = World(site, tmp_path_factory.mktemp("glass"))
    built.build()
    yield built
    built.clear()


@pytest.fixture
def grant(world: World) -> Iterator[str]:
    yield f"BG-2026-{next(NUMBERS)}"
    world.clear_access()
    for path in world.root.glob("BG-*.pgpass"):
        path.unlink()
    # what a test leaves open must not count for the next one
    if (world.root / "ledger").exists():
        (world.root / "ledger").rename(world.root / f"ledger-{next(NUMBERS)}")


# -- opening -----------------------------------------------------------------------------------------------------------
def test_asked_approved_opened_used_closed(world: World, grant: str) -> None:
    predicted = world.run("opened", grant, check=True)
    assert (predicted["verdict"], predicted["changed"]) == ("fail", True)
    assert not (world.root / "ledger").exists() and world.left(grant) == []
    asked = world.run("opened", grant)
    assert (asked["verdict"], asked["recorded"], world.left(grant)) == ("fail", ["requested"], [])
    assert asked["digest"] in asked["msg"]
    assert asked["msg"] == predicted["msg"]
    assert world.run("opened", grant)["changed"] is False
    world.sign(grant, asked["digest"], by="alice")
    assert world.run("opened", grant)["evidence"]["checks"][0]["code"] == "REQUESTER"
    world.sign(grant, asked["digest"])
    predicted = world.run("opened", grant, check=True)
    assert world.left(grant) == [] and world.events(grant) == ["requested"]
    done = world.run("opened", grant)
    assert done["done"] == predicted["done"] and done["recorded"] == predicted["recorded"] == ["approved", "opened"]
    again = world.run("opened", grant)
    assert (again["changed"], again["done"]) == (False, [])
    with world.login(grant) as db:
        assert db.execute("UPDATE account_move SET total = total + 1 RETURNING total").fetchone() == (18,)
        db.execute("INSERT INTO account_move (total) VALUES (2)")
        db.execute("DELETE FROM account_move WHERE total = 2")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("DROP TABLE account_move")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("SET log_statement = 'none'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("SET ROLE odoo_bgacme")
    role = done["role"]
    assert [line for line in world.log().splitlines() if f"{role}@bgacme" in line and "UPDATE account_move SET total" in line]
    assert world.may("list", "pods") and world.may("delete", "pods")
    assert not any(
        (
            world.may("get", "secrets"),
            world.may("list", "pods", "bgzeta"),
            world.may("create", "pods"),
            world.may("list", "pods", user="eve"),
        )
    )
    closed = world.run("closed", grant, check=True)
    assert closed["changed"] and world.login(grant).execute("SELECT 1")
    assert sorted(world.run("closed", grant)["removed"])[:1] == [str(world.root / f"{grant}.pgpass")]
    assert world.left(grant) == [] and not world.may("list", "pods")
    assert world.run("closed", grant)["changed"] is False
    assert world.events(grant) == ["requested", "approved", "opened", "revoked"]
    with pytest.raises(ChangeError, match="is over"):
        world.run("opened", grant)


def test_no_other_tenant(world: World, grant: str) -> None:
    world.open(grant)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        world.login(grant, "bgzeta")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        world.login(grant, "bgsolo")
    with world.login(grant, database="postgres") as db, pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("CREATE TABLE public.mine (a int)")


def test_read_reads(world: World, grant: str) -> None:
    world.open(grant, postgresql="read", kubernetes=[])
    with world.login(grant) as db:
        assert db.execute("SELECT count(*) > 0 FROM account_move").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            db.execute("UPDATE account_move SET total = 0")
    assert not world.may("list", "pods")


def test_two_clusters_and_what_the_owner_may(world: World, grant: str) -> None:
    """Tables that were made go to the tenant's owner, and stay."""
    world.open(grant, tenants="bgacme,bgsolo", postgresql="owner")
    for tenant in ("bgacme", "bgsolo"):
        with world.login(grant, tenant) as db:
            db.execute("CREATE TABLE repair AS SELECT * FROM account_move")
            db.execute("CREATE INDEX repair_move ON account_move (total)")
            db.execute(f"SELECT lo_create(0) FROM account_move WHERE '{tenant}' = 'bgsolo'")
    assert world.run("opened", grant, tenants="bgacme,bgsolo", postgresql="owner")["changed"] is False
    done = world.run("closed", grant)
    assert world.left(grant) == []
    assert "table repair in database bgacme to odoo_bgacme" in done["objects_given"]
    for tenant in ("bgacme", "bgsolo"):
        with connect(world.cluster(tenant), tenant) as db:
            assert db.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'repair'").fetchone() == (f"odoo_{tenant}",)
            db.execute("DROP TABLE repair")
            db.execute("DROP INDEX repair_move")


def test_an_owner_that_reaches_further_is_refused(world: World, grant: str) -> None:
    with connect(world.cluster("bgacme")) as db:
        db.execute("GRANT odoo_bgzeta TO odoo_bgacme")
    try:
        with pytest.raises(ChangeError, match="odoo_bgacme reaches database bgzeta"):
            world.run("opened", grant, postgresql="owner")
        assert world.events(grant) == []
        assert world.run("opened", grant, postgresql="owner", tenants="bgacme,bgzeta")["recorded"] == ["requested"]
    finally:
        with connect(world.cluster("bgacme")) as db:
            db.execute("REVOKE odoo_bgzeta FROM odoo_bgacme")


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        pytest.param({"reason": " "}, "reason is empty", id="no-reason"),
        pytest.param({"duration": "PT5H"}, "at most PT4H", id="too-long"),
        pytest.param({"duration": "PT0S"}, "more than none", id="no-time"),
        pytest.param({"duration": "soon"}, "not understood", id="no-duration"),
        pytest.param({"retro_approval_within": "soon"}, "not understood", id="no-due"),
        pytest.param({"required": 0}, "required is 0", id="nobody"),
        pytest.param({"postgresql": "none", "kubernetes": []}, "nothing is asked for", id="nothing"),
        pytest.param({"password_file": None}, "password_file", id="no-file"),
        pytest.param({"password_file": "/nonexistent/a/b"}, None, id="file-cannot-be-written"),
        pytest.param({"kubernetes": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}]}, "403", id="rights-that-we-lack"),
        pytest.param({"tenants": "nobody"}, "does not set tenant_database_host", id="no-tenant"),
    ],
)
def test_bad_input_touches_nothing(world: World, grant: str, changed: Json, wanted: str | None) -> None:
    if wanted is None:
        world.run("opened", grant, **changed)
        world.sign(grant, world.run("opened", grant, **changed)["digest"])
    with pytest.raises(ChangeError, match=wanted or "cannot be written"):
        world.run("opened", grant, **changed)
    assert world.left(grant) == []


def test_another_request_needs_another_id(world: World, grant: str) -> None:
    asked = world.run("opened", grant)
    world.sign(grant, asked["digest"])
    with pytest.raises(ChangeError, match="requested as something else"):
        world.run("opened", grant, tenants="bgacme,bgzeta")
    assert world.left(grant) == []


@pytest.mark.parametrize("content", ["db:5432:x:somebody:secret\n", "some notes\n"])
def test_a_file_of_somebody_else_is_left_alone(world: World, grant: str, content: str) -> None:
    file = world.root / f"{grant}.pgpass"
    file.touch(0o600)
    file.write_text(content)
    with pytest.raises(ChangeError, match="something else"):
        world.run("opened", grant)
    assert file.read_text() == content
    file.chmod(0o644)
    with pytest.raises(ChangeError, match="only you can read"):
        world.run("opened", grant)


# -- the end -----------------------------------------------------------------------------------------------------------
def test_the_clock_ends_it_and_the_sweep_what_the_clock_cannot(world: World, grant: str) -> None:
    now = dt.datetime.now(dt.UTC)
    world.open(grant, duration="PT4S")
    ends_at = _break_glass.grants_of(world.ledger())[grant].ends_at
    assert ends_at is not None and now < ends_at
    session = world.login(grant)
    assert (world.run("read", tenants="all")["verdict"], world.run("swept", tenants="all")["changed"]) == ("pass", False)
    time.sleep(max(0.0, (ends_at - dt.datetime.now(dt.UTC)).total_seconds()) + 1)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        world.login(grant)
    assert session.execute("SELECT 1").fetchone() == (1,), "VALID UNTIL ends no session"
    drift = world.run("read", tenants="all")
    assert drift["verdict"] == "fail" and drift["evidence"]["checks"][-1]["code"] == "LEFTOVER_GRANT"
    predicted = world.run("swept", tenants="bgzeta", check=True)
    assert predicted["changed"] and session.execute("SELECT 1").fetchone() == (1,)
    done = world.run("swept", tenants="bgzeta")
    assert (done["verdict"], done["ended"], world.left(grant)) == ("pass", [grant], [])
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    assert world.ledger().events(grant)[-1].evidence["why"] == "expired"
    again = world.run("swept", tenants="all")
    assert (again["changed"], again["verdict"]) == (False, "pass")
    with pytest.raises(ChangeError, match="is over"):
        world.run("opened", grant, duration="PT4S")


def test_a_leftover_that_the_ledger_does_not_know(world: World, grant: str) -> None:
    """Past its end it is taken away, and the gate fails once; before its end it may be another estate's, so it is only told."""
    past, ahead = f"{dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)}", f"{dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)}"
    role = _break_glass.core.role_name(grant)
    with connect(world.cluster("bgacme")) as db:
        db.execute(f"CREATE ROLE {role} LOGIN VALID UNTIL '{ahead}'")
        db.execute("CREATE ROLE break_glass_2026_1 LOGIN")
    told = world.run("swept", tenants="all")
    assert (told["verdict"], told["changed"]) == ("fail", False) and "break_glass_2026_1 " in told["msg"] and role in told["msg"]
    assert told["evidence"]["checks"][-1]["id"] == "break_glass_leftover"
    with connect(world.cluster("bgacme")) as db:
        db.execute("DROP ROLE break_glass_2026_1")
        db.execute(f"ALTER ROLE {role} VALID UNTIL '{past}'")
    kube = Kube.connect(world.hostvars["bgacme"]["tenant_kubeconfig"])
    for item in _break_glass.core.rbac_objects(grant, "odoo-bgsolo", RULES, "alice", dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)):
        kube.apply(item)
    done = world.run("swept", tenants="all")
    assert (done["verdict"], done["changed"], len(done["removed"])) == ("fail", True, 3)
    assert "LEFTOVER_GRANT" in json.dumps(done["evidence"]) and world.left(grant) == []
    assert world.run("swept", tenants="all")["verdict"] == "pass"


def test_what_comes_back_after_the_end_is_a_leftover(world: World, grant: str) -> None:
    world.open(grant)
    world.run("closed", grant)
    with connect(world.cluster("bgacme")) as db:
        db.execute(f"CREATE ROLE {_break_glass.core.role_name(grant)} LOGIN VALID UNTIL 'infinity'")
    assert world.run("read", tenants="all")["verdict"] == "fail"
    assert world.run("swept", tenants="all")["verdict"] == "fail"
    assert world.left(grant) == [] and world.run("read", tenants="all")["verdict"] == "pass"


@pytest.mark.parametrize("before", [{}, "requested"], ids=["new", "requested"])
def test_a_grant_that_another_run_is_opening_is_no_leftover(world: World, grant: str, before: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep has read the ledger, then the grant is opened, then the sweep looks at the clusters."""
    world.sign(grant, world.run("opened", grant)["digest"])
    answers = [_break_glass.grants_of(world.ledger()) if before else {}]
    world.run("opened", grant)
    real = _break_glass.grants_of
    monkeypatch.setattr(_break_glass, "grants_of", lambda ledger: answers.pop() if answers else real(ledger))
    done = world.run("swept", tenants="all")
    assert (answers, done["verdict"], done["changed"]) == ([], "pass", False)
    assert world.login(grant).execute("SELECT 1")


def test_a_binding_without_its_mark_is_taken_away_by_its_name(world: World, grant: str) -> None:
    world.open(grant)
    name = _break_glass.core.object_name(grant)
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/odoo-bgacme/rolebindings/{name}"
    binding = world.api.get(path)
    binding["metadata"]["labels"] = {}
    assert world.api.call("PUT", path, binding)[0] == 200
    world.run("closed", grant)
    assert world.left(grant) == []


def test_a_cluster_that_does_not_answer_is_unknown(world: World, grant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.hostvars, "bgsolo", {**world.hostvars["bgsolo"], "tenant_database_port": 1})
    assert world.run("swept", tenants="all")["verdict"] == "unknown"
    with pytest.raises(ChangeError, match="refused"):
        world.run("opened", grant, tenants="bgacme,bgsolo")
    assert world.left(grant) == [] and world.events(grant) == []


def test_what_it_made_where_nobody_of_it_belongs_is_told(world: World, grant: str) -> None:
    """A large object in the maintenance database would become the superuser's: the end stops there, with the role shut out."""
    world.open(grant)
    with world.login(grant, database="postgres") as db:
        db.execute("SELECT lo_create(987654)")
    with pytest.raises(ChangeError, match="large object 987654"):
        world.run("closed", grant)
    with pytest.raises(psycopg.OperationalError, match="not permitted to log in"):
        world.login(grant)
    assert not world.may("list", "pods")
    with connect(world.cluster("bgacme")) as db:
        db.execute("SELECT lo_unlink(987654)")
    assert world.run("closed", grant)["verdict"] == "pass" and world.left(grant) == []


# -- debts -------------------------------------------------------------------------------------------------------------
def test_without_an_approver_there_is_a_debt(world: World, grant: str) -> None:
    done = world.run("opened", grant, no_approver="alone on call")
    assert (done["verdict"], done["recorded"]) == ("pass", ["requested", "debt_opened", "opened"])
    opened = world.ledger().events(grant)[1]
    assert opened.evidence["retro_approval_due"] > opened.at
    (debt,) = open_debts(world.ledger())
    assert debt.change == grant and not debt.overdue(dt.datetime.now(dt.UTC))
    assert debt.overdue(dt.datetime.now(dt.UTC) + dt.timedelta(hours=25))
    closed = world.run("closed", grant)
    assert closed["debt"]["change"] == grant and "is due" in closed["msg"]
    world.sign(grant, done["digest"], by="alice")
    assert world.run("closed", grant)["changed"] is False, "nobody approves their own"
    world.sign(grant, done["digest"])
    assert (world.run("closed", grant)["changed"], open_debts(world.ledger())) == (True, [])
    assert world.run("closed", grant)["changed"] is False
    assert world.events(grant) == ["requested", "debt_opened", "opened", "revoked", "debt_settled"]


# -- killed ------------------------------------------------------------------------------------------------------------
EFFECTS = [
    (Ledger, "append"),
    (passfile, "write_password"),
    (postgres_access, "_make_role"),
    (postgres_access, "_grant_inside"),
    (postgres_access, "_end_sessions"),
    (postgres_access, "_clear"),
    (Kube, "apply"),
    (Kube, "delete"),
]
OPENING, CLOSING = 8, 6


def killed(work: Callable[[], Any], at: int, *, after: bool) -> bool:
    """Does the work in a process that dies as by SIGKILL right before (or after) its effect number ``at``. False: it ended by itself."""
    pid = os.fork()
    if pid == 0:
        done = SimpleNamespace(n=0)

        def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
            def effect(*args: Any, **kwargs: Any) -> Any:
                if kwargs.get("dry_run"):
                    return call(*args, **kwargs)
                done.n += 1
                if done.n == at and not after:
                    os._exit(9)
                result = call(*args, **kwargs)
                if done.n == at and after:
                    os._exit(9)
                return result

            return effect

        try:
            for owner, name in EFFECTS:
                setattr(owner, name, wrap(getattr(owner, name)))
            work()
        except BaseException as exc:
            print(repr(exc), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code in (0, 9), code
    return code == 9


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, OPENING + 1))
def test_killed_while_opening(world: World, grant: str, at: int, after: bool) -> None:
    world.sign(grant, world.run("opened", grant, check=True)["digest"])
    assert killed(lambda: world.run("opened", grant), at, after=after)
    if at % 2:  # the operator comes back
        assert world.run("opened", grant)["verdict"] == "pass"
        assert world.run("opened", grant)["changed"] is False
        assert world.login(grant).execute("SELECT 1") and world.may("list", "pods")
        assert world.events(grant) == ["requested", "approved", "opened"]
        world.run("closed", grant)
    else:  # nobody does, but somebody runs something else after the end
        done = world.run("swept", tenants="all", at=dt.datetime.now(dt.UTC) + dt.timedelta(hours=2))
        assert done["verdict"] == "pass"
    assert [left for left in world.left(grant) if at > 2 or "pgpass" not in left] == []
    assert world.run("read", tenants="all")["verdict"] == "pass"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, CLOSING + 1))
def test_killed_while_closing(world: World, grant: str, at: int, after: bool) -> None:
    world.open(grant)
    session = world.login(grant)
    assert killed(lambda: world.run("closed", grant), at, after=after)
    assert world.run("closed", grant)["changed"] is ((at, after) != (CLOSING, True))
    assert world.run("closed", grant)["changed"] is False
    assert world.left(grant) == [] and world.events(grant)[-1] == "revoked"
    session.close()


# -- as people run it ----------------------------------------------------------------------------------------------------
def test_the_playbook_says_no_secret(world: World, grant: str, request: pytest.FixtureRequest) -> None:
    """Check, real, again, close, swept; everything that was said, logged and recorded is searched for the password."""
    asked = {
        "break_glass_id": grant,
        "break_glass_tenants": "bgacme",
        "break_glass_requester": "alice",
        "break_glass_reason": "stuck invoice queue",
        "break_glass_incident": "INC-4711",
        "break_glass_password_file": str(world.root / f"{grant}.pgpass"),
        "break_glass_approvals": str(world.root / grant),
    }
    said = []

    def play(state: str, *args: str) -> tuple[int, str]:
        argv = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "odoo_ops.change_control.break_glass",
            "-i",
            str(world.inventory()),
            "-vvv",
        ]
        variables = {**asked, "break_glass_state": state}
        done = subprocess.run(
            [*argv, "-e", json.dumps(variables), *args],
            env=environment({"ANSIBLE_STDOUT_CALLBACK": "default"}),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        said.append(done.stdout + done.stderr)
        return done.returncode, done.stdout

    # the administrator's statements are logged, too, for the time of this test
    with connect(world.cluster("bgacme")) as db:
        db.execute("ALTER ROLE postgres SET log_statement = 'all'")
    request.addfinalizer(lambda: connect(world.cluster("bgacme")).execute("ALTER ROLE postgres RESET log_statement"))
    assert play("opened", "--check")[0] == 0 and not (world.root / "ledger").exists()
    code, out = play("opened")
    assert code != 0 and "TOO_FEW" in out
    world.sign(grant, world.run("opened", grant, check=True)["digest"])
    assert play("opened")[0] == 0
    code, out = play("opened")
    assert code == 0 and "changed=0" in out
    word = world.password(grant)
    assert len(word) > 40 and (world.root / f"{grant}.pgpass").stat().st_mode & 0o077 == 0
    with world.login(grant) as db:
        db.execute("SELECT 1")
        listed = subprocess.run(["ps", "axeww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert play("closed")[0] == 0 and play("swept")[0] == 0
    assert f'CREATE ROLE "{_break_glass.core.role_name(grant)}"' in world.log()
    kept = [path.read_bytes().decode(errors="replace") for path in (world.root / "ledger").rglob("*.json")]
    for text in (*said, *kept, listed, world.log(), world.log("bgsolo")):
        assert word not in text
        assert text in (listed, world.log(), world.log("bgsolo")) or world.cluster("bgacme")["admin_password"] not in text
    assert "SCRAM-SHA-256$" not in "".join([*said, *kept])
    assert world.left(grant) == []


SWEEP = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.include_role: {name: odoo_ops.change_control.break_glass, tasks_from: sweep}
      vars: {break_glass_tenants: all, break_glass_class: "{{ wanted_class }}"}
    - ansible.builtin.assert:
        that: break_glass_gates | odoo_ops.change_control.worst_verdict == 'pass'
        fail_msg: "{{ break_glass_gates | map(attribute='msg') | join(' ') }}"
"""


@pytest.mark.parametrize(("change_class", "wanted"), [("normal", "debt_BG-"), ("emergency", "")])
def test_another_role_sweeps_and_is_stopped_by_a_debt(world: World, grant: str, change_class: str, wanted: str) -> None:
    world.run("opened", grant, no_approver="alone on call", duration="PT1S", retro_approval_within="PT1S")
    time.sleep(2)
    book = world.root / "sweep.yml"
    book.write_text(SWEEP)
    argv = [
        str(Path(sys.executable).parent / "ansible-playbook"),
        str(book),
        "-i",
        str(world.inventory()),
        "-e",
        f"wanted_class={change_class}",
    ]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode != 0) == bool(wanted), done.stdout + done.stderr
    assert wanted in done.stdout and world.left(grant) == []
    assert world.events(grant)[-1] == "revoked"
