# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gives a module the business transactions that it names: it may run where the collection's files are not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.transaction_files import chosen


def listed(value: Any) -> list[str]:
    """A list of an argument as it was written, before a module's specification reads it."""
    if value is None:
        return []
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else [str(one) for one in value]


class DefinedAction(ActionBase):
    """Puts ``definitions`` into the task's arguments: all transactions that ship, and those of ``transaction_files``."""

    def naming(self) -> Mapping[str, Any]:
        """The arguments that hold ``transactions`` and ``transaction_files``."""
        return self._task.args

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        named = self.naming()
        files = [self._loader.path_dwim(path) for path in listed(named.get("transaction_files"))]
        try:
            definitions = chosen(listed(named.get("transactions")), files)
        except ChangeError as exc:
            return {"failed": True, "changed": False, "msg": str(exc), **exc.facts}
        self._task.args = {**self._task.args, "definitions": definitions}
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result
