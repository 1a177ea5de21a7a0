# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The option by which a module reaches the one bucket that another of its options names."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  s3:
    description: Where the bucket is, and as whom the module comes to it.
    type: dict
    default: {}
    suboptions:
      endpoint_url:
        description: Address of the object store. The default is that of AWS.
        type: str
      access_key:
        description: Identity that may do what the module does in the bucket.
        type: str
      secret_key:
        description: Secret of the access key.
        type: str
      region:
        description: Region that requests are signed for.
        type: str
        default: us-east-1
      ca_bundle:
        description: File of the certificate authority that the object store's certificate comes from.
        type: path
"""
