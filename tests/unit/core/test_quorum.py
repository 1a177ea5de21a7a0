"""Groups and seats: what is wanted, and whether these people are enough."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import odd, same_person
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.quorum import DemandError, demand, parse_members, seated
from hypothesis import given
from hypothesis import strategies as st

MEMBERS = {"dba": ("alice", "bob"), "security": ("bob",), "customer:acme": ("carol",)}


def wanted(**groups: int) -> Any:
    return demand(1, [{"group": group, "count": count} for group, count in groups.items()], MEMBERS)


@pytest.mark.parametrize(
    ("people", "groups", "filled"),
    [
        pytest.param([], {"dba": 1}, {"dba": 0}, id="nobody"),
        pytest.param(["alice"], {"dba": 1}, {"dba": 1}, id="enough"),
        pytest.param(["ALICE "], {"dba": 1}, {"dba": 1}, id="written-otherwise"),
        pytest.param(["mallory"], {"dba": 1}, {"dba": 0}, id="not-in-it"),
        pytest.param(["bob"], {"dba": 1, "security": 1}, {"dba": 1, "security": 0}, id="one-seat-only"),
        pytest.param(["bob", "alice"], {"dba": 1, "security": 1}, {"dba": 1, "security": 1}, id="moves-on-to-the-other-seat"),
        pytest.param(["alice", "bob"], {"dba": 2}, {"dba": 2}, id="two-of-one"),
        pytest.param(["alice", "bob"], {"nosuch": 1}, {"nosuch": 0}, id="unknown-group"),
    ],
)
def test_seats(people: list[str], groups: dict[str, int], filled: dict[str, int]) -> None:
    assert seated([(name,) for name in people], wanted(**groups)) == filled


def most(seats: list[str], people: list[set[str]]) -> int:
    if not seats:
        return 0
    group, *others = seats
    taken = [1 + most(others, people[:n] + people[n + 1 :]) for n, groups in enumerate(people) if group in groups]
    return max([most(others, people), *taken])


@given(st.lists(st.sets(st.sampled_from("abc")), max_size=5), st.dictionaries(st.sampled_from("abc"), st.integers(1, 2)))
def test_as_many_seats_are_filled_as_can_be(people: list[set[str]], counts: dict[str, int]) -> None:
    """Against trying everybody on every seat."""
    members = {group: tuple(f"p{n}" for n, groups in enumerate(people) if group in groups) for group in "abc"}
    asked = demand(0, [{"group": group, "count": count} for group, count in counts.items()], members)
    filled = seated([(f"p{n}",) for n in range(len(people))], asked)
    seats = [group for group, count in asked.groups for _seat in range(count)]
    best = most(seats, people)
    assert sum(filled.values()) == best
    assert all(filled[group] <= counts[group] for group in counts)


def test_of_two_demands_on_a_group_the_greater_holds() -> None:
    assert demand(0, [{"group": "dba", "count": 2}, {"group": "dba"}], {}).groups == (("dba", 2),)


@pytest.mark.parametrize(
    "groups", [["dba"], [{"count": 1}], [{"group": "dba", "count": 0}], [{"group": "dba", "count": True}], [{"group": "a", "x": 1}]]
)
def test_a_demand_that_cannot_be(groups: list[Any]) -> None:
    with pytest.raises(DemandError):
        demand(1, groups, {})


@pytest.mark.parametrize("members", [[], {"dba": "alice"}, {"dba": [1]}, {"dba": [""]}, {" ": []}, {1: []}, {"dba": ["\u0430lice"]}])
def test_groups_that_cannot_be(members: Any) -> None:
    with pytest.raises(DemandError):
        parse_members(members)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("alice", " ALICE\t", True),
        ("a  b", "A b", True),
        ("\uff41lice", "alice", True),
        ("a b", "ab", False),
        ("\u0430lice", "alice", False),
    ],
)
def test_same_person(one: str, other: str, same: bool) -> None:
    assert same_person(one, other) is same


@pytest.mark.parametrize(
    ("name", "is_odd"), [("alice", False), ("J. Doe", False), ("", True), ("\u0430lice", True), ("al\u200bice", True), ("\x00", True)]
)
def test_odd_names(name: str, is_odd: bool) -> None:
    assert odd(name) is is_odd
