#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: tenant_dump
short_description: Dump a tenant's database so that it can be proved later what the dump is
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Dumps one database into a directory or a bucket, reads the dump back to its end with pg_restore, and then writes a manifest with the
    checksum of each of its files beside it. M(odoo_ops.change_control.pg_backup_verify) with O(ignore:engine=dump) goes by the
    manifests.
  - A dump is there whole or not at all; one without a manifest is not finished. Where a run was killed in a directory, the next one
    removes what it left.
  - Dumps are called C(DATABASE-YYYYMMDDTHHMMSSZ.dump), in directory format C(DATABASE-YYYYMMDDTHHMMSSZ.dir), after when they began in
    UTC.
  - It contains the database alone. What its attachments name is proved by M(odoo_ops.change_control.filestore_verify).
requirements:
  - Python 3.11 or later on the host
  - psycopg >= 3.2
  - boto3 >= 1.40, for a bucket
  - pg_dump and pg_restore of the server's major version
attributes:
  check_mode:
    support: full
    description: Looks whether database, tools and location are there, and says what would be removed. Nothing is written.
  diff_mode:
    support: none
    description: There is no text to differ.
  idempotent:
    support: none
    description: Each run takes another dump.
options:
  database:
    description: The database.
    type: str
    required: true
  location:
    description:
      - A directory of the host, or C(s3://bucket/prefix). It has to be there.
      - Dumps of several databases may lie in one.
    type: str
    required: true
  keep:
    description:
      - How many finished dumps of this database stay in a directory; the oldest are removed after the new one is proved. V(0) removes none.
      - A bucket's lifecycle rules do that there; give V(0).
    type: int
    default: 0
  format:
    description:
      - V(custom) is one file, which is sent to its place without touching a disk on the way.
      - V(directory) is a directory with a file for each table. Several processes can make and restore it at once.
    type: str
    choices: [custom, directory]
    default: custom
  jobs:
    description: How many processes dump at once with O(format=directory), each with a connection of its own.
    type: int
    default: 1
  scratch:
    description:
      - A directory of the host with room for one dump, in which a dump in directory format is made and read back before it is sent to a
        bucket. Required for that, and without meaning otherwise.
      - What killed runs left of this database there, the next one removes.
    type: path
  pg_bin:
    description:
      - Folder of pg_dump and pg_restore, not older than the server.
      - Without it, Debian's and PGDG's folders of the server's version are searched, then C(PATH).
    type: path
  timeout_s:
    description: How long the dump, and reading it back, may each take.
    type: int
    default: 21600
extends_documentation_fragment:
  - odoo_ops.change_control.s3
  - odoo_ops.change_control.reader
seealso:
  - module: odoo_ops.change_control.pg_backup_verify
  - module: odoo_ops.change_control.tenant_checkpoint
    description: Makes the restore point of a change.
"""

EXAMPLES = r"""
- name: The nightly dump, two weeks of which are kept
  odoo_ops.change_control.tenant_dump:
    database: acme
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    location: /var/backups/odoo
    keep: 14

- name: A large database, by four processes, into a bucket
  odoo_ops.change_control.tenant_dump:
    database: acme
    host: 10.0.0.5
    login_password: "{{ vault_postgres }}"
    format: directory
    jobs: 4
    scratch: /var/tmp/dumps
    location: s3://dumps/odoo
    s3:
      endpoint_url: https://s3.example.com
      access_key: dumper
      secret_key: "{{ vault_dumps }}"

- name: It is there, young, and what was written
  odoo_ops.change_control.pg_backup_verify:
    engine: dump
    database: acme
    location: /var/backups/odoo
    depth: checksums
"""

RETURN = r"""
dump:
  description: The dump that was taken; null in check mode.
  returned: success
  type: dict
  contains:
    label:
      description: Its name without a suffix.
      type: str
      returned: always
    file:
      description: Its file or object, or its directory.
      type: str
      returned: always
    files:
      description: How many files it has, V(1) in custom format.
      type: int
      returned: always
    began:
      description: Whose state it is, RFC 3339.
      type: str
      returned: always
    ended:
      description: When it was proved, RFC 3339.
      type: str
      returned: always
    size_bytes:
      description: How large it is.
      type: int
      returned: always
    sha256:
      description: Its checksum; of a directory that of the list of its files and their checksums, as C(sha256sum) prints it.
      type: str
      returned: always
    version:
      description: PostgreSQL's major version.
      type: str
      returned: always
  sample: {"label": "acme-20261205T010000Z", "file": "acme-20261205T010000Z.dump", "files": 1, "began": "2026-12-05T01:00:00Z",
    "ended": "2026-12-05T01:00:41Z", "size_bytes": 12582912, "version": "15",
    "sha256": "53c1b8f1b0d1ff4a6f2d8e1b7c0d8f0ad54be1a3c3a1ce0c2c1f1a6b3a0d9e77"}
removed:
  description: The files that were removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [acme-20261121T010000Z.manifest.json, acme-20261121T010000Z.dump]
code:
  description: A stable reason, such as V(POSTGRES_UNREACHABLE), V(DUMP), V(DUMPS_UNREACHABLE), V(S3_REFUSED), V(CHECKSUM) or V(BUSY).
  returned: failure
  type: str
  sample: DUMP
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import Order, take
from ansible_collections.odoo_ops.change_control.plugins.module_utils._gate import refuse_leaks, run_module, utc_now
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Folder, store_at
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import OPTIONS as S3_OPTIONS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._reader import READER_SPEC, reader

SPEC: dict[str, dict[str, Any]] = {
    "database": {"type": "str", "required": True},
    "location": {"type": "str", "required": True},
    "s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
    "keep": {"type": "int", "default": 0},
    "format": {"type": "str", "choices": ["custom", "directory"], "default": "custom"},
    "jobs": {"type": "int", "default": 1},
    "scratch": {"type": "path"},
    "pg_bin": {"type": "path"},
    "timeout_s": {"type": "int", "default": 21600},
    **READER_SPEC,
}


def refuse_what_does_not_fit(given: dict[str, Any]) -> None:
    keep, location, jobs = given["keep"], given["location"], given["jobs"]
    in_bucket, directory = location.startswith("s3://"), given["format"] == "directory"
    if keep < 0 or (keep and in_bucket):
        raise ChangeError(f"keep is {keep} and location {location}, wanted 0 for a bucket, and never less. Set it.", code="KEEP")
    if "/" in given["database"]:
        raise ChangeError(f"database is {given['database']!r}, wanted a name without a slash: it becomes a file's. Rename it.", code="NAME")
    if jobs < 1 or (jobs > 1 and not directory):
        raise ChangeError(f"jobs is {jobs} and format {given['format']}, wanted 1, or more with format directory. Set it.", code="JOBS")
    if bool(given["scratch"]) != (directory and in_bucket):
        raise ChangeError(
            f"scratch is {given['scratch'] or 'not given'}, format {given['format']} and location {location}, wanted a directory for a "
            "dump in directory format that goes to a bucket, and none else. Set it.",
            code="SCRATCH",
        )


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    refuse_what_does_not_fit(given)
    order = Order(
        reader(given, timeout_s=given["timeout_s"]),
        given["database"],
        store_at(given["location"], given["s3"]),
        keep=given["keep"],
        pg_bin=given["pg_bin"],
        jobs=given["jobs"] if given["format"] == "directory" else None,
        scratch=Folder(Path(given["scratch"]), "scratch") if given["scratch"] else None,
    )
    return take(order, now=utc_now, check=check)


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True), perform)


if __name__ == "__main__":
    main()
