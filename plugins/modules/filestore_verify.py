#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gate: does the filestore of a tenant hold every attachment that its database names, as it was stored?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: filestore_verify
short_description: Prove that database and attachments of a tenant fit together
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads from the database which files its attachments name, and from the filestore, a directory or a bucket, which are there.
  - A file of another size than the database says is read. With O(depth=checksums) every file that was not proved yet is read, and
    with O(depth=full) every one, and its SHA-1 compared with its name, by which Odoo calls it.
  - Users may work meanwhile. The database is read first, and asked again about each file that is not there or that nobody names; a
    file that came less than O(grace) ago is not called orphaned.
  - Files that nobody names are counted and hurt nobody, so they do not fail the gate.
  - What could not be told gives the verdict V(unknown), which does not pass.
  - O(login_user) has to be able to read C(ir_attachment).
requirements:
  - psycopg >= 3.2
  - boto3 >= 1.40, for a bucket
attributes:
  check_mode:
    description: Can run in check mode and return the same result, because it only reads. O(state) is not written then.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: Nothing is changed.
  idempotent:
    description: A second run gives the same result as long as database and filestore are the same.
    support: full
options:
  tenant:
    description: Name of the tenant, for the messages.
    type: str
    required: true
  database:
    description: The tenant's database.
    type: str
    required: true
  path:
    description: The directory of the filestore, such as C(/var/lib/odoo/filestore/acme).
    type: path
  bucket:
    description: The bucket of the filestore. Its versioning and lifecycle are checked, too.
    type: str
  prefix:
    description: Where in the bucket the filestore is. Defaults to the name of the database.
    type: str
  depth:
    description:
      - V(catalogue) compares names and sizes. It belongs before every change.
      - V(checksums) also reads every file that the database names and that was not proved since it was written, and O(sample) of
        those that were.
      - V(full) reads every file that the database names, and remembers it in O(state), if that is given.
    type: str
    choices: [catalogue, checksums, full]
    default: catalogue
  grace:
    description: For how long a file may be there before a row of the database names it, ISO 8601.
    type: str
    default: PT1H
  retention:
    description: For how long the bucket must keep old versions, ISO 8601; not checked without.
    type: str
  lock:
    description: The mode of object lock that the bucket must have by default; V(compliance) satisfies V(governance). Not checked without.
    type: str
    choices: [governance, compliance]
  max_read_age:
    description:
      - The last run that read the files, with O(depth=checksums) or O(depth=full), must have passed within this ISO 8601 duration. Not
        checked when it is not given.
      - So the content is proved by a schedule, and the run before a change takes seconds.
    type: str
  last_read:
    description: The last such run over this filestore. Not given means that there was none.
    type: dict
    suboptions:
      at:
        description: When it ended, as RFC 3339 with an offset.
        type: str
        required: true
      verdict:
        description: Its verdict.
        type: str
        required: true
extends_documentation_fragment:
  - odoo_ops.change_control.s3
  - odoo_ops.change_control.others
  - odoo_ops.change_control.memory
  - odoo_ops.change_control.reader
  - odoo_ops.change_control.gate
seealso:
  - module: odoo_ops.change_control.pg_backup_verify
"""

EXAMPLES = r"""
- name: The attachments of acme are all there
  odoo_ops.change_control.filestore_verify:
    tenant: acme
    database: acme
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    path: /var/lib/odoo/filestore/acme

- name: Every byte of them, and old versions stay for a month
  odoo_ops.change_control.filestore_verify:
    tenant: acme
    database: acme
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    bucket: filestore
    s3:
      endpoint_url: https://s3.example.com
      access_key: reader
      secret_key: "{{ vault_filestore }}"
    depth: full
    retention: P30D

- name: Every night, what came since and a fiftieth of the rest
  odoo_ops.change_control.filestore_verify:
    tenant: acme
    database: acme
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    path: /var/lib/odoo/filestore/acme
    depth: checksums
    state: /var/lib/odoo-ops/filestore-acme
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(unknown).
  returned: always
  type: str
  sample: fail
evidence:
  description:
    - What was looked at, schema 1.
    - Codes are V(FILESTORE_MISSING), V(FILESTORE_CORRUPT), V(FILESTORE_UNSAFE), V(FILESTORE_EMPTY), V(FILESTORE_UNREADABLE),
      V(FILESTORE_UNPROVABLE), V(FILESTORE_STALE), V(FILESTORE_NOT_VERSIONED), V(FILESTORE_EXPIRES), V(FILESTORE_RETENTION),
      V(FILESTORE_NOT_LOCKED), V(SEGREGATION) and V(SEGREGATION_UNKNOWN).
  returned: always
  type: dict
  sample: {schema: 1, subject: filestore of acme, measured_at: "2026-12-05T19:00:00Z", checks: []}
filestore:
  description:
    - "How many files the database names (C(named)), the filestore holds (C(stored), of C(bytes)), were read (C(read)) and were proved
      by an earlier run and not read in this one (C(remembered)); and of each
      kind that is not as it should be the C(count) and the first 20 C(names): C(missing), of these C(deleted) by a delete marker,
      C(corrupt), C(unreadable), C(unprovable), C(unsafe), and C(orphaned), of C(orphaned_bytes)."
    - Null when database or filestore did not answer.
  returned: always
  type: dict
  sample:
    named: 312
    stored: 314
    bytes: 40211903
    read: 312
    remembered: 0
    missing: {count: 0, names: []}
    deleted: {count: 0, names: []}
    corrupt: {count: 1, names: [ab/ab5c1f0d8f2e0c3b8e3f3c7b8f0f7c1f4c9c4f9e]}
    unreadable: {count: 0, names: []}
    unprovable: {count: 0, names: []}
    unsafe: {count: 0, names: []}
    orphaned: {count: 2, names: [01/01f8a5b0c8a5a0a6cbb9d0f4a9c1f2a7a1b0c3d4, 02/02b0c8a5a0a6cbb9d0f4a9c1f2a7a1b0c3d4e5f6]}
    orphaned_bytes: 8122
"""

import datetime as dt
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import filestore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.bucket import OF_FILESTORE, Promise, judge_settings
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved, rounds_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._filestore import Depth, compare
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import (
    GATE_SPEC,
    PROOF_SPEC,
    gate_result,
    proof,
    refuse_leaks,
    run_module,
    seconds,
    utc_now,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_bucket import FilestoreBucket
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_folder import Folder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import connect
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import OPTIONS as S3_OPTIONS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._memory import MEMORY_SPEC, remembered
from ansible_collections.odoo_ops.change_control.plugins.module_utils._object_store import (
    LOCKS,
    OTHERS_SPEC,
    days,
    judge_segregation,
    refuse_own,
    untold,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._reader import READER_SPEC, reader

SPEC: dict[str, Any] = {
    "tenant": {"type": "str", "required": True},
    "database": {"type": "str", "required": True},
    **READER_SPEC,
    "path": {"type": "path"},
    "bucket": {"type": "str"},
    "prefix": {"type": "str"},
    "s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
    "depth": {"type": "str", "choices": ["catalogue", "checksums", "full"], "default": "catalogue"},
    **MEMORY_SPEC,
    "grace": {"type": "str", "default": "PT1H"},
    "retention": {"type": "str"},
    "lock": {"type": "str", "choices": LOCKS},
    "others": OTHERS_SPEC,
    "max_read_age": {"type": "str"},
    "last_read": PROOF_SPEC,
    **GATE_SPEC,
}
RULES: dict[str, Any] = {
    "required_one_of": [("path", "bucket")],
    "mutually_exclusive": [("path", "bucket")],
    "required_by": {"prefix": "bucket", "retention": "bucket", "lock": "bucket", "others": "bucket"},
    "required_if": [("depth", "checksums", ("state",))],
}


def prefix_of(given: dict[str, Any]) -> str:
    return str(given["prefix"] or given["database"])


def look(given: dict[str, Any], proved: Proved, *, now: dt.datetime) -> tuple[list[Check], dict[str, Any] | None, Proved | None]:
    """The checks, what was counted, and what is proved now; ValueError for an option that is not understood."""
    before = now.timestamp() - (seconds(given, "grace") or 0)
    promise = Promise(retention_days=days(given, "retention"), lock=given["lock"])
    max_age_s, last = seconds(given, "max_read_age"), proof(given["last_read"])
    sampled = rounds_of(given["sample"])
    depth = {"catalogue": Depth(), "checksums": Depth(proved, sampled), "full": Depth(proved)}[given["depth"]]
    checks = [] if max_age_s is None else [filestore.judge_age(last, now=now, max_age_s=max_age_s)]
    refuse_own(given["bucket"], prefix_of(given), given["others"])
    try:
        store: FilestoreBucket | Folder
        if given["bucket"]:
            store = FilestoreBucket(given["bucket"], prefix_of(given), given["s3"])
            checks += judge_settings(store.settings(prefix_of(given)), promise, OF_FILESTORE)
            checks += judge_segregation(store, prefix_of(given), given["s3"], given["others"])
        else:
            store = Folder(given["path"])
        with connect(reader(given), given["database"], read_only=True) as database:
            found, proved_now = compare(database, store, depth, before=before)
    except ChangeError as exc:
        return [*checks, untold("filestore", exc, code="FILESTORE")], None, None
    return [*checks, *filestore.judge(found)], filestore.told(found), proved_now


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    at, place = utc_now(), given["path"] or f"{given['bucket']}/{prefix_of(given)}"
    try:
        memory = remembered(given, f"filestore of {given['database']} in {place}")
        checks, found, proved_now = look(given, memory.proved, now=at)
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc
    warnings = [*memory.warnings, *([] if check else memory.keep(proved_now, at=at))]
    subject = f"filestore of {given['tenant']}"
    return gate_result(subject, checks, at=at, enforce=given["enforce"], filestore=found, warnings=warnings)


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True, **RULES), perform)


if __name__ == "__main__":
    main()
