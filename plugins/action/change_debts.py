# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""change_debts: approvals that are due after an emergency. Documented in the module of the same name."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.debts import DEBT_OPENED, DUE, debt_checks, debt_evidence
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._debts import open_debts
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, Ledger, open_ledger, os_user


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "state": {"type": "str", "choices": ["read", "opened"], "default": "read"},
        "change": {"type": "str"},
        "within": {"type": "str"},
        "reason": {"type": "str"},
        "class": {"type": "str", "choices": ["standard", "normal", "emergency", "data_impacting"], "default": "normal"},
    }

    RULES: ClassVar[dict[str, Any]] = {"required_if": [("state", "opened", ("change", "within", "reason"))]}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, ledger = utc_now(), open_ledger(args)
        if args["state"] == "opened":
            return self._open(args, ledger, now)
        debts = open_debts(ledger)
        checks = debt_checks(debts, change_class=args["class"], now=now)
        return gate_result("approvals after the fact", checks, at=now, enforce=args["enforce"], debts=[debt.as_dict(now) for debt in debts])

    def _open(self, args: dict[str, Any], ledger: Ledger, now: dt.datetime) -> dict[str, Any]:
        """Recorded once for a change, before what it excuses is done."""
        try:
            evidence = debt_evidence(now, parse_duration(args["within"]), args["reason"])
        except ValueError as exc:
            raise ChangeError(f"option within: {exc}") from exc
        found = ledger.recorded(args["change"], DEBT_OPENED)
        if found is None and not self._task.check_mode:
            found = ledger.append(args["change"], DEBT_OPENED, actor=os_user(), at=now, evidence=evidence)[0]
            return {"changed": True, "msg": f"{args['change']} has to be approved again until {evidence[DUE]}.", "due": evidence[DUE]}
        due = found.evidence.get(DUE) if found else evidence[DUE]
        return {"changed": found is None, "msg": f"{args['change']} has to be approved again until {due}.", "due": due}
