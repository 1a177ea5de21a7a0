"""Values are told by what they are, whoever made their types."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.kinds import kind_of


class Tagged(str):
    """As Ansible marks where a text comes from."""


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Tagged("bob"), "a text"),
        ("", "a text"),
        (True, "true or false"),
        (1, "a number"),
        (1.5, "a number"),
        ({}, "a mapping"),
        ([], "a list"),
        (None, "nothing"),
        (dt.date(2026, 12, 5), "of type date"),
    ],
)
def test_kinds(value: Any, wanted: str) -> None:
    assert kind_of(value) == wanted
