# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""filestore_verify: whether database and attachments of a tenant fit together. The module of the same name, run here where it can be."""

from __future__ import annotations

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import s3
from ansible_collections.odoo_ops.change_control.plugins.modules import filestore_verify
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._here import HereAction

s3.warm()


class ActionModule(HereAction):
    MODULE = filestore_verify
    IMPORTS = ("psycopg",)
