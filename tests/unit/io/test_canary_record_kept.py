"""Where a record lies: written whole, read again, begun anew with a warning when it is damaged, and never in the way of a verdict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import canary_record as cr
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.canary_record import Kept
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.object_store import DirectoryStore, StoreError


def run(number: int) -> cr.Run:
    return cr.Run(f"CHG-2026-{number:04d}", "r", f"2026-12-{number:02d}T12:00:00Z", {"post": [0.1, 0.2]})


def kept(folder: Path, tenant: str = "acme") -> Kept:
    return Kept(str(folder), {}, tenant)


def test_each_run_is_added_and_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    assert kept(tmp_path).load() == (cr.Record("acme"), "")
    assert kept(tmp_path).keep(run(1)) == []
    assert kept(tmp_path).keep(run(2)) == []
    assert kept(tmp_path, "bravo/../x").keep(run(3)) == []
    assert kept(tmp_path).load() == (cr.Record("acme", (run(1), run(2))), "")
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == ["acme.json", "bravo%2F..%2Fx.json"]


def test_without_a_place_nothing_is_read_or_kept(tmp_path: Path) -> None:
    nowhere = Kept(None, {}, "acme")
    assert nowhere.load() == (cr.Record("acme"), "")
    assert nowhere.keep(run(1)) == []


def test_a_damaged_record_begins_anew_with_a_warning(tmp_path: Path) -> None:
    kept(tmp_path).keep(run(1))
    (tmp_path / "acme.json").chmod(0o600)
    (tmp_path / "acme.json").write_text('{"schema": 1')
    assert "begins anew" in kept(tmp_path).load()[1]
    (warning,) = kept(tmp_path).keep(run(2))
    assert "begins anew" in warning
    assert kept(tmp_path).load() == (cr.Record("acme", (run(2),)), "")


def test_what_another_run_wrote_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put, calls = DirectoryStore.put_new, []

    def late(self: DirectoryStore, key: str, data: bytes, *, keep: bool = False) -> bool:
        if not calls:
            calls.append(key)
            put(self, key, cr.encode(cr.Record("acme", (run(7),))))
        return put(self, key, data, keep=keep)

    monkeypatch.setattr(DirectoryStore, "put_new", late)
    assert kept(tmp_path).keep(run(8)) == []
    assert kept(tmp_path).load()[0].runs == (run(7), run(8))


def test_a_store_that_fails_is_a_warning_at_the_end_and_an_error_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = kept(tmp_path)

    def fail(*_args: object) -> None:
        raise StoreError("record folder x: cannot read acme.json: no space")

    monkeypatch.setattr(DirectoryStore, "get", fail)
    (warning,) = place.keep(run(1))
    assert "could not be recorded" in warning and "no space" in warning
    with pytest.raises(ChangeError, match="no space"):
        place.load()


@pytest.mark.parametrize("name", ["nowhere", "a-file"])
def test_a_place_that_is_no_folder_is_refused_at_once(tmp_path: Path, name: str) -> None:
    (tmp_path / "a-file").touch()
    with pytest.raises(ChangeError, match="no directory in which this user may write"):
        kept(tmp_path / name)


def test_a_folder_of_others_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, how: Path(path) != tmp_path or not how & os.W_OK)  # root may write everywhere
    with pytest.raises(ChangeError, match="no directory in which this user may write"):
        kept(tmp_path)


def test_half_a_key_for_a_bucket_is_refused_at_once() -> None:
    with pytest.raises(ChangeError, match="access_key and secret_key belong together"):
        Kept("s3://bucket/canaries", {"access_key": "x"}, "acme")
