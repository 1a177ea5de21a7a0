# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dumps of one database that lie in one place, each with a manifest that says what it has to be.

The manifest is written last, so that a dump without one was not finished; its own SHA-256 shows when somebody changed it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .checks import Check, rfc3339, some, unknown
from .instants import parse_instant
from .listed import Listed
from .stored_files import Found, Stored

SCHEMA = 1
DUMP, MANIFEST, UNFINISHED = ".dump", ".manifest.json", ".part"
GRACE_S = 600
"""For so long a dump may be without its manifest: whoever writes it is about to."""
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<database>.+)-(?P<at>[0-9]{8}T[0-9]{6}Z)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Dump:
    """One dump of a database in pg_dump's custom format. ``system_id`` is empty where the login may not ask for it."""

    database: str
    system_id: str
    version: str
    began: dt.datetime
    ended: dt.datetime
    size: int
    sha256: str

    @property
    def label(self) -> str:
        return label_of(self.database, self.began)

    @property
    def file(self) -> str:
        return self.label + DUMP


def label_of(database: str, began: dt.datetime) -> str:
    return f"{database}-{began.astimezone(dt.timezone.utc).strftime(_STAMP)}"


def began_of(label: str, database: str) -> dt.datetime | None:
    """When a dump of this database began, from its name; None for a name that is of another one."""
    found = _NAME.fullmatch(label)
    if not found or found["database"] != database:
        return None
    return dt.datetime.strptime(found["at"], _STAMP).replace(tzinfo=dt.timezone.utc)


def write_manifest(dump: Dump) -> bytes:
    told = {
        "schema": SCHEMA,
        "database": dump.database,
        "system_id": dump.system_id,
        "version": dump.version,
        "began": rfc3339(dump.began),
        "ended": rfc3339(dump.ended),
        "file": {"name": dump.file, "bytes": dump.size, "sha256": dump.sha256},
    }
    return (json.dumps({**told, "sha256": _own(told)}, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(data: bytes, label: str) -> Dump:
    """What :func:`write_manifest` wrote for this label; ValueError, with the reason, for anything else."""
    try:
        document = json.loads(data)
        own = document.pop("sha256")
        if own != _own(document):
            raise ValueError("it is not what its own checksum says")
        if document["schema"] != SCHEMA:
            raise ValueError(f"it is of schema {document['schema']}, wanted {SCHEMA}")
        file = document["file"]
        found = Dump(
            database=document["database"],
            system_id=document["system_id"],
            version=document["version"],
            began=parse_instant(document["began"]),
            ended=parse_instant(document["ended"]),
            size=int(file["bytes"]),
            sha256=file["sha256"],
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError("it is no manifest of a dump") from exc
    if (found.label, found.file) != (label, file["name"]) or not _SHA256.fullmatch(found.sha256):
        raise ValueError(f"it is of {found.label}")
    return found


def _own(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def labels(names: Iterable[str], database: str, suffix: str) -> list[str]:
    """The labels of this database's files with a suffix, the oldest first."""
    found = (name.removesuffix(suffix) for name in names if name.endswith(suffix))
    return sorted(label for label in found if began_of(label, database))


def listed(dump: Dump) -> Listed:
    return Listed(dump.label, dump.began, dump.ended, dump.size, dump.system_id, dump.version)


def judge_finished(database: str, stored: Mapping[str, Stored], *, now: dt.datetime) -> Check:
    """Has every dump its manifest? One without was not finished, or somebody has taken it away."""
    known = set(labels(stored, database, MANIFEST))
    late = [
        label
        for label in labels(stored, database, DUMP)
        if label not in known and (now - (began_of(label, database) or now)).total_seconds() > GRACE_S
    ]
    hint = "Remove them when a run of tenant_dump was killed; else find out who took the manifests away."
    return Check("dumps_finished", not late, {"without_manifest": late}, {"without_manifest": []}, hint if late else "", "INCOMPLETE")


def without(check: Check, unreadable: Sequence[str]) -> Check:
    """A check of the catalogue, from which manifests are missing that could not be read: what it lacks may stand in one of them."""
    if check.ok is not False or not unreadable:
        return check
    why = f"{len(unreadable)} manifests could not be read: {some(unreadable)}"
    return unknown(check.id, why, hint="Mend that, and run it again.", code="TOOL")


def noted(dump: Dump, stored: Mapping[str, Stored]) -> Found:
    """What the listing shows of a dump."""
    found, file = Found(f"dump_{dump.label}", files=1), stored.get(dump.file)
    if file is None:
        found.missing.append(dump.file)
    elif file.size != dump.size:
        found.short.append(dump.file)
    return found


def surplus(names: Iterable[str], database: str, keep: int) -> list[str]:
    """The files of all finished dumps but the newest ``keep``, the oldest first; of each the manifest first, so that none is half there."""
    if keep < 1:
        return []
    return [label + suffix for label in labels(names, database, MANIFEST)[:-keep] for suffix in (MANIFEST, DUMP)]


def unfinished(names: Iterable[str], database: str) -> list[str]:
    """Those of the files that a run began to write for this database, and did not end."""
    known = list(names)
    endings = [suffix + UNFINISHED for suffix in (DUMP, MANIFEST)]
    return sorted(label + ending for ending in endings for label in labels(known, database, ending))
