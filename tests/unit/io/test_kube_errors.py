"""What people read when the Kubernetes API refuses or does not answer; and that no value of a Secret is in it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objects import Ref
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.kube import refusal, unreachable

WEB, SECRET = Ref("apps/v1", "Deployment", "acme", "web"), Ref("v1", "Secret", "acme", "odoo")


@pytest.mark.parametrize(
    ("status", "code", "wanted"),
    [
        (400, "BAD_REQUEST", "cannot read the object"),
        (401, "UNAUTHORIZED", "Renew the token"),
        (403, "FORBIDDEN", "the right to write Deployment"),
        (404, "NOT_FOUND", "Create what it lies in first"),
        (409, "CONFLICT", "force_conflicts"),
        (410, "GONE", "Run again"),
        (422, "INVALID", "Correct these fields"),
        (429, "BUSY", "too busy"),
        (500, "KUBE_ERROR", "answered 500"),
    ],
)
def test_each_refusal_says_what_to_do(status: int, code: str, wanted: str) -> None:
    error = refusal("PATCH", WEB, status, {"message": "the server's words"})
    assert (error.status, error.code) == (status, code)
    assert str(error).startswith("Deployment acme/web (write): ")
    assert wanted in str(error)


@pytest.mark.parametrize("status", [400, 403, 409, 422, 500])
def test_the_servers_words_about_a_secret_are_withheld(status: int) -> None:
    causes = [{"field": "data[PGPASSWORD]", "reason": "FieldValueInvalid", "message": 'Invalid value: "hunter2"'}]
    document: dict[str, Any] = {"message": 'Secret "odoo" is invalid: data: "hunter2"', "reason": "Invalid", "details": {"causes": causes}}
    assert "hunter2" not in str(refusal("PATCH", SECRET, status, document))
    assert "data[PGPASSWORD]" in str(refusal("PATCH", SECRET, 422, document))
    assert "withheld" in str(refusal("PATCH", SECRET, 422, {"message": "hunter2", "reason": "Invalid"}))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("[Errno 111] Connection refused", "refuses connections"),
        ("certificate verify failed: SSLCertVerificationError", "did not prove who it is"),
        ("NameResolutionError: Failed to resolve", "cannot be resolved"),
        ("Read timed out.", "did not answer in time"),
        ("Connection reset by peer", "gave no answer"),
    ],
)
def test_why_no_answer_came(said: str, wanted: str) -> None:
    assert wanted in unreachable("https://api.example.org", OSError(said))
