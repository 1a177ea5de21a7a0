"""What is hidden in texts, which addresses count as holding a password, and which options are refused before anybody sees them."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.secrets import (
    hide,
    holds_password,
    refusals,
    secrets_of,
    without_passwords,
)
from hypothesis import given
from hypothesis import strategies as st

SECRET = "pa\"ss'wo\\rd%/+: é1"


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(SECRET, id="as-it-is"),
        pytest.param(json.dumps(SECRET), id="json"),
        pytest.param(json.dumps(SECRET, ensure_ascii=False), id="json-unescaped"),
        pytest.param(json.dumps({"said": json.dumps(SECRET)}), id="json-in-json"),
        pytest.param(repr(SECRET), id="repr"),
        pytest.param(repr(SECRET.encode()), id="repr-of-bytes"),
        pytest.param(quote(SECRET), id="quoted"),
        pytest.param(quote(SECRET, safe=""), id="quoted-whole"),
        pytest.param(SECRET.encode().hex(), id="hexadecimal"),
        *(pytest.param(base64.b64encode(b"x" * n + SECRET.encode() + b"y").decode(), id=f"base64-behind-{n}") for n in range(3)),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode(), id="base64-url"),
    ],
)
def test_every_form_is_hidden(told: str) -> None:
    hidden = hide(f"before {told} after", [SECRET])
    assert "***" in hidden
    assert hide(hidden, [SECRET]) == hidden
    assert hidden.startswith("before ")
    assert hidden.endswith(" after")


@given(st.text(st.characters(codec="utf-8"), min_size=8, max_size=40), st.binary(max_size=9), st.binary(max_size=9))
def test_base64_is_found_wherever_it_begins(secret: str, before: bytes, after: bytes) -> None:
    assert "***" in hide(base64.b64encode(before + secret.encode() + after).decode(), [secret])


def test_everything_in_a_result_is_looked_through() -> None:
    told = {"msg": f"no: {SECRET}", "list": [{SECRET: 1}, ("a", SECRET)], "count": 3, "none": None}
    assert SECRET not in str(hide(told, [SECRET]))
    assert hide(told, [SECRET])["count"] == 3
    assert hide("the cat sat", ["cat"]) == "the cat sat"
    assert hide("a longer secret", ["longer", "longer secret"]) == "a ***"
    assert hide({"a": 1}, []) == {"a": 1}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://robot:hunter2@git.example.org/x", "https://robot:***@git.example.org/x"),
        ("see postgresql://u:p%40ss@db:5432/acme?a=b now", "see postgresql://u:***@db:5432/acme?a=b now"),
        ("redis://:hunter2@cache/0", "redis://:***@cache/0"),
        ("s3:/robot:hunter2@records", "s3:/robot:***@records"),
        ("https://u:pa/ss@host/x", "https://u:***@host/x"),
    ],
)
def test_passwords_in_addresses(text: str, shown: str) -> None:
    assert without_passwords(text) == shown
    assert without_passwords({"a": [text]}) == {"a": [shown]}
    assert holds_password({"a": [{"b": text}]})
    assert not holds_password(shown)


@pytest.mark.parametrize(
    "text",
    [
        "https://robot@git.example.org/x",
        "http://127.0.0.1:8069/web@x",
        "registry.example.org:5000/odoo@sha256:abc",
        "oci://registry:5000/odoo@sha256:abc",
        "mail ops@example.org: now",
        "s3://bucket/prefix",
        "2026-12-05T20:00:00+01:00",
    ],
)
def test_other_texts_are_left_alone(text: str) -> None:
    assert without_passwords(text) == text
    assert not holds_password(text)


SPEC: dict[str, Any] = {
    "host": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "objects": {"type": "list", "no_log": True},
    "evidence": {"type": "dict"},
    "s3": {"type": "dict", "options": {"url": {"type": "str"}, "secret_key": {"type": "str", "no_log": True}}},
    "users": {"type": "list", "elements": "dict", "options": {"token": {"no_log": True}}},
}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param({"host": "db", "password": "x", "s3": {"url": "https://s3"}, "users": [{"token": 5}]}, [], id="well"),
        pytest.param({"password": None, "s3": None, "users": None, "objects": [{"a": "https://u:p@h"}]}, [], id="nothing"),
        pytest.param({"s3": '{"secret_key": "y"}'}, [], id="json-for-a-mapping"),
        pytest.param({"pasword": "hunter2"}, ["option pasword is not known"], id="misspelt"),
        pytest.param({"hunter2 is my password": 1}, ["option ... is not known"], id="a-secret-for-a-name"),
        pytest.param({"s3": {"secret_kye": "hunter2"}}, ["option s3.secret_kye is not known"], id="misspelt-below"),
        pytest.param({"s3": '{"secret_kye": "hunter2"}'}, ["option s3.secret_kye is not known"], id="misspelt-in-json"),
        pytest.param({"password": {"a": "hunter2"}}, ["option password is a mapping, wanted a text"], id="mapping-for-a-secret"),
        pytest.param({"password": ["hunter2"]}, ["option password is a list, wanted a text"], id="list-for-a-secret"),
        pytest.param({"s3": "secret_key=hunter2"}, ["option s3 is a text, wanted a mapping of"], id="words-for-a-mapping"),
        pytest.param({"s3": ["hunter2"]}, ["option s3 is a list, wanted a mapping of"], id="list-for-a-mapping"),
        pytest.param({"users": ["hunter2"]}, ["option users is a list, wanted a mapping of"], id="words-in-a-list"),
        pytest.param({"users": [{"tokn": "hunter2"}]}, ["option users.tokn is not known"], id="misspelt-in-a-list"),
        pytest.param({"host": "pg://u:hunter2@db"}, ["option host holds an address with a password"], id="address"),
        pytest.param({"s3": {"url": "https://u:hunter2@s3"}}, ["option s3.url holds an address with a password"], id="address-below"),
        pytest.param({"evidence": {"a": ["https://u:hunter2@s3"]}}, ["option evidence holds an address"], id="address-inside"),
    ],
)
def test_options_that_would_be_shown_are_refused(given: dict[str, Any], told: list[str]) -> None:
    found = refusals(SPEC, given)
    assert [text.startswith(start) for text, start in zip(found, told, strict=True)] == [True] * len(told), found
    assert "hunter2" not in str(found)


def test_what_a_plugin_masks_itself_is_taken() -> None:
    assert refusals(SPEC, {"evidence": {"a": "https://u:hunter2@s3"}}, masked=("evidence",)) == []


def test_the_texts_of_secret_options() -> None:
    given = {"host": "db", "password": "x1", "objects": ["o"], "s3": {"url": "u", "secret_key": 77}, "users": [{"token": "t"}, {}]}
    assert secrets_of(SPEC, given) == ["x1", "77", "t"]
    assert secrets_of(SPEC, {"s3": '{"secret_key": "y"}'}) == ["y"]
