# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option awx; its spec is AWX_SPEC in plugin_utils/_awx.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  awx:
    description:
      - Where AWX is, and what its approvals are worth. Without it, AWX is not asked.
      - Within a job of AWX, the people who launched that job and the workflow jobs around it are executors too. AWX is asked who they are,
        and the job is known from the environment that AWX makes (C(JOB_ID)), not from variables.
    type: dict
    suboptions:
      url:
        description: Its address, with C(https).
        type: str
        required: true
      token:
        description: A token with the scope C(read), of a user who is a system auditor.
        type: str
        required: true
      ca_file:
        description: PEM file of the authorities that its certificate may be from. Defaults to those of the system.
        type: path
      validate_certs:
        description: Whether its certificate is verified.
        type: bool
        default: true
      timeout_s:
        description: Seconds to wait for each piece of an answer. All answers together may take a minute.
        type: int
        default: 10
      workflow_job:
        description:
          - Number of the workflow job in which the plan was made and approved. Defaults to the one that the running job is part of.
        type: int
      workflow_templates:
        description:
          - Names or numbers of the workflow job templates in which approvals count.
          - A name is unique within one organization of AWX only. Where others may make templates too, give numbers.
        type: list
        elements: str
        required: true
      plan_node:
        description: Identifier of the workflow's node that makes the plan.
        type: str
        default: plan
      approval_nodes:
        description: Identifiers of the workflow's approval nodes. AWX has one approver for each.
        type: list
        elements: str
        default: [approve]
      users:
        description: The users of AWX who may launch or approve. Number and name must both fit.
        type: list
        elements: dict
        required: true
        suboptions:
          id:
            description: The user's number in AWX.
            type: int
            required: true
          username:
            description: The user's name in AWX.
            type: str
            required: true
          person:
            description: The name of that person in change files, in C(allowed_signers) and in groups.
            type: str
            required: true
"""
