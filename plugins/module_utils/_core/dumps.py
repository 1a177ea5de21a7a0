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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .checks import Check, rfc3339, some, unknown
from .instants import parse_instant
from .listed import Listed
from .stored_files import Found, Stored

SCHEMAS = {False: 1, True: 2}
"""Of the manifest of one file, and of a directory."""
DUMP, DIRECTORY, MANIFEST, UNFINISHED = ".dump", ".dir", ".manifest.json", ".part"
GRACE_S = 600
"""For so long a dump may be without its manifest: whoever writes it is about to."""
_STAMP = "%Y%m%dT%H%M%SZ"
_NAME = re.compile(r"(?P<database>.+)-(?P<at>[0-9]{8}T[0-9]{6}Z)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PLAIN = re.compile(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-]")


class File(NamedTuple):
    """A file of a dump, named from the dumps' place on."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Dump:
    """One dump of a database, a file in pg_dump's custom format, or, with ``files``, a directory in its directory format.

    ``system_id`` is empty where the login may not ask for it.
    """

    database: str
    system_id: str
    version: str
    began: dt.datetime
    ended: dt.datetime
    size: int
    sha256: str
    files: tuple[File, ...] = ()

    @property
    def label(self) -> str:
        return label_of(self.database, self.began)

    @property
    def file(self) -> str:
        """The file, or the directory."""
        return self.label + (DIRECTORY if self.files else DUMP)

    @property
    def parts(self) -> tuple[File, ...]:
        return self.files or (File(self.file, self.size, self.sha256),)


Told = tuple[str, str, str, dt.datetime, dt.datetime]
"""What comes before a dump's size."""


def of_directory(files: Iterable[File], told: Told) -> Dump:
    """A dump in directory format. Its checksum is that of all checksums."""
    known = tuple(sorted(files))
    sums = "".join(f"{file.sha256}  {file.name.rpartition('/')[2]}\n" for file in known)
    return Dump(*told, sum(file.size for file in known), hashlib.sha256(sums.encode()).hexdigest(), known)


def document(dump: Dump) -> dict[str, Any]:
    """What is returned of a dump."""
    return {
        "label": dump.label,
        "file": dump.file,
        "files": len(dump.parts),
        "began": rfc3339(dump.began),
        "ended": rfc3339(dump.ended),
        "size_bytes": dump.size,
        "sha256": dump.sha256,
        "version": dump.version,
    }


def label_of(database: str, began: dt.datetime) -> str:
    return f"{database}-{began.astimezone(dt.timezone.utc).strftime(_STAMP)}"


def began_of(label: str, database: str) -> dt.datetime | None:
    """When a dump of this database began, from its name; None for a name that is of another one."""
    found = _NAME.fullmatch(label)
    if not found or found["database"] != database:
        return None
    return dt.datetime.strptime(found["at"], _STAMP).replace(tzinfo=dt.timezone.utc)


def write_manifest(dump: Dump) -> bytes:
    told: dict[str, Any] = {
        "schema": SCHEMAS[bool(dump.files)],
        "database": dump.database,
        "system_id": dump.system_id,
        "version": dump.version,
        "began": rfc3339(dump.began),
        "ended": rfc3339(dump.ended),
        "file": {"name": dump.file, "bytes": dump.size, "sha256": dump.sha256},
    }
    if dump.files:
        told["files"] = {file.name.rpartition("/")[2]: {"bytes": file.size, "sha256": file.sha256} for file in dump.files}
    return (json.dumps({**told, "sha256": _own(told)}, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(data: bytes, label: str) -> Dump:
    """What :func:`write_manifest` wrote for this label; ValueError, with the reason, for anything else."""
    try:
        document = json.loads(data)
        own = document.pop("sha256")
        if own != _own(document):
            raise ValueError("it is not what its own checksum says")
        if document["schema"] != SCHEMAS["files" in document]:
            raise ValueError(f"it is of schema {document['schema']}, wanted {SCHEMAS['files' in document]}")
        file = document["file"]
        times = parse_instant(document["began"]), parse_instant(document["ended"])
        told: Told = (document["database"], document["system_id"], document["version"], *times)
        if "files" in document:
            found = of_directory(_files(document["files"], label), told)
        else:
            found = Dump(*told, int(file["bytes"]), file["sha256"])
        seen = (found.label, found.file, found.size, found.sha256)
    except (KeyError, TypeError, AttributeError) as exc:
        raise ValueError("it is no manifest of a dump") from exc
    if seen != (label, file["name"], file["bytes"], file["sha256"]) or not all(_SHA256.fullmatch(part.sha256) for part in found.parts):
        raise ValueError(f"it is of {found.label}")
    return found


def _files(told: Mapping[str, Any], label: str) -> Iterator[File]:
    if not told or not all(_PLAIN.fullmatch(name) for name in told):
        raise ValueError("it names no files, or files elsewhere")
    for name, file in told.items():
        yield File(f"{label}{DIRECTORY}/{name}", int(file["bytes"]), file["sha256"])


def _own(told: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def labels(names: Iterable[str], database: str, suffix: str) -> list[str]:
    """The labels of this database's files or directories with a suffix, the oldest first."""
    found = {name.removesuffix(suffix) for name in _tops(names) if name.endswith(suffix)}
    return sorted(label for label in found if began_of(label, database))


def _tops(names: Iterable[str]) -> set[str]:
    """What lies in the dumps' place itself: files, and directories for what is in them."""
    return {name.partition("/")[0] for name in names}


def is_taken(names: Iterable[str], label: str) -> bool:
    """Whether something is there of a dump of this label."""
    return not _tops(names).isdisjoint({label + DUMP, label + DIRECTORY})


def listed(dump: Dump) -> Listed:
    return Listed(dump.label, dump.began, dump.ended, dump.size, dump.system_id, dump.version)


def judge_finished(database: str, stored: Mapping[str, Stored], *, now: dt.datetime) -> Check:
    """Has every dump its manifest? One without was not finished, or somebody has taken it away."""
    known = set(labels(stored, database, MANIFEST))
    late = [
        label
        for label in sorted({label for suffix in (DUMP, DIRECTORY) for label in labels(stored, database, suffix)})
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
    found = Found(f"dump_{dump.label}", files=len(dump.parts))
    for part in dump.parts:
        file = stored.get(part.name)
        if file is None:
            found.missing.append(part.name)
        elif file.size != part.size:
            found.short.append(part.name)
    if dump.files:
        found.extra = sorted({name for name in stored if name.startswith(f"{dump.file}/")} - {part.name for part in dump.parts})
    return found


def surplus(names: Iterable[str], database: str, keep: int) -> list[str]:
    """The files and directories of all finished dumps but the newest ``keep``, the oldest first; of each the manifest first, so that
    none is half there."""
    if keep < 1:
        return []
    there = _tops(names)
    return [
        label + suffix
        for label in labels(there, database, MANIFEST)[:-keep]
        for suffix in (MANIFEST, DIRECTORY if label + DIRECTORY in there else DUMP)
    ]


def unfinished(names: Iterable[str], database: str) -> list[str]:
    """Those of the files and directories that a run began to write for this database, and did not end."""
    known = list(names)
    endings = [suffix + UNFINISHED for suffix in (DUMP, DIRECTORY, MANIFEST)]
    return sorted(label + ending for ending in endings for label in labels(known, database, ending))
