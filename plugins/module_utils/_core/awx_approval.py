# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether an approval node of AWX has approved this plan, decided from what AWX's API says and from nothing that a job was given.

The chain of proof: the workflow job is one of a known template; its plan node ran, ended well, and left the digest of this
plan; its approval node, in the same workflow job and after that, was approved; AWX says by which user; and the estate says
which person that user is. Users are known by number **and** name: a user who was renamed, or made anew, is nobody.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import HINTS as SHARED_HINTS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import Case, Vote, about, aged
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_documents import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import odd

HINTS = {
    "AWX_UNREACHABLE": "AWX does not answer. Try again when it does, or approve with a signed document.",
    "AWX_REFUSED": "AWX does not accept the token. Give one of a system auditor, with the scope read.",
    "AWX_NOT_FOUND": "AWX knows no such document, or does not show it to this token. Check awx.workflow_job and the token's rights.",
    "AWX_REDIRECT": "AWX sends the question elsewhere, to a login page as a rule. Give the address under which /api/v2/ itself answers.",
    "AWX_ODD_ANSWER": "That is not how AWX answers. Check awx.url, and what stands between here and AWX.",
    "AWX_NO_LAUNCHER": "Let a person launch the workflow job: whoever executes a change must be known, to be told from who approves it.",
    "AWX_OTHER_WORKFLOW": "Approvals count in the workflows named in awx.workflow_templates only.",
    "AWX_NO_PLAN": "The workflow's plan node has left no plan. Check awx.plan_node, and launch the workflow again.",
    "AWX_NO_NODE": "Name the nodes of this very workflow in awx.approval_nodes; those of workflows inside it do not count.",
    "AWX_PENDING": "Approve it in AWX.",
    "AWX_DENIED": "It was denied. Ask why; then plan again.",
    "AWX_TIMED_OUT": "Nobody approved in time. Launch the workflow again.",
    "AWX_CANCELED": "The workflow job was canceled. Launch it again.",
    "AWX_EARLY": "The approval is older than the plan. Launch the workflow again.",
    "AWX_NO_APPROVER": "AWX does not say who approved (was the user deleted?). Approve again as a user that stays.",
    "AWX_UNKNOWN_USER": "Add the user to awx.users: number, name, and which person that is.",
    "AWX_NO_SETUP": "Give change_awx here too: it says which workflows count, and which person a user of AWX is.",
    "AWX_RENAMED": "The user's number and name are not those of awx.users. Find out who renamed whom, then correct awx.users.",
}
NO_ANSWER = frozenset(
    {"AWX_UNREACHABLE", "AWX_REFUSED", "AWX_NOT_FOUND", "AWX_REDIRECT", "AWX_ODD_ANSWER", "AWX_NO_LAUNCHER", "AWX_NO_APPROVER"}
)
"""What leaves open whether somebody has approved: unknown, not failed."""


@dataclass(frozen=True)
class AwxUser:
    """A user of AWX, and the name by which that person is known in change files, allowed_signers and groups."""

    id: int
    username: str
    person: str


@dataclass(frozen=True)
class AwxSetup:
    """Which workflows count (numbers or names), what their nodes are called, and who their users are."""

    templates: tuple[str, ...]
    plan_node: str
    approval_nodes: tuple[str, ...]
    users: tuple[AwxUser, ...]


class RefusedError(Exception):
    """Why something does not count: a code of HINTS (or approval.HINTS), and what was seen."""

    def __init__(self, code: str, seen: str) -> None:
        super().__init__(seen)
        self.code = code
        self.seen = seen


def parse_users(entries: Sequence[Mapping[str, Any]]) -> tuple[AwxUser, ...]:
    """The users; ValueError when one is there twice or no name can be told from others."""
    users = tuple(AwxUser(entry["id"], entry["username"], entry["person"]) for entry in entries)
    for user in users:
        if odd(user.person):
            raise ValueError(f"the person of AWX user {user.username!a} is {user.person!a}. Write a name in ASCII.")
    for what in ("id", "username"):
        values = [getattr(user, what) for user in users]
        twice = sorted({str(value) for value in values if values.count(value) > 1})
        if twice:
            raise ValueError(f"the AWX user with {what} {twice[0]} is there twice. Write each once: it is one person.")
    return users


def only_node(nodes: Sequence[Mapping[str, Any]], identifier: str, workflow_job: int) -> Mapping[str, Any] | None:
    """The one node of this workflow job with this identifier; None when there is none, or more than one."""
    found = [node for node in nodes if node["identifier"] == identifier and node["workflow_job"] == workflow_job]
    return found[0] if len(found) == 1 else None


def person_of(user: Mapping[str, Any], users: Sequence[AwxUser]) -> str:
    """The person that a user of AWX is; RefusedError when number and name do not both fit one entry."""
    close = [known for known in users if known.id == user["id"] or known.username == user["username"]]
    seen = f"user {user['id']} named {user['username']!a}"
    if not close:
        raise RefusedError("AWX_UNKNOWN_USER", f"{seen} is not in awx.users")
    if len(close) > 1 or (close[0].id, close[0].username) != (user["id"], user["username"]):
        raise RefusedError("AWX_RENAMED", f"{seen}; awx.users has {', '.join(f'{k.id} named {k.username}' for k in close)}")
    return close[0].person


def launchers(read: Mapping[str, Any], setup: AwxSetup) -> tuple[str, ...]:
    """The people who launched the jobs that were read; RefusedError when one cannot be told."""
    found = []
    for by in read["launchers"]:
        if by["type"] != "user" or by["id"] is None:
            raise RefusedError("AWX_NO_LAUNCHER", f"launched by {by['type']} {by['name']!a}")
        found.append(person_of({"id": by["id"], "username": by["name"]}, setup.users))
    return tuple(dict.fromkeys(found))


def awx_votes(read: Mapping[str, Any], setup: AwxSetup, case: Case) -> list[Vote]:
    """One vote for each approval node, or a single one that says why none of this workflow job counts."""
    try:
        planned = _planned(read, setup, case)
    except RefusedError as exc:
        return [refused("awx", exc)]
    return [_node_vote(read, name, setup, case, planned) for name in setup.approval_nodes]


def refused(name: str, why: RefusedError) -> Vote:
    """A vote that does not count."""
    hint = HINTS.get(why.code) or SHARED_HINTS[why.code]
    return Vote(name, code=why.code, seen=why.seen, hint=hint, ok=None if why.code in NO_ANSWER else False)


def _planned(read: Mapping[str, Any], setup: AwxSetup, case: Case) -> dt.datetime:
    """When the workflow job planned this very plan."""
    job, template = read["workflow_job"], read["workflow_job"]["template"]
    if template is None or not {str(template["id"]), template["name"]} & set(setup.templates):
        of = f"{template['name']!a} ({template['id']})" if template else "no template"
        raise RefusedError("AWX_OTHER_WORKFLOW", f"workflow job {job['id']} is of {of}")
    plan_job, node = read["plan_job"], only_node(read["nodes"], setup.plan_node, job["id"])
    if plan_job is None or node is None or node["job"] != plan_job["id"]:
        raise RefusedError("AWX_NO_PLAN", f"workflow job {job['id']} has no job of one node {setup.plan_node!r}")
    if plan_job["status"] != "successful" or plan_job["finished"] is None or plan_job["plan"] is None:
        left = "a plan" if plan_job["plan"] else "no plan"
        raise RefusedError("AWX_NO_PLAN", f"job {plan_job['id']} is {plan_job['status']} and left {left}")
    why = about(case, plan_job["plan"]["change"], plan_job["plan"]["digest"])
    if why:
        raise RefusedError(*why)
    return parse_instant(plan_job["finished"])


def _node_vote(read: Mapping[str, Any], name: str, setup: AwxSetup, case: Case, planned: dt.datetime) -> Vote:
    vote = Vote(f"awx_{name}")
    try:
        approval = _approval(read, name)
        user = _approver(read, approval)
        person = person_of(user, setup.users)
        at = _in_time(approval["finished"], planned, case)
    except RefusedError as exc:
        return refused(vote.name, exc)
    return replace(vote, approver=person, names=(person,), key=f"awx:{user['id']}", at=at)


def _approval(read: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The approval of a node, when it is one of this workflow job and was given."""
    job = read["workflow_job"]["id"]
    node = only_node(read["nodes"], name, job)
    if node is None or node["type"] not in (None, "workflow_approval"):
        raise RefusedError("AWX_NO_NODE", f"workflow job {job} has not one approval node {name!r}")
    if node["job"] is None:
        raise RefusedError("AWX_PENDING", f"node {name} has not been reached")
    approval: Mapping[str, Any] = read["approvals"].get(str(node["job"]), {"id": None})
    if approval["id"] != node["job"] or approval["workflow_job"] != job:
        raise RefusedError("AWX_OTHER_WORKFLOW", f"approval {node['job']} of node {name} is not one of workflow job {job}")
    _given(approval)
    return approval


def _given(approval: Mapping[str, Any]) -> None:
    seen = f"approval {approval['id']} is {approval['status']}"
    if approval["timed_out"]:
        raise RefusedError("AWX_TIMED_OUT", f"{seen}, timed out")
    if approval["canceled"] or approval["status"] == "canceled":
        raise RefusedError("AWX_CANCELED", seen)
    if approval["status"] in ("failed", "error"):
        raise RefusedError("AWX_DENIED", seen)
    if approval["status"] != "successful":
        raise RefusedError("AWX_PENDING", seen)
    if approval["finished"] is None:
        raise RefusedError("AWX_ODD_ANSWER", f"{seen}, but has not finished")


def _in_time(finished: str, planned: dt.datetime, case: Case) -> dt.datetime:
    """When the approval was given, if that was after the plan and is not too long ago."""
    at = parse_instant(finished)
    if at < planned:
        raise RefusedError("AWX_EARLY", f"approved at {finished}, planned at {planned.isoformat()}")
    why = aged(case, at)
    if why:
        raise RefusedError(*why)
    return at


def _approver(read: Mapping[str, Any], approval: Mapping[str, Any]) -> Mapping[str, Any]:
    """The user who approved, by the approval and by the user's own document."""
    by: Mapping[str, Any] | None = approval["by"]
    if by is None:
        raise RefusedError("AWX_NO_APPROVER", f"approval {approval['id']} names nobody")
    user: Mapping[str, Any] = read["users"].get(str(by["id"]), {"id": None, "username": None})
    if (user["id"], user["username"]) != (by["id"], by["username"]):
        raise RefusedError("AWX_RENAMED", f"the approval names user {by['id']} {by['username']!a}, AWX has {user['username']!a} there")
    return by
