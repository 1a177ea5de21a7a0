# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is true of every gate that is an action and only looks."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: It writes nothing, in check mode or otherwise.
  diff_mode:
    support: none
    description: There is nothing to differ.
  idempotent:
    support: full
    description: The same state of the world gives the same answer.
"""
