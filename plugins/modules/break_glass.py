#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin break_glass; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: break_glass
short_description: Give a person access to tenants for a limited time, and take it away
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - A grant is a record C(BG-YEAR-NUMBER) of the ledger. It gives a PostgreSQL role of its own on each cluster of its tenants,
    and a Role with a RoleBinding in each tenant's namespace.
  - With O(state=opened) the request is recorded and has to be approved by somebody else, who signs its RV(digest) as that of a plan.
    The same task run again opens it then. With O(no_approver) it opens at once, and the approval becomes a debt.
  - The role may log in until the grant's end, and connect to the databases of the grant and to no other that is not open to everybody.
    All its statements go to the cluster's log. Its password is in O(password_file) and nowhere else; the cluster gets a SCRAM verifier.
  - With O(state=closed) sessions are ended, what the role made is given to the tenants' owners,
    and role, binding and password file are removed.
  - PostgreSQL refuses logins from the end on. Sessions that are open then, and the bindings, are ended by O(state=swept).
  - C(opened) is recorded before anything is granted, so the ledger never knows of less access than there is.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.ledger
requirements:
  - psycopg >= 3.2
  - kubernetes >= 30
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Reads only, and predicts. The Kubernetes API is asked by a server-side dry run.
  diff_mode:
    support: none
    description: RV(done) and RV(removed) tell what changed.
  idempotent:
    support: full
    description: A second run changes nothing; one that follows a killed run goes on.
options:
  state:
    description:
      - V(opened) asks for access, and opens it when it is approved. V(closed) ends it, and settles its debt when the approval has come.
      - V(swept) ends every grant past its end, and takes away what the ledger has ended, or does not know and is past its own end.
      - V(read) changes nothing, and fails for access that is past its end or that no open grant accounts for.
    type: str
    choices: [opened, closed, swept, read]
    required: true
  grant:
    description: Id of the grant, such as V(BG-2026-0007). Required to open and to close.
    type: str
  tenants:
    description:
      - Inventory pattern. Required unless O(state=closed), which knows the tenants from the ledger.
      - With O(state=swept) and O(state=read) the tenants whose clusters are looked at.
      - The tenants' C(tenant_database_*), C(tenant_namespace), C(tenant_kubeconfig) and C(tenant_context) are read from the inventory.
    type: str
  requester:
    description: Who gets the access. Required to open.
    type: str
  reason:
    description: What has to be done. Required to open.
    type: str
  incident:
    description: The ticket. Required to open.
    type: str
  duration:
    description: How long, ISO 8601.
    type: str
    default: PT1H
  max_duration:
    description: The longest that may be asked for.
    type: str
    default: PT4H
  postgresql:
    description:
      - V(read) and V(write) are rights on the rows of all tables that are there when it is opened.
      - V(owner) is membership of the tenants' owners, which is everything in their databases.
        It is refused when an owner reaches further than those.
    type: str
    choices: [none, read, write, owner]
    default: write
  connections:
    description: How many sessions the role may have at once, on each cluster.
    type: int
    default: 3
  password_file:
    description: Where the password is written, as libpq's C(PGPASSFILE), with mode 0600. Needed unless O(postgresql=none).
    type: path
  kubernetes:
    description: Rules of the Role, as Kubernetes writes them. The account that runs this must have these rights itself. Empty gives none.
    type: list
    elements: dict
    default: []
  kubernetes_user:
    description: The user whom Kubernetes knows. Defaults to O(requester).
    type: str
  approvals:
    description: A folder of C(NAME.json) and C(NAME.json.sig), or one such document.
    type: path
  allowed_signers:
    description: File of those who may approve. Without it nobody may.
    type: path
  revoked:
    description: File of revoked keys.
    type: path
  required:
    description: How many approvals are needed, at least 1.
    type: int
    default: 1
  no_approver:
    description: Why nobody can be reached who could approve. It is recorded, and the approval has to follow.
    type: str
  retro_approval_within:
    description: How long after the opening that approval is due, ISO 8601.
    type: str
    default: PT24H
  executor:
    description: Who runs this. Defaults to the user that runs Ansible.
    type: str
  policy:
    description:
      - Path of the policy. Where it names C(people), O(requester) has to be in a group with the verb C(override), and who approves in one
        with C(approve).
    type: path
  approver_groups:
    description: Who is in which group, a mapping or the path of a YAML file.
    type: raw
"""

EXAMPLES = r"""
- name: Open acme for an hour
  odoo_ops.change_control.break_glass:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    state: opened
    grant: BG-2026-0007
    tenants: acme
    requester: alice
    reason: Stuck invoice queue
    incident: INC-4711
    password_file: ~/BG-2026-0007.pgpass
    approvals: /var/lib/odoo-ops/approvals/BG-2026-0007
    allowed_signers: /etc/odoo-ops/allowed_signers

- name: Close it
  odoo_ops.change_control.break_glass:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    state: closed
    grant: BG-2026-0007

- name: End what nobody has closed
  odoo_ops.change_control.break_glass:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    state: swept
    tenants: tenants
"""

RETURN = r"""
verdict:
  description: V(pass) when the access is as it should be, V(fail) or V(unknown) otherwise.
  returned: always
  type: str
  sample: pass
evidence:
  description: The checks, schema 1. Access that should not be there has the code C(LEFTOVER_GRANT).
  returned: always
  type: dict
  sample: {schema: 1, subject: break-glass, measured_at: "2026-12-05T19:00:00Z", checks: []}
grant:
  description: The id.
  returned: O(state=opened), O(state=closed)
  type: str
  sample: BG-2026-0007
digest:
  description: What an approver signs.
  returned: O(state=opened)
  type: str
  sample: sha256:0f343b0931126a20f133d67c2b018a3b5f1b2e6c5c6b8a7d4e3f2a1b0c9d8e7f
request:
  description: What the digest stands for.
  returned: O(state=opened)
  type: dict
  sample: {requester: alice, reason: Stuck invoice queue, incident: INC-4711, duration: PT1H, postgresql: write, kubernetes: []}
ends_at:
  description: When the access ends, in UTC; before it is opened, when it would.
  returned: O(state=opened)
  type: str
  sample: "2026-12-05T20:00:00Z"
role:
  description: The PostgreSQL role; null when there is none.
  returned: O(state=opened)
  type: str
  sample: break_glass_2026_0007
password_file:
  description: Where its password lies; null when there is no role.
  returned: O(state=opened)
  type: str
  sample: /home/alice/BG-2026-0007.pgpass
recorded:
  description: The events that were recorded; in check mode, that would be.
  returned: O(state=opened)
  type: list
  elements: str
  sample: [approved, opened]
done:
  description: What was granted or put right, in words; in check mode, what would be.
  returned: O(state=opened)
  type: list
  elements: str
  sample: [role break_glass_2026_0007, rights of role break_glass_2026_0007 in database acme]
removed:
  description: What was taken away; in check mode, what would be.
  returned: O(state=closed), O(state=swept)
  type: list
  elements: str
  sample: [RoleBinding odoo-acme/break-glass-bg-2026-0007, "role break_glass_2026_0007 on db.example.org:5432"]
sessions_ended:
  description: How many sessions of the role were ended.
  returned: O(state=closed)
  type: int
  sample: 1
objects_given:
  description: What the role had made and whose it is now.
  returned: O(state=closed)
  type: list
  elements: str
  sample: [table repair in database acme to odoo_acme]
debt:
  description: The approval that is still owed; null when none is.
  returned: O(state=closed)
  type: dict
  sample: {change: BG-2026-0007, opened: "2026-12-05T19:00:00Z", due: "2026-12-06T19:00:00Z", overdue: false}
ended:
  description: The grants past their end that were ended.
  returned: O(state=swept)
  type: list
  elements: str
  sample: [BG-2026-0007]
grants:
  description: All grants of the ledger.
  returned: O(state=read)
  type: list
  elements: dict
  sample: [{id: BG-2026-0007, state: opened, ends_at: "2026-12-05T20:00:00Z", requester: alice, tenants: [acme]}]
"""
