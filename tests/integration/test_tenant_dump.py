"""tenant_dump and pg_backup_verify with engine dump: a real cluster, a directory and a real bucket, every damage its own code."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.distribution import postgres_bin
from tests.lab.parts.postgres import connect
from tests.lab.parts.s3 import client
from tests.lab.site import Site, wait_for
from tests.support import ansible
from tests.support.ansible import run_module

pytestmark = pytest.mark.lab

PARTS = ["s3", "postgres"]

DB = f"dumps_{os.getpid()}"
ROWS = 5000


@pytest.fixture(scope="module")
def cluster(site: Site) -> Iterator[dict[str, Any]]:
    found = site.facts("postgres")["clusters"]["shared"]
    with connect(found) as db:
        db.execute(f"CREATE DATABASE {DB} TEMPLATE template0")
    with connect(found, DB) as db:
        db.execute(f"CREATE TABLE invoice AS SELECT g AS id, md5(g::text) AS body FROM generate_series(1, {ROWS}) g")
    yield found
    with connect(found) as db:
        db.execute(f"DROP DATABASE {DB} WITH (FORCE)")


class Folder:
    """Dumps in a directory."""

    def __init__(self, cluster: dict[str, Any], folder: Path) -> None:
        self.cluster, self.folder = cluster, folder

    def where(self) -> dict[str, Any]:
        return {"location": str(self.folder)}

    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())

    def below(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir())

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        (self.folder / name).write_bytes(data)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def login(self) -> dict[str, Any]:
        return {**{key: self.cluster[key] for key in ("host", "port")}, "login_password": self.cluster["admin_password"]}

    def dump(self, check: bool = False, **more: Any) -> dict[str, Any]:
        return run_module("tenant_dump", {"database": DB, **self.login(), **self.where(), **more}, check)

    def verify(self, **more: Any) -> dict[str, Any]:
        return run_module("pg_backup_verify", {"engine": "dump", "database": DB, **self.where(), "enforce": False, **more})


class Objects(Folder):
    """Dumps in a bucket."""

    def __init__(self, cluster: dict[str, Any], site: Site, prefix: str) -> None:
        super().__init__(cluster, Path("/nowhere"))
        self.s3, self.prefix = site.facts("s3"), prefix
        self.bucket, self.client = self.s3["buckets"]["filestore"], client(self.s3, "filestore")

    def where(self) -> dict[str, Any]:
        keys = self.s3["filestore"]
        access = {"endpoint_url": self.s3["endpoint"], "ca_bundle": self.s3["ca"]}
        return {"location": f"s3://{self.bucket}/{self.prefix}", "s3": {**access, **keys}}

    def names(self) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/").get("Contents", [])
        return sorted(item["Key"].rsplit("/", 1)[-1] for item in found)

    def below(self, folder: str) -> list[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.prefix}/{folder}/").get("Contents", [])
        return sorted(item["Key"].rsplit("/", 1)[-1] for item in found)

    def read(self, name: str) -> bytes:
        return bytes(self.client.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")["Body"].read())

    def write(self, name: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}", Body=data)

    def remove(self, name: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, cluster: dict[str, Any], site: Site, tmp_path: Path) -> Folder:
    if request.param == "folder":
        return Folder(cluster, tmp_path)
    return Objects(cluster, site, f"{DB}/{time.monotonic_ns()}")


@pytest.fixture
def folder(cluster: dict[str, Any], tmp_path: Path) -> Folder:
    return Folder(cluster, tmp_path)


def codes(result: dict[str, Any]) -> set[str]:
    return {check["code"] for check in result["evidence"]["checks"] if check["ok"] is not True}


def test_a_dump_is_what_the_database_was(place: Folder, tmp_path: Path) -> None:
    would = place.dump(check=True)
    assert (would["failed"], would["changed"], would["dump"], place.names()) == (False, True, None, [])
    taken = place.dump()
    assert (taken["failed"], taken["changed"], taken["removed"]) == (False, True, []), taken.get("msg")
    label = taken["dump"]["label"]
    assert place.names() == [f"{label}.dump", f"{label}.manifest.json"]
    body = place.read(f"{label}.dump")
    assert (taken["dump"]["size_bytes"], taken["dump"]["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    (tmp_path / "restored.dump").write_bytes(body)
    sql = subprocess.run(
        [postgres_bin() / "pg_restore", "-f", "-", tmp_path / "restored.dump"], capture_output=True, text=True, check=True
    ).stdout
    assert sql.count("\n", sql.index("COPY public.invoice"), sql.index("\\.\n", sql.index("COPY public.invoice"))) == ROWS + 1
    with connect(place.cluster) as db:
        row = db.execute("SELECT system_identifier::text FROM pg_control_system()").fetchone()
    expect = {"system_id": row[0], "version": taken["dump"]["version"]}
    found = place.verify(depth="checksums", expect=expect, retention={"full": 1})
    assert found["verdict"] == "pass", found["msg"]
    assert found["backup"]["label"] == label
    assert found["content"][f"dump_{label}"] == {"files": 1, "read": 1, "remembered": 0, "read_bytes": len(body)}
    assert codes(place.verify(expect={"system_id": "1"})) == {"SYSTEM_ID"}
    assert codes(place.verify(retention={"full": 2}, max_age="PT0S")) == {"RETENTION", "AGE"}


def directory(place: Folder, tmp_path: Path) -> dict[str, Any]:
    """The options of a dump in directory format."""
    if not isinstance(place, Objects):
        return {"format": "directory", "jobs": 2}
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    return {"format": "directory", "jobs": 2, "scratch": str(scratch)}


def test_a_dump_in_directory_format_is_what_the_database_was(place: Folder, tmp_path: Path) -> None:
    how = directory(place, tmp_path)
    would = place.dump(check=True, **how)
    assert (would["failed"], would["changed"], would["dump"]) == (False, True, None)
    taken = place.dump(**how)
    assert (taken["failed"], taken["changed"], taken["removed"]) == (False, True, []), taken.get("msg")
    assert not list(tmp_path.glob("scratch/*")), "nothing stays in scratch"
    label, folder = taken["dump"]["label"], tmp_path / "restored"
    names = [name for name in place.below(taken["dump"]["file"]) if name != "toc.dat"]
    assert (taken["dump"]["file"], taken["dump"]["files"]) == (f"{label}.dir", len(names) + 1)
    folder.mkdir()
    for name in ["toc.dat", *names]:
        (folder / name).write_bytes(place.read(f"{label}.dir/{name}"))
    sql = subprocess.run([postgres_bin() / "pg_restore", "-f", "-", folder], capture_output=True, text=True, check=True).stdout
    assert sql.count("\n", sql.index("COPY public.invoice"), sql.index("\\.\n", sql.index("COPY public.invoice"))) == ROWS + 1
    memory = {"depth": "checksums", "state": str(tmp_path / "memory.state"), "sample": 0.001}
    found = place.verify(retention={"full": 1}, expect={"version": taken["dump"]["version"]}, **memory)
    assert found["verdict"] == "pass", found["msg"]
    size, files = taken["dump"]["size_bytes"], taken["dump"]["files"]
    assert found["content"][f"dump_{label}"] == {"files": files, "read": files, "remembered": 0, "read_bytes": size}
    assert place.verify(**memory)["content"][f"dump_{label}"]["remembered"] == files


def flip_file(place: Folder, label: str) -> None:
    name = max(place.below(f"{label}.dir"), key=lambda name: len(place.read(f"{label}.dir/{name}")))
    body = bytearray(place.read(f"{label}.dir/{name}"))
    body[len(body) // 2] ^= 4
    place.write(f"{label}.dir/{name}", bytes(body))


def cut_file(place: Folder, label: str) -> None:
    place.write(f"{label}.dir/toc.dat", place.read(f"{label}.dir/toc.dat")[:-10])


def no_file(place: Folder, label: str) -> None:
    place.remove(f"{label}.dir/toc.dat")


def one_more(place: Folder, label: str) -> None:
    place.write(f"{label}.dir/9999.dat.gz", b"")


def no_manifest(place: Folder, label: str) -> None:
    old = f"{DB}-20200101T000000Z.dir"
    if not isinstance(place, Objects):
        (place.folder / old).mkdir()
    place.write(f"{old}/toc.dat", place.read(f"{label}.dir/toc.dat"))


@pytest.mark.parametrize(
    ("damage", "catalogue", "checksums"),
    [
        pytest.param(flip_file, set(), {"CHECKSUM"}, id="a-flipped-bit"),
        pytest.param(cut_file, {"CHECKSUM", "REFERENCE_MISSING"}, {"CHECKSUM", "REFERENCE_MISSING"}, id="cut-off"),
        pytest.param(no_file, {"INCOMPLETE", "REFERENCE_MISSING"}, {"INCOMPLETE", "REFERENCE_MISSING"}, id="a-file-is-gone"),
        pytest.param(one_more, {"CHECKSUM", "REFERENCE_MISSING"}, {"CHECKSUM", "REFERENCE_MISSING"}, id="a-file-too-many"),
        pytest.param(no_manifest, {"INCOMPLETE"}, {"INCOMPLETE"}, id="one-without-a-manifest"),
    ],
)
def test_every_damage_of_a_directory_has_its_code(
    place: Folder, tmp_path: Path, damage: Callable[[Folder, str], None], catalogue: set[str], checksums: set[str]
) -> None:
    damage(place, place.dump(**directory(place, tmp_path))["dump"]["label"])
    assert codes(place.verify()) == catalogue
    found = place.verify(depth="checksums")
    assert (found["verdict"], codes(found)) == ("fail", checksums), found["msg"]


def test_only_so_many_directories_stay(folder: Folder) -> None:
    labels = []
    for form in ("directory", "custom", "directory"):
        labels.append(folder.dump(keep=1, format=form)["dump"]["label"])
        assert folder.names() == sorted([f"{labels[-1]}.{'dir' if form == 'directory' else 'dump'}", f"{labels[-1]}.manifest.json"])
        time.sleep(1.1)


def spoiled(folder: Path, after: str) -> str:
    """PostgreSQL's tools, whose pg_dump does something to what it has made."""
    tools = folder / "spoiled"
    tools.mkdir()
    for name in ("pg_dump", "pg_restore"):
        run = f'"{postgres_bin() / name}" "$@" || exit $?\n'
        into = 'for one in "$@"; do case "$one" in --file=*) made="${one#--file=}" ;; esac; done\n[ -z "$made" ] || '
        (tools / name).write_text(f"#!/bin/sh\n{run}{into}{after}\n" if name == "pg_dump" else f"#!/bin/sh\n{run}")
        (tools / name).chmod(0o755)
    return str(tools)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        pytest.param('for f in "$made"/*.gz; do truncate -s -9 "$f"; done', "reading", id="cut-off"),
        pytest.param('for f in "$made"/*.gz; do truncate -s 0 "$f"; done', "ends too early", id="pg_restore-does-not-see-it"),
        pytest.param('rm "$made"/*.gz', "reading", id="a-file-is-not-there"),
        pytest.param('truncate -s 40 "$made/toc.dat"', "reading", id="the-contents-are-cut-off"),
    ],
)
def test_a_directory_that_cannot_be_read_back_is_no_dump(folder: Folder, tmp_path_factory: Any, after: str, words: str) -> None:
    found = folder.dump(format="directory", pg_bin=spoiled(tmp_path_factory.mktemp("tools"), after))
    assert found["failed"]
    assert (found["code"], words in found["msg"]) == ("DUMP", True), found["msg"]
    assert folder.names() == []


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_killed_directory_leaves_nothing_that_counts_and_the_next_clears_up(
    cluster: dict[str, Any], site: Site, tmp_path: Path, tmp_path_factory: Any, kind: str
) -> None:
    place = Folder(cluster, tmp_path) if kind == "folder" else Objects(cluster, site, f"{DB}/{time.monotonic_ns()}")
    how = directory(place, tmp_path)
    home = Path(how.get("scratch", tmp_path))
    tools = spoiled(tmp_path_factory.mktemp("tools"), "sleep 60")
    process = subprocess.Popen(
        ansible.command("tenant_dump", {"database": DB, **place.login(), **place.where(), **how, "pg_bin": tools}),
        env=ansible.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        toc = wait_for(lambda: next(home.glob("*.part/toc.dat"), None), what="the unfinished directory", timeout_s=60)
        assert place.dump(check=True)["removed"] == [], "it is still being written"
        for pid in writers(toc.parent):
            os.kill(pid, signal.SIGKILL)
        process.wait(60)
    finally:
        process.kill()
    wait_for(lambda: not writers(toc.parent), what="the end of what pg_dump started", timeout_s=90)
    assert codes(place.verify()) == {"NO_BACKUP"}
    assert place.dump(**how)["removed"] == ([toc.parent.name] if kind == "folder" else [])
    assert not list(home.glob("*.part"))
    assert place.verify(depth="checksums")["verdict"] == "pass"


def flip(place: Folder, label: str) -> None:
    body = bytearray(place.read(f"{label}.dump"))
    body[len(body) // 2] ^= 4
    place.write(f"{label}.dump", bytes(body))


def cut(place: Folder, label: str) -> None:
    place.write(f"{label}.dump", place.read(f"{label}.dump")[:-100])


def no_dump(place: Folder, label: str) -> None:
    place.remove(f"{label}.dump")


def change_the_manifest(place: Folder, label: str) -> None:
    place.write(f"{label}.manifest.json", place.read(f"{label}.manifest.json").replace(b'"version": "', b'"version": "1'))


def of_another_day(place: Folder, label: str) -> None:
    old = f"{DB}-20200101T000000Z"
    place.write(f"{old}.dump", place.read(f"{label}.dump"))
    place.write(f"{old}.manifest.json", place.read(f"{label}.manifest.json"))


def without_a_manifest(place: Folder, label: str) -> None:
    place.write(f"{DB}-20200101T000000Z.dump", place.read(f"{label}.dump"))


def nothing(place: Folder, label: str) -> None:
    for suffix in ("dump", "manifest.json"):
        place.remove(f"{label}.{suffix}")


@pytest.mark.parametrize(
    ("damage", "catalogue", "checksums"),
    [
        pytest.param(flip, set(), {"CHECKSUM"}, id="a-flipped-bit"),
        pytest.param(cut, {"CHECKSUM", "REFERENCE_MISSING"}, {"CHECKSUM", "REFERENCE_MISSING"}, id="cut-off"),
        pytest.param(no_dump, {"INCOMPLETE", "REFERENCE_MISSING"}, {"INCOMPLETE", "REFERENCE_MISSING"}, id="the-dump-is-gone"),
        pytest.param(change_the_manifest, {"NO_BACKUP", "CHECKSUM"}, {"NO_BACKUP", "CHECKSUM"}, id="a-changed-manifest"),
        pytest.param(of_another_day, {"CHECKSUM"}, {"CHECKSUM"}, id="a-copy-under-another-name"),
        pytest.param(without_a_manifest, {"INCOMPLETE"}, {"INCOMPLETE"}, id="one-without-a-manifest"),
        pytest.param(nothing, {"NO_BACKUP"}, {"NO_BACKUP"}, id="none-is-left"),
    ],
)
def test_every_damage_has_its_code(folder: Folder, damage: Callable[[Folder, str], None], catalogue: set[str], checksums: set[str]) -> None:
    damage(folder, folder.dump()["dump"]["label"])
    assert codes(folder.verify()) == catalogue
    found = folder.verify(depth="checksums")
    assert (found["verdict"], codes(found)) == ("fail", checksums), found["msg"]


def test_a_damaged_object_is_found(place: Folder) -> None:
    flip(place, place.dump()["dump"]["label"])
    found = place.verify(depth="checksums")
    assert (found["verdict"], codes(found)) == ("fail", {"CHECKSUM"}), found["msg"]


def test_what_was_proved_is_not_read_again_until_it_is_written_again(place: Folder, tmp_path: Path) -> None:
    label = place.dump()["dump"]["label"]
    memory = {"depth": "checksums", "state": str(tmp_path / "memory.state"), "sample": 0.001}
    assert place.verify(**memory)["content"][f"dump_{label}"]["read"] == 1
    again = place.verify(**memory)
    assert (again["verdict"], again["content"][f"dump_{label}"]["remembered"]) == ("pass", 1)
    flip(place, label)
    assert codes(place.verify(**memory)) == {"CHECKSUM"}
    assert codes(place.verify(**memory)) == {"CHECKSUM"}


def test_only_so_many_stay_and_only_ours_go(folder: Folder) -> None:
    folder.write("notes.txt", b"ours")
    folder.write("zeta-20200101T000000Z.dump", b"another database's")
    labels = []
    for _turn in range(3):
        labels.append(folder.dump(keep=2)["dump"]["label"])
        time.sleep(1.1)
    kept = [f"{label}.{suffix}" for label in labels[1:] for suffix in ("dump", "manifest.json")]
    assert folder.names() == sorted([*kept, "notes.txt", "zeta-20200101T000000Z.dump"])
    would = folder.dump(check=True, keep=2)
    assert would["removed"] == [f"{labels[1]}.manifest.json", f"{labels[1]}.dump"]


def test_a_missed_night_is_found_although_the_newest_is_young(folder: Folder) -> None:
    began = dt.datetime.fromisoformat(folder.dump()["dump"]["began"])
    time.sleep(max(0.0, began.timestamp() + 64 - time.time()))
    due = began + dt.timedelta(seconds=61)
    rule = f"FREQ=DAILY;BYHOUR={due.hour};BYMINUTE={due.minute};BYSECOND={due.second}"
    assert codes(folder.verify(schedule={"rrule": rule, "tolerance": "PT1S"})) == {"SCHEDULE"}


def writers(path: Path) -> list[int]:
    """The processes that have a file open."""
    found = []
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            found += [int(fd.parts[2])] if fd.readlink() == path else []
    return found


def test_a_killed_dump_leaves_nothing_that_counts_and_the_next_clears_up(folder: Folder) -> None:
    slow = folder.folder / "bin"
    slow.mkdir()
    for name in ("pg_dump", "pg_restore"):
        tool = slow / name
        wait = 'case " $* " in *--version*) ;; *) sleep 60 ;; esac\n' if name == "pg_dump" else ""
        tool.write_text(f'#!/bin/sh\n{wait}exec {postgres_bin() / name} "$@"\n')
        tool.chmod(0o755)
    argv = ansible.command("tenant_dump", {"database": DB, **folder.login(), **folder.where(), "pg_bin": str(slow)})
    process = subprocess.Popen(argv, env=ansible.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        part = wait_for(lambda: next(folder.folder.glob("*.part"), None), what="the unfinished file", timeout_s=60)
        assert folder.dump(check=True)["removed"] == [], "it is still being written"
        for pid in writers(part):
            os.kill(pid, signal.SIGKILL)
        process.wait(60)
    finally:
        process.kill()
    assert codes(folder.verify()) == {"NO_BACKUP"}
    assert folder.dump()["removed"] == [part.name]
    assert not any(name.endswith(".part") for name in folder.names())
    assert folder.verify()["verdict"] == "pass"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"database": "nobody"}, 'database "nobody" does not exist', id="no-database"),
        pytest.param({"location": "/nowhere/at/all"}, "location /nowhere/at/all is no directory", id="no-directory"),
        pytest.param({"location": "s3://Not a bucket"}, "wanted a directory or s3://bucket/prefix", id="no-bucket"),
        pytest.param({"keep": -1}, "keep is -1", id="negative"),
        pytest.param({"location": "s3://bucket", "keep": 3}, "wanted 0 for a bucket", id="keep-in-a-bucket"),
        pytest.param({"jobs": 2}, "jobs is 2 and format custom", id="jobs-of-one-file"),
        pytest.param({"jobs": 0, "format": "directory"}, "jobs is 0", id="no-jobs"),
        pytest.param({"scratch": "/tmp"}, "scratch is /tmp, format custom", id="scratch-of-one-file"),
        pytest.param({"location": "s3://bucket", "format": "directory"}, "scratch is not given", id="no-scratch"),
        pytest.param({"location": "s3://bucket", "format": "directory", "scratch": "/nowhere"}, "scratch /nowhere is no", id="bad-scratch"),
        pytest.param({"pg_bin": "/nowhere"}, "no pg_dump of PostgreSQL", id="no-tools"),
        pytest.param({"port": 9}, "onnection", id="no-cluster"),
    ],
)
def test_bad_input_of_a_dump_is_told_and_writes_nothing(folder: Folder, more: dict[str, Any], words: str) -> None:
    for check in (True, False):
        found = folder.dump(check=check, **more)
        assert found["failed"]
        assert words in found["msg"]
    assert folder.names() == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"stanza": "shared"}, "stanza given", id="a-stanza"),
        pytest.param({"copies": 2, "max_wal_age": "PT1H"}, "copies, max_wal_age given", id="copies-and-wal"),
        pytest.param({"location": "/nowhere"}, "is no directory", id="no-directory"),
    ],
)
def test_bad_input_of_the_gate_is_told(folder: Folder, more: dict[str, Any], words: str) -> None:
    found = folder.verify(**more)
    assert found["failed"]
    assert words in found["msg"]
