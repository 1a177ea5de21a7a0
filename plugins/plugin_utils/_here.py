# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A module whose host is the controller is run here, in the process of its task, and elsewhere as any module is.

To start a Python, unpack a module and import what it needs takes one to two seconds of a processor, for every host of every task. The
controller has imported it already when it forks for a task.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction

_OWN = ("", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent", sys.executable)
"""Interpreters of which this process is one."""


class HereAction(ChangeAction):
    """``MODULE`` has ``SPEC``, ``RULES`` where there are any, and ``perform``; its ``main`` does the same elsewhere."""

    _supports_async = True
    MODULE: ClassVar[ModuleType]
    IMPORTS: ClassVar[tuple[str, ...]] = ()
    """What the work imports late, because another host may lack it."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name in cls.IMPORTS:
            with suppress(ImportError):  # the work says what is missing, when it is needed
                import_module(name)
        cls.SPEC, cls.RULES = cls.MODULE.SPEC, getattr(cls.MODULE, "RULES", {})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if self._is_here(task_vars or {}):
            return super().run(tmp, task_vars)
        result: dict[str, Any] = super(ChangeAction, self).run(tmp, task_vars)
        wrap_async = bool(self._task.async_val and not self._connection.has_native_async)
        result.update(self._execute_module(task_vars=task_vars, wrap_async=wrap_async))
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _is_here(self, task_vars: dict[str, Any]) -> bool:
        """Whether nothing sets the task's process apart from this one: another host, user, interpreter or environment."""
        interpreter = str(self._templar.template(task_vars.get("ansible_python_interpreter") or ""))
        apart = self._connection.become or self._task.async_val or any(self._task.environment or ())
        return self._connection.transport == "local" and not apart and interpreter in _OWN

    def perform(self, args: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        return dict(self.MODULE.perform(args, bool(self._task.check_mode)))
