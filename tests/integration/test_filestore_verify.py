"""filestore_verify against a real cluster, a directory and a real bucket: every damage its own code, and users who work meanwhile."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import filestore as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved, encode
from ansible_collections.odoo_ops.change_control.plugins.module_utils._filestore import Depth, compare
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_bucket import FilestoreBucket
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.filestore_folder import BATCH, Folder
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.proved_store import InBucket
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.s3 import S3Error
from ansible_collections.odoo_ops.change_control.plugins.modules import filestore_verify as module

from tests.lab.parts.postgres import connect
from tests.lab.parts.s3 import client
from tests.lab.site import Site
from tests.support.ansible import run_module

pytestmark = pytest.mark.lab

PARTS = ["s3", "postgres"]

DB = f"attachments_{os.getpid()}"
BODIES = [b"", b"invoice", b"x" * 70_000, os.urandom(3 << 20), *(str(n).encode() for n in range(9))]
HOUR = 3600
ALL = Depth(Proved("acme"))


def name_of(body: bytes) -> str:
    sha1 = hashlib.sha1(body).hexdigest()
    return f"{sha1[:2]}/{sha1}"


NAMES = [name_of(body) for body in BODIES]
OTHER = name_of(b"nobody names it")


@pytest.fixture(scope="module")
def cluster(site: Site) -> Iterator[dict[str, Any]]:
    found = site.facts("postgres")["clusters"]["shared"]
    with connect(found) as db:
        db.execute(f"CREATE DATABASE {DB} TEMPLATE template0")
    with connect(found, DB) as db:
        db.execute("CREATE TABLE ir_attachment (id serial PRIMARY KEY, store_fname text, file_size int, checksum varchar(40))")
    yield found
    with connect(found) as db:
        db.execute(f"DROP DATABASE {DB} WITH (FORCE)")


class Here:
    """A filestore in a directory."""

    def __init__(self, cluster: dict[str, Any], folder: Path) -> None:
        self.cluster, self.folder = cluster, folder
        self.sql("TRUNCATE ir_attachment")
        self.fill([*BODIES, BODIES[1]])  # two attachments, one file

    def fill(self, bodies: list[bytes]) -> None:
        for body in bodies:
            self.put(name_of(body), body)
        rows = [(name_of(body), len(body)) for body in bodies]
        with connect(self.cluster, DB) as db:
            db.cursor().executemany("INSERT INTO ir_attachment (store_fname, file_size) VALUES (%s, %s)", rows)

    def where(self) -> dict[str, Any]:
        return {"path": str(self.folder)}

    def put(self, name: str, body: bytes, age_s: float = 2 * HOUR) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (time.time() - age_s,) * 2)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def sql(self, statement: str, *values: Any) -> None:
        with connect(self.cluster, DB) as db:
            db.execute(statement, list(values))

    def name(self, name: str, size: int | None = None, sha1: str | None = None) -> None:
        self.sql("INSERT INTO ir_attachment (store_fname, file_size, checksum) VALUES (%s, %s, %s)", name, size, sha1)

    def forget(self, name: str) -> None:
        self.sql("DELETE FROM ir_attachment WHERE store_fname = %s", name)

    def given(self, **more: Any) -> dict[str, Any]:
        server = {key: self.cluster[key] for key in ("host", "port")}
        login = {"login_password": self.cluster["admin_password"]}
        return {"tenant": "acme", "database": DB, **server, **login, **self.where(), "enforce": False, **more}

    def task(self, **more: Any) -> dict[str, Any]:
        """As a playbook runs it."""
        return run_module("filestore_verify", self.given(**more))

    def look(self, **more: Any) -> tuple[set[str], dict[str, Any]]:
        """The codes of what is not ok, and what was counted, without Ansible around it."""
        spec = {name: option.get("default") for name, option in module.SPEC.items()}
        checks, found, _proved = module.look({**spec, **self.given(**more)}, Proved("acme"), now=module.utc_now())
        return {check.code for check in checks if check.ok is not True}, found or {}


class There(Here):
    """A filestore in a bucket. Its objects are new, so none of them is old enough to be orphaned unless the grace is over."""

    def __init__(self, cluster: dict[str, Any], folder: Path, site: Site) -> None:
        self.facts, self.prefix = site.facts("s3"), folder.name
        self.admin = client(self.facts, "admin")
        super().__init__(cluster, folder)

    def where(self) -> dict[str, Any]:
        keys = {"endpoint_url": self.facts["endpoint"], "ca_bundle": self.facts["ca"], **self.facts["filestore"]}
        return {"bucket": "filestore", "prefix": self.prefix, "s3": keys, "grace": "PT0S"}

    def put(self, name: str, body: bytes, age_s: float = 0) -> None:
        self.admin.put_object(Bucket="filestore", Key=f"{self.prefix}/{name}", Body=body)

    def remove(self, name: str) -> None:
        self.admin.delete_object(Bucket="filestore", Key=f"{self.prefix}/{name}")


@pytest.fixture
def here(cluster: dict[str, Any], tmp_path: Path) -> Here:
    return Here(cluster, tmp_path)


@pytest.fixture(params=["directory", "bucket"])
def both(request: pytest.FixtureRequest, cluster: dict[str, Any], tmp_path: Path, site: Site) -> Here:
    if request.param == "directory":
        return Here(cluster, tmp_path)
    return There(cluster, tmp_path / f"{DB}-{tmp_path.name}", site)


def test_a_whole_filestore_passes(both: Here) -> None:
    both.put(OTHER, b"nobody names it")
    time.sleep(1.1)  # the bucket tells whole seconds
    for depth, read in (("catalogue", 0), ("full", len(NAMES))):
        found = both.task(depth=depth, **({"retention": "P30D"} if "bucket" in both.where() else {}))
        assert found["verdict"] == "pass", found
        seen = found["filestore"]
        assert (seen["named"], seen["read"], seen["orphaned"]) == (len(NAMES), read, {"count": 1, "names": [OTHER]})
        assert seen["bytes"] == sum(len(body) for body in BODIES) + seen["orphaned_bytes"]


@pytest.mark.parametrize("depth", ["catalogue", "full"])
def test_what_is_gone_is_found(both: Here, depth: str) -> None:
    both.remove(NAMES[2])
    codes, found = both.look(depth=depth)
    assert (codes, found["missing"]) == ({"FILESTORE_MISSING"}, {"count": 1, "names": [NAMES[2]]})
    assert found["deleted"]["count"] == (1 if isinstance(both, There) else 0)


def test_a_flipped_byte_is_found_by_reading(both: Here) -> None:
    for name, body in ((NAMES[3], BODIES[3][:-1] + bytes([BODIES[3][-1] ^ 1])), (NAMES[1], b"Invoice")):
        both.put(name, body)
    assert both.look()[0] == set(), "names and sizes are as they were"
    codes, found = both.look(depth="full")
    assert (codes, found["corrupt"]) == ({"FILESTORE_CORRUPT"}, {"count": 2, "names": sorted([NAMES[1], NAMES[3]])})


def test_one_cut_short_is_found_without_reading_the_rest(both: Here) -> None:
    both.put(NAMES[3], BODIES[3][:-1])
    codes, found = both.look()
    assert (codes, found["corrupt"]["names"], found["read"]) == ({"FILESTORE_CORRUPT"}, [NAMES[3]], 1)


def test_many_files_are_read_side_by_side(here: Here) -> None:
    many = [b"file %d" % number for number in range(3 * BATCH + 1)]
    here.fill(many)
    here.put(name_of(many[-1]), b"File" + many[-1][4:])
    codes, found = here.look(depth="full")
    assert (codes, found["corrupt"]["names"]) == ({"FILESTORE_CORRUPT"}, [name_of(many[-1])])
    assert found["read"] == len(NAMES) + len(many)


def test_a_wrong_size_in_the_database_is_no_damage(here: Here) -> None:
    here.sql("UPDATE ir_attachment SET file_size = 0 WHERE store_fname = %s", NAMES[2])
    codes, found = here.look()
    assert (codes, found["read"]) == (set(), 1)


def test_names_of_another_kind(here: Here) -> None:
    here.put("import/logo.png", b"logo")
    here.name("import/logo.png", 4)
    assert here.look(depth="full")[0] == {"FILESTORE_UNPROVABLE"}
    here.forget("import/logo.png")
    here.name("import/logo.png", 4, hashlib.sha1(b"logo").hexdigest())
    assert here.look(depth="full")[0] == set()
    here.put("import/logo.png", b"LOGO")
    assert here.look(depth="full")[0] == {"FILESTORE_CORRUPT"}


def test_a_name_that_leads_outside_is_not_followed(here: Here) -> None:
    (here.folder.parent / "secret").write_bytes(b"")
    here.name("../secret", 0)
    codes, found = here.look(depth="full")
    assert (codes, found["unsafe"]["names"], found["missing"]["count"]) == ({"FILESTORE_UNSAFE"}, ["../secret"], 0)


def test_an_empty_database_proves_nothing(here: Here) -> None:
    here.sql("TRUNCATE ir_attachment")
    assert here.look()[0] == {"FILESTORE_EMPTY"}


def test_odoos_own_list_and_what_is_new_are_not_orphaned(here: Here) -> None:
    here.put(f"checklist/{NAMES[1]}", b"")
    here.put(OTHER, b"nobody names it", age_s=HOUR - 60)
    assert here.look()[1]["orphaned"]["count"] == 0


# -- users work meanwhile --------------------------------------------------------------------------------------------------
class Meanwhile(Folder):
    """A directory in which something happens right after it was listed."""

    def __init__(self, here: Here, happens: Callable[[], None]) -> None:
        super().__init__(here.folder)
        self.happens = happens

    def listing(self) -> dict[str, core.Stored]:
        found = super().listing()
        self.happens()
        return found


def compared(here: Here, happens: Callable[[], None], *, deep: bool = False) -> core.Found:
    with connect(here.cluster, DB) as db:
        return compare(db, Meanwhile(here, happens), ALL if deep else Depth(), before=time.time() - HOUR)[0]


def test_a_file_that_is_forgotten_and_removed_meanwhile_is_not_missing(here: Here) -> None:
    def happens() -> None:
        here.forget(NAMES[2])
        here.remove(NAMES[2])

    assert compared(here, happens, deep=True).missing == []
    here.remove(NAMES[1])
    assert compared(here, lambda: here.forget(NAMES[1])).missing == []


def test_a_file_that_is_named_meanwhile_is_not_orphaned(here: Here) -> None:
    here.put(OTHER, b"nobody names it")
    assert compared(here, lambda: None).orphaned == [OTHER]
    assert compared(here, lambda: here.name(OTHER)).orphaned == []


def test_a_file_that_is_removed_while_it_is_named_is_missing(here: Here) -> None:
    assert compared(here, lambda: here.remove(NAMES[2]), deep=True).missing == [NAMES[2]]


class Forgetful(Folder):
    """A store whose listing lacks a file that is there."""

    def listing(self) -> dict[str, core.Stored]:
        return {name: file for name, file in super().listing().items() if name != NAMES[3]}


@pytest.mark.parametrize("depth", [Depth(), ALL])
def test_a_file_that_was_not_listed_and_is_there_is_read(here: Here, depth: Depth) -> None:
    with connect(here.cluster, DB) as db:
        whole, _proved = compare(db, Forgetful(here.folder), depth, before=0)
        here.put(NAMES[3], BODIES[3][:-1])
        cut, _proved = compare(db, Forgetful(here.folder), depth, before=0)
    assert (whole.missing, whole.corrupt, whole.read) == ([], [], len(NAMES) if depth is ALL else 1)
    assert (cut.missing, cut.corrupt) == ([], [NAMES[3]])


def test_a_bucket_that_gives_no_object_is_not_asked_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    bucket = FilestoreBucket("b", "p", {"endpoint_url": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b"})
    monkeypatch.setattr(bucket, "_digest", lambda name: (asked.append(name) or name, None))
    with pytest.raises(S3Error, match="32 objects in a row could not be read"):
        list(bucket.digests([str(number) for number in range(5000)]))
    assert len(asked) < 200


class Unreadable(Folder):
    """A directory on a disk that does not give its bytes."""

    def digests(self, names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
        return iter([(name, None) for name in names])


def test_an_odd_file_that_cannot_be_read_does_not_pass(here: Here) -> None:
    here.put(NAMES[3], BODIES[3][:-1])
    with connect(here.cluster, DB) as db:
        found, _proved = compare(db, Unreadable(here.folder), Depth(), before=time.time() - HOUR)
    assert found.unreadable == [NAMES[3]]
    assert {check.code for check in core.judge(found) if check.ok is not True} == {"FILESTORE_UNREADABLE"}


# -- what was proved before -------------------------------------------------------------------------------------------------
def counts(found: dict[str, Any]) -> tuple[str, int, int]:
    return found["verdict"], found["filestore"]["read"], found["filestore"]["remembered"]


def test_what_was_proved_is_not_read_again(both: Here, tmp_path: Path) -> None:
    given = {"depth": "checksums", "state": str(tmp_path / "memory"), "sample": 1e-6}
    assert counts(both.task(**given)) == ("pass", len(NAMES), 0)
    assert counts(both.task(**given)) == ("pass", 0, len(NAMES))
    both.put(NAMES[1], b"Invoice")
    both.put(OTHER, b"nobody names it")
    both.name(OTHER)
    assert counts(found := both.task(**given)) == ("fail", 2, len(NAMES) - 1)
    assert found["filestore"]["corrupt"] == {"count": 1, "names": [NAMES[1]]}
    both.put(NAMES[1], BODIES[1])
    assert counts(both.task(**given)) == ("pass", 1, len(NAMES)), "what was mended, and nothing else"


def test_rot_that_no_listing_shows_is_found_when_its_turn_comes(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that loses a bit changes no time. Four runs at 25 per cent read everything once."""
    listing = Folder.listing

    def without_times(folder: Folder) -> dict[str, core.Stored]:
        return {name: file._replace(version="") for name, file in listing(folder).items()}

    monkeypatch.setattr(Folder, "listing", without_times)
    proved: Proved | None = Proved("acme")
    found, read = [], 0
    with connect(here.cluster, DB) as db:
        _found, proved = compare(db, Folder(here.folder), Depth(proved), before=0)
        seen = (here.folder / NAMES[3]).stat()
        here.put(NAMES[3], BODIES[3][:-1] + bytes([BODIES[3][-1] ^ 1]))
        os.utime(here.folder / NAMES[3], ns=(seen.st_atime_ns, seen.st_mtime_ns))
        for _run in range(4):
            looked, proved = compare(db, Folder(here.folder), Depth(proved, 4), before=0)
            found += looked.corrupt
            read += looked.read
    assert set(found) == {NAMES[3]}
    assert len(NAMES) <= read < 2 * len(NAMES), "what is corrupt is read in every run after it was found"


def test_a_memory_that_is_damaged_or_of_another_filestore_is_not_believed(here: Here, tmp_path: Path) -> None:
    state = tmp_path / "memory"
    given = {"depth": "checksums", "state": str(state)}
    here.task(**given)
    whole = state.read_bytes()
    for data in (whole[:-1], b"", whole.replace(DB.encode(), b"other")):
        state.write_bytes(data)
        assert counts(here.task(**given)) == ("pass", len(NAMES), 0)
        assert state.read_bytes() != data


class Bucket:
    """A memory in a real bucket, looked at and altered as whoever has the bucket's key could."""

    def __init__(self, site: Site, name: str) -> None:
        facts = site.facts("s3")
        self.key, self.admin = f"memory/{name}", client(facts, "admin")
        keys = {"endpoint_url": facts["endpoint"], "ca_bundle": facts["ca"], **facts["filestore"]}
        self.given = {"depth": "checksums", "sample": 1e-6, "state": f"s3://filestore/{self.key}", "state_s3": keys}

    def read(self) -> bytes | None:
        try:
            return bytes(self.admin.get_object(Bucket="filestore", Key=self.key)["Body"].read())
        except self.admin.exceptions.NoSuchKey:
            return None

    def write(self, data: bytes) -> None:
        self.admin.put_object(Bucket="filestore", Key=self.key, Body=data)

    def place(self) -> InBucket:
        return InBucket(self.given["state"], self.given["state_s3"])


@pytest.fixture
def bucket(site: Site, tmp_path: Path) -> Bucket:
    return Bucket(site, f"{DB}-{tmp_path.name}")


def test_a_memory_in_a_bucket(here: Here, bucket: Bucket) -> None:
    given = here.given(**bucket.given)
    assert counts(run_module("filestore_verify", given, check=True)) == ("pass", len(NAMES), 0)
    assert bucket.read() is None, "check mode remembers nothing"
    assert counts(here.task(**bucket.given)) == ("pass", len(NAMES), 0)
    first = bucket.read()
    assert counts(run_module("filestore_verify", given, check=True)) == ("pass", 0, len(NAMES))
    assert bucket.read() == first
    assert counts(here.task(**bucket.given)) == ("pass", 0, len(NAMES))
    assert bucket.read() != first


def test_a_memory_in_a_bucket_that_is_not_right_is_not_believed(here: Here, bucket: Bucket) -> None:
    here.task(**bucket.given)
    spec = {name: option.get("default") for name, option in module.SPEC.items()}
    whole = bucket.read() or b""
    older = whole.replace(b'"schema": 2', b'"schema": 1')
    foreign = encode(Proved("filestore of somebody else"), at=module.utc_now())
    for data, why in ((whole[:-1], "damaged"), (b"", "no memory"), (older, "of schema 1"), (foreign, "somebody else")):
        bucket.write(data)
        found = module.perform({**spec, **here.given(**bucket.given)}, False)
        assert counts(found) == ("pass", len(NAMES), 0)
        assert [why in text and "everything is read again" in text for text in found["warnings"]] == [True]
        assert bucket.read() != data


def test_two_runs_at_once_do_not_mix_what_they_proved(bucket: Bucket) -> None:
    for facts in ([1, 2], [3, 4]):  # when there is none yet, and when there is one
        first, second = bucket.place(), bucket.place()
        before = first.load("acme")[0]
        assert second.load("acme") == (before, "")
        assert first.save(before.turned(facts), at=module.utc_now()) == ""
        assert "another run has written it" in second.save(before.turned([5]), at=module.utc_now())
        assert bucket.place().load("acme") == (before.turned(facts), "")


def test_a_memory_whose_write_is_answered_twice_is_written(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answer got lost, and the second is a refusal."""
    place = bucket.place()
    proved = place.load("acme")[0].turned([1])
    honest = place._store.put_new
    monkeypatch.setattr(place._store, "put_new", lambda *asked, **more: honest(*asked, **more) and honest(*asked, **more))
    assert place.save(proved, at=module.utc_now()) == ""
    assert bucket.place().load("acme") == (proved, "")


def test_a_store_that_ignores_conditions_remembers_nothing(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    place = bucket.place()
    proved = place.load("acme")[0].turned([1])
    honest = place._store._client.put_object
    bare = {"IfNoneMatch", "IfMatch"}
    monkeypatch.setattr(place._store._client, "put_object", lambda **asked: honest(**{k: v for k, v in asked.items() if k not in bare}))
    assert "ignores the conditions" in place.save(proved, at=module.utc_now())
    assert bucket.read() is None


def test_a_bucket_for_the_memory_that_cannot_be_read(here: Here, bucket: Bucket) -> None:
    wrong = {**bucket.given, "state_s3": {**bucket.given["state_s3"], "secret_key": "wrong"}}
    found = here.task(**wrong)
    assert found["failed"]
    assert "state s3://filestore/memory at" in found["msg"]
    for state in ("s3://filestore", "s3://filestore/memory/"):
        assert "wanted s3://bucket/name" in here.task(**{**bucket.given, "state": state})["msg"]


def test_check_mode_remembers_nothing(here: Here, tmp_path: Path) -> None:
    state = tmp_path / "memory"
    given = here.given(depth="checksums", state=str(state))
    assert run_module("filestore_verify", given, check=True)["verdict"] == "pass"
    assert not state.exists()


# -- what cannot be told ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("more", "says"),
    [
        pytest.param({"path": "/nonexistent"}, "is no directory", id="no-directory"),
        pytest.param({"login_password": "wrong"}, "password authentication failed", id="password"),
        pytest.param({"port": 1}, "Check that the server runs", id="postgres-down"),
        pytest.param({"database": "postgres"}, "no table ir_attachment", id="no-odoo"),
    ],
)
def test_what_does_not_answer_is_unknown(here: Here, more: dict[str, Any], says: str) -> None:
    found = here.task(**more)
    assert (found["verdict"], found["filestore"]) == ("unknown", None), found
    assert says in found["msg"]


def test_a_bucket_that_does_not_answer_or_does_not_keep(cluster: dict[str, Any], tmp_path: Path, site: Site) -> None:
    there = There(cluster, tmp_path / f"{DB}-{tmp_path.name}", site)
    wrong = {**there.where()["s3"], "secret_key": "wrong"}
    assert "Check the secret key" in there.task(s3=wrong)["msg"]
    assert there.look(lock="governance")[0] == {"FILESTORE_NOT_LOCKED"}


def test_the_reading_before_has_to_be_young(here: Here) -> None:
    assert here.look(max_read_age="P7D")[0] == {"FILESTORE_STALE"}, "never read"
    for days, verdict, codes in ((1, "pass", set()), (8, "pass", {"FILESTORE_STALE"}), (1, "fail", {"FILESTORE_STALE"})):
        last = {"at": (module.utc_now() - dt.timedelta(days=days)).isoformat(), "verdict": verdict}
        assert here.look(max_read_age="P7D", last_read=last)[0] == codes
    assert "option max_read_age" in here.task(max_read_age="a week")["msg"]


def test_options_that_do_not_fit(here: Here) -> None:
    assert "retention" in here.task(retention="P30D")["msg"]
    assert "mutually exclusive" in here.task(bucket="filestore")["msg"]
    assert "option grace" in here.task(grace="an hour")["msg"]
    assert "state" in here.task(depth="checksums")["msg"]
    assert "sample is 0 per cent" in here.task(sample=0)["msg"]
    assert "/nonexistent is no directory" in here.task(depth="full", state="/nonexistent/memory")["msg"]


def test_a_tenant_that_sees_anothers_files_is_found(cluster: dict[str, Any], tmp_path: Path, site: Site) -> None:
    """In the lab one identity reads the whole bucket of attachments, and nothing of the other buckets."""
    there = There(cluster, tmp_path / f"{DB}-{tmp_path.name}", site)
    there.admin.put_object(Bucket="filestore", Key=f"{DB}-other/here", Body=b"theirs")
    backups = {"bucket": "backups", "prefix": "pgbackrest/shared", "object": "backup/shared/backup.info"}
    assert there.look(others=[backups])[0] == set()
    assert there.look(others=[backups, {"bucket": "filestore", "prefix": f"{DB}-other", "object": "here"}])[0] == {"SEGREGATION"}
    found = there.task(others=[{"bucket": "filestore", "prefix": there.prefix, "object": "here"}])
    assert found["failed"]
    assert "this tenant's own" in found["msg"]
