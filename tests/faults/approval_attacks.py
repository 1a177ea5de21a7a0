"""Approvals that must not count: forged, replayed, stale, one's own, edited; by signature and by AWX. None may be accepted.

``./dev python -m tests.faults.approval_attacks`` carries them all out and prints the count. SSH ones are made with real keys
and the real ssh-keygen; AWX ones are read over HTTP from a stand-in that serves documents in AWX's shape.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.support import awx as stand_in
from tests.support.approvers import CHANGE, NOW, OTHER_PLAN, PLAN, Item, People, reworked

DAY = dt.timedelta(days=1)
DBA = {"required": 1, "groups": [{"group": "dba", "count": 1}], "members": {"dba": ["bob"]}}


@dataclass(frozen=True)
class Attack:
    """``make`` gives what lies there as approvals, ``asked`` how it is judged; ``code`` is why it is refused."""

    code: str
    make: Callable[[People], Item | list[Item]]
    asked: dict[str, Any] | None = None


def edited(people: People) -> Item:
    name, document, signature = people.approval("alice", digest=OTHER_PLAN)
    return name, document.replace(OTHER_PLAN.encode(), PLAN.encode()), signature


def swapped(people: People) -> list[Item]:
    """Two good approvals, each with the other's signature."""
    (alice, first, one), (bob, second, two) = people.approval("alice"), people.approval("bob")
    return [(alice, first, two), (bob, second, one)]


def appended(people: People, after: bytes) -> Item:
    name, document, signature = people.approval("alice")
    return name, document + after, signature


def bent(people: People, change: Callable[[bytes], bytes], **what: Any) -> Item:
    name, document, signature = people.approval("alice", **what)
    return name, document, reworked(signature or b"", change)


def armored(people: People, change: Callable[[bytes], bytes]) -> Item:
    name, document, signature = people.approval("alice")
    return name, document, change(signature or b"")


def other_key(people: People) -> Item:
    """Bob's signature with Alice's public key written into it."""
    name, document, signature = people.approval("alice", "bob")
    alice, bob = (bytes.fromhex(_raw_key(people, who)) for who in ("alice", "bob"))
    return name, document, reworked(signature or b"", lambda blob: blob.replace(bob, alice))


def _raw_key(people: People, name: str) -> str:
    return base64.b64decode((people.root / f"{name}.pub").read_text().split()[1])[-32:].hex()


def withdrawn(people: People, *more: Item) -> list[Item]:
    """Alice approves, and takes it back."""
    at = NOW - dt.timedelta(minutes=30)
    return [people.approval("alice"), ("back", *people.approval("alice", at=at, decision="withdraw")[1:]), *more]


SSH = {
    # who
    "requester": Attack("REQUESTER", lambda p: p.approval("ops-1", "requester")),
    "executor": Attack("EXECUTOR", lambda p: p.approval("ops-2", "executor")),
    "requester by a second name": Attack("REQUESTER", lambda p: p.approval("second", "two")),
    "requester by a second key": Attack("REQUESTER", lambda p: p.approval("dave")),
    "requester in capitals": Attack("REQUESTER", lambda p: p.approval("alice"), {"requester": "ALICE"}),
    "requester in wide letters": Attack("REQUESTER", lambda p: p.approval("alice"), {"requester": "\uff41lice"}),
    "executor with blanks": Attack("EXECUTOR", lambda p: p.approval("alice"), {"executor": "  alice\t"}),
    "requester with a Cyrillic letter": Attack("ODD_NAME", lambda p: p.approval("alice"), {"requester": "\u0430lice"}),
    "requester with a mark of no width": Attack("ODD_NAME", lambda p: p.approval("alice"), {"requester": "alice\u200b"}),
    "executor with a letter that runs backwards": Attack("ODD_NAME", lambda p: p.approval("alice"), {"executor": "\u202ealice"}),
    "no requester": Attack("NOBODY", lambda p: p.approval("alice"), {"requester": " "}),
    # keys
    "key of nobody": Attack("UNKNOWN_KEY", lambda p: p.approval("alice", "stranger")),
    "somebody else's name": Attack("NOT_THE_SIGNER", lambda p: p.approval("alice", "bob")),
    "name in capitals": Attack("NOT_THE_SIGNER", lambda p: p.approval("ALICE", "alice")),
    "name with a blank": Attack("NOT_THE_SIGNER", lambda p: p.approval("alice ", "alice")),
    "name with a Cyrillic letter": Attack("NOT_THE_SIGNER", lambda p: p.approval("\u0430lice", "alice")),
    "two names in one": Attack("NOT_THE_SIGNER", lambda p: p.approval("dave,ops-1", "desk")),
    "pattern for a name": Attack("WILDCARD_PRINCIPAL", lambda p: p.approval("alice@example.com", "any")),
    "pattern as the name": Attack("WILDCARD_PRINCIPAL", lambda p: p.approval("*@example.com", "any")),
    "expired key": Attack("SIGNER_EXPIRED", lambda p: p.approval("late")),
    "expired key, document dated before that": Attack("SIGNER_EXPIRED", lambda p: p.approval("late", at=NOW - 30 * DAY)),
    "key that is not valid yet": Attack("SIGNER_EXPIRED", lambda p: p.approval("early")),
    "key for another purpose": Attack("SIGNER_EXPIRED", lambda p: p.approval("other")),
    "revoked key": Attack("REVOKED", lambda p: p.approval("gone")),
    "revoked key, document dated before that": Attack("REVOKED", lambda p: p.approval("gone", at=NOW - 30 * DAY)),
    "certificate of an authority": Attack("UNKNOWN_KEY", lambda p: p.approval("eve", "certified-cert.pub")),
    "key of the authority itself": Attack("UNKNOWN_KEY", lambda p: p.approval("eve", "authority")),
    # signatures
    "no signature": Attack("MISSING_SIGNATURE", lambda p: (*p.approval("alice")[:2], None)),
    "empty signature": Attack("MISSING_SIGNATURE", lambda p: (*p.approval("alice")[:2], b"")),
    "a word for a signature": Attack("UNREADABLE_SIGNATURE", lambda p: (*p.approval("alice")[:2], b"approved")),
    "signature cut off": Attack("UNREADABLE_SIGNATURE", lambda p: armored(p, lambda s: s[:150])),
    "two signatures in one file": Attack("UNREADABLE_SIGNATURE", lambda p: armored(p, lambda s: s + s)),
    "words after the signature": Attack("UNREADABLE_SIGNATURE", lambda p: armored(p, lambda s: s + b"approved\n")),
    "bytes after the signature's end": Attack("BAD_SIGNATURE", lambda p: bent(p, lambda blob: blob + b"\0\0\0\0")),
    "a flipped bit": Attack("BAD_SIGNATURE", lambda p: bent(p, lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]))),
    "other namespace": Attack("WRONG_NAMESPACE", lambda p: p.approval("alice", namespace="file")),
    "longer namespace": Attack("WRONG_NAMESPACE", lambda p: p.approval("alice", namespace="odoo-ops-change.test")),
    "namespace rewritten": Attack(
        "BAD_SIGNATURE", lambda p: bent(p, lambda b: b.replace(b"odoo-ops-chance", b"odoo-ops-change"), namespace="odoo-ops-chance")
    ),
    "another digest algorithm": Attack("BAD_SIGNATURE", lambda p: bent(p, lambda blob: blob.replace(b"sha512", b"sha256"))),
    "public key rewritten": Attack("BAD_SIGNATURE", other_key),
    "signatures swapped": Attack("BAD_SIGNATURE", swapped),
    "signature of another document": Attack(
        "BAD_SIGNATURE", lambda p: (*p.approval("alice")[:2], p.approval("alice", digest=OTHER_PLAN)[2])
    ),
    # documents
    "document edited": Attack("BAD_SIGNATURE", edited),
    "bytes after the document": Attack("BAD_SIGNATURE", lambda p: appended(p, b"\n")),
    "a second document after the first": Attack("BAD_DOCUMENT", lambda p: p.text(lambda text: text + b"\n" + text)),
    "a byte order mark": Attack("BAD_DOCUMENT", lambda p: p.text(lambda text: b"\xef\xbb\xbf" + text)),
    "the plan twice": Attack(
        "BAD_DOCUMENT", lambda p: p.text(lambda t: t.replace(b'"decision"', b'"plan": "%s", "decision"' % PLAN.encode()), plan=OTHER_PLAN)
    ),
    "the approver twice": Attack(
        "BAD_DOCUMENT", lambda p: p.text(lambda t: t.replace(b'"at"', b'"approver": "alice", "at"'), approver="bob")
    ),
    "a key too many": Attack("BAD_DOCUMENT", lambda p: p.raw("alice", note="and more")),
    "no plan": Attack("BAD_DOCUMENT", lambda p: p.raw("alice", plan=None)),
    "true for a schema": Attack("BAD_DOCUMENT", lambda p: p.raw("alice", schema=True)),
    "a later schema": Attack("BAD_DOCUMENT", lambda p: p.raw("alice", schema=2)),
    "a list of plans": Attack("BAD_DOCUMENT", lambda p: p.raw("alice", plan=[OTHER_PLAN, PLAN])),
    "no time zone": Attack("BAD_DOCUMENT", lambda p: p.raw("alice", at="2026-12-05T18:00:00")),
    "no JSON": Attack("BAD_DOCUMENT", lambda p: ("alice", b"yes\n", p.sign(b"yes\n", "alice"))),
    "a refusal": Attack("NOT_AN_APPROVAL", lambda p: p.raw("alice", decision="reject")),
    "APPROVE in capitals": Attack("NOT_AN_APPROVAL", lambda p: p.raw("alice", decision="APPROVE")),
    # replays
    "another plan": Attack("OTHER_PLAN", lambda p: p.approval("alice", digest=OTHER_PLAN)),
    "no digest": Attack("OTHER_PLAN", lambda p: p.raw("alice", plan="sha256:")),
    "another change": Attack("OTHER_CHANGE", lambda p: p.approval("alice", change="CHG-2026-0141")),
    "change in small letters": Attack("OTHER_CHANGE", lambda p: p.approval("alice", change=CHANGE.lower())),
    "older policy": Attack("OTHER_POLICY", lambda p: p.approval("alice", policy="3"), {"policy": "4"}),
    "no policy": Attack("OTHER_POLICY", lambda p: p.approval("alice"), {"policy": "4"}),
    "a policy that the plan does not have": Attack("OTHER_POLICY", lambda p: p.approval("alice", policy="4")),
    "dated later": Attack("FUTURE", lambda p: p.approval("alice", at=NOW + dt.timedelta(hours=1))),
    "expired": Attack("EXPIRED", lambda p: p.approval("alice", expires=NOW)),
    "too old": Attack("TOO_OLD", lambda p: p.approval("alice", at=NOW - DAY), {"max_age_s": 3600}),
    "withdrawn": Attack("WITHDRAWN", withdrawn),
    "withdrawn, and an older one shown again": Attack(
        "WITHDRAWN", lambda p: withdrawn(p, ("zold", *p.approval("alice", at=NOW - dt.timedelta(hours=2))[1:]))
    ),
    # counts
    "one person twice": Attack(
        "SAME_PERSON", lambda p: [p.approval("alice"), ("again", *p.approval("alice", at=NOW)[1:])], {"required": 2}
    ),
    "two keys of one person": Attack(
        "SAME_PERSON", lambda p: [p.approval("alice"), ("b", *p.approval("alice", "token")[1:])], {"required": 2}
    ),
    "a name that differs in case": Attack("SAME_PERSON", lambda p: [p.approval("carol"), p.approval("Carol", "upper")], {"required": 2}),
    "nobody of the group": Attack("GROUP_TOO_FEW", lambda p: p.approval("alice"), DBA),
    "empty group": Attack("EMPTY_GROUP", lambda p: p.approval("alice"), {**DBA, "members": {"dba": []}}),
    "group that nobody knows": Attack("EMPTY_GROUP", lambda p: p.approval("alice"), {**DBA, "members": {"DBA": ["alice"]}}),
    "another tenant's customer": Attack(
        "GROUP_TOO_FEW",
        lambda p: p.approval("bob"),
        {"groups": [{"group": "customer:acme", "count": 1}], "members": {"customer:acme": ["alice"], "customer:zeta": ["bob"]}},
    ),
    "one person for two groups": Attack(
        "GROUP_TOO_FEW",
        lambda p: p.approval("bob"),
        {"groups": [{"group": "dba", "count": 1}, {"group": "security", "count": 1}], "members": {"dba": ["bob"], "security": ["bob"]}},
    ),
    "the requester for the group": Attack("GROUP_TOO_FEW", lambda p: [p.approval("alice"), p.approval("bob")], {**DBA, "requester": "bob"}),
    "lookalike in the group": Attack("BAD_GROUPS", lambda p: p.approval("alice"), {**DBA, "members": {"dba": ["b\u043eb"]}}),
    "fewer than none": Attack("BAD_COUNT", lambda p: p.approval("alice"), {"required": -1}),
}


@dataclass(frozen=True)
class AwxAttack:
    """``bend`` changes AWX's documents, or the option awx; ``job``: within that job of AWX."""

    code: str
    bend: Callable[[stand_in.Documents, dict[str, Any]], Any] = lambda found, option: None
    job: int | None = None
    asked: dict[str, Any] | None = None
    sign: Callable[[People], list[Item]] = lambda people: []


def doc(found: stand_in.Documents, path: str, **changed: Any) -> None:
    found[path].update(changed)


def approval(found: stand_in.Documents, **changed: Any) -> None:
    doc(found, f"workflow_approvals/{stand_in.APPROVAL}/", **changed)


def by(found: stand_in.Documents, number: int | None, name: str | None = None) -> None:
    """Another user approves."""
    fields = found[f"workflow_approvals/{stand_in.APPROVAL}/"]["summary_fields"]
    fields["approved_or_denied_by"] = None if number is None else {"id": number, "username": name or stand_in.USERS[number]}


def workflow(found: stand_in.Documents, **changed: Any) -> None:
    doc(found, f"workflow_jobs/{stand_in.WORKFLOW}/", **changed)


def launched(found: stand_in.Documents, number: int) -> None:
    workflow(found, launched_by=stand_in.launched_by(number))


def planned(found: stand_in.Documents, **changed: Any) -> None:
    doc(found, f"jobs/{stand_in.PLAN_JOB}/", **changed)


def left(found: stand_in.Documents, change: str, digest: str) -> None:
    planned(found, artifacts={"odoo_ops_plan": {"change": change, "digest": digest}})


def approve_node(found: stand_in.Documents, **changed: Any) -> None:
    stand_in.nodes_of(found)[1].update(changed)


def renamed(found: stand_in.Documents, _option: Any) -> None:
    """Mallory is given Alice's name."""
    found["users/9/"]["username"] = "alice"
    by(found, 9, "alice")


def made_anew(found: stand_in.Documents, _option: Any) -> None:
    """Alice was deleted, and another user made with her name."""
    found["users/77/"] = {**found["users/7/"], "id": 77}
    by(found, 77, "alice")


def claimed(found: stand_in.Documents, _option: Any) -> None:
    """Job variables say everything that is wanted; the plan job has left nothing."""
    spoof = json.dumps({"odoo_ops_plan": {"change": CHANGE, "digest": PLAN}, "approved_by": "alice"})
    workflow(found, extra_vars=spoof)
    planned(found, artifacts={}, extra_vars=spoof)


def superuser(found: stand_in.Documents, _option: Any) -> None:
    launched(found, 1)
    by(found, 1)


def nested(found: stand_in.Documents, _option: Any) -> None:
    """Alice launched the workflow around this one."""
    found["workflow_jobs/499/"] = {**found[f"workflow_jobs/{stand_in.WORKFLOW}/"], "id": 499, "launched_by": stand_in.launched_by(7)}
    workflow(found, launched_by={"id": 499, "name": "around", "type": "workflow_job"})


def another_job(found: stand_in.Documents, _option: Any) -> None:
    """Alice launches a job of her own, and shows it the workflow job in which she approved."""
    found["jobs/700/"] = {"id": 700, "launched_by": stand_in.launched_by(7), "summary_fields": {}}


AWX = {
    "the launcher approves": AwxAttack("EXECUTOR", lambda f, o: by(f, 2)),
    "the requester approves": AwxAttack("REQUESTER", lambda f, o: by(f, 3)),
    "a superuser approves their own": AwxAttack("EXECUTOR", superuser),
    "the launcher of the workflow around it approves": AwxAttack("EXECUTOR", nested),
    "the launcher of another job shows this workflow job": AwxAttack("EXECUTOR", another_job, job=700),
    "two users of one person": AwxAttack(
        "EXECUTOR", lambda f, o: (o["users"].append({"id": 9, "username": "mallory", "person": "OPS-2"}), by(f, 9))
    ),
    "a user who is nobody": AwxAttack("AWX_UNKNOWN_USER", lambda f, o: by(f, 9)),
    "a user who was given another's name": AwxAttack("AWX_RENAMED", renamed),
    "a user made anew": AwxAttack("AWX_RENAMED", made_anew),
    "a user who was renamed": AwxAttack("AWX_RENAMED", lambda f, o: (doc(f, "users/7/", username="al"), by(f, 7, "al"))),
    "a user whose document differs": AwxAttack("AWX_RENAMED", lambda f, o: doc(f, "users/7/", username="bob")),
    "a user who was deleted": AwxAttack("AWX_NO_APPROVER", lambda f, o: by(f, None)),
    "job variables that say it": AwxAttack("AWX_NO_PLAN", claimed),
    "another plan": AwxAttack("OTHER_PLAN", lambda f, o: left(f, CHANGE, OTHER_PLAN)),
    "another change": AwxAttack("OTHER_CHANGE", lambda f, o: left(f, "CHG-2026-0141", PLAN)),
    "no digest": AwxAttack("OTHER_PLAN", lambda f, o: left(f, CHANGE, "")),
    "a plan job that failed": AwxAttack("AWX_NO_PLAN", lambda f, o: planned(f, status="failed")),
    "a plan node that is a workflow": AwxAttack(
        "AWX_NO_PLAN", lambda f, o: stand_in.nodes_of(f)[0]["summary_fields"]["job"].update(type="workflow_job")
    ),
    "two plan nodes": AwxAttack("AWX_NO_PLAN", lambda f, o: stand_in.nodes_of(f).append(stand_in.node(14, "plan", 504, "job"))),
    "another workflow": AwxAttack("AWX_OTHER_WORKFLOW", lambda f, o: o.update(workflow_templates=["change emergency", "41"])),
    "a workflow whose template is gone": AwxAttack("AWX_OTHER_WORKFLOW", lambda f, o: workflow(f, workflow_job_template=None)),
    "a node of another workflow job": AwxAttack("AWX_NO_NODE", lambda f, o: approve_node(f, workflow_job=499)),
    "an approval of another workflow job": AwxAttack(
        "AWX_OTHER_WORKFLOW",
        lambda f, o: approval(
            f, summary_fields={"source_workflow_job": {"id": 499}, "approved_or_denied_by": {"id": 7, "username": "alice"}}
        ),
    ),
    "an approval inside a nested workflow": AwxAttack(
        "AWX_NO_NODE", lambda f, o: approve_node(f, job=510, summary_fields={"job": {"type": "workflow_job"}})
    ),
    "a job with the approval node's name": AwxAttack(
        "AWX_NO_NODE", lambda f, o: approve_node(f, job=510, summary_fields={"job": {"type": "job"}})
    ),
    "two nodes of one name": AwxAttack(
        "AWX_NO_NODE", lambda f, o: stand_in.nodes_of(f).append(stand_in.node(14, "approve", 505, "workflow_approval"))
    ),
    "a node of another name": AwxAttack("AWX_NO_NODE", lambda f, o: approve_node(f, identifier="Approve")),
    "not reached": AwxAttack("AWX_PENDING", lambda f, o: approve_node(f, job=None)),
    "pending": AwxAttack("AWX_PENDING", lambda f, o: approval(f, status="pending", finished=None)),
    "denied": AwxAttack("AWX_DENIED", lambda f, o: approval(f, status="failed", failed=True)),
    "timed out": AwxAttack("AWX_TIMED_OUT", lambda f, o: approval(f, status="failed", timed_out=True)),
    "canceled": AwxAttack("AWX_CANCELED", lambda f, o: approval(f, status="canceled", canceled_on="2026-12-05T18:20:00Z")),
    "canceled, and said to be successful": AwxAttack("AWX_CANCELED", lambda f, o: approval(f, canceled_on="2026-12-05T18:20:00Z")),
    "approved before the plan": AwxAttack("AWX_EARLY", lambda f, o: approval(f, finished="2026-12-05T17:59:59Z")),
    "approved later than now": AwxAttack("FUTURE", lambda f, o: approval(f, finished="2026-12-05T20:00:00Z")),
    "too old": AwxAttack("TOO_OLD", asked={"max_age_s": 60}),
    "launched by a schedule": AwxAttack(
        "AWX_NO_LAUNCHER", lambda f, o: workflow(f, launched_by={"id": 5, "name": "nightly", "type": "schedule"})
    ),
    "launched by nobody": AwxAttack("AWX_NO_LAUNCHER", lambda f, o: workflow(f, launched_by={})),
    "launched by a user who is nobody": AwxAttack("AWX_UNKNOWN_USER", lambda f, o: launched(f, 9)),
    "one person in AWX and by signature": AwxAttack("SAME_PERSON", asked={"required": 2}, sign=lambda p: [p.approval("alice")]),
    "nobody of the group": AwxAttack("GROUP_TOO_FEW", asked=DBA),
}


def carry_out(attack: Attack | AwxAttack, people: People) -> tuple[set[str], str]:
    """The codes that it was refused with, and the verdict."""
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict

    if isinstance(attack, Attack):
        made = attack.make(people)
        judged = people.judge(*(made if isinstance(made, list) else [made]), **(attack.asked or {}))
    else:
        judged = people.judge(*attack.sign(people), **_in_awx(attack), **(attack.asked or {}))
    return {check.code for check in judged.checks if check.ok is not True}, verdict(judged.checks)


def _in_awx(attack: AwxAttack) -> dict[str, Any]:
    from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import awx as reader
    from ansible_collections.odoo_ops.change_control.plugins.plugin_utils import _awx

    found, option = stand_in.documents(CHANGE, PLAN), {"plan_node": "plan", "approval_nodes": ["approve"], **stand_in.setup()}
    attack.bend(found, option)
    with stand_in.Awx(found) as server:
        client = reader.AwxClient(reader.Connection(server.url, stand_in.TOKEN))
        asked = {key: option[key] for key in ("workflow_job", "plan_node", "approval_nodes")}
        reading = reader.read_workflow(client, job=attack.job, **asked)
    return {"readings": [reading], "awx": _awx.setup_of(option)}


ATTACKS: dict[str, Attack | AwxAttack] = {
    **{f"ssh: {name}": it for name, it in SSH.items()},
    **{f"AWX: {name}": it for name, it in AWX.items()},
}


def main() -> int:
    accepted = []
    with tempfile.TemporaryDirectory() as folder:
        people = People(Path(folder))
        for name, attack in ATTACKS.items():
            codes, verdict = carry_out(attack, people)
            refused = verdict != "pass" and attack.code in codes
            print(f"{'refused ' if refused else 'ACCEPTED'} {name}: {', '.join(sorted(codes)) or 'no code'}")
            accepted += [] if refused else [name]
    print(f"approval attacks: {len(ATTACKS)} ({len(SSH)} by signature, {len(AWX)} in AWX), accepted: {len(accepted)}")
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())
