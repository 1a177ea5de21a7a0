# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of a gate that remembers what it has proved."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  state:
    description:
      - Where is remembered what was proved. A file on the machine that this task runs on, whose directory has to be there, or an object,
        C(s3://bucket/prefix/name), which O(state_s3) tells how to reach; so a job remembers that has no disk of its own.
      - What is damaged, of something else, or of another version of the collection is not believed, with a warning, and everything is
        read again.
      - Of two runs at once the one that ends later does not remember what it has proved in a bucket, with a warning. The bucket has to
        honour the conditions C(If-Match) and C(If-None-Match) of a put; this is tried.
    type: str
  state_s3:
    description: How to reach the bucket that O(state) names.
    type: dict
    default: {}
    suboptions:
      endpoint_url:
        description: Address of the object store. The default is that of AWS.
        type: str
      access_key:
        description: Identity that may read and write the object.
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
  sample:
    description:
      - How many per cent of what was proved are read again with O(depth=checksums), other ones in each run, because a disk can lose
        what nobody has written. With V(2) and a run a day each file is read at least every 50 days.
    type: float
    default: 2
"""
