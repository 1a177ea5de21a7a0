from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.shape import shape_of, wrong_shape
from hypothesis import given
from hypothesis import strategies as st

ORDER = {"id": 7, "customer": {"name": "Acme", "vat": None}, "lines": [{"sku": "A", "qty": 1.5}, {"sku": "B", "qty": 2, "note": "x"}]}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({}, "", id="as-recorded"),
        pytest.param({"total": 12.0}, "", id="a-key-more-breaks-nobody"),
        pytest.param({"id": "7"}, "the answer.id is of type string, the contract says integer", id="another-type"),
        pytest.param({"id": True}, "the answer.id is of type boolean", id="a-boolean-is-no-number"),
        pytest.param({"customer": {"name": "Acme"}}, "the answer.customer has no 'vat' any more", id="a-key-less"),
        pytest.param({"lines": []}, "", id="no-line-is-a-list"),
        pytest.param({"lines": [{"sku": "A", "qty": 3}]}, "", id="whole-numbers-are-numbers"),
        pytest.param(
            {"lines": [{"sku": "A", "qty": 1.5}, {"qty": 1.0}]}, "the answer.lines[1] has no 'sku' any more", id="in-one-line-only"
        ),
        pytest.param({"lines": {"0": {}}}, "the answer.lines is of type object, the contract says array", id="a-list-became-an-object"),
    ],
)
def test_a_contract_is_broken_by_what_is_taken_away(change: dict[str, Any], words: str) -> None:
    found = wrong_shape({**ORDER, **change}, shape_of(ORDER))
    assert found.startswith(words) and bool(found) == bool(words)


def test_keys_that_only_some_rows_have_are_not_demanded() -> None:
    items = shape_of(ORDER)["properties"]["lines"]["items"]
    assert items["required"] == ["qty", "sku"]
    assert items["properties"]["qty"] == {"type": ["integer", "number"]}


def test_without_a_recorded_shape_nothing_is_proved_and_the_shape_is_told() -> None:
    assert "under shape: {'type': 'object', 'properties': {'id': {'type': 'integer'}}, 'required': ['id']}" in wrong_shape({"id": 1}, {})


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(json)
def test_every_value_keeps_its_own_shape(value: Any) -> None:
    assert wrong_shape(value, shape_of(value)) == ""


@given(st.dictionaries(st.text(min_size=1, max_size=4), json, min_size=1, max_size=4), st.randoms())
def test_no_key_can_be_taken_away(value: dict[str, Any], chance: Any) -> None:
    gone = chance.choice(sorted(value))
    assert repr(gone) in wrong_shape({k: v for k, v in value.items() if k != gone}, shape_of(value))


def test_jsonschema_reads_it_alike() -> None:
    """The words are those of JSON Schema, so its validator must agree with ours."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(shape_of(ORDER))
    for changed in ({}, {"id": "7"}, {"customer": {"name": "Acme"}}, {"lines": [{"qty": 1}]}, {"lines": []}):
        document = {**ORDER, **changed}
        assert validator.is_valid(document) is (wrong_shape(document, shape_of(ORDER)) == "")
