# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of everything that reads or writes a ledger; their spec is LEDGER_SPEC in plugin_utils/_ledger.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  ledger:
    description:
      - Where the ledger lies, a folder or C(s3://bucket/prefix).
      - A folder is made when the first event is recorded; a bucket has to exist.
      - A file that M(odoo_ops.change_control.change_record) has exported is a ledger of one change, for reading only.
    type: str
    required: true
  ledger_key:
    description:
      - File of the Ed25519 private key (PEM, no passphrase, mode 0600) that signs events.
      - Needed for writing only.
    type: path
  ledger_trusted:
    description:
      - The public keys whose signatures count. One PEM file, or a folder of C(*.pub) files; or a list of keys with the time in which each
        counts, a YAML file, which in a folder is called C(keys.yml). Where there is a list, only the keys that it names count.
      - Needed for reading. A writer that is given none trusts its own key only.
    type: path
  ledger_s3:
    description:
      - How to reach the object store of an C(s3://) ledger.
      - Without keys the usual places of the AWS SDK are searched.
    type: dict
    suboptions:
      endpoint_url:
        description: Address of the object store. The default is that of AWS.
        type: str
      access_key:
        description: Identity that may read and write the ledger's prefix.
        type: str
      secret_key:
        description: Secret of O(ledger_s3.access_key).
        type: str
      region:
        description: Region that requests are signed for.
        type: str
        default: us-east-1
      ca_bundle:
        description: File of the certificate authority that the object store's certificate comes from.
        type: path
      retention_days:
        description:
          - Keep each event under object lock (compliance mode) for this many days.
          - The bucket must have object lock, and the identity the right C(s3:PutObjectRetention).
          - Without this option the bucket's own default holds.
        type: int
"""
