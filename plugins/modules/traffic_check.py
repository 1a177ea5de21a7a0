#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin traffic_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: traffic_check
short_description: Judge by its metrics whether real traffic is no worse off on a new release
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Asks Prometheus the named queries of a catalogue for the new release and for the old one, and judges durations as
    M(odoo_ops.change_control.odoo_canary) does, shares and counts by exact tests, levels by their limits.
  - A required query must pass. An optional one must not fail; when nothing comes for it, or what comes does not suffice, this is
    told and not judged. Numbers that are late, stale, doubled, not a number or full of gaps make both V(unknown).
  - Or it only looks whether every query gives a number, and what is missing where it does not.
  - The queries, their exporters and the codes stand in C(docs/signals.md).
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
requirements:
  - requests
options:
  prometheus:
    description: Where the numbers are.
    type: dict
    required: true
    suboptions:
      url:
        description: Address of Prometheus, or of what answers as it does.
        type: str
        required: true
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
  state:
    description: V(judged) compares; V(reachable) only looks whether every query gives a number now.
    type: str
    choices: [judged, reachable]
    default: judged
  compare:
    description:
      - V(side_by_side) holds O(canary) against O(baseline) over the same time.
      - V(before_after) holds the time since the release against the same length before it, and against the same hours a week earlier.
        What is worse than both fails; when they disagree it is unknown.
      - Required when O(state=judged). Only queries that can be compared so are asked.
    type: str
    choices: [side_by_side, before_after]
  subject:
    description: What is told of, such as the tenant.
    type: str
    default: real traffic
  selectors:
    description:
      - What stands for C(<service>), C(<namespace>), C(<pods>), C(<database>), C(<domain>), C(<entrypoint>), C(<integrations>), C(<redis>),
        C(<postgres>), C(<standbys>), C(<stanza>) and C(<nodes>) in the queries, as texts.
    type: dict
    default: {}
  baseline:
    description: The selectors of the old side, in addition.
    type: dict
    default: {}
  canary:
    description: The selectors of the new side, in addition.
    type: dict
    default: {}
  since:
    description: Since when the new release works, or both sides do; RFC 3339. Required when O(state=judged).
    type: str
  until:
    description: Until when it is looked at, RFC 3339. Default is now.
    type: str
  before:
    description: Until when the old release worked, RFC 3339. Default is O(since).
    type: str
  most:
    description: How much of the time since is looked at, ISO 8601.
    type: str
    default: PT2H
  step:
    description:
      - For how long one number stands, ISO 8601; four times the scrape interval at least. Longer when there would be more than 360.
    type: str
    default: PT1M
  tolerance:
    description: How many times as long an answer may take, more than 1.
    type: float
    default: 1.2
  alpha:
    description: The chance of a false verdict, above 0 and at most 0.1.
    type: float
    default: 0.01
  catalogue:
    description: Path of a catalogue of the site's own. Its queries are added, or replace those of the same name.
    type: path
  only:
    description: Names of the queries to ask. Empty means all that can be compared so.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Will every query find its numbers?
  odoo_ops.change_control.traffic_check:
    state: reachable
    prometheus: {url: "https://prometheus.example.org", token_file: /etc/odoo-ops/prometheus.token}
    selectors: {service: "odoo-acme-web-.*@kubernetescrd", namespace: odoo-acme, pods: web-.*, database: acme}

- name: Is acme no worse off since the release?
  odoo_ops.change_control.traffic_check:
    prometheus: {url: "https://prometheus.example.org", token_file: /etc/odoo-ops/prometheus.token}
    compare: before_after
    subject: tenant acme
    since: "2026-12-05T20:14:00Z"
    before: "2026-12-05T20:00:00Z"
    selectors: {service: "odoo-acme-web-.*@kubernetescrd", namespace: odoo-acme, pods: web-.*, database: acme}
    enforce: false
  register: traffic
"""

RETURN = r"""
verdict:
  description: V(fail) when a query is proved to be worse, V(unknown) when a required one could not be told.
  returned: always
  type: str
  sample: pass
evidence:
  description: One check for each query that was judged.
  returned: always
  type: dict
  sample:
    schema: 1
    subject: tenant acme
    measured_at: "2026-12-05T21:14:00Z"
    checks:
      - {id: traffic_latency_mean, ok: true, observed: "1.02 times as long as the time before, over 60 steps",
         expected: <= 1.2 times as long, hint: "", code: ""}
      - {id: traffic_error_ratio, ok: true, observed: "2 of 9120 requests, in the time before 3 of 8874",
         expected: at most 0.03 more of all requests, hint: "", code: ""}
told:
  description: Optional queries that are left open, with the reason.
  returned: always
  type: list
  elements: dict
  sample:
    - {query: replication_lag, code: NO_SELECTOR, why: the selector standbys is not given, exporter: postgres_exporter}
figures:
  description: What was measured, by query and by what it is held against.
  returned: always
  type: dict
  sample: {error_ratio: {the time before: {decision: pass, baseline: [3, 8874], canary: [2, 9120], p: 0.83, share_at_most: 0.0012}}}
periods:
  description: The times that were looked at.
  returned: always
  type: dict
  sample:
    the time since: {start: "2026-12-05T20:14:00Z", end: "2026-12-05T21:14:00Z", step_s: 60}
"""
