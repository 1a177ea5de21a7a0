# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""restore_drill: the module of the same name on its host, with the business transactions of the controller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._transactions import DefinedAction


class OnItsHost(ActionBase):
    """Runs the module of the task's name where any module runs."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        wrap_async = bool(self._task.async_val and not self._connection.has_native_async)
        result.update(self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
        return result


class ActionModule(DefinedAction, OnItsHost):
    def naming(self) -> Mapping[str, Any]:
        given = self._task.args.get("odoo")
        return given if isinstance(given, Mapping) else {}
