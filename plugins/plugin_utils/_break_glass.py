# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The four things that can be done with break-glass grants: open, close, sweep, read. Each asks the ledger and the world, then acts."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import break_glass as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.approval import Judged
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass import Grant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import PASS, Check, rfc3339, unknown, verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.debts import (
    DEBT_OPENED,
    DEBT_SETTLED,
    debt_evidence,
    open_debt,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.verbs import OVERRIDE, by_verb, refusal
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import gate_result
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.approver_groups import read_groups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.passfile import remove_password
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ssh_signature import read_approvals
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._approval import approval_evidence, judge
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._break_glass_world import Where, World, places_of
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LeaseHeld, Ledger, this_holder

LEASE_S = 600


@dataclass(frozen=True)
class Run:
    """One task: its options, the ledger, the inventory, the time, who runs it."""

    args: Mapping[str, Any]
    ledger: Ledger
    hostvars: Mapping[str, Mapping[str, Any]]
    tenants: list[str]
    now: dt.datetime
    check: bool
    executor: str

    @property
    def id(self) -> str:
        return str(self.args["grant"])

    def record(self, event: str, evidence: Mapping[str, Any], *, grant: str = "", digest: str | None = None) -> None:
        what = {"actor": self.executor, "at": self.now, "evidence": evidence, "plan_digest": digest}
        self.ledger.append(grant or self.id, event, **what)

    @contextlib.contextmanager
    def alone(self, grant: str) -> Iterator[None]:
        """One run at a time for a grant; one that was killed is succeeded."""
        if self.check:
            yield
            return
        lease = self.ledger.acquire_lease(grant, this_holder(grant, self.executor), ttl_s=LEASE_S, now=self.now)
        try:
            yield
        finally:
            self.ledger.release_lease(lease)


# -- open --------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Asked:
    """A request with what is known of it: its events, its grant as recorded, what its approvals are worth, and until when it holds."""

    request: dict[str, Any]
    digest: str
    events: list[Event]
    grant: Grant | None
    judged: Judged
    until: dt.datetime
    password_file: Path

    @property
    def approved(self) -> bool:
        return verdict(self.judged.checks) == PASS

    @property
    def by_role(self) -> bool:
        return bool(self.request["postgresql"] != "none")


def opened(run: Run) -> dict[str, Any]:
    """Requests, has approved (or takes on the debt), opens, grants. Run again, it goes on, or finds everything as it should be."""
    world = World(places_of(run.tenants, run.hostvars))
    request = _request(run, world)
    with run.alone(run.id):
        asked = _asked(run, request)
        todo = world.differences(run.id, request, asked.until, asked.password_file)
        admitted = bool(asked.grant and asked.grant.opened) or asked.approved or bool(run.args["no_approver"])
        news = _events_to_record(run, asked, world)
        if not run.check:
            for event, evidence in news.items():
                run.record(event, evidence, digest=asked.digest)
            if admitted and todo:
                world.give(run.id, request, asked.until, asked.password_file)
    return _open_result(run, asked, todo if admitted else [], news, admitted=admitted)


def _open_result(run: Run, asked: Asked, done: list[str], news: Mapping[str, Any], *, admitted: bool) -> dict[str, Any]:
    facts = {
        "grant": run.id,
        "digest": asked.digest,
        "request": asked.request,
        "ends_at": rfc3339(asked.until),
        "role": core.role_name(run.id) if asked.by_role else None,
        "password_file": str(asked.password_file) if asked.by_role else None,
        "recorded": list(news),
        "done": done,
    }
    about, checks = f"the request of {run.id} ({asked.digest})", asked.judged.checks
    enforce, changed = run.args["enforce"], bool(news or done)
    if not admitted:
        return gate_result(about, checks, at=run.now, enforce=enforce, changed=changed, **facts)
    access = Check("access", True, f"open until {facts['ends_at']}", "open")
    return gate_result(run.id, [access], at=run.now, enforce=enforce, changed=changed, **facts) | {"msg": _told(run, asked)}


def _asked(run: Run, request: dict[str, Any]) -> Asked:
    """The request as it stands in the ledger and before its judges; ChangeError when it cannot be opened (any more)."""
    digest, events = core.request_digest(run.id, request), run.ledger.events(run.id)
    grant = core.grant_of(run.id, events)
    if reason := core.may_open(grant, digest, run.now):
        raise ChangeError(f"{reason} Nothing was changed.")
    until = grant.ends_at if grant and grant.ends_at else run.now + dt.timedelta(seconds=parse_duration(request["duration"]))
    # where the file lies was decided when the grant was opened
    file = Path((grant.password_file if grant else "") or run.args["password_file"] or "")
    return Asked(request, digest, events, grant, _judged(run, digest, request["requester"]), until, file)


def _request(run: Run, world: World) -> dict[str, Any]:
    args = run.args
    if args["postgresql"] != "none" and not args["password_file"]:
        raise ChangeError("password_file is not given. Name the path at which the role's password is to lie, in a folder of yours.")
    request = {
        "requester": args["requester"],
        "reason": args["reason"],
        "incident": args["incident"],
        "duration": args["duration"],
        "tenants": {name: place.asked() for name, place in sorted(world.places.items())},
        "postgresql": args["postgresql"],
        "connections": args["connections"],
        "kubernetes": args["kubernetes"],
        "kubernetes_user": args["kubernetes_user"] or args["requester"],
    }
    errors = core.request_errors(request, grant=run.id, longest=args["max_duration"], owed_within=args["retro_approval_within"])
    errors += _not_allowed(run)
    if args["required"] < 1:
        errors.append(f"required is {args['required']}. Write 1 or more; say in no_approver why nobody can be reached instead.")
    if errors:
        raise ChangeError(f"{run.id}: {' '.join(errors)} Nothing was changed.", errors=errors)
    return request


def _people(run: Run) -> dict[str, list[str]]:
    """The groups of each verb, by the policy; nothing where none was named."""
    return by_verb(read_policy(run.args["policy"])) if run.args.get("policy") else {}


def _not_allowed(run: Run) -> list[str]:
    people = _people(run)
    why = refusal(OVERRIDE, str(run.args["requester"]), people, read_groups(run.args.get("approver_groups"))) if people else None
    return [f"the requester {why}. Let one of them ask for it."] if why else []


def _judged(run: Run, digest: str, requester: str) -> Judged:
    return judge(
        read_approvals([run.args["approvals"]] if run.args["approvals"] else []),
        change=run.id,
        digest=digest,
        requester=requester,
        executor=run.executor,
        allowed_signers=run.args["allowed_signers"],
        revoked=run.args["revoked"],
        required=run.args["required"],
        now=run.now,
        members=run.args.get("approver_groups"),
        people=_people(run),
    )


def _events_to_record(run: Run, asked: Asked, world: World) -> dict[str, dict[str, Any]]:
    """The events that are not recorded yet, in order: requested; then approved, or the debt; then opened."""
    why, kept = run.args["no_approver"], {event.event for event in asked.events}
    if core.OPENED in kept:
        return _settling(run, asked.events, asked.judged, asked.request["requester"], asked.digest)
    wanted: dict[str, dict[str, Any]] = {core.REQUESTED: {"schema": 1, "request": asked.request, "digest": asked.digest}}
    if asked.approved:
        wanted[core.APPROVED] = _approval(run, asked.judged, asked.request["requester"], asked.digest)
    elif why:
        wanted[DEBT_OPENED] = debt_evidence(run.now, parse_duration(run.args["retro_approval_within"]), why)
    if asked.approved or why:
        wanted[core.OPENED] = {
            "schema": 1,
            "digest": asked.digest,
            "ends_at": rfc3339(asked.until),
            "approved_by": [vote.approver for vote in asked.judged.accepted] if asked.approved else [],
            "without_approval": "" if asked.approved else why,
            "role": core.role_name(run.id) if asked.by_role else None,
            "password_file": str(asked.password_file) if asked.by_role else None,
            "statement_logs": world.statement_logs() if asked.by_role else [],
        }
    return {event: evidence for event, evidence in wanted.items() if event not in kept}


def _approval(run: Run, judged: Judged, requester: str, digest: str) -> dict[str, Any]:
    return approval_evidence(judged.accepted, digest=digest, requester=requester, executor=run.executor)


def _settling(run: Run, events: list[Event], judged: Judged, requester: str, digest: str) -> dict[str, dict[str, Any]]:
    """The event that settles the debt, when there is one and its approval has come."""
    if open_debt(run.id, events) is None or verdict(judged.checks) != PASS:
        return {}
    return {DEBT_SETTLED: _approval(run, judged, requester, digest)}


def _told(run: Run, asked: Asked) -> str:
    how = f" Log in with PGPASSFILE={asked.password_file} as {core.role_name(run.id)}." if asked.by_role else ""
    verb, names = "would be open" if run.check else "is open", ", ".join(asked.request["tenants"])
    return f"{run.id} {verb} until {rfc3339(asked.until)} for {names}.{how} Close it when the work is done."


# -- close -------------------------------------------------------------------------------------------------------------
def closed(run: Run) -> dict[str, Any]:
    """Takes everything of the grant away, records it, and settles the debt when its approval is there."""
    with run.alone(run.id):
        events = run.ledger.events(run.id)
        grant = core.grant_of(run.id, events)
        if grant is None:
            raise ChangeError(
                f"{run.id}: the ledger knows no such grant. Check the id; what is in nobody's record is found by state swept."
            )
        changed, facts, checks = _end(run, grant, "closed")
        settling = _settling(run, events, _judged(run, grant.digest, grant.request["requester"]), grant.request["requester"], grant.digest)
        if not run.check:
            for event, evidence in settling.items():
                run.record(event, evidence, digest=grant.digest)
    debt = None if settling else open_debt(run.id, events)
    facts["debt"] = debt.as_dict(run.now) if debt else None
    result = gate_result(run.id, checks, at=run.now, enforce=run.args["enforce"], changed=changed or bool(settling), **facts)
    if debt and result["verdict"] == PASS:
        result["msg"] += f" Its approval is due {facts['debt']['due']}: have somebody else sign {grant.digest}, then close it again."
    return result


def _end(run: Run, grant: Grant, why: str) -> tuple[bool, dict[str, Any], list[Check]]:
    """The end of one grant: whether something changed, what was taken away, and the proof that nothing is left."""
    world = World(places_of(grant.request["tenants"], run.hostvars))
    seen, untold = world.found(grant.id)
    removed = [found.what for found, _where in seen]
    facts: dict[str, Any] = {"grant": grant.id, "removed": removed, "sessions_ended": 0, "objects_given": []}
    changed = bool(seen) or not grant.revoked
    if run.check or untold:
        return (
            changed and not untold,
            facts,
            untold or [Check("access", True, f"would end: {', '.join(removed) or 'nothing is left'}", "ended")],
        )
    taken = world.take_away(seen, grant.request)
    if grant.password_file and remove_password(Path(grant.password_file), core.role_name(grant.id)):
        changed, taken.removed = True, [*taken.removed, grant.password_file]
    facts |= {"removed": taken.removed, "sessions_ended": taken.sessions, "objects_given": taken.given}
    left, untold = world.found(grant.id)
    observed = ", ".join(found.what for found, _where in left) or "nothing is left"
    checks = [*untold, Check("access", not left, observed, "nothing is left", "Run this again.", "NOT_ENDED" if left else "")]
    if verdict(checks) == PASS and not grant.revoked:
        logs = world.statement_logs() if grant.opened and grant.request["postgresql"] != "none" else []
        evidence = {"schema": 1, "why": why, **{k: v for k, v in facts.items() if k != "grant"}, "statement_logs": logs}
        run.record(core.REVOKED, evidence, grant=grant.id, digest=grant.digest)
    return changed, facts, checks


# -- sweep and read ----------------------------------------------------------------------------------------------------
def swept(run: Run) -> dict[str, Any]:
    """Ends every grant past its end, takes away what no open grant accounts for, and says what should not have been there."""
    grants = grants_of(run.ledger)
    overdue = core.overdue_grants(grants, run.now)
    world = World(places_of(run.tenants, run.hostvars))
    judged, checks = _looked(run, world, grants)
    checks.append(core.leftover_check([(found, word) for found, _where, word in judged], swept=True))
    ended, changed = [], bool(overdue)
    for grant in overdue:
        wrong = _ended(run, grant)
        checks += wrong
        ended += [] if wrong else [grant.id]
    removed = []
    for found, where, word in judged:
        if word == core.LEFTOVER:
            changed = True
            removed.append(found.what)
            checks += [] if run.check else _removed(world, found, where, grants)
    facts = {"ended": ended, "removed": removed}
    return gate_result("break-glass", checks, at=run.now, enforce=run.args["enforce"], changed=changed, **facts)


def _looked(run: Run, world: World, grants: Mapping[str, Grant]) -> tuple[list[tuple[core.Found, Where, str]], list[Check]]:
    """What is in the world and what the ledger says to it, and a check for every cluster that gave no answer.

    Another run may open a grant between the look into the ledger and the one into the world. As ``opened`` is recorded first, a second
    look into the ledger tells such a one from access that nobody accounts for.
    """
    seen, checks = world.found()
    judged = [(found, where, core.judge_found(found, grants, run.now)) for found, where in seen]
    if any(word in (core.LEFTOVER, core.STRANGER) for _found, _where, word in judged):
        later = grants_of(run.ledger)
        fine = (core.KEEP, core.EXPIRED)
        judged = [(one, where, word if word in fine else core.judge_found(one, later, run.now)) for one, where, word in judged]
    return judged, checks


def _ended(run: Run, grant: Grant) -> list[Check]:
    """Ends an expired grant; what went wrong, as checks."""
    try:
        with run.alone(grant.id):
            # somebody may have closed it meanwhile
            now = core.grant_of(grant.id, run.ledger.events(grant.id))
            _changed, _facts, checks = _end(run, now or grant, "expired")
    except LeaseHeld as exc:
        checks = [unknown(f"break_glass_{grant.id}", str(exc), hint="Wait for that run, then run this again.", code="BUSY")]
    except ChangeError as exc:
        checks = [unknown(f"break_glass_{grant.id}", str(exc), hint="Mend that, then run this again.", code="NOT_ENDED")]
    return [check for check in checks if not check.ok]


def _removed(world: World, found: core.Found, where: Where, grants: Mapping[str, Grant]) -> list[Check]:
    try:
        world.take_away([(found, where)], grants[found.id].request if found.id in grants else None)
    except ChangeError as exc:
        return [unknown("break_glass_removal", str(exc), hint="Mend that, then run this again.", code="NOT_ENDED")]
    return []


def read(run: Run) -> dict[str, Any]:
    """All grants, and whether there is access beyond them. Changes nothing: the drift check of a schedule."""
    grants = grants_of(run.ledger)
    judged, checks = _looked(run, World(places_of(run.tenants, run.hostvars)), grants)
    checks.append(core.leftover_check([(found, word) for found, _where, word in judged], swept=False))
    facts = {"grants": [_listed(grant) for grant in grants.values()]}
    return gate_result("break-glass", checks, at=run.now, enforce=run.args["enforce"], **facts)


def grants_of(ledger: Ledger) -> dict[str, Grant]:
    """All grants of the ledger by id, each record proved."""
    found = [core.grant_of(name, ledger.events(name)) for name in ledger.changes() if core.GRANT_ID.fullmatch(name)]
    return {grant.id: grant for grant in found if grant}


def _listed(grant: Grant) -> dict[str, Any]:
    state = "revoked" if grant.revoked else "opened" if grant.opened else "requested"
    ends_at = rfc3339(grant.ends_at) if grant.ends_at else None
    return {
        "id": grant.id,
        "state": state,
        "ends_at": ends_at,
        "requester": grant.request["requester"],
        "tenants": list(grant.request["tenants"]),
    }
