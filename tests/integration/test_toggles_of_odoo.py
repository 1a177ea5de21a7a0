"""The script that sets parameters, run by a real Odoo beside a running server; and the gate that reads them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.lab.customers import Session
from tests.lab.parts.postgres import connect
from tests.lab.site import LabError, Site
from tests.support.ansible import run_module
from tests.support.odoo_tenant import ADMIN, OdooTenant

PARTS = ("releases",)
SCRIPT = (ROOT / "roles" / "tenant" / "files" / "toggles.py").read_text()
STRICT = "acme_billing.strict"


@pytest.fixture(scope="module")
def tenant(site: Site) -> Iterator[OdooTenant]:
    made = OdooTenant.made(site, "toggled")
    made.serve("old", "8")
    made.client("old").wait_ready(budget_s=90)
    yield made
    made.gone()


def rows(tenant: OdooTenant, *, keys: str = "acme%") -> dict[str, str]:
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], tenant.database) as db:
        return dict(db.execute("SELECT key, value FROM ir_config_parameter WHERE key LIKE %s", [keys]).fetchall())


def put(tenant: OdooTenant, key: str, value: str | None) -> None:
    """Behind Odoo's back: no server is told."""
    with connect(tenant.site.facts("postgres")["clusters"]["shared"], tenant.database) as db:
        db.execute("DELETE FROM ir_config_parameter WHERE key = %s", [key])
        if value is not None:
            db.execute("INSERT INTO ir_config_parameter (key, value) VALUES (%s, %s)", [key, value])


def run(tenant: OdooTenant, *toggles: tuple[str, str | None, str | None], back: bool = False) -> dict[str, Any]:
    wanted = {"back": back, "toggles": [dict(zip(("parameter", "before", "value"), one, strict=True)) for one in toggles]}
    said = tenant.odoo("8", "shell", "--database", tenant.database, "--no-http", stdin=SCRIPT, TOGGLES=json.dumps(wanted))
    return dict(json.loads(said.strip().splitlines()[-1]))


def seen(tenant: OdooTenant) -> Any:
    """What the running server goes by."""
    session = Session(tenant.url("old"), "localhost")
    session.login(tenant.database, "admin", ADMIN)
    return session.call("ir.config_parameter", "get_param", STRICT)


@pytest.mark.parametrize("before", [None, "off", "", 'it\'s "quoted" $(HOME) {{ x }} é\nnext'])
def test_there_and_exactly_back(tenant: OdooTenant, before: str | None) -> None:
    put(tenant, STRICT, before)
    put(tenant, "acme.other", "stays")
    was = rows(tenant)
    toggle = (STRICT, before, "warn")
    assert run(tenant, toggle) == {"changed": [STRICT], "left": []}
    assert (rows(tenant)[STRICT], seen(tenant)) == ("warn", "warn")
    assert run(tenant, toggle) == {"changed": [], "left": []}
    assert run(tenant, toggle, back=True) == {"changed": [STRICT], "left": []}
    assert rows(tenant) == was
    assert seen(tenant) == (before or False)
    assert run(tenant, toggle, back=True) == {"changed": [], "left": []}


def test_a_run_that_finds_everything_set_tells_the_servers(tenant: OdooTenant) -> None:
    """The one that set it was killed before it told them."""
    run(tenant, (STRICT, "off", "warn"), back=True) if rows(tenant).get(STRICT) == "warn" else put(tenant, STRICT, None)
    run(tenant, (STRICT, None, "off"))
    assert seen(tenant) == "off"
    put(tenant, STRICT, "warn")
    assert seen(tenant) == "off", "the server cannot know"
    assert run(tenant, (STRICT, "off", "warn"))["changed"] == []
    assert seen(tenant) == "warn"


def test_all_or_none(tenant: OdooTenant) -> None:
    put(tenant, STRICT, "off")
    put(tenant, "acme.other", "somebody's")
    with pytest.raises(LabError, match=r"acme\.other is \"somebody's\", wanted absent or 'on'\. Somebody has changed it"):
        run(tenant, (STRICT, "off", "warn"), ("acme.other", None, "on"))
    assert rows(tenant)[STRICT] == "off"
    put(tenant, STRICT, "warn")
    told = run(tenant, (STRICT, "off", "warn"), ("acme.other", None, "on"), back=True)
    assert told == {"changed": [STRICT], "left": ["acme.other"]}
    assert rows(tenant) == {**rows(tenant), STRICT: "off", "acme.other": "somebody's"}


def check(tenant: OdooTenant, **more: Any) -> dict[str, Any]:
    cluster = tenant.site.facts("postgres")["clusters"]["shared"]
    login = {"login_user": cluster["admin_user"], "login_password": cluster["admin_password"]}
    where = {"host": cluster["host"], "port": cluster["port"], **login, "tenant": "acme", "database": tenant.database}
    return run_module("toggle_check", {**where, "toggles": [{"parameter": STRICT, "value": "warn"}], **more})


def test_the_gate(tenant: OdooTenant) -> None:
    put(tenant, STRICT, None)
    assert check(tenant)["found"] == {STRICT: None}
    assert check(tenant, expect="before")["verdict"] == "pass"
    put(tenant, STRICT, "look")
    told = check(tenant, expect="either")
    assert (told["failed"], told["evidence"]["checks"][0]["code"], told["found"]) == (True, "TOGGLE_DRIFT", {STRICT: "look"})
    put(tenant, STRICT, "https://me:hunter2@example.org")
    told = check(tenant, enforce=False)
    assert (told["verdict"], told["evidence"]["checks"][0]["code"], told["found"]) == ("fail", "TOGGLE_SECRET", {})
    assert "hunter2" not in json.dumps(told)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"toggles": [{"parameter": "acme.api_token", "value": "x"}]}, "acme.api_token is named, which may be a secret"),
        ({"port": 1}, "toggles could not be told"),
        ({"database": "postgres"}, "toggles could not be told"),
    ],
)
def test_what_it_cannot_or_may_not_read(tenant: OdooTenant, more: dict[str, Any], words: str) -> None:
    told = check(tenant, **more)
    assert told["failed"]
    assert words in told["msg"]
