"""WAL that this file writes after PostgreSQL's headers, read record by record. PostgreSQL's own is in test_backup_content's."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

import google_crc32c
import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.basebackup import Range
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.wal_records import DamagedWalError, Proof, origin

PAGE, SEGMENT, SYSTEM = 8192, 1 << 20, 7710495708284763597
START = 2 * SEGMENT + 40


def record(before: int, content: bytes, *, switch: bool = False) -> bytes:
    head = struct.pack("<IIQBB2x", 24 + len(content), 700, before, 0x40 if switch else 0, 0 if switch else 10)
    return head + struct.pack("<I", google_crc32c.value(content + head)) + content


class Log:
    """Segments, filled record by record."""

    def __init__(self) -> None:
        self.at, self.before, self.bytes = 2 * SEGMENT, 0, bytearray()
        self.starts: list[int] = []

    def head(self, left: int, flags: int = 0) -> None:
        first = self.at % SEGMENT == 0
        info = (1 if left else 0) | (2 if first else 0) | flags
        self.bytes += struct.pack("<HHIQI4x", 0xD110, info, 1, self.at, left)
        self.at += 24
        if first:
            self.bytes += struct.pack("<QII", SYSTEM, SEGMENT, PAGE)
            self.at += 16

    def add(self, content: bytes, *, switch: bool = False, cut_at: int | None = None) -> None:
        if self.at % PAGE == 0:
            self.head(0)
        begun, data = self.at, record(self.before, content, switch=switch)
        data = data if cut_at is None else data[:cut_at]
        while data:
            if self.at % PAGE == 0:
                self.head(len(data))
            room = PAGE - self.at % PAGE
            part, data = data[:room], data[room:]
            padded = part + bytes(-len(part) % 8)
            self.bytes += padded
            self.at += len(padded)
        if cut_at is None:
            self.starts.append(begun)
            self.before = begun
        if switch:
            self.fill(SEGMENT)

    def fill(self, to: int) -> None:
        rest = -self.at % to
        self.bytes += bytes(rest)
        self.at += rest

    def files(self) -> dict[str, bytes]:
        data = bytes(self.bytes) + bytes(-len(self.bytes) % SEGMENT)
        return {f"0000000100000000{2 + at // SEGMENT:08X}": data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)}


def log(sizes: Sequence[int]) -> Log:
    chance, made = random.Random(1), Log()
    for size in sizes:
        made.add(chance.randbytes(size))
    return made


def judged(files: dict[str, bytes], end: int, start: int = START) -> tuple[dict[str, str], bool]:
    """What is wrong, by file, and whether the end was reached."""
    proof = Proof([Range(1, start, end)], origin(next(iter(files.values()))), google_crc32c.value)
    wrong = {name: proof.file(name, [data[:10_000], data[10_000:]]) for name, data in files.items()}
    return {name: why for name, why in wrong.items() if why}, all(walk.done for walk in proof.walks)


SIZES = {
    "one": [10],
    "small": [10, 26, 1, 8, 0] * 300,
    "over-pages": [9000, 100, 30_000, 5],
    "to-the-end-of-a-page": [PAGE - 40 - 24, 10, PAGE - 24 - 24 - 40, 10],
    "over-segments": [300_000] * 8,
}


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_what_is_whole_passes(sizes: list[int]) -> None:
    made = log(sizes)
    assert judged(made.files(), made.at) == ({}, True)
    assert judged(made.files(), made.at, made.starts[-1]) == ({}, True), "it may begin anywhere"


def test_a_switch_leaves_the_rest_of_its_file_empty() -> None:
    made = log([100, 5000])
    made.add(b"", switch=True)
    made.add(b"after")
    assert judged(made.files(), made.at) == ({}, True)


def test_a_record_that_a_crash_cut_off_is_passed_over() -> None:
    made = log([100])
    made.add(bytes(20_000), cut_at=PAGE - made.at % PAGE)
    made.head(0, flags=8)
    made.add(b"after the crash")
    assert judged(made.files(), made.at) == ({}, True)


@pytest.mark.parametrize("sizes", [SIZES["small"], SIZES["over-pages"]], ids=["small", "over-pages"])
def test_any_flipped_bit_of_a_record_is_found(sizes: list[int]) -> None:
    made, chance = log(sizes), random.Random(7)
    name, data = next(iter(made.files().items()))
    padding = {at + len(record(0, bytes(size))) for at, size in zip(made.starts, sizes, strict=True)}
    for _case in range(400):
        at = chance.randrange(40, made.at - 2 * SEGMENT)
        if any(end <= at + 2 * SEGMENT < end + -end % 8 for end in padding) or 4 > at % PAGE >= 2 or 24 > at % PAGE >= 20:
            continue  # between records, the other flags of a page's head, and what pads it: nothing reads that
        broken = bytearray(data)
        broken[at] ^= 1 << chance.randrange(8)
        wrong, _done = judged({name: bytes(broken)}, made.at)
        assert wrong, f"byte {at}"


def other_page(data: bytes) -> bytes:
    return data[:PAGE] + data[2 * PAGE : 3 * PAGE] + data[2 * PAGE :]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda data: data[: 3 * PAGE], "bytes, wanted", id="cut-off-behind-the-end"),
        pytest.param(lambda data: data[: PAGE + 100], "it ends at", id="cut-off"),
        pytest.param(lambda data: data[:PAGE] + bytes(PAGE) + data[2 * PAGE :], "no page", id="a-page-of-zeros"),
        pytest.param(other_page, "no page", id="another-page"),
        pytest.param(lambda data: data[:24] + struct.pack("<Q", 5) + data[32:], "another server", id="another-system"),
        pytest.param(lambda data: data[:4] + struct.pack("<I", 2) + data[8:], "no page", id="another-timeline"),
    ],
)
def test_what_is_wrong_is_said(damage: Callable[[bytes], bytes], words: str) -> None:
    made = log([9000, 100])
    name, data = next(iter(made.files().items()))
    proof = Proof([Range(1, START, made.at)], origin(data), google_crc32c.value)
    assert words in proof.file(name, [damage(data)])


def test_zeros_before_the_end_are_no_record() -> None:
    made = log([100])
    wrong, done = judged(made.files(), made.at + 64)
    assert "no record" in next(iter(wrong.values()))
    assert not done


@pytest.mark.parametrize("head", [b"", bytes(40), bytes(100)], ids=["empty", "zeros", "more-zeros"])
def test_what_does_not_begin_as_wal_does_is_refused(head: bytes) -> None:
    with pytest.raises(DamagedWalError):
        origin(head)
