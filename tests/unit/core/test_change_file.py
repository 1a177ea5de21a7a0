from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.change_file import explain, judge_change, pattern_terms
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.change_schema import violations

NOW = dt.datetime(2026, 12, 5, 19, 30, tzinfo=dt.timezone.utc)


def errors(
    change: Any, *, tenants: tuple[str, ...] = ("acme",), unmatched: tuple[str, ...] = (), now: dt.datetime | None = NOW
) -> list[str]:
    found = [line for violation in violations(change) for line in explain(violation)]
    return found + judge_change(change, tenants=tenants, unmatched=unmatched, now=now)


def test_the_change_file_of_the_design_is_valid(change: dict[str, Any]) -> None:
    assert errors(change) == []


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        pytest.param("tilte", "x", "change.tilte is not a known key. Did you mean title?", id="unknown-key"),
        pytest.param(
            "release.colour", "x", "change.release.colour is not a known key. Known keys: image, modules, content.", id="unknown-nested-key"
        ),
        pytest.param(
            "class", "urgent", "change.class is 'urgent'. Write one of: standard, normal, emergency, data_impacting.", id="unknown-class"
        ),
        pytest.param("title", 3, "change.title is 3. Write a text in quotes.", id="wrong-type"),
        pytest.param("streams", [], "change.streams is empty. Write at least one entry.", id="no-stream"),
        pytest.param("id", "chg 1", "change.id is 'chg 1'. Write an id such as CHG-2026-0142.", id="bad-id"),
        pytest.param(
            "release.image",
            "registry.lab/odoo:19.0.2",
            "change.release.image is 'registry.lab/odoo:19.0.2'. Write an image by digest, registry/name@sha256:<64 hex digits>; "
            "a tag can be moved, so it is not accepted.",
            id="tag-instead-of-digest",
        ),
        pytest.param(
            "window.start",
            "2026-12-05T20:00:00",
            "change.window.start is '2026-12-05T20:00:00': time '2026-12-05T20:00:00' has no offset",
            id="time-without-offset",
        ),
        pytest.param(
            "window.duration", "2 hours", "change.window.duration is '2 hours': duration '2 hours' is not understood", id="bad-duration"
        ),
        pytest.param(
            "window.duration", "PT0S", "change.window.duration is 'PT0S'. Write how long the change may take, such as PT2H.", id="no-time"
        ),
        pytest.param(
            "window.start",
            "2026-12-05T17:00:00Z",
            "change.window ended at 2026-12-05T19:00:00Z, and it is 2026-12-05T19:30:00Z. Write a window that is not over.",
            id="window-in-the-past",
        ),
        pytest.param(
            "streams",
            ["code", "database"],
            "change.streams bundles code, database. Split the change, or say in change.bundle_justification why they belong together.",
            id="bundle-without-reason",
        ),
    ],
)
def test_each_error_says_what_to_write_instead(change: dict[str, Any], path: str, value: Any, wanted: str) -> None:
    *folders, key = path.split(".")
    place = change
    for folder in folders:
        place = place[folder]
    place[key] = value
    found = errors(change)
    assert len(found) == 1
    assert found[0].startswith(wanted)


def test_a_window_that_just_ends_now_is_over(change: dict[str, Any]) -> None:
    assert errors(change, now=dt.datetime(2026, 12, 5, 21, 0, tzinfo=dt.timezone.utc))
    assert not errors(change, now=dt.datetime(2026, 12, 5, 20, 59, 59, tzinfo=dt.timezone.utc))


def test_a_change_that_has_begun_is_not_asked_for_its_window(change: dict[str, Any]) -> None:
    change["window"]["start"] = "2020-01-01T00:00:00Z"
    assert errors(change, now=None) == []


def test_every_error_is_named_at_once(change: dict[str, Any]) -> None:
    del change["owner"]
    change["clas"] = "normal"
    change["release"]["image"] = "odoo:latest"
    change["window"]["duration"] = "soon"
    found = errors(change, tenants=(), unmatched=("nosuch",))
    named = {"change.clas", "change.owner", "change.release.image", "change.tenants", "change.window.duration"}
    assert {f.split(" ")[0] for f in found} == named
    assert len(found) == 5


def test_a_pattern_without_hosts_is_an_error(change: dict[str, Any]) -> None:
    assert "matches no tenant of the inventory" in errors(change, tenants=())[0]


@pytest.mark.parametrize(
    ("pattern", "terms"),
    [
        pytest.param("multi_tenant", ["multi_tenant"], id="one"),
        pytest.param("acme, zeta", ["acme", "zeta"], id="comma"),
        pytest.param("multi_tenant:!acme:&eu", ["multi_tenant"], id="exclusions-may-match-nothing"),
    ],
)
def test_pattern_terms(pattern: str, terms: list[str]) -> None:
    assert pattern_terms(pattern) == terms
