"""What differs, and what is sent: by table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_kinds import EDGES, KINDS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_objects import (
    Live,
    Node,
    Target,
    Wanted,
    as_mapping,
    body,
    differences,
    link_changes,
    same,
    secrets_of,
    shown,
    wanted_fields,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_steps import node_steps

KEPT = "$encrypted$"


@pytest.mark.parametrize(
    ("wanted", "live", "how", "is_same"),
    [
        pytest.param("a", "a", {}, True, id="text"),
        pytest.param(True, 1, {}, False, id="true-is-not-one"),
        pytest.param(0, False, {}, False, id="zero-is-not-false"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, {}, False, id="one-more"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, {"loose": True}, True, id="one-more-loose"),
        pytest.param({"a": 1}, {"b": 2}, {"loose": True}, False, id="missing-loose"),
        pytest.param([{"a": 1}], [{"a": 1, "type": "string"}], {"loose": True}, True, id="in-a-list"),
        pytest.param([1], [1, 2], {"loose": True}, False, id="longer-list"),
        pytest.param("new", KEPT, {}, True, id="kept-secret"),
        pytest.param("new", KEPT, {"renew": True}, False, id="renewed-secret"),
        pytest.param(None, "", {}, False, id="none"),
    ],
)
def test_same(wanted: Any, live: Any, how: dict[str, bool], is_same: bool) -> None:
    assert same(wanted, live, **how) is is_same


@pytest.mark.parametrize(
    ("text", "wanted"), [("", {}), ("---", {}), ('{"a": 1}', {"a": 1}), ("a: 1", "a: 1"), ({"a": 1}, {"a": 1})], ids=repr
)
def test_variables_as_awx_carries_them(text: Any, wanted: Any) -> None:
    assert as_mapping(text) == wanted


def job(obj: dict[str, Any], **refs: Target | None) -> Wanted:
    kind = KINDS["job_templates"]
    return Wanted(kind, "plan", wanted_fields(kind, obj), {"organization": Target("o", 1), **refs})


LIVE = Live(7, {"id": 7, "playbook": "a.yml", "extra_vars": '{"a": 1}', "project": 2, "summary_fields": {"project": {"name": "old"}}})


def test_only_what_differs_is_sent() -> None:
    want = job({"playbook": "  b.yml\n", "extra_vars": {"a": 1}}, project=Target("new", 3))
    found = differences(want, LIVE)
    assert [(d.path, d.before, d.after) for d in found] == [("playbook", "a.yml", "b.yml"), ("project", "old", "new")]
    assert body(want, LIVE, found) == {"playbook": "b.yml", "project": 3}


def test_a_new_object_is_sent_whole_but_for_what_awx_derives() -> None:
    want = job({"playbook": "b.yml", "extra_vars": {"b": 2, "a": 1}}, project=Target("new", 3))
    fields = {"playbook": "b.yml", "extra_vars": '{"a": 1, "b": 2}'}
    assert body(want, None, differences(want, None)) == {"name": "plan", "project": 3, **fields}


def test_what_is_not_made_yet_differs_from_everything() -> None:
    assert [d.path for d in differences(job({}, project=Target("new", None)), LIVE)] == ["project"]
    assert link_changes([Target("new", None)], []) == ([Target("new", None)], [])


def test_variables_written_by_hand_are_put_back() -> None:
    live = Live(7, {**LIVE.document, "extra_vars": '{"a": 1, "b": 2}'})
    assert [d.path for d in differences(job({"extra_vars": {"a": 1}}), live)] == ["extra_vars"]


def test_secrets_are_kept_beside_what_is_changed_and_never_shown() -> None:
    kind = KINDS["credentials"]
    want = Wanted(kind, "c", {"inputs": {"url": "https://new", "token": "s3cret"}}, {})
    live = Live(1, {"inputs": {"url": "https://old", "token": KEPT, "more": "x"}})
    found = differences(want, live)
    sent = body(want, live, found)
    assert sent == {"inputs": {"url": "https://new", "token": "s3cret", "more": "x"}}
    entry = shown(want, found, salt="s")
    assert entry["before"]["inputs"]["token"] == KEPT
    assert not [text for text in ("s3cret", "https://new", "https://old") if text in str(entry)]
    assert secrets_of(want) == ["https://new", "s3cret"]


def edges(**given: set[str]) -> dict[str, frozenset[str]]:
    return {way: frozenset(given.get(way, set())) for way in EDGES}


def nodes(text: str) -> tuple[list[Node], list[dict[str, Any]]]:
    """``a>b a!c``: success and failure; ``a`` alone: a node."""
    listed: dict[str, dict[str, Any]] = {}
    for word in text.split():
        parent, _by, child = word.replace("!", ">").partition(">")
        for name in filter(None, (parent, child)):
            listed.setdefault(name, {"identifier": name})
        if child:
            listed[parent].setdefault("failure_nodes" if "!" in word else "success_nodes", []).append(child)
    made = [
        Node(name, Target("job", 5), None, False, {}, edges(**{w: set(n.get(w, ())) for w in EDGES}), id=number)
        for number, (name, n) in enumerate(listed.items(), 1)
    ]
    return made, list(listed.values())


@pytest.mark.parametrize(
    ("live", "wanted", "steps"),
    [
        pytest.param("", "a>b a!c", "make a; make b under a; make c under a", id="new"),
        pytest.param("a>b", "a>b", "", id="same"),
        pytest.param("a>b", "a", "remove b", id="less"),
        pytest.param("a>b", "a!b", "unlink a-b; link a-b", id="other-way"),
        pytest.param("a>b", "b>a", "unlink a-b; link b-a", id="turned"),
        pytest.param("a>c", "a>b b>c", "unlink a-c; make b under a; link b-c", id="between"),
    ],
)
def test_steps(live: str, wanted: str, steps: str) -> None:
    before, _listed = nodes(live)
    after, listed = nodes(wanted)
    told = {"make": "make {0} under {1}", "remove": "remove {0}", "link": "link {1}-{0}", "unlink": "unlink {1}-{0}"}
    found = [told[s.do].format(s.identifier, s.parent) for s in node_steps(after, before, listed)]
    assert [text.removesuffix(" under ") for text in found] == [text for text in steps.split("; ") if text]


def test_an_approval_that_waits_otherwise_is_changed_and_not_made_again() -> None:
    listed = [{"identifier": "a"}]
    live = Node("a", None, {"name": "x", "description": "", "timeout": 1}, False, {}, edges(), id=1, approval_id=9)
    want = Node("a", None, {"name": "x", "description": "", "timeout": 2}, False, {}, edges())
    (step,) = node_steps([want], [live], listed)
    assert (step.do, step.body["timeout"]) == ("approve", 2)
