# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A ledger's objects in a bucket, or what a gate remembers. Conditions are those of S3: If-None-Match and If-Match on the put itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import Stored, StoreError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import MALFORMED, S3Error, client

REFUSED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
ATTEMPTS = 4
CONNECT_S, READ_S = 5, 20


class S3Store:
    """The objects below one prefix of a bucket."""

    remote = True

    def __init__(
        self, client: Any, *, bucket: str, prefix: str, endpoint: str, retention_days: int | None = None, what: str = "ledger"
    ) -> None:
        self._what = what
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._endpoint = endpoint
        self._retention_days = retention_days

    def put_new(self, key: str, data: bytes, *, keep: bool = False) -> bool:
        lock: dict[str, Any] = {}
        if keep and self._retention_days:
            until = dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=self._retention_days)
            lock = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": until}
        return self._put(key, data, IfNoneMatch="*", **lock)

    def put_if(self, key: str, data: bytes, etag: str) -> bool:
        return self._put(key, data, IfMatch=etag)

    def get(self, key: str) -> Stored | None:
        with self._told("read", key):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
                return Stored(answer["Body"].read(), answer["ETag"])
            except self._client.exceptions.ClientError as exc:
                if _code(exc) in MISSING:
                    return None
                raise

    def list(self, prefix: str) -> list[str]:
        found: list[str] = []
        with self._told("list", prefix):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            for page in pages:
                found += [item["Key"].removeprefix(self._prefix) for item in page.get("Contents", [])]
        return sorted(found)

    def delete(self, key: str) -> None:
        with self._told("delete", key):
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)

    def written_at(self, key: str) -> dt.datetime | None:
        with self._told("read", key):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=self._prefix + key)
            except self._client.exceptions.ClientError as exc:
                if _code(exc) in MISSING:
                    return None
                raise
        modified: dt.datetime = answer["LastModified"]
        return modified

    def prove_conditions(self, key: str, stored: Stored) -> None:
        """Some stores ignore conditions without a word. Asked with the bytes that are there, so a wrong yes does no harm."""
        if self.put_new(key, stored.data) or self.put_if(key, stored.data, '"00000000000000000000000000000000"'):
            raise StoreError(
                f"{self._what} {self.name} at {self._endpoint}: the store ignores the conditions of a put, so two runs could fork the "
                "record. Use a store that honours If-None-Match and If-Match, or a folder"
            )

    def _put(self, key: str, data: bytes, **conditions: Any) -> bool:
        with self._told("write", key):
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + key, Body=data, ContentType="application/json", **conditions
                )
            except self._client.exceptions.ClientError as exc:
                # an object that is gone cannot have the tag: S3 answers If-Match with 404 then
                if _code(exc) in REFUSED or ("IfMatch" in conditions and _code(exc) in MISSING):
                    return False
                raise
        return True

    @contextmanager
    def _told(self, verb: str, key: str) -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except (ClientError, BotoCoreError, Boto3Error, HTTPError, *MALFORMED) as exc:
            raise StoreError(
                f"{self._what} {self.name} at {self._endpoint}: cannot {verb} {key}: {_why(exc)}. "
                "Check endpoint_url, ca_bundle, the keys and what they may do in this bucket"
            ) from exc


def open_bucket(location: str, options: Mapping[str, Any], *, what: str = "ledger") -> S3Store:
    """The store of an s3://bucket/prefix, called ``what`` in messages. No request is made yet."""
    bucket, _slash, prefix = location.removeprefix("s3://").partition("/")
    endpoint = options.get("endpoint_url") or "AWS"
    if not bucket:
        raise StoreError(f"{what} {location}: there is no bucket in it, wanted s3://bucket/prefix")
    bundle = options.get("ca_bundle")
    if bundle and not Path(bundle).is_file():
        raise StoreError(
            f"{what} {location} at {endpoint}: ca_bundle {bundle} is not there. Give the file of the store's certificate authority"
        )
    days = options.get("retention_days")
    if days is not None and days < 1:
        raise StoreError(f"{what} {location}: retention_days is {days}, wanted 1 or more")
    if bool(options.get("access_key")) != bool(options.get("secret_key")):
        raise StoreError(f"{what} {location}: access_key and secret_key belong together, one of them is not given")
    made = _client(f"{what} {location}", options)
    return S3Store(made, bucket=bucket, prefix=prefix.strip("/"), endpoint=endpoint, retention_days=days, what=what)


def _client(what: str, options: Mapping[str, Any]) -> Any:
    try:
        return client(options, connect_s=CONNECT_S, read_s=READ_S, attempts=ATTEMPTS)
    except S3Error as exc:
        raise StoreError(f"{what}: {exc}") from exc


def _code(exc: Any) -> str:
    return str(exc.response.get("Error", {}).get("Code", ""))


def _why(exc: Exception) -> str:
    """One line. botocore's texts name the request, never the secret."""
    return str(exc).strip().rstrip(".").splitlines()[0] if str(exc).strip() else type(exc).__name__
