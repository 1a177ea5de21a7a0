# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Object stores over boto3: one bucket, whole documents, streams, versions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from .._core.checkpoint import Version
from .._core.errors import ChangeError
from .._core.secrets import hide
from .secrets import secrets_of_environment

OPTIONS: dict[str, Any] = {
    "endpoint_url": {"type": "str"},
    "access_key": {"type": "str", "no_log": False},
    "secret_key": {"type": "str", "no_log": True},
    "region": {"type": "str", "default": "us-east-1"},
    "ca_bundle": {"type": "path"},
}
"""How a task says where a bucket is, and as whom it comes. For the option ``s3`` the doc fragment of that name has the texts."""
CHUNK = 1 << 20
_PART = 32 << 20  # 10,000 parts of this are 312 GiB, the largest dump that can be streamed


NOT_FOUND = "S3_NOT_FOUND"


class S3Error(ChangeError):
    """The object store refused or did not answer. The message never has a key."""

    def __init__(self, what: str, hint: str, *, code: str = "S3") -> None:
        super().__init__(f"{what}. {hint}", code=code, hint=hint)
        self.code = code


class Readable(Protocol):
    def read(self, size: int = -1) -> bytes: ...


@dataclass(frozen=True)
class Uploaded:
    version_id: str
    sha256: str
    size: int


class _Hashing:
    """Reads on, and knows the SHA-256 and the length of what went through."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self.sum, self.size = stream, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.sum.update(data)
        self.size += len(data)
        return data


class Bucket:
    """One bucket, with the options endpoint_url, access_key, secret_key, region, ca_bundle."""

    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self.name, self._where = name, f"bucket {name} at {options.get('endpoint_url') or 'AWS'}"
        self._secrets = [text for text in [options.get("secret_key"), *secrets_of_environment()] if text]
        self._client = client(options)

    def __str__(self) -> str:
        return self._where

    def size(self, key: str, version_id: str | None = None) -> int | None:
        """The bytes of an object, ``None`` when there is none."""
        try:
            with self._told(f"looking at {key}"):
                return int(self._client.head_object(Bucket=self.name, Key=key, **_version(version_id))["ContentLength"])
        except S3Error as exc:
            if exc.code == NOT_FOUND:
                return None
            raise

    def read(self, key: str, version_id: str | None = None) -> bytes | None:
        """A whole document, ``None`` when there is none."""
        try:
            with self._told(f"reading {key}"):
                return bytes(self._client.get_object(Bucket=self.name, Key=key, **_version(version_id))["Body"].read())
        except S3Error as exc:
            if exc.code == NOT_FOUND:
                return None
            raise

    def chunks(self, key: str, version_id: str | None = None) -> Iterator[bytes]:
        """A large object, piece by piece."""
        with self._told(f"reading {key}"):
            body = self._client.get_object(Bucket=self.name, Key=key, **_version(version_id))["Body"]
            yield from iter(lambda: body.read(CHUNK), b"")

    def write(self, key: str, data: bytes) -> Uploaded:
        """A document."""
        with self._told(f"writing {key}"):
            done = self._client.put_object(Bucket=self.name, Key=key, Body=data, ContentType="application/json", ChecksumAlgorithm="SHA256")
        return Uploaded(_version_of(done), hashlib.sha256(data).hexdigest(), len(data))

    def upload(self, key: str, stream: Readable) -> Uploaded:
        """A stream of unknown length. When reading from it raises, nothing is written."""
        from boto3.s3.transfer import TransferConfig

        hashing = _Hashing(stream)
        with self._told(f"writing {key}"):
            settings = TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False)
            self._client.upload_fileobj(hashing, self.name, key, ExtraArgs={"ChecksumAlgorithm": "SHA256"}, Config=settings)
            head = self._client.head_object(Bucket=self.name, Key=key)
        return Uploaded(_version_of(head), hashing.sum.hexdigest(), hashing.size)

    def abort_unfinished(self, key: str) -> None:
        """Removes the parts of uploads that were killed; nobody sees them, and they are paid for."""
        with self._told(f"looking for unfinished uploads of {key}"):
            for upload in self._client.list_multipart_uploads(Bucket=self.name, Prefix=key).get("Uploads", []):
                if upload["Key"] == key:
                    self._client.abort_multipart_upload(Bucket=self.name, Key=key, UploadId=upload["UploadId"])

    def versions(self, prefix: str) -> Iterator[Version]:
        """Every version and delete marker of every object below a prefix."""
        with self._told(f"listing {prefix}"):
            for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self.name, Prefix=prefix):
                for found in page.get("Versions", []):
                    yield Version(
                        found["Key"],
                        str(found["VersionId"]),
                        found["IsLatest"],
                        False,
                        int(found["Size"]),
                        str(found.get("ETag", "")).strip('"'),
                        found["LastModified"].timestamp(),
                    )
                for found in page.get("DeleteMarkers", []):
                    yield Version(found["Key"], str(found["VersionId"]), found["IsLatest"], True)

    def copy_back(self, key: str, version_id: str) -> None:
        """Makes an old version the current one; it adds a version and removes none."""
        with self._told(f"copying {key} back"):
            source = {"Bucket": self.name, "Key": key, "VersionId": version_id}
            self._client.copy_object(Bucket=self.name, Key=key, CopySource=source)

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """Turns what boto3 raises into one clear message."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ClientError as exc:
            raise self._refused(doing, exc.response) from None
        except (BotoCoreError, Boto3Error, HTTPError) as exc:
            raise S3Error(f"{self}: {doing}: {_plain(hide(str(exc), self._secrets))}", _hint(exc), code="S3_UNREACHABLE") from None
        except MALFORMED as exc:
            why = f"the answer is not understood ({type(exc).__name__}: {_plain(hide(str(exc), self._secrets))})"
            raise S3Error(f"{self}: {doing}: {why}", _hint(exc), code="S3_UNREACHABLE") from None

    def _refused(self, doing: str, response: Mapping[str, Any]) -> S3Error:
        error = response.get("Error", {})
        code = str(error.get("Code", ""))
        hint = _REFUSALS.get(code, "See the object store's log.")
        name = NOT_FOUND if code in _ABSENT else "S3_REFUSED"
        said = _plain(hide(f"{code} {error.get('Message', '')}", self._secrets))
        return S3Error(f"{self}: {doing}: {said}", hint, code=name)


MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
"""What is raised, here or in boto3, over an answer in which something is missing."""
_ABSENT = ("NoSuchKey", "NoSuchVersion", "404")
_REFUSALS = {
    "NoSuchBucket": "Create the bucket, or correct its name.",
    "NoSuchKey": "It is not there: find out who removed it.",
    "NoSuchVersion": "That version is not there: find out who removed it.",
    "404": "It is not there: find out who removed it.",
    "AccessDenied": "Give this identity the right, or use another.",
    "403": "Check the keys, and what this identity may do.",
    "InvalidAccessKeyId": "Check the access key.",
    "SignatureDoesNotMatch": "Check the secret key.",
}


@cache
def _session() -> Any:
    """One for all clients of a process: it keeps what boto3 has read about S3, which takes longer than to make a client."""
    import boto3

    return boto3.Session()


def warm() -> None:
    """Reads what boto3 knows about S3, for the processes that are forked from this one."""
    with suppress(S3Error):  # whoever wants a client is told
        client({"access_key": "none", "secret_key": "none"})


def client(options: Mapping[str, Any], *, connect_s: int = 10, read_s: int = 60, attempts: int = 3) -> Any:
    """A client that gives up: after so many seconds without a connection, without an answer, and after so many attempts."""
    try:
        from botocore.config import Config

        session = _session()
    except ImportError as exc:
        raise S3Error("the Python package boto3 cannot be imported", "Install it: pip install 'boto3>=1.40'") from exc
    settings = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path"} if options.get("endpoint_url") else {},
        connect_timeout=connect_s,
        read_timeout=read_s,
        retries={"total_max_attempts": attempts, "mode": "standard"},
    )
    try:
        return session.client(
            "s3",
            endpoint_url=options.get("endpoint_url"),
            region_name=options.get("region") or "us-east-1",
            aws_access_key_id=options.get("access_key"),
            aws_secret_access_key=options.get("secret_key"),
            verify=options.get("ca_bundle") or None,
            config=settings,
        )
    except ValueError as exc:
        raise S3Error(f"the object store's options are not right: {_plain(exc)}", "Write endpoint_url as https://host:port") from None


def _version(version_id: str | None) -> dict[str, str]:
    return {"VersionId": version_id} if version_id and version_id != "null" else {}


def _version_of(answer: Mapping[str, Any]) -> str:
    return str(answer.get("VersionId") or "null")


def _plain(words: Exception | str) -> str:
    return " ".join(str(words).split()).rstrip(".")[:300]


def _hint(exc: Exception) -> str:
    text = f"{type(exc).__name__} {exc}"
    if "SSL" in text or "certificate" in text:
        return "Check ca_bundle and the certificate's host name."
    if "CredentialsError" in text:
        return "Give access_key and secret_key."
    return "Check that the object store runs, and its address."
