"""Approvals with real keys and the real ssh-keygen: what counts, alone, together, and from the record."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ssh_format import names_of, principals_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ssh_signature import ApprovalError, read_approvals
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import (
    approval_evidence,
    recorded_approval_checks,
    recorded_seq,
)

from tests.support.approvers import CHANGE, NOW, OTHER_PLAN, PLAN, Item, People


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("people"))


def codes(judged: Any) -> set[str]:
    return {r["code"] for r in judged.rejected}


def test_a_good_approval_counts(people: People) -> None:
    judged = people.judge(people.approval("alice"))
    assert [c.ok for c in judged.checks] == [True]
    assert judged.checks[0].observed == {"count": 1, "approvers": ["alice"]}


def test_two_people_are_two_approvals(people: People) -> None:
    assert people.judge(people.approval("alice"), people.approval("bob"), required=2).checks[0].ok is True


def test_a_bad_one_does_not_stop_a_good_one_but_is_told(people: People) -> None:
    judged = people.judge(people.approval("ops-1", "requester"), people.approval("alice"))
    assert judged.checks[0].ok is True
    assert codes(judged) == {"REQUESTER"}


def test_one_person_twice_is_one(people: People) -> None:
    judged = people.judge(people.approval("alice"), ("again", *people.approval("alice", at=NOW)[1:]), required=2)
    assert codes(judged) == {"SAME_PERSON"}
    assert judged.checks[-1].ok is False


@pytest.mark.parametrize("written", ["OPS-1", "alice", "ALICE", "\uff41lice", " alice "], ids=["own", "exact", "upper", "wide", "blanks"])
def test_a_name_written_differently_is_the_same_person(people: People, written: str) -> None:
    item = people.approval("ops-1", "requester") if written == "OPS-1" else people.approval("alice")
    assert codes(people.judge(item, requester=written)) == {"REQUESTER"}


def test_no_tool_and_no_file_are_unknown(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    item = people.approval("alice")
    for bad in ({"allowed_signers": "/does/not/exist"}, {"allowed_signers": None}, {"revoked": "/does/not/exist"}):
        assert [c.ok for c in people.judge(item, **bad).checks] == [None, None]
    monkeypatch.setenv("PATH", "/nowhere")
    judged = people.judge(item)
    assert [c.ok for c in judged.checks] == [None, None]
    assert codes(judged) == {"NO_TOOL"}


@pytest.mark.parametrize("people_given", [{"requester": ""}, {"executor": " "}, {"required": -1}])
def test_nobody_named_is_unknown(people: People, people_given: dict[str, Any]) -> None:
    assert [c.ok for c in people.judge(people.approval("alice"), **people_given).checks] == [None]


def test_too_old(people: People) -> None:
    assert people.judge(people.approval("alice"), max_age_s=3600).checks[0].ok is True
    assert codes(people.judge(people.approval("alice"), max_age_s=3599)) == {"TOO_OLD"}


def recorded(people: People, *items: Item, event: str = "approved", **asked: Any) -> Event:
    judged = people.judge(*items, **asked)
    votes = judged.accepted if event == "approved" else judged.withdrawn
    evidence = approval_evidence(votes, digest=PLAN, requester="ops-1", executor="ops-2")
    return Event(3, event, None, "ops-2", "2026-12-05T19:00:00Z", json.loads(json.dumps(evidence)), "", None)


def test_a_recorded_approval_is_verified_anew(people: People) -> None:
    event = recorded(people, people.approval("alice"))
    asked = {
        "change": {"id": CHANGE, "requester": "ops-1"},
        "digest": PLAN,
        "policy": {"approvals": 1},
        "executor": "ops-2",
        "now": NOW,
        "allowed_signers": str(people.allowed),
    }
    assert [c.ok for c in recorded_approval_checks([event], **asked)] == [True]
    assert recorded_approval_checks([event], **{**asked, "digest": OTHER_PLAN})[0].code == "OTHER_PLAN"
    assert recorded_approval_checks([event], **{**asked, "executor": "Alice"})[0].code == "EXECUTOR"
    revoked = people.root / "alice.pub"
    assert recorded_approval_checks([event], **asked, revoked=str(revoked))[0].code == "REVOKED"
    forged = json.loads(json.dumps(event.evidence).replace("alice", "bobby"))
    assert recorded_approval_checks([replace(event, evidence=forged)], **asked)[-1].ok is False


def test_recorded_approvals_count_together(people: People) -> None:
    events = [
        recorded(people, people.approval("alice")),
        recorded(people, people.approval("bob")),
        recorded(people, people.approval("bob")),
    ]
    asked = {"change": {"id": CHANGE, "requester": "ops-1"}, "digest": PLAN, "executor": "ops-2", "now": NOW}
    signers = {"allowed_signers": str(people.allowed)}
    assert [c.ok for c in recorded_approval_checks(events, **asked, **signers, policy={"approvals": 2})] == [True]
    assert recorded_approval_checks(events, **asked, **signers, policy={"approvals": 3})[-1].ok is False
    assert recorded_approval_checks([], **asked, **signers, policy={"approvals": 1})[-1].code == "TOO_FEW"
    assert [c.ok for c in recorded_approval_checks([], **asked, allowed_signers=None, policy={"approvals": 0})] == [True]


ASKED: dict[str, Any] = {"change": {"id": CHANGE, "requester": "ops-1"}, "digest": PLAN, "executor": "ops-2", "now": NOW}


@pytest.mark.parametrize(
    ("policy", "changed", "code"),
    [
        pytest.param({"approvals": 1}, {}, "", id="as-it-was"),
        pytest.param({"approvals": 1, "version": None, "groups": []}, {}, "", id="no-version-no-groups"),
        pytest.param({"approvals": 1, "version": 4}, {}, "OTHER_POLICY", id="another-policy"),
        pytest.param({"approvals": 1, "approval_max_age": "PT1H"}, {}, "", id="exactly-at-the-age"),
        pytest.param({"approvals": 1, "approval_max_age": "PT59M59S"}, {}, "TOO_OLD", id="too-old"),
        pytest.param({"approvals": 1, "groups": [{"group": "dba", "count": 1}]}, {"members": {"dba": ["alice"]}}, "", id="group"),
        pytest.param(
            {"approvals": 1, "groups": [{"group": "dba", "count": 1}]}, {"members": {"dba": ["bob"]}}, "GROUP_TOO_FEW", id="left-it"
        ),
        pytest.param({"approvals": 1, "groups": [{"group": "dba", "count": 1}]}, {}, "EMPTY_GROUP", id="no-groups-given"),
        pytest.param({"approvals": 1, "groups": ["dba"]}, {}, "BAD_COUNT", id="odd-policy"),
        pytest.param({"approvals": 1}, {"members": "/does/not/exist"}, "BAD_GROUPS", id="unreadable-groups"),
        pytest.param(
            {"approvals": 1},
            {"launched": {"launchers": None, "problem": {"code": "AWX_REFUSED", "seen": ""}}},
            "AWX_REFUSED",
            id="launcher",
        ),
        pytest.param(
            {"approvals": 1}, {"launched": {"launchers": [{"type": "user", "id": 7, "name": "al"}]}}, "AWX_NO_SETUP", id="no-setup"
        ),
    ],
)
def test_the_guard_asks_what_the_plans_policy_asks(people: People, policy: dict[str, Any], changed: dict[str, Any], code: str) -> None:
    event = recorded(people, people.approval("alice"))
    found = recorded_approval_checks([event], **{**ASKED, "policy": policy, "allowed_signers": str(people.allowed), **changed})
    assert {check.code for check in found if check.ok is not True} - {"TOO_FEW"} == ({code} if code else set())


def test_nobody_is_asked_for_when_nobody_is_wanted() -> None:
    launched = {"launchers": None, "problem": {"code": "AWX_REFUSED", "seen": ""}}
    found = recorded_approval_checks([], **ASKED, allowed_signers=None, policy={"approvals": 0}, launched=launched)
    assert [check.ok for check in found] == [True]


def test_an_approval_of_this_policy_counts(people: People) -> None:
    assert people.judge(people.approval("alice", policy="4"), policy="4").checks[0].ok is True


def back(people: People, key: str = "alice", **changed: Any) -> Item:
    return "back", *people.approval(key, decision="withdraw", **{"at": NOW - dt.timedelta(minutes=30), **changed})[1:]


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        pytest.param(lambda p: [back(p)], {"WITHDRAWN", "TOO_FEW"}, id="taken-back"),
        pytest.param(lambda p: [back(p), ("new", *p.approval("alice", at=NOW)[1:])], set(), id="and-given-again"),
        pytest.param(lambda p: [back(p, "bob")], set(), id="by-somebody-else"),
        pytest.param(lambda p: [back(p, digest=OTHER_PLAN)], set(), id="of-another-plan"),
        pytest.param(lambda p: [(*back(p)[:2], p.approval("alice")[2])], set(), id="forged"),
    ],
)
def test_an_approval_is_taken_back_by_whoever_gave_it(people: People, more: Callable[[People], list[Item]], codes: set[str]) -> None:
    assert {c.code for c in people.judge(people.approval("alice"), *more(people)).checks if not c.ok} == codes


def test_the_guard_learns_of_a_withdrawal(people: People) -> None:
    given = recorded(people, people.approval("alice"))
    taken = recorded(people, people.approval("alice"), back(people), event="withdrawn", max_age_s=3600)
    asked = {**ASKED, "policy": {"approvals": 1}, "allowed_signers": str(people.allowed)}
    assert "WITHDRAWN" in {check.code for check in recorded_approval_checks([given, taken], **asked)}


def test_what_is_recorded_is_found_again(people: People) -> None:
    one, two = recorded(people, people.approval("alice")), recorded(people, people.approval("bob"))
    assert recorded_seq([one], "approved", one.evidence) == 3
    assert recorded_seq([one], "approved", two.evidence) is None
    assert recorded_seq([one], "withdrawn", one.evidence) is None
    assert recorded_seq([one], "approved", {**one.evidence, "awx": {"workflow_job": {"id": 1}}}) is None


@pytest.mark.parametrize(
    ("key", "principals", "names"),
    [
        pytest.param("AAAA1", ("alice", "al"), ("alice", "al", "Alice", "ops-1"), id="through-a-shared-name"),
        pytest.param("AAAA2", ("Alice", "ops-1"), ("Alice", "ops-1", "alice", "al"), id="in-any-case"),
        pytest.param("AAAA3", ("bob",), ("bob",), id="one-name"),
        pytest.param("AAAA4", (), (), id="in-a-comment-only"),
        pytest.param("AAAA5", (), (), id="authority"),
        pytest.param("AAAA6", ("*",), ("*",), id="pattern"),
    ],
)
def test_names(key: str, principals: tuple[str, ...], names: tuple[str, ...]) -> None:
    lines = 'alice,al ssh-ed25519 AAAA1\nAlice,"ops-1" ssh-ed25519 AAAA2\nbob namespaces="a b" ssh-ed25519 AAAA3 AAAA4\n'
    lines += '*@x cert-authority,namespaces="a" ssh-ed25519 AAAA5\n* ssh-ed25519 AAAA6\n* ssh-ed25519 AAAA7\n\n#\nalice\n'
    assert principals_of(lines, key) == principals
    assert names_of(lines, key) == names


def test_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "alice.json").write_bytes(b"{}")
    (tmp_path / "alice.json.sig").write_bytes(b"s")
    (tmp_path / "bob.json").write_bytes(b"{}")
    assert read_approvals([tmp_path]) == [("alice", b"{}", b"s"), ("bob", b"{}", None)]
    assert read_approvals([tmp_path / "alice.json", tmp_path]) == [("alice", b"{}", b"s"), ("bob", b"{}", None)]
    with pytest.raises(ApprovalError, match="cannot be read"):
        read_approvals([tmp_path / "carol.json"])
    (tmp_path / "bob.json").write_bytes(b"x" * 70000)
    with pytest.raises(ApprovalError, match="larger"):
        read_approvals([tmp_path])
