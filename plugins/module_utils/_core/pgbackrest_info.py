# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What pgBackRest's own documents say of a repository: ``archive.info``, ``backup.info`` and the manifest of every backup.

Each is an INI file whose values are JSON, ends with a SHA-1 over all that comes before, and has a copy. The manifest names every
file of a backup, where its content is, and the SHA-1 of that content (``checksum``), newer ones also of what is stored (``rck``).
Source: pgBackRest's ``src/info/info.c`` and ``src/info/manifest.c``, and documents that 2.45 wrote.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

SUFFIXES = {"none": "", "gz": ".gz", "lz4": ".lz4", "zst": ".zst", "bz2": ".bz2"}
"""How a file is called that was compressed so."""
_SEGMENT = re.compile(r"^[0-9A-F]{24}(?:\.partial)?-(?P<sha1>[0-9a-f]{40})(?P<suffix>\.(?:gz|lz4|zst|bz2))?$")
_OF_DATABASE = re.compile(r"^(?:pg_data/base|pg_tblspc/[0-9]+/[^/]+)/(?P<oid>[0-9]+)/")
FIRST_OWN = 16384
"""PostgreSQL numbers what it brings itself below this."""
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_OWN = ("backrest", "backrest-checksum")


class DamagedError(ValueError):
    """A document is not what pgBackRest wrote."""


class UnreadableError(ValueError):
    """A repository is well for all one knows, and written in a way that this does not read."""


class Piece(NamedTuple):
    """A part of a stored object, and what it has to be. ``length`` is None for all of the object."""

    offset: int
    length: int | None
    sha1: str
    stored: bool
    """Whether ``sha1`` is of the stored bytes, or of what they are when they are decoded."""
    size: int
    """Of what was decoded."""
    name: str


@dataclass
class Manifest:
    """What a backup has stored itself: for each object, below the folder of the backup, its pieces."""

    label: str = ""
    codec: str = "none"
    objects: dict[str, list[Piece]] = field(default_factory=lambda: defaultdict(list))
    references: set[str] = field(default_factory=set)
    """The backups whose folders hold the rest."""


def entries(lines: Iterable[str]) -> Iterator[tuple[str, str, Any]]:
    """Section, key and value of a document. DamagedError, at the latest at its end, when it is not whole."""
    seen, section, last, told = hashlib.sha1(b"{", usedforsecurity=False), "", None, None
    for line in (line.rstrip("\n") for line in lines):
        if not line:
            continue
        if line[0] == "[" and line[-1] == "]":
            section = line[1:-1]
            continue
        key, text, value = _split(line)
        if (section, key) == _OWN:
            told = value
            continue
        seen.update((f'"{section}":{{' if last is None else "," if last == section else f'}},"{section}":{{').encode())
        seen.update(f"{_quoted(key)}:{text}".encode())
        last = section
        yield section, key, value
    seen.update(b"}}")
    if told is None:
        raise DamagedError("it has no checksum at its end")
    if told != seen.hexdigest():
        raise DamagedError("it is not what its own checksum says")


def _split(line: str) -> tuple[str, str, Any]:
    """Key, value as it is written, and value. A key may have ``=`` in it, as a file's name may; the value is JSON."""
    at = line.find("=")
    while at != -1:
        text = line[at + 1 :]
        try:
            return line[:at], text, json.loads(text)
        except ValueError:
            at = line.find("=", at + 1)
    raise DamagedError("it has a line that is neither section nor value")


def databases_sizes(lines: Iterable[str]) -> tuple[dict[str, int], int]:
    """What restoring takes, in bytes: each database by its name, and the rest of the cluster, from the manifest of a backup.

    The databases that every cluster has (their numbers are below 16384) belong to the rest. DamagedError.
    """
    names: dict[str, str] = {}
    sizes: dict[str, int] = defaultdict(int)
    for section, key, value in entries(lines):
        if section == "db" and value["db-id"] >= FIRST_OWN:
            names[str(value["db-id"])] = key
        elif section == "target:file":
            found = _OF_DATABASE.match(key)
            sizes[found["oid"] if found else ""] += value["size"]
    rest = sum(size for oid, size in sizes.items() if oid not in names)
    return {name: sizes[oid] for oid, name in names.items()}, rest


def read_info(lines: Iterable[str], name: str) -> None:
    """Reads ``archive.info``, ``backup.info``, or a copy of either to its end; DamagedError, also when it is the other one."""
    about = {key for section, key, _value in entries(lines) if section == "db"}
    if "db-id" not in about or ("db-catalog-version" in about) != name.startswith("backup.info"):
        raise DamagedError("it is another document")


def manifest_of(lines: Iterable[str], label: str) -> Manifest:
    """As :func:`read_manifest`; DamagedError, too, when it is the manifest of another backup."""
    found = read_manifest(lines)
    if found.label != label:
        raise DamagedError(f"it is of {found.label or 'nothing'}")
    return found


def read_manifest(lines: Iterable[str]) -> Manifest:
    """The manifest of a backup; DamagedError, or UnreadableError for a whole one that only a newer reader understands."""
    found, bundled, encrypted, odd = Manifest(), False, False, ""
    for section, key, value in entries(lines):
        try:
            if section == "target:file":
                _add(found, key, value, bundled=bundled, encrypted=encrypted)
            elif (section, key) == ("backup:option", "option-compress-type"):
                found.codec = value
                odd = odd or ("" if found.codec in SUFFIXES else f"it is compressed by {found.codec}")
            elif (section, key) == ("backup", "backup-label"):
                found.label = value
            elif (section, key) == ("backup", "backup-bundle"):
                bundled = value
            elif section == "cipher":
                encrypted = True
        except (UnreadableError, TypeError, KeyError, AttributeError) as exc:  # damaged perhaps: the end tells
            odd = odd or f"{key}: {type(exc).__name__} {exc}"
    if odd:
        raise UnreadableError(odd)
    return found


def _add(found: Manifest, name: str, told: Mapping[str, Any], *, bundled: bool, encrypted: bool) -> None:
    if "reference" in told:  # stored, and told, by the backup that is named
        found.references.add(told["reference"])
        return
    size = told["size"]
    if size == 0 and bundled:  # nothing is stored
        return
    stored, blocks = told.get("rck"), "bi" in told
    # pieces of a bundle are encrypted one by one, so that nobody can decrypt it as a file
    if stored is None and (blocks or (size and "checksum" not in told) or (encrypted and "bni" in told)):
        raise UnreadableError("it is stored in a way that only pgBackRest reads")
    sha1 = stored or told.get("checksum") or hashlib.sha1(usedforsecurity=False).hexdigest()
    length = told.get("repo-size", size)
    if "bni" in told:
        piece = Piece(told.get("bno", 0), length, sha1, stored is not None, size, name)
        found.objects[f"bundle/{told['bni']}"].append(piece)
        return
    suffix = ".pgbi" if blocks else SUFFIXES[found.codec]
    found.objects[name + suffix] = [Piece(0, length, sha1, stored is not None, size, name)]


def segment_piece(name: str) -> tuple[Piece, str] | None:
    """What an archived segment has to be by its name, and its codec; None for a file that says nothing of its content."""
    found = _SEGMENT.match(name)
    if found is None:
        return None
    codec = (found["suffix"] or ".none")[1:]
    return Piece(0, None, found["sha1"], False, -1, name), codec
