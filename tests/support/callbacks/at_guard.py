"""Puts a file into its place right before the guard of a chosen step of a chosen tenant is asked: a window that opens in that instant.

``AT_GUARD=acme:deployed``; ``AT_GUARD_PUT=FROM:TO``. It runs where Ansible queues the task, so nothing of the task has begun.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.plan import STEPS

DOCUMENTATION = "name: at_guard\ntype: aggregate\nshort_description: A window that opens at a guard\ndescription: For tests."
TASK = "Step | Ask the guard"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "at_guard"

    def __init__(self) -> None:
        super().__init__()
        self.tenant, _colon, self.step = os.environ["AT_GUARD"].partition(":")
        self.source, _colon, self.target = os.environ["AT_GUARD_PUT"].partition(":")
        self.asked: Counter[str] = Counter()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """The name is not templated here, and every run of these tests begins with the first step: the guards are counted."""
        if not task.name.startswith(TASK):
            return
        step = STEPS[self.asked[host.get_name()]]
        self.asked[host.get_name()] += 1
        if (host.get_name(), step) == (self.tenant, self.step):
            draft = Path(self.target + ".new")
            draft.write_bytes(Path(self.source).read_bytes())
            draft.replace(self.target)
            self._display.display(f"at_guard: {self.target} is in its place")
