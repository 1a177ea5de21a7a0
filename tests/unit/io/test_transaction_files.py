"""The shipped transactions are valid, hold what the business needs, and refuse answers that are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jmespath
import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import transactions_of, unexpected
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import (
    SHIPPED,
    TransactionFileError,
    chosen,
    read_all,
)

KNOWN = transactions_of(read_all().values())
NAMES = {"company": 2, "user": 5, "tag": "canary:CHG-2026-1", "journal": 13, "total": 345.0}
DRAFT = {"state": "draft", "company_id": [2, "x"], "journal_id": [13, "x"], "ref": "canary:CHG-2026-1"}
POSTED = {
    "name": "CANRY/2026/00001",
    "state": "posted",
    "payment_state": "not_paid",
    "company_id": [2, "x"],
    "amount_untaxed": 300.0,
    "amount_tax": 45.0,
    "amount_total": 345.0,
}
CREDIT = {"state": "posted", "move_type": "out_refund", "company_id": [2, "x"], "journal_id": [13, "x"], "amount_total": 345.0}
TABLE = [
    (0, 0, DRAFT, {}, ""),
    (0, 0, DRAFT, {"state": "posted"}, "[0].state is 'posted', wanted 'draft'"),
    (0, 0, DRAFT, {"company_id": [1, "Acme"]}, "[0].company_id[0] is 1, wanted 2"),
    (0, 0, DRAFT, {"journal_id": False}, "[0].journal_id[0] is None, wanted 13"),
    (0, 0, DRAFT, {"ref": "canary:other"}, "[0].ref is"),
    (1, 0, POSTED, {}, ""),
    (1, 0, POSTED, {"state": "draft"}, "[0].state is 'draft'"),
    (1, 0, POSTED, {"name": "/"}, "[0].name != '/'"),
    (1, 0, POSTED, {"name": False}, "[0].name != '/'"),
    (1, 0, POSTED, {"amount_untaxed": 299.99}, "[0].amount_untaxed is 299.99, wanted 300"),
    (1, 0, POSTED, {"amount_tax": 0}, "sum([0].[amount_untaxed, amount_tax]) is 300.0, wanted 345.0"),
    (1, 0, POSTED, {"amount_total": 345.0000001}, ""),
    (2, 0, {"state": "posted", "payment_state": "reversed"}, {}, ""),
    (2, 0, {"state": "posted", "payment_state": "reversed"}, {"payment_state": "not_paid"}, "[0].payment_state is 'not_paid'"),
    (2, 1, CREDIT, {}, ""),
    (2, 1, CREDIT, {"state": "draft"}, "[0].state is 'draft'"),
    (2, 1, CREDIT, {"amount_total": 300.0}, "[0].amount_total is 300.0"),
    (2, 1, CREDIT, {"company_id": [1, "Acme"]}, "[0].company_id[0] is 1"),
]


@pytest.mark.parametrize(("step", "call", "row", "change", "words"), TABLE)
def test_invoice(step: int, call: int, row: dict[str, Any], change: dict[str, Any], words: str) -> None:
    found = unexpected([{**row, **change}], KNOWN["invoice"].steps[step].then[call], NAMES, jmespath.search)
    assert found.startswith(words) and bool(found) == bool(words)


def test_what_ships() -> None:
    assert {file.stem for file in SHIPPED.iterdir()} == set(KNOWN)
    assert set(KNOWN) >= {
        "login", "session", "timesheet", "invoice", "journal_entry", "bank_statement", "payment_batch", "project_report",
        "scheduled_actions", "order", "document", "integration_xmlrpc",
    }  # fmt: skip
    assert [s.metric for s in KNOWN["invoice"].steps] == ["invoice.create", "invoice.post", "invoice.reverse"]
    assert KNOWN["order"].modules == ("sale",)


OWN = "transaction: login\ntitle: Ours\nsteps: [{step: login, do: [{session: open}]}]\n"


def test_an_own_one_is_added_and_may_replace_a_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "login.yml").write_text(OWN)
    (tmp_path / "ours.yaml").write_text(OWN.replace("login", "ours"))
    (tmp_path / "notes.txt").write_text("no transaction")
    found = {one["transaction"]: one["title"] for one in chosen(["ours", "invoice"], [str(tmp_path)])}
    assert (found["login"], found["ours"]) == ("Ours", "Ours")
    with pytest.raises(TransactionFileError, match=r"transactions: ours is not known\. Known are bank_statement"):
        chosen(["ours"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a: [", "is not valid YAML", id="no-yaml"),
        pytest.param("[]", "is .*Write a mapping", id="no-mapping"),
        pytest.param(OWN + "title: Again\n", "the key 'title' is there twice", id="a-key-twice"),
        pytest.param(OWN.replace("steps", "stpes"), "transaction.stpes is not a known key", id="misspelt"),
        pytest.param(OWN.replace("session: open", "session: lost"), "Write one of: open, read, close", id="no-such-session"),
        pytest.param(OWN.replace("{session: open}", "{session: open, http: GET /}"), "login.yml", id="two-things-at-once"),
        pytest.param(OWN.replace("login, do", "Log In, do"), "login.yml", id="a-name-with-a-space"),
    ],
)
def test_what_is_no_transaction_is_refused_with_its_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "login.yml"
    file.write_text(text)
    with pytest.raises(TransactionFileError, match=words):
        read_all([str(file)])


def test_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransactionFileError, match="holds no transaction"):
        read_all([str(tmp_path)])
