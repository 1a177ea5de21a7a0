# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: change_guard
short_description: Asks right before a mutation whether it may still happen
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Looks at the ledger and the clock, and lets a mutation of one tenant through only while the change file is the planned one,
    the change is open, the approval of this very plan still holds, the gates are fresh, the calendars and the change's window
    allow the rest of the work (or the policy lets what has begun go on), earlier cohorts are released and have soaked, the clock
    can be believed, and the tenant's lease is held by the highest fencing token.
  - There is no option that skips it. A rollback is asked for less, because bringing a tenant back must not wait for a window.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.ledger
  - odoo_ops.change_control.awx
options:
  change:
    description: The content of the change file.
    type: dict
    required: true
  tenant:
    description: The tenant that is about to be changed.
    type: str
    required: true
  purpose:
    description:
      - V(apply) asks everything, V(rollback) what a rollback needs, V(finish) what the last step needs once users may be let in.
      - V(state) asks nothing and takes no lease. It tells where the tenant stands. V(leave) does the same and gives the lease back.
    type: str
    choices: [state, apply, finish, rollback, leave]
    default: apply
  calendars:
    description: The calendars, as in M(odoo_ops.change_control.blackout_check).
    type: list
    elements: raw
    default: []
  allowed_signers:
    description: The file of those who may approve, in the format of C(ssh-keygen).
    type: path
  revoked:
    description: A file of revoked keys.
    type: path
  approver_groups:
    description:
      - "Who is in which group: a mapping such as C({dba: [alice, bob], 'customer:acme': [carol]}), or the path of a YAML file with one."
      - Names are those of C(allowed_signers).
    type: raw
  executor:
    description: Who carries the change out. Defaults to the user that runs Ansible.
    type: str
  image:
    description: The image that the tenant runs now. When given, it must be the one before or after the change.
    type: str
  step:
    description: The step that is about to be taken. When given, it must be the tenant's next one.
    type: str
    choices: [started, held, checkpointed, updated, deployed, proved, opened, admitted, toggled, tried, released]
  plan:
    description: The plan, used in check mode only, in which none is recorded.
    type: dict
  token:
    description:
      - The fencing token that this run was given by an earlier call. With it only that lease is renewed, so that a run that was overtaken
        does nothing more, even if the tenant is free again.
    type: int
  lease_ttl:
    description: For how long the lease is taken or renewed, ISO 8601.
    type: str
    default: PT30M
attributes:
  check_mode:
    support: full
    description: Takes no lease.
  diff_mode:
    support: none
    description: Nothing is changed but the lease.
  idempotent:
    support: full
    description: Renewing the lease of the same change is not a change.
"""

EXAMPLES = r"""
- name: Ask before the tenant is changed
  odoo_ops.change_control.change_guard:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/ledger.pub
    allowed_signers: /etc/odoo-ops/allowed_signers
    calendars: [/etc/odoo-ops/calendars/finance.yml]
    change: "{{ change }}"
    tenant: "{{ inventory_hostname }}"
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(unknown). Not with O(purpose=state).
  returned: O(purpose=apply), O(purpose=finish) or O(purpose=rollback)
  type: str
  sample: pass
evidence:
  description: What was looked at, schema 1.
  returned: O(purpose=apply), O(purpose=finish) or O(purpose=rollback)
  type: dict
  sample: {schema: 1, subject: CHG-2026-0142 on tenant acme, measured_at: "2026-12-05T19:00:00Z", checks: []}
plan:
  description: The recorded plan.
  returned: O(purpose=state), O(purpose=rollback) or O(purpose=leave)
  type: dict
  sample: {schema: 1, class: normal}
digest:
  description: Its digest.
  returned: success
  type: str
  sample: sha256:0f343b0931126a20f133d67c2b018a3b5f1b2e6c5c6b8a7d4e3f2a1b0c9d8e7f
done:
  description: The steps of this tenant that are recorded as done.
  returned: success
  type: list
  elements: str
  sample: [held, checkpointed]
next:
  description: The next step, V(rollback), or V(nothing).
  returned: success
  type: str
  sample: updated
tenant_failed:
  description: Whether a step of this tenant failed.
  returned: success
  type: bool
  sample: false
undo:
  description: What a rollback of this tenant would bring back now. Empty when there is nothing to bring back, or no way back any more.
  returned: success
  type: list
  elements: str
  sample: [image, database, filestore]
takes_backup:
  description: Whether this tenant takes the backup of its cluster for its cohort.
  returned: success
  type: bool
  sample: true
first_cohort:
  description: Whether the tenant is in the canary cohort.
  returned: success
  type: bool
  sample: true
cohort_settled:
  description: Whether all tenants of its cohort are released or rolled back.
  returned: success
  type: bool
  sample: false
outcome:
  description: V(open), V(succeeded) or V(failed), over all tenants of the change.
  returned: success
  type: str
  sample: open
started_at:
  description: When it was begun to take the tenant through the change; null before.
  returned: success
  type: str
  sample: "2026-12-05T19:00:00Z"
released_at:
  description: When the tenant's users were let in on the new release; null before.
  returned: success
  type: str
  sample: "2026-12-05T19:14:00Z"
soaks_until:
  description:
    - Until when what is released before this tenant's turn is watched, and its own cohort once it is released. Null when there is nothing.
  returned: success
  type: str
  sample: "2026-12-05T19:20:00Z"
soak_left_s:
  description: How many seconds of that are left to wait for; 0 too when the window ends before, for nothing can begin then.
  returned: success
  type: int
  sample: 280
token:
  description: The fencing token by which the lease is held; null in check mode, or when the lease was refused.
  returned: O(purpose=apply), O(purpose=finish) or O(purpose=rollback), when all other checks passed
  type: int
  sample: 3
closed:
  description: The result with which the change was closed; null while it is open.
  returned: success
  type: str
  sample: failed
checkpoint:
  description: The tenant's checkpoint, once it is recorded.
  returned: success
  type: dict
  sample: {label: 20261205-190211F, lsn: 0/5000060}
"""
