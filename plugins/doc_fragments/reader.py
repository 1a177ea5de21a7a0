# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options by which a module that only reads finds a PostgreSQL cluster."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  host:
    description: Address of the cluster. A standby will do.
    type: str
    required: true
  port:
    description: Port of the cluster.
    type: int
    default: 5432
  login_user:
    description: The role that reads.
    type: str
    default: postgres
  login_password:
    description: Password of O(login_user).
    type: str
  sslmode:
    description: How the connection to the cluster is protected, as libpq names it.
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
    default: prefer
"""
