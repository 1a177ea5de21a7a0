# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""tenant_dump: a dump of a tenant's database with a manifest. The module of the same name, run here where it can be."""

from __future__ import annotations

from ansible_collections.odoo_ops.change_control.plugins.modules import tenant_dump
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._here import HereAction


class ActionModule(HereAction):
    MODULE = tenant_dump
    IMPORTS = ("psycopg",)
