# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""break_glass: time-bound access to tenants, opened, closed, swept or read. Documented in the module of the same name."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass import RIGHTS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, utc_now
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils import _break_glass
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import LEDGER_SPEC, open_ledger, os_user

STATES = {"opened": _break_glass.opened, "closed": _break_glass.closed, "swept": _break_glass.swept, "read": _break_glass.read}


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **LEDGER_SPEC,
        **GATE_SPEC,
        "state": {"type": "str", "choices": list(STATES), "required": True},
        "grant": {"type": "str"},
        "tenants": {"type": "str"},
        "requester": {"type": "str"},
        "reason": {"type": "str"},
        "incident": {"type": "str"},
        "duration": {"type": "str", "default": "PT1H"},
        "max_duration": {"type": "str", "default": "PT4H"},
        "postgresql": {"type": "str", "choices": list(RIGHTS), "default": "write"},
        "connections": {"type": "int", "default": 3},
        "password_file": {"type": "path", "no_log": False},
        "kubernetes": {"type": "list", "elements": "dict", "default": []},
        "kubernetes_user": {"type": "str"},
        "approvals": {"type": "path"},
        "allowed_signers": {"type": "path"},
        "revoked": {"type": "path"},
        "required": {"type": "int", "default": 1},
        "no_approver": {"type": "str"},
        "retro_approval_within": {"type": "str", "default": "PT24H"},
        "executor": {"type": "str"},
        "policy": {"type": "path"},
        "approver_groups": {"type": "raw"},
    }
    RULES: ClassVar[dict[str, Any]] = {
        "required_if": [
            ("state", "opened", ("grant", "tenants", "requester", "reason", "incident")),
            ("state", "closed", ("grant",)),
            ("state", "swept", ("tenants",)),
            ("state", "read", ("tenants",)),
        ]
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        run = _break_glass.Run(
            args=args,
            ledger=open_ledger(args),
            hostvars=task_vars["hostvars"],
            tenants=self.tenants(args["tenants"], task_vars) if args["tenants"] else [],
            now=utc_now(),
            check=bool(self._task.check_mode),
            executor=args["executor"] or os_user(),
        )
        return STATES[args["state"]](run)
