"""Backups of every engine that a program may damage: how they are made, judged, and when a damage is none."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._backup_gate import Limits
from ansible_collections.odoo_ops.change_control.plugins.module_utils._barman import judge_barman
from ansible_collections.odoo_ops.change_control.plugins.module_utils._basebackups import judge_basebackups
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import filestore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.dumps import MANIFEST, read_manifest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import judge
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal import parse_listing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_window import judge_wal
from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import Order, judge_dumps, take
from ansible_collections.odoo_ops.change_control.plugins.module_utils._filestore import Depth, Store, compare
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Folder as DumpFolder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import Objects
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_folder import Folder as FilestoreFolder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest import Pgbackrest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.pgbackrest_repository import Folder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.postgres import Server
from ansible_collections.odoo_ops.change_control.plugins.module_utils._repository import Reading, read_repository

from tests.support import basebackups
from tests.support.barman import Barman
from tests.support.basebackups import BaseBackups
from tests.support.codecs_of_backups import DAMAGED, decoded
from tests.support.pgbackrest import Repository
from tests.support.small_cluster import SmallCluster

if TYPE_CHECKING:
    import psycopg

Judged = tuple[list[Check], Proved]
DAY_S, ROUNDS = 86_400, 50
LATER = dt.timedelta(hours=2)  # what was not finished by then will not be
WITHOUT_CHECKSUM = {
    "pgbackrest *.history": "where a timeline left its parent: read, and held against the backup, when the path of recovery leads over it",
    "pgbackrest *.backup": "a label of a backup that PostgreSQL archives and no restore reads",
    "pgbackrest backup.history/*": "manifests of expired backups, for people",
    "barman backup.info": "what Barman tells of a backup: its beginning is held against the manifest, which has a checksum",
    "barman xlog.db": "Barman's list of WAL: only that it is there, and names what is there, can be asked",
    "filestore names that are no hash": "neither name nor database tells what is in them: FILESTORE_UNPROVABLE, so that it does not pass",
    "filestore files that nobody names": "orphaned: no restore needs them",
    "bucket older versions": "which ones there were nobody tells; those that a restore point of a change names are proved with it",
    "basebackup postgresql.auto.conf": "written by pg_basebackup after the server has told what there is",
    "basebackup pg_wal/archive_status": "notes of the archiver, which a restore does not read",
}


class Scene(ABC):
    """``files`` are what may be damaged: files of this machine, where a scene does not say otherwise."""

    files: list[Path]

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    @contextmanager
    def damaged(self, path: Path, data: bytes | None) -> Iterator[None]:
        """A file with another content, or without it; after the block it is as before."""
        before = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)  # a new file, as whatever writes or restores one makes it
        if data is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            if before is not None:
                path.write_bytes(before)

    def another_name(self, chance: random.Random, path: Path) -> Path | None:
        """Under which a copy of a file would mean something."""
        return None

    @abstractmethod
    def judge(self, memory: Proved) -> Judged: ...

    @abstractmethod
    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """Whether a restore is the same with this content of a file, or without the file."""

    def proved(self) -> Proved:
        checks, memory = self.judge(Proved("F6"))
        assert all(check.ok for check in checks), [check for check in checks if not check.ok]
        return memory


def now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


def files_below(folder: Path, *but: str) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.stat().st_size)
    return [path for path in found if not any(path.match(pattern) for pattern in but)]


class RepositoryScene(Scene):
    def __init__(self, made: Repository) -> None:
        self.made, self.folder = made, Folder(made.repo)
        self.catalogue = Pgbackrest(["pgbackrest", f"--config={made.config}"]).info(made.stanza)
        self.files = files_below(made.repo, "*.history", "*.backup", "backup.history/*/*")

    def judge(self, memory: Proved) -> Judged:
        reading = Reading(memory, rounds=ROUNDS)
        read_repository(self.folder, self.catalogue, 1, reading)
        archive = self.folder.listing(f"archive/{self.made.stanza}/{self.catalogue.archive_id(self.catalogue.backups[-1])}")
        listing = {path: {"type": "file", "size": file.size, "time": 0} for path, file in archive.items()}
        wal = judge_wal(self.catalogue, parse_listing(listing), None, now=now())
        return [*judge(reading.parts), *wal.checks], memory.turned(reading.facts)

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """Segments that no retained backup needs may go, and of the newest one nothing else tells that it was there."""
        if data is None:
            needed = min(backup.wal_start for backup in self.catalogue.backups), self.made.archived()[-1]
            return path.parent.name in path.name and not needed[0] <= path.name[:24] < needed[1]
        try:
            return decoded(path, data) == decoded(path)
        except DAMAGED:
            return False


@contextmanager
def of_pgbackrest(home: Path, codec: str, bundle: bool) -> Iterator[Scene]:
    made = Repository(home, codec=codec, bundle=bundle)
    try:
        made.make()
    finally:
        made.stop()
    yield RepositoryScene(made)


def limits(memory: Proved) -> Limits:
    return Limits(max_age_s=DAY_S, checksums_s=600, memory=memory, rounds=ROUNDS)


class BasebackupScene(Scene):
    def __init__(self, made: BaseBackups) -> None:
        self.made = made
        self.files = files_below(made.location, "postgresql.auto.conf", "archive_status/*")

    def judge(self, memory: Proved) -> Judged:
        checks, found = judge_basebackups(self.made.location, limits(memory), now=now() + LATER)
        return checks, found["proved"]

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        with self.damaged(path, data):
            return self.made.verified(self.made.location / path.relative_to(self.made.location).parts[0])


@contextmanager
def of_pg_basebackup(home: Path, way: str) -> Iterator[Scene]:
    made = BaseBackups(home)
    try:
        made.make()
        for label in ("first", "second"):
            made.take(label, *basebackups.WAYS[way])
    finally:
        made.stop()
    yield BasebackupScene(made)


class BarmanScene(Scene):
    def __init__(self, made: Barman) -> None:
        self.made = made
        self.files = files_below(made.location, "backup.info", "identity.json", "*.backup", "postgresql.auto.conf", ".barman*", ".*")

    def judge(self, memory: Proved) -> Judged:
        checks, found = judge_barman(self.made.location, limits(memory), now=now() + LATER)
        return checks, found["proved"]

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """As :class:`RepositoryScene`; in Barman's list of WAL only names count, and behind the newest segment's last record nothing."""
        if path.name == "xlog.db":
            names = {line.split("\t")[0] for line in (data or b"").decode(errors="replace").splitlines()}
            return data is not None and {name for name in self.made.archived() if name not in names} == set()
        if path.parent.parent.name != "wals":
            return False
        if data is None:
            return path.name == self.made.archived()[-1] or path.name < min(self.needed())
        kept = path.read_bytes()
        try:
            return decoded(path.with_suffix(".gz"), data) == decoded(path.with_suffix(".gz"), kept) or self.made.replays(path, data)
        except DAMAGED:
            return False

    def needed(self) -> list[str]:
        texts = [path.read_text() for path in self.made.location.glob("base/*/backup.info")]
        return [line.partition("=")[2] for text in texts for line in text.splitlines() if line.startswith("begin_wal=")]


@contextmanager
def of_barman(home: Path) -> Iterator[Scene]:
    made = Barman(home)
    try:
        made.make()
    finally:
        made.stop()
    yield BarmanScene(made)


class DumpScene(Scene):
    """Nothing in a dump or its manifest may be another."""

    store: DumpFolder | Objects

    def __init__(self, store: DumpFolder) -> None:
        self.store, self.files = store, files_below(store.path)

    def another_name(self, chance: random.Random, path: Path) -> Path:
        """As if it were a dump of another night."""
        return path.with_name(f"postgres-202001{chance.randrange(1, 29):02}T000000Z{''.join(path.suffixes)}")

    def judge(self, memory: Proved) -> Judged:
        checks, found = judge_dumps(self.store, "postgres", limits(memory), now=now() + LATER)
        return checks, found["proved"]

    def is_harmless(self, path: Path, data: bytes | None) -> bool:
        """White space behind a manifest. Without its manifest and its dump there was none; one of both is left here."""
        label, is_manifest = path.name.removesuffix(MANIFEST), path.name.endswith(MANIFEST)
        if data is None or not is_manifest or path not in self.files:
            return False
        try:
            return read_manifest(data, label) == read_manifest(self.read(path), label)
        except ValueError:
            return False


def take_dumps(home: Path, store: DumpFolder | Objects, jobs: int | None = None) -> None:
    """Three nights' dumps of a cluster that is up."""
    began = now()
    for second in range(3):
        at = began - dt.timedelta(seconds=10 - second)
        take(Order(Server(str(home), 5432, "postgres", None), "postgres", store, jobs=jobs), now=lambda at=at: at, check=False)


@contextmanager
def of_tenant_dump(home: Path, jobs: int | None) -> Iterator[Scene]:
    made = BaseBackups(home)
    try:
        made.make()
        store = DumpFolder(made.location)
        take_dumps(home, store, jobs)
    finally:
        made.stop()
    yield DumpScene(store)


class FilestoreScene(Scene):
    """What attachments name, as a database in use tells."""

    def __init__(self, database: psycopg.Connection[Any], store: Store, files: list[Path]) -> None:
        self.database, self.store, self.files = database, store, files

    def judge(self, memory: Proved) -> Judged:
        found, proved = compare(self.database, self.store, Depth(memory, ROUNDS), before=0)
        assert proved is not None
        return filestore.judge(found), proved

    def another_name(self, chance: random.Random, path: Path) -> Path:
        """As if another attachment had been there."""
        sha1 = hashlib.sha1(chance.randbytes(8)).hexdigest()
        return path.parents[1] / sha1[:2] / sha1

    def is_harmless(self, path: Path, _data: bytes | None) -> bool:
        """What nobody names."""
        return path not in self.files


def bodies_of_attachments() -> dict[str, bytes]:
    """Contents of many sizes, by the names that Odoo gives them."""
    chance = random.Random(2026)
    bodies = [chance.randbytes(size) for size in (1, 7, 300, 4096, 70_000, 1 << 20) for _one in range(6)]
    return {f"{sha1[:2]}/{sha1}": body for body in bodies if (sha1 := hashlib.sha1(body).hexdigest())}


@contextmanager
def attachments_of(home: Path) -> Iterator[psycopg.Connection[Any]]:
    """A cluster whose one database names the attachments."""
    import psycopg

    cluster = SmallCluster(home)
    try:
        cluster.initdb()
        cluster.start()
        with psycopg.connect(host=str(home), user="postgres", dbname="postgres", autocommit=True) as database:
            database.execute("CREATE TABLE ir_attachment (store_fname text, file_size int, checksum varchar(40))")
            rows = [(name, len(body)) for name, body in bodies_of_attachments().items()]
            database.cursor().executemany("INSERT INTO ir_attachment VALUES (%s, %s)", rows)
            yield database
    finally:
        cluster.stop()


@contextmanager
def of_filestore(home: Path) -> Iterator[Scene]:
    with attachments_of(home) as database:
        root = home / "filestore"
        for name, body in bodies_of_attachments().items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(body)
        yield FilestoreScene(database, FilestoreFolder(root), files_below(root))


FILE_SCENES: dict[str, Callable[[Path], AbstractContextManager[Scene]]] = {
    "pgbackrest lz4 bundled": partial(of_pgbackrest, codec="lz4", bundle=True),
    "pgbackrest gz": partial(of_pgbackrest, codec="gz", bundle=False),
    "pgbackrest zst bundled": partial(of_pgbackrest, codec="zst", bundle=True),
    "pgbackrest bz2 bundled": partial(of_pgbackrest, codec="bz2", bundle=True),
    "pgbackrest none": partial(of_pgbackrest, codec="none", bundle=False),
    **{f"basebackup {way}": partial(of_pg_basebackup, way=way) for way in basebackups.WAYS},
    "barman": of_barman,
    "dump": partial(of_tenant_dump, jobs=None),
    "dump directory": partial(of_tenant_dump, jobs=2),
    "filestore folder": of_filestore,
}
