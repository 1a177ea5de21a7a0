# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""odoo_canary: whether a release does its business as well as the one before. The module of the same name, run here where it can be."""

from __future__ import annotations

from ansible_collections.odoo_ops.change_control.plugins.modules import odoo_canary
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._here import HereAction
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._transactions import DefinedAction


class ActionModule(DefinedAction, HereAction):
    MODULE = odoo_canary
    IMPORTS = ("requests", "jmespath")
