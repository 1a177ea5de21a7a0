# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""source_check: whether the estate's files are what Git holds, and whose. Documented in the module of the same name."""

from __future__ import annotations

from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import GATE_SPEC, utc_now
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._source import SOURCE_SPEC, measure


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {**SOURCE_SPEC, **GATE_SPEC}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        return measure(args, now=utc_now(), enforce=args["enforce"]).gate
