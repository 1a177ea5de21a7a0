#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin change_debts; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: change_debts
short_description: Open debts of approvals, and look for those that are due after emergencies
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - An emergency change, or a break-glass grant, that went without an approval has a debt. It is the event C(debt_opened) in its record.
    The event's evidence says in C(retro_approval_due) until when somebody else has to approve after the fact.
  - An event C(approved) or C(debt_settled) that holds approvals, recorded after it, settles it.
  - From that instant on the debt stops every change of the ledger, except emergencies.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.ledger
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Only reads, and says what would be recorded.
  diff_mode:
    support: none
    description: Nothing is changed.
  idempotent:
    support: full
    description: A debt is opened once for each change.
options:
  state:
    description:
      - V(read) judges the debts that are open.
      - V(opened) records that O(change) has to be approved again within O(within).
    type: str
    choices: [read, opened]
    default: read
  change:
    description: The change that has to be approved again. Required with O(state=opened).
    type: str
  within:
    description: How long there is for it, ISO 8601. Required with O(state=opened).
    type: str
  reason:
    description: Why it is done before. Required with O(state=opened).
    type: str
  class:
    description: The class of the change that asks. With V(emergency) debts are told and stop nothing.
    type: str
    choices: [standard, normal, emergency, data_impacting]
    default: normal
"""

EXAMPLES = r"""
- name: No change while an approval is overdue
  odoo_ops.change_control.change_debts:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/ledger.pub
    class: "{{ change.class }}"
"""

RETURN = r"""
due:
  description: Until when the change has to be approved again, RFC 3339.
  returned: O(state=opened)
  type: str
  sample: "2026-12-06T19:00:00Z"
verdict:
  description: V(fail) when a debt is overdue, V(unknown) when one does not say until when.
  returned: O(state=read)
  type: str
  sample: pass
evidence:
  description: The checks, schema 1; one for each debt.
  returned: O(state=read)
  type: dict
  sample: {schema: 1, subject: approvals after the fact, measured_at: "2026-12-05T19:00:00Z", checks: []}
debts:
  description: All debts that are not settled.
  returned: O(state=read)
  type: list
  elements: dict
  sample: [{change: CHG-2026-0142, opened: "2026-12-05T19:00:00Z", due: "2026-12-06T19:00:00Z", overdue: false}]
"""
