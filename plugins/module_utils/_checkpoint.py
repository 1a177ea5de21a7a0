# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Makes, restores and clears up a tenant's checkpoint: asks what is there, lets ``_core/checkpoint.py`` decide, does it."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._core import checkpoint as core
from ._core import clock
from ._core.checkpoint import CheckpointError, Keys, Mark, Names
from ._core.checks import rfc3339
from ._io import pg_dump, postgres
from ._io.postgres import Server, connect
from ._io.s3 import Bucket, Uploaded

Result = dict[str, Any]


@dataclass(frozen=True)
class Archive:
    """Where the cluster's backups go. ``ready`` raises when none can be taken, ``take`` returns its label and the position of its end."""

    ready: Callable[[], object]
    take: Callable[[], tuple[str, str]]


@dataclass(frozen=True)
class Job:
    """One tenant and one change, and where its parts are."""

    tenant: str
    change: str
    names: Names
    server: Server
    keys: Keys
    store: Bucket
    files: Bucket
    files_prefix: str
    pg_bin: str | None = None
    owner: str | None = None
    sessions_timeout_s: float = 150.0
    busy_timeout_s: float = 600.0

    def tools(self, connection: Any) -> Path:
        return pg_dump.find_bin(self.pg_bin, postgres.server_major(connection))

    def manifest(self) -> tuple[dict[str, Any], str] | None:
        """The manifest and its digest, by which the whole checkpoint is known."""
        data = self.store.read(self.keys.manifest)
        if data is None:
            return None
        names = {"change": self.change, "tenant": self.tenant, "database": self.names.live}
        return core.read_manifest(data, **names, key=self.keys.manifest), core.sha256(data)


# -- present -----------------------------------------------------------------------------------------------------------
def present(job: Job, *, archive: Archive | None, now: Callable[[], dt.datetime], check: bool) -> Result:
    """The tenant has a complete checkpoint of this change. The manifest is written last: with it, all of it is there."""
    with connect(job.server, read_only=check) as admin:
        _believe_clock(job, admin, now)
        postgres.lock(admin, job.names.live, within_s=job.busy_timeout_s)
        properties = postgres.properties(admin, job.names.live)
        mark, other = core.read_comment(postgres.comments(admin, [job.names.live])[job.names.live])
        found = job.manifest()
        if found is not None:
            core.refuse_damage(found[0], _sizes(job, found[0]))
        step = core.next_present_step(found[1] if found else None, mark)
        if step == "make":
            found = _make(job, {**properties, "comment": other}, archive=archive, now=now, check=check)
        if mark is not None and not check:
            postgres.set_comment(admin, job.names.live, other)
        return {"changed": step != "done", "steps": [] if step == "done" else [step], "checkpoint": _told(found)}


def _believe_clock(job: Job, admin: Any, now: Callable[[], dt.datetime]) -> None:
    """Windows, and the ages of backups and of this restore point, are only as true as the two clocks are one."""
    asked = now()
    shown = postgres.clock(admin)
    clock.refuse_skew(shown, asked=asked, answered=now(), whose=str(job.server))


def _make(
    job: Job, properties: dict[str, Any], *, archive: Archive | None, now: Callable[[], dt.datetime], check: bool
) -> tuple[dict[str, Any], str] | None:
    with connect(job.server, job.names.live, read_only=True) as tenant:
        tools = job.tools(tenant)
        wanted = postgres.stored_names(tenant)
    files = _inventory(job, wanted)  # before the backup, because a missing file ends it all
    if archive:
        archive.ready()
    if check:
        return None
    with connect(job.server) as admin:
        postgres.quiet(admin, job.names.live, within_s=job.sessions_timeout_s)
    at = now()
    take: Callable[[], tuple[str | None, str]] = archive.take if archive else lambda: (None, _position(job))
    with ThreadPoolExecutor(1) as beside:  # the tenant is quiet, so that both have the same state
        backup = beside.submit(take)
        dumped, files = _dump(job, tools, wanted, files)
        label, position = backup.result()
    document = {"schema": core.SCHEMA, "database": job.names.live, "bucket": job.files.name, "prefix": job.files_prefix, "files": files}
    listed = job.store.write(job.keys.filestore, core.canonical(document))
    part = {"key": job.keys.dump, "sha256": dumped.sha256, "bytes": dumped.size, "version_id": dumped.version_id}
    other = {"key": job.keys.filestore, "sha256": listed.sha256, "bytes": listed.size, "version_id": listed.version_id}
    manifest = {
        "schema": core.SCHEMA,
        "change": job.change,
        "tenant": job.tenant,
        "database": job.names.live,
        "properties": properties,
        "checkpoint": {
            "label": label,
            "lsn": position,
            "dump": part,
            "filestore": {**other, "count": len(files), "missing": 0},
            "at": rfc3339(at),
        },
    }
    return manifest, job.store.write(job.keys.manifest, core.canonical(manifest)).sha256


def _dump(job: Job, tools: Path, wanted: list[str], files: list[dict[str, Any]]) -> tuple[Uploaded, list[dict[str, Any]]]:
    """Stores the dump and reads it back; what was stored, and the files as its state of the database names them."""
    with connect(job.server, job.names.live, read_only=True) as tenant, postgres.snapshot(tenant) as snapshot:
        seen = postgres.stored_names(tenant)
        files = files if seen == wanted else _inventory(job, seen)
        job.store.abort_unfinished(job.keys.dump)
        with pg_dump.Dump(tools, job.server, job.names.live, snapshot=snapshot) as dump:
            dumped = job.store.upload(job.keys.dump, dump)
    chunks = unaltered(job.store.chunks(job.keys.dump, dumped.version_id), job.keys.dump, dumped.sha256)
    pg_dump.read_whole(tools, chunks, job.keys.dump, timeout_s=job.server.timeout_s)
    return dumped, files


def _inventory(job: Job, wanted: list[str]) -> list[dict[str, Any]]:
    files, missing = core.inventory(wanted, job.files_prefix, job.files.versions(f"{job.files_prefix}/") if wanted else [])
    core.refuse_missing(missing, tenant=job.tenant, bucket=job.files.name, count=len(wanted))
    return files


def _position(job: Job) -> str:
    with connect(job.server) as admin:
        return postgres.archived_position(admin, switch=True)


def _sizes(job: Job, manifest: dict[str, Any]) -> dict[str, int | None]:
    parts = [manifest["checkpoint"][name] for name in ("dump", "filestore")]
    return {part["key"]: job.store.size(part["key"], part["version_id"]) for part in parts}


def _told(found: tuple[dict[str, Any], str] | None) -> dict[str, Any] | None:
    return {**found[0]["checkpoint"], "digest": found[1]} if found else None


def unaltered(chunks: Iterable[bytes], key: str, wanted: str) -> Iterator[bytes]:
    """Hands the chunks on, and raises at their end, before anybody learns that it is the end, when they are not what was written."""
    seen = hashlib.sha256()
    for chunk in chunks:
        seen.update(chunk)
        yield chunk
    core.refuse_other_bytes(key, seen.hexdigest(), wanted)


# -- restored ----------------------------------------------------------------------------------------------------------
def restored(job: Job, *, check: bool) -> Result:
    """The tenant is as it was at the checkpoint. Files come back first, so that the database never names one that is not there."""
    found = job.manifest()
    if found is None:
        raise CheckpointError(
            f"tenant {job.tenant} has no checkpoint of change {job.change} ({job.keys.manifest} is not in {job.store}). "
            "Restore from the cluster's backup instead.",
            code="NO_CHECKPOINT",
        )
    manifest, digest = found
    with connect(job.server, read_only=check) as admin:
        postgres.lock(admin, job.names.live, within_s=job.busy_timeout_s)
        steps = core.restore_steps(_databases(job, admin), job.names, digest)
        if core.MAKE_COPY in steps:
            core.refuse_damage(manifest, _sizes(job, manifest))
        copies = _repairs(job, manifest)
        if not check:
            for key, version in copies:
                job.files.copy_back(key, version)
            while (step := core.next_restore_step(_databases(job, admin), job.names, digest)) != core.DONE:
                restore_step(job, admin, step, manifest, digest)
    return {"changed": bool(steps or copies), "steps": steps, "copied_back": len(copies), "checkpoint": _told(found)}


def restore_step(job: Job, admin: Any, step: str, manifest: dict[str, Any], digest: str) -> None:
    """Does one step of :func:`core.next_restore_step`. Killed inside it, the next run finds what to do from what is there."""
    names, like = job.names, {**manifest["properties"], **({"owner": job.owner} if job.owner else {})}
    if step == core.MAKE_COPY:
        _make_copy(job, admin, manifest, digest)
    elif step == core.SWAP:
        other = core.read_comment(_databases(job, admin)[names.live])[1]
        postgres.set_open(admin, names.live, core.write_comment(Mark(core.CLOSED, digest), other), opened=False)
        for name in (names.live, names.copy):
            postgres.put_out(admin, name, within_s=job.sessions_timeout_s)
        postgres.take_place(admin, names.copy, like, [(names.live, names.old), (names.copy, names.live)])
    elif step == core.PROMOTE:
        postgres.put_out(admin, names.copy, within_s=job.sessions_timeout_s)
        postgres.take_place(admin, names.copy, like, [(names.copy, names.live)])
    else:
        clear_step(job, admin, step)


def _make_copy(job: Job, admin: Any, manifest: dict[str, Any], digest: str) -> None:
    """The mark comes last: a copy without it is thrown away."""
    names, dump = job.names, manifest["checkpoint"]["dump"]
    postgres.create_hidden(admin, names.copy, manifest["properties"])
    chunks = unaltered(job.store.chunks(dump["key"], dump["version_id"]), dump["key"], dump["sha256"])
    try:
        pg_dump.restore(job.tools(admin), job.server, names.copy, chunks, dump["key"])
    except Exception:
        postgres.drop_database(admin, names.copy)
        raise
    postgres.analyze(job.server, names.copy)
    postgres.set_comment(admin, names.copy, core.write_comment(Mark(core.RESTORED, digest), manifest["properties"]["comment"]))


def _repairs(job: Job, manifest: dict[str, Any]) -> list[tuple[str, str]]:
    part = manifest["checkpoint"]["filestore"]
    data = job.store.read(part["key"], part["version_id"]) or b""
    core.refuse_other_bytes(part["key"], core.sha256(data), part["sha256"])
    document = json.loads(data)
    versions = job.files.versions(f"{document['prefix']}/") if document["files"] else []
    copies, lost = core.filestore_repairs(document["files"], document["prefix"], versions)
    core.refuse_lost(lost, tenant=job.tenant, bucket=job.files.name)
    return copies


def _databases(job: Job, admin: Any) -> dict[str, str | None]:
    return postgres.comments(admin, [job.names.live, job.names.copy, job.names.old])


# -- absent ------------------------------------------------------------------------------------------------------------
def absent(job: Job, *, check: bool) -> Result:
    """No leftover of a restore; the checkpoint itself stays, its retention is the bucket's."""
    with connect(job.server, read_only=check) as admin:
        postgres.lock(admin, job.names.live, within_s=job.busy_timeout_s)
        steps = core.absent_steps(_databases(job, admin), job.names)
        while not check and (step := core.next_absent_step(_databases(job, admin), job.names)) != core.DONE:
            clear_step(job, admin, step)
    return {"changed": bool(steps), "steps": steps, "checkpoint": None}


def clear_step(job: Job, admin: Any, step: str) -> None:
    names = job.names
    if step == core.DROP_COPY:
        postgres.drop_database(admin, names.copy)
    elif step == core.DROP_OLD:
        postgres.drop_database(admin, names.old)
    elif step == core.REOPEN:
        postgres.set_open(admin, names.live, core.read_comment(_databases(job, admin)[names.live])[1], opened=True)
