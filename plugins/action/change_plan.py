# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""change_plan: from the change file and the estate to a plan with a digest, recorded before anyone approves it."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import (
    catalogue,
    change_file,
    demand,
    plan,
    progress,
    soak,
    source,
    toggles,
    verbs,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_documents import PLAN_ARTIFACT
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.impact import Placed
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import find
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.transaction_format import unknown_transactions
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.approver_groups import read_groups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.change_schema import violations
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_catalogue, read_policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.release_content import read_content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import read_all
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, open_ledger, os_user
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._source import SOURCE_SPEC, measure


class ActionModule(ChangeAction):
    SPEC = {
        **LEDGER_SPEC,
        "change": {"type": "dict", "required": True},
        "state": {"type": "str", "choices": ["validated", "planned", "recorded"], "default": "planned"},
        "class": {"type": "str", "choices": ["standard", "normal", "emergency", "data_impacting"]},
        "current": {"type": "dict", "default": {}},
        "parameters": {"type": "dict", "default": {}},
        "policy": {"type": "path"},
        "catalogue": {"type": "path"},
        "source": {"type": "dict", "options": SOURCE_SPEC},
        "approver_groups": {"type": "raw"},
        "transaction_files": {"type": "list", "elements": "path", "default": []},
        "plan": {"type": "dict"},
        "actor": {"type": "str"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, change = utc_now(), args["change"]
        if args["state"] == "recorded":
            return self._recorded(args, now=now)
        names, decided = self._validate(args, task_vars, now=now)
        if args["state"] == "validated":
            return _targets(change, self._tenants(names, dict.fromkeys(names, "-"), task_vars), decided)
        tenants = self._tenants(names, args["current"], task_vars)
        tenants = [_with_parameters(change, tenant, args["parameters"].get(tenant.name) or {}) for tenant in tenants]
        policy = demand.demanded(change, decided, read_policy(args["policy"]))
        seen = measure(args["source"], now=now) if args["source"] else None
        if seen:
            policy = source.demanding(policy)
        fresh = plan.build_plan(change, tenants, policy=policy, decided=decided, source=seen and seen.source)
        return {**self._plan(args, fresh, now=now), "gates": [seen.gate] if seen else []}

    def _recorded(self, args: dict[str, Any], *, now: dt.datetime) -> dict[str, Any]:
        """The recorded plan; in check mode, where none is recorded, the one that was passed."""
        events = _events(args)
        recorded = find(events, "planned")
        if recorded:
            return _result(recorded.evidence["plan"], recorded.evidence["digest"], events, changed=False, now=now)
        if self._task.check_mode and args["plan"]:
            return _result(args["plan"], plan.plan_digest(args["plan"]), events, changed=False, now=now)
        raise ChangeError(
            f"{args['change'].get('id')}: the ledger {args['ledger']} holds no plan of it. Run the playbook change_plan first."
        )

    def _validate(self, args: dict[str, Any], task_vars: dict[str, Any], *, now: dt.datetime) -> tuple[list[str], demand.Decided]:
        """The tenants of the change and its class; or every error of the change file at once."""
        change, wanted = args["change"], args["class"]
        found = [line for violation in violations(change) for line in change_file.explain(violation)]
        names, unmatched = self._resolve(change.get("tenants"), task_vars)
        # a change that is planned may have to be rolled back after its window: only the guard minds the window then
        events = [] if found else _events(args)
        if not found:
            found += unknown_transactions(change["verification"]["transactions"], read_all(args["transaction_files"]))
        found += change_file.judge_change(change, tenants=names, unmatched=unmatched, now=None if events else now)
        if found:
            raise _refused(change, found + demand.class_error(change, None, wanted))
        fixed = _fixed_plan(events)
        decided, lacking = (demand.from_plan(fixed), []) if fixed else _decide(args, names, task_vars)
        # what the change lacks for this class it may not lack for its own, so a wrong class is told alone
        if found := demand.class_error(change, decided, wanted) or lacking:
            raise _refused(change, found)
        return names, decided

    def _resolve(self, pattern: Any, task_vars: dict[str, Any]) -> tuple[list[str], list[str]]:
        """The hosts of the pattern, and its terms that match nothing."""
        if not isinstance(pattern, str):
            return [], []
        terms = change_file.pattern_terms(pattern)
        return self.hosts(pattern, task_vars), [t for t in terms if not self.hosts(t, task_vars)]

    def _tenants(self, names: list[str], current: dict[str, Any], task_vars: dict[str, Any]) -> list[plan.Tenant]:
        found, errors = [], []
        for name in names:
            variables = task_vars["hostvars"][name]
            tenant, wrong = plan.tenant_from_inventory(name, variables, variables["group_names"], current.get(name) or None)
            errors += wrong
            found += [tenant] if tenant else []
        if errors:
            raise ChangeError(_listed("the inventory of the tenants", errors), errors=errors)
        return found

    def _plan(self, args: dict[str, Any], fresh: dict[str, Any], *, now: dt.datetime) -> dict[str, Any]:
        change = args["change"]
        events = _events(args)
        recorded = find(events, "planned")
        chosen = _fixed_plan(events) or fresh
        if chosen is fresh and (found := soak.window_errors(fresh)):
            raise _refused(change, found)
        if chosen is not fresh and (differences := plan.resumable(chosen, fresh)):
            raise ChangeError(
                f"change {change['id']} was approved as another plan: {'; '.join(differences)}. "
                "Give what you want now a change id of its own, or bring back what was approved.",
                errors=differences,
            )
        digest = plan.plan_digest(chosen)
        changed = not recorded or recorded.evidence["digest"] != digest
        if changed and not self._task.check_mode:
            evidence = {"plan": chosen, "digest": digest}
            actor = args["actor"] or os_user()
            open_ledger(args).append(change["id"], "planned", actor=actor, at=now, evidence=evidence, plan_digest=digest, once=False)
        return {**_result(chosen, digest, events, changed=changed, now=now), "ansible_stats": _left_in_awx(change["id"], digest)}


def _left_in_awx(change: str, digest: str) -> dict[str, Any]:
    """As set_stats would leave it, and not by way of a variable: whoever may pass -e could name another digest there."""
    return {"data": {PLAN_ARTIFACT: {"change": change, "digest": digest}}, "per_host": False, "aggregate": False}


def _events(args: dict[str, Any]) -> list[Any]:
    return list(open_ledger(args).events(args["change"]["id"]))


def _fixed_plan(events: list[Any]) -> dict[str, Any] | None:
    """The recorded plan once it must not become another one: when it is approved, or a tenant was touched by it."""
    recorded = find(events, "planned")
    fixed = recorded and any(event.event == "approved" or event.tenant for event in events)
    return dict(recorded.evidence["plan"]) if fixed else None


def _decide(args: dict[str, Any], names: list[str], task_vars: dict[str, Any]) -> tuple[demand.Decided, list[str]]:
    """The class of a valid change by the policy of today, and what the change lacks for that class."""
    change, document, services = args["change"], read_policy(args["policy"]), read_catalogue(args["catalogue"])
    if found := catalogue.entry_errors(change, services):
        raise _refused(change, found)
    tiers = {name: tier for tier in plan.TIERS for name in task_vars["groups"].get(tier, [])}
    given = change.get("release", {}).get("content")
    content = read_content(**given) if given else None
    # the variables of every tenant are dear to look up, and only a difference asks for them
    estate = [_placed(name, tier, task_vars["hostvars"][name]) for name, tier in tiers.items()] if content and content.changed else []
    decided = demand.decide(change, content, document=document, services=services, targets=names, tiers=tiers, estate=estate)
    people = verbs.by_verb(document)
    members = read_groups(args["approver_groups"]) if people else {}
    return decided, [*verbs.plan_errors(change, people, members), *demand.errors(change, decided, document)]


def _with_parameters(change: dict[str, Any], tenant: plan.Tenant, found: dict[str, str | None]) -> plan.Tenant:
    """The tenant with what its database has of the parameters that the change sets."""
    if lacking := toggles.unread(change, found):
        raise ChangeError(
            f"tenant {tenant.name}: what its database has as {', '.join(lacking)} was not given. Run the playbook change_plan, which asks."
        )
    return replace(tenant, parameters={name: found[name] for name in toggles.parameters(change)})


def _placed(name: str, tier: str, variables: Any) -> Placed:
    namespace, stanza = (str(variables.get(key, "")) for key in ("tenant_namespace", "tenant_backup_stanza"))
    return Placed(name, tier, namespace, stanza, tuple(variables["group_names"]))


def _targets(change: dict[str, Any], tenants: list[plan.Tenant], decided: demand.Decided) -> dict[str, Any]:
    ordered = plan.cohorts(tenants)
    names = [name for cohort in ordered for name in cohort]
    return {
        "changed": False,
        "tenants": names,
        "cohort_sizes": [len(cohort) for cohort in ordered],
        "change_class": decided.change_class,
        "class_reasons": list(decided.reasons),
        "msg": f"{change['id']}: the change file is valid for {len(names)} tenants in {len(ordered)} cohorts.",
    }


def _result(chosen: dict[str, Any], digest: str, events: list[Any], *, changed: bool, now: dt.datetime) -> dict[str, Any]:
    lines = plan.describe(chosen)
    states = progress.states(events, chosen)
    at = max(now, parse_instant(chosen["change"]["window"]["start"]))
    left_s = max(0, math.ceil((change_file.window_end(chosen["change"]["window"]) - at).total_seconds()))
    return {
        "changed": changed,
        "plan": chosen,
        "digest": digest,
        "closed": progress.closed(events),
        "under_way": progress.under_way(states),
        "proved": progress.proved(events),
        "states": {name: {"done": list(s.done), "next": s.next} for name, s in states.items()},
        "window": {"at": rfc3339(at), "duration": f"PT{left_s}S"},
        "lines": lines,
        "msg": f"{chosen['change']['id']}: plan {digest} for {len(chosen['tenants'])} tenants in {len(chosen['cohorts'])} cohorts.",
        "diff": {"before": "", "after": "\n".join(lines) + "\n"} if changed else {},
    }


def _refused(change: dict[str, Any], errors: list[str]) -> ChangeError:
    return ChangeError(_listed(f"change {change.get('id', '(without id)')}", errors), errors=errors)


def _listed(subject: str, errors: list[str]) -> str:
    return f"{subject}: {errors[0]}" if len(errors) == 1 else f"{subject}: {len(errors)} errors:\n" + "\n".join(f"- {e}" for e in errors)
