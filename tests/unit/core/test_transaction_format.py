from __future__ import annotations

from copy import deepcopy
from typing import Any

import jmespath
import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import (
    call_of,
    judge_transaction,
    rendered,
    same,
    transaction_of,
    unexpected,
)

NAMES = {"company": 2, "tag": "canary:CHG-2026-1", "ids": [4, 5], "row": {"ref": "x", "journal_id": [3, "Sales"]}}
GIVEN: dict[str, Any] = {
    "transaction": "note",
    "title": "A note",
    "records": {"partner": {"model": "res.partner", "domain": [["company_id", "=", "${company}"]]}},
    "steps": [
        {"step": "create", "do": [{"call": "note.note.create", "args": {"vals_list": [{"memo": "${tag}"}]}, "save": {"note": "[0]"}}]},
        {"step": "read", "do": [{"call": "note.note.read", "ids": ["${note}"], "expect": {"[0].partner_id[0]": "${partner}"}}]},
    ],
    "leftovers": [
        {"model": "note.note", "domain": [["memo", "=like", "${prefix}%"]], "do": [{"call": "note.note.unlink", "ids": "${ids}"}]}
    ],
}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        pytest.param("${company}", 2, id="keeps-its-kind"),
        pytest.param("${ids}", [4, 5], id="a-list"),
        pytest.param("${row.journal_id[0]}", 3, id="an-expression"),
        pytest.param("${tag}%", "canary:CHG-2026-1%", id="within-a-text"),
        pytest.param([["a", "in", "${ids}"], {"b": "${row.ref}"}], [["a", "in", [4, 5]], {"b": "x"}], id="deep"),
        pytest.param("$company {x}", "$company {x}", id="no-expression"),
        pytest.param("${row.nothing}", None, id="not-there"),
    ],
)
def test_rendered(value: Any, found: Any) -> None:
    assert rendered(value, NAMES, jmespath.search) == found


@pytest.mark.parametrize(
    ("seen", "wanted", "alike"),
    [
        pytest.param(300.0, 300, True, id="numbers"),
        pytest.param(299.99, 300, False, id="a-cent-less"),
        pytest.param(345.0000001, 345, True, id="rounding"),
        pytest.param([2, "Canary"], 2, True, id="a-reference-by-its-id"),
        pytest.param([1, "Acme"], 2, False, id="another-reference"),
        pytest.param(False, 0, False, id="false-is-no-number"),
        pytest.param(1, True, False, id="one-is-not-true"),
        pytest.param(None, 300, False, id="nothing"),
        pytest.param(float("nan"), 300, False, id="nan"),
    ],
)
def test_same(seen: Any, wanted: Any, alike: bool) -> None:
    assert same(seen, wanted) is alike


def test_what_is_unexpected_is_told_with_both_values() -> None:
    call = call_of({"call": "a.b.read", "expect": {"length(@)": 1, "[0].state": "posted", "[0].company_id[0]": "${company}"}})
    assert unexpected([{"state": "posted", "company_id": [2, "x"]}], call, NAMES, jmespath.search) == ""
    assert unexpected([], call, NAMES, jmespath.search) == "length(@) is 0, wanted 1"
    assert unexpected([{"state": "draft"}], call, NAMES, jmespath.search) == "[0].state is 'draft', wanted 'posted'"
    assert "[0].company_id[0] is 1, wanted 2" in unexpected([{"state": "posted", "company_id": [1, "x"]}], call, NAMES, jmespath.search)


def changed(path: list[Any], value: Any) -> dict[str, Any]:
    """The example with one thing changed; ``...`` takes it out."""
    document: Any = deepcopy(GIVEN)
    at = document
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return dict(document)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        pytest.param(GIVEN, "", id="right"),
        pytest.param(changed(["leftovers"], ...), "it creates rows, and leftovers is missing", id="cannot-be-taken-back"),
        pytest.param(changed(["leftovers", 0, "domain"], [["state", "=", "x"]]), "would find rows of others", id="finds-rows-of-others"),
        pytest.param(
            changed(["leftovers", 0, "domain"], [["memo", "=", "${prefix}${tag}"]]), "${tag} is this change's alone", id="its-own-tag"
        ),
        pytest.param(
            changed(["leftovers", 0, "do", 0, "ids"], ["${note}"]), "${note} is not known there", id="nothing-saved-survives-a-kill"
        ),
        pytest.param(changed(["steps", 1, "do", 0, "ids"], ["${notes}"]), "${notes} is not known there", id="misspelt"),
        pytest.param(changed(["steps", 1, "step"], "create"), "step 'note.create' is there twice", id="twice"),
        pytest.param(changed(["steps", 1, "times"], 3), "times is 3, and back is missing", id="again-without-back"),
        pytest.param(
            changed(["steps", 0, "do", 0, "context"], {"allowed_company_ids": [1]}), "canary company's alone", id="leaves-its-company"
        ),
        pytest.param(changed(["steps", 0, "do", 0, "save"], {"company": "[0]", "note": "[0]"}), "save uses company", id="takes-a-name"),
        pytest.param(changed(["steps", 0, "do", 0, "call"], "note._create"), "is private", id="private"),
    ],
)
def test_what_no_schema_can_say(document: dict[str, Any], words: str) -> None:
    found = judge_transaction(transaction_of(document))
    assert (words in found[0] and len(found) == 1) if words else found == []


def test_a_step_that_is_called_as_its_transaction_is_all_there_is_to_it() -> None:
    assert transaction_of({**GIVEN, "steps": [{"step": "note", "do": [{"session": "read"}]}]}).metrics == ("note",)
