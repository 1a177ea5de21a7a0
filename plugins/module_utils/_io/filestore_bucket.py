# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A filestore in a bucket: what is there, the SHA-1 of each object, and how the bucket keeps what is deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._core.filestore import Settings, Stored
from .s3 import NOT_FOUND, Bucket, S3Error
from .side_by_side import side_by_side

AT_ONCE = 8
_UNSET = ("NoSuchLifecycleConfiguration", "ObjectLockConfigurationNotFoundError", NOT_FOUND)


class FilestoreBucket(Bucket):
    """One prefix of a bucket that Odoo uses as the filestore of one database."""

    def __init__(self, name: str, prefix: str, options: dict[str, Any]) -> None:
        super().__init__(name, options)
        self._prefix = f"{prefix.strip('/')}/"

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
        """The SHA-1 of each object, in the order of the names; None for one that could not be read to its end."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from side_by_side(pool, self._digest, names, at_once=AT_ONCE * 4)

    def _digest(self, name: str) -> tuple[str, str | None]:
        found = hashlib.sha1(usedforsecurity=False)
        try:
            for chunk in self.chunks(self._prefix + name):
                found.update(chunk)
        except S3Error:
            return name, None
        return name, found.hexdigest()

    def settings(self) -> Settings:
        versioning = self._asked("get_bucket_versioning", "its versioning").get("Status") == "Enabled"
        rules = [
            rule
            for rule in self._asked("get_bucket_lifecycle_configuration", "its lifecycle").get("Rules", [])
            if rule.get("Status") == "Enabled" and self._prefix.startswith(_of(rule)[: len(self._prefix)])
        ]
        days = [rule["NoncurrentVersionExpiration"].get("NoncurrentDays", 0) for rule in rules if "NoncurrentVersionExpiration" in rule]
        ends = tuple(str(rule.get("ID") or _of(rule) or "all") for rule in rules if {"Days", "Date"} & set(rule.get("Expiration", {})))
        retention = self._asked("get_object_lock_configuration", "its object lock").get("ObjectLockConfiguration", {}).get("Rule", {})
        mode = retention.get("DefaultRetention", {}).get("Mode")
        return Settings(versioning, min(days, default=None), ends, mode.lower() if mode else None)

    def _asked(self, call: str, what: str) -> dict[str, Any]:
        """What the bucket answers; nothing where that was never set."""
        from botocore.exceptions import ClientError

        with self._told(f"reading {what}"):
            try:
                return dict(getattr(self._client, call)(Bucket=self.name))
            except ClientError as exc:
                if exc.response.get("Error", {}).get("Code") in _UNSET:
                    return {}
                raise


def _of(rule: dict[str, Any]) -> str:
    """The prefix that a lifecycle rule is for."""
    chosen = rule.get("Filter") or {}
    return str(chosen.get("Prefix") or (chosen.get("And") or {}).get("Prefix") or rule.get("Prefix") or "")
