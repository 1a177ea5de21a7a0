# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A tenant's role and database. On the controller, so that no password is ever written into a module's payload."""

from __future__ import annotations

from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.tenant_database import Wanted, ensure
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._action import ChangeAction


class ActionModule(ChangeAction):
    SPEC = {
        "host": {"type": "str", "required": True},
        "port": {"type": "int", "default": 5432},
        "sslmode": {"type": "str", "default": "prefer", "choices": ["disable", "prefer", "require", "verify-ca", "verify-full"]},
        "admin_user": {"type": "str", "required": True},
        "admin_password": {"type": "str", "no_log": True},
        "database": {"type": "str", "required": True},
        "owner": {"type": "str", "required": True},
        "owner_password": {"type": "str", "required": True, "no_log": True},
        "template": {"type": "str"},
    }

    def perform(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        server = Server(args["host"], args["port"], args["admin_user"], args["admin_password"], args["sslmode"])
        wanted = Wanted(args["database"], args["owner"], args["owner_password"], args["template"])
        done = ensure(server, wanted, check=bool(self._task.check_mode))
        return {"changed": bool(done), "done": done}
