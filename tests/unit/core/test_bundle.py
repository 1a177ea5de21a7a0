"""The timeline, the controls and the exported document of a record."""

from __future__ import annotations

import datetime as dt
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import bundle as bundles
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import chain as proofs
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import ledger as chains
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import timeline
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.bundle import BundleKey
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.controls import map_controls
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Entry, InvalidError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import ALWAYS, KeyWindow

CHANGE = "CHG-2026-0142"
NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
YEAR = dt.timedelta(days=365)
FRAMEWORKS = [{"id": "f", "title": "F", "controls": [{"id": "1", "title": "One", "how": "So.", "events": ["record", "gated", "approved"]}]}]


def sign(message: bytes) -> bytes:
    return hmac.digest(b"key", message, "sha256")


def verify(keyid: str, message: bytes, signature: bytes) -> str:
    return ("" if signature == sign(message) else "BAD_SIGNATURE") if keyid == "ours" else "UNKNOWN_KEY"


def build() -> tuple[list[Entry], bytes]:
    entries: list[Entry] = []
    head = None
    for seq, (event, tenant, evidence) in enumerate(
        (("gated", None, {"verdict": "pass"}), ("held", "acme", {}), ("closed", None, {"result": "failed"})), 1
    ):
        what = chains.draft(CHANGE, event, actor="ops-1", at=NOW, tenant=tenant, evidence=evidence)
        entries.append(chains.build_entry(what, head, keyid="ours", sign=sign))
        data = chains.build_head(CHANGE, entries[-1], seq, keyid="ours", sign=sign)
        head = chains.open_head(data, CHANGE, verify)
    return entries, data


ENTRIES, HEAD = build()
CHAIN = proofs.verify_chain(CHANGE, ENTRIES, HEAD, verify)


def document(entries: list[Entry] | None = None, chain: proofs.Chain = CHAIN) -> dict[str, Any]:
    keys = [BundleKey("ours", "PEM", KeyWindow(not_before=NOW))]
    return bundles.build_bundle(
        CHANGE, head=HEAD, entries=ENTRIES if entries is None else entries, chain=chain, keys=keys, frameworks=FRAMEWORKS
    )


def test_the_timeline_tells_who_what_when_and_the_verdict() -> None:
    first = timeline.rows(CHAIN.events)[0]
    assert first["evidence_sha256"] == chains.sha256(b'{"verdict":"pass"}')
    assert (first["sha256"], first["keyid"]) == (chains.sha256(ENTRIES[0].data), "ours")
    title, *table = timeline.lines(CHANGE, CHAIN)
    assert title == "CHG-2026-0142: 3 events, each signed and linked"
    assert [line.split()[:6] for line in table] == [
        ["1", "2026-12-05T19:00:00Z", "gated", "-", "ops-1", "pass"],
        ["2", "2026-12-05T19:00:00Z", "held", "acme", "ops-1", "-"],
        ["3", "2026-12-05T19:00:00Z", "closed", "-", "ops-1", "failed"],
    ]
    assert len({line.index("evidence") for line in table}) == 1


def test_the_timeline_tells_what_is_wrong() -> None:
    told = timeline.lines(CHANGE, proofs.verify_chain(CHANGE, [ENTRIES[0], *ENTRIES[2:]], HEAD, verify))
    assert told[0].endswith("NOT INTACT")
    assert told[-1] == "  REMOVED 2: entry 2 is not there"
    assert "TAIL_REMOVED" in timeline.lines(CHANGE, proofs.verify_chain(CHANGE, ENTRIES[:2], HEAD, verify))[-1]
    assert timeline.lines(CHANGE, proofs.verify_chain(CHANGE, [], None, verify)) == [f"{CHANGE}: 0 events, each signed and linked"]


def test_controls_are_shown_by_the_entries_that_are_there() -> None:
    (one,) = map_controls(FRAMEWORKS, CHAIN.events, intact=True)[0]["controls"]
    assert (one["state"], one["entries"], one["missing"]) == ("partly", [1], ["approved"])
    approved = replace(CHAIN.events[0], event="approved", seq=4)
    assert map_controls(FRAMEWORKS, [*CHAIN.events, approved], intact=True)[0]["controls"][0]["state"] == "shown"
    assert map_controls(FRAMEWORKS, CHAIN.events, intact=False)[0]["controls"][0]["state"] == "not shown"
    assert map_controls(FRAMEWORKS, [], intact=True)[0]["controls"][0]["state"] == "not shown"


def test_a_bundle_holds_the_record_and_has_one_form() -> None:
    data = bundles.seal_bundle(document(), keyid="ours", sign=sign)
    assert data == bundles.seal_bundle(document(), keyid="ours", sign=sign)
    found = bundles.open_bundle(data, verify)
    assert (found.change, found.head, list(found.entries), found.signed_by, found.newest) == (CHANGE, HEAD, ENTRIES, "ours", NOW)
    assert found.keys[0].window == KeyWindow(not_before=NOW)
    body = document()
    assert body["keys"][0]["entries"] == [1, 2, 3]
    assert body["verification"]["verdict"] == "pass"
    assert body["report"]["timeline"][2]["event"] == "closed"
    assert body["controls"][0]["controls"][0]["state"] == "partly"


def test_a_damaged_record_is_exported_as_it_is() -> None:
    entries = [Entry(ENTRIES[0].name, b"\xff\x00"), *ENTRIES[1:]]
    body = document(entries, proofs.verify_chain(CHANGE, entries, HEAD, verify))
    assert body["verification"]["verdict"] == "fail"
    found = bundles.open_bundle(bundles.seal_bundle(body, keyid="ours", sign=sign), verify)
    assert found.entries[0].data == b"\xff\x00"


def test_events_by_hand_need_not_make_a_report() -> None:
    what = chains.draft(CHANGE, "planned", actor="ops-1", at=NOW, evidence={"plan": 7})
    entry = chains.build_entry(what, None, keyid="ours", sign=sign)
    head = chains.build_head(CHANGE, entry, 1, keyid="ours", sign=sign)
    assert document([entry], proofs.verify_chain(CHANGE, [entry], head, verify))["report"]["result"] == "unknown"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param({"schema": 2}, "UNREADABLE", id="schema"),
        pytest.param({"change": "../x"}, "UNREADABLE", id="change"),
        pytest.param({"entries": [{}]}, "UNREADABLE", id="entries"),
        pytest.param({"keys": None}, "UNREADABLE", id="keys"),
        pytest.param({"verification": {}}, "UNREADABLE", id="verification"),
    ],
)
def test_other_documents_are_no_bundles(changed: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        bundles.open_bundle(bundles.seal_bundle({**document(), **changed}, keyid="ours", sign=sign), verify)
    assert caught.value.code == code


@pytest.mark.parametrize(("keyid", "signs", "code"), [("theirs", sign, "UNKNOWN_KEY"), ("ours", lambda _m: b"x", "BAD_SIGNATURE")])
def test_a_bundle_of_somebody_else_is_refused(keyid: str, signs: Any, code: str) -> None:
    with pytest.raises(InvalidError) as caught:
        bundles.open_bundle(bundles.seal_bundle(document(), keyid=keyid, sign=signs), verify)
    assert caught.value.code == code
    with pytest.raises(InvalidError):
        bundles.open_bundle(json.dumps(document()).encode(), verify)


@pytest.mark.parametrize(
    ("window", "now", "wanted"),
    [
        pytest.param(None, NOW, "", id="no-limits"),
        pytest.param(KeyWindow(not_after=NOW), NOW + YEAR, "", id="counted-when-the-record-ended"),
        pytest.param(KeyWindow(not_before=NOW + YEAR), NOW + YEAR, "", id="counts-now"),
        pytest.param(KeyWindow(not_after=NOW - YEAR), NOW + YEAR, "EXPIRED_KEY", id="neither"),
        pytest.param(KeyWindow(revoked=ALWAYS), NOW, "REVOKED_KEY", id="revoked"),
        pytest.param(KeyWindow(revoked=NOW + 2 * YEAR), NOW, "REVOKED_KEY", id="revoked-later"),
    ],
)
def test_who_may_vouch_for_a_record(window: KeyWindow | None, now: dt.datetime, wanted: str) -> None:
    assert bundles.voucher_refusal(window, newest=NOW, now=now) == wanted
