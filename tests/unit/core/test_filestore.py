"""Whether a filestore holds what its database names, from lists alone."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import checks, filestore
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Proof
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.filestore import Found, Named, Stored

NOW = dt.datetime(2026, 12, 5, 19, tzinfo=dt.timezone.utc)
SHA = [hashlib.sha1(str(n).encode()).hexdigest() for n in range(6)]
NAMES = [f"{sha[:2]}/{sha}" for sha in SHA]
OLD, NEW, BEFORE = 1000.0, 9000.0, 5000.0


def stored(*names: str, size: int = 7, at: float = OLD, deleted: bool = False) -> dict[str, Stored]:
    return dict.fromkeys(names, Stored(size, at, deleted))


@pytest.mark.parametrize(
    ("name", "named", "wanted"),
    [
        pytest.param(NAMES[0], Named(), SHA[0], id="as-odoo-names-it"),
        pytest.param(f"{SHA[0][:3]}/{SHA[0]}", Named(), SHA[0], id="as-older-ones-did"),
        pytest.param(f"zz/{SHA[0]}", Named(), None, id="another-folder"),
        pytest.param(f"00/{SHA[0]}", Named(sha1=SHA[1]), SHA[1], id="not-its-own-folder"),
        pytest.param("import/logo.png", Named(sha1=SHA[2]), SHA[2], id="the-database-knows"),
        pytest.param("import/logo.png", Named(sha1=""), None, id="nobody-knows"),
        pytest.param(NAMES[0] + "0", Named(), None, id="too-long"),
    ],
)
def test_what_the_content_must_hash_to(name: str, named: Named, wanted: str | None) -> None:
    assert filestore.sha1_of(name, named) == wanted


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "ab/../../x", "ab//x", "ab/\0", "./ab"])
def test_a_name_that_leaves_the_filestore(name: str) -> None:
    assert not filestore.is_safe(name)
    found, suspects = filestore.compare({name: Named()}, stored(name), before=BEFORE)
    assert (found.unsafe, suspects.absent) == ([name], [])
    assert filestore.to_read({name: Named()}, found, suspects, due=[name]) == []


@pytest.mark.parametrize(
    ("named", "there", "absent", "odd", "extra"),
    [
        pytest.param({NAMES[0]: Named(7)}, stored(NAMES[0]), [], [], [], id="as-it-should-be"),
        pytest.param({NAMES[0]: Named()}, stored(NAMES[0]), [], [], [], id="size-not-known"),
        pytest.param({NAMES[0]: Named(7)}, {}, [NAMES[0]], [], [], id="missing"),
        pytest.param({NAMES[0]: Named(7)}, stored(NAMES[0], deleted=True), [NAMES[0]], [], [], id="deleted"),
        pytest.param({NAMES[0]: Named(8)}, stored(NAMES[0]), [], [NAMES[0]], [], id="cut-short"),
        pytest.param({NAMES[0]: Named(0)}, stored(NAMES[0]), [], [NAMES[0]], [], id="not-empty"),
        pytest.param({}, stored(NAMES[0]), [], [], [NAMES[0]], id="orphaned"),
        pytest.param({}, stored(NAMES[0], at=NEW), [], [], [], id="may-be-named-in-a-moment"),
        pytest.param({}, stored(NAMES[0], deleted=True), [], [], [], id="deleted-and-not-named"),
        pytest.param({}, stored(f"checklist/{NAMES[0]}"), [], [], [], id="odoos-own-list"),
    ],
)
def test_two_lists(named: dict[str, Named], there: dict[str, Stored], absent: list[str], odd: list[str], extra: list[str]) -> None:
    _found, suspects = filestore.compare(named, there, before=BEFORE)
    assert suspects == (absent, odd, extra)


def test_what_is_read() -> None:
    named = {**dict.fromkeys(NAMES[:4], Named(7)), "import/logo.png": Named()}
    there = {**stored(*NAMES[:2], "import/logo.png"), **stored(NAMES[2], size=1)}
    found, suspects = filestore.compare(named, there, before=BEFORE)
    assert filestore.to_read(named, found, suspects, due=[]) == [NAMES[2]]
    assert (found.unprovable, found.corrupt) == ([], [])
    assert filestore.to_read(named, found, suspects, due=named) == sorted(NAMES[:3])
    assert (found.unprovable, found.corrupt) == (["import/logo.png"], [])


def test_an_odd_size_is_all_there_is_to_go_by_without_a_hash() -> None:
    named = {"import/logo.png": Named(8)}
    found, suspects = filestore.compare(named, stored("import/logo.png"), before=BEFORE)
    assert filestore.to_read(named, found, suspects, due=[]) == []
    assert (found.corrupt, found.unprovable) == (["import/logo.png"], [])


@pytest.mark.parametrize(
    ("found", "verdict", "code"),
    [
        pytest.param(Found(named=1), "pass", "", id="whole"),
        pytest.param(Found(named=1, missing=["a"]), "fail", "FILESTORE_MISSING", id="missing"),
        pytest.param(Found(named=1, corrupt=["a"]), "fail", "FILESTORE_CORRUPT", id="corrupt"),
        pytest.param(Found(named=1, unsafe=["../a"]), "fail", "FILESTORE_UNSAFE", id="unsafe"),
        pytest.param(Found(named=0), "unknown", "FILESTORE_EMPTY", id="nothing-named-proves-nothing"),
        pytest.param(Found(named=1, unreadable=["a"]), "unknown", "FILESTORE_UNREADABLE", id="unreadable"),
        pytest.param(Found(named=1, unprovable=["a"]), "unknown", "FILESTORE_UNPROVABLE", id="unprovable"),
        pytest.param(Found(named=1, orphaned=["a"]), "pass", "", id="orphaned-files-hurt-nobody"),
    ],
)
def test_judged(found: Found, verdict: str, code: str) -> None:
    judged = filestore.judge(found)
    assert checks.verdict(judged) == verdict
    assert [check.code for check in judged if check.ok is not True] == ([code] if code else [])


def test_deleted_ones_can_be_had_again() -> None:
    (check, *_others) = filestore.judge(Found(named=2, missing=["a", "b"], deleted=["b"]))
    assert "1 of them have an older version" in check.hint


@pytest.mark.parametrize(
    ("last", "code"),
    [
        pytest.param(None, "FILESTORE_STALE", id="never"),
        pytest.param(Proof(NOW - dt.timedelta(days=7), "pass"), "", id="just-young-enough"),
        pytest.param(Proof(NOW - dt.timedelta(days=7, seconds=1), "pass"), "FILESTORE_STALE", id="too-old"),
        pytest.param(Proof(NOW, "fail"), "FILESTORE_STALE", id="did-not-pass"),
        pytest.param(Proof(NOW, "unknown"), "FILESTORE_STALE", id="could-not-tell"),
        pytest.param(Proof(NOW + dt.timedelta(days=1), "pass"), "FILESTORE_STALE", id="from-the-future"),
    ],
)
def test_the_reading_before(last: Proof | None, code: str) -> None:
    check = filestore.judge_age(last, now=NOW, max_age_s=7 * 86400)
    assert (check.ok, "" if check.ok else check.code) == (not code, code)


def test_told_counts_all_and_names_some() -> None:
    told = filestore.told(Found(named=99, missing=[str(n) for n in range(50)]))
    assert (told["missing"]["count"], len(told["missing"]["names"])) == (50, filestore.LISTED)
