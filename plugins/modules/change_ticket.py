#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin change_ticket; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: change_ticket
short_description: Keep a ticket in step with what the ledger says of a change
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Brings a ticket into the state that the change has by its recorded events, V(planned), V(approved), V(applying), V(failed),
    V(succeeded), V(rolled_back), V(stopped) or V(abandoned), and writes the entry of the ledger (its SHA-256) into it.
  - The ledger is the truth. A ticket system that does not answer, or that refuses, never fails the task. What happened is recorded
    as C(ticketed), and the next time the ticket is told everything that it missed, in order.
  - A ticket that names another change is left alone.
extends_documentation_fragment:
  - odoo_ops.change_control.ledger
requirements:
  - requests, for ServiceNow and Jira
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Reads the ticket and predicts; writes neither to it nor to the ledger.
  diff_mode:
    support: none
    description: The state is in the message.
  idempotent:
    support: full
    description: A ticket that says the state already is left alone.
options:
  change:
    description: The id of the change.
    type: str
    required: true
  title:
    description: Its title, for a ticket that is a file.
    type: str
    default: ""
  id:
    description:
      - The ticket, the number of a change request such as V(CHG0030001) or the key of an issue such as V(OPS-17).
      - Without it a file bears the id of the change, and the other systems are told nothing.
    type: str
  ticket:
    description: Where tickets are, and how this estate's tickets go.
    type: dict
    required: true
    suboptions:
      system:
        description:
          - V(file) writes one JSON document for each change into O(ticket.path).
          - V(servicenow) updates a change request by the Table API.
          - V(jira) moves an issue by its transitions, and keeps a remote link on it, by the REST API of version 2.
        type: str
        choices: [file, servicenow, jira]
        default: file
      path:
        description: Folder of the files. Required with O(ticket.system=file).
        type: path
      url:
        description: Address of the system, without a user. Required with V(servicenow) and V(jira).
        type: str
      user:
        description: The account that the token or password in O(ticket.token_file) is for. Without it the token is sent as a bearer token.
        type: str
      token_file:
        description: File that holds the token or password. It is never shown. Required with V(servicenow) and V(jira).
        type: path
      ca_path:
        description: PEM file of the authorities that the system's certificate may be from. Defaults to those that requests knows.
        type: path
      timeout_s:
        description: Seconds to wait for an answer, after five for the connection.
        type: int
        default: 10
      states:
        description:
          - For a state of the change, the states of the ticket to go through, in order; C([]) leaves the ticket's state alone and only
            tells.
          - "The defaults of V(servicenow) are the values of its state model: planned C([-5]), approved C([-2]), applying and failed
            C([-1]), succeeded, rolled_back and stopped C([0, 3]), abandoned C([4])."
          - "Those of V(jira) are C([To Do]) for planned and approved, C([In Progress]) for applying and failed, and C([Done]) for the
            others."
        type: dict
        default: {}
      link:
        description: With V(jira), where people find the record. Defaults to the issue itself.
        type: str
"""

EXAMPLES = r"""
- name: Keep a file in step
  odoo_ops.change_control.change_ticket:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/ledger.pub
    change: CHG-2026-0142
    ticket: {path: /var/lib/odoo-ops/tickets}

- name: Keep a change request in step, whose approval states ServiceNow sets itself
  odoo_ops.change_control.change_ticket:
    ledger: /var/lib/odoo-ops/ledger
    ledger_key: /etc/odoo-ops/ledger.pem
    ledger_trusted: /etc/odoo-ops/ledger.pub
    change: CHG-2026-0142
    id: CHG0030001
    ticket:
      system: servicenow
      url: https://example.service-now.com
      user: odoo.ops
      token_file: /etc/odoo-ops/servicenow.password
      states: {planned: [], approved: []}
"""

RETURN = r"""
told:
  description: Whether the ticket says what the ledger says; null when there is nothing to tell.
  returned: success
  type: bool
  sample: true
state:
  description: The state of the change.
  returned: when there is something to tell
  type: str
  sample: applying
"""
