# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An exported record: writes one file from a ledger, and reads that file as a ledger of one change that nobody can write to."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.bundle import (
    Bundle,
    BundleKey,
    build_bundle,
    open_bundle,
    seal_bundle,
    voucher_refusal,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import InvalidError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import KeyWindow
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.controls import read_frameworks
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Record
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import Stored, StoreError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.signing import Signer, Trust, key_id, parse_public, public_pem
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.whole_file import write_whole


class BundleStore:
    """The objects of a bundle, for a ledger that reads."""

    remote = False

    def __init__(self, path: str, bundle: Bundle) -> None:
        self.name = path
        self._objects = {f"{bundle.change}/{entry.name}": entry.data for entry in bundle.entries}
        if bundle.head is not None:
            self._objects[f"heads/{bundle.change}.json"] = bundle.head

    def get(self, key: str) -> Stored | None:
        data = self._objects.get(key)
        return None if data is None else Stored(data, hashlib.sha256(data).hexdigest())

    def list(self, prefix: str) -> list[str]:
        return sorted(key for key in self._objects if key.startswith(prefix))

    def put_new(self, key: str, data: bytes, *, keep: bool = False) -> bool:  # noqa: ARG002 - the port
        raise self.read_only(key)

    def put_if(self, key: str, data: bytes, etag: str) -> bool:  # noqa: ARG002 - the port
        raise self.read_only(key)

    def delete(self, key: str) -> None:
        raise self.read_only(key)

    def written_at(self, key: str) -> None:
        """An exported record has no clock."""

    def prove_conditions(self, key: str, stored: Stored) -> None:
        """Nothing is written."""

    def read_only(self, key: str) -> StoreError:
        return StoreError(f"ledger {self.name}: {key} cannot be written, for it is an exported record. Give the ledger it came from")


def export_bytes(change: str, record: Record, *, trust: Trust, signer: Signer) -> bytes:
    """The bundle's file."""
    used = {event.keyid for event in record.chain.events} | ({record.chain.head.keyid} if record.chain.head else set())
    keys = [
        BundleKey(keyid, public_pem(trust.keys[keyid]).decode(), trust.windows.get(keyid, KeyWindow()))
        for keyid in sorted(used & set(trust.keys))
    ]
    document = build_bundle(
        change,
        head=record.head,
        entries=sorted(record.entries, key=lambda entry: entry.name),
        chain=record.chain,
        keys=keys,
        frameworks=read_frameworks(),
    )
    return seal_bundle(document, keyid=signer.keyid, sign=signer.sign)


def open_export(path: Path, trust: Trust, *, now: dt.datetime) -> tuple[BundleStore, Trust]:
    """The store of an exported record, and whom to trust in it: the keys that the reader trusts, as the reader's list limits them, and
    those that the bundle's signer vouches for."""
    try:
        bundle = _believed(path.read_bytes(), trust, now)
    except OSError as exc:
        raise StoreError(f"ledger {path} cannot be read: {exc.strerror}. Give a path that this user may read") from exc
    except InvalidError as exc:
        message = (
            f"ledger {path}: the file {exc.text}. Give a ledger folder, an s3:// address or a file that state=exported has written; "
            "if it is one, get it anew from who exported it, and the key of ledger_trusted from somewhere else"
        )
        raise StoreError(message, verdict="fail", code=f"BUNDLE_{exc.code}") from exc
    return BundleStore(str(path), bundle), _vouched(bundle, trust, path)


def _believed(data: bytes, trust: Trust, now: dt.datetime) -> Bundle:
    bundle = open_bundle(data, trust.verify)
    window = trust.windows.get(bundle.signed_by)
    code = voucher_refusal(window, newest=bundle.newest, now=now)
    if code:
        raise InvalidError(code, f"is signed by a key ({bundle.signed_by[:16]}) that is {window} ({code})")
    return bundle


def _vouched(bundle: Bundle, trust: Trust, path: Path) -> Trust:
    keys, windows = dict(trust.keys), dict(trust.windows)
    for key in bundle.keys:
        public = parse_public(key.pem.encode(), f"key {key.keyid[:16]} in {path}")
        if key_id(public) in keys:
            continue
        keys[key_id(public)] = public
        if key.window != KeyWindow():
            windows[key_id(public)] = key.window
    return Trust(keys, windows)


def make_folder(place: Path) -> None:
    """The folder that is written into; StoreError when something else is there, or it may not be made."""
    try:
        place.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as exc:
        raise StoreError(f"export {place}: no folder can be made there: {exc.strerror}. Give a path that this user may write to") from exc


def write_changed(place: Path, name: str, data: bytes, *, check_mode: bool) -> dict[str, Any]:
    """Writes the bytes to a file, or under the name into a folder, unless they are there: ``path`` and whether it ``changed``."""
    path = place / name if place.is_dir() else place
    try:
        changed = not path.is_file() or path.read_bytes() != data
        if changed and not check_mode:
            write_whole(path, data)
    except OSError as exc:
        raise StoreError(f"export {path}: cannot be written: {exc.strerror}. Give a path in a folder that this user may write to") from exc
    return {"changed": changed, "path": str(path)}
