# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a tenant needs to be built anew on an empty machine, beside its database and its files; and whether all of it is there."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .checks import Check, rfc3339
from .ledger import canonical, sha256

SCHEMA = 1
FOLDERS = ("configuration", "manifests", "modules", "infrastructure")
DOCUMENTS = ("release", "secret_references")
KINDS = (*FOLDERS, *DOCUMENTS)
DOCUMENT = "bundle.json"
STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_IMAGE = re.compile(r"\S+@sha256:[0-9a-f]{64}")


class Part(NamedTuple):
    """One file of a bundle. ``content`` is the SHA-256 of what is in it: the same content can be compressed to other bytes."""

    kind: str
    size: int
    sha256: str
    content: str

    @property
    def file(self) -> str:
        return file_of(self.kind)


def file_of(kind: str) -> str:
    return f"{kind}.json" if kind in DOCUMENTS else f"{kind}.tar.gz"


def stamp(at: dt.datetime) -> str:
    """The name of a bundle's folder; names sort as the bundles were made."""
    return at.astimezone(dt.timezone.utc).strftime("%Y%m%dT%H%M%SZ")


def document(tenant: str, parts: Sequence[Part], *, at: dt.datetime) -> dict[str, Any]:
    """``bundle.json``: the parts, and the hash of the document itself."""
    body = {"schema": SCHEMA, "tenant": tenant, "at": rfc3339(at), "parts": {part.kind: part._asdict() for part in parts}}
    return {**body, "sha256": sha256(canonical(body))}


def parts_of(found: Any) -> dict[str, Part]:
    """The parts of such a document; ValueError for one that is not as it was written."""
    try:
        body = {key: value for key, value in found.items() if key != "sha256"}
        if found["sha256"] != sha256(canonical(body)):
            raise ValueError(f"{DOCUMENT} is not what was written: its hash does not fit")
        if found["schema"] != SCHEMA:
            raise ValueError(f"{DOCUMENT} has schema {found['schema']!r}, wanted {SCHEMA}")
        return {kind: Part(**part) for kind, part in found["parts"].items() if kind in KINDS}
    except (AttributeError, KeyError, TypeError) as exc:
        raise ValueError(f"{DOCUMENT} is no document of a bundle ({type(exc).__name__})") from exc


def same_content(one: Mapping[str, Part], other: Mapping[str, Part]) -> bool:
    return {kind: part.content for kind, part in one.items()} == {kind: part.content for kind, part in other.items()}


def release_error(release: Mapping[str, Any]) -> str:
    """Why the release cannot be brought back from what is said of it; nothing when it can."""
    if not _IMAGE.fullmatch(str(release.get("image", ""))):
        return f"release.image is {release.get('image')!r}, wanted one by its digest (registry/odoo@sha256:…), for a tag may move"
    return ""


def reference_error(references: Sequence[Mapping[str, Any]]) -> str:
    """Why a list of secrets' names holds more than that; nothing when it does not."""
    for one in references:
        if re.search(r"\s", str(one["kept_in"])):
            return f"kept_in of {one['name']} is no place and may be a secret. Write where it is kept, such as vault:odoo/acme#api_key"
    return ""


def judge_bundle(found: Any, sizes: Mapping[str, tuple[int, str]], *, tenant: str) -> list[Check]:
    """Is a bundle complete, whole, and this tenant's? ``sizes``: the size and the SHA-256 of each of its files that is there."""
    try:
        parts = parts_of(found)
    except ValueError as exc:
        return [Check("bundle_document", False, str(exc), "what was written", "Write a new bundle.", "CHECKSUM")]
    missing = [kind for kind in KINDS if kind not in parts or file_of(kind) not in sizes]
    damaged = [one.file for one in parts.values() if one.file in sizes and sizes[one.file] != (one.size, one.sha256)]
    again = "Write a new bundle, and see who touched this one."
    return [
        Check("bundle_tenant", found["tenant"] == tenant, found["tenant"], tenant, "Correct location, or tenant.", "TENANT"),
        Check("bundle_complete", not missing, {"missing": missing}, {"missing": []}, "Name what is missing, and write it.", "INCOMPLETE"),
        Check("bundle_whole", not damaged, {"damaged": damaged}, {"damaged": []}, again, "CHECKSUM"),
    ]


def judge_current(found: Mapping[str, Part], now: Mapping[str, Part]) -> Check:
    """Does the newest bundle hold what is in use now?"""
    other = [kind for kind, part in now.items() if kind not in found or found[kind].content != part.content]
    return Check("bundle_current", not other, {"other": other}, {"other": []}, "Write a new bundle after each change.", "OUTDATED")


def judge_release(release: Mapping[str, Any], installed: Mapping[str, str]) -> Check:
    """Does a restored database have the module versions that the bundle's release names?"""
    named = {str(name): str(version) for name, version in (release.get("modules") or {}).items()}
    off = {name: [version, installed.get(name)] for name, version in sorted(named.items()) if installed.get(name) != version}
    hint = "Write a bundle after each change: this one is of another release than the backup."
    return Check(
        "release", not off, off or f"{len(named)} modules", "the versions of the bundle", hint if off else "", "RELEASE" if off else ""
    )
