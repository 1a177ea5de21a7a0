# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""pg_backup_verify: whether the backups of a cluster can be relied upon. The module of the same name, run here where it can be."""

from __future__ import annotations

from ansible_collections.odoo_ops.change_control.plugins.modules import pg_backup_verify
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._here import HereAction


class ActionModule(HereAction):
    MODULE = pg_backup_verify
