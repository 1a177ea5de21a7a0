# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether a filestore holds what its database names.

Odoo calls a file after the SHA-1 of its content, in a folder of the first digits: ``ab/abcdef...``. So a file never changes, and
its name says what must be in it. A file is written before the transaction that names it ends, and removed after the one that
forgets it, so only what is seen on both sides, some time apart, is missing or orphaned.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Proof, proved_lately
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check, none_of, some, unknown

LISTED = 20
"""So many names of each kind are told; all are counted."""
OF_ODOO = ("checklist/",)
"""What Odoo keeps beside the files: its list of what may be removed."""
_HASHED = re.compile(r"(?P<folder>[0-9a-f]{2,3})/(?P<sha1>[0-9a-f]{40})")


class Named(NamedTuple):
    """What the database says of a file: its bytes and its SHA-1, as far as it does."""

    size: int | None = None
    sha1: str | None = None


class Stored(NamedTuple):
    """What the filestore says of a file. ``at``: when it came there, in seconds since 1970. ``deleted``: hidden by a delete marker.
    ``version``: another one after each writing."""

    size: int
    at: float
    deleted: bool = False
    version: str = ""


@dataclass
class Found:
    """What is not as it should be. ``read``: how many files were hashed; ``remembered``: how many were proved by an earlier run."""

    named: int = 0
    stored: int = 0
    bytes: int = 0
    read: int = 0
    remembered: int = 0
    missing: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    corrupt: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    unprovable: list[str] = field(default_factory=list)
    unsafe: list[str] = field(default_factory=list)
    orphaned: list[str] = field(default_factory=list)
    orphaned_bytes: int = 0


def is_safe(name: str) -> bool:
    """Whether a name stays inside the filestore."""
    return bool(name) and "\0" not in name and all(part not in ("", ".", "..") for part in name.split("/"))


def sha1_of(name: str, named: Named) -> str | None:
    """What the content must hash to: what the name says, else what the database says; None when neither does."""
    hashed = _HASHED.fullmatch(name)
    if hashed and hashed["sha1"].startswith(hashed["folder"]):
        return hashed["sha1"]
    return named.sha1 or None


class Suspects(NamedTuple):
    """What two lists leave open, because users work meanwhile: the database and the filestore are asked again for these.

    ``absent``: named and not seen. ``odd``: of another size than the database says, which errs more often than a disk.
    ``extra``: seen and not named.
    """

    absent: list[str]
    odd: list[str]
    extra: list[str]


def compare(named: Mapping[str, Named], stored: Mapping[str, Stored], *, before: float) -> tuple[Found, Suspects]:
    """What the two lists say. What came after ``before`` may be named in a moment, so it is not extra."""
    found = Found(named=len(named), stored=len(stored), bytes=sum(file.size for file in stored.values()))
    found.unsafe = [name for name in named if not is_safe(name)]
    absent, odd = [], []
    for name in sorted(named.keys() - set(found.unsafe)):
        file, size = stored.get(name), named[name].size
        if file is None or file.deleted:
            absent.append(name)
        elif size is not None and file.size != size:
            odd.append(name)
    extra = [name for name, file in stored.items() if name not in named and not file.deleted and file.at < before]
    return found, Suspects(absent, odd, [name for name in extra if not name.startswith(OF_ODOO)])


def to_read(named: Mapping[str, Named], found: Found, suspects: Suspects, *, due: Collection[str]) -> list[str]:
    """The files to hash, in the order of their names: those that are due, and those whose size is odd. Notes those that cannot be
    proved."""
    odd = set(suspects.odd)
    names = {*due, *odd} - {*suspects.absent, *found.unsafe}
    unknown_hash = sorted(name for name in names if sha1_of(name, named[name]) is None)
    found.corrupt += [name for name in unknown_hash if name in odd]
    found.unprovable += [name for name in unknown_hash if name not in odd]
    return sorted(names - set(unknown_hash))


def judge(found: Found) -> list[Check]:
    """The checks of the files. Orphaned ones cost space and hurt nobody: they are counted only."""
    recover = f" {len(found.deleted)} of them have an older version in the bucket: remove their delete markers." if found.deleted else ""
    checks = [
        none_of(
            "attachments_present",
            found.missing,
            "FILESTORE_MISSING",
            f"Bring the files back from a backup of the filestore, or remove the attachments that name them.{recover}",
        ),
        none_of("attachments_intact", found.corrupt, "FILESTORE_CORRUPT", "Bring these files back: their bytes are not what was stored."),
    ]
    if found.unsafe:
        checks.append(none_of("attachments_inside", found.unsafe, "FILESTORE_UNSAFE", "Somebody wrote these names; find out who."))
    if not found.named:
        why = "the database names no file at all"
        checks.append(unknown("attachments_named", why, hint="Check database and tenant.", code="FILESTORE_EMPTY"))
    if found.unreadable:
        why = f"{len(found.unreadable)} files could not be read: {some(found.unreadable)}"
        checks.append(unknown("attachments_read", why, hint="Mend that, and run it again.", code="FILESTORE_UNREADABLE"))
    if found.unprovable:
        why = f"neither name nor database tells the hash of {len(found.unprovable)} files: {some(found.unprovable)}"
        checks.append(unknown("attachments_hashed", why, hint="Have Odoo store these attachments anew.", code="FILESTORE_UNPROVABLE"))
    return checks


def judge_age(last: Proof | None, *, now: dt.datetime, max_age_s: int) -> Check:
    """Was every file that the database names proved recently, by a run that reads them?"""
    told = {"check_id": "filestore_read_age_s", "what": "reading of the filestore", "code": "FILESTORE_STALE"}
    return proved_lately(last, now=now, max_age_s=max_age_s, hint="Run the playbook backup_verify for this tenant.", **told)


def told(found: Found) -> dict[str, Any]:
    """What the gate returns besides: every kind counted, and the first names of each."""
    kinds = ("missing", "deleted", "corrupt", "unreadable", "unprovable", "unsafe", "orphaned")
    counts: dict[str, Any] = {name: getattr(found, name) for name in ("named", "stored", "bytes", "read", "remembered", "orphaned_bytes")}
    return {**counts, **{kind: {"count": len(getattr(found, kind)), "names": getattr(found, kind)[:LISTED]} for kind in kinds}}
