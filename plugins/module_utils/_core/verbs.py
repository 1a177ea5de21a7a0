# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who may do what: the policy gives verbs to groups, and the groups of approvers say who is in them.

Without the part ``people`` of the policy everybody may; separation of duties holds all the same. With it, whoever is in no group
that has the verb may not, superusers included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import folded

REQUEST, APPROVE, DEPLOY, OVERRIDE, WAIVE = VERBS = ("request", "approve", "deploy", "override", "waive")

Members = Mapping[str, Sequence[str]]


def people_errors(document: Mapping[str, Any]) -> list[str]:
    """A verb that no group has would lock everybody out."""
    if "people" not in document:
        return []
    given = {verb for verbs in document["people"].values() for verb in verbs}
    return [f"policy.people gives the verb {verb} to no group. Add it to one." for verb in VERBS if verb not in given]


def by_verb(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """The groups of each verb, as a plan keeps them; empty where the policy names no people."""
    people = document.get("people", {})
    return {verb: sorted(group for group, verbs in people.items() if verb in verbs) for verb in VERBS} if people else {}


def holders(verb: str, people: Mapping[str, Sequence[str]], members: Members) -> frozenset[str] | None:
    """The folded names of those who have the verb; None where the policy names no people."""
    if not people:
        return None
    return frozenset(folded(name) for group in people[verb] for name in members.get(group, ()))


def refusal(verb: str, name: str, people: Mapping[str, Sequence[str]], members: Members) -> str | None:
    """Why this person may not do this, or None."""
    may = holders(verb, people, members)
    if may is None or folded(name) in may:
        return None
    return f"{name!a} is in no group with the verb {verb} ({', '.join(people[verb])})"


def plan_errors(change: Mapping[str, Any], people: Mapping[str, Sequence[str]], members: Members) -> list[str]:
    """Who may not request the change, or not vouch for a waiver of it."""
    asked = [("change.requester", REQUEST, change["requester"])]
    asked += [(f"change.waivers.{number}.owner", WAIVE, waiver["owner"]) for number, waiver in enumerate(change.get("waivers", []))]
    found = [(where, refusal(verb, str(name), people, members)) for where, verb, name in asked]
    return [f"{where}: {why}. Let one of them do it, or have the person added to change_approver_groups." for where, why in found if why]


def deploy_check(names: Iterable[str], people: Mapping[str, Sequence[str]], members: Members) -> list[Check]:
    """Whether all who carry the change out may, under each name that this run has; nothing where the policy names no people."""
    if not people:
        return []
    names = list(names)
    refused = [why for name in names if (why := refusal(DEPLOY, name, people, members))]
    hint = "Let somebody run it who may, or have the account added to change_approver_groups."
    return [
        Check(
            "executor_verb",
            not refused,
            "; ".join(refused) or ", ".join(names),
            f"people of {', '.join(people[DEPLOY])}",
            hint if refused else "",
            "NO_VERB" if refused else "",
        )
    ]
