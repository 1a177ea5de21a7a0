# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is kept of AWX's documents: what approvals are judged by, and nothing else, for extra variables may hold secrets.

The fields are those of AWX 24 (/api/v2/). A document that lacks one, or holds something else there, is odd (AwxOddError):
an answer that is not understood is no answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

PLAN_ARTIFACT = "odoo_ops_plan"
"""What the task that plans leaves in the artifacts of its job: {change: ID, digest: sha256:…}."""


class AwxOddError(ValueError):
    """A document that is not as AWX writes it: which field, what was seen."""


def workflow_job(document: Any) -> dict[str, Any]:
    """A workflow job: of which template, by whom it was launched, how it stands."""
    template = _optional(document, "workflow_job_template", int)
    named = _at(document, "summary_fields", dict).get("workflow_job_template")
    return {
        "id": _at(document, "id", int),
        "status": _at(document, "status", str),
        "template": {"id": template, "name": _at(named, "name", str)} if template is not None else None,
        "launched_by": launcher(document),
    }


def launcher(document: Any) -> dict[str, Any]:
    """Who launched a job: {type, id, name}. AWX leaves it empty for what no user, schedule or workflow launched."""
    by = _at(document, "launched_by", dict)
    if not by:
        return {"type": "nobody", "id": None, "name": ""}
    return {"type": _at(by, "type", str), "id": _optional(by, "id", int), "name": _at(by, "name", str)}


def node(document: Any) -> dict[str, Any]:
    """A node of a workflow job, and the job that it started; no job while it has not."""
    job = _optional(document, "job", int)
    found = {"identifier": _at(document, "identifier", str), "workflow_job": _at(document, "workflow_job", int), "job": job, "type": None}
    if job is not None:
        found["type"] = _at(_at(_at(document, "summary_fields", dict), "job", dict), "type", str)
    return found


def running_job(document: Any) -> dict[str, Any]:
    """The job that asks: by whom it was launched, and the workflow job that it is part of, if any."""
    source = _at(document, "summary_fields", dict).get("source_workflow_job")
    found = None if source is None else _at(source, "id", int)
    return {"id": _at(document, "id", int), "launched_by": launcher(document), "workflow_job": found}


def plan_job(document: Any) -> dict[str, Any]:
    """The job that planned, and the plan that it left in its artifacts."""
    artifacts = _at(document, "artifacts", dict)
    plan = artifacts.get(PLAN_ARTIFACT)
    return {
        "id": _at(document, "id", int),
        "status": _at(document, "status", str),
        "finished": _instant(document, "finished"),
        "plan": {"change": _at(plan, "change", str), "digest": _at(plan, "digest", str)} if isinstance(plan, dict) else None,
    }


def approval(document: Any) -> dict[str, Any]:
    """An approval: its state, who gave it, and the workflow job that waited for it."""
    fields = _at(document, "summary_fields", dict)
    by = fields.get("approved_or_denied_by")
    return {
        "id": _at(document, "id", int),
        "status": _at(document, "status", str),
        "timed_out": _at(document, "timed_out", bool),
        "canceled": _optional(document, "canceled_on", str) is not None,
        "finished": _instant(document, "finished"),
        "workflow_job": _at(_at(fields, "source_workflow_job", dict), "id", int),
        "by": None if by is None else {"id": _at(by, "id", int), "username": _at(by, "username", str)},
    }


def user(document: Any) -> dict[str, Any]:
    """A user as AWX knows them now."""
    superuser = _at(document, "is_superuser", bool)
    return {"id": _at(document, "id", int), "username": _at(document, "username", str), "superuser": superuser}


def page(document: Any) -> tuple[list[Any], str | None]:
    """The entries of one page of a list, and the path of the next page."""
    return _at(document, "results", list), _optional(document, "next", str)


def parse_instant(text: str) -> dt.datetime:
    """A time as AWX writes it; ValueError when it is none or has no zone."""
    at = dt.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return at


def _instant(document: Any, key: str) -> str | None:
    text: str | None = _optional(document, key, str)
    if text is not None:
        try:
            parse_instant(text)
        except ValueError as exc:
            raise AwxOddError(f"{key} is {text[:40]!r}") from exc
    return text


def _optional(document: Any, key: str, kind: type) -> Any:
    """The field, or None where AWX says null. A field that is not there is odd all the same."""
    if isinstance(document, Mapping) and key in document and document[key] is None:
        return None
    return _at(document, key, kind)


def _at(document: Any, key: str, kind: type) -> Any:
    if not isinstance(document, Mapping) or key not in document:
        raise AwxOddError(f"{key} is missing")
    value = document[key]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise AwxOddError(f"{key} is a {type(value).__name__}, wanted a {kind.__name__}")
    return value
