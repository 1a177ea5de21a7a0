#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin tenant_apply; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_apply
short_description: Apply, remove or read all Kubernetes objects of one or many tenants in one task
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Brings all objects of a batch of tenants to their desired state by server-side apply, in one process and in the order they need.
  - An object is read once and compared. Only what differs is applied, so an unchanged object costs one request.
  - A field counts as different when its live value is not the desired one, or when an earlier run had set it and it is no longer desired.
  - A Job is made once. One of the same name and the same spec is left alone, whatever became of it, so work is never done twice;
    one with another spec is an error.
  - Values of Secrets never appear in results; differences show fingerprints that mean nothing outside of one result.
requirements:
  - kubernetes >= 30
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Objects are read, and those that differ are sent as a server-side dry run. Nothing is written and nothing is waited for.
  diff_mode:
    support: full
    description: Shows the fields that differ, before and after.
  idempotent:
    support: full
    description: A second run changes nothing.
options:
  kubeconfig:
    description:
      - File with the cluster and the identity. Certificates, tokens, exec plugins and proxies work.
      - Without it, the usual places of Kubernetes clients.
    type: path
  context:
    description:
      - Context of the kubeconfig. Without it, the current one.
    type: str
  objects:
    description:
      - Objects of one tenant, the host of the task. With O(state=absent) and O(state=read) apiVersion, kind and metadata suffice.
      - One of O(objects) and O(tenants) is needed.
    type: list
    elements: dict
  tenants:
    description:
      - Objects of many tenants, a list under each tenant's name.
    type: dict
  state:
    description:
      - V(present) applies the objects. V(absent) deletes them, dependents included. V(read) returns them as they live and writes nothing.
    type: str
    choices: [present, absent, read]
    default: present
  wait:
    description:
      - Whether to wait until the objects are ready, or gone with O(state=absent).
      - Waiting ends early when it cannot help, as with C(CrashLoopBackOff) or C(ImagePullBackOff).
    type: bool
    default: false
  wait_for:
    description:
      - The kinds of O(objects) that are waited for. Other kinds are ready as soon as they exist.
    type: list
    elements: str
    choices: [Deployment, StatefulSet, Job, Namespace]
    default: [Deployment, StatefulSet, Job]
  wait_timeout_s:
    description:
      - How long to wait in all, in seconds.
    type: int
    default: 300
  field_manager:
    description:
      - Name under which the fields are held.
    type: str
    default: odoo-ops
  force_conflicts:
    description:
      - Whether to take over fields that another manager holds. Without it such a field is an error that names the manager.
    type: bool
    default: false
  replace_failed_jobs:
    description:
      - Whether a Job that has failed is deleted and made anew. Only for work that may be repeated.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Apply all objects of a tenant and wait until its pods are ready
  odoo_ops.change_control.tenant_apply:
    kubeconfig: "{{ tenant_kubeconfig }}"
    objects: "{{ query('ansible.builtin.template', 'base.yml.j2', 'web.yml.j2') | map('from_yaml_all') | flatten }}"
    wait: true

- name: Read the Deployment that serves users
  odoo_ops.change_control.tenant_apply:
    kubeconfig: "{{ tenant_kubeconfig }}"
    state: read
    objects:
      - apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, namespace: acme}
  register: web

- name: Report drift of many tenants without writing
  odoo_ops.change_control.tenant_apply:
    kubeconfig: "{{ tenant_kubeconfig }}"
    tenants: "{{ desired_by_tenant }}"
  check_mode: true
  diff: true
"""

RETURN = r"""
results:
  description: What became of each object, by tenant. Objects are named kind namespace/name.
  returned: with O(state=present) and O(state=absent), in failure as far as it went
  type: dict
  sample:
    acme:
      created: []
      changed: [Deployment acme/web]
      unchanged: [Namespace acme, Service acme/web]
      deleted: []
diff:
  description: The fields of changed objects before and after. Values of Secrets are fingerprints.
  returned: with O(state=present) and O(state=absent)
  type: list
  elements: dict
  sample:
    - before_header: Deployment acme/web
      after_header: Deployment acme/web
      before: {spec.replicas: 1}
      after: {spec.replicas: 2}
waited:
  description: How waiting for each object ended, by tenant. C(outcome) is C(done), C(failed), or C(waiting) when the time ran out.
  returned: when O(wait) is true
  type: dict
  sample:
    acme:
      - {object: Deployment acme/web, outcome: done, reason: '', message: '', seconds: 2.4}
live:
  description:
    - The objects as they live, by tenant, in the order asked for; null for one that is not there.
    - Values of Secrets are fingerprints.
  returned: with O(state=read)
  type: dict
  sample:
    acme:
      - {apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: acme}}
requests:
  description: How many requests went to the API server.
  returned: always
  type: int
  sample: 14
code:
  description: A stable word for the reason of a failure, such as V(KUBECONFIG) or V(BAD_OBJECTS).
  returned: when nothing could be done at all
  type: str
  sample: KUBECONFIG
"""
