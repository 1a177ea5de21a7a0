#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_checkpoint
short_description: Make, restore or clear up a tenant's restore point
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Makes a verified restore point of one tenant before a change, and takes the tenant back to it.
  - A checkpoint is a pgBackRest backup (or the position in the WAL), a dump of the tenant's database, and an inventory of its
    filestore. The dump is read back to its end before the checkpoint counts.
  - None is made where the cluster's clock and that of the host that asks differ by more than 30 s.
  - Each state may be killed anywhere; the same task run again comes to the same end. What is done is read from the databases, their
    comments, and the bucket.
  - While a checkpoint is made or restored, nobody should work on the tenant. Hold its traffic and stop its pods before.
requirements:
  - psycopg >= 3.2
  - boto3 >= 1.40
  - pg_dump and pg_restore of the server's major version
attributes:
  check_mode:
    support: full
    description: Predicts the steps and writes nothing.
  diff_mode:
    support: none
    description: There is no text to differ.
  idempotent:
    support: full
    description: A complete checkpoint is not made again, a database that is the checkpoint is not restored again.
options:
  state:
    description:
      - V(present) makes the checkpoint of this tenant and change unless it is there.
      - V(restored) takes database and filestore back to it.
      - V(absent) removes what an interrupted restore has left, the databases with the suffixes C(__restore) and C(__before_restore).
        The checkpoint itself stays.
    type: str
    choices: [present, restored, absent]
    default: present
  tenant:
    description: Name of the tenant; it becomes part of the keys in the bucket.
    type: str
    required: true
  change:
    description: Identifier of the change; it becomes part of the keys in the bucket.
    type: str
    required: true
  database:
    description: The tenant's database, of at most 47 bytes.
    type: str
    required: true
  host:
    description: Address of the cluster's primary.
    type: str
    required: true
  port:
    description: Port of the cluster.
    type: int
    default: 5432
  admin_user:
    description: A superuser of the cluster.
    type: str
    default: postgres
  admin_password:
    description: Password of O(admin_user).
    type: str
  sslmode:
    description: How connections to the cluster are protected, as libpq names it.
    type: str
    choices: [disable, allow, prefer, require, verify-ca, verify-full]
    default: prefer
  maintenance_database:
    description: The database from which databases are created and renamed.
    type: str
    default: postgres
  owner:
    description: Role that owns the restored database; without it the same as at the checkpoint.
    type: str
  destination:
    description:
      - Where checkpoints lie, as C(s3://bucket/prefix). The bucket has to exist, and should have versions and object lock.
      - Required unless O(state=absent).
    type: str
  s3:
    description: How to reach the bucket of O(destination).
    type: dict
    default: {}
    suboptions: &s3
      endpoint_url:
        description: Address of the object store. The default is that of AWS.
        type: str
      access_key:
        description: Identity that may read and write the bucket.
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
  filestore:
    description: Where the tenant's attachments lie. Required unless O(state=absent).
    type: dict
    suboptions:
      bucket:
        description: The bucket.
        type: str
        required: true
      prefix:
        description: What stands before the names of the files, without the slash. The default is the database's name.
        type: str
  filestore_s3:
    description: How to reach the bucket of O(filestore); without it, as O(s3).
    type: dict
    suboptions: *s3
  backup:
    description:
      - Whether a pgBackRest backup of the whole cluster is made. Tenants of one cluster share one, so a cohort makes it once.
      - Otherwise the position in the WAL is recorded and the segment is closed, so that it gets archived.
    type: bool
    default: true
  pgbackrest:
    description: The pgBackRest command, or a wrapper that runs it as the right user with the right configuration.
    type: str
    default: pgbackrest
  stanza:
    description: The cluster's name in pgBackRest. Required when a backup is made.
    type: str
  pg_bin:
    description:
      - Folder of pg_dump and pg_restore, not older than the server.
      - Without it, Debian's and PGDG's folders of the server's version are searched, then C(PATH).
    type: path
  timeout_s:
    description: How long a dump, a restore or one statement may take.
    type: int
    default: 3600
  backup_timeout_s:
    description: How long the backup may take.
    type: int
    default: 21600
  sessions_timeout_s:
    description:
      - How long to wait for the sessions of the database. Before a restore point is made, until none of them is in a transaction (Odoo
        gives a request two minutes); before the database is replaced, until all of them have ended.
    type: int
    default: 150
  busy_timeout_s:
    description:
      - How long to wait while another run is at work on the database, or another pgBackRest command on the stanza. When a playbook is
        killed, what it had started works on to its end.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: A restore point of acme before the change
  odoo_ops.change_control.tenant_checkpoint: &acme
    tenant: acme
    change: CHG-2026-0142
    database: acme
    host: 10.0.0.5
    admin_password: "{{ vault_postgres }}"
    destination: s3://backups/checkpoints
    s3:
      endpoint_url: https://s3.example.com
      access_key: backup
      secret_key: "{{ vault_backup }}"
    filestore:
      bucket: filestore
    stanza: shared

- name: Back to it
  odoo_ops.change_control.tenant_checkpoint:
    <<: *acme
    state: restored
"""

RETURN = r"""
steps:
  description: What was done, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [make_copy, swap, drop_old]
copied_back:
  description: How many files were made current again.
  returned: when O(state=restored)
  type: int
  sample: 0
checkpoint:
  description: The checkpoint; null in check mode while there is none, and with O(state=absent).
  returned: success
  type: dict
  contains:
    label:
      description: Label of the backup, null when none was made.
      type: str
      returned: always
    lsn:
      description: Where the backup ends in the WAL; without a backup, where the WAL was.
      type: str
      returned: always
    dump:
      description: The dump, with C(key), C(sha256), C(bytes) and C(version_id).
      type: dict
      returned: always
    filestore:
      description: The inventory, with C(key), C(sha256), C(bytes), C(version_id), and C(count) and C(missing) files.
      type: dict
      returned: always
    at:
      description: When it was begun.
      type: str
      returned: always
    digest:
      description: SHA-256 of the manifest, by which the whole checkpoint is known.
      type: str
      returned: always
  sample:
    label: 20261205-190002F_20261205-200001I
    lsn: 0/5000138
    dump:
      key: checkpoints/CHG-2026-0142/acme.dump
      sha256: 53c1b8f1b0d1ff4a6f2d8e1b7c0d8f0ad54be1a3c3a1ce0c2c1f1a6b3a0d9e77
      bytes: 12582912
      version_id: 0190f0c4
    filestore:
      key: checkpoints/CHG-2026-0142/acme.filestore.json
      sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
      bytes: 40211
      version_id: 0190f0c5
      count: 312
      missing: 0
    at: "2026-12-05T20:00:00Z"
    digest: 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae
code:
  description: A stable reason, such as V(FILESTORE_MISSING), V(CHECKPOINT_DAMAGED), V(CHECKSUM), V(NO_CHECKPOINT), V(NOT_QUIET),
      V(CLOCK_SKEW) or V(BUSY).
  returned: failure
  type: str
  sample: FILESTORE_MISSING
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils import _checkpoint as checkpoint
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checkpoint import keys, names
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import refuse_leaks, run_module, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import OPTIONS as S3_OPTIONS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import Bucket

SPEC: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "restored", "absent"], "default": "present"},
    "tenant": {"type": "str", "required": True},
    "change": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    "host": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "admin_user": {"type": "str", "default": "postgres"},
    "admin_password": {"type": "str", "no_log": True},
    "sslmode": {"type": "str", "choices": ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"], "default": "prefer"},
    "maintenance_database": {"type": "str", "default": "postgres"},
    "owner": {"type": "str"},
    "destination": {"type": "str"},
    "s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
    "filestore": {"type": "dict", "options": {"bucket": {"type": "str", "required": True}, "prefix": {"type": "str"}}},
    "filestore_s3": {"type": "dict", "options": S3_OPTIONS},
    "backup": {"type": "bool", "default": True},
    "pgbackrest": {"type": "str", "default": "pgbackrest"},
    "stanza": {"type": "str"},
    "pg_bin": {"type": "path"},
    "timeout_s": {"type": "int", "default": 3600},
    "backup_timeout_s": {"type": "int", "default": 21600},
    "sessions_timeout_s": {"type": "int", "default": 150},
    "busy_timeout_s": {"type": "int", "default": 600},
}
RULES: dict[str, Any] = {"required_if": [("state", state, ("destination", "filestore")) for state in ("present", "restored")]}


def job_of(given: dict[str, Any]) -> checkpoint.Job:
    where = {"host": given["host"], "port": given["port"], "user": given["admin_user"], "password": given["admin_password"]}
    filestore = given["filestore"] or {"bucket": "", "prefix": None}
    where_to = keys(given["destination"] or "s3://none", given["change"], given["tenant"])
    return checkpoint.Job(
        tenant=given["tenant"],
        change=given["change"],
        names=names(given["database"]),
        server=Server(**where, sslmode=given["sslmode"], timeout_s=given["timeout_s"], maintenance=given["maintenance_database"]),
        keys=where_to,
        store=Bucket(where_to.bucket, given["s3"]),
        files=Bucket(filestore["bucket"], given["filestore_s3"] or given["s3"]),
        files_prefix=(filestore["prefix"] or given["database"]).strip("/"),
        pg_bin=given["pg_bin"],
        owner=given["owner"],
        sessions_timeout_s=given["sessions_timeout_s"],
        busy_timeout_s=given["busy_timeout_s"],
    )


def archive_of(given: dict[str, Any]) -> checkpoint.Archive:
    tool = Pgbackrest([given["pgbackrest"]])
    return checkpoint.Archive(ready=lambda: tool.info(given["stanza"]), take=lambda: backup_of(tool, given))


def backup_of(tool: Pgbackrest, given: dict[str, Any]) -> tuple[str, str]:
    label = tool.backup(given["stanza"], "incr", timeout_s=given["backup_timeout_s"], busy_timeout_s=given["busy_timeout_s"])
    return label, next(found.lsn_stop for found in tool.info(given["stanza"]).backups if found.label == label)


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    job = job_of(given)
    if given["state"] == "restored":
        return checkpoint.restored(job, check=check)
    if given["state"] == "absent":
        return checkpoint.absent(job, check=check)
    if given["backup"] and not given["stanza"]:
        raise ChangeError("stanza is not given, wanted the cluster's name in pgBackRest. Give it, or set backup to false.", code="STANZA")
    return checkpoint.present(job, archive=archive_of(given) if given["backup"] else None, now=utc_now, check=check)


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True, **RULES), perform)


if __name__ == "__main__":
    main()
