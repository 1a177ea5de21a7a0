# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Recovery bundles in a folder: ``<location>/<tenant>/<UTC stamp>/``. A bundle appears whole or not at all, and is never altered."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from .._core import recovery_bundle as core
from .._core.errors import ChangeError
from .._core.recovery_bundle import DOCUMENT, DOCUMENTS, Part, file_of

_LEFT_OUT = {"__pycache__", ".git"}
_CHUNK = 1 << 20


class BundleError(ChangeError):
    """A bundle, or what goes into one, cannot be read or written."""


class Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...
    def flush(self) -> None: ...


class _Counting:
    """Writes on, and knows the SHA-256 and the length of what went through."""

    def __init__(self, out: Writable) -> None:
        self._out, self.sum, self.size = out, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self.sum.update(data)
        self.size += len(data)
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """The right to write a tenant's bundles."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (home / ".lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BundleError(f"another bundle is being written in {home}. Wait for its end.", code="BUSY") from None
            for left in home.glob(".new-*"):  # of a run that was killed: nobody else has the lock
                shutil.rmtree(left)
            yield
    except OSError as exc:
        raise BundleError(f"{home} cannot be written ({exc.strerror}). Correct location, or run the task as its owner.") from exc


def write(into: Path, given: Mapping[str, Any]) -> dict[str, Part]:
    """One file for each kind. ``given``: a path for a kind that is a folder or a file, else the document."""
    into.mkdir(mode=0o700)
    return {kind: _write_one(into / file_of(kind), kind, value) for kind, value in given.items()}


def _write_one(path: Path, kind: str, value: Any) -> Part:
    try:
        with path.open("wb") as out:
            counted = _Counting(out)
            if kind in DOCUMENTS:
                data = json.dumps(value, indent=1, sort_keys=True).encode() + b"\n"
                counted.write(data)
                return Part(kind, counted.size, counted.sum.hexdigest(), counted.sum.hexdigest())
            with gzip.GzipFile(filename="", mode="wb", fileobj=counted, mtime=0, compresslevel=6) as packed:
                content = _Counting(packed)
                _pack(Path(value), content)
            return Part(kind, counted.size, counted.sum.hexdigest(), content.sum.hexdigest())
    except OSError as exc:
        raise BundleError(f"{kind}: {exc.filename or value} cannot be read ({exc.strerror}). Correct {kind}.") from exc


def _pack(source: Path, out: Any) -> None:
    """A tar with the same bytes for the same content: sorted, without times and owners."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path in _below(source):
            name = path.relative_to(source.parent if source.is_file() else source)
            info = tar.gettarinfo(path, arcname=name.as_posix())
            info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mtime = 0
            if not (info.isreg() or info.isdir() or info.issym()):
                raise BundleError(f"{path} is no file, wanted files and folders. Take it away.")
            if info.issym() and not path.resolve().is_relative_to(source.resolve()):
                raise BundleError(
                    f"{path} is a link that leads out of {source}, so it would be missing on another machine. Put a file there."
                )
            if info.isreg():
                with path.open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)


def _below(source: Path) -> Iterator[Path]:
    if not source.is_dir():
        yield source
        return
    for path in sorted(source.iterdir()):
        if path.name in _LEFT_OUT:
            continue
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)


def publish(draft: Path, document: Mapping[str, Any], name: str) -> Path:
    """Gives a draft its name, after which it is a bundle."""
    with (draft / DOCUMENT).open("w", encoding="utf-8") as out:
        json.dump(document, out, indent=1, sort_keys=True)
        out.flush()
        os.fsync(out.fileno())
    bundle = draft.with_name(name)
    if bundle.exists():
        raise BundleError(f"{bundle} is there already: two bundles in one second. Run it again.")
    return draft.rename(bundle)


def bundles(home: Path) -> list[Path]:
    """A tenant's bundles, the oldest first."""
    try:
        return sorted(path for path in home.iterdir() if core.STAMP.fullmatch(path.name) and path.is_dir()) if home.is_dir() else []
    except OSError as exc:
        raise BundleError(f"{home} cannot be read ({exc.strerror}). Correct location, or run the task as its owner.") from exc


def read_document(bundle: Path) -> Any:
    """What ``bundle.json`` says; None when it does not say anything."""
    try:
        return json.loads((bundle / DOCUMENT).read_bytes())
    except (OSError, ValueError):
        return None


def seen(bundle: Path) -> dict[str, tuple[int, str]]:
    """The size and the SHA-256 of each file that is there."""
    found = {}
    for kind in core.KINDS:
        path, hashing = bundle / file_of(kind), hashlib.sha256()
        try:
            with path.open("rb") as file:
                while data := file.read(_CHUNK):
                    hashing.update(data)
                found[path.name] = (file.tell(), hashing.hexdigest())
        except FileNotFoundError:
            continue
        except OSError as exc:
            raise BundleError(f"{path} cannot be read ({exc.strerror}). Run the task as its owner.") from exc
    return found


def unpack(bundle: Path, into: Path) -> dict[str, Path]:
    """What each kind holds, as a folder or a document below ``into``. Nothing is written outside of it, whatever a tar says."""
    found = {}
    for kind in core.KINDS:
        packed = bundle / file_of(kind)
        if kind in DOCUMENTS:
            found[kind] = Path(shutil.copyfile(packed, into / packed.name))
            continue
        found[kind] = into / kind
        try:
            with tarfile.open(packed, "r|gz") as tar:
                tar.extractall(found[kind], filter="data")
        except (tarfile.TarError, OSError, EOFError) as exc:
            raise BundleError(f"{packed} cannot be unpacked ({exc}). Write a new bundle.", code="CHECKSUM") from exc
    return found
