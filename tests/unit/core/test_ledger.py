"""The chain: what is recorded can be read, and whatever is done to it afterwards is found."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import chain as proofs
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ledger as chains
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Entry, Event
from hypothesis import given, settings
from hypothesis import strategies as st

CHANGE = "CHG-2026-0142"
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)


def sign(message: bytes) -> bytes:
    """A stand-in that is quick and deterministic; real keys are in tests/unit/io."""
    return hmac.digest(b"key", message, "sha256")


def verify(keyid: str, message: bytes, signature: bytes) -> str:
    if keyid != "ours":
        return "UNKNOWN_KEY"
    return "" if hmac.compare_digest(signature, sign(message)) else "BAD_SIGNATURE"


def build(count: int, change: str = CHANGE) -> tuple[list[Entry], list[bytes]]:
    """The entries of a chain, and the head after each of them."""
    entries: list[Entry] = []
    heads: list[bytes] = []
    head = None
    for n in range(1, count + 1):
        what = chains.draft(change, f"step_{n % 3}", actor="ops-1", at=NOW, tenant=f"t{n % 2}" if n % 4 else None, evidence={"n": n})
        entries.append(chains.build_entry(what, head, keyid="ours", sign=sign))
        heads.append(chains.build_head(change, entries[-1], n, keyid="ours", sign=sign))
        head = chains.open_head(heads[-1], change, verify)
    return entries, heads


FIVE, HEADS = build(5)
OTHER, _dummy = build(5, "CHG-2026-0141")
ALIEN_KEY = chains.seal(chains.PAYLOAD_TYPE, b"{}", keyid="theirs", sign=sign)


def judge(entries: list[Entry], head: bytes | None = HEADS[-1]) -> proofs.Chain:
    return proofs.verify_chain(CHANGE, entries, head, verify)


def found(chain: proofs.Chain) -> set[tuple[str, int]]:
    return {(f.code, f.seq) for f in chain.findings}


def renamed(entry: Entry, name: str) -> Entry:
    return Entry(name, entry.data)


def test_what_was_recorded_is_read() -> None:
    chain = judge(FIVE)
    assert chain.intact
    assert not chain.pending
    assert [(e.seq, e.event, e.tenant, e.evidence) for e in chain.events][:2] == [
        (1, "step_1", "t1", {"n": 1}),
        (2, "step_2", "t0", {"n": 2}),
    ]
    assert chain.events[1].previous == chain.events[0].digest == hashlib.sha256(FIVE[0].data).hexdigest()
    assert [c.ok for c in proofs.chain_checks(CHANGE, chain)] == [True, True]


def test_the_envelope_is_dsse_around_in_toto() -> None:
    envelope = json.loads(FIVE[0].data)
    statement = json.loads(base64.b64decode(envelope["payload"]))
    assert envelope["payloadType"] == "application/vnd.in-toto+json"
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["subject"] == [{"name": CHANGE, "digest": {"sha256": hashlib.sha256(CHANGE.encode()).hexdigest()}}]
    assert set(statement["predicate"]) == {"schema", "change", "event", "tenant", "actor", "at", "evidence", "nonce", "previous", "seq"}


def test_pae_is_that_of_the_specification() -> None:
    assert chains.pae("http://example.com/HelloWorld", b"hello world") == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert chains.pae("é", b"") == "DSSEv1 2 é 0 ".encode()


def test_subject_is_the_plan() -> None:
    what = chains.draft(CHANGE, "approved", actor="a", at=NOW, plan_digest="sha256:" + "A" * 64)
    assert chains.open_entry(chains.build_entry(what, None, keyid="ours", sign=sign).data, CHANGE, verify).subject == "a" * 64


DAMAGES = [
    pytest.param([*FIVE[:2], *FIVE[3:]], HEADS[4], {("REMOVED", 3)}, id="removed-in-the-middle"),
    pytest.param(FIVE[1:], HEADS[4], {("REMOVED", 1)}, id="first-removed"),
    pytest.param(FIVE[:3], HEADS[4], {("TAIL_REMOVED", 4)}, id="tail-removed"),
    pytest.param(FIVE[:1], HEADS[4], {("TAIL_REMOVED", 2), ("TAIL_REMOVED", 3), ("TAIL_REMOVED", 4)}, id="long-tail-removed"),
    pytest.param([], HEADS[4], {("TAIL_REMOVED", n) for n in (1, 2, 3, 4)}, id="all-removed"),
    pytest.param(FIVE, None, {("HEAD_MISSING", 0)}, id="head-removed"),
    pytest.param(FIVE, HEADS[3], {("BEYOND_HEAD", 5)}, id="head-put-back"),
    pytest.param(FIVE, b"{}", {("HEAD_UNREADABLE", 0)}, id="head-garbage"),
    pytest.param(FIVE, ALIEN_KEY, {("HEAD_UNREADABLE", 0)}, id="head-of-another-type"),
    pytest.param(
        [FIVE[0], renamed(FIVE[2], FIVE[1].name), renamed(FIVE[1], FIVE[2].name), *FIVE[3:]],
        HEADS[4],
        {("MOVED", 2), ("MOVED", 3), ("ALTERED", 3)},
        id="two-swapped",
    ),
    pytest.param([*FIVE, renamed(FIVE[1], "000003-step_1.json")], HEADS[4], {("FORK", 3)}, id="inserted-same-number"),
    pytest.param([*FIVE, renamed(FIVE[1], "000006-step_2.json")], HEADS[4], {("BEYOND_HEAD", 6), ("MOVED", 6)}, id="inserted-at-the-end"),
    pytest.param([*FIVE, renamed(FIVE[1], "notes.txt")], HEADS[4], {("INSERTED", 0)}, id="foreign-file"),
    pytest.param([*FIVE, renamed(FIVE[0], "0000001-step_1.json")], HEADS[4], {("INSERTED", 0)}, id="same-number-written-longer"),
    pytest.param([*FIVE, renamed(FIVE[0], "000000-step_1.json")], HEADS[4], {("INSERTED", 0)}, id="number-zero"),
    pytest.param([*FIVE[:2], OTHER[2], *FIVE[3:]], HEADS[4], {("OTHER_CHANGE", 3), ("ALTERED", 3)}, id="entry-of-another-change"),
    pytest.param(
        [*FIVE[:2], Entry(FIVE[2].name, ALIEN_KEY), *FIVE[3:]], HEADS[4], {("UNKNOWN_KEY", 3), ("ALTERED", 3)}, id="key-of-nobody"
    ),
]


@pytest.mark.parametrize(("entries", "head", "wanted"), DAMAGES)
def test_damage_is_found_and_named(entries: list[Entry], head: bytes | None, wanted: set[tuple[str, int]]) -> None:
    chain = judge(entries, head)
    seen = found(chain)
    assert wanted <= seen, seen
    assert all(check.ok is False and check.hint and check.code for check in proofs.chain_checks(CHANGE, chain))


def test_a_head_of_another_change_is_told() -> None:
    head = chains.build_head("CHG-2026-0141", FIVE[4], 5, keyid="ours", sign=sign)
    assert ("HEAD_OTHER_CHANGE", 0) in found(judge(FIVE, head))


def test_a_chain_signed_anew_by_the_trusted_key_differs_from_the_head() -> None:
    """Even who has the key cannot change one entry: all later ones and the head name it."""
    what = chains.draft(CHANGE, "step_0", actor="mallory", at=NOW)
    forged = chains.build_entry(what, chains.open_head(HEADS[1], CHANGE, verify), keyid="ours", sign=sign)
    assert ("ALTERED", 3) in found(judge([*FIVE[:2], forged, *FIVE[3:]]))


def test_the_newest_entry_signed_anew_differs_from_the_head() -> None:
    what = chains.draft(CHANGE, "step_2", actor="mallory", at=NOW)
    forged = chains.build_entry(what, chains.open_head(HEADS[3], CHANGE, verify), keyid="ours", sign=sign)
    assert forged.name == FIVE[4].name
    assert found(judge([*FIVE[:4], forged])) == {("ALTERED", 5)}


def test_the_newest_entry_is_in_the_head() -> None:
    """A writer was killed before the file: nothing is lost, but the missing file is told until it is written."""
    chain = judge(FIVE[:4])
    assert chain.intact
    assert chain.pending
    assert len(chain.events) == 5
    assert [(c.ok, c.code) for c in proofs.chain_checks(CHANGE, chain)] == [(False, "TAIL_REMOVED")]


def test_nothing_recorded_is_unknown() -> None:
    assert [(c.ok, c.code) for c in proofs.chain_checks(CHANGE, judge([], None))] == [(None, "EMPTY")]


NINE, NINE_HEADS = build(9)


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 8), st.data())
def test_any_altered_byte_is_found(which: int, data: st.DataObject) -> None:
    old = NINE[which].data
    at = data.draw(st.integers(0, len(old) - 1))
    new = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    entries = [*NINE[:which], Entry(NINE[which].name, new), *NINE[which + 1 :]]
    chain = judge(entries, NINE_HEADS[-1])
    assert any(f.seq == which + 1 for f in chain.findings), chain.findings


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_altered_byte_of_the_head_is_found(data: st.DataObject) -> None:
    old = HEADS[-1]
    at = data.draw(st.integers(0, len(old) - 1))
    new = old[:at] + bytes([old[at] ^ data.draw(st.integers(1, 255))]) + old[at + 1 :]
    assert not judge(FIVE, new).intact


@settings(max_examples=300, deadline=None)
@given(st.permutations(range(9)), st.sets(st.integers(0, 8), max_size=8))
def test_any_order_and_any_removal_is_found(order: list[int], dropped: set[int]) -> None:
    """Contents under other names, and files that are gone. The order in which a store lists them means nothing."""
    entries = [Entry(NINE[name].name, NINE[content].data) for name, content in enumerate(order) if name not in dropped]
    chain = judge(entries, NINE_HEADS[-1])
    wrong = {name + 1 for name, content in enumerate(order) if name not in dropped and content != name}
    gone = {n + 1 for n in dropped}
    told = {f.seq for f in chain.findings} | ({9} if chain.pending else set())
    assert wrong | gone <= told
    assert bool(told) == bool(wrong or gone)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.binary(max_size=60))
def test_any_inserted_file_is_found(name: str, data: bytes) -> None:
    if name in {e.name for e in FIVE}:
        return
    assert not judge([*FIVE, Entry(name, data)]).intact


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 8))
def test_any_removed_tail_is_found(length: int) -> None:
    chain = judge(NINE[: 9 - length], NINE_HEADS[-1])
    told = {f.seq for f in chain.findings} | ({9} if chain.pending else set())
    assert told == set(range(10 - length, 10))
    assert {c.code for c in proofs.chain_checks(CHANGE, chain)} == {"TAIL_REMOVED"}


def test_deep_json_is_unreadable_and_no_crash() -> None:
    assert not judge([*FIVE[:2], Entry(FIVE[2].name, b"[" * 200_000), *FIVE[3:]]).intact


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        pytest.param({"change": "chg-1"}, "CHG-2026-0142", id="change"),
        pytest.param({"change": "CHG-2026-0142\n"}, "CHG-2026-0142", id="change-newline"),
        pytest.param({"change": "../CHG-2026-0142"}, "CHG-2026-0142", id="change-path"),
        pytest.param({"event": "a/b"}, "snake_case", id="event-path"),
        pytest.param({"event": "a-b"}, "snake_case", id="event-dash"),
        pytest.param({"event": ""}, "snake_case", id="event-empty"),
        pytest.param({"actor": ""}, "actor", id="actor"),
        pytest.param({"evidence": {"at": NOW}}, "not a JSON document", id="evidence-date"),
        pytest.param({"evidence": {"x": float("nan")}}, "not a JSON document", id="evidence-nan"),
        pytest.param({"plan_digest": "abc"}, "not a SHA-256", id="digest"),
        pytest.param({"at": NOW.replace(tzinfo=None)}, "time zone", id="time-zone"),
    ],
)
def test_bad_drafts_are_refused(changed: dict[str, Any], wanted: str) -> None:
    given = {"change": CHANGE, "event": "planned", "actor": "ops-1", "at": NOW, **changed}
    with pytest.raises(ValueError, match=wanted):
        chains.draft(given.pop("change"), given.pop("event"), **given)


def event(seq: int, name: str, tenant: str | None) -> Event:
    return Event(seq, name, tenant, "a", "", {}, "", None)


def test_find_is_the_latest_of_that_name_and_tenant() -> None:
    events = [event(1, "held", "acme"), event(2, "held", "other"), event(3, "held", "acme"), event(4, "held", None)]
    assert [getattr(chains.find(events, "held", t), "seq", None) for t in ("acme", "other", None, "third")] == [3, 2, 4, None]
    assert chains.find([], "held") is None
