# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: change_record
short_description: Records an event of a change; reads, proves, shows or exports its record
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - The ledger holds one signed file per event. Each names the SHA-256 of the one before it.
  - A signed head outside the chain names the newest.
  - With O(state=recorded) an event is appended. Two runs that append at once both succeed, one after the other.
  - With O(state=read) all events are returned, and the task fails when the chain is not intact.
  - With O(state=verified) it is a gate over the chain, for which the public keys are enough. Every altered, removed, moved, inserted or
    cut off entry is a check of its own, with its number and a code. So is every entry whose key did not count at its time.
  - O(state=shown) and O(state=exported) are the same gate. The first adds a timeline for people, the second writes the whole record to
    one signed file, which can be given as O(ledger) itself.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.ledger
options:
  change:
    description: The id of the change. Required unless O(state=latest).
    type: str
  state:
    description:
      - V(recorded) appends an event, V(read) returns the events of the change, V(verified) is a gate over the change's whole record.
      - V(latest) returns the newest event of a name over all records of a series, such as the last restore drill.
      - V(shown) is the gate V(verified) with a timeline, also of a record that is not intact.
      - V(exported) is the gate V(verified), and writes O(dest) when it passes or O(enforce=false). It needs O(ledger_key).
    type: str
    choices: [recorded, read, verified, latest, shown, exported]
    default: recorded
  series:
    description: The letters that ids begin with, such as V(DRILL). Required with O(state=latest).
    type: str
  where:
    description: With O(state=latest), what the evidence of the event must say.
    type: dict
    default: {}
  event:
    description: Name of the event, a word in snake_case. Required with O(state=recorded) and O(state=latest).
    type: str
  tenant:
    description: The tenant that the event is about. Without it the event is about the change as a whole.
    type: str
  actor:
    description: Who did it. Defaults to the user that runs Ansible.
    type: str
  evidence:
    description: What is known about it, a JSON document without secrets.
    type: dict
    default: {}
  digest:
    description: Digest of the plan that the event is about. Without it the event is about the change id.
    type: str
  once:
    description:
      - Whether an event of the same name and tenant that is recorded already is returned, and nothing written.
      - With V(false) the event is appended each time.
    type: bool
    default: true
  token:
    description:
      - The fencing token that M(odoo_ops.change_control.change_guard) gave. With O(leased=true) the event is refused when another run was
        given a higher one since, even if that run is done with the tenant.
    type: int
  leased:
    description: Whether the event is refused unless this run holds the lease of O(tenant), so that a run that lost it records nothing more.
    type: bool
    default: false
  tasks_file:
    description:
      - A file that the callback P(odoo_ops.change_control.task_evidence#callback) has written. Its digest and what each task did become
        part of O(evidence).
    type: path
  dest:
    description:
      - The file that O(state=exported) writes, or the folder that gets a file C(CHANGE.bundle.json). Required with it.
      - The same record, exported with the same keys by the same release of the collection, has the same bytes.
    type: path
  report:
    description:
      - With O(state=exported), whether the report of the change, C(CHANGE.json), and its page for people, C(CHANGE.html), are written as
        well. O(dest) is a folder then, and made when it is not there.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts whether an event or an export would be written.
  diff_mode:
    support: none
    description: Events are only ever added.
  idempotent:
    support: partial
    description: With O(once=true), the default. An export is written when its bytes differ.
"""

EXAMPLES = r"""
- name: Record that the tenant runs the new release
  odoo_ops.change_control.change_record:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/trusted
    change: CHG-2026-0142
    event: updated
    tenant: "{{ inventory_hostname }}"
    evidence:
      image: registry/odoo@sha256:0f343b0931126a20f133d67c2b018a3b5f1b2e6c5c6b8a7d4e3f2a1b0c9d8e7f

- name: Prove the record of the change, with public keys only
  odoo_ops.change_control.change_record:
    ledger: s3://ledger/production
    ledger_trusted: /etc/odoo-ops/trusted
    ledger_s3:
      endpoint_url: https://s3.example.com
      access_key: auditor
      secret_key: "{{ vault_ledger_secret }}"
    change: CHG-2026-0142
    state: verified

- name: Show who did what, and when
  odoo_ops.change_control.change_record:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/trusted
    change: CHG-2026-0142
    state: shown

- name: Write the whole record to one signed file
  odoo_ops.change_control.change_record:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/trusted
    change: CHG-2026-0142
    state: exported
    dest: /var/lib/odoo-ops/exports/CHG-2026-0142.bundle.json

- name: Write the report, its page and the whole record of a change
  odoo_ops.change_control.change_record:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/trusted
    change: CHG-2026-0142
    state: exported
    dest: /var/lib/odoo-ops/reports
    report: true

- name: Prove that file without the ledger, with the key of who signed it
  odoo_ops.change_control.change_record:
    ledger: CHG-2026-0142.bundle.json
    ledger_trusted: odoo-ops-ledger.pub
    change: CHG-2026-0142
    state: verified
"""

RETURN = r"""
latest:
  description: The newest such event, as in RV(events); null when there is none.
  returned: O(state=latest)
  type: dict
  sample: {seq: 1, event: drilled, tenant: acme, at: "2026-12-01T03:10:00Z", evidence: {verdict: pass, stanza: shared}}
seq:
  description: Number of the entry; null when check mode predicts a new one.
  returned: O(state=recorded)
  type: int
  sample: 7
sha256:
  description: SHA-256 of the entry's file, or of the exported one.
  returned: O(state=recorded), O(state=exported)
  type: str
  sample: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
event:
  description: The event as recorded, of the form of RV(events).
  returned: O(state=recorded), when it is there
  type: dict
  sample: {seq: 7, event: updated, tenant: acme, actor: ops-2}
events:
  description: All events of the change in order.
  returned: O(state=read)
  type: list
  elements: dict
  contains:
    seq:
      description: Number of the entry, from 1.
      type: int
      returned: always
    event:
      description: Name of the event.
      type: str
      returned: always
    tenant:
      description: The tenant it is about, or null.
      type: str
      returned: always
    actor:
      description: Who did it.
      type: str
      returned: always
    at:
      description: When, in UTC.
      type: str
      returned: always
    evidence:
      description: What is known about it.
      type: dict
      returned: always
    digest:
      description: SHA-256 of the entry's file.
      type: str
      returned: always
    previous:
      description: SHA-256 of the entry before it, or null.
      type: str
      returned: always
    subject:
      description: SHA-256 of what the event is about, the plan or the change id.
      type: str
      returned: always
    keyid:
      description: The key that signed it, as the SHA-256 of the raw public key.
      type: str
      returned: always
  sample:
    - seq: 1
      event: planned
      tenant: null
      actor: ops-1
      at: "2026-12-05T19:00:00Z"
      evidence: {}
      digest: 6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b
      previous: null
      subject: 39e79396b52c2cbda1892d0560a8f1f336520dd3caf0e5ae469d8a3abf6086e0
      keyid: 1e21e39a85a53d3a6a00865134514fe71ef31aa7b91b731e59a507b1d41300d9
report:
  description: The report that was written, schema 1.
  returned: O(report=true)
  type: dict
  sample: {schema: 1, result: succeeded, approved_by: [approver-1], tenants: {acme: {result: released}}, ledger: {verdict: pass}}
timeline:
  description: One row for each event that could be proved, in order.
  returned: O(state=shown)
  type: list
  elements: dict
  contains:
    seq:
      description: Number of the entry, from 1.
      type: int
      returned: always
    at:
      description: When, in UTC.
      type: str
      returned: always
    event:
      description: Name of the event.
      type: str
      returned: always
    tenant:
      description: The tenant it is about, or null.
      type: str
      returned: always
    actor:
      description: Who did it.
      type: str
      returned: always
    verdict:
      description: The verdict or result in the evidence, or null.
      type: str
      returned: always
    evidence_sha256:
      description: SHA-256 of the evidence as JSON with sorted keys and no blanks.
      type: str
      returned: always
    sha256:
      description: SHA-256 of the entry's file.
      type: str
      returned: always
    keyid:
      description: The key that signed it.
      type: str
      returned: always
  sample:
    - seq: 2
      at: "2026-12-05T19:01:07Z"
      event: gated
      tenant: null
      actor: ops-1
      verdict: pass
      evidence_sha256: f5d6f98b22d346a32b0be68e2561b17913ff64e9b15a7c1e12f41b7c697ae1ac
      sha256: 39f5a80b1eebe5dda322a5352356299110abe8f278bdd0b27d686ad6f0b6cdf4
      keyid: 1e21e39a85a53d3a6a00865134514fe71ef31aa7b91b731e59a507b1d41300d9
lines:
  description: The timeline as text, and what is wrong with the chain.
  returned: O(state=shown), O(report=true)
  type: list
  elements: str
  sample:
    - "CHG-2026-0142: 3 events, each signed and linked"
    - "2  2026-12-05T19:01:07Z  gated    -     ops-1  pass  evidence f5d6f98b22d3  key 1e21e39a85a5"
path:
  description: The exported file.
  returned: O(state=exported), unless the gate stopped it
  type: str
  sample: /var/lib/odoo-ops/exports/CHG-2026-0142.bundle.json
verdict:
  description: V(pass), V(fail), or V(unknown) when nothing is recorded.
  returned: O(state=verified), O(state=shown), O(state=exported)
  type: str
  sample: pass
evidence:
  description: The checks, schema 1.
  returned: O(state=verified), O(state=shown), O(state=exported)
  type: dict
  sample: {schema: 1, subject: the record of CHG-2026-0142, measured_at: "2026-12-05T19:00:00Z", checks: []}
findings:
  description: What is wrong with the chain, each with a code, the number of the entry and a text.
  returned: when a chain that is not intact was to be read or extended
  type: list
  elements: dict
  sample: [{code: ALTERED, seq: 3, text: 000003-approved.json is not the entry that entry 4 names as the one before it}]
"""
