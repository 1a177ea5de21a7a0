#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin toggle_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: toggle_check
short_description: Hold system parameters of a tenant's Odoo against what a change wants
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads system parameters (C(ir.config_parameter)) from the database of a tenant, and holds each against what is expected of it.
  - Parameters whose names speak of a secret are refused. A value that holds an address with a password, or a secret that this task was
    given, is not told and does not pass, because what it tells goes into the plan and the ledger.
  - It only reads. The parameters are set by the role C(odoo_release), through Odoo.
requirements:
  - psycopg >= 3.2
options:
  tenant:
    description: The tenant, for the messages.
    type: str
    required: true
  database:
    description: Its database.
    type: str
    required: true
  toggles:
    description: The parameters.
    type: list
    elements: dict
    required: true
    suboptions:
      parameter:
        description: Key of the parameter.
        type: str
        required: true
      before:
        description: The value that it had when the change was planned. Not given means that it was absent.
        type: str
      value:
        description: The value that the change gives it. Not given means that it is to be absent.
        type: str
  expect:
    description:
      - What every parameter must have.
      - V(anything) passes with any value that may be told. V(before) and V(value) want that value, V(either) one of both.
      - V(undone) wants any value but that of the change.
    type: str
    choices: [anything, before, either, value, undone]
    default: anything
extends_documentation_fragment:
  - odoo_ops.change_control.reader
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
seealso:
  - module: odoo_ops.change_control.change_plan
"""

EXAMPLES = r"""
- name: The parameter has what the plan saw
  odoo_ops.change_control.toggle_check:
    tenant: acme
    database: acme
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    toggles:
      - parameter: acme_billing.strict
        value: warn
    expect: before
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(unknown).
  returned: always
  type: str
  sample: pass
evidence:
  description:
    - What was looked at, schema 1.
    - Codes are V(TOGGLE_DRIFT), V(TOGGLE_NOT_SET), V(TOGGLE_NOT_BACK), V(TOGGLE_SECRET), V(POSTGRES) and V(POSTGRES_UNREACHABLE).
  returned: always
  type: dict
  sample: {"schema": 1, "subject": "tenant acme", "measured_at": "2026-12-05T19:00:00Z", "checks": [
    {"id": "toggle:acme_billing.strict", "ok": true, "observed": "absent", "expected": "absent", "hint": "", "code": ""}]}
found:
  description: What the database has, C(null) for a parameter that is absent. Empty when it could not be read.
  returned: always
  type: dict
  sample: {"acme_billing.strict": null}
"""
