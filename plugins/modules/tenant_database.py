#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin tenant_database; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_database
short_description: Make a tenant's PostgreSQL role and its database from a template
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Makes the role with its password, and the database that it owns, as a copy of a template when one is named.
  - A copy gets a C(database.uuid) and a C(database.secret) of its own, all its objects go to the owner, and nobody else may connect.
  - The copy is made under another name and renamed last.
    A run that was killed leaves nothing that looks finished, and the next one starts over.
  - In a database that is there already, only the owner of the database, the role's password and the right to connect are put right.
requirements:
  - psycopg >= 3.2
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Reads only, and tells what would be done.
  diff_mode:
    support: none
    description: RV(done) tells what changed.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  host:
    description: Host of the cluster.
    type: str
    required: true
  port:
    description: Port of the cluster.
    type: int
    default: 5432
  sslmode:
    description: How TLS is used, as in libpq.
    type: str
    choices: [disable, prefer, require, verify-ca, verify-full]
    default: prefer
  admin_user:
    description: Role that may create roles and databases, and give objects away. A superuser can.
    type: str
    required: true
  admin_password:
    description: Password of O(admin_user).
    type: str
  database:
    description: Name of the database, at most 58 bytes.
    type: str
    required: true
  owner:
    description: Role that owns the database and that Odoo logs in as.
    type: str
    required: true
  owner_password:
    description: Password of O(owner). The server gets its SCRAM verifier only.
    type: str
    required: true
  template:
    description: Database to copy. Nobody may be connected to it. Without it, the database is empty.
    type: str
"""

EXAMPLES = r"""
- name: Make the database of acme
  odoo_ops.change_control.tenant_database:
    host: db.example.org
    admin_user: postgres
    admin_password: "{{ vault_admin_password }}"
    database: acme
    owner: acme
    owner_password: "{{ vault_acme_password }}"
    template: odoo19_template
"""

RETURN = r"""
done:
  description: What was done, in words; in check mode, what would be done.
  returned: success
  type: list
  elements: str
  sample: [role acme, database acme from odoo19_template]
"""
