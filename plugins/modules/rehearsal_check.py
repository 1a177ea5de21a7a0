#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin rehearsal_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rehearsal_check
short_description: Ask the ledger whether a plan was rehearsed on a copy of each tenant
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Passes when the newest rehearsal of this very plan passed for each of the tenants, and is not too long ago. A change that was altered
    has another digest, and is rehearsed anew.
  - The playbook C(change_rehearse) carries rehearsals out and records them. The gate C(rehearsal) of the policy asks this before a change.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
  - odoo_ops.change_control.ledger
options:
  change:
    description: The id of the change.
    type: str
    required: true
  digest:
    description: The digest of its plan.
    type: str
    required: true
  tenants:
    description: The tenants that it alters.
    type: list
    elements: str
    required: true
  max_age:
    description: How long ago the rehearsal may be, ISO 8601.
    type: str
    default: P7D
"""

EXAMPLES = r"""
- name: What is done tonight was done on a copy before
  odoo_ops.change_control.rehearsal_check:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/ledger.pub
    change: CHG-2026-0142
    digest: "{{ plan.digest }}"
    tenants: [acme, globex]
"""

RETURN = r"""
verdict:
  description: V(pass) when all of them were.
  returned: always
  type: str
  sample: pass
due:
  description: The tenants that have to be rehearsed.
  returned: always
  type: list
  elements: str
  sample: []
evidence:
  description: The check, schema 1. Its codes are V(NOT_REHEARSED), V(REHEARSAL_FAILED) and V(REHEARSAL_STALE).
  returned: always
  type: dict
  sample: {schema: 1, subject: "rehearsal of CHG-2026-0142", measured_at: "2026-12-05T19:00:00Z", checks: []}
"""
