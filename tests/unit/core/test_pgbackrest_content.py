"""What a listing and a reading of a repository come to."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_content import Wanted, to_read
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.pgbackrest_info import Piece
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.stored_files import Found, Stored, judge

SUM = "a" * 40


def piece(offset: int = 0, length: int | None = 10, sha1: str = SUM) -> Piece:
    return Piece(offset, length, sha1, False, 20, "f")


ALONE = Wanted("backup/main/L/f.lz4", "lz4", (piece(),))
BUNDLE = Wanted("backup/main/L/bundle/1", "lz4", (piece(), piece(10, 5)))
SEGMENT = Wanted("archive/main/15-1/s", "none", (piece(0, None),))


@pytest.mark.parametrize(
    ("wanted", "size", "kind"),
    [
        pytest.param(ALONE, 10, "", id="as-large-as-it-was"),
        pytest.param(ALONE, 9, "short", id="cut-off"),
        pytest.param(ALONE, 11, "short", id="something-behind-it"),
        pytest.param(ALONE, None, "missing", id="not-there"),
        pytest.param(BUNDLE, 15, "", id="bundle"),
        pytest.param(BUNDLE, 14, "short", id="bundle-cut-off"),
        pytest.param(BUNDLE, 16, "short", id="something-behind-a-bundle"),
        pytest.param(SEGMENT, 77, "", id="a-segment-of-any-size"),
        pytest.param(SEGMENT, 0, "short", id="an-empty-segment"),
    ],
)
def test_what_the_listing_tells(wanted: Wanted, size: int | None, kind: str) -> None:
    found, stored = Found("x"), {} if size is None else {wanted.path: Stored(size, "1")}
    chosen = to_read(found, [wanted], stored)
    assert [one for one, _fact in chosen] == ([] if kind else [wanted])
    assert found.files == 1
    assert [name for name in ("missing", "short") if getattr(found, name)] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("stored", "wanted"),
    [
        pytest.param(Stored(11, "1"), ALONE, id="size"),
        pytest.param(Stored(10, "2"), ALONE, id="time"),
        pytest.param(Stored(10, "1"), Wanted(ALONE.path, "lz4", (piece(sha1="b" * 40),)), id="checksum"),
        pytest.param(Stored(10, "1"), Wanted("backup/main/L/g.lz4", "lz4", (piece(),)), id="name"),
    ],
)
def test_what_is_remembered_is_this_file_and_what_it_has_to_be(stored: Stored, wanted: Wanted) -> None:
    assert wanted.fact(stored) != ALONE.fact(Stored(10, "1"))


@pytest.mark.parametrize(
    ("bad", "ok", "code"),
    [
        pytest.param({}, True, "", id="all-right"),
        pytest.param({"missing": ["f"]}, False, "INCOMPLETE", id="missing"),
        pytest.param({"corrupt": ["f"]}, False, "CHECKSUM", id="corrupt"),
        pytest.param({"short": ["f"]}, False, "CHECKSUM", id="short"),
        pytest.param({"missing": ["f"], "corrupt": ["g"]}, False, "CHECKSUM", id="missing-and-corrupt"),
        pytest.param({"unreadable": ["f"]}, None, "TOOL", id="unreadable"),
        pytest.param({"unreadable": ["f"], "missing": ["g"]}, False, "INCOMPLETE", id="unreadable-and-missing"),
    ],
)
def test_the_verdict_of_a_part(bad: dict[str, Any], ok: bool | None, code: str) -> None:
    (check,) = judge([Found("backup_L", files=3, read=2, **bad)])
    assert (check.id, check.ok, check.code) == ("content_backup_L", ok, code)


def test_not_all_names_are_returned() -> None:
    told = Found("x", corrupt=[f"{number:03}" for number in range(50, 0, -1)]).told()
    assert told["corrupt"]["count"] == 50
    assert told["corrupt"]["names"][0] == "001"
    assert len(told["corrupt"]["names"]) == 20
