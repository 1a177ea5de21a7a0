#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin awx_apply; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_apply
short_description: Make an AWX look as wanted, from its organization to the nodes of its workflows
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Brings objects of an AWX to their wanted state over its API, in one task and in the order in which they need each other.
  - Objects are found by their name within their organization, inventory or template. What O(objects) does not name is left alone, but a
    workflow's nodes are as listed, so that a node that somebody added is removed.
  - What AWX would refuse in a name, a reference, a survey, a schedule or the graph of a workflow is told as a whole before anything is
    sent. What it refuses all the same is told with its own reasons, and a new workflow of which a part is refused is taken back.
  - New nodes are made below a parent, so that a workflow that is launched meanwhile has no second beginning.
  - Secrets cannot be compared, because AWX never shows them; they are sent once, and again with O(renew_secrets).
  - Written for the API of AWX 24.6.1 and proved against a stand-in built from that contract, not against a running AWX.
requirements:
  - requests
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Everything is read and compared. Nothing is written and nothing is waited for.
  diff_mode:
    support: full
    description: Shows the fields that differ, before and after; values of credentials' inputs and of notifications are fingerprints.
  idempotent:
    support: full
    description: A second run writes nothing, but for O(renew_secrets).
options:
  url:
    description:
      - Address of AWX, such as V(https://awx.example.org). The token goes there, so use V(http) on loopback only.
    type: str
    required: true
  token:
    description:
      - An OAuth2 token with scope write. Its user needs the right to administer what O(objects) names.
    type: str
    required: true
  ca_path:
    description:
      - Path of the authority that signed AWX's certificate. Without it, those of the system.
    type: path
  objects:
    description:
      - Lists of objects under the names of AWX's endpoints, with the fields of its API. Known are C(organizations), C(credential_types),
        C(credentials), C(execution_environments), C(notification_templates), C(projects), C(inventories), C(inventory_sources),
        C(job_templates), C(workflow_job_templates) and C(schedules).
      - References are names instead of ids. A name is that of an object of this task, else of exactly one that AWX has.
      - Associations such as C(credentials) or C(notification_templates_error) are lists of names, and are made exactly so.
      - C(extra_vars), C(variables) and C(source_vars) are mappings. C(survey_spec) is the survey of a template.
      - C(organization) of a job template is where it is looked for; AWX takes it from the project.
      - C(workflow_nodes) lists the nodes of a workflow with C(identifier), either C(unified_job_template) or C(create_approval_template)
        (C(name), C(description), C(timeout) in seconds), C(success_nodes), C(failure_nodes), C(always_nodes) (identifiers),
        C(all_parents_must_converge) and C(extra_data).
      - A field that AWX does not know is an error here. A field that is left out is left alone.
    type: dict
    required: true
  renew_secrets:
    description:
      - Whether secrets that AWX has are sent again. Such a run always changes something.
    type: bool
    default: false
  timeout_s:
    description:
      - How long to wait for an answer, in seconds. A request is tried five times in all.
    type: int
    default: 30
  sync_timeout_s:
    description:
      - How long AWX may take to fetch a project, in seconds. It takes no job template whose playbook it has not seen.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: A project, a job template and its schedule
  odoo_ops.change_control.awx_apply:
    url: https://awx.example.org
    token: "{{ awx_token }}"
    objects:
      projects:
        - name: Odoo estate
          organization: Odoo operations
          scm_type: git
          scm_url: https://git.example.org/estate.git
      job_templates:
        - name: "Odoo estate: restore_drill"
          organization: Odoo operations
          project: Odoo estate
          inventory: Odoo estate
          playbook: restore_drill.yml
          job_type: run
          credentials: [Ledger]
      schedules:
        - name: Weekly restore drill
          unified_job_template: "Odoo estate: restore_drill"
          rrule: DTSTART;TZID=Europe/Brussels:20260104T030000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SU

- name: Show what differs, and write nothing
  odoo_ops.change_control.awx_apply:
    url: https://awx.example.org
    token: "{{ awx_token }}"
    objects: "{{ wanted }}"
  check_mode: true
  diff: true
"""

RETURN = r"""
results:
  description: What became of each object, named by endpoint and name.
  returned: always, in failure as far as it went
  type: dict
  sample:
    created: ["schedules 'Weekly restore drill'"]
    changed: ["job_templates 'Odoo estate: restore_drill'"]
    unchanged: ["projects 'Odoo estate'"]
diff:
  description: The fields of changed objects before and after.
  returned: always
  type: list
  elements: dict
  sample:
    - before_header: "job_templates 'Odoo estate: restore_drill'"
      after_header: "job_templates 'Odoo estate: restore_drill'"
      before: {limit: acme}
      after: {limit: ''}
requests:
  description: How many requests went to AWX.
  returned: always
  type: int
  sample: 78
writes:
  description: How many of them could change something.
  returned: always
  type: int
  sample: 0
code:
  description: A stable word for the reason of a failure, such as V(BAD_OBJECTS), V(REFUSED), V(NO_SUCH_NAME) or V(PROJECT_SYNC).
  returned: in failure
  type: str
  sample: REFUSED
"""
