# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option of a gate that tries whether a tenant's identity gets at what is other tenants'."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  others:
    description:
      - Places of other tenants, which the identity in O(s3) must not see. At each it tries to list the prefix, the whole bucket and the
        versions, to look at an object, and to read one byte of it. Every one of them has to be refused (403); one that is let through
        fails with V(SEGREGATION), and every other answer is unknown. Nothing is written.
      - As a control it lists its own prefix, so that a wrong key does not look like a closed door.
    type: list
    elements: dict
    suboptions:
      bucket:
        description: The bucket.
        type: str
        required: true
      prefix:
        description: The other tenant's prefix in it; empty when the bucket is that tenant's alone.
        type: str
        required: true
      object:
        description:
          - Name of an object below the prefix that is really there, for example a small file that was put there for this.
          - S3 refuses what is not there with 403 as well, to whoever may read objects and not list them. So a name that is not there
            proves nothing.
        type: str
        required: true
"""
