# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""toggle_check: what a tenant's database has of the parameters that a change sets. Documented in the module of the same name."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import toggles
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import unknown
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import secrets_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, gate_result, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.config_parameters import read
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.secrets import secrets_of_environment
from ansible_collections.odoo_ops.change_control.plugins.module_utils._reader import READER_SPEC, reader
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

TOGGLE: dict[str, dict[str, Any]] = {
    "parameter": {"type": "str", "required": True},
    "before": {"type": "str"},
    "value": {"type": "str"},
}


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        **READER_SPEC,
        **GATE_SPEC,
        "tenant": {"type": "str", "required": True},
        "database": {"type": "str", "required": True},
        "toggles": {"type": "list", "elements": "dict", "options": TOGGLE, "required": True},
        "expect": {"type": "str", "choices": list(toggles.EXPECTATIONS), "default": "anything"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        at, found, secrets = utc_now(), {}, [*secrets_of(self.SPEC, args), *secrets_of_environment()]
        names = [one["parameter"] for one in args["toggles"]]
        if refused := [f"{name} is named, {why}" for name in names if (why := toggles.refused(name))]:
            raise ChangeError(f"option toggles: {' '.join(refused)}")
        try:
            found = read(reader(args), args["database"], names)
            checks = toggles.judge(args["toggles"], found, expect=args["expect"], secrets=secrets)
        except ChangeError as exc:
            checks = [unknown("toggles", str(exc), hint="", code=str(exc.facts.get("code", "POSTGRES")))]
        told = {name: value for name, value in found.items() if toggles.tellable(value, secrets)}
        return gate_result(f"tenant {args['tenant']}", checks, at=at, enforce=args["enforce"], found=told)
