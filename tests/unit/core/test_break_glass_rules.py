"""What may be asked for, where a grant stands, and what of it may be in the world."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import break_glass as core
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass import Found, Grant
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.break_glass_role import SeenRole, WantedRole, differences
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import Event

NOW = dt.datetime(2026, 12, 5, 19, 0, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
ID = "BG-2026-0007"
REQUEST = {
    "requester": "alice",
    "reason": "stuck queue",
    "incident": "INC-4711",
    "duration": "PT1H",
    "tenants": {"acme": {"cluster": "db:5432", "database": "acme", "owner": "odoo_acme", "namespace": "odoo-acme"}},
    "postgresql": "write",
    "connections": 3,
    "kubernetes": [],
    "kubernetes_user": "alice",
}


def errors(grant: str = ID, longest: str = "PT4H", owed_within: str = "PT24H", **other: Any) -> list[str]:
    return core.request_errors({**REQUEST, **other}, grant=grant, longest=longest, owed_within=owed_within)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        pytest.param({}, None, id="good"),
        pytest.param({"duration": "PT4H"}, None, id="exactly-the-longest"),
        pytest.param({"duration": "PT4H1S"}, "at most PT4H", id="a-second-longer"),
        pytest.param({"duration": "P1M"}, "not understood", id="no-fixed-length"),
        pytest.param({"longest": "long"}, "not understood", id="bad-policy"),
        pytest.param({"owed_within": ""}, "not understood", id="bad-debt"),
        pytest.param({"duration": "PT0S"}, "more than none", id="no-time"),
        pytest.param({"grant": "CHG-2026-7"}, "BG-2026-0007", id="id-of-a-change"),
        pytest.param({"grant": "BG-2026-7; DROP"}, "BG-2026-0007", id="id-with-more"),
        pytest.param({"requester": ""}, "requester is empty", id="nobody"),
        pytest.param({"incident": " "}, "incident is empty", id="blank"),
        pytest.param({"tenants": {}}, "matches nobody", id="no-tenant"),
        pytest.param({"postgresql": "none"}, "nothing is asked for", id="nothing"),
        pytest.param({"postgresql": "none", "kubernetes": [{"verbs": ["get"]}]}, None, id="kubernetes-alone"),
    ],
)
def test_requests(given: dict[str, Any], wanted: str | None) -> None:
    found = errors(**given)
    assert (wanted in found[0] and len(found) == 1) if wanted else found == []


@pytest.mark.parametrize("key", sorted(REQUEST))
def test_the_digest_is_of_everything_that_is_asked_for(key: str) -> None:
    one = core.request_digest(ID, REQUEST)
    assert core.request_digest(ID, {**REQUEST, key: "other"}) != one != core.request_digest("BG-2026-0008", REQUEST)
    assert core.request_digest(ID, dict(reversed(REQUEST.items()))) == one


def event(name: str, **evidence: Any) -> Event:
    return Event(1, name, None, "ops-1", "2026-12-05T19:00:00Z", evidence, "", None)


def grant(ends: dt.datetime | None = NOW + SECOND, *, revoked: bool = False) -> Grant:
    return Grant(ID, REQUEST, "sha256:aa", ends, "", revoked)


def test_a_grant_is_read_from_its_events() -> None:
    requested = event("requested", request=REQUEST, digest="sha256:aa")
    opened = event("opened", ends_at="2026-12-05T20:00:00Z", password_file="/x")
    assert core.grant_of(ID, [event("opened")]) is None
    assert core.grant_of(ID, [requested]) == replace(grant(None))
    assert core.grant_of(ID, [requested, opened]) == Grant(ID, REQUEST, "sha256:aa", NOW + 3600 * SECOND, "/x", False)
    assert core.grant_of(ID, [requested, opened, event("revoked")]) == Grant(ID, REQUEST, "sha256:aa", NOW + 3600 * SECOND, "/x", True)


@pytest.mark.parametrize(
    ("known", "digest", "wanted"),
    [
        pytest.param(None, "sha256:aa", None, id="new"),
        pytest.param(grant(None), "sha256:aa", None, id="requested"),
        pytest.param(grant(), "sha256:aa", None, id="open"),
        pytest.param(grant(NOW), "sha256:aa", "ended at", id="exactly-at-its-end"),
        pytest.param(grant(None), "sha256:bb", "requested as something else", id="another-request"),
        pytest.param(grant(revoked=True), "sha256:aa", "is over", id="revoked-early"),
    ],
)
def test_what_can_be_opened(known: Grant | None, digest: str, wanted: str | None) -> None:
    told = core.may_open(known, digest, NOW)
    assert told is None if wanted is None else told is not None and wanted in told


@pytest.mark.parametrize(
    ("known", "until", "word"),
    [
        pytest.param(grant(), NOW + SECOND, core.KEEP, id="open"),
        pytest.param(grant(), NOW - SECOND, core.KEEP, id="open-though-it-says-otherwise"),
        pytest.param(grant(NOW), NOW, core.EXPIRED, id="exactly-at-its-end"),
        pytest.param(grant(NOW), NOW + 3600 * SECOND, core.EXPIRED, id="prolonged-by-hand"),
        pytest.param(grant(NOW), None, core.EXPIRED, id="without-end-by-hand"),
        pytest.param(grant(revoked=True), NOW + SECOND, core.LEFTOVER, id="revoked-and-back"),
        pytest.param(grant(None), NOW + SECOND, core.LEFTOVER, id="never-opened"),
        pytest.param(None, NOW, core.LEFTOVER, id="unknown-at-its-end"),
        pytest.param(None, NOW + SECOND, core.STRANGER, id="unknown-before-its-end"),
        pytest.param(None, None, core.STRANGER, id="unknown-without-end"),
    ],
)
def test_what_may_be_in_the_world(known: Grant | None, until: dt.datetime | None, word: str) -> None:
    assert core.judge_found(Found(ID, "role", until), {ID: known} if known else {}, NOW) == word


@pytest.mark.parametrize(
    ("word", "read", "swept"),
    [
        (core.KEEP, True, True),
        (core.EXPIRED, False, True),
        (core.LEFTOVER, False, False),
        (core.STRANGER, False, False),
    ],
)
def test_leftovers_fail(word: str, read: bool, swept: bool) -> None:
    for is_swept, wanted in ((False, read), (True, swept)):
        check = core.leftover_check([(Found(ID, "role x", None), word)], swept=is_swept)
        assert (check.id, check.ok, check.code) == ("break_glass_leftover", wanted, "" if wanted else "LEFTOVER_GRANT")
    assert core.leftover_check([], swept=False).ok is True


def test_only_open_grants_are_overdue() -> None:
    held = {str(n): one for n, one in enumerate([grant(), grant(NOW), grant(NOW, revoked=True), grant(None)])}
    assert core.overdue_grants(held, NOW) == [grant(NOW)]


@pytest.mark.parametrize("name", ["BG-2026-7", "BG-2026-0007", "BG-0001-999999999999"])
def test_role_and_grant_name_each_other(name: str) -> None:
    assert core.grant_of_role(core.role_name(name)) == name and len(core.role_name(name)) < 63


@pytest.mark.parametrize("name", ["break_glass_", "break_glass_2026_7x", "my_break_glass_2026_7", "break_glass_26_7"])
def test_roles_of_others(name: str) -> None:
    assert core.grant_of_role(name) == ""


def test_what_the_objects_say_is_read_back() -> None:
    role, binding = core.rbac_objects(ID, "odoo-acme", [], "alice", NOW)
    assert core.found_object(binding) == Found(ID, "RoleBinding odoo-acme/break-glass-bg-2026-0007", NOW)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    bare = {
        "kind": "Role",
        "metadata": {"name": "x", "namespace": "y", "labels": {core.LABEL: "../z"}, "annotations": {core.UNTIL: "soon"}},
    }
    assert core.found_object(bare) == Found("", "Role y/x", None)


WANTED = WantedRole("break_glass_2026_0007", ID, NOW, {"acme": "odoo_acme"}, "write", 3)
SEEN = SeenRole(True, False, NOW, 3, ("log_statement=all",), frozenset({"acme"}), frozenset(), f"odoo_ops break-glass {ID}")


@pytest.mark.parametrize(
    ("seen", "wanted", "told"),
    [
        pytest.param(None, WANTED, "role break_glass", id="not-there"),
        pytest.param(SEEN, WANTED, "", id="as-wanted"),
        pytest.param(replace(SEEN, login=False), WANTED, "login", id="shut-out"),
        pytest.param(replace(SEEN, mighty=True), WANTED, "attributes", id="superuser"),
        pytest.param(replace(SEEN, until=None), WANTED, "end", id="endless"),
        pytest.param(replace(SEEN, until=NOW + SECOND), WANTED, "end", id="prolonged"),
        pytest.param(replace(SEEN, connections=-1), WANTED, "connection limit", id="unlimited"),
        pytest.param(replace(SEEN, settings=("log_statement=none",)), WANTED, "logging", id="not-logged"),
        pytest.param(replace(SEEN, connects=frozenset()), WANTED, "databases", id="cannot-connect"),
        pytest.param(SEEN, replace(WANTED, rights="owner"), "membership", id="not-the-owner"),
        pytest.param(replace(SEEN, member_of=frozenset({"odoo_acme"})), replace(WANTED, rights="owner"), "", id="owner"),
        pytest.param(replace(SEEN, comment=""), WANTED, "comment", id="no-comment"),
    ],
)
def test_how_a_role_differs(seen: SeenRole | None, wanted: WantedRole, told: str) -> None:
    found = differences(seen, wanted)
    assert (found == []) if not told else (len(found) == 1 and found[0].startswith(told))
