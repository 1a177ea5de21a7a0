#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin readiness_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: readiness_check
short_description: Review whether a change is ready to be released
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Goes through a checklist for changes of the database, of an integration, and of what tenants share; the plan tells which a change is.
    Any other change needs no review, and passes.
  - The items are a way back that fits the change, a verified backup, a fresh drill, transactions that prove what is touched, an owner and
    somebody on call, customers who were told, and the connectors that depend on it.
  - What only people know stands in the change file, under C(readiness), and so is part of what is approved.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
options:
  plan:
    description: The plan, as M(odoo_ops.change_control.change_plan) returns it.
    type: dict
    required: true
  measured:
    description: The results of the gates of the same plan, those of the backup of every cluster among them.
    type: list
    elements: dict
    default: []
"""

EXAMPLES = r"""
- name: Review whether the change is ready
  odoo_ops.change_control.readiness_check:
    plan: "{{ planned.plan }}"
    measured: "{{ backups }}"
    enforce: false
  register: review

- name: Show the checklist
  ansible.builtin.debug:
    msg: "{{ review.evidence.checks }}"
"""

RETURN = r"""
kinds:
  description: What makes a review necessary; empty when none is.
  returned: when the plan could be read
  type: list
  elements: str
  sample: [the database]
verdict:
  description: V(pass), V(fail), or V(unknown) when something could not be told.
  returned: always
  type: str
  sample: fail
evidence:
  description: The checklist, with one check for each item.
  returned: always
  type: dict
  sample:
    schema: 1
    subject: the readiness of CHG-2026-0142
    measured_at: "2026-12-05T19:00:00Z"
    checks:
      - {id: readiness_connectors, ok: false, observed: not listed, expected: "those that depend on it, or [] for none",
         hint: "List the connectors in change.readiness.connectors, each with name and owner.", code: NOT_LISTED}
"""
