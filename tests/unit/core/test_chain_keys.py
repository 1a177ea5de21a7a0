"""A chain whose key changed on the way: each entry is judged by the time of the key that signed it."""

from __future__ import annotations

import base64
import datetime as dt
import hmac

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import chain as proofs
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ledger as chains
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Entry
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import ALWAYS, KeyWindow

CHANGE = "CHG-2026-0142"
NOON = dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC)
OLD, NEW = "old", "new"
HOUR = dt.timedelta(hours=1)


def sign(message: bytes) -> bytes:
    return hmac.digest(b"key", message, "sha256")


def verify(keyid: str, message: bytes, signature: bytes) -> str:
    return "" if signature == sign(message) else "BAD_SIGNATURE"


def build(*signed: tuple[str, dt.datetime]) -> tuple[list[Entry], bytes]:
    """A chain of entries by these keys at these times, and its head by the last key."""
    entries: list[Entry] = []
    head = None
    for seq, (keyid, at) in enumerate(signed, 1):
        what = chains.draft(CHANGE, "step", actor="ops-1", at=at)
        entries.append(chains.build_entry(what, head, keyid=keyid, sign=sign))
        data = chains.build_head(CHANGE, entries[-1], seq, keyid=keyid, sign=sign)
        head = chains.open_head(data, CHANGE, verify)
    return entries, data


OVERLAP = {OLD: KeyWindow(not_after=NOON), NEW: KeyWindow(not_before=NOON - HOUR)}


@pytest.mark.parametrize(
    ("signed", "windows", "wanted"),
    [
        pytest.param([(OLD, NOON - HOUR), (NEW, NOON), (NEW, NOON + HOUR)], OVERLAP, [], id="handed-over"),
        pytest.param([(OLD, NOON - HOUR), (NEW, NOON), (OLD, NOON)], OVERLAP, [], id="both-while-they-overlap"),
        pytest.param([(OLD, NOON), (OLD, NOON + HOUR)], {}, [], id="no-list"),
        pytest.param([(OLD, NOON), (OLD, NOON + HOUR)], OVERLAP, [("HEAD_EXPIRED_KEY", 0), ("EXPIRED_KEY", 2)], id="expired"),
        pytest.param([(NEW, NOON - 2 * HOUR), (NEW, NOON)], OVERLAP, [("EARLY_KEY", 1), ("EARLY_KEY", 2)], id="too-early"),
        pytest.param(
            [(OLD, NOON - HOUR), (NEW, NOON + HOUR), (OLD, NOON - HOUR)],
            OVERLAP,
            [("EXPIRED_KEY", 3)],
            id="an-early-time-after-a-later-entry",
        ),
        pytest.param([(OLD, NOON), (NEW, NOON)], {OLD: KeyWindow(revoked=ALWAYS)}, [("REVOKED_KEY", 1)], id="revoked"),
        pytest.param(
            [(OLD, NOON - HOUR), (OLD, NOON), (NEW, NOON)], {OLD: KeyWindow(revoked=NOON)}, [("REVOKED_KEY", 2)], id="revoked-since"
        ),
    ],
)
def test_entries_are_judged_by_the_time_of_their_key(
    signed: list[tuple[str, dt.datetime]], windows: dict[str, KeyWindow], wanted: list[tuple[str, int]]
) -> None:
    chain = proofs.verify_chain(CHANGE, *build(*signed), verify, windows)
    assert [(f.code, f.seq) for f in chain.findings] == wanted
    assert [event.keyid for event in chain.events] == [keyid for keyid, _at in signed]
    assert all("trust list" in check.hint for check in proofs.chain_checks(CHANGE, chain) if check.ok is False)


def test_a_number_of_twelve_digits_costs_nothing() -> None:
    entries, head = build((OLD, NOON))
    far = Entry("999999999999-step.json", entries[0].data)
    for given, wanted in ((head, "BEYOND_HEAD"), (None, "HEAD_MISSING")):
        assert wanted in {f.code for f in proofs.verify_chain(CHANGE, [*entries, far], given, verify).findings}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'{"payload"', b'{ "payload"', id="blank"),
        pytest.param(b'"}]}', b'"}]}\n', id="newline"),
        pytest.param(b'"keyid":"old","sig"', b'"keyid":"old","keyid":"old","sig"', id="key-twice"),
        pytest.param(b'"keyid":"old"', b'"keyid":"\\u006fld"', id="escape"),
    ],
)
def test_a_head_in_another_form_is_altered(old: bytes, new: bytes) -> None:
    entries, head = build((OLD, NOON))
    assert old in head
    chain = proofs.verify_chain(CHANGE, entries, head.replace(old, new), verify)
    assert [(f.code, f.seq) for f in chain.findings] == [("HEAD_UNREADABLE", 0)]


def test_the_spare_bits_of_base64_are_not_free() -> None:
    """32 bytes of signature end in a digit of which two bits mean nothing."""
    entries, head = build((OLD, NOON))
    digit = head[-6:-5]
    assert head.endswith(digit + b'="}]}')
    other = bytes([digit[0] + 1])
    assert base64.b64decode(b"AA" + digit + b"=") == base64.b64decode(b"AA" + other + b"=")
    chain = proofs.verify_chain(CHANGE, entries, head[:-6] + other + head[-5:], verify)
    assert [(f.code, f.seq) for f in chain.findings] == [("HEAD_UNREADABLE", 0)]
