# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""odoo_canary: whether a release does its business as well as the one before. The module of the same name, run here where it can be."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge import Judgement
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.judge_told import progress
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import hide, secrets_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.canary import Teller, silent
from ansible_collections.odoo_ops.change_control.plugins.modules import odoo_canary
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._here import HereAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._transactions import DefinedAction

EVERY_S = 5.0
# Asked when Ansible loads this, before it forks: the process of a task has lost its standard output. What that one tells goes
# through the parent's Display.
ON_A_TERMINAL = bool(sys.stdout and sys.stdout.isatty())


class ActionModule(DefinedAction, HereAction):
    MODULE = odoo_canary
    IMPORTS = ("requests", "jmespath")

    def perform(self, args: dict[str, Any], _task_vars: dict[str, Any]) -> dict[str, Any]:
        tell = _teller(args, self._display.display) if ON_A_TERMINAL else silent
        return dict(odoo_canary.perform(args, bool(self._task.check_mode), tell))


def _teller(args: dict[str, Any], say: Callable[..., None]) -> Teller:
    """Says on the terminal what is known, and not in the log."""
    secrets, last = secrets_of(odoo_canary.SPEC, args), time.monotonic()

    def tell(found: Judgement, rounds: int, elapsed_s: float) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY_S:
            last = time.monotonic()
            say(hide(progress(args["tenant"], found, rounds=rounds, elapsed_s=elapsed_s), secrets), screen_only=True)

    return tell
