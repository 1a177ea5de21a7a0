"""The memory of what was proved: what is read again, what is forgotten, and that a damaged one is not believed."""

from __future__ import annotations

import datetime as dt

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.facts import Facts
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.proved import Proved, decode, encode, fact_of, rounds_of
from hypothesis import given
from hypothesis import strategies as st

NUMBERS = st.frozensets(st.integers(0, (1 << 64) - 1))
AT = dt.datetime(2026, 12, 5, 19, tzinfo=dt.UTC)
SEEN = {name: fact_of(name, 7) for name in "abcdef"}
ALL = frozenset(SEEN.values())


def test_every_part_of_what_was_seen_makes_another_fact() -> None:
    seen = [("a", 7, 1.5, "v"), ("b", 7, 1.5, "v"), ("a", 8, 1.5, "v"), ("a", 7, 1.6, "v"), ("a", 7, 1.5, "w"), ("a7", "", 1.5, "v")]
    assert len({fact_of(*one) for one in seen}) == len(seen)
    assert 0 <= fact_of("\udcff") < 1 << 64, "a name that is no UTF-8"


def test_what_was_never_proved_is_due_at_once() -> None:
    assert all(Proved("acme", turn).is_due(fact, rounds=50) for turn in range(3) for fact in ALL)


@given(st.integers(1, 60), st.integers(0, 1000), st.integers(0, (1 << 64) - 1))
def test_what_was_proved_has_its_turn_once_in_each_round(rounds: int, first: int, fact: int) -> None:
    due = [Proved("acme", turn, Facts([fact])).is_due(fact, rounds=rounds) for turn in range(first, first + rounds)]
    assert due.count(True) == 1


@pytest.mark.parametrize(
    ("before", "read", "right", "after"),
    [
        pytest.param("", "abcdef", "abcdef", "abcdef", id="the-first-run"),
        pytest.param("abc", "def", "def", "abcdef", id="what-is-new"),
        pytest.param("abcdef", "ab", "a", "acdef", id="damaged-since"),
        pytest.param("", "ab", "a", "a", id="not-all-could-be-read"),
        pytest.param("abcdef", "", "", "abcdef", id="nothing-to-do"),
    ],
)
def test_what_is_proved_after_a_run(before: str, read: str, right: str, after: str) -> None:
    proved = Proved("acme", 4, Facts(SEEN[name] for name in before)).after(SEEN, read=read, right=right)
    assert proved == Proved("acme", 5, Facts(SEEN[name] for name in after))


def test_what_is_not_there_any_more_is_forgotten() -> None:
    assert Proved("acme", 0, Facts(ALL | {1, 2})).after(SEEN, read="", right="").facts == Facts(ALL)


def test_of_a_run_that_did_not_come_to_its_end() -> None:
    proved = Proved("acme", 4, Facts([1, 2, 3])).part_of_a_run([3, 4], [2, 5])
    assert proved == Proved("acme", 5, Facts([1, 3, 4])), "what was not read stays, what was refuted does not"


@given(NUMBERS, NUMBERS)
def test_facts_are_a_set_of_numbers(numbers: frozenset[int], others: frozenset[int]) -> None:
    facts = Facts([*numbers, *numbers])
    assert list(facts) == sorted(numbers)
    assert len(facts) == len(numbers)
    assert {number for number in numbers | others if number in facts} == numbers
    assert (facts == Facts(others)) == (numbers == others)
    assert Facts.of(memoryview(facts.stored().tobytes())) == facts


@given(NUMBERS, st.integers(0, 10**6), st.text())
def test_a_document_says_what_was_written(facts: frozenset[int], turn: int, subject: str) -> None:
    proved = Proved(subject, turn, Facts(facts))
    assert decode(encode(proved, at=AT), subject) == proved


def test_no_damage_of_a_document_is_believed() -> None:
    whole = encode(Proved("acme", 3, Facts(ALL)), at=AT)
    refusals = []
    for place in range(len(whole)):
        for bit in (1, 8, 128):
            damaged = whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :]
            with pytest.raises(ValueError, match=r"damaged|no memory|of schema") as caught:
                decode(damaged, "acme")
            refusals.append(str(caught.value))
    assert refusals.count("it is damaged") > 3 * 8 * len(ALL)
    for data in (*(whole[:cut] for cut in range(len(whole))), whole + b"\0"):
        with pytest.raises(ValueError, match=r"damaged|no memory"):
            decode(data, "acme")


def test_a_turn_that_was_altered_is_found() -> None:
    with pytest.raises(ValueError, match="damaged"):
        decode(encode(Proved("acme", 3), at=AT).replace(b'"turn": 3', b'"turn": 4'), "acme")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no memory"),
        (b"[]\n", "no memory"),
        (b'{"schema": 1}\n', "no memory"),
        (encode(Proved("bravo"), at=AT), "of 'bravo', wanted 'acme'"),
        (encode(Proved("acme"), at=AT).replace(b'"schema": 2', b'"schema": 1'), "of schema 1, wanted 2"),
    ],
)
def test_what_is_no_memory_of_this(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        decode(data, "acme")


@pytest.mark.parametrize(("percent", "rounds"), [(100, 1), (2, 50), (3, 34), (0.5, 200)])
def test_rounds(percent: float, rounds: int) -> None:
    assert rounds_of(percent) == rounds


@pytest.mark.parametrize("percent", [0, -1, 100.1, float("nan")])
def test_a_sample_that_is_none(percent: float) -> None:
    with pytest.raises(ValueError, match="more than 0 and at most 100"):
        rounds_of(percent)
