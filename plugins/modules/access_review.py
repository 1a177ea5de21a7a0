#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin access_review; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: access_review
short_description: Hold the rights that there are against those that should be
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads all bindings of Kubernetes with the rules of the roles that are bound, all roles of PostgreSQL with their attributes and
    memberships, the keys that are believed on the ledger, and who may approve with which key and in which group.
  - Fails for every right that no entry of the list of access covers, and for every required entry that covers none.
  - The clusters are those of the tenants; C(tenant_database_*), C(tenant_kubeconfig) and C(tenant_context) are read from the inventory.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
requirements:
  - kubernetes >= 30
  - psycopg >= 3.2
options:
  access:
    description: Path of the list of access, a YAML file.
    type: path
    required: true
  tenants:
    description: Inventory pattern. Needed for V(kubernetes) and V(postgresql).
    type: str
  systems:
    description: What is read.
    type: list
    elements: str
    choices: [kubernetes, postgresql, ledger, approvals]
    default: [kubernetes, postgresql, ledger, approvals]
  ledger_trusted:
    description: The public key, the folder of public keys, or the trust list of the ledger. Needed for V(ledger).
    type: path
  allowed_signers:
    description: File of those who may approve. Needed for V(approvals).
    type: path
  approver_groups:
    description: Who is in which group, a mapping or the path of a YAML file.
    type: raw
"""

EXAMPLES = r"""
- name: Who can do what?
  odoo_ops.change_control.access_review:
    access: /etc/odoo-ops/access.yml
    tenants: all
    ledger_trusted: /etc/odoo-ops/ledger.pub
    allowed_signers: /etc/odoo-ops/allowed_signers
    enforce: false
  register: access
"""

RETURN = r"""
rights:
  description: Every right that was read.
  returned: when the list of access could be read
  type: list
  elements: dict
  sample:
    - {system: postgresql, where: "db.example.org:5432", subject: odoo_acme, right: login}
    - {system: kubernetes, where: odoo-acme, subject: "User:operator", right: ClusterRole/odoo-operator}
version:
  description: The version of the list of access.
  returned: when the list of access could be read
  type: str
  sample: "2026.1"
verdict:
  description: V(fail) for a right too many or too few, V(unknown) when something could not be read.
  returned: when the list of access could be read
  type: str
  sample: pass
evidence:
  description: Two checks for each system, and one for each place that could not be read.
  returned: when the list of access could be read
  type: dict
  sample:
    schema: 1
    subject: access
    measured_at: "2026-12-02T09:00:00Z"
    checks:
      - {id: access_postgresql, ok: false, observed: "mallory: login in db.example.org:5432",
         expected: no right that the list does not have,
         hint: "Take these rights away, or have them added to the list of access.", code: EXCESS_RIGHT}
"""
