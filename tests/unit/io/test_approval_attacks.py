"""Every attack of tests/faults/approval_attacks is refused with its own code, and what they bend is good when it is not bent."""

from __future__ import annotations

import pytest

from tests.faults.approval_attacks import ATTACKS, AWX, SSH, Attack, AwxAttack, carry_out
from tests.support.approvers import People


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    return People(tmp_path_factory.mktemp("people"))


@pytest.mark.parametrize("name", ATTACKS)
def test_none_is_accepted(people: People, name: str) -> None:
    codes, verdict = carry_out(ATTACKS[name], people)
    assert verdict != "pass"
    assert codes - {"TOO_FEW"} in ({ATTACKS[name].code}, {ATTACKS[name].code, "GROUP_TOO_FEW", "REQUESTER"})


@pytest.mark.parametrize("good", [Attack("", lambda people: people.approval("alice")), AwxAttack("")], ids=["ssh", "awx"])
def test_what_is_not_bent_is_good(people: People, good: Attack | AwxAttack) -> None:
    assert carry_out(good, people) == (set(), "pass")


def test_there_are_enough() -> None:
    assert len(SSH) >= 40
    assert len(AWX) >= 40
