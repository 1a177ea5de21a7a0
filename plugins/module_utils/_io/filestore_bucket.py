# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A filestore in a bucket: what is there, and the SHA-1 of each object."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.filestore import Stored
from .bucket_promises import KeptBucket, below
from .s3 import S3Error
from .side_by_side import side_by_side

AT_ONCE = 8
GIVE_UP = 32
"""After so many objects in a row that could not be read the rest cannot be read either, and each would take several attempts."""


class FilestoreBucket(KeptBucket):
    """One prefix of a bucket that Odoo uses as the filestore of one database."""

    def __init__(self, name: str, prefix: str, options: dict[str, Any]) -> None:
        super().__init__(name, options)
        self._prefix = below(prefix)

    def listing(self) -> dict[str, Stored]:
        """The current objects, and the delete markers that hide one."""
        start, found = len(self._prefix), {}
        with self._told(f"listing {self._prefix}"):
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=self._prefix):
                for one in (one for one in page.get("Versions", []) if one["IsLatest"]):
                    version = one.get("VersionId", "") + one["ETag"]
                    found[one["Key"][start:]] = Stored(int(one["Size"]), one["LastModified"].timestamp(), version=version)
                for one in (one for one in page.get("DeleteMarkers", []) if one["IsLatest"]):
                    found[one["Key"][start:]] = Stored(0, one["LastModified"].timestamp(), True)
        return found

    def has(self, name: str) -> bool:
        return self.size(self._prefix + name) is not None

    def digests(self, names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
        """The SHA-1 of each object, in the order of the names; None for one that could not be read to its end. S3Error when none can."""
        failed = 0
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for name, sha1 in side_by_side(pool, self._digest, names, at_once=AT_ONCE * 4):
                failed = 0 if sha1 else failed + 1
                if failed == GIVE_UP:
                    raise S3Error(
                        f"{self}: {GIVE_UP} objects in a row could not be read, the last was {name}", "See the object store's log."
                    )
                yield name, sha1

    def _digest(self, name: str) -> tuple[str, str | None]:
        found = hashlib.sha1(usedforsecurity=False)
        try:
            for chunk in self.chunks(self._prefix + name):
                found.update(chunk)
        except S3Error:
            return name, None
        return name, found.hexdigest()
