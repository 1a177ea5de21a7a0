# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the records of canaries lie: one document a tenant, in a folder or below a prefix of a bucket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .._core.canary_record import Record, Run, added, decode, encode
from .._core.errors import ChangeError
from .object_store import DirectoryStore, ObjectStore, StoreError
from .object_store_s3 import open_bucket

BUCKET = "s3://"
ATTEMPTS = 3  # another canary of the same tenant may write meanwhile, though the lease of the change forbids it


class Kept:
    """The record of one tenant. Without a location nothing is read and nothing kept."""

    def __init__(self, location: str | None, options: Mapping[str, Any], tenant: str) -> None:
        self.location, self._tenant, self._key = location or "", tenant, f"{quote(tenant, safe='')}.json"
        self._store: ObjectStore | None = _opened(location, options) if location else None

    def load(self) -> tuple[Record, str]:
        """The record, and why it begins anew ("" when it does not). ChangeError when the store does not answer."""
        try:
            return self._read()[:2]
        except StoreError as exc:
            raise ChangeError(f"record: {exc}.", code="STATE") from exc

    def keep(self, run: Run) -> list[str]:
        """Adds a run, and returns, as warnings, what went wrong: the verdict is as good without."""
        if self._store is None:
            return []
        try:
            for _attempt in range(ATTEMPTS):
                record, anew, etag = self._read()
                if (after := added(record, run)) == record:
                    return []
                data = encode(after)
                if self._store.put_if(self._key, data, etag) if etag else self._store.put_new(self._key, data):
                    return [anew] if anew else []
        except StoreError as exc:
            return [f"what this canary has measured could not be recorded: {exc}"]
        return [f"what this canary has measured could not be recorded in {self.location}: others wrote {ATTEMPTS} times meanwhile"]

    def _read(self) -> tuple[Record, str, str]:
        stored = self._store.get(self._key) if self._store else None
        if stored is None:
            return Record(self._tenant), "", ""
        try:
            return decode(stored.data, self._tenant), "", stored.etag
        except ValueError as exc:
            anew = f"the record {self._key} in {self.location} is not used and begins anew, because {exc}"
            return Record(self._tenant), anew, stored.etag


def _opened(location: str, options: Mapping[str, Any]) -> ObjectStore:
    if location.startswith(BUCKET):
        try:
            return open_bucket(location, options, what="record")
        except StoreError as exc:
            raise ChangeError(f"{exc}.", code="STATE") from exc
    folder = Path(location).expanduser()
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise ChangeError(
            f"record is {folder}, which is no directory in which this user may write. Make it, or run the task as its owner.",
            code="STATE",
        )
    return DirectoryStore(folder, what="record")
