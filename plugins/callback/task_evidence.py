# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keeps what each task did, for the record of a change. What is kept is decided in _core/task_evidence."""

from __future__ import annotations

DOCUMENTATION = r"""
name: task_evidence
type: aggregate
short_description: Keeps name, action, host, start, duration and outcome of each task
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Writes one JSON document for each change, to which all runs of the change add, or one for each run that is for no change.
  - No argument of a task is kept, and of its result only whether something changed and the verdict of a gate. The name of a task with
    C(no_log) is left out.
  - Tasks that only decide or tell (C(include_tasks), C(set_fact), C(debug) and the like) are kept when they fail only; skipped ones are
    not kept.
  - The document is whole at any time, so it also tells what a killed run did.
  - In check mode nothing is written.
  - The role C(change) records the document in the ledger when it closes a change; see O(folder).
requirements:
  - enable it, C(callbacks_enabled = odoo_ops.change_control.task_evidence) in ansible.cfg
options:
  folder:
    description:
      - Where the documents are written, the same as C(change_task_evidence).
      - Without it nothing is kept.
    type: str
    env:
      - name: ODOO_OPS_TASK_EVIDENCE
    ini:
      - section: callback_task_evidence
        key: folder
"""

import datetime as dt
import os
import time
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import rfc3339
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.task_evidence import change_of, entry
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.task_file import TaskFileError, add_entry


class CallbackModule(CallbackBase):
    """All methods are called in Ansible's main process, one after the other, however many forks there are."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "odoo_ops.change_control.task_evidence"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[tuple[str, str], tuple[dt.datetime, float]] = {}
        self._play, self._playbook, self._run = "", "playbook", f"{utc_now():%Y%m%dT%H%M%SZ}-{os.getpid()}"
        self._path: Path | None = None
        self._folder: Path | None = None

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        folder = self.get_option("folder")
        if not folder:
            self._display.warning(
                "task_evidence keeps nothing: folder is not set. Set ODOO_OPS_TASK_EVIDENCE to the folder of the documents."
            )
        elif not context.CLIARGS.get("check"):
            self._folder = Path(folder).expanduser().resolve()

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = Path(playbook._file_name).stem

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play.get_name()
        if self._folder is not None and self._path is None:
            manager = play.get_variable_manager()
            change = change_of(manager.extra_vars if manager else {})
            self._path = self._folder / (f"{change}.json" if change else f"{self._playbook}-{self._run}.json")

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._began[host.name, task._uuid] = utc_now(), time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._keep(result, "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._keep(result, "ignored" if ignore_errors else "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._keep(result, "unreachable")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._keep(result, "skipped")

    def _keep(self, result: Any, outcome: str) -> None:
        task, host = result.task, result.host.name
        began, at = self._began.pop((host, task._uuid), (utc_now(), time.monotonic()))
        if self._path is None:
            return
        found = entry(
            run=f"{self._playbook} {self._run}",
            play=self._play,
            task=task.get_name(include_role_fqcn=False).strip(),
            action=task.resolved_action or task.action,
            host=host,
            began=rfc3339(began),
            seconds=time.monotonic() - at,
            outcome=outcome,
            result=result.result,
            no_log=bool(task.no_log),
        )
        try:
            if found is not None:
                add_entry(self._path, found)
        except (OSError, TaskFileError) as exc:
            self._display.warning(f"task_evidence keeps nothing more: {exc}")
            self._path, self._folder = None, None
