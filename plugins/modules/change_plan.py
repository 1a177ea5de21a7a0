# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: change_plan
short_description: Computes, and records, the plan of a change
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Validates a change file against its schema and against the inventory, and names every error at once, each with what to write instead.
  - Tells the change's class from its real difference by the rules of the policy, never lower than the change file asks for, and lists the
    reasons. A standard change must be the pre-approved one that its entry of the service catalogue describes; else it is normal.
  - Computes the plan (tenants, cohorts, current and target images, steps, layers of the rollback) and its digest, which is what
    people approve.
  - A change that was approved already, or that has touched a tenant, keeps its recorded plan; when the change file or the inventory
    no longer say the same, the task fails.
extends_documentation_fragment:
  - odoo_ops.change_control.ledger
options:
  change:
    description: The content of the change file.
    type: dict
    required: true
  state:
    description:
      - V(validated) checks the change file and resolves its tenants, without looking at the ledger.
      - V(planned) computes the plan and records it.
      - V(recorded) reads the recorded plan, as the later stages do.
    type: str
    choices: [validated, planned, recorded]
    default: planned
  class:
    description: The class that the calling playbook is for. A change that turns out to be of another class is refused, with the reasons.
    type: str
    choices: [standard, normal, emergency, data_impacting]
  current:
    description:
      - For each tenant, the image that its web Deployment runs now, as RV(ignore:tenant_current_image) of the role C(tenant) tells.
    type: dict
    default: {}
  parameters:
    description:
      - For each tenant, what its database has of the parameters that the change sets, as M(odoo_ops.change_control.toggle_check) finds it.
    type: dict
    default: {}
  policy:
    description:
      - Path of the policy. What it demands of the change becomes part of the plan, and so of what is approved.
      - Defaults to the policy that ships with the collection.
    type: path
  catalogue:
    description: Path of the service catalogue. Defaults to the one that ships with the collection.
    type: path
  source:
    description:
      - Where the estate's files come from, the options of M(odoo_ops.change_control.source_check) but C(enforce).
      - The commit, its branch and its signer become part of the plan, and the gate C(source) is required of the change.
      - Without it the plan does not say where it comes from.
    type: dict
  approver_groups:
    description:
      - Who is in which group, a mapping or the path of a YAML file. Needed when the policy names C(people), for the requester has to be in
        a group with the verb C(request), and the owner of each waiver in one with C(waive).
    type: raw
  transaction_files:
    description: Files, or folders of them, with business transactions of the estate's own that a change may name besides those that ship.
    type: list
    elements: path
    default: []
  plan:
    description: The plan, for O(state=recorded) in check mode only, in which none is recorded.
    type: dict
  actor:
    description: Who plans. Defaults to the user that runs Ansible.
    type: str
attributes:
  check_mode:
    support: full
    description: Computes the plan and records nothing.
  diff_mode:
    support: full
    description: Shows the plan in lines.
  idempotent:
    support: full
    description: The same change over the same estate gives the same digest, and is recorded once.
"""

EXAMPLES = r"""
- name: Validate the change file
  odoo_ops.change_control.change_plan:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/ledger.pub
    change: "{{ change }}"
    state: validated

- name: Compute and record the plan
  odoo_ops.change_control.change_plan:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/ledger.pub
    change: "{{ change }}"
    current:
      acme: registry.example.org/odoo@sha256:6d5f3a0e5d1c3c4f0a4b9d8e7f60718293a4b5c6d7e8f9010203040506070809
"""

RETURN = r"""
tenants:
  description: The tenants of the change, in the order of their cohorts. Only with O(state=validated).
  returned: success
  type: list
  elements: str
  sample: [acme, bravo]
change_class:
  description: The class that the change turned out to be of. Only with O(state=validated).
  returned: success
  type: str
  sample: data_impacting
class_reasons:
  description: Why it is of that class. Only with O(state=validated).
  returned: success
  type: list
  elements: str
  sample: ["requested: normal", "data_impacting: a migration script (addons/acme_billing/migrations/19.0.2.0.0/pre-settlement.py)"]
cohort_sizes:
  description: How many tenants each cohort has, for the C(serial) of a play. Only with O(state=validated).
  returned: success
  type: list
  elements: int
  sample: [1, 2]
window:
  description: The part of the change's window that lies ahead, RFC 3339 and ISO 8601.
  returned: O(state=planned) or O(state=recorded)
  type: dict
  sample: {at: "2026-12-05T19:00:00Z", duration: PT7200S}
plan:
  description: The plan document, schema 1.
  returned: O(state=planned)
  type: dict
  sample: {schema: 1, class: normal, cohorts: [[acme], [bravo]]}
digest:
  description: The digest of the plan, which is what is approved.
  returned: O(state=planned)
  type: str
  sample: sha256:0f343b0931126a20f133d67c2b018a3b5f1b2e6c5c6b8a7d4e3f2a1b0c9d8e7f
ansible_stats:
  description:
    - Change and digest, as C(odoo_ops_plan). AWX keeps them as artifacts of the job, where an approval in AWX is held against them.
  returned: O(state=planned)
  type: dict
  sample: {data: {odoo_ops_plan: {change: CHG-2026-0142, digest: "sha256:0f34…"}}, per_host: false, aggregate: false}
gates:
  description: The gates that were measured for the plan, as M(odoo_ops.change_control.source_check) returns it; empty without O(source).
  returned: O(state=planned)
  type: list
  elements: dict
  sample: []
closed:
  description: The result with which the change was closed (V(succeeded), V(failed)); null while it is open.
  returned: O(state=planned)
  type: str
  sample: succeeded
under_way:
  description: Whether a tenant was touched and is not settled yet. Such a change must go on, at least to roll back.
  returned: O(state=planned)
  type: bool
  sample: false
proved:
  description: Whether the latest verification of the whole change passed.
  returned: O(state=planned)
  type: bool
  sample: false
states:
  description: For each tenant, the steps that are recorded as done and the next one.
  returned: O(state=planned)
  type: dict
  sample: {acme: {done: [held], next: checkpointed}}
lines:
  description: The plan for people, a line each.
  returned: O(state=planned)
  type: list
  elements: str
  sample: ["CHG-2026-0142 (normal): Billing module 19.0.2"]
errors:
  description: Every error of the change file or of the inventory, each with what to write instead.
  returned: failure
  type: list
  elements: str
  sample: ["change.tilte is not a known key. Did you mean title?"]
"""
