# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Approvals: the document that people sign, and whether those who approved are enough.

Whether a signature is good is a fact that comes in (_io/ssh_signature); so is what AWX says (_core/awx_approval). Here is
decided what it is worth: for which change, plan and policy, from whom, when, and that nobody who wants or carries out the
change is among those who approve it.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339, unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import canonical, plain_digest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import folded, odd, same_person
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.quorum import Demand, seated
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ssh_format import PATTERN

NAMESPACE = "odoo-ops-change"
SCHEMA = 1
APPROVE, WITHDRAW = "approve", "withdraw"
REQUIRED = frozenset({"schema", "change", "plan", "decision", "approver", "at"})
OPTIONAL = frozenset({"expires", "policy"})
CLOCK_SKEW_S = 300

_UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

HINTS = {
    "MISSING_SIGNATURE": "Sign it: ssh-keygen -Y sign -n odoo-ops-change -f KEY DOCUMENT",
    "UNREADABLE_SIGNATURE": "Sign the document again with ssh-keygen -Y sign -n odoo-ops-change -f KEY DOCUMENT.",
    "BAD_SIGNATURE": "The document was edited after it was signed, or the signature is another document's. Sign it again.",
    "WRONG_NAMESPACE": "The signature was made for another purpose. Sign with -n odoo-ops-change.",
    "UNKNOWN_KEY": "Put the approver's name and public key into allowed_signers, or sign with the key that is there.",
    "SIGNER_EXPIRED": "The key was not valid at that time (valid-after, valid-before). Renew it in allowed_signers.",
    "REVOKED": "The key is revoked. Somebody else has to approve.",
    "WILDCARD_PRINCIPAL": "allowed_signers must name each approver: a pattern would let one key speak for anybody.",
    "NOT_THE_SIGNER": "The approver in the document must be the principal of the key that signed it.",
    "ODD_NAME": "Write people's names in ASCII letters: others cannot be told from those that look like them.",
    "BAD_DOCUMENT": "Sign the document that docs/approving.md describes, each key once and none more.",
    "NOT_AN_APPROVAL": "The decision must be approve, or withdraw to take an approval back.",
    "WITHDRAWN": "This approver has taken the approval back. A newer approval of theirs, or another person's, counts again.",
    "OTHER_CHANGE": "Approve this change: sign its document, or approve in the workflow that planned it.",
    "OTHER_PLAN": "The plan has changed since. Read the new one and approve that.",
    "OTHER_POLICY": "Write the version of the plan's policy into the document (policy), and sign it again.",
    "FUTURE": "Check the clocks; the approval is dated later than now.",
    "EXPIRED": "The approval has expired. Sign a new one.",
    "TOO_OLD": "The approval is too old. Approve again.",
    "REQUESTER": "Somebody who did not request the change has to approve it, superusers included.",
    "NO_VERB": "The policy lets only people of certain groups approve. Have one of them do it.",
    "EXECUTOR": "Somebody who does not carry the change out has to approve it, superusers included.",
    "SAME_PERSON": "Each approval must come from another person with a key of their own.",
    "NO_TOOL": "Install OpenSSH 8.7 or newer on the controller.",
    "UNREADABLE_SIGNERS": "Give the path of a readable allowed_signers file (and of the revocation file, if any).",
}


@dataclass(frozen=True)
class Signed:
    """A document and what is known of its signature. ``outcome`` is empty when it is good, else a code of HINTS.

    ``principals`` are the names of the key, ``names`` all names of whoever has it.
    """

    name: str
    document: bytes
    signature: bytes
    outcome: str
    principals: tuple[str, ...] = ()
    key: str = ""
    detail: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """What is to be approved, when, and by whom it must not be. ``policy``: the version of the plan's policy, if it has one.

    ``may_approve``: the folded names of those whom the policy lets approve; None when it names nobody.
    """

    change: str
    plan: str
    requester: str
    executors: tuple[str, ...]
    now: dt.datetime
    policy: str | None = None
    max_age_s: float | None = None
    may_approve: frozenset[str] | None = None


@dataclass(frozen=True)
class Vote:
    """One approval, wherever it comes from. ``code`` is empty while nothing speaks against it; ``ok`` is None when nobody could look."""

    name: str
    approver: str = ""
    names: tuple[str, ...] = ()
    key: str = ""
    at: dt.datetime | None = None
    code: str = ""
    seen: str = ""
    hint: str = ""
    ok: bool | None = False
    withdraws: bool = False
    signed: Signed | None = None


@dataclass(frozen=True)
class Judged:
    """``withdrawn`` are the documents that take approvals back: they must be kept like those that give them."""

    checks: tuple[Check, ...]
    accepted: tuple[Vote, ...] = ()
    rejected: tuple[dict[str, str], ...] = ()
    withdrawn: tuple[Vote, ...] = ()


def approval_document(
    change: str,
    digest: str,
    approver: str,
    at: dt.datetime,
    expires: dt.datetime | None = None,
    *,
    policy: str | None = None,
    decision: str = APPROVE,
) -> bytes:
    """What an approver signs."""
    document = {
        "schema": SCHEMA,
        "change": change,
        "plan": f"sha256:{plain_digest(digest)}",
        "decision": decision,
        "approver": approver,
        "at": rfc3339(at),
    }
    if expires is not None:
        document["expires"] = rfc3339(expires)
    if policy is not None:
        document["policy"] = policy
    return canonical(document) + b"\n"


def approver_of(document: bytes) -> str:
    """The name that a document claims; empty when it is no approval document."""
    parsed = _parse(document)
    return parsed["approver"] if parsed else ""


def ssh_votes(signed: Sequence[Signed], case: Case) -> list[Vote]:
    """What each document and its signature are worth, each looked at alone."""
    return [_ssh_vote(item, case) for item in signed]


def judge_votes(votes: Sequence[Vote], case: Case, demand: Demand) -> Judged:
    """Counts the approvals that are worth something. Others are told, and are failures only when too few are left."""
    bad = _nobody(case)
    if bad is not None:
        return Judged((bad,))
    accepted: list[Vote] = []
    rejected: list[Vote] = []
    looked = [_people(vote, case) for vote in sorted(votes, key=lambda v: v.name)]
    withdrawn = tuple(vote for vote in looked if vote.withdraws and not vote.code)
    for vote in looked:
        if vote not in withdrawn:
            judged = _again(vote, accepted, withdrawn)
            (rejected if judged.code else accepted).append(judged)
    told = tuple({"name": vote.name, "code": vote.code, "seen": vote.seen} for vote in rejected)
    return Judged(_checks(accepted, rejected, demand), tuple(accepted), told, withdrawn)


def refused(vote: Vote, code: str, seen: str) -> Vote:
    return replace(vote, code=code, seen=seen, hint=HINTS[code])


def about(case: Case, change: str, plan: str) -> tuple[str, str] | None:
    """Why an approval is none of this change and plan: a code and what was seen."""
    if change != case.change:
        return "OTHER_CHANGE", f"approves {change}, not {case.change}"
    try:
        same = plain_digest(plan) == plain_digest(case.plan)
    except ValueError as exc:
        return "OTHER_PLAN", str(exc)
    return None if same else ("OTHER_PLAN", f"approves plan {plan[:19]}, not {case.plan[:19]}")


def aged(case: Case, at: dt.datetime) -> tuple[str, str] | None:
    """Why an approval given at that time does not count now."""
    age_s = (case.now - at).total_seconds()
    if age_s < -CLOCK_SKEW_S:
        return "FUTURE", f"dated {rfc3339(at)}, it is {rfc3339(case.now)}"
    if case.max_age_s is not None and age_s > case.max_age_s:
        return "TOO_OLD", f"dated {rfc3339(at)}, {int(age_s)} s ago, wanted at most {int(case.max_age_s)} s"
    return None


def _nobody(case: Case) -> Check | None:
    """Without knowing who requests and who executes, nobody can be told from them."""
    for role, name in (("requester", case.requester), *(("executor", name) for name in case.executors)):
        if not name.strip():
            return unknown("approvals", f"{role} is {name!r}", hint="Say who requested and who executes the change.", code="NOBODY")
        if odd(name):
            return Check("approvals", False, f"the {role}'s name is {name!a}", "a name in ASCII", HINTS["ODD_NAME"], "ODD_NAME")
    return None


def _people(vote: Vote, case: Case) -> Vote:
    """The vote, refused when its person may not approve. All names of a person count: a second name is no second person."""
    if vote.code:
        return vote
    if any(odd(name) for name in (vote.approver, *vote.names)):
        return refused(vote, "ODD_NAME", f"the approver's name is {vote.approver!a}")
    for code, person in (("REQUESTER", case.requester), *(("EXECUTOR", name) for name in case.executors)):
        if any(same_person(name, person) for name in vote.names):
            return refused(vote, code, f"{vote.approver} is the {code.lower()} ({person})")
    if case.may_approve is not None and not any(folded(name) in case.may_approve for name in vote.names):
        return refused(vote, "NO_VERB", f"{vote.approver} is in no group with the verb approve")
    return vote


def _again(vote: Vote, accepted: Sequence[Vote], withdrawn: Sequence[Vote]) -> Vote:
    """The vote, refused when its person has approved already, or has taken it back since."""
    if vote.code:
        return vote
    for other in withdrawn:
        if one_person(vote, other) and other.at is not None and (vote.at is None or vote.at <= other.at):
            return refused(vote, "WITHDRAWN", f"{vote.approver} took it back at {rfc3339(other.at)}")
    if any(one_person(vote, other) for other in accepted):
        return refused(vote, "SAME_PERSON", f"{vote.approver} has approved already")
    return vote


def one_person(vote: Vote, other: Vote) -> bool:
    shared = {folded(name) for name in vote.names} & {folded(name) for name in other.names}
    return bool(shared) or vote.key == other.key


def _checks(accepted: Sequence[Vote], rejected: Sequence[Vote], demand: Demand) -> tuple[Check, ...]:
    bad = [Check(f"approval_{v.name}", v.ok, v.seen, "an approval that counts", v.hint, v.code) for v in rejected]
    # when nobody could look at the others, the number of good ones is not known either
    short = None if bad and all(check.ok is None for check in bad) else False
    counts = [_count(accepted, demand.required, short), *_groups(accepted, demand, short)]
    return tuple(counts) if all(check.ok for check in counts) else (*bad, *counts)


def _count(accepted: Sequence[Vote], required: int, short: bool | None) -> Check:
    names = [vote.approver for vote in accepted]
    wanted = f"{required} approvals of others than the requester and the executor"
    if len(accepted) >= required:
        return Check("approvals", True, {"count": len(names), "approvers": names}, wanted)
    hint = "Let somebody else approve this plan: a signed document where approvals are looked for, or the workflow's approval node."
    return Check("approvals", short, f"{len(accepted)} ({', '.join(names) or 'nobody'})", wanted, hint, "TOO_FEW")


def _groups(accepted: Sequence[Vote], demand: Demand, short: bool | None) -> list[Check]:
    filled = seated([vote.names for vote in accepted], demand)
    checks = []
    for group, count in demand.groups:
        wanted = f"{count} approvals of people in the group {group}, who speak for no other group"
        if filled[group] >= count:
            checks.append(Check(f"approvals_{group}", True, filled[group], wanted))
        elif not demand.members.get(group):
            hint = f"Say who is in the group {group}, in the groups of approvers."
            checks.append(Check(f"approvals_{group}", False, "nobody is in the group", wanted, hint, "EMPTY_GROUP"))
        else:
            hint = f"Let somebody of {', '.join(demand.members[group])} approve this plan."
            checks.append(Check(f"approvals_{group}", short, filled[group], wanted, hint, "GROUP_TOO_FEW"))
    return checks


def _ssh_vote(item: Signed, case: Case) -> Vote:
    vote = Vote(item.name, names=item.names or item.principals, key=item.key, signed=item)
    if item.outcome:
        told = refused(vote, item.outcome, item.detail or item.outcome.lower().replace("_", " "))
        return replace(told, ok=None) if item.outcome in ("NO_TOOL", "UNREADABLE_SIGNERS") else told
    document = _parse(item.document)
    if document is None:
        return refused(vote, "BAD_DOCUMENT", "not an approval document of schema 1")
    at = dt.datetime.fromisoformat(document["at"])
    vote = replace(vote, approver=document["approver"], at=at, withdraws=document["decision"] == WITHDRAW)
    why = _signer(document["approver"], item.principals) or _document(document, case) or _when(document, at, case)
    return refused(vote, *why) if why else vote


def _document(document: Mapping[str, Any], case: Case) -> tuple[str, str] | None:
    if document["decision"] not in (APPROVE, WITHDRAW):
        return "NOT_AN_APPROVAL", f"decision {document['decision']}"
    why = about(case, document["change"], document["plan"])
    if why or document.get("policy") == case.policy:
        return why
    return "OTHER_POLICY", f"approves under policy {document.get('policy')}, the plan's is {case.policy}"


def _when(document: Mapping[str, Any], at: dt.datetime, case: Case) -> tuple[str, str] | None:
    if document["decision"] == WITHDRAW:
        # who takes an approval back need not do it in time, nor again
        return aged(replace(case, max_age_s=None), at)
    if "expires" in document and case.now >= dt.datetime.fromisoformat(document["expires"]):
        return "EXPIRED", f"expired at {document['expires']}"
    return aged(case, at)


def _signer(approver: str, principals: tuple[str, ...]) -> tuple[str, str] | None:
    if any(set(name) & PATTERN for name in principals):
        return "WILDCARD_PRINCIPAL", f"the key is listed for {', '.join(principals)}"
    if approver not in principals:
        return "NOT_THE_SIGNER", f"approver is {approver!a}, the key is that of {', '.join(principals) or 'nobody'}"
    return None


def _parse(document: bytes) -> dict[str, Any] | None:
    """The document, when each of its keys is known, there once, and of the right form."""
    try:
        parsed = json.loads(document.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, dict) or not set(parsed) >= REQUIRED or not set(parsed) <= REQUIRED | OPTIONAL:
        return None
    texts = [parsed[key] for key in sorted(set(parsed) - {"schema"})]
    schema = parsed["schema"]
    if isinstance(schema, bool) or not isinstance(schema, int) or schema != SCHEMA:
        return None
    if not all(isinstance(text, str) and text for text in texts):
        return None
    return parsed if all(_instant(parsed[key]) for key in ("at", "expires") if key in parsed) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _instant(text: str) -> bool:
    try:
        return bool(_UTC.fullmatch(text)) and dt.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
