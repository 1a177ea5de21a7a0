#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin staging_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: staging_check
short_description: Ask the ledger whether a release passed in staging
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Passes when the newest closed change that brought this very image to an environment V(staging) or V(uat) succeeded, was proved, and
    is not too long ago.
  - Every record that counts is verified. The gate C(staging) of the policy asks it before a change.
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
  - odoo_ops.change_control.ledger
options:
  image:
    description: The image with its digest. Not given for a change of toggles alone.
    type: str
  toggles:
    description: System parameters that the change sets. The same change in staging must have set each of them to the same value.
    type: list
    elements: dict
    default: []
    suboptions:
      parameter:
        description: Key of the parameter.
        type: str
        required: true
      value:
        description: Its value. Not given means that it is absent.
        type: str
  max_age:
    description: How long ago that change may have been closed, ISO 8601.
    type: str
    default: P30D
"""

EXAMPLES = r"""
- name: Staging comes first
  odoo_ops.change_control.staging_check:
    ledger: /var/lib/odoo-ops/ledger
    ledger_trusted: /etc/odoo-ops/ledger.pub
    image: "{{ change.release.image }}"
"""

RETURN = r"""
verdict:
  description: V(pass) when it passed there.
  returned: always
  type: str
  sample: pass
evidence:
  description: The check, schema 1. Its codes are V(NOT_STAGED), V(STAGING_FAILED) and V(STAGING_STALE).
  returned: always
  type: dict
  sample: {schema: 1, subject: staging, measured_at: "2026-12-05T19:00:00Z", checks: []}
"""
