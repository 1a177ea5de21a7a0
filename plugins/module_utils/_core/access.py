# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who can do what really, against who should: rights as they were read, held against a list of those that are wanted.

A right that no entry of the list covers is one too many; an entry that must be there and covers nothing is one too few.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant

SYSTEMS = ("kubernetes", "postgresql", "ledger", "approvals")
FIELDS = ("system", "where", "subject", "right")
TOLD = 5  # rights in a message; all of them are in the result


@dataclass(frozen=True, order=True)
class Right:
    """One thing that somebody can do: where, who, what."""

    system: str
    where: str
    subject: str
    right: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.right} in {self.where}"

    def listed(self) -> dict[str, str]:
        return asdict(self)


def judge_access(document: Mapping[str, Any]) -> list[str]:
    """Errors of the list that only the meaning shows. The document must have passed the schema."""
    errors = []
    for number, entry in enumerate(document["rights"]):
        try:
            parse_instant(entry.get("until", "2000-01-01T00:00:00Z"))
        except ValueError as exc:
            errors.append(f"access.rights.{number}.until is {entry['until']!r}: {exc}.")
    return errors


def review(rights: Iterable[Right], document: Mapping[str, Any], systems: Sequence[str], *, now: dt.datetime) -> list[Check]:
    """A check for what is too much and one for what is missing, for each of the systems that were read."""
    entries = [entry for entry in document["rights"] if "until" not in entry or now < parse_instant(entry["until"])]
    found = sorted(set(rights))
    checks = []
    for system in systems:
        mine = [right for right in found if right.system == system]
        wanted = [entry for entry in entries if entry["system"] == system]
        extra = [right for right in mine if not any(covers(entry, right) for entry in wanted)]
        lacking = [entry for entry in wanted if entry.get("required") and not any(covers(entry, right) for right in mine)]
        checks += [_extra(system, extra, len(mine)), _lacking(system, lacking)]
    return checks


def covers(entry: Mapping[str, Any], right: Right) -> bool:
    return all(fnmatchcase(getattr(right, key), entry[key]) for key in FIELDS)


def _extra(system: str, extra: Sequence[Right], count: int) -> Check:
    name, wanted = f"access_{system}", "no right that the list does not have"
    if not extra:
        return Check(name, True, f"{count} rights", wanted)
    hint = "Take these rights away, or have them added to the list of access."
    return Check(name, False, _told([str(right) for right in extra]), wanted, hint, "EXCESS_RIGHT")


def _lacking(system: str, lacking: Sequence[Mapping[str, Any]]) -> Check:
    name, wanted = f"access_{system}_required", "all rights that are required"
    if not lacking:
        return Check(name, True, "none missing", wanted)
    told = [f"{entry['subject']}: {entry['right']} in {entry['where']}" for entry in lacking]
    return Check(name, False, _told(told), wanted, "Give these rights back, or take the entries out of the list.", "MISSING_RIGHT")


def _told(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - TOLD} more" if len(texts) > TOLD else ""
    return "; ".join(texts[:TOLD]) + more


# -- from what was read --------------------------------------------------------------------------------------------------------
def of_binding(live: Mapping[str, Any]) -> list[Right]:
    """What a RoleBinding or ClusterRoleBinding gives to whom."""
    where = str(live["metadata"].get("namespace") or "cluster")
    role = f"{live['roleRef']['kind']}/{live['roleRef']['name']}"
    return [Right("kubernetes", where, _subject(one), role) for one in live.get("subjects") or []]


def _subject(one: Mapping[str, Any]) -> str:
    name = f"{one['namespace']}/{one['name']}" if one.get("namespace") else one["name"]
    return f"{one['kind']}:{name}"


def of_role(live: Mapping[str, Any]) -> list[Right]:
    """What a Role or ClusterRole lets those do who have it: one right for each rule."""
    where = str(live["metadata"].get("namespace") or "cluster")
    subject = f"{live['kind']}/{live['metadata']['name']}"
    return [Right("kubernetes", where, subject, _rule(rule)) for rule in live.get("rules") or []]


def _rule(rule: Mapping[str, Any]) -> str:
    verbs = ",".join(sorted(rule.get("verbs") or []))
    if rule.get("nonResourceURLs"):
        return f"{verbs} {','.join(sorted(rule['nonResourceURLs']))}"
    groups = ",".join(sorted(group or "core" for group in rule.get("apiGroups") or []))
    names = f" named {','.join(sorted(rule['resourceNames']))}" if rule.get("resourceNames") else ""
    return f"{verbs} {groups}: {','.join(sorted(rule.get('resources') or []))}{names}"


def of_postgresql(where: str, role: str, attributes: Iterable[str], groups: Iterable[tuple[str, bool]]) -> list[Right]:
    """A role's attributes and memberships; the second of a pair tells whether it may hand the membership on."""
    rights = [*attributes, *(f"member of {group}{', may grant it' if admin else ''}" for group, admin in groups)]
    return [Right("postgresql", where, role, right) for right in rights]
