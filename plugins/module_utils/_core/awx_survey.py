# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWX refuses in a survey, told before anything is sent (AWX 24.6.1, JobTemplateSurveySpec)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_TYPES: dict[str, type | tuple[type, ...]] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}
_KEPT = "$encrypted$"


def survey_problems(spec: Any) -> list[str]:
    """Reasons, empty when AWX takes the survey."""
    if not isinstance(spec, Mapping):
        return [f"it is {type(spec).__name__}, wanted name, description and spec"]
    found = [f"its {key} is {spec.get(key)!r}, wanted a text" for key in ("name", "description") if not isinstance(spec.get(key), str)]
    questions = spec.get("spec")
    if not isinstance(questions, Sequence) or isinstance(questions, str) or not questions:
        return [*found, "its spec holds no question"]
    seen: set[str] = set()
    for number, question in enumerate(questions):
        found += [f"question {number}: {reason}" for reason in _question_problems(question, seen)]
    return found


def _question_problems(question: Any, seen: set[str]) -> list[str]:
    if not isinstance(question, Mapping):
        return [f"it is {type(question).__name__}, wanted a mapping"]
    found = [f"{key} is missing" for key in ("type", "question_name", "variable", "required") if key not in question]
    found += [f"{key} is no text" for key in ("type", "question_name", "variable") if not isinstance(question.get(key, ""), str)]
    if not isinstance(question.get("required", False), bool):
        found.append("required is neither true nor false")
    if found:
        return found
    if question["variable"] in seen:
        found.append(f"variable {question['variable']} is asked for twice")
    seen.add(question["variable"])
    found += [
        f"{key} is no whole number"
        for key in ("min", "max")
        if question.get(key) is not None and (isinstance(question[key], bool) or not isinstance(question[key], int))
    ]
    if question["type"] not in _TYPES:
        return [*found, f"type {question['type']} is none of {', '.join(_TYPES)}"]
    return found + _answer_problems(question)


def _answer_problems(question: Mapping[str, Any]) -> list[str]:
    kind, default = question["type"], question.get("default", "")
    if isinstance(default, str) and default.startswith(_KEPT):
        return [f"{_KEPT} is a word of AWX's own; write another default"]
    if kind in ("multiplechoice", "multiselect"):
        return _choice_problems(question)
    if default != "" and not isinstance(default, _TYPES[kind]):
        return [f"the default {default!r} does not fit type {kind}"]
    return []


def _choice_problems(question: Mapping[str, Any]) -> list[str]:
    choices = lines(question.get("choices"))
    if not choices:
        return [f"type {question['type']} needs choices"]
    defaults = lines(question.get("default"))
    if question["type"] == "multiplechoice" and len(defaults) > 1:
        return ["a single choice can have one default only"]
    return [f"the default {one} is none of the choices" for one in defaults if one not in choices]


def lines(value: Any) -> list[str]:
    """Choices are a list or lines of a text; AWX takes both."""
    if isinstance(value, str):
        return [line for line in value.splitlines() if line.strip()]
    return [str(item) for item in value or []]
