"""What is wrong with wanted objects of AWX is told before anything is sent; the stand-in's own rules, written apart, agree."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_check import problems
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_graph import graph_problems, in_making_order
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_rrule import rrule_example, rrule_problems
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_survey import survey_problems

from tests.support import awx_rules
from tests.support.awx_objects import role_objects

START = "DTSTART:20300308T050000Z"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param(rrule_example(), None, id="example"),
        pytest.param(f"{START} RRULE:FREQ=DAILY;INTERVAL=1", None, id="utc"),
        pytest.param(f"{START} RRULE:FREQ=DAILY;INTERVAL=1;COUNT=999", None, id="most"),
        pytest.param(f"{START} RRULE:FREQ=WEEKLY;INTERVAL=1 EXRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=SU", None, id="exrule"),
        pytest.param(f"{START} RRULE:FREQ=MONTHLY;INTERVAL=1;BYDAY=SU;BYSETPOS=1", None, id="first-sunday"),
        pytest.param("", "0 DTSTART", id="empty"),
        pytest.param("DTSTART:NONSENSE", "neither a time zone", id="nonsense"),
        pytest.param("RRULE:FREQ=DAILY;INTERVAL=1", "0 DTSTART", id="no-start"),
        pytest.param("DTSTART:20300308T050000 RRULE:FREQ=DAILY;INTERVAL=1", "neither a time zone", id="naive"),
        pytest.param(f"{START} DTSTART:20310308T050000Z RRULE:FREQ=DAILY;INTERVAL=1", "2 DTSTART", id="two-starts"),
        pytest.param("DTSTART;TZID=No/Where:20300308T050000 RRULE:FREQ=DAILY;INTERVAL=1", "no time zone", id="zone"),
        pytest.param(START, "no RRULE", id="no-rule"),
        pytest.param(f"{START} RRULE:FREQ=DAILY", "INTERVAL", id="no-interval"),
        pytest.param(f"{START} RRULE:FREQ=SECONDLY;INTERVAL=5", "SECONDLY", id="secondly"),
        pytest.param(f"{START} RRULE:FREQ=REGULARLY;INTERVAL=5", "REGULARLY", id="regularly"),
        pytest.param(f"{START} RRULE:FREQ=DAILY;INTERVAL=1;COUNT=1000", "more than 999", id="count"),
        pytest.param(f"{START} RRULE:FREQ=DAILY;INTERVAL=1;COUNT=5;UNTIL=20310101T000000Z", "COUNT and UNTIL", id="count-and-until"),
        pytest.param(f"{START} RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=5MO", "number before a day", id="numbered-day"),
        pytest.param(f"{START} RRULE:FREQ=MONTHLY;INTERVAL=1 EXDATE:20300401", "EXDATE", id="exdate"),
        pytest.param(f"{START} RRULE:FREQ=MONTHLY;INTERVAL=1 RDATE:20300401", "RDATE", id="rdate"),
    ],
)
def test_rrules(text: str, wanted: str | None) -> None:
    found = rrule_problems(text)
    if wanted is None:
        assert found == []
        awx_rules.check_rrule(text)
        return
    assert any(wanted in reason for reason in found), found
    with pytest.raises(awx_rules.Refused):
        awx_rules.check_rrule(text)


def asked(**other: Any) -> dict[str, Any]:
    question = {"type": "text", "question_name": "Which?", "variable": "change_id", "required": True, **other}
    return {"name": "s", "description": "", "spec": [{key: value for key, value in question.items() if value is not ...}]}


@pytest.mark.parametrize(
    ("survey", "wanted"),
    [
        pytest.param(asked(), None, id="plain"),
        pytest.param(asked(type="integer", default=3, min=1, max=9), None, id="integer"),
        pytest.param(asked(type="multiplechoice", choices=["a", "b"], default="a"), None, id="choice"),
        pytest.param(asked(type="multiselect", choices="a\nb\n", default="a\nb"), None, id="choices-as-lines"),
        pytest.param({"name": "s", "description": ""}, "no question", id="no-spec"),
        pytest.param({"name": "s", "description": "", "spec": []}, "no question", id="empty"),
        pytest.param({"description": "", "spec": asked()["spec"]}, "name", id="no-name"),
        pytest.param(asked(type="checkbox"), "checkbox", id="type"),
        pytest.param(asked(variable=...), "variable is missing", id="no-variable"),
        pytest.param(asked(required="yes"), "required", id="required"),
        pytest.param(asked(type="integer", default="3"), "does not fit", id="default"),
        pytest.param(asked(max="9"), "max", id="max"),
        pytest.param(asked(type="multiplechoice"), "choices", id="no-choices"),
        pytest.param({**asked(), "spec": asked()["spec"] * 2}, "twice", id="variable-twice"),
    ],
)
def test_surveys(survey: dict[str, Any], wanted: str | None) -> None:
    found = survey_problems(survey)
    if wanted is None:
        assert found == []
        awx_rules.check_survey(survey)
        return
    assert any(wanted in reason for reason in found), found
    with pytest.raises(awx_rules.Refused):
        awx_rules.check_survey(survey)


def node(name: str, **other: Any) -> dict[str, Any]:
    return {"identifier": name, "unified_job_template": "job", **other}


@pytest.mark.parametrize(
    ("nodes", "wanted"),
    [
        pytest.param([node("a", success_nodes=["b"]), node("b")], None, id="two"),
        pytest.param([node("a", success_nodes=["b"], failure_nodes=["c"]), node("b", always_nodes=["c"]), node("c")], None, id="diamond"),
        pytest.param([], "no node", id="none"),
        pytest.param([{"unified_job_template": "job"}], "no identifier", id="unnamed"),
        pytest.param([node("a"), node("a")], "twice", id="twice"),
        pytest.param([node("a", success_nodes=["z"])], "no node of this workflow", id="stranger"),
        pytest.param([node("a", success_nodes=["b"], always_nodes=["b"]), node("b")], "one of them", id="two-ways"),
        pytest.param([node("a", success_nodes=["a"])], "circle: a -> a", id="itself"),
        pytest.param([node("a", success_nodes=["b"]), node("b", failure_nodes=["a"])], "circle: a -> b -> a", id="circle"),
        pytest.param([node("a", create_approval_template={"name": "x"})], "either", id="both"),
        pytest.param([{"identifier": "a"}], "either", id="neither"),
        pytest.param([{"identifier": "a", "create_approval_template": {"name": "x", "timeout": "1h"}}], "timeout", id="timeout"),
        pytest.param([node("a", sucess_nodes=["b"])], "no key of a node", id="misspelt"),
    ],
)
def test_graphs(nodes: list[dict[str, Any]], wanted: str | None) -> None:
    found = graph_problems(nodes)
    assert found == [] if wanted is None else any(wanted in reason for reason in found), found


def test_a_node_is_made_below_a_parent_that_is_there() -> None:
    nodes = [node("close"), node("apply", success_nodes=["close"], failure_nodes=["back"]), node("back", always_nodes=["close"])]
    nodes.append(node("plan", success_nodes=["apply"]))
    below_apply = [("close", "apply", "success_nodes"), ("back", "apply", "failure_nodes")]
    assert in_making_order(nodes) == [("plan", "", ""), ("apply", "plan", "success_nodes"), *below_apply]


SCHEDULE = {"name": "s", "unified_job_template": "Odoo estate: restore_drill", "rrule": rrule_example()}


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        pytest.param({}, None, id="the-roles-own"),
        pytest.param({"job_templats": []}, "Did you mean job_templates?", id="endpoint"),
        pytest.param({"projects": {}}, "wanted a list", id="no-list"),
        pytest.param({"projects": [{"organization": "o"}]}, "projects 1 has no name", id="no-name"),
        pytest.param({"inventories": [{"name": "i"}]}, "lacks organization", id="required"),
        pytest.param({"inventories": [{"name": "i", "organization": 3}]}, "wanted the name", id="ref-by-number"),
        pytest.param({"inventories": [{"name": "i", "organization": "o", "varibles": {}}]}, "Did you mean variables?", id="field"),
        pytest.param({"inventories": [{"name": "i", "organization": "o"}] * 2}, "given twice", id="twice"),
        pytest.param({"schedules": [{**SCHEDULE, "rrule": "daily"}]}, "schedules 's': rrule: it has 0 DTSTART", id="rrule"),
        pytest.param(
            {"projects": [{"name": n, "organization": o, "scm_type": "git", "scm_url": "x"} for n, o in (("p", "a"), ("p", "b"))]}
            | {"schedules": [{**SCHEDULE, "unified_job_template": "p"}]},
            "several of the given objects",
            id="ambiguous",
        ),
    ],
)
def test_a_whole_set(more: dict[str, Any], wanted: str | None) -> None:
    found = problems({**role_objects(), **more})
    assert found == [] if wanted is None else any(wanted in reason for reason in found), found
