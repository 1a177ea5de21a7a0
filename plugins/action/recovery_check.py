# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""recovery_check: would a cluster, as large as it is now, be back in time? The module of the same name, run here where it can be."""

from __future__ import annotations

from ansible_collections.odoo_ops.change_control.plugins.modules import recovery_check
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._here import HereAction


class ActionModule(HereAction):
    MODULE = recovery_check
    IMPORTS = ("psycopg",)
