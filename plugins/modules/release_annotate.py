#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin release_annotate; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release_annotate
short_description: Tell monitoring when a change began and how it ended
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads from the ledger when the first tenant of a change was begun, when it was closed and with which result, and tells that as an
    annotation in Grafana and as metrics to a Pushgateway or to the node exporter.
  - Telling twice changes nothing. The annotation is found by its tags and completed when the change has ended.
  - It never fails because of whom it tells. A system that is down, refuses or answers oddly becomes a warning, and the next stage
    tries again.
extends_documentation_fragment:
  - odoo_ops.change_control.ledger
requirements:
  - requests
options:
  change:
    description: Id of the change.
    type: str
    required: true
  title:
    description: Its title, for the text of the annotation.
    type: str
    default: ""
  grafana:
    description: Where annotations go. The token's account needs to read, create and write annotations of the organisation.
    type: dict
    suboptions: &server
      url:
        description: Its address.
        type: str
        required: true
      user:
        description: Account, when C(token_file) holds its password.
        type: str
      token_file:
        description: File with a bearer token, or with the password of C(user).
        type: path
      ca_path:
        description: File of certificates that are believed.
        type: path
      timeout_s:
        description: How long an answer may take.
        type: float
        default: 10.0
  pushgateway:
    description: Where metrics are pushed to, as the group C(job="odoo_change", change="…").
    type: dict
    suboptions: *server
  textfile:
    description: Folder that the node exporter's textfile collector reads. There is one file for each change.
    type: path
  keep:
    description: For how long the metrics of an ended change are kept, ISO 8601. Annotations stay.
    type: str
    default: P30D
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Reads what is there and predicts; writes nothing.
  diff_mode:
    support: none
    description: Shows no difference.
  idempotent:
    support: full
    description: Who knows already is left alone.
"""

EXAMPLES = r"""
- name: Tell Grafana and Prometheus of the change
  odoo_ops.change_control.release_annotate:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/ledger.pub
    change: CHG-2026-0142
    title: Billing module 19.0.2
    grafana: {url: "https://grafana.example.org", token_file: /etc/odoo-ops/grafana.token}
    textfile: /var/lib/prometheus/node-exporter
"""

RETURN = r"""
told:
  description: Who knows how far the change is.
  returned: always
  type: list
  elements: str
  sample: [grafana, textfile]
problems:
  description: Who could not be told, and why. They are warnings of the task as well.
  returned: always
  type: list
  elements: str
  sample: []
msg:
  description: The same in one sentence, or who could not be told and why.
  returned: always
  type: str
  sample: grafana, textfile knows how far the change is.
"""
