"""Filestores and dumps in a bucket of a real SeaweedFS that a program may damage: written over, hidden by a delete marker, destroyed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Objects
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_bucket import FilestoreBucket
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import Bucket

from tests.lab.parts import s3
from tests.lab.site import Site
from tests.support.basebackups import BaseBackups
from tests.support.damage_scenes import DumpScene, FilestoreScene, Scene, attachments_of, bodies_of_attachments, take_dumps

PREFIX = "here"


class Versions:
    """A bucket with versions, by its admin. Files are called as paths below it, so that a scene of files knows what to do with them."""

    def __init__(self, facts: Mapping[str, Any], name: str) -> None:
        self.name, self.facts, self.admin = name, facts, s3.client(dict(facts), "admin")
        self.options = {"endpoint_url": facts["endpoint"], "ca_bundle": facts["ca"], **facts["admin"]}
        self.gone = 0

    def make(self) -> None:
        self.admin.create_bucket(Bucket=self.name)
        self.admin.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def files(self) -> list[Path]:
        """The current objects; those of no bytes are as they are."""
        found = self.admin.list_objects_v2(Bucket=self.name)["Contents"]
        return sorted(Path(one["Key"]) for one in found if one["Size"])

    def read(self, path: Path) -> bytes:
        return bytes(self.admin.get_object(Bucket=self.name, Key=str(path))["Body"].read())

    def write(self, path: Path, data: bytes) -> str:
        return str(self.admin.put_object(Bucket=self.name, Key=str(path), Body=data)["VersionId"])

    def remove(self, path: Path, version: str | None = None) -> str:
        chosen = {"VersionId": version} if version else {}
        return str(self.admin.delete_object(Bucket=self.name, Key=str(path), **chosen).get("VersionId"))

    @contextmanager
    def damaged(self, path: Path, data: bytes | None) -> Iterator[None]:
        """Of those that are deleted every other one is destroyed with its versions, and not only hidden by a marker."""
        self.gone += data is None
        if data is None and self.gone % 2:
            before, version = self.read(path), str(self.admin.head_object(Bucket=self.name, Key=str(path))["VersionId"])
            self.remove(path, version)
            try:
                yield
            finally:
                self.write(path, before)
            return
        added = self.remove(path) if data is None else self.write(path, data)
        try:
            yield
        finally:
            self.remove(path, added)

    def destroy(self) -> None:
        for page in self.admin.get_paginator("list_object_versions").paginate(Bucket=self.name):
            for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                self.admin.delete_object(Bucket=self.name, Key=one["Key"], VersionId=one["VersionId"])
        self.admin.delete_bucket(Bucket=self.name)


class InBucket(Scene):
    """A scene whose files are objects."""

    bucket: Versions

    def read(self, path: Path) -> bytes:
        return self.bucket.read(path)

    def damaged(self, path: Path, data: bytes | None) -> AbstractContextManager[None]:
        return self.bucket.damaged(path, data)


class FilestoreInBucket(InBucket, FilestoreScene):
    def __init__(self, bucket: Versions, database: Any) -> None:
        super().__init__(database, FilestoreBucket(bucket.name, PREFIX, bucket.options), bucket.files())
        self.bucket = bucket


class DumpsInBucket(InBucket, DumpScene):
    def __init__(self, bucket: Versions, store: Objects) -> None:
        self.bucket, self.store, self.files = bucket, store, bucket.files()


@contextmanager
def object_store() -> Iterator[dict[str, Any]]:
    """The one of the lab that LAB_NAME names, else one for this block alone."""
    named = os.environ.get("LAB_NAME")
    site = Site.named(named or f"f6-{os.getpid()}")
    try:
        s3.up(site)
        yield site.facts("s3")
    finally:
        if not named:
            site.destroy()


@contextmanager
def versions(name: str) -> Iterator[Versions]:
    with object_store() as facts:
        bucket = Versions(facts, f"f6-{name}-{os.getpid()}")
        bucket.make()
        try:
            yield bucket
        finally:
            bucket.destroy()


@contextmanager
def of_filestore_bucket(home: Path) -> Iterator[Scene]:
    with attachments_of(home) as database, versions("filestore") as bucket:
        for name, body in bodies_of_attachments().items():
            bucket.write(Path(PREFIX) / name, body)
        yield FilestoreInBucket(bucket, database)


@contextmanager
def of_dumps_bucket(home: Path) -> Iterator[Scene]:
    made = BaseBackups(home)
    with versions("dumps") as bucket:
        store = Objects(Bucket(bucket.name, bucket.options), PREFIX)
        try:
            made.make()
            take_dumps(home, store)
        finally:
            made.stop()
        yield DumpsInBucket(bucket, store)


BUCKET_SCENES: dict[str, Callable[[Path], AbstractContextManager[Scene]]] = {
    "filestore bucket": of_filestore_bucket,
    "dump bucket": of_dumps_bucket,
}
