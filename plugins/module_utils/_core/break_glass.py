# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Break-glass: what is asked for, where a grant stands, and what of it may be in the world.

A grant is a record ``BG-YEAR-NUMBER`` of the ledger with the events ``requested``, ``approved`` or ``debt_opened``, ``opened``, and then
``revoked``; ``debt_settled`` pays the debt of one that was opened without an approval. ``opened`` is recorded before anything is granted,
so the ledger never knows of less access than there is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event, canonical, find, sha256

SCHEMA = 1
GRANT_ID = re.compile(r"BG-[0-9]{4}-[0-9]{1,12}")
ROLE = re.compile(r"break_glass_([0-9]{4})_([0-9]{1,12})")
REQUESTED, APPROVED, OPENED, REVOKED = "requested", "approved", "opened", "revoked"
RIGHTS = ("none", "read", "write", "owner")
MARK = {"app.kubernetes.io/managed-by": "odoo-ops", "odoo-ops/access": "break-glass"}
LABEL, UNTIL = "odoo-ops/grant", "odoo-ops/until"
RBAC = "rbac.authorization.k8s.io"

KEEP, EXPIRED, LEFTOVER, STRANGER = "keep", "expired", "leftover", "stranger"


@dataclass(frozen=True)
class Grant:
    """Where a grant stands, from its events."""

    id: str
    request: Mapping[str, Any]
    digest: str
    ends_at: dt.datetime | None
    password_file: str
    revoked: bool

    @property
    def opened(self) -> bool:
        return self.ends_at is not None


@dataclass(frozen=True)
class Found:
    """Something in the world that bears the mark of a grant. ``id`` is empty when the mark names none; ``until`` is None without an end."""

    id: str
    what: str
    until: dt.datetime | None


# -- the request -------------------------------------------------------------------------------------------------------
def request_errors(request: Mapping[str, Any], *, grant: str, longest: str, owed_within: str) -> list[str]:
    """What is wrong with a request, in words of what to write instead."""
    errors = [] if GRANT_ID.fullmatch(grant) else [f"the grant's id is {grant!r}. Write one such as BG-2026-0007."]
    wanted = {"requester": "who asks", "reason": "what has to be done", "incident": "the ticket of the incident"}
    errors += [f"{key} is empty. Write {what}." for key, what in wanted.items() if not str(request[key]).strip()]
    if not request["tenants"]:
        errors.append("the pattern of tenants matches nobody. Write an inventory pattern of tenants.")
    if request["postgresql"] == "none" and not request["kubernetes"]:
        errors.append("nothing is asked for. Give PostgreSQL rights, Kubernetes rules, or both.")
    try:
        seconds, most, _owed = (parse_duration(text) for text in (request["duration"], longest, owed_within))
    except ValueError as exc:
        return [*errors, f"{exc}."]
    if not 0 < seconds <= most:
        errors.append(
            f"the duration is {request['duration']}, wanted more than none and at most {longest}. Ask for less, and again if need be."
        )
    return errors


def request_digest(grant: str, request: Mapping[str, Any]) -> str:
    """What is approved: the id and everything that is asked for."""
    return f"sha256:{sha256(canonical({'schema': SCHEMA, 'grant': grant, **request}))}"


# -- the grant ---------------------------------------------------------------------------------------------------------
def grant_of(grant: str, events: Sequence[Event]) -> Grant | None:
    """The grant as recorded; None when nobody has requested it."""
    requested, opened = find(events, REQUESTED), find(events, OPENED)
    if requested is None:
        return None
    return Grant(
        grant,
        requested.evidence["request"],
        requested.evidence["digest"],
        parse_instant(opened.evidence["ends_at"]) if opened else None,
        str(opened.evidence.get("password_file") or "") if opened else "",
        find(events, REVOKED) is not None,
    )


def may_open(grant: Grant | None, digest: str, now: dt.datetime) -> str | None:
    """A reason why the grant cannot be opened (again), or None."""
    if grant is None:
        return None
    if grant.revoked:
        return f"{grant.id} is over: its access was taken away. Ask anew, under an id of its own."
    if grant.digest != digest:
        return f"{grant.id} was requested as something else ({grant.digest[:19]}). Bring that request back, or take an id of its own."
    if grant.ends_at and now >= grant.ends_at:
        return f"{grant.id} ended at {rfc3339(grant.ends_at)}. Close it, and ask anew under an id of its own."
    return None


def role_name(grant: str) -> str:
    """The PostgreSQL role of a grant: ``break_glass_2026_0007``."""
    _series, year, number = grant.split("-")
    return f"break_glass_{year}_{number}"


def grant_of_role(role: str) -> str:
    """The grant that a role's name stands for; empty when it stands for none."""
    found = ROLE.fullmatch(role)
    return f"BG-{found[1]}-{found[2]}" if found else ""


# -- what may be in the world --------------------------------------------------------------------------------------------
def judge_found(found: Found, grants: Mapping[str, Grant], now: dt.datetime) -> str:
    """KEEP while its grant is open, EXPIRED past the grant's end, LEFTOVER when it has no right to be there any more.

    STRANGER: the ledger does not know it and its own end has not come. It may be another estate's, so it is told and not taken away.
    """
    grant = grants.get(found.id)
    if grant is None:
        return LEFTOVER if found.until is not None and now >= found.until else STRANGER
    if grant.revoked or grant.ends_at is None:
        return LEFTOVER
    return EXPIRED if now >= grant.ends_at else KEEP


def leftover_check(judged: Iterable[tuple[Found, str]], *, swept: bool) -> Check:
    """Fails for everything that should not be there. An expired grant that this run has ended is no leftover: that is the clock's work."""
    fine = (KEEP, EXPIRED) if swept else (KEEP,)
    bad = sorted(f"{found.what} ({word})" for found, word in judged if word not in fine)
    hint = "Find out who made or kept it. What is past its end was taken away; what is left is in nobody's record: remove it by hand."
    if not swept:
        hint = "Run the playbook break_glass with break_glass_state=swept."
    observed = ", ".join(bad) or "none"
    return Check(
        "break_glass_leftover", not bad, observed, "no access beyond its grant", hint if bad else "", "LEFTOVER_GRANT" if bad else ""
    )


def overdue_grants(grants: Mapping[str, Grant], now: dt.datetime) -> list[Grant]:
    """Open grants past their end, whether or not anything of them is still there."""
    return [grant for grant in grants.values() if grant.ends_at is not None and not grant.revoked and now >= grant.ends_at]


# -- Kubernetes --------------------------------------------------------------------------------------------------------
def object_name(grant: str) -> str:
    """The name of a grant's Role and RoleBinding in each namespace."""
    return f"break-glass-{grant.lower()}"


def rbac_objects(grant: str, namespace: str, rules: Sequence[Mapping[str, Any]], user: str, ends_at: dt.datetime) -> list[dict[str, Any]]:
    """The Role and the RoleBinding of a grant in one namespace. Kubernetes has no clock for them: the annotation is for the sweep."""
    name = object_name(grant)
    meta = {"name": name, "namespace": namespace, "labels": {**MARK, LABEL: grant}, "annotations": {UNTIL: rfc3339(ends_at)}}
    of = {"apiVersion": f"{RBAC}/v1", "metadata": meta}
    return [
        {**of, "kind": "Role", "rules": [dict(rule) for rule in rules]},
        {
            **of,
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}],
        },
    ]


def found_object(live: Mapping[str, Any]) -> Found:
    """A live Role or RoleBinding as something found."""
    meta = live["metadata"]
    grant = str((meta.get("labels") or {}).get(LABEL, ""))
    try:
        until = parse_instant((meta.get("annotations") or {}).get(UNTIL, ""))
    except ValueError:
        until = None
    return Found(grant if GRANT_ID.fullmatch(grant) else "", f"{live['kind']} {meta['namespace']}/{meta['name']}", until)
