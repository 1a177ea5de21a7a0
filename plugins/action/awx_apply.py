# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""awx_apply: the objects of an AWX as data, in one process. Documented in the module of the same name."""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_check import problems
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_api import Awx, AwxError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_apply import Apply, Options
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction


class ActionModule(ChangeAction):
    SPEC: ClassVar[dict[str, Any]] = {
        "url": {"type": "str", "required": True},
        "token": {"type": "str", "required": True, "no_log": True},
        "ca_path": {"type": "path"},
        "objects": {"type": "dict", "required": True, "no_log": True},
        "renew_secrets": {"type": "bool", "default": False},
        "timeout_s": {"type": "int", "default": 30},
        "sync_timeout_s": {"type": "int", "default": 300},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        if found := problems(args["objects"]):
            raise ChangeError(f"{len(found)} faults, nothing was sent: {'; '.join(found)}. Correct them.", code="BAD_OBJECTS")
        awx = Awx(args["url"], args["token"], timeout_s=args["timeout_s"], ca_path=args["ca_path"])
        options = Options(bool(self._task.check_mode), args["renew_secrets"], args["sync_timeout_s"], secrets.token_hex(8))
        run, failure = Apply(awx, options), {}
        try:
            run.bring_to(args["objects"])
        except AwxError as exc:
            failure = {"failed": True, "msg": str(exc), **exc.facts}
        outcome = run.outcome
        changed = bool(outcome.created or outcome.changed or (failure and awx.writes))
        counts = {"requests": awx.requests, "writes": awx.writes}
        return {"changed": changed, "results": outcome.listed(), "diff": outcome.diff, **counts, **failure}
