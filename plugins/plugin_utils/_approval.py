# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Approvals as they lie in files, in AWX and in the ledger: verified anew each time, by the same rules."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import Case, Judged, Vote, judge_votes, ssh_votes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_approval import (
    HINTS,
    NO_ANSWER,
    AwxSetup,
    RefusedError,
    awx_votes,
    launchers,
    refused,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.quorum import Demand, demand
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.verbs import APPROVE, deploy_check, holders
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.approver_groups import GroupsError, read_groups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.processes import os_user
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ssh_signature import Item, Signers, verify_approvals

EVENT, WITHDRAWN = "approved", "withdrawn"

Reading = Mapping[str, Any]
"""What was read back from AWX."""


def judge(
    items: Sequence[Item],
    *,
    change: str,
    digest: str,
    requester: str,
    executor: str,
    allowed_signers: str | None,
    revoked: str | None,
    required: int,
    now: dt.datetime,
    max_age_s: float | None = None,
    policy: str | None = None,
    groups: Sequence[Mapping[str, Any]] = (),
    members: Any = None,
    people: Mapping[str, Sequence[str]] | None = None,
    readings: Sequence[Reading] = (),
    awx: AwxSetup | None = None,
) -> Judged:
    """Verifies the signatures now, and judges them together with what AWX has said."""
    try:
        known = read_groups(members)
        wanted = demand(required, groups, known)
    except GroupsError as exc:
        return Judged((unknown("approvals", str(exc), hint="Correct the groups of approvers.", code="BAD_GROUPS"),))
    except ValueError as exc:
        return Judged((unknown("approvals", str(exc), hint="Correct approvals and groups of the policy.", code="BAD_COUNT"),))
    try:
        executors = names_of_executors(executor, readings, awx)
    except RefusedError as exc:
        return _unknown_executor(exc, wanted)
    case = Case(change, digest, requester, executors, now, policy, max_age_s, holders(APPROVE, people or {}, known))
    # without a file of signers nobody may approve: an empty path cannot be read, which is no answer
    signers = Signers(Path(allowed_signers or ""), Path(revoked) if revoked else None)
    votes = ssh_votes(verify_approvals(items, signers, at=now), case)
    return judge_votes([*votes, *(vote for reading in readings for vote in _awx_votes(reading, awx, case))], case, wanted)


def names_of_executors(executor: str, readings: Sequence[Reading], awx: AwxSetup | None) -> tuple[str, ...]:
    """Whatever name the run gives its executor, who really runs it does not approve it either: on this machine, and in AWX."""
    names = [executor, os_user()]
    for reading in readings:
        if reading.get("launchers") is None:
            problem = reading["problem"]
            raise RefusedError(problem["code"], problem["seen"])
        if reading["launchers"]:
            names += launchers(reading, _set_up(awx))
    return tuple(dict.fromkeys(names))


def _unknown_executor(why: RefusedError, wanted: Demand) -> Judged:
    if wanted.nobody:
        return Judged((Check("approvals", True, "nobody has to approve", "0 approvals"),))
    ok = None if why.code in NO_ANSWER else False
    return Judged((Check("executor", ok, why.seen, "a person who is known", HINTS[why.code], why.code),))


def _awx_votes(reading: Reading, awx: AwxSetup | None, case: Case) -> list[Vote]:
    if "problem" in reading:
        return [refused("awx", RefusedError(reading["problem"]["code"], reading["problem"]["seen"]))]
    try:
        return awx_votes(reading, _set_up(awx), case) if reading.get("workflow_job") else []
    except RefusedError as exc:
        return [refused("awx", exc)]
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        return [refused("awx", RefusedError("AWX_ODD_ANSWER", f"what was read from AWX lacks something: {type(exc).__name__}"))]


def _set_up(awx: AwxSetup | None) -> AwxSetup:
    if awx is None:
        raise RefusedError("AWX_NO_SETUP", "approvals in AWX are recorded, and change_awx is not given")
    return awx


def approval_evidence(
    votes: Iterable[Vote], *, digest: str, requester: str, executor: str, reading: Reading | None = None
) -> dict[str, Any]:
    """What the ledger keeps: enough to verify each signature anew, with nothing but the allowed_signers file, and what AWX said."""
    kept = [_entry(vote) for vote in votes]
    evidence = {"schema": 1, "plan": digest, "requester": requester, "executor": executor, "approvals": kept}
    return {**evidence, "awx": dict(reading)} if reading is not None and any("document" not in entry for entry in kept) else evidence


def _entry(vote: Vote) -> dict[str, str]:
    entry = {"name": vote.name, "approver": vote.approver, "key": vote.key}
    if vote.signed is None:
        return entry
    return {**entry, "document": vote.signed.document.decode(), "signature": vote.signed.signature.decode()}


def recorded_seq(events: Sequence[Event], name: str, evidence: Mapping[str, Any]) -> int | None:
    """The event that keeps all of these approvals already, if there is one."""
    for event in reversed(events):
        known = event.evidence.get("approvals") or []
        same = event.event == name and _workflow(event.evidence) == _workflow(evidence)
        if same and all(entry in known for entry in evidence["approvals"]):
            return event.seq
    return None


def _workflow(evidence: Mapping[str, Any]) -> Any:
    return evidence["awx"]["workflow_job"]["id"] if "awx" in evidence else None


def items_of(event: Event) -> list[Item]:
    """The documents and signatures that an event keeps."""
    kept = [entry for entry in event.evidence.get("approvals") or [] if "document" in entry]
    return [(str(a["name"]), str(a["document"]).encode(), str(a["signature"]).encode()) for a in kept]


def recorded_approval_checks(
    events: Iterable[Event],
    *,
    change: Mapping[str, Any],
    digest: str,
    policy: Mapping[str, Any],
    executor: str,
    allowed_signers: str | None,
    revoked: str | None = None,
    members: Any = None,
    launched: Reading | None = None,
    awx: AwxSetup | None = None,
    now: dt.datetime,
) -> list[Check]:
    """Whether the approvals that are recorded, taken together, still are what the plan's policy asks for."""
    kept = [event for event in events if event.event in (EVENT, WITHDRAWN) and event.tenant is None]
    # of one workflow job, what was read last holds
    readings = {_workflow(event.evidence): event.evidence["awx"] for event in kept if "awx" in event.evidence}
    judged = judge(
        sorted({item for event in kept for item in items_of(event)}),
        change=change["id"],
        digest=digest,
        requester=change["requester"],
        executor=executor,
        allowed_signers=allowed_signers,
        revoked=revoked,
        now=now,
        members=members,
        readings=[*readings.values(), *([launched] if launched else [])],
        awx=awx,
        **demanded(policy),
    )
    return list(judged.checks)


def deploy_checks(
    policy: Mapping[str, Any], *, executor: str, members: Any, launched: Reading | None = None, awx: AwxSetup | None = None
) -> list[Check]:
    """Whether the policy lets those who carry the change out do so, under every name that this run has."""
    people = policy.get("people") or {}
    if not people:
        return []
    try:
        return deploy_check(names_of_executors(executor, [launched] if launched else [], awx), people, read_groups(members))
    except GroupsError as exc:
        return [unknown("executor_verb", str(exc), hint="Correct the groups of approvers.", code="BAD_GROUPS")]
    except RefusedError as exc:
        return [
            Check("executor_verb", None if exc.code in NO_ANSWER else False, exc.seen, "a person who is known", HINTS[exc.code], exc.code)
        ]


def demanded(policy: Mapping[str, Any]) -> dict[str, Any]:
    """What a plan's policy asks of approvals. Its version, groups and the approvals' greatest age may be absent."""
    version, age = policy.get("version"), policy.get("approval_max_age")
    try:
        return {
            "required": int(policy["approvals"]),
            "groups": policy.get("groups") or [],
            "people": policy.get("people") or {},
            "policy": None if version is None else str(version),
            "max_age_s": None if age is None else parse_duration(age),
        }
    except (KeyError, TypeError, ValueError) as exc:
        wanted = "Write approvals as a number, and approval_max_age as a duration such as P7D"
        raise ChangeError(f"the policy's approvals are not understood: {exc}. {wanted}; then plan again.") from exc
