# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option that all gates share; its spec is GATE_SPEC in module_utils/_gate.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  enforce:
    description:
      - Whether the task fails unless the verdict is V(pass).
      - With V(false) the gate only reports its verdict.
    type: bool
    default: true
"""
