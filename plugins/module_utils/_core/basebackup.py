# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a base backup has to hold, by the manifest that PostgreSQL wrote with it.

Source: PostgreSQL's documentation, "Backup Manifest Format". The manifest's own SHA-256 is over all of it up to its last line.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from .stored_files import Found, Stored
from .wal import parse_lsn, segment_name

VERSIONS = (1, 2)
NAME, LABEL = "backup_manifest", "backup_label"
WAL = "pg_wal/"
IGNORED = ("postgresql.auto.conf", "standby.signal", "recovery.signal")
"""What pg_basebackup writes itself after the server has told what there is."""


class File(NamedTuple):
    """A file's bytes, and the checksum over them in hexadecimal digits; ``algorithm`` is empty where none was taken."""

    size: int
    algorithm: str
    checksum: str


class Range(NamedTuple):
    """WAL without which the backup cannot be made consistent: from one LSN up to, and without, another."""

    timeline: int
    start: int
    end: int

    def segments(self, size: int) -> list[str]:
        """The names of the files that hold it, each of so many bytes."""
        return [segment_name(self.timeline, number, size) for number in range(self.start // size, (self.end - 1) // size + 1)]


@dataclass(frozen=True)
class Manifest:
    """``began``: when the server wrote the backup's label. ``system_id`` is told from PostgreSQL 17 on.

    Manifests of Barman have no ``ranges``, and their times are local ones.
    """

    files: Mapping[str, File]
    ranges: tuple[Range, ...]
    began: dt.datetime
    system_id: str = ""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files.values())

    @property
    def unproved(self) -> list[str]:
        """Files that have no checksum, because the backup was taken with ``--manifest-checksums=none``."""
        return [path for path, file in self.files.items() if not file.algorithm]


def read_manifest(data: bytes) -> Manifest:
    """ValueError, with the reason, for a manifest that is damaged, or that cannot be understood."""
    head, newline, last = data.rstrip(b"\n").rpartition(b"\n")
    own = hashlib.sha256(head + newline).hexdigest()
    began: list[str] = []
    try:
        if json.loads(b"{" + last)["Manifest-Checksum"] != own:
            raise ValueError("it is not what its own checksum says")
        document = json.loads(data, object_hook=_compact(began))
        version = document["PostgreSQL-Backup-Manifest-Version"]
        if version not in VERSIONS:
            raise ValueError(f"it is of version {version}, wanted one of {', '.join(map(str, VERSIONS))}")
        files = dict(document["Files"])
        told = document.get("WAL-Ranges", ())
        ranges = tuple(Range(one["Timeline"], parse_lsn(one["Start-LSN"]), parse_lsn(one["End-LSN"])) for one in told)
        system_id = str(document.get("System-Identifier", ""))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as exc:
        raise ValueError("it is no manifest of a base backup") from exc
    if len(files) != len(document["Files"]):
        raise ValueError("it names a file twice")
    if not began:
        raise ValueError(f"it does not name {LABEL}")
    return Manifest(files, ranges, _instant(began[0]), system_id)


def _compact(began: list[str]) -> Callable[[dict[str, Any]], Any]:
    """Turns each entry of a file into what is needed of it while the document is parsed: a manifest may name millions."""

    def hook(entry: dict[str, Any]) -> Any:
        if "Size" not in entry:
            return entry
        path = entry["Path"] if "Path" in entry else bytes.fromhex(entry["Encoded-Path"]).decode(errors="surrogateescape")
        if path == LABEL:
            began.append(entry["Last-Modified"])
        return path, File(int(entry["Size"]), entry.get("Checksum-Algorithm", ""), entry.get("Checksum", ""))

    return hook


def _instant(text: str) -> dt.datetime:
    return dt.datetime.strptime(text.removesuffix(" GMT"), "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.timezone.utc)


def needs_parent(manifest: Manifest) -> bool:
    """Whether this is an incremental backup, which only its parents make whole."""
    return any(path.rpartition("/")[2].startswith("INCREMENTAL.") for path in manifest.files)


def expected(manifest: Manifest) -> dict[str, File]:
    """The files that have to be as the manifest says."""
    return {path: file for path, file in manifest.files.items() if path not in IGNORED}


def is_judged(path: str) -> bool:
    """Whether a file that lies in the backup has to be in the manifest."""
    return path not in (NAME, *IGNORED) and not path.startswith(WAL)


def noted(manifest: Manifest, stored: Mapping[str, Stored], found: Found) -> list[str]:
    """What the listing shows of a backup that lies there as files, and which of them are left to read."""
    wanted, due = expected(manifest), []
    found.files += len(wanted)
    for path, file in wanted.items():
        if path not in stored:
            found.missing.append(path)
        elif stored[path].size != file.size:
            found.short.append(path)
        else:
            due.append(path)
    found.extra += extra(wanted, stored)
    return due


def extra(wanted: Mapping[str, File], there: Iterable[str]) -> list[str]:
    """What lies there and is not in the manifest: PostgreSQL would take it for a part of the cluster."""
    return sorted(path for path in there if is_judged(path) and path not in wanted)
