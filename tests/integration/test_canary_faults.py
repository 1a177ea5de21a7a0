"""What befalls a release besides slowness, on real Odoo: each fault has its verdict and its reason."""

from __future__ import annotations

import re
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from ansible_collections.odoo_ops.change_control.plugins.module_utils._canary import not_run
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Rules, judge
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import transactions_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import canary, canary_rounds
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooClient, OdooError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import read_all

from tests.lab import images
from tests.lab.__main__ import part
from tests.lab.customers import seed
from tests.lab.parts.postgres import connect
from tests.lab.site import Site, wait_for
from tests.support.odoo_tenant import ADMIN, OdooTenant

pytestmark = pytest.mark.lab

PARTS = ["releases", "redis"]
DATABASE = "canary_faults"
PLAN = canary.Plan(
    "CHG-2026-0300", Rules(), max_rounds=30, budget_s=60.0, known=transactions_of(read_all().values()), transactions=("login",)
)


@pytest.fixture(scope="module")
def tenant(site: Site) -> Iterator[OdooTenant]:
    made = OdooTenant.made(site, DATABASE)
    made.serve("old", "2")
    wait_for(lambda: made.client("old").ready() == "", what="release 2", timeout_s=60)
    seed(made.url("old"), "canary.lab.example", DATABASE, "admin", ADMIN, n=2)
    yield made
    made.gone()


def run(tenant: OdooTenant, name: str, *transactions: str, smoke: bool = False, **more: Any) -> canary.Run:
    """The canary of release ``name`` against the old one."""
    plan = replace(PLAN, transactions=transactions, rules=Rules(smoke=smoke, min_pairs=3 if smoke else 8), **more)
    if smoke:
        plan = replace(plan, warmup=0, max_rounds=3)
    return canary.carry_out(canary.Sides(tenant.client(name), None if smoke else tenant.client("old")), plan)


def codes(found: canary.Run, ok: bool | None) -> dict[str, str]:
    return {one.id: one.code for one in (*found.judgement.checks, *found.extra) if one.ok is ok}


class Between(ThreadingHTTPServer):
    """Passes requests on to a real Odoo, but for what ``fault`` answers itself."""

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behind, self.fault = behind, lambda _path: 0
        self.slow: tuple[int, ...] = ()  # the how-manieth new timesheet lines take a second
        self.lines = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Between
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.lines += self.path.endswith("account.analytic.line/create")
        if self.path.endswith("account.analytic.line/create") and self.server.lines in self.server.slow:
            time.sleep(1)
        if status := self.server.fault(urlsplit(self.path).path):
            self.answer(status, [("Content-Type", "text/html")], b"<h1>Not here</h1>")
            return
        kept = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length", "connection")}
        got = requests.request(self.command, self.server.behind + self.path, data=body, headers=kept, allow_redirects=False, timeout=30)
        told = [(k, v) for k, v in got.raw.headers.items() if k.lower() in ("content-type", "location", "set-cookie")]
        self.answer(got.status_code, told, got.content)

    do_GET = do_POST

    def answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Nothing to say."""


@pytest.fixture
def between(tenant: OdooTenant) -> Iterator[Between]:
    made = Between(tenant.url("old"))
    yield made
    made.shutdown()
    made.server_close()


def through(tenant: OdooTenant, name: str, between: Between) -> OdooClient:
    made = tenant.client("old")
    made.name, made._url = name, between.url
    return made


def compared(tenant: OdooTenant, between: Between, *transactions: str, **more: Any) -> canary.Run:
    """The same release on both sides, both of them through a server that passes on, because that takes time of its own."""
    plan, plain = replace(PLAN, transactions=transactions, **more), Between(tenant.url("old"))
    try:
        return canary.carry_out(canary.Sides(through(tenant, "canary", between), through(tenant, "baseline", plain)), plan)
    finally:
        plain.shutdown()
        plain.server_close()


def test_a_registry_that_is_loading_is_waited_for_and_is_no_slowness(tenant: OdooTenant, between: Between) -> None:
    tenant.stop("same")
    tenant.serve("same", "2")  # nobody has waited for it: its port may not even be open
    found = run(tenant, "same", "timesheet", max_rounds=480, budget_s=420.0)
    tenant.stop("same")
    assert found.judgement.verdict == "pass", found.judgement.sentence
    assert found.ready_s["same"] > 0.2
    # a second worker process loads its registry in the second round: that one is thrown away, too
    between.slow = (4, 5, 6)
    found = compared(tenant, between, "timesheet", max_rounds=480, budget_s=420.0)
    assert found.warmed == 3
    assert found.judgement.verdict == "pass", found.judgement.sentence


def test_a_release_without_xmlrpc_breaks_who_calls_it(tenant: OdooTenant, between: Between) -> None:
    between.fault = lambda path: 404 if path.startswith("/xmlrpc/") else 0
    found = compared(tenant, between, "integration_xmlrpc", max_rounds=40)
    assert codes(found, False) == {"errors:integration_xmlrpc.read": "API_GONE"}
    assert found.rounds == 3
    assert "this release speaks no XML-RPC any more. Use JSON-2" in found.judgement.sentence
    forced = tenant.client("old", api="xmlrpc")
    forced._url = between.url
    with pytest.raises(OdooError, match="speaks no XML-RPC any more") as caught:
        canary.carry_out(canary.Sides(forced, None), replace(PLAN, rules=Rules(smoke=True)))
    assert caught.value.facts["code"] == "API_GONE"


def test_a_broken_contract_is_found(tenant: OdooTenant) -> None:
    document = {
        "transaction": "ours",
        "title": "The shape of a partner",
        "steps": [
            {
                "step": "read",
                "do": [
                    {
                        "call": "res.users.read",
                        "ids": ["${user}"],
                        "args": {"fields": ["login"]},
                        "shape": {"type": "array", "items": {"type": "object", "required": ["login", "vat"]}},
                    }
                ],
            }
        ],
    }
    found = run(tenant, "old", "ours", smoke=True, known={**PLAN.known, **transactions_of([document])})
    assert codes(found, False) == {"errors:ours.read": "CONTRACT"}
    assert "the answer[0] has no 'vat' any more" in found.judgement.sentence


def test_a_file_that_the_release_does_not_find(tenant: OdooTenant) -> None:
    good = run(tenant, "old", "document", smoke=True)
    assert good.judgement.verdict == "pass", good.judgement.sentence
    elsewhere = tenant.site.folder("canary-test", "elsewhere")
    tenant.serve("bad", "2", ODOO_DATA_DIR=str(elsewhere))
    found = run(tenant, "bad", "document")
    tenant.stop("bad")
    shutil.rmtree(elsewhere)
    assert codes(found, False) == {"errors:document.download": "FILE_MISSING"}
    assert found.rounds == 3
    assert found.judgement.verdict == "fail"


HALFWAY = re.escape(f"acme_billing is {images.version('2')} in the database and {images.version('6')} in the release")


def update(tenant: OdooTenant, release: str) -> None:
    tenant.odoo(release, "--database", DATABASE, "--update", images.ADDON, "--stop-after-init", "--no-http")


def test_an_update_that_raised_half_way(tenant: OdooTenant) -> None:
    """Release 6 writes a row when it updates. The table is another one here, so the update raises."""
    cluster = tenant.site.facts("postgres")["clusters"]["shared"]
    with connect(cluster, DATABASE) as db:
        db.execute("CREATE TABLE acme_update_log (another int)")
        db.execute(f"ALTER TABLE acme_update_log OWNER TO {DATABASE}")
    try:
        with pytest.raises(Exception, match="came_from"):
            update(tenant, "6")
        tenant.serve("bad", "6")
        with pytest.raises(OdooError, match=HALFWAY) as caught:
            run(tenant, "bad", "login", smoke=True, modules=(images.ADDON,))
    finally:
        tenant.stop("bad")
        with connect(cluster, DATABASE) as db:
            db.execute("DROP TABLE acme_update_log")
    found = not_run(caught.value)
    assert (found.id, found.ok, found.code) == ("modules", False, "UPDATE_UNFINISHED")
    assert run(tenant, "old", "login", smoke=True, modules=(images.ADDON,)).judgement.verdict == "pass"


def test_an_update_that_was_killed(tenant: OdooTenant) -> None:
    """Each module is committed by itself, so that the others stay marked."""
    cluster = tenant.site.facts("postgres")["clusters"]["shared"]
    command = [tenant.image("2") / "bin" / "odoo", "--database", DATABASE, "--update", "account", "--stop-after-init", "--no-http"]
    tenant.site.spawn("canary-update", command, env=tenant.env("tool", "2"))

    def marked() -> bool:
        with connect(cluster, DATABASE) as db:
            return bool(db.execute("SELECT count(*) FROM ir_module_module WHERE state = 'to upgrade'").fetchone()[0])

    wait_for(marked, what="a module that is marked", timeout_s=120)
    tenant.site.stop("canary-update", sig=signal.SIGKILL)
    try:
        with pytest.raises(OdooError, match=r"\(to upgrade\).* are in the midst of an update that did not end: finish it") as caught:
            run(tenant, "old", "login", smoke=True)
        assert not_run(caught.value).code == "UPDATE_UNFINISHED"
    finally:
        update(tenant, "2")
    assert run(tenant, "old", "login", smoke=True).judgement.verdict == "pass"


def test_scheduled_actions_that_two_releases_run(tenant: OdooTenant) -> None:
    cluster = tenant.site.facts("postgres")["clusters"]["shared"]
    server = Server(cluster["host"], int(cluster["port"]), DATABASE, DATABASE)
    watched = canary.Watched(server, DATABASE, 60.0, 1)

    def runners() -> int:
        with connect(cluster) as db:
            query = "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE usename = %s AND datname = 'postgres'"
            return int(db.execute(query, [DATABASE]).fetchone()[0])

    tenant.serve("same", "2", cron=1)
    wait_for(lambda: runners() == 1, what="one runner of scheduled actions", timeout_s=60)
    assert codes(run(tenant, "old", "login", smoke=True, database=watched), False) == {}
    tenant.serve("bad", "2", cron=2)
    wait_for(lambda: runners() == 2, what="two of them", timeout_s=60)
    found = run(tenant, "old", "login", smoke=True, database=watched)
    tenant.stop("bad")
    tenant.stop("same")
    assert codes(found, False) == {"cron_runners": "CRON_TWICE"}


def test_scheduled_actions_that_fail_or_are_late(tenant: OdooTenant) -> None:
    cluster = tenant.site.facts("postgres")["clusters"]["shared"]
    with connect(cluster, DATABASE) as db:
        db.execute("UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC' + interval '1 day'")
    good = run(tenant, "old", "scheduled_actions", smoke=True)
    assert good.judgement.verdict == "pass", good.judgement.sentence
    with connect(cluster, DATABASE) as db:
        db.execute("UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC' - interval '1 hour' WHERE id = (SELECT min(id) FROM ir_cron)")
    found = run(tenant, "old", "scheduled_actions", smoke=True)
    assert codes(found, False) == {"errors:scheduled_actions.in_time": "CRON_LATE"}
    # both sides share the database, so it is no fault of the new release; it must not pass either
    other = tenant.client("old")
    other.name = "canary"
    both = canary.carry_out(canary.Sides(other, tenant.client("old")), replace(PLAN, transactions=("scheduled_actions",)))
    assert both.judgement.verdict == "unknown"
    assert both.stopped == "baseline_sick"


def test_sessions_that_a_failover_loses(tenant: OdooTenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Odoo keeps its sessions in a real Redis. The one that comes back has none of them, as a replica that lagged behind."""
    facts = tenant.site.facts("redis")
    redis = {"REDIS_HOST": facts["host"], "REDIS_PORT": str(facts["port"]), "REDIS_PASSWORD": facts["password"], "REDIS_SSL": "false"}

    def sessions(**more: Any) -> canary.Run:
        plan = replace(PLAN, **{"transactions": ("session",), "max_rounds": 400, "budget_s": 15.0, **more})
        return canary.carry_out(canary.Sides(tenant.client("bad"), tenant.client("same")), plan)

    rounds = [0]

    def failover(*args: Any) -> Any:
        """The judge looks after each round; before the twelfth look Redis fails over."""
        rounds[0] += 1
        if rounds[0] == 12:
            tenant.site.stop("redis", grace_s=5)
            part("redis").up(tenant.site)
        return judge(*args)

    tenant.serve("same", "2", **redis)
    tenant.serve("bad", "2", **redis)
    try:
        good = sessions()
        assert all(one.ok for one in good.judgement.checks if one.id.startswith("errors:")), good.judgement.sentence
        with monkeypatch.context() as patched:
            patched.setattr(canary_rounds, "judge", failover)
            found = sessions(rules=Rules(min_pairs=400))
        assert found.judgement.verdict == "unknown"
        lost = [one for one in found.judgement.checks if one.code == "SESSION_LOST"]
        assert lost, [one.observed for one in found.judgement.checks]
        # the new release keeps its sessions in a store of its own: whoever was logged in is not any more
        tenant.stop("bad")
        tenant.serve("bad", "2", ODOO_DATA_DIR=str(tenant.site.folder("canary-test", "elsewhere")))
        apart = sessions()
        assert codes(apart, False) == {"errors:session.carried": "SESSION_LOST"}, [one.observed for one in apart.judgement.checks]
        assert "is not known any more, so whoever was logged in is logged out" in apart.judgement.sentence
    finally:
        tenant.stop("same")
        tenant.stop("bad")


def test_rows_of_others_that_a_release_writes(tenant: OdooTenant) -> None:
    """A trigger stands for code of a release that writes, as whoever posts in one company, into rows of another."""
    cluster = tenant.site.facts("postgres")["clusters"]["shared"]
    watched = canary.Watched(Server(cluster["host"], int(cluster["port"]), DATABASE, DATABASE), DATABASE, 60.0, None)
    good = run(
        tenant, "old", "login", "invoice", "journal_entry", "bank_statement", "payment_batch", "timesheet", smoke=True, database=watched
    )
    assert {one.id: one.ok for one in good.extra} == {"clean": True, "outside": True}, good.extra
    with connect(cluster, DATABASE) as db:
        db.execute(
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "UPDATE res_partner SET comment = 'seen', write_uid = NEW.write_uid, write_date = now() AT TIME ZONE 'UTC' "
            "WHERE id = (SELECT min(partner_id) FROM res_company); RETURN NEW; END $$"
        )
        db.execute("CREATE TRIGGER meddle AFTER INSERT ON account_move FOR EACH ROW EXECUTE FUNCTION meddle()")
    try:
        found = run(tenant, "old", "invoice", smoke=True, database=watched)
    finally:
        with connect(cluster, DATABASE) as db:
            db.execute("DROP FUNCTION meddle CASCADE")
    assert codes(found, False) == {"outside": "OUTSIDE"}
    assert "1 in res_partner" in next(str(one.observed) for one in found.extra if one.id == "outside")
    slow = replace(watched, budget_s=0.0)
    assert codes(run(tenant, "old", "login", smoke=True, database=slow), None) == {"outside": "OUTSIDE_UNSEEN"}


def test_what_only_many_users_feel(tenant: OdooTenant) -> None:
    """The new side has one connection to the database: one user alone finds nothing, a surge of timesheets does."""
    tenant.serve("bad", "2", ODOO_DB_MAXCONN="1")
    try:
        alone = run(tenant, "bad", "timesheet", max_rounds=120, budget_s=240.0)
        assert alone.judgement.verdict == "pass", alone.judgement.sentence
        surge = run(tenant, "bad", "timesheet", max_rounds=120, budget_s=240.0, concurrency=6)
        same = run(tenant, "old", "timesheet", smoke=True, concurrency=6)
    finally:
        tenant.stop("bad")
    assert surge.judgement.verdict == "fail", surge.judgement.sentence
    assert same.judgement.verdict == "pass", same.judgement.sentence
    assert surge.extra[0].ok is True
