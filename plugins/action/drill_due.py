# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""drill_due: which clusters to drill, and in which order. Documented in the module of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Proof
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.drill_due import (
    Cluster,
    choose,
    judge_left_out,
    lines,
    overload,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.instants import parse_instant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import strictest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.plan import TIERS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, seconds, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, Ledger, newest, open_ledger


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "tenants": {"type": "str", "required": True},
        "policy": {"type": "path"},
        "max_age": {"type": "str", "default": "P30D"},
        "within": {"type": "str"},
        "at_most": {"type": "int"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, at_most = utc_now(), args["at_most"]
        try:
            max_age_s, within_s = seconds(args, "max_age") or 0, seconds(args, "within")
        except ValueError as exc:
            raise ChangeError(str(exc)) from exc
        if at_most is not None and at_most < 1:
            raise ChangeError(f"option at_most is {at_most}. Give 1 or more, or leave it out for no limit.")
        names = self.tenants(args["tenants"], task_vars)
        objectives = read_policy(args["policy"]).get("objectives", {})
        members = _members(names, task_vars["hostvars"])
        drills = _last_drills(open_ledger(args), set(members))
        tiers = {name: tier for tier in TIERS for name in task_vars["groups"].get(tier, [])}
        clusters = [
            _cluster(stanza, tenants, strictest(objectives, [tiers[t] for t in tenants if t in tiers]), max_age_s, drills.get(stanza))
            for stanza, tenants in members.items()
        ]
        choices = choose(clusters, now=now, within_s=within_s, at_most=at_most)
        taken = [choice.cluster for choice in choices if choice.taken]
        result = gate_result(
            "drills",
            [judge_left_out(choices)],
            at=now,
            enforce=args["enforce"],
            clusters=[choice.as_dict() for choice in choices],
            stanzas=[cluster.stanza for cluster in taken],
            lines=lines(choices),
            hosts=[cluster.tenants[0] for cluster in taken],
        )
        warning = overload(clusters, within_s=within_s, at_most=at_most)
        return {**result, "warnings": [warning]} if warning else result


def _members(names: Iterable[str], hostvars: Mapping[str, Any]) -> dict[str, list[str]]:
    """The tenants of each cluster; ChangeError for one that does not say which its cluster is."""
    members: dict[str, list[str]] = {}
    for name in names:
        stanza = hostvars[name].get("tenant_backup_stanza")
        if not stanza:
            raise ChangeError(
                f"tenant {name} has no tenant_backup_stanza. Set it to the pgBackRest stanza of its cluster, or leave the host out."
            )
        members.setdefault(str(stanza), []).append(name)
    return members


def _last_drills(ledger: Ledger, stanzas: set[str]) -> dict[str, Proof]:
    """The newest drill of each cluster. The record is read from its newest end, until each has one."""
    found: dict[str, Proof] = {}
    for event in newest(ledger, "DRILL", "drilled"):
        stanza = event.evidence.get("stanza")
        if stanza in stanzas and stanza not in found:
            found[stanza] = Proof(parse_instant(event.at), str(event.evidence.get("verdict")))
            if len(found) == len(stanzas):
                break
    return found


def _cluster(stanza: str, tenants: list[str], objective: Mapping[str, str], max_age_s: int, last: Proof | None) -> Cluster:
    age = min(max_age_s, parse_duration(objective["drill"])) if objective else max_age_s
    return Cluster(stanza, tuple(tenants), age, parse_duration(objective["rto"]) if objective else None, last)
