"""When a key counts, and how a trust list is read."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import signing_keys as keys
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signing_keys import ALWAYS, KeyWindow

BEGIN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
END = dt.datetime(2026, 12, 31, 23, 59, 59, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)
YEAR = KeyWindow(BEGIN, END)


@pytest.mark.parametrize(
    ("window", "at", "wanted"),
    [
        pytest.param(KeyWindow(), BEGIN, "", id="no-limits"),
        pytest.param(YEAR, BEGIN - SECOND, "EARLY_KEY", id="just-before"),
        pytest.param(YEAR, BEGIN, "", id="first-second"),
        pytest.param(YEAR, END, "", id="last-second"),
        pytest.param(YEAR, END + SECOND, "EXPIRED_KEY", id="just-after"),
        pytest.param(KeyWindow(BEGIN, END, BEGIN + SECOND), BEGIN, "", id="before-it-was-revoked"),
        pytest.param(KeyWindow(BEGIN, END, BEGIN + SECOND), BEGIN + SECOND, "REVOKED_KEY", id="exactly-when-revoked"),
        pytest.param(KeyWindow(BEGIN, END, BEGIN), END + SECOND, "REVOKED_KEY", id="revoked-and-expired"),
        pytest.param(KeyWindow(revoked=ALWAYS), BEGIN, "REVOKED_KEY", id="revoked-for-all-time"),
    ],
)
def test_a_key_counts_in_its_time(window: KeyWindow, at: dt.datetime, wanted: str) -> None:
    assert window.refusal(at) == wanted
    assert keys.parse_window(window.as_dict()) == window


@pytest.mark.parametrize(
    ("begin", "end", "wanted"),
    [
        pytest.param(BEGIN - 2 * SECOND, BEGIN - SECOND, "EARLY_KEY", id="over-before"),
        pytest.param(BEGIN - SECOND, BEGIN, "", id="into-it"),
        pytest.param(BEGIN - SECOND, END + SECOND, "", id="around-it"),
        pytest.param(END, END + SECOND, "", id="out-of-it"),
        pytest.param(END + SECOND, END + 2 * SECOND, "EXPIRED_KEY", id="begun-after"),
    ],
)
def test_a_span_counts_when_a_moment_of_it_does(begin: dt.datetime, end: dt.datetime, wanted: str) -> None:
    assert YEAR.refusal_within(begin, end) == wanted


def test_a_list_says_when_each_key_counts() -> None:
    found = keys.parse_trust_list(
        {"keys": [{"file": "a.pub", "name": "2026", "not_before": BEGIN, "not_after": "2027-01-01T00:59:59+01:00"}, {"file": "b.pub"}]}
    )
    assert [(one.file, one.name, one.window) for one in found] == [("a.pub", "2026", YEAR), ("b.pub", "", KeyWindow())]


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        pytest.param("hello", "no trust list", id="text"),
        pytest.param({"keys": []}, "no trust list", id="empty"),
        pytest.param({"keys": [{}]}, "key 1 has no 'file'", id="no-file"),
        pytest.param({"keys": [{"file": "a", "not_afer": "x"}]}, "not_afer", id="misspelt"),
        pytest.param({"keys": [{"file": "a", "not_after": "2026-12-31"}]}, "not_after: time '2026-12-31'", id="no-time"),
        pytest.param({"keys": [{"file": "a", "not_after": BEGIN.replace(tzinfo=None)}]}, "no offset", id="no-offset"),
        pytest.param({"keys": [{"file": "a", "not_after": dt.date(2026, 1, 1)}]}, "not understood", id="yaml-date"),
        pytest.param({"keys": [{"file": "a", "not_before": END, "not_after": BEGIN}]}, "never count", id="backwards"),
        pytest.param({"keys": [{"file": "a", "revoked": "yes"}]}, "revoked: time 'yes'", id="revoked-word"),
    ],
)
def test_a_list_that_is_not_understood_is_refused(document: Any, wanted: str) -> None:
    with pytest.raises(ValueError, match=wanted):
        keys.parse_trust_list(document)
