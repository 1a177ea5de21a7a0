# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""rehearsal_check: this very plan went well on a copy of each tenant. Documented in the module of the same name."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import rehearsed
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, seconds, utc_now
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, open_ledger


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "change": {"type": "str", "required": True},
        "digest": {"type": "str", "required": True},
        "tenants": {"type": "list", "elements": "str", "required": True},
        "max_age": {"type": "str", "default": "P7D"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, tenants = utc_now(), args["tenants"]
        try:
            max_age_s = seconds(args, "max_age") or 0
        except ValueError as exc:
            raise ChangeError(str(exc)) from exc
        found = rehearsed.rehearsals(open_ledger(args).events(args["change"]))
        codes = rehearsed.due(found, digest=args["digest"], tenants=tenants, max_age_s=max_age_s, now=now)
        check = rehearsed.judge_rehearsed(codes, tenants=tenants, max_age_s=max_age_s)
        return gate_result(f"rehearsal of {args['change']}", [check], at=now, enforce=args["enforce"], due=sorted(codes))
