#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin sync_windows_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sync_windows_check
short_description: Check that Argo CD syncs when the calendars let it
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Compares C(spec.syncWindows) of an Argo CD AppProject, from a file or from the cluster, with what the calendars say for the time ahead.
    It compares when a sync may run, not how that is written.
  - Fails for time in which Argo CD would sync and the calendars do not let work through, for time in which it would not and they do,
    and for windows that were not rendered from calendars.
  - A project without windows syncs at any time.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
requirements:
  - kubernetes >= 30, for O(kubeconfig)
options:
  project:
    description: Name of the AppProject.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    default: argocd
  file:
    description: A YAML file with nothing but the AppProject. Either this or O(kubeconfig).
    type: path
  kubeconfig:
    description: The kubeconfig of Argo CD's cluster.
    type: path
  context:
    description: Context of the kubeconfig.
    type: str
  calendars:
    description: Calendars, or absolute paths of YAML files that hold a list of them.
    type: list
    elements: raw
    required: true
  tenants:
    description: Only calendars that bind one of these tenants. Without any, the calendars of all tenants.
    type: list
    elements: str
    default: []
  scope:
    description: Only calendars of this environment, domain and class.
    type: dict
    default: {}
    suboptions:
      environment:
        description: The environment.
        type: str
        choices: [development, staging, uat, production]
      domain:
        description: The domain.
        type: str
        choices: [application, infrastructure, data, security]
      class:
        description: The class.
        type: str
        choices: [standard, normal, emergency, data_impacting]
  at:
    description: From when it is compared, RFC 3339. Default is now.
    type: str
  lead:
    description: For how long from there, ISO 8601.
    type: str
    default: P14D
  horizon:
    description: For how long RV(document) is rendered, from the beginning of the day; at least a day longer than O(lead).
    type: str
    default: P60D
"""

EXAMPLES = r"""
- name: Does Argo CD keep to the calendars of acme?
  odoo_ops.change_control.sync_windows_check:
    project: acme
    file: /srv/argocd/projects/acme.yml
    calendars: [/etc/odoo-ops/calendars.yml]
    tenants: [acme]
    scope: {environment: production}
    enforce: false
"""

RETURN = r"""
document:
  description: The AppProject with the windows that the calendars ask for. None when something could not be read.
  returned: always
  type: dict
  sample:
    apiVersion: argoproj.io/v1alpha1
    kind: AppProject
    metadata: {name: acme, namespace: argocd}
    spec:
      syncWindows:
        - {kind: allow, schedule: "0 19 5 12 *", duration: 480m, timeZone: UTC, applications: ["*"], manualSync: false}
verdict:
  description: V(fail) when they differ, V(unknown) when one of them cannot be read.
  returned: always
  type: str
  sample: pass
evidence:
  description: The checks, schema 1.
  returned: always
  type: dict
  sample:
    schema: 1
    subject: the sync windows of acme
    measured_at: "2026-12-02T09:00:00Z"
    checks:
      - {id: sync_windows_open, ok: false, observed: "2026-12-07T00:00:00Z to 2026-12-08T00:00:00Z",
         expected: no sync outside of the calendars, hint: "Run the playbook argocd_sync_windows.", code: OPEN_BEYOND}
"""
