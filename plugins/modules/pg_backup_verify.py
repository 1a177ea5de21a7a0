#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gate: are the backups of one PostgreSQL cluster good enough to change something that they protect?"""

from __future__ import annotations

DOCUMENTATION = r"""
module: pg_backup_verify
short_description: Prove that the newest PostgreSQL backup can be relied upon
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
description:
  - Reads the catalogue of a backup repository and judges it. The newest backup must be there, whole, fresh, not from the future,
    of the right server, and have all that it builds upon.
  - Computes from the listing whether the archived WAL is without a gap from the oldest retained backup to the newest segment, over
    timelines, because pgBackRest's own commands C(info), C(check) and C(verify) do not report a segment that was deleted in mid chain.
  - With O(depth=checksums) and O(depth=full) the files of every repository are read and compared with the checksums that pgBackRest
    wrote down. A repository in a folder of this host, which O(config) names, is read directly, every other one through pgBackRest.
  - What only pgBackRest can read, such as blocks without checksums or a compression without its Python package, C(pgbackrest verify)
    reads, all of it each time, with a warning. It exits 0 on a corrupt repository, so its report is read and its exit code is not believed.
  - Returns the window in which any instant can be restored.
  - What could not be told gives the verdict V(unknown), which does not pass.
attributes:
  check_mode:
    description: Can run in check mode and return the same result, because it only reads.
    support: full
  diff_mode:
    description: Returns details on what has changed when in diff mode.
    support: none
    details: Nothing is changed.
  idempotent:
    description: A second run gives the same result as long as the repository is the same.
    support: full
options:
  engine:
    description:
      - What wrote the backups.
      - V(dump) is for dumps of one database by M(odoo_ops.change_control.tenant_dump), which are proved by their manifests. Options about
        WAL and copies have no meaning then, and each dump is a full backup.
      - V(barman) is for one server of Barman, in O(location). Its backups are proved by the manifests that PostgreSQL, or
        C(barman generate-manifest), wrote, and its archive of WAL record by record.
      - V(basebackup) is for backups that C(pg_basebackup) wrote, plain or as tar, the latter also compressed by gzip, lz4 or zstd. They
        are proved by their manifests, and the WAL in them record by record. Their age counts from when they began, because that
        is all that they tell. A backup without the WAL that it needs, or without checksums, does not pass.
    type: str
    choices: [pgbackrest, barman, dump, basebackup]
    default: pgbackrest
  stanza:
    description: The stanza of the cluster. Required with O(engine=pgbackrest).
    type: str
  database:
    description: The database whose dumps these are. Required with O(engine=dump).
    type: str
  location:
    description:
      - Where the dumps or base backups lie. Required with every O(engine) but V(pgbackrest).
      - Dumps lie in a directory of the host or in C(s3://bucket/prefix). Base backups lie in a directory of the host, which is one of them
        or has a directory for each. Of Barman it is the server's directory in Barman's home, with C(base) and C(wals) in it.
    type: str
  config:
    description: Path of pgBackRest's configuration file. Without it pgBackRest, or the wrapper in O(command), uses its own.
    type: path
  command:
    description:
      - The executable of pgBackRest, or a wrapper that takes the same arguments.
      - It runs as the user of the task.
    type: path
    default: pgbackrest
  depth:
    description:
      - V(catalogue) reads the catalogue and the listing of the archive. It takes seconds and belongs before every change.
      - V(checksums) also reads the content of the whole repository; with O(state) only what was not proved since it was written, and
        O(sample) of what was.
      - V(full) reads all of it, and remembers it in O(state), if that is given.
    type: str
    choices: [catalogue, checksums, full]
    default: catalogue
  object_store:
    description:
      - What the bucket has to promise in which the backups lie, with O(engine=pgbackrest), or the dumps, with O(engine=dump). Not looked at
        when it is not given.
      - It has to be versioned, and no lifecycle rule may remove what is still wanted. Objects that the catalogue names, or that WAL
        continuity needs, and that a delete marker hides, are named; their older version can be brought back.
      - The identity in O(s3) has to be allowed to read the bucket's settings and to list its versions.
    type: dict
    suboptions:
      bucket:
        description: The bucket of pgBackRest's repository. Dumps lie in that of O(location).
        type: str
      prefix:
        description: Where in the bucket the repository is, as C(repo1-path) in pgBackRest's configuration.
        type: str
      repo:
        description: Which of pgBackRest's repositories it is.
        type: int
        default: 1
      retention:
        description:
          - For how long everything must stay, ISO 8601. A lifecycle rule may remove objects when they are as old as this, and old
            versions when they have been so for as long.
          - Without it no rule may remove objects, and how long old versions stay is not asked.
          - With O(engine=dump) a dump that was deleted when it was younger is named as well.
        type: str
      lock:
        description: The mode of object lock that the bucket must have by default; V(compliance) satisfies V(governance).
        type: str
        choices: [governance, compliance]
      lock_for:
        description: For how long the bucket must lock objects by default, ISO 8601.
        type: str
      encrypted:
        description: Whether pgBackRest has to encrypt the repository, or else the bucket what is written to it.
        type: bool
        default: false
  max_age:
    description: The newest backup may not have ended longer ago than this ISO 8601 duration.
    type: str
    default: P1DT2H
  max_wal_age:
    description:
      - The newest archived WAL segment may not be older than this ISO 8601 duration. Not checked when it is not given.
      - A cluster that nobody writes to archives nothing unless C(archive_timeout) is set.
    type: str
  wal_from:
    description:
      - V(oldest) wants the archive whole from the oldest retained backup on, so that every instant since then can be reached.
      - V(newest) wants it whole from the newest backup on. Choose this when C(repo-retention-archive) expires WAL on purpose. Every
        retained backup's own segments are wanted in both cases.
    type: str
    choices: [oldest, newest]
    default: oldest
  schedule:
    description:
      - When backups are due. Each time has to have a backup that began then, or at least before the next one was due; so a missed one is
        found although the newest one is young.
      - It is asked from the oldest retained backup on.
    type: dict
    suboptions:
      rrule:
        description: An RFC 5545 recurrence rule, such as V(FREQ=DAILY;BYHOUR=2;BYMINUTE=30). It starts on Monday, 2024-01-01.
        type: str
        required: true
      timezone:
        description: The zone of its times.
        type: str
        default: UTC
      kind:
        description: What has to be taken then. A V(full) backup stands for a V(diff) one, and both for an V(incr) one.
        type: str
        choices: [full, diff, incr]
        default: incr
      tolerance:
        description: A backup is not missed before so long a time after it was due, ISO 8601.
        type: str
        default: PT1H
      look_back:
        description: How far back it is asked, ISO 8601.
        type: str
        default: P2D
  retention:
    description: How much has to be kept.
    type: dict
    suboptions:
      full:
        description: At least so many full backups in each repository.
        type: int
      window:
        description: Every instant of so long a time before now can be restored, ISO 8601.
        type: str
  copies:
    description: In so many repositories there has to be a backup that is whole and not older than O(max_age).
    type: int
    default: 1
  max_drill_age:
    description: The last restore drill must have passed within this ISO 8601 duration. Not checked when it is not given.
    type: str
  last_drill:
    description: The last restore drill of this cluster. Not given means that there was none.
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
      rto_s:
        description: In how many seconds it had the cluster back.
        type: float
      rpo_s:
        description: How many seconds of the latest work that lacked.
        type: float
      size_bytes:
        description: How large the backup was that it restored.
        type: int
  max_rto:
    description:
      - The last restore drill had the cluster back within this ISO 8601 duration, and so would one of today, if a restore takes as long per
        byte as it did then. Not checked when it is not given.
    type: str
  max_rpo:
    description:
      - What the last restore drill brought back lacked at most so much of the latest work, ISO 8601. Not checked when it is not given.
    type: str
  max_read_age:
    description:
      - The last run with O(depth=checksums) must have passed within this ISO 8601 duration. Not checked when it is not given.
      - So the content is proved by a schedule, and the run before a change takes seconds.
    type: str
  last_read:
    description: The last run with O(depth=checksums) over this repository. Not given means that there was none.
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
  expect:
    description: Whose backups these must be. What is not given is not compared with anything but the repository itself.
    type: dict
    suboptions:
      system_id:
        description: PostgreSQL's system identifier, as C(pg_controldata) prints it.
        type: str
      version:
        description: PostgreSQL's major version, such as V(15).
        type: str
  timeout:
    description: How long one command that reads the catalogue may take, as an ISO 8601 duration.
    type: str
    default: PT1M
  checksums_timeout:
    description: How long reading everything may take with O(depth=checksums), as an ISO 8601 duration.
    type: str
    default: PT6H
extends_documentation_fragment:
  - odoo_ops.change_control.s3
  - odoo_ops.change_control.others
  - odoo_ops.change_control.memory
  - odoo_ops.change_control.gate
seealso:
  - module: odoo_ops.change_control.restore_drill
requirements:
  - Python 3.11 or later on the host
  - pgBackRest 2.36 or later on the host, with O(engine=pgbackrest)
  - google-crc32c on the host, with O(engine=basebackup) and O(engine=barman)
"""

EXAMPLES = r"""
- name: The shared cluster has a backup of today and WAL without a gap
  odoo_ops.change_control.pg_backup_verify:
    stanza: shared
    config: /etc/pgbackrest/pgbackrest.conf
  become: true
  become_user: postgres

- name: Everything in the repository has its checksum, the server is ours, and a restore was proved this month
  odoo_ops.change_control.pg_backup_verify:
    stanza: dedicated
    depth: checksums
    max_age: P1D
    max_wal_age: PT15M
    max_drill_age: P30D
    max_rto: PT2H
    max_rpo: PT15M
    last_drill:
      at: "2026-11-20T03:10:00Z"
      verdict: pass
      rto_s: 1840.5
      rpo_s: 42
      size_bytes: 81205043200
    expect:
      system_id: "7710495708284763597"
      version: "15"
  register: backups

- name: Last night's backup was taken, last Sunday's full one too, and two weeks can be restored from two places
  odoo_ops.change_control.pg_backup_verify:
    stanza: shared
    schedule:
      rrule: FREQ=DAILY;BYHOUR=2;BYMINUTE=30
      timezone: Europe/Brussels
    retention:
      full: 2
      window: P14D
    copies: 2

- name: The bucket keeps what is deleted for a month, locks it for a week, and nobody has deleted anything that is needed
  odoo_ops.change_control.pg_backup_verify:
    stanza: shared
    object_store:
      bucket: backups
      prefix: pgbackrest/shared
      retention: P30D
      lock: governance
      lock_for: P7D
      encrypted: true
    s3:
      endpoint_url: https://s3.example.com
      access_key: backup
      secret_key: "{{ vault_backup }}"

- name: The dumps of acme, by an identity that sees no other tenant's
  odoo_ops.change_control.pg_backup_verify:
    engine: dump
    database: acme
    location: s3://dumps/acme
    s3:
      endpoint_url: https://s3.example.com
      access_key: acme
      secret_key: "{{ vault_acme_s3 }}"
    others:
      - {bucket: dumps, prefix: zeta, object: here}

- name: What Barman keeps of this server is whole, and its archive reaches to a quarter of an hour ago
  odoo_ops.change_control.pg_backup_verify:
    engine: barman
    location: /var/lib/barman/dedicated
    depth: checksums
    state: /var/lib/odoo-change-control/barman.proved
    max_wal_age: PT15M
  become: true
  become_user: barman

- name: Last night's base backup has every file that PostgreSQL wrote down, and WAL to be started with
  odoo_ops.change_control.pg_backup_verify:
    engine: basebackup
    location: /srv/basebackups/dedicated
    depth: checksums
    state: /var/lib/odoo-change-control/basebackups.proved

- name: Say which instants can be restored
  ansible.builtin.debug:
    var: backups.pitr_window
"""

RETURN = r"""
changed:
  description: Always V(false), because nothing is changed.
  returned: always
  type: bool
  sample: false
verdict:
  description: V(pass), V(fail) or V(unknown).
  returned: always
  type: str
  sample: fail
msg:
  description: What was looked at, what was seen, what was wanted, and what to do.
  returned: always
  type: str
  sample: "stanza shared: wal_continuity is 000000010000000000000005 missing, wanted no gap. Take a full backup now: what lies before
    a gap cannot be rolled forward over it."
evidence:
  description:
    - The checks, each with id, ok, observed, expected, hint and code.
    - Codes are NO_BACKUP, INCOMPLETE, AGE, FUTURE, REFERENCE_MISSING, SYSTEM_ID, WAL_GAP, WAL_FORK, WAL_HISTORY, WAL_DUPLICATE,
      WAL_AGE, SCHEDULE, RETENTION, MISSING_COPY, CHECKSUM, READ_STALE, RESTORE_STALE, RTO, RTO_GROWN, RPO, TOOL (it could not be
      told) and DECODER (nothing here can read it).
    - Of a bucket they are BUCKET_NOT_VERSIONED, BUCKET_EXPIRES, BUCKET_RETENTION, BUCKET_NOT_LOCKED, BUCKET_NOT_ENCRYPTED, BUCKET_DELETED,
      SEGREGATION and SEGREGATION_UNKNOWN; where it did not answer, S3_REFUSED, S3_UNREACHABLE and S3_NOT_FOUND.
  returned: always
  type: dict
  sample: {"schema": 1, "subject": "stanza shared", "measured_at": "2026-11-21T05:53:52Z", "checks": [
    {"id": "wal_continuity", "ok": false, "observed": "000000010000000000000005 missing", "expected": "no gap",
     "hint": "Take a full backup now.", "code": "WAL_GAP"}]}
pitr_window:
  description: The earliest and the latest instant that can be restored, both null when none can.
  returned: always
  type: dict
  sample: {"earliest": "2026-11-21T05:41:21Z", "latest": "2026-11-21T05:53:55Z"}
backup:
  description: The newest backup, null when there is none.
  returned: always
  type: dict
  sample: {"label": "20261121-054120F", "type": "full", "start": "2026-11-21T05:41:20Z", "stop": "2026-11-21T05:41:21Z",
    "lsn": {"start": "0/2000028", "stop": "0/2000100"}, "wal": {"start": "000000010000000000000002", "stop": "000000010000000000000002"},
    "size_bytes": 22992580, "references": [], "repo": 1, "system_id": "7710495708284763597", "version": "15"}
content:
  description:
    - For each part that was read, how many files it has, how many were read, of how many bytes, and remembered, and the first names of
      those that are not as they should be.
    - Parts are C(documents_REPO), C(backup_LABEL) and C(wal_ARCHIVE); of dumps C(manifests) and C(dump_LABEL); of base backups
      C(manifests), C(basebackup_LABEL) and C(wal_LABEL); of Barman C(documents), C(backup_LABEL) and C(wal).
  returned: with O(depth=checksums) and O(depth=full)
  type: dict
  sample: {"documents_1": {"files": 4, "read": 4, "remembered": 0, "read_bytes": 0},
    "backup_20261121-054120F": {"files": 14, "read": 2, "remembered": 10, "read_bytes": 53021,
      "corrupt": {"count": 1, "names": ["backup/shared/20261121-054120F/bundle/2: pg_data/base/5/1259"]}}}
wal:
  description: What the archive holds, with the first gaps. Empty when it was not read.
  returned: always
  type: dict
  sample: {"timeline": 1, "segments": 8, "segment_bytes": 16777216, "newest": "000000010000000000000009",
    "newest_at": "2026-11-21T05:41:25Z", "missing": 1,
    "gaps": [{"first": "000000010000000000000005", "last": "000000010000000000000005", "count": 1}]}
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._backup_gate import Limits, judge_proofs, judge_repository
from ansible_collections.odoo_ops.change_control.plugins.module_utils._barman import judge_barman
from ansible_collections.odoo_ops.change_control.plugins.module_utils._basebackups import judge_basebackups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup_policy import Retention, parse_schedule
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import Drilled
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import rounds_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import judge_dumps
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
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import store_at
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest, command_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import OPTIONS as S3_OPTIONS
from ansible_collections.odoo_ops.change_control.plugins.module_utils._memory import MEMORY_SPEC, remembered
from ansible_collections.odoo_ops.change_control.plugins.module_utils._object_store import OBJECT_STORE_SPEC, OTHERS_SPEC, place_of

DRILLED: dict[str, Any] = {"rto_s": {"type": "float"}, "rpo_s": {"type": "float"}, "size_bytes": {"type": "int"}}
SPEC: dict[str, dict[str, Any]] = {
    "engine": {"type": "str", "choices": ["pgbackrest", "barman", "dump", "basebackup"], "default": "pgbackrest"},
    "stanza": {"type": "str"},
    "database": {"type": "str"},
    "location": {"type": "str"},
    "s3": {"type": "dict", "default": {}, "options": S3_OPTIONS},
    "config": {"type": "path"},
    "command": {"type": "path", "default": "pgbackrest"},
    "depth": {"type": "str", "choices": ["catalogue", "checksums", "full"], "default": "catalogue"},
    **MEMORY_SPEC,
    "object_store": OBJECT_STORE_SPEC,
    "others": OTHERS_SPEC,
    "max_age": {"type": "str", "default": "P1DT2H"},
    "max_wal_age": {"type": "str"},
    "wal_from": {"type": "str", "choices": ["oldest", "newest"], "default": "oldest"},
    "schedule": {
        "type": "dict",
        "options": {
            "rrule": {"type": "str", "required": True},
            "timezone": {"type": "str", "default": "UTC"},
            "kind": {"type": "str", "choices": ["full", "diff", "incr"], "default": "incr"},
            "tolerance": {"type": "str", "default": "PT1H"},
            "look_back": {"type": "str", "default": "P2D"},
        },
    },
    "retention": {"type": "dict", "options": {"full": {"type": "int"}, "window": {"type": "str"}}},
    "copies": {"type": "int", "default": 1},
    "max_drill_age": {"type": "str"},
    "last_drill": {"type": "dict", "options": {**PROOF_SPEC["options"], **DRILLED}},
    "max_rto": {"type": "str"},
    "max_rpo": {"type": "str"},
    "max_read_age": {"type": "str"},
    "last_read": PROOF_SPEC,
    "expect": {"type": "dict", "options": {"system_id": {"type": "str"}, "version": {"type": "str"}}},
    "timeout": {"type": "str", "default": "PT1M"},
    "checksums_timeout": {"type": "str", "default": "PT6H"},
    **GATE_SPEC,
}
RULES: dict[str, Any] = {
    "required_if": [
        ("engine", "pgbackrest", ("stanza",)),
        ("engine", "dump", ("database", "location")),
        ("engine", "basebackup", ("location",)),
        ("engine", "barman", ("location",)),
    ]
}
OF_PGBACKREST = ("stanza", "config", "copies")
OF_A_BUCKET = ("object_store", "others")
WITHOUT_MEANING = {
    "pgbackrest": (),
    "barman": (*OF_PGBACKREST, *OF_A_BUCKET, "database"),
    "dump": (*OF_PGBACKREST, "max_wal_age"),
    "basebackup": (*OF_PGBACKREST, *OF_A_BUCKET, "database", "max_wal_age"),
}
"""Options that say nothing about what an engine wrote."""

OF_A_DIRECTORY = {"barman": judge_barman, "basebackup": judge_basebackups}


def limits(given: dict[str, Any]) -> Limits:
    """The options as numbers and times; ValueError for one that is not understood."""

    return Limits(
        max_age_s=seconds(given, "max_age") or 0,
        max_wal_age_s=seconds(given, "max_wal_age"),
        max_drill_age_s=seconds(given, "max_drill_age"),
        last_drill=proof(given["last_drill"]),
        max_rto_s=seconds(given, "max_rto"),
        max_rpo_s=seconds(given, "max_rpo"),
        drilled=Drilled(*(given["last_drill"][name] for name in DRILLED)) if given["last_drill"] else None,
        max_read_age_s=seconds(given, "max_read_age"),
        last_read=proof(given["last_read"]),
        expect={key: value for key, value in (given["expect"] or {}).items() if value},
        whole_window=given["wal_from"] == "oldest",
        schedule=parse_schedule(given["schedule"]) if given["schedule"] else None,
        retention=Retention(given["retention"]["full"], seconds(given["retention"], "window")) if given["retention"] else None,
        copies=given["copies"],
        checksums_s=None if given["depth"] == "catalogue" else seconds(given, "checksums_timeout") or 0,
        config=given["config"],
        rounds=1 if given["depth"] == "full" else rounds_of(given["sample"]),
        timeout_s=seconds(given, "timeout") or 0,
    )


def perform(given: dict[str, Any], check: bool) -> dict[str, Any]:
    at, engine = utc_now(), given["engine"]
    if odd := [name for name in WITHOUT_MEANING[engine] if given[name] != SPEC[name].get("default")]:
        raise ChangeError(f"{', '.join(odd)} given, wanted only what has a meaning for engine {engine}. Leave out, or correct engine.")
    store = store_at(given["location"], given["s3"]) if engine == "dump" else None
    subject = {
        "pgbackrest": f"stanza {given['stanza']}",
        "dump": f"dumps of {given['database']} at {store}",
        "basebackup": f"base backups in {given['location']}",
        "barman": f"server {Path(given['location'] or '').name} of Barman",
    }[engine]
    try:
        memory = remembered(given, f"repositories of {subject}" if engine == "pgbackrest" else subject)
        place = place_of(given, store.where if store else None)
        wanted = replace(limits(given), memory=memory.proved if memory.place else None, place=place)
    except ValueError as exc:
        raise ChangeError(str(exc)) from exc
    if store:
        checks, found = judge_dumps(store, given["database"], wanted, now=at)
    elif engine in OF_A_DIRECTORY:
        checks, found = OF_A_DIRECTORY[engine](Path(given["location"]), wanted, now=at)
    else:
        tool = Pgbackrest(command_of(given["command"], given["config"]), timeout_s=wanted.timeout_s)
        checks, found = judge_repository(tool, given["stanza"], wanted, now=at)
    checks += judge_proofs(wanted, found["backup"], now=at)
    warnings, proved = [*memory.warnings, *found.pop("warnings", [])], found.pop("proved", None)
    warnings += [] if check else memory.keep(proved, at=at)
    return gate_result(subject, checks, at=at, enforce=given["enforce"], warnings=warnings, **found)


def main() -> None:
    refuse_leaks(SPEC)
    run_module(AnsibleModule(argument_spec=SPEC, supports_check_mode=True, **RULES), perform)


if __name__ == "__main__":
    main()
