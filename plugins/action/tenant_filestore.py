# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The first content of a tenant's filestore, copied inside the bucket from the template's."""

from __future__ import annotations

from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_copy import Filestores
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction


class ActionModule(ChangeAction):
    SPEC = {
        "endpoint": {"type": "str"},
        "region": {"type": "str", "default": "us-east-1"},
        "ca_file": {"type": "path"},
        "access_key": {"type": "str", "no_log": True},
        "secret_key": {"type": "str", "no_log": True},
        "bucket": {"type": "str", "required": True},
        "source": {"type": "str", "required": True},
        "target": {"type": "str", "required": True},
    }
    RULES = {"required_together": [["access_key", "secret_key"]]}

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        options = {
            "endpoint_url": args["endpoint"],
            "region": args["region"],
            "ca_bundle": args["ca_file"],
            "access_key": args["access_key"],
            "secret_key": args["secret_key"],
        }
        bucket = Filestores(args["bucket"], options)
        missing = bucket.missing(args["source"], args["target"])
        if not self._task.check_mode:
            bucket.copy(args["source"], args["target"], missing)
        return {"changed": bool(missing), "copied": len(missing)}
