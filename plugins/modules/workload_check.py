#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin workload_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_check
short_description: Check how busy tenants will be in a window
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads from Prometheus how busy each tenant was in the same hours of the weeks before, and compares that with its own usual weekly peak.
  - The load of the window is the 95th percentile of the busiest of these weeks, the usual peak the median of the weeks' 99th percentiles.
    Numbers that are missing, NaN, infinite or negative were not measured; a week counts when 80 % of it was measured, and of its window.
  - The window may not meet a peak that the tenant declares, either.
  - Of the inventory are read C(tenant_namespace), C(tenant_domain), C(tenant_workload_threshold), C(tenant_workload_peaks) and
    C(tenant_timezone).
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
requirements:
  - requests
options:
  prometheus:
    description: Where the history is, and how it is asked for.
    type: dict
    required: true
    suboptions:
      url:
        description: Address of Prometheus, or of what answers as it does.
        type: str
        required: true
      query:
        description:
          - PromQL that gives one series for a tenant. C(<tenant>), C(<namespace>) and C(<domain>) stand for its name in the inventory, its
            C(tenant_namespace) and its C(tenant_domain).
          - The default is the rate of requests that Traefik passes to the tenant's route, as the role C(tenant) makes it.
        type: str
        default: sum(rate(traefik_service_requests_total{service=~"<namespace>-web-[0-9a-f]+@kubernetescrd"}[10m]))
      headers:
        description: Headers to send, such as those that name an organisation.
        type: dict
      token_file:
        description: File with a bearer token.
        type: path
      ca_path:
        description: File of certificates that are believed.
        type: path
      timeout_s:
        description: How long an answer may take.
        type: float
        default: 30.0
  tenants:
    description: Names of tenants in the inventory.
    type: list
    elements: str
    required: true
  at:
    description: When the window begins, RFC 3339. Default is now.
    type: str
  duration:
    description: How long it is, ISO 8601.
    type: str
    default: PT1H
  threshold:
    description: How much of its usual weekly peak a tenant may be expected to need, above 0 and at most 1.
    type: float
    default: 0.5
  weeks:
    description: How many weeks before are looked at, at most 4.
    type: int
    default: 4
  least_weeks:
    description: With fewer measured weeks the verdict is V(unknown).
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Is it a quiet time for acme?
  odoo_ops.change_control.workload_check:
    prometheus: {url: "https://prometheus.example.org", token_file: /etc/odoo-ops/prometheus.token}
    tenants: [acme]
    at: "2026-12-05T20:00:00+01:00"
    duration: PT2H
    enforce: false
  register: load
"""

RETURN = r"""
verdict:
  description: V(fail) when a window is too busy or meets a declared peak, V(unknown) without enough history.
  returned: always
  type: str
  sample: pass
evidence:
  description: Two checks for each tenant.
  returned: always
  type: dict
  sample:
    schema: 1
    subject: the expected load
    measured_at: "2026-12-02T09:00:00Z"
    checks:
      - {id: workload_acme, ok: true, observed: {share: 0.1, load: 1.0, weekly_peak: 10.0, weeks: 4},
         expected: <= 0.5 of its weekly peak, hint: "", code: ""}
      - {id: workload_peaks_acme, ok: true, observed: none, expected: no declared peak in the window, hint: "", code: ""}
"""
