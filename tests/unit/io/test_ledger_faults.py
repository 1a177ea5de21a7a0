"""The counted faults of the ledger, and the ways in which two writers could come to one number. The commands run more of them:
tests/faults/ledger_damage.py, tests/faults/lease_races.py."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import ledger_store, signing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore, StoreError

from tests.faults import lease_races, ledger_damage

CHANGE = "CHG-2026-0142"
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
FORK = multiprocessing.get_context("fork")


def test_every_damage_is_found_and_located(tmp_path: Path) -> None:
    tallies = ledger_damage.run(tmp_path)
    assert sum(tally.cases for tally in tallies.values()) > 2000
    assert tallies["byte altered"].cases == 1000
    assert {kind: tally for kind, tally in tallies.items() if not tally.cases == tally.found == tally.located} == {}


def test_each_race_has_one_holder(tmp_path: Path) -> None:
    told: list[str] = []
    good, bad = lease_races.run(tmp_path, 99, told.append)
    assert (dict(good), bad, told) == (dict.fromkeys(lease_races.STATES, 33), 0, [])


# --- writers ----------------------------------------------------------------------------------------------------------


class LostAnswers(DirectoryStore):
    """Does what is asked, and says no: the answer was lost, and the same write was refused when it was tried again. ``between`` is
    what others do before the writer hears of it."""

    def __init__(self, root: Path, between: Callable[[], Any]) -> None:
        super().__init__(root)
        self.between: Callable[[], Any] | None = between

    def _lose(self, key: str, done: bool) -> bool:
        if not key.startswith("heads/") or self.between is None:
            return done
        between, self.between = self.between, None
        between()
        return False

    def put_new(self, key: str, data: bytes, *, keep: bool = False) -> bool:
        return self._lose(key, super().put_new(key, data, keep=keep))

    def put_if(self, key: str, data: bytes, etag: str) -> bool:
        return self._lose(key, super().put_if(key, data, etag))


def opened(folder: Path, store: DirectoryStore | None = None) -> Ledger:
    signer = signing.create_key(folder / "key.pem")
    return Ledger(store or DirectoryStore(folder / "ledger"), trust=signing.trust_only(signer), signer=signer)


def record(book: Ledger, event: str = "step") -> Any:
    return book.append(CHANGE, event, actor="ops-1", at=NOW, once=False)[0]


@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("followers", [0, 1, 3])
def test_a_lost_answer_neither_loses_nor_doubles_an_event(tmp_path: Path, before: int, followers: int) -> None:
    for _number in range(before):
        record(opened(tmp_path))
    store = LostAnswers(tmp_path / "ledger", lambda: [record(opened(tmp_path), "other") for _number in range(followers)])
    assert record(opened(tmp_path, store), "mine").seq == before + 1
    book = opened(tmp_path)
    assert [event.event for event in book.events(CHANGE)] == ["step"] * before + ["mine"] + ["other"] * followers
    assert [check.ok for check in book.verify(CHANGE)] == [True, True]


def test_two_equal_events_of_one_second_are_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both writers have read the same head. The second one must not take the first one's head for its own."""
    slow = opened(tmp_path)
    record(slow)
    first = ledger_store.Ledger._commit

    def overtaken(self: Ledger, *args: Any) -> bool:
        monkeypatch.setattr(ledger_store.Ledger, "_commit", first)
        record(opened(tmp_path))
        return first(self, *args)

    monkeypatch.setattr(ledger_store.Ledger, "_commit", overtaken)
    record(slow)
    assert len(opened(tmp_path).events(CHANGE)) == 3


def test_writers_do_not_fork_when_the_lock_file_is_removed(tmp_path: Path) -> None:
    record(opened(tmp_path))

    def write() -> None:
        book = opened(tmp_path)
        for _number in range(20):
            record(book)

    children = [FORK.Process(target=write) for _number in range(4)]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        (tmp_path / "ledger" / ".lock").unlink(missing_ok=True)
    assert [child.exitcode for child in children] == [0] * 4
    assert [event.seq for event in opened(tmp_path).events(CHANGE)] == list(range(1, 82))


def test_a_pipe_in_place_of_an_entry_does_not_wait(tmp_path: Path) -> None:
    record(opened(tmp_path))
    entry = tmp_path / "ledger" / CHANGE / "000001-step.json"
    entry.unlink()
    os.mkfifo(entry)
    with pytest.raises(StoreError, match="no plain file"):
        opened(tmp_path).verify(CHANGE)
