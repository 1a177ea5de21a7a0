"""odoo_canary on real Odoo: the same release passes, a raising one is found, and nothing is left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import transactions as work
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.odoo import OdooError

from tests.conftest import ROOT
from tests.lab.customers import seed
from tests.lab.parts.postgres import connect
from tests.lab.site import Site, wait_for
from tests.support.odoo_tenant import ADMIN, SECRETS, UNOWNED, OdooTenant

pytestmark = pytest.mark.lab

PARTS = ["releases"]

DATABASE = "canary_test"
PATIENT = {"max_rounds": 400, "budget_s": 900}  # a busy machine makes noise
NOWHERE = {"url": "http://127.0.0.1:9"}


@pytest.fixture(scope="module")
def tenant(site: Site) -> Iterator[OdooTenant]:
    """A customer's database on release 2 with some rows of the customer's, and the canary company."""
    made = OdooTenant.made(site, DATABASE)
    made.serve("old", "2")
    wait_for(lambda: made.client("old").ready() == "", what="release 2", timeout_s=60)
    seed(made.url("old"), "canary.lab.example", DATABASE, "admin", ADMIN, n=3)
    yield made
    made.gone()


def play(folder: Path, options: dict[str, Any], *, check: bool = False) -> tuple[dict[str, Any], str]:
    """Runs the module as a task; returns its result and everything that was printed."""
    task = {"odoo_ops.change_control.odoo_canary": options, "register": "found", "ignore_errors": True}
    keep = {"ansible.builtin.copy": {"content": "{{ found | to_json }}", "dest": str(folder / "found.json")}, "check_mode": False}
    book = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [task, keep]}]
    file = folder / "play.yml"
    file.write_text(yaml.safe_dump(book))
    command = [str(Path(sys.executable).with_name("ansible-playbook")), "-vvv", str(file), *(["--check"] if check else [])]
    env = {**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "false"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=1000, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return json.loads((folder / "found.json").read_text()), done.stdout + done.stderr


def options(tenant: OdooTenant, side: str, **more: Any) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "change": "CHG-2026-0142",
        "database": DATABASE,
        "login": SECRETS["CANARY_LOGIN"],
        "password": SECRETS["CANARY_PASSWORD"],
        "api_key": SECRETS["CANARY_API_KEY"],
        "baseline": {"url": tenant.url("old"), "host": "acme.lab.example", "marks": {"X-Odoo-Change": "baseline"}},
        "canary": {"url": tenant.url(side), "host": "acme.lab.example", "marks": {"X-Odoo-Change": "canary"}},
        **more,
    }


def company(tenant: OdooTenant) -> int:
    return int(tenant.setup()["ids"]["company"])


def test_the_setup_again_changes_nothing(tenant: OdooTenant) -> None:
    before = tenant.others(0)
    again = tenant.setup(TENANT_ADMIN_PASSWORD=ADMIN)
    assert (again["changed"], again["changes"]) == (False, [])
    assert tenant.others(0) == before


def test_the_setup_fails_loudly_and_writes_nothing(tenant: OdooTenant) -> None:
    before = tenant.others(0)
    with pytest.raises(Exception, match=r"rc 1(?s:.*)CANARY_PASSWORD is missing"):
        tenant.setup(CANARY_PASSWORD="")
    with pytest.raises(Exception, match=r"rc 1(?s:.*)a name that no person has"):
        tenant.setup(CANARY_LOGIN="admin")
    with pytest.raises(Exception, match=r"rc 1(?s:.*)is a company of the tenant"):
        tenant.setup(CANARY_COMPANY=main_company(tenant))
    assert tenant.others(0) == before


def main_company(tenant: OdooTenant) -> str:
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], DATABASE) as db:
        return str(db.execute("SELECT name FROM res_company WHERE id = 1").fetchone()[0])


@pytest.mark.quiet
def test_the_same_release_passes_and_touches_nothing_of_the_customer(tenant: OdooTenant, tmp_path: Path) -> None:
    tenant.serve("same", "2")
    own = company(tenant)
    before = tenant.others(own)
    found, said = play(tmp_path, options(tenant, "same", **PATIENT))
    tenant.stop("same")
    assert found["verdict"] == "pass", found["msg"]
    assert not found["failed"]
    assert found["stopped"] == "decided"
    assert {c["id"] for c in found["evidence"]["checks"]} == {
        f"{k}:{m}"
        for k in ("latency", "errors")
        for m in ("login", "invoice.create", "invoice.post", "invoice.reverse", "timesheet.create")
    } | {"clean"}
    assert all(f["decision"] == "pass" and f["n"] >= 8 for f in found["figures"].values())
    after = tenant.others(own)
    assert {t for t in after if after[t] != before[t]} <= UNOWNED
    assert tenant.leftovers(own) == 0
    for secret in (SECRETS["CANARY_PASSWORD"], SECRETS["CANARY_API_KEY"]):
        assert secret not in said.replace(str(tmp_path), "")
        assert secret not in json.dumps(found)
    print(f"A/A: {found['rounds']} rounds, {found['elapsed_s']} s")


def test_a_raising_release_is_found_at_its_third_error(tenant: OdooTenant, tmp_path: Path) -> None:
    tenant.serve("bad", "4")
    found, _dummy = play(tmp_path, options(tenant, "bad"))
    assert found["verdict"] == "fail"
    assert found["rounds"] == 3
    assert [(c["id"], c["code"]) for c in found["evidence"]["checks"] if c["ok"] is False] == [("errors:invoice.post", "ERRORS")]
    assert "invoice.post fails on the new release" in found["sentence"]
    assert tenant.leftovers(company(tenant)) == 0
    smoke, _dummy = play(tmp_path, {k: v for k, v in options(tenant, "bad", mode="smoke").items() if k != "baseline"})
    assert (smoke["verdict"], smoke["rounds"]) == ("fail", 3)
    swapped = options(tenant, "bad")
    swapped["baseline"], swapped["canary"] = swapped["canary"], swapped["baseline"]
    sick, _dummy = play(tmp_path, {**swapped, "enforce": False})
    assert (sick["verdict"], sick["stopped"], sick["failed"]) == ("unknown", "baseline_sick", False)
    assert "BASELINE_SICK" in {c["code"] for c in sick["evidence"]["checks"]}
    tenant.stop("bad")
    assert tenant.leftovers(company(tenant)) == 0


def test_what_killed_runs_left_is_taken_back(tenant: OdooTenant, tmp_path: Path) -> None:
    worker = tenant.worker("old", "CHG-2026-0007")
    known = {one.name: one for one in tenant.transactions(worker.client)}
    client, place = worker.client, worker.ground
    invoice, context = known["invoice"], place.context

    def draft() -> int:
        names = place.names("invoice")
        worker.asked(invoice.steps[0].do, names)
        return int(names["move"])

    def post(*moves: int) -> None:
        client.call("account.move", "action_post", ids=moves, context=context)

    def half(move: int, *, reverse: bool) -> int:
        """Reverses an invoice; without ``reverse`` the run was killed before its credit note was posted."""
        names = {**place.names("invoice"), "move": move, "total": 0}
        worker.asked(invoice.steps[2].do[: 4 if reverse else 3], names)
        return int(names["credit"])

    posted, began = [draft() for _dummy in range(2)], draft()
    draft()
    post(*posted, began)
    # killed between two postings of one invoice, and others came after it, so that it is not the last number any more
    post(again := draft())
    client.call("account.move", "button_draft", ids=[again], context=context)
    half(began, reverse=False)
    post(twice := draft())
    # two canaries at once: the second credit note of an invoice stays open
    made = client.call("account.move", "copy", ids=[half(twice, reverse=True)], context=context)[0]
    client.call("account.move", "write", ids=[made], vals={"ref": f"Reversal of: x, {place.tag}"}, context=context)
    post(made)
    names = place.names("timesheet")
    worker.asked(known["timesheet"].steps[0].do, names)
    assert tenant.leftovers(place.company) == 8
    found, _dummy = play(tmp_path, {k: v for k, v in options(tenant, "old", mode="smoke").items() if k != "baseline"})
    assert (found["verdict"], found["swept"]) == ("pass", 8)
    assert tenant.leftovers(place.company) == 0


def test_every_shipped_transaction_over_both_apis(tenant: OdooTenant) -> None:
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], DATABASE) as db:  # nobody runs scheduled actions in it
        db.execute("UPDATE ir_cron SET nextcall = now() AT TIME ZONE 'UTC' + interval '1 day'")
    worker = tenant.worker("old", "CHG-2026-0009")
    every = tenant.transactions(worker.client)
    assert {one.name for one in every} >= {"journal_entry", "bank_statement", "payment_batch", "project_report", "document", "session"}
    for api in ("json2", "xmlrpc"):
        again = work.Worker(tenant.client("old", api=api), worker.ground)
        found = {metric: outcome for one in every for metric, outcome in again.run(one).items()}
        assert [metric for metric, outcome in found.items() if outcome.seconds is None] == []
        assert again.leftovers(every) == set()
        again.client.forget()


def test_a_run_killed_in_its_transactions_is_cleaned_by_the_next(tenant: OdooTenant, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys; sys.path.insert(0, sys.argv[1]); import tests.conftest\n"
        "from tests.support.odoo_tenant import *\nfrom tests.lab.site import Site\n"
        "tenant = OdooTenant(Site(Path(sys.argv[2])), int(sys.argv[3]), sys.argv[4])\n"
        "worker = tenant.worker('old', 'CHG-2026-0008')\n"
        "every = [one for one in tenant.transactions(worker.client) if one.leftovers]\n"
        "print('ready', flush=True)\n"
        "while True: [worker.run(one) for one in every]\n"
    )
    for wait in (0.05, 0.2, 0.35, 0.6, 0.9):
        command = [sys.executable, str(script), str(ROOT), str(tenant.site.root), str(tenant.net), DATABASE]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(wait)
            running.kill()
    time.sleep(1)  # Odoo finishes the request that nobody waits for any more
    worker = tenant.worker("old", "CHG-2026-0010")
    every = tenant.transactions(worker.client)
    worker.sweep(every)
    assert worker.leftovers(every) == set()
    assert tenant.leftovers(worker.ground.company) == 0


def test_check_mode_asks_nothing_of_anybody(tenant: OdooTenant, tmp_path: Path) -> None:
    found, _dummy = play(tmp_path, options(tenant, "old", baseline=NOWHERE, canary=NOWHERE), check=True)
    assert (found["verdict"], found["failed"], found["changed"], found["stopped"]) == ("unknown", False, False, "check_mode")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"canary": NOWHERE, "ready_timeout_s": 0.5}, "canary: the login page did not reach", id="nobody-there"),
        pytest.param({"database": "no_such_database"}, "Database not found", id="no-database"),
        pytest.param({"password": "wrong"}, "the login answered", id="wrong-password"),
        pytest.param({"api_key": "f" * 40}, "answered HTTP 401", id="wrong-key"),
        pytest.param({"company": "Acme"}, "wanted only 'Acme'", id="another-company"),
        pytest.param({"login": "admin", "password": ADMIN}, "may work in companies", id="a-customers-user"),
        pytest.param({"transactions": ["login", "invocie"]}, "transactions: invocie is not known. Known are", id="no-such-transaction"),
        pytest.param({"transaction_files": ["/nowhere/tx.yml"]}, "tx.yml: cannot be read", id="no-such-file"),
        pytest.param({"transactions": ["order"]}, "order needs the module sale", id="not-applicable"),
        pytest.param({"tolerance": 1.0, "alpha": 0}, "tolerance is 1.0, wanted greater than 1", id="bad-limits"),
    ],
)
def test_bad_input_has_one_clear_message_and_writes_nothing(tenant: OdooTenant, tmp_path: Path, more: dict[str, Any], words: str) -> None:
    own = company(tenant)
    before = tenant.others(0)
    found, said = play(tmp_path, options(tenant, "old", **more))
    assert found["failed"]
    assert found.get("verdict") in ("unknown", None)
    assert words in found["msg"]
    assert SECRETS["CANARY_PASSWORD"] not in said and ADMIN not in said.replace(str(tmp_path), "")
    after = tenant.others(0)
    assert {t for t in after if after[t] != before[t]} <= {
        "res_users_log",
        "res_device_log",
        "ir_config_parameter",
    }  # logins; an administrator's sets web.base.url
    assert tenant.leftovers(own) == 0


def test_an_answer_that_is_not_odoos_is_an_error(tenant: OdooTenant) -> None:
    client = tenant.client("old")
    with pytest.raises(OdooError, match=r"account\.move\.no_such_method answered HTTP 404"):
        client.call("account.move", "no_such_method")
