#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin tenant_filestore; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_filestore
short_description: Copy the filestore of a template to a tenant, inside the bucket
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Copies every object below one prefix to another prefix of the same bucket, as far as it is not there.
  - Odoo names files by the hash of their content, so an object that is there is right, and nothing is ever overwritten or removed.
  - The object store copies by itself; no content passes through the controller.
requirements:
  - boto3 >= 1.40
attributes:
  action:
    support: full
    description: The work is done on the controller.
  check_mode:
    support: full
    description: Lists only, and tells how many objects would be copied.
  diff_mode:
    support: none
    description: RV(copied) tells how many objects were missing.
  idempotent:
    support: full
    description: A second run copies nothing.
options:
  endpoint:
    description: Address of the object store. The default is that of AWS.
    type: str
  region:
    description: Region that requests are signed for.
    type: str
    default: us-east-1
  ca_file:
    description: File of certificate authorities to trust instead of the usual ones.
    type: path
  access_key:
    description: Identity that may read and write the bucket. Without it, the usual places of the AWS SDK are searched.
    type: str
  secret_key:
    description: Secret of O(access_key).
    type: str
  bucket:
    description: The bucket.
    type: str
    required: true
  source:
    description: Prefix to copy from, the template's database name, without a slash at its end.
    type: str
    required: true
  target:
    description: Prefix to copy to, the tenant's database name, without a slash at its end.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Give acme the template's attachments
  odoo_ops.change_control.tenant_filestore:
    endpoint: https://s3.example.org
    access_key: "{{ vault_access_key }}"
    secret_key: "{{ vault_secret_key }}"
    bucket: filestore
    source: odoo19_template
    target: acme
"""

RETURN = r"""
copied:
  description: How many objects were copied; in check mode, how many would be.
  returned: success
  type: int
  sample: 42
"""
