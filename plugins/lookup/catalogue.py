# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup of the service catalogue."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalogue
short_description: Entries of the service catalogue, each with its class, its path to approval, its window and its playbook
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads the service catalogue and the policy, both whole and judged, and returns what a change of each entry needs.
options:
  _terms:
    description: Ids of entries. Without any, all entries in the order of the catalogue.
    type: list
    elements: str
  catalogue:
    description: Path of the catalogue. Empty means the one that ships with the collection.
    type: str
    default: ""
  policy:
    description: Path of the policy. Empty means the one that ships with the collection.
    type: str
    default: ""
  domain:
    description: Domain of the change. Empty means the first of the entry's.
    type: str
    default: ""
  environment:
    description: Environment of the change.
    type: str
    choices: [development, staging, uat, production]
    default: production
"""

EXAMPLES = r"""
- name: Tell who has to approve a core update, and which playbook carries it out
  ansible.builtin.debug:
    msg: "{{ entry.class }}, {{ entry.path.approvals }} approvals, {{ entry.window.longest }} at most: {{ entry.playbook }}"
  vars:
    entry: "{{ query('odoo_ops.change_control.catalogue', 'core-update') | first }}"

- name: List what is offered
  ansible.builtin.debug:
    msg: "{{ query('odoo_ops.change_control.catalogue') | map(attribute='id') | list }}"
"""

RETURN = r"""
_list:
  description: One mapping for each entry, with RV(_list[].path) and RV(_list[].window) as the policy has them for its class.
  type: list
  elements: dict
  contains:
    id:
      description: The entry's id.
      type: str
      sample: core-update
    title:
      description: What it is, for people.
      type: str
    class:
      description: Class of such changes.
      type: str
      sample: standard
    playbook:
      description: The playbook that carries them out.
      type: str
      sample: odoo_ops.change_control.service_core_update
    approved_by:
      description: Who approved such changes in advance.
      type: str
    domains:
      description: Domains that the entry is for.
      type: list
      elements: str
    environments:
      description: Environments that the entry is for.
      type: list
      elements: str
    streams:
      description: Streams that such a change may touch.
      type: list
      elements: str
    reviewed_by:
      description: Groups whose review the entry carries.
      type: list
      elements: str
    limits:
      description: What may differ, and how much of it.
      type: dict
    path:
      description: The way to its approval.
      type: dict
      sample: {cell: standard/application/production, profile: pre_approved, gates: [calendars, backup, wal], approvals: 0, groups: {},
               customer: [], retro: PT0S}
    window:
      description: The longest window of such a change, and what happens when it ends too early.
      type: dict
      sample: {longest: PT8H, overrun: roll_back}
"""

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.catalogue import service
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_catalogue, read_policy


class LookupModule(LookupBase):
    def run(self, terms: Sequence[str], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            services, policy = read_catalogue(self.get_option("catalogue")), read_policy(self.get_option("policy"))
            names = [str(term) for term in terms] or list(services["entries"])
            domain, environment = self.get_option("domain") or None, self.get_option("environment")
            return [service(name, services, policy, domain=domain, environment=environment) for name in names]
        except (ChangeError, ValueError) as exc:
            raise AnsibleLookupError(f"catalogue: {exc}") from exc
