# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: change_approve
short_description: Verifies that others have approved this very plan, and records it
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - An approval is a small document that names the change and the plan's digest, and the SSH signature of a person over it; or the
    approval node of a workflow job of AWX that made this very plan, as AWX's API tells it.
  - It counts when the signature is good, the key is that of the approver in O(allowed_signers), valid now and not revoked, and neither the
    requester nor the executor has that key, superusers included. A second name or a second key does not make a second person.
  - In AWX it counts when the workflow job is one of O(awx.workflow_templates), its plan node left this plan's digest, the node was
    approved after that, and the user who approved is a person in O(awx.users) who neither requested nor launched it.
  - A document with the decision C(withdraw) takes back what the same person approved before. It is recorded at once.
  - Approvals that count are recorded whole, so that a guard can verify them again at any time.
  - Approvals that do not count are returned in RV(rejected). They stop the change only when too few others are left.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.ledger
  - odoo_ops.change_control.awx
requirements:
  - ssh-keygen (OpenSSH 8.7 or newer) on the controller
options:
  change:
    description: The id of the change.
    type: str
    required: true
  digest:
    description: The plan's digest, C(sha256:) and 64 hexadecimal digits.
    type: str
    required: true
  requester:
    description: Who requested the change.
    type: str
    required: true
  executor:
    description: Who carries the change out. Defaults to the user that runs Ansible.
    type: str
  approvals:
    description: Folders of C(NAME.json) and C(NAME.json.sig), or single documents. A folder that is not there holds none.
    type: list
    elements: path
    required: true
  allowed_signers:
    description: The file of those who may approve, in the format of C(ssh-keygen). It must name each of them; patterns do not count.
    type: path
    required: true
  revoked:
    description: A file of revoked keys, public keys or a KRL.
    type: path
  required:
    description: How many people have to approve in all, those of O(groups) among them.
    type: int
    default: 1
  groups:
    description:
      - How many of them have to be of which group.
      - A person speaks for one group only. Who is in two of them fills one place of either, so two groups always are two people.
    type: list
    elements: dict
    default: []
    suboptions:
      group:
        description: Name of the group.
        type: str
        required: true
      count:
        description: How many people of it.
        type: int
        default: 1
  approver_groups:
    description:
      - "Who is in which group: a mapping such as C({dba: [alice, bob], 'customer:acme': [carol]}), or the path of a YAML file with one."
      - Names are those of C(allowed_signers).
    type: raw
  policy:
    description:
      - The plan's policy. Its C(approvals), C(groups) and C(approval_max_age) (ISO 8601) hold instead of O(required), O(groups) and
        O(max_age_s).
      - Where it has a C(version), signed documents must name it as C(policy), and must not otherwise.
    type: dict
  max_age_s:
    description: An approval that was given more seconds ago does not count.
    type: int
  record:
    description: Whether approvals that are enough are recorded in the ledger.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Predicts whether an event would be written.
  diff_mode:
    support: none
    description: Events are only ever added.
  idempotent:
    support: full
    description: Approvals that are recorded already are not recorded again.
"""

EXAMPLES = r"""
- name: Two people have approved the plan
  odoo_ops.change_control.change_approve:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/trusted
    change: CHG-2026-0142
    digest: sha256:0f343b0931126a20f133d67c2b018a3b5f1b2e6c5c6b8a7d4e3f2a1b0c9d8e7f
    requester: ops-1
    approvals: [approvals/CHG-2026-0142]
    allowed_signers: /etc/odoo-ops/allowed_signers
    required: 2

- name: Two people, one of them a database administrator, by signature or in the workflow that this job is part of
  odoo_ops.change_control.change_approve:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/trusted
    change: CHG-2026-0142
    digest: sha256:0f343b0931126a20f133d67c2b018a3b5f1b2e6c5c6b8a7d4e3f2a1b0c9d8e7f
    requester: ops-1
    approvals: [approvals/CHG-2026-0142]
    allowed_signers: /etc/odoo-ops/allowed_signers
    required: 2
    groups: [{group: dba, count: 1}]
    approver_groups: /etc/odoo-ops/approver_groups.yml
    awx:
      url: https://awx.example.org
      token: "{{ vault_awx_read_token }}"
      workflow_templates: [change normal]
      users: [{id: 7, username: alice.a, person: alice}]
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail), or V(unknown) when signatures could not be verified.
  returned: always
  type: str
  sample: pass
evidence:
  description: The checks, schema 1.
  returned: always
  type: dict
  sample: {schema: 1, subject: the plan of CHG-2026-0142, measured_at: "2026-12-05T19:00:00Z", checks: []}
approvers:
  description: Whose approvals count.
  returned: always
  type: list
  elements: str
  sample: [alice, bob]
withdrawn:
  description: Who has taken an approval back.
  returned: always
  type: list
  elements: str
  sample: []
rejected:
  description: Approvals that do not count, and why.
  returned: always
  type: list
  elements: dict
  sample: [{name: ops-1, code: REQUESTER, seen: ops-1 is the requester (ops-1)}]
seq:
  description: Number of the ledger's entry that keeps the approvals; null when there is none.
  returned: always
  type: int
  sample: 3
"""
