# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A bucket asked what it promises: how it keeps what is deleted, what is deleted, and whom it lets in. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._core.bucket import ALLOWED, REFUSED, Expiry, Settings
from .s3 import NOT_FOUND, Bucket, S3Error

_UNSET = (
    "NoSuchLifecycleConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "ServerSideEncryptionConfigurationNotFoundError",
    NOT_FOUND,
)
DAYS_OF_A_YEAR = 365


def below(prefix: str) -> str:
    """The prefix of all keys below one."""
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""


class KeptBucket(Bucket):
    """One bucket, and what it promises."""

    def settings(self, prefix: str, *, encryption: bool = False) -> Settings:
        """How it keeps what lies below a prefix. Encryption needs another right than the rest, so it is asked only where it counts."""
        versioning = self._asked("get_bucket_versioning", "its versioning").get("Status") == "Enabled"
        rules = [
            rule
            for rule in self._asked("get_bucket_lifecycle_configuration", "its lifecycle").get("Rules", [])
            if rule.get("Status") == "Enabled" and below(prefix).startswith(_of(rule)[: len(below(prefix))])
        ]
        days = [rule["NoncurrentVersionExpiration"].get("NoncurrentDays", 0) for rule in rules if "NoncurrentVersionExpiration" in rule]
        ends = [rule for rule in rules if {"Days", "Date"} & set(rule.get("Expiration", {}))]
        expires = tuple(Expiry(str(rule.get("ID") or _of(rule) or "all"), rule["Expiration"].get("Days")) for rule in ends)
        locked = self._asked("get_object_lock_configuration", "its object lock").get("ObjectLockConfiguration", {}).get("Rule", {})
        default = locked.get("DefaultRetention", {})
        mode, lock_days = default.get("Mode"), default.get("Days") or DAYS_OF_A_YEAR * default.get("Years", 0)
        encrypted = bool(self._asked("get_bucket_encryption", "its encryption")) if encryption else None
        return Settings(versioning, min(days, default=None), expires, mode.lower() if mode else None, lock_days or None, encrypted)

    def deleted(self, prefix: str) -> dict[str, float]:
        """The names below a prefix that a delete marker hides, and that have an older version; with when that was written."""
        hidden, kept = set(), dict[str, float]()
        for found in self.versions(below(prefix)):
            if found.latest and found.deleted:
                hidden.add(found.key)
            elif not found.latest and not found.deleted:
                kept[found.key] = max(found.at, kept.get(found.key, 0))
        return {key.removeprefix(below(prefix)): kept[key] for key in sorted(hidden & kept.keys())}

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

    # -- whom it lets in -------------------------------------------------------------------------------------------------
    def let_in(self, prefix: str) -> str:
        """How this identity fares when it lists what is its own."""
        return self._attempt("list_objects_v2", Prefix=below(prefix), MaxKeys=1)

    def attempts(self, prefix: str, name: str) -> dict[str, str]:
        """How this identity fares where another one's data lie: every way to see names or content. ``name`` is an object there."""
        key = below(prefix) + name
        return {
            "list": self._attempt("list_objects_v2", Prefix=below(prefix), MaxKeys=1),
            "list all": self._attempt("list_objects_v2", MaxKeys=1),
            "list versions": self._attempt("list_object_versions", Prefix=below(prefix), MaxKeys=1),
            "head": self._attempt("head_object", Key=key),
            "get": self._attempt("get_object", Key=key, Range="bytes=0-0"),
        }

    def _attempt(self, call: str, **asked: Any) -> str:
        from botocore.exceptions import ClientError

        request: Callable[..., Mapping[str, Any]] = getattr(self._client, call)
        try:
            with self._told(f"trying {call}"):
                try:
                    answer = request(Bucket=self.name, **asked)
                except ClientError as exc:
                    return _end_of(exc.response)
        except S3Error as exc:
            return str(exc.facts.get("code"))
        if "Body" in answer:
            answer["Body"].close()
        return ALLOWED


def _end_of(response: Mapping[str, Any]) -> str:
    """A wrong key is answered with 403 as well, but not with these words; an answer to HEAD has no words."""
    code = str(response.get("Error", {}).get("Code", ""))
    if code in ("AccessDenied", "403"):
        return REFUSED
    return ALLOWED if code in ("InvalidRange", "416") else code or "no reason told"


def _of(rule: dict[str, Any]) -> str:
    """The prefix that a lifecycle rule is for."""
    chosen = rule.get("Filter") or {}
    return str(chosen.get("Prefix") or (chosen.get("And") or {}).get("Prefix") or rule.get("Prefix") or "")
