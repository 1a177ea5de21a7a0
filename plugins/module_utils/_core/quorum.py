# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How many people have to agree, and from which groups; and whether those who did are enough.

A person counts once in all. A person sits on one seat only: who is in two groups speaks for one of them, so that what
two groups were to look at was looked at by two people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.kinds import kind_of
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.people import folded, odd

Names = tuple[str, ...]
"""All names of one person."""


class DemandError(ValueError):
    """A demand or groups that cannot be: what is wrong, and what to write."""


@dataclass(frozen=True)
class Demand:
    """``required`` people in all, and among them so many of each group. ``members`` tells who is in which group."""

    required: int
    groups: tuple[tuple[str, int], ...] = ()
    members: Mapping[str, Names] = field(default_factory=dict)

    @property
    def nobody(self) -> bool:
        """Whether nobody has to agree."""
        return self.required == 0 and not self.groups


def demand(required: int, groups: Sequence[Mapping[str, Any]], members: Mapping[str, Names]) -> Demand:
    """The demand of ``[{group: dba, count: 1}]``; DemandError otherwise."""
    if required < 0:
        raise DemandError(f"required is {required}. Give 0 or more.")
    wanted: dict[str, int] = {}
    for entry in groups:
        if not isinstance(entry, Mapping) or not set(entry) <= {"group", "count"} or not isinstance(entry.get("group"), str):
            raise DemandError(f"an entry of groups is {entry!r}. Write {{group: NAME, count: NUMBER}}.")
        count = entry.get("count", 1)
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise DemandError(f"the count of group {entry['group']} is {count!r}. Write a whole number from 1.")
        # two rules may ask for the same group: the greater one holds
        wanted[entry["group"]] = max(count, wanted.get(entry["group"], 0))
    return Demand(required, tuple(wanted.items()), members)


def parse_members(members: Any) -> dict[str, Names]:
    """Who is in which group, from ``{dba: [alice, bob]}``; DemandError otherwise."""
    if not isinstance(members, Mapping):
        raise DemandError(f"the groups of approvers are {kind_of(members)}. Write a mapping such as {{dba: [alice, bob]}}.")
    found: dict[str, Names] = {}
    for group, names in members.items():
        if not isinstance(group, str) or not group.strip():
            raise DemandError(f"a group of approvers is named {group!r}. Write a text such as dba or customer:acme.")
        if not isinstance(names, Sequence) or isinstance(names, str):
            raise DemandError(f"group {group} holds {kind_of(names)}. Write a list of names.")
        for name in names:
            if not isinstance(name, str) or odd(name):
                raise DemandError(f"group {group} names {name!r}. Write each name in ASCII, as in allowed_signers.")
        found[group] = tuple(names)
    return found


def seated(people: Sequence[Names], wanted: Demand) -> dict[str, int]:
    """How many seats of each group can be filled by these people, each on one seat only; the best that is possible."""
    member = {group: {folded(name) for name in wanted.members.get(group, ())} for group, _count in wanted.groups}
    seats = [group for group, count in wanted.groups for _seat in range(count)]
    names = [{folded(name) for name in person} for person in people]
    sitting: dict[int, int] = {}

    def seat(person: int, tried: set[int]) -> bool:
        for number, group in enumerate(seats):
            if number in tried or not names[person] & member[group]:
                continue
            tried.add(number)
            # whoever sits there moves on if another seat will do
            if number not in sitting or seat(sitting[number], tried):
                sitting[number] = person
                return True
        return False

    for person in range(len(people)):
        seat(person, set())
    return {group: sum(1 for number in sitting if seats[number] == group) for group, _count in wanted.groups}
