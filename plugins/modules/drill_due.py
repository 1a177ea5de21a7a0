#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin drill_due; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: drill_due
short_description: Choose the clusters whose restore has to be drilled, and their order
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads the newest drill of each cluster out of the ledger, and says which clusters to drill now, so that each one is proved within the
    days that the tiers of its tenants ask for.
  - Stale clusters come first (never drilled, not passed, or too long ago), among them those that were promised to be back soonest, then
    those that have been stale longest. After them come the ones that are stale soonest.
  - Fails when a stale cluster is left out, because of O(at_most).
  - C(tenant_backup_stanza) of each tenant names its cluster. Its tier is the group that it is in.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.ledger
  - odoo_ops.change_control.looking
options:
  tenants:
    description: Inventory pattern of the tenants whose clusters are looked at.
    type: str
    required: true
  policy:
    description:
      - Path of the policy, whose C(objectives) say for each tier how old a drill may be and how soon a tenant has to be back.
      - The default is the policy of the collection.
    type: path
  max_age:
    description: How old the newest drill of any cluster may be, ISO 8601. Of this and the objectives the shortest counts.
    type: str
    default: P30D
  within:
    description:
      - In what time the next run comes, ISO 8601. A cluster whose drill counts for longer is left to that run.
      - Without it every cluster is chosen.
    type: str
  at_most:
    description:
      - How many clusters are drilled in this run. Without it there is no limit.
      - There is a warning when so many in each O(within) are too few to keep up.
    type: int
"""

EXAMPLES = r"""
- name: Every night the three that need it most
  odoo_ops.change_control.drill_due:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/ledger.pub
    tenants: all
    within: P1D
    at_most: 3
    enforce: false
  register: due

- name: Which one is next?
  ansible.builtin.debug:
    msg: "{{ due.lines }}"
"""

RETURN = r"""
clusters:
  description:
    - All clusters, in the order in which they are to be drilled.
    - C(state) is V(stale), V(due) (stale before the next run) or V(fresh). C(taken) says whether this run drills it, C(why) what is known
      of its newest drill, C(last) when that was. C(rto_s) and C(max_age_s) are seconds.
  returned: when the ledger could be read
  type: list
  elements: dict
  sample:
    - {stanza: shared, tenants: [acme, bravo], state: stale, taken: true, why: it was never drilled, max_age_s: 1209600, rto_s: 3600,
       last: null}
stanzas:
  description: The clusters that are drilled now, in order.
  returned: when the ledger could be read
  type: list
  elements: str
  sample: [shared]
lines:
  description: The same for people, one line for each cluster.
  returned: when the ledger could be read
  type: list
  elements: str
  sample: ["shared: drilled now, it was never drilled", "dedicated: not now, its newest drill counts for 9.5 days more"]
hosts:
  description: The first tenant of each of them.
  returned: when the ledger could be read
  type: list
  elements: str
  sample: [acme]
verdict:
  description: V(fail) when a stale cluster is left out.
  returned: when the ledger could be read
  type: str
  sample: pass
evidence:
  description: The check, schema 1.
  returned: when the ledger could be read
  type: dict
  sample:
    schema: 1
    subject: drills
    measured_at: "2026-12-02T09:00:00Z"
    checks:
      - {id: drills_left_out, ok: false, observed: "dedicated: its newest drill is 2.0 days past its 14.0 days",
         expected: no stale cluster without a drill,
         hint: "Run the playbook again, and from now on more often or with a higher limit.", code: DRILLS_LEFT}
"""
