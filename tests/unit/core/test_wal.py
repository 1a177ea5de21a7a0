from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.backup import Backup, Stanza, System
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import verdict
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal import (
    DEFAULT_SEGMENT,
    Segment,
    parse_history,
    parse_listing,
    parse_lsn,
    parse_segment,
    segment_name,
    segment_size,
)
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_window import history_needed, judge_wal
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.sampled_from([1 << bits for bits in range(20, 31)])
AT = dt.datetime(2026, 11, 21, 3, 0, tzinfo=dt.UTC)
SHA = "0123456789abcdef0123456789abcdef01234567"
MIB = 1024 * 1024


# -- arithmetic ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 0xFFFFFFFF), SIZES, st.data())
def test_a_name_and_its_place_are_the_same(timeline: int, size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, (1 << 64) // size - 1))
    assert parse_segment(segment_name(timeline, number, size), size) == Segment(timeline, number)


@given(st.integers(1, 9), SIZES, st.data())
def test_names_rise_with_their_numbers(timeline: int, size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, (1 << 64) // size - 2))
    assert segment_name(timeline, number, size) < segment_name(timeline, number + 1, size)


@given(SIZES, st.data())
def test_the_size_follows_from_an_lsn_and_its_segment(size: int, data: st.DataObject) -> None:
    """Whenever the last eight digits are not zero."""
    number = data.draw(st.integers(1, (1 << 50) // size).filter(lambda n: n % ((1 << 32) // size)))
    lsn = number * size + data.draw(st.integers(0, size - 1))
    assert segment_size([(f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}", segment_name(1, number, size))]) == size


@pytest.mark.parametrize(
    ("pairs", "names", "wanted"),
    [
        pytest.param([], [], DEFAULT_SEGMENT, id="nothing-known"),
        pytest.param([("0/28", "000000010000000000000000")], [], DEFAULT_SEGMENT, id="every-size-fits"),
        pytest.param([("0/28", "000000010000000000000000")], ["0000000100000000000001FF"], 8 * MIB, id="a-name-says-smaller"),
        pytest.param([("0/4000028", "000000010000000000000001")], [], 64 * MIB, id="64-MiB"),
        pytest.param([("0/2000028", "000000010000000000000020")], [], MIB, id="1-MiB"),
    ],
)
def test_segment_size(pairs: list[tuple[str, str]], names: list[str], wanted: int) -> None:
    assert segment_size(pairs, names) == wanted


def test_no_size_fits() -> None:
    with pytest.raises(ValueError, match="no segment size"):
        segment_size([("0/2000028", "000000010000000000000002"), ("0/2000028", "000000010000000000000001")])


@pytest.mark.parametrize("text", ["", "16", "0/x", "/"])
def test_not_an_lsn(text: str) -> None:
    with pytest.raises(ValueError):
        parse_lsn(text)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("1\t0/5000060\tno recovery target specified\n", [(1, 0x5000060)], id="one"),
        pytest.param("# c\n1\t0/5000060\tx\n\n2\t1/0\ty\n", [(1, 0x5000060), (2, 1 << 32)], id="two"),
        pytest.param("", None, id="empty"),
        pytest.param("2\t0/5\tx\n1\t0/6\ty\n", None, id="falling"),
        pytest.param("garbage\n", None, id="garbage"),
    ],
)
def test_history(text: str, wanted: list[tuple[int, int]] | None) -> None:
    if wanted is None:
        with pytest.raises(ValueError, match="history file"):
            parse_history(text)
    else:
        assert parse_history(text) == wanted


# -- the archive against the catalogue -------------------------------------------------------------------------------------


def seg(timeline: int, number: int, size: int = DEFAULT_SEGMENT) -> str:
    return segment_name(timeline, number, size)


def listing(*names: str, histories: tuple[int, ...] = (), extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Each segment is stored a minute after the one before."""
    files = {f"{n[:16]}/{n}-{SHA}.lz4": {"type": "file", "size": 9, "time": AT.timestamp() + 60 * i} for i, n in enumerate(names)}
    more = {f"{t:08X}.history": {"type": "file", "size": 9, "time": 1} for t in histories}
    return {".": {"type": "path"}, "0000000100000000": {"type": "path"}, **files, **more, **(extra or {})}


def backup(timeline: int, first: int, last: int, *, at: int = 0, size: int = DEFAULT_SEGMENT, error: bool = False) -> Backup:
    def lsn(number: int, offset: int) -> str:
        place = number * size + offset
        return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"

    when = AT + dt.timedelta(minutes=at)
    names = (seg(timeline, first, size), seg(timeline, last, size))
    return Backup(f"b{first}", "full", when, when, lsn(first, 0x28), lsn(last, 0x100), *names, (), error, 1, 1, 1)


def judge(backups: list[Backup], files: dict[str, Any], history: str | None = None, **more: Any) -> tuple[str, list[str], Any]:
    stanza = Stanza("main", 0, "ok", tuple(backups), (System(1, 1, "77", "15"),), ())
    result = judge_wal(stanza, parse_listing(files), history, now=AT + dt.timedelta(hours=1), **more)
    return verdict(result.checks), [c.code for c in result.checks if c.ok is not True], result


ONE = [backup(1, 2, 2)]
TWO = [backup(1, 2, 2), backup(1, 6, 7, at=5)]


@pytest.mark.parametrize(
    ("backups", "files", "history", "options", "wanted"),
    [
        pytest.param(ONE, listing(*(seg(1, n) for n in range(1, 8))), None, {}, [], id="whole"),
        pytest.param(ONE, listing(seg(1, 2)), None, {}, [], id="only-the-backups-own"),
        pytest.param(ONE, listing(), None, {}, ["WAL_GAP"], id="empty-archive"),
        pytest.param(ONE, listing(seg(1, 1)), None, {}, ["WAL_GAP"], id="ends-before-the-backup"),
        pytest.param(ONE, listing(seg(1, 2), seg(1, 4)), None, {}, ["WAL_GAP"], id="one-missing"),
        pytest.param(TWO, listing(*(seg(1, n) for n in (2, 3, 5, 6, 7, 8))), None, {}, ["WAL_GAP"], id="gap-between-backups"),
        pytest.param(
            TWO,
            listing(*(seg(1, n) for n in (2, 3, 5, 6, 7, 8))),
            None,
            {"whole_window": False},
            [],
            id="gap-that-the-newest-does-not-need",
        ),
        pytest.param(TWO, listing(*(seg(1, n) for n in (2, 6, 7))), None, {"whole_window": False}, [], id="wal-expired-on-purpose"),
        pytest.param(
            TWO,
            listing(*(seg(1, n) for n in (6, 7, 8))),
            None,
            {"whole_window": False},
            ["WAL_GAP"],
            id="an-old-backup-lost-its-own-segment",
        ),
        pytest.param(TWO, listing(*(seg(1, n) for n in range(2, 7))), None, {}, ["WAL_GAP"], id="the-newest-backups-end-is-missing"),
        pytest.param(
            ONE,
            listing(
                seg(1, 2),
                extra={f"x/{seg(1, 3)}-{SHA}.gz": {"type": "file", "size": 0, "time": 1}, f"x/{seg(1, 4)}-{SHA}": {"type": "file"}},
            ),
            None,
            {},
            ["WAL_GAP"],
            id="a-segment-of-no-bytes",
        ),
        pytest.param(
            ONE,
            listing(seg(1, 2), extra={f"x/{seg(1, 2)}-{'f' * 40}.gz": {"type": "file", "size": 1}}),
            None,
            {},
            ["WAL_DUPLICATE"],
            id="twice",
        ),
        pytest.param(
            ONE,
            listing(seg(1, 2), seg(1, 4), extra={f"x/{seg(1, 3)}.partial-{SHA}.gz": {"type": "file", "size": 1}}),
            None,
            {},
            ["WAL_GAP"],
            id="a-partial-fills-no-gap",
        ),
        pytest.param(
            ONE,
            listing(
                seg(1, 2),
                extra={"x/000000010000000000000002.00000028.backup": {"type": "file", "size": 1}, "archive.info": {"type": "file"}},
            ),
            None,
            {},
            [],
            id="other-files-do-not-count",
        ),
        pytest.param(ONE, listing(seg(1, 2)), None, {"max_wal_age_s": 3600}, [], id="age-at-limit"),
        pytest.param(ONE, listing(seg(1, 2)), None, {"max_wal_age_s": 3599}, ["WAL_AGE"], id="too-old"),
        # timelines: 2 left 1 inside segment 4
        pytest.param(
            ONE,
            listing(seg(1, 2), seg(1, 3), seg(2, 4), seg(2, 5), histories=(2,)),
            "1\t0/4000060\tx\n",
            {},
            [],
            id="promoted",
        ),
        pytest.param(ONE, listing(seg(1, 2), seg(2, 4), histories=(2,)), "1\t0/4000060\tx\n", {}, ["WAL_GAP"], id="gap-before-promotion"),
        pytest.param(
            ONE, listing(seg(1, 2), seg(1, 3), seg(2, 5), histories=(2,)), "1\t0/4000060\tx\n", {}, ["WAL_GAP"], id="gap-after-it"
        ),
        pytest.param(ONE, listing(seg(1, 2), histories=(2,)), "1\t0/4000060\tx\n", {}, [], id="just-promoted-nothing-archived-yet"),
        pytest.param(
            ONE,
            listing(seg(1, 2), seg(1, 3), seg(1, 4), seg(1, 6), seg(2, 4), histories=(2,)),
            "1\t0/4000060\tx\n",
            {},
            [],
            id="the-old-one-wrote-on",
        ),
        pytest.param(ONE, listing(seg(1, 2), seg(1, 3), seg(2, 4)), None, {}, ["WAL_HISTORY"], id="history-file-lost"),
        pytest.param(
            [backup(1, 5, 5)],
            listing(seg(1, 5), seg(2, 4), histories=(2,)),
            "1\t0/4000060\tx\n",
            {},
            ["WAL_FORK"],
            id="backup-of-the-dead-branch",
        ),
        pytest.param(
            [backup(2, 5, 5)], listing(seg(2, 5), seg(2, 6), histories=(2,)), "1\t0/4000060\tx\n", {}, [], id="backup-after-promotion"
        ),
        pytest.param(
            [backup(1, 5, 5), backup(2, 5, 5, at=9)],
            listing(seg(1, 5), seg(2, 5), histories=(2,)),
            "1\t0/4000060\tx\n",
            {},
            [],
            id="an-older-backup-of-the-dead-branch-is-restorable-alone",
        ),
        pytest.param(ONE, listing(seg(1, 2), histories=(2,)), "garbage", {}, ["TOOL"], id="history-not-understood"),
        pytest.param(
            ONE,
            listing(seg(1, 2), seg(2, 3), seg(3, 4), histories=(2, 3)),
            "1\t0/3000000\tx\n2\t0/4000000\ty\n",
            {},
            [],
            id="two-promotions-at-a-border",
        ),
        pytest.param(
            [backup(1, 2, 2, size=64 * MIB)],
            listing(*(seg(1, n, 64 * MIB) for n in range(2, 70))),
            None,
            {},
            [],
            id="64-MiB-over-the-border-of-4-GiB",
        ),
        pytest.param([backup(1, 254, 254)], listing(seg(1, 254), seg(1, 255), seg(1, 256)), None, {}, [], id="FF-to-00"),
    ],
)
def test_wal(backups: list[Backup], files: dict[str, Any], history: str | None, options: dict[str, Any], wanted: list[str]) -> None:
    assert judge(backups, files, history, **options)[1] == wanted


def test_a_gap_is_named_by_its_first_and_last_segment() -> None:
    _verdict, _codes, result = judge(ONE, listing(seg(1, 2), seg(1, 6), seg(1, 8)))
    check = next(c for c in result.checks if c.code == "WAL_GAP")
    assert check.observed == f"{seg(1, 3)} to {seg(1, 5)} missing (3 segments) and 1 more gaps, the last ending at {seg(1, 7)}"
    assert result.seen["gaps"][0] == {"first": seg(1, 3), "last": seg(1, 5), "count": 3}
    assert result.seen["missing"] == 4


@pytest.mark.parametrize(
    ("backups", "names", "wanted"),
    [
        pytest.param(TWO, (2, 3, 4, 5, 6, 7, 8), ("2026-11-21T03:00:00Z", "2026-11-21T03:06:00Z"), id="from-the-oldest"),
        pytest.param(TWO, (2, 3, 5, 6, 7, 8), ("2026-11-21T03:05:00Z", "2026-11-21T03:05:00Z"), id="a-gap-before-the-newest-backup"),
        pytest.param(TWO, (2, 3, 4, 5, 6, 7, 9), ("2026-11-21T03:00:00Z", "2026-11-21T03:05:00Z"), id="a-gap-after-it"),
        pytest.param(TWO, (2, 3, 4, 5, 6, 8), (None, None), id="a-gap-inside-it"),
        pytest.param([], (2,), (None, None), id="no-backup"),
        pytest.param([backup(1, 2, 2, error=True)], (2, 3), (None, None), id="a-backup-with-page-errors-does-not-count"),
    ],
)
def test_window(backups: list[Backup], names: tuple[int, ...], wanted: tuple[str | None, str | None]) -> None:
    window = judge(backups, listing(*(seg(1, n) for n in names)))[2].window
    assert (window["earliest"], window["latest"]) == wanted


def test_a_backup_without_wal_is_not_understood() -> None:
    bare = Backup("b", "full", AT, AT, "", "", "", "", (), False, 1, 1, 1)
    assert judge([bare], listing(seg(1, 2)))[:2] == ("unknown", ["TOOL"])
    assert history_needed(parse_listing(listing(seg(1, 2))), bare) is None


@given(st.integers(2, 400), st.data())
def test_every_deleted_segment_is_found(length: int, data: st.DataObject) -> None:
    """What is deleted from the backup's start up to, and without, the newest segment is exactly what is reported."""
    numbers = list(range(250, 250 + length))
    gone = data.draw(st.sets(st.sampled_from(numbers[:-1])))
    kept = [seg(1, n) for n in numbers if n not in gone]
    _verdict, found, result = judge([backup(1, 250, 250)], listing(*kept))
    assert found == (["WAL_GAP"] if gone else [])
    assert result.seen["missing"] == len(gone)
