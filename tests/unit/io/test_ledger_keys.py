"""Several keys: who may write when, what a trust list says, and what an exported record proves to whom."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import bundle as bundles
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import bundle_store, signing
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.controls import read_frameworks
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.ledger_store import Ledger, LedgerError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import StoreError
from ansible_collections.odoo_ops.change_control.plugins.plugin_utils._ledger import open_ledger

CHANGE = "CHG-2026-0142"
NOW = dt.datetime(2026, 12, 31, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder with the keys old and new: old through NOW, new from an hour before."""
    folder = tmp_path / "keys"
    for name in ("old", "new"):
        signing.create_key(folder / name)
    write_list(folder, old="not_after: 2026-12-31T12:00:00Z", new="not_before: 2026-12-31T12:00:00+01:00")
    return folder


def write_list(folder: Path, **limits: str) -> None:
    (folder / "keys.yml").write_text("keys:\n" + "".join(f"  - file: {name}.pub\n    {limit}\n" for name, limit in limits.items()))


def ledger(keys: Path, key: str | None, place: str = "ledger") -> Ledger:
    return open_ledger({"ledger": str(keys.parent / place), "ledger_key": str(keys / key) if key else None, "ledger_trusted": str(keys)})


def record(keys: Path, key: str, event: str, at: dt.datetime = NOW, **more: Any) -> Any:
    return ledger(keys, key).append(CHANGE, event, actor="ops-1", at=at, **more)


# --- rotation ---------------------------------------------------------------------------------------------------------


def test_a_new_key_takes_over(keys: Path) -> None:
    record(keys, "old", "planned", NOW - HOUR)
    record(keys, "new", "gated")
    record(keys, "old", "approved")
    record(keys, "new", "closed", NOW + HOUR)
    assert [check.ok for check in ledger(keys, None).verify(CHANGE)] == [True, True]
    assert len({event.keyid for event in ledger(keys, None).events(CHANGE)}) == 2
    assert record(keys, "new", "planned", NOW + HOUR)[1] is False


@pytest.mark.parametrize(
    ("key", "at", "code"), [("old", NOW + HOUR, "EXPIRED_KEY"), ("new", NOW - 2 * HOUR, "EARLY_KEY"), ("old", NOW - HOUR, "EXPIRED_KEY")]
)
def test_a_key_does_not_write_when_it_would_not_be_believed(keys: Path, key: str, at: dt.datetime, code: str) -> None:
    record(keys, "new", "planned", NOW + HOUR)
    with pytest.raises(LedgerError, match=code):
        record(keys, key, "gated", at)
    with pytest.raises(LedgerError, match=code):
        ledger(keys, key).acquire_lease("acme", CHANGE, ttl_s=60, now=NOW + HOUR if key == "old" else at)
    assert len(ledger(keys, None).events(CHANGE)) == 1


def test_a_revoked_key_is_found_by_readers_and_writers(keys: Path) -> None:
    record(keys, "old", "planned", NOW - HOUR)
    write_list(keys, old="revoked: true", new="name: next")
    assert {check.code for check in ledger(keys, None).verify(CHANGE)} == {"REVOKED_KEY", "HEAD_REVOKED_KEY"}
    for key in ("old", "new"):
        with pytest.raises(LedgerError, match="REVOKED_KEY"):
            record(keys, key, "gated")
    with pytest.raises(LedgerError, match="REVOKED_KEY"):
        ledger(keys, "new").recorded(CHANGE, "planned")


def test_an_entry_of_a_revoked_key_is_not_taken_for_done(keys: Path) -> None:
    record(keys, "old", "planned", NOW - HOUR)
    record(keys, "new", "gated")
    write_list(keys, old="revoked: true", new="name: next")
    with pytest.raises(LedgerError, match="REVOKED_KEY"):
        record(keys, "new", "planned")


def test_a_key_off_the_list_is_unknown_though_its_file_is_there(keys: Path) -> None:
    record(keys, "old", "planned", NOW - HOUR)
    write_list(keys, new="name: next")
    with pytest.raises(LedgerError, match="UNKNOWN_KEY"):
        ledger(keys, None).events(CHANGE)


def test_a_lease_outlives_the_change_of_keys_but_not_a_revocation(keys: Path) -> None:
    begun = NOW - dt.timedelta(seconds=1800)
    assert ledger(keys, "old").acquire_lease("acme", CHANGE, ttl_s=3600, now=begun).token == 1
    assert ledger(keys, "new").acquire_lease("acme", CHANGE, ttl_s=3600, now=NOW + HOUR).token == 1
    write_list(keys, old="name: last", new="revoked: true")
    with pytest.raises(LedgerError, match="REVOKED_KEY"):
        ledger(keys, "old").lease("acme")


def test_one_file_may_hold_several_keys(keys: Path) -> None:
    both = keys / "both.pem"
    both.write_bytes((keys / "old.pub").read_bytes() + (keys / "new.pub").read_bytes())
    assert len(signing.load_trust(both).keys) == 2
    both.write_bytes(both.read_bytes()[:-60])
    with pytest.raises(signing.SigningError, match="not PEM"):
        signing.load_trust(both)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("keys: [{file: gone.pub}]", "gone.pub cannot be read", id="not-there"),
        pytest.param("keys: [{file: old.pub}, {file: ./old.pub}]", "listed already", id="twice"),
        pytest.param("keys: [{file: old}]", "not PEM", id="private-key"),
        pytest.param("keys: [", "trust list", id="no-yaml"),
        pytest.param("keys: [{file: old.pub, not_after: 2026-12-31}]", "key 1 .old.pub.: not_after", id="a-day"),
    ],
)
def test_a_trust_list_that_cannot_be_used(keys: Path, text: str, wanted: str) -> None:
    (keys / "keys.yml").write_text(text)
    with pytest.raises(signing.SigningError, match=wanted):
        signing.load_trust(keys)


# --- the exported record ----------------------------------------------------------------------------------------------


def export(keys: Path, key: str, now: dt.datetime = NOW) -> Path:
    book = ledger(keys, key)
    data = bundle_store.export_bytes(CHANGE, book.record(CHANGE), trust=book.trusted(), signer=book.signing_key(now))
    bundle_store.write_changed(keys.parent / "bundle.json", "", data, check_mode=False)
    return keys.parent / "bundle.json"


def test_an_export_is_proved_by_its_signers_key_alone(keys: Path, tmp_path: Path) -> None:
    record(keys, "old", "planned", NOW - HOUR)
    record(keys, "new", "gated", evidence={"verdict": "pass"})
    file = export(keys, "new")
    first = file.read_bytes()
    assert export(keys, "new").read_bytes() == first
    auditor = {"ledger": str(file), "ledger_trusted": str(keys / "new.pub")}
    assert [check.ok for check in open_ledger(auditor).verify(CHANGE)] == [True, True]
    assert open_ledger(auditor).events(CHANGE) == ledger(keys, None).events(CHANGE)
    assert open_ledger(auditor).changes() == [CHANGE]
    with pytest.raises(StoreError, match="UNKNOWN_KEY") as caught:
        open_ledger({**auditor, "ledger_trusted": str(keys / "old.pub")})
    assert caught.value.facts == {"verdict": "fail", "code": "BUNDLE_UNKNOWN_KEY"}


def test_what_the_reader_knows_of_a_key_outranks_the_export(keys: Path) -> None:
    record(keys, "old", "planned", NOW - HOUR)
    file = export(keys, "new")
    write_list(keys, old="revoked: true", new="name: next")
    assert {check.code for check in ledger(keys, None, file.name).verify(CHANGE)} == {"REVOKED_KEY", "HEAD_REVOKED_KEY"}
    write_list(keys, new="revoked: true")
    with pytest.raises(StoreError, match="REVOKED_KEY"):
        ledger(keys, None, file.name)


def test_every_altered_byte_of_an_export_is_found(keys: Path) -> None:
    record(keys, "new", "planned")
    file = export(keys, "new")
    data = file.read_bytes()
    for at in range(0, len(data), 97):
        file.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(StoreError, match="the file"):
            ledger(keys, None, file.name)


def test_an_export_is_read_only(keys: Path) -> None:
    record(keys, "new", "planned")
    book = ledger(keys, "new", export(keys, "new").name)
    with pytest.raises(StoreError, match="exported record"):
        book.append(CHANGE, "gated", actor="ops-1", at=NOW)
    with pytest.raises(StoreError, match="exported record"):
        book.acquire_lease("acme", CHANGE, ttl_s=60, now=NOW)


def test_an_export_is_an_envelope_that_others_can_verify(keys: Path) -> None:
    """DSSE as another implementation reads it."""
    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    record(keys, "new", "planned")
    public = signing.load_signer(keys / "new")
    key = SSlibKey.from_crypto(public.public, keyid=public.keyid)
    envelope = Envelope.from_dict(json.loads(export(keys, "new").read_bytes()))
    assert envelope.payload_type == bundles.BUNDLE_TYPE
    assert list(envelope.verify([key], 1)) == [public.keyid]
    for entry in json.loads(envelope.payload)["entries"]:
        assert list(Envelope.from_dict(json.loads(entry["envelope"])).verify([key], 1)) == [public.keyid]


def test_an_export_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        bundle_store.write_changed(tmp_path / "gone" / "file", "x", b"", check_mode=False)


def test_the_controls_are_those_of_events_that_are_recorded() -> None:
    """Each framework and control once, with events that the collection records."""
    root = Path(__file__).resolve().parents[3]
    recorded = {"record", *(part for path in (root / "docs").glob("*.md") for part in path.read_text().split("`"))}
    for framework in read_frameworks():
        ids = [control["id"] for control in framework["controls"]]
        assert len(ids) == len(set(ids))
        for control in framework["controls"]:
            assert control["events"], control
            assert all(control[key] for key in ("title", "how"))
            assert set(control["events"]) <= recorded, control
