# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""readiness_check: the release readiness review of a plan. Documented in the module of the same name."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import readiness
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **GATE_SPEC,
        "plan": {"type": "dict", "required": True},
        "measured": {"type": "list", "elements": "dict", "default": []},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        now, plan = utc_now(), args["plan"]
        try:
            checks, kinds = readiness.checklist(plan, args["measured"], now=now), readiness.kinds(plan)
        except KeyError as exc:
            raise ChangeError(f"the plan or a measured gate lacks {exc}. Pass plan of change_plan, and results of gates.") from exc
        return gate_result(f"the readiness of {plan['change']['id']}", checks, at=now, enforce=args["enforce"], kinds=kinds)
