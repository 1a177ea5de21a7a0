"""awx_apply's engine against the stand-in, in one process: drift, refusals, faults. The playbook itself is run in tests/integration."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.awx_rrule import rrule_example
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io import awx_api, awx_apply
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_api import Awx, AwxError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.awx_apply import Apply, Options

from tests.support.awx_objects import PLAYBOOKS, role_objects
from tests.support.awx_server import EDGES, READ_TOKEN, TOKEN, AwxServer

Json = dict[str, Any]
KEY, HOOK = "p3m-of-the-ledger", "h00k-passw0rd"
NORMAL = "Odoo change: normal change"


@pytest.fixture(scope="module", autouse=True)
def _patience() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(awx_api, "PAUSE_S", 0.005)
        patch.setattr(awx_apply, "EVERY_S", 0.005)
        yield


@pytest.fixture
def server() -> Iterator[AwxServer]:
    with AwxServer(PLAYBOOKS) as running:
        yield running


@pytest.fixture(scope="module")
def made() -> Iterator[AwxServer]:
    """One on which everything is as wanted, for tests that leave it so."""
    with AwxServer(PLAYBOOKS) as running:
        apply(running, whole())
        yield running


@pytest.fixture
def objects() -> Json:
    return whole()


def whole() -> Json:
    hook = {"url": "https://hooks.example.org/odoo", "headers": {}, "password": HOOK}
    given = {"organization": "Odoo operations", "description": ""}
    credential = {"name": "Ledger", "credential_type": "Odoo change ledger", "inputs": {"ledger_key": KEY}, **given}
    told = {"name": "Operators", "notification_type": "webhook", "notification_configuration": hook, **given}
    classes = [{"class": "standard", "approval": False}, {"class": "normal", "approval": True}]
    found = role_objects(awx_credentials=[credential], awx_notifications=[told], awx_workflows=classes)
    return {**found, "credentials": [credential], "notification_templates": [told]}


def apply(server: AwxServer, objects: Json, *, check: bool = False, renew: bool = False, token: str = TOKEN) -> Apply:
    run = Apply(Awx(server.url, token, timeout_s=0.5), Options(check, renew, 2.0, "salt"))
    run.bring_to(objects)
    return run


def refused(server: AwxServer, objects: Json, **how: Any) -> str:
    with pytest.raises(AwxError) as told:
        apply(server, objects, **how)
    return str(told.value)


# -- the whole -------------------------------------------------------------------------------------------------------------
def test_check_then_make_then_nothing(server: AwxServer, objects: Json) -> None:
    predicted = apply(server, objects, check=True)
    assert server.writes == 0
    made = apply(server, objects)
    assert made.outcome.created == predicted.outcome.created and not made.outcome.unchanged
    assert [entry["after"].keys() for entry in made.outcome.diff] == [entry["after"].keys() for entry in predicted.outcome.diff]
    before = server.writes
    for check in (True, False):
        again = apply(server, objects, check=check)
        assert (again.outcome.created, again.outcome.changed, again.outcome.diff) == ([], [], [])
        assert again.awx.writes == 0
    assert server.writes == before


def test_pages_are_followed(made: AwxServer, objects: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "largest_page", 2)
    assert apply(made, objects).outcome.diff == []


def test_the_workflow_is_the_path_of_a_change(made: AwxServer) -> None:
    server = made
    nodes = server.nodes(NORMAL)
    names = {node["id"]: name for name, node in nodes.items()}
    ways = {name: {way: [names[one] for one in node[way]] for way in EDGES if node[way]} for name, node in nodes.items()}
    assert ways == {
        "plan": {"success_nodes": ["approve"]},
        "approve": {"success_nodes": ["gate"]},
        "gate": {"success_nodes": ["verify"]},
        "verify": {"success_nodes": ["apply"]},
        "apply": {"success_nodes": ["prove"], "failure_nodes": ["rollback"]},
        "prove": {"success_nodes": ["close"], "failure_nodes": ["rollback"]},
        "rollback": {"always_nodes": ["close"]},
        "close": {"success_nodes": ["result"]},
        "result": {},
    }
    approval = server.store.rows["workflow_approval_templates"][nodes["approve"]["unified_job_template"]]
    assert (approval["name"], approval["timeout"]) == ("Approve the plan", 86400)
    assert "approve" not in server.nodes("Odoo change: standard change")
    assert server.linked("workflow_job_templates", NORMAL, "notification_templates_approvals") == ["Operators"]


def test_no_node_is_ever_a_second_beginning(server: AwxServer, objects: Json) -> None:
    """Were the workflow launched while it is made, nothing but the plan would start by itself."""
    beginnings: set[str] = set()

    def watch(_number: int, method: str, _path: str) -> str:
        if method != "GET":
            nodes = server.store.rows["workflow_job_template_nodes"].values()
            below = {one for node in nodes for way in EDGES for one in node[way]}
            beginnings.update(node["identifier"] for node in list(nodes) if node["id"] not in below)
        return ""

    server.fault = watch
    apply(server, objects)
    assert beginnings == {"plan"}


# -- drift -------------------------------------------------------------------------------------------------------------------
def drift_field(server: AwxServer) -> str:
    server.one("job_templates", "Odoo change: apply")["limit"] = "acme"
    return "job_templates 'Odoo change: apply'"


def drift_prompt(server: AwxServer) -> str:
    server.one("job_templates", "Odoo change: approve")["ask_variables_on_launch"] = True
    return "job_templates 'Odoo change: approve'"


def drift_variables(server: AwxServer) -> str:
    server.one("workflow_job_templates", NORMAL)["extra_vars"] = "change_class: standard"
    return f"workflow_job_templates '{NORMAL}'"


def drift_reference(server: AwxServer) -> str:
    server.one("inventory_sources", "Odoo estate")["source_project"] = None
    return "inventory_sources 'Odoo estate'"


def drift_survey(server: AwxServer) -> str:
    number = server.one("job_templates", "Odoo change: plan")["id"]
    server.store.surveys["job_templates", number]["spec"][0]["required"] = False
    return "job_templates 'Odoo change: plan'"


def drift_survey_gone(server: AwxServer) -> str:
    server.store.surveys.pop(("workflow_job_templates", server.one("workflow_job_templates", NORMAL)["id"]))
    return f"workflow_job_templates '{NORMAL}'"


def drift_link(server: AwxServer) -> str:
    server.store.links["job_templates", server.one("job_templates", "Odoo change: prove")["id"], "credentials"] = []
    return "job_templates 'Odoo change: prove'"


def drift_edge(server: AwxServer) -> str:
    """The approval is bypassed."""
    nodes = server.nodes(NORMAL)
    nodes["plan"]["success_nodes"] = [nodes["apply"]["id"]]
    return f"workflow_job_templates '{NORMAL}'"


def drift_node_gone(server: AwxServer) -> str:
    server.store.remove("workflow_job_template_nodes", server.nodes(NORMAL)["approve"]["id"])
    return f"workflow_job_templates '{NORMAL}'"


def drift_node_more(server: AwxServer) -> str:
    nodes = server.nodes(NORMAL)
    where = {key: nodes["apply"][key] for key in ("workflow_job_template", "unified_job_template")}
    server.store.insert("workflow_job_template_nodes", {"identifier": "shortcut", **where})
    return f"workflow_job_templates '{NORMAL}'"


def drift_node_other_job(server: AwxServer) -> str:
    nodes = server.nodes(NORMAL)
    nodes["verify"]["unified_job_template"] = nodes["plan"]["unified_job_template"]
    return f"workflow_job_templates '{NORMAL}'"


def drift_approval(server: AwxServer) -> str:
    server.store.rows["workflow_approval_templates"][server.nodes(NORMAL)["approve"]["unified_job_template"]]["timeout"] = 0
    return f"workflow_job_templates '{NORMAL}'"


def drift_approval_is_a_job(server: AwxServer) -> str:
    nodes = server.nodes(NORMAL)
    nodes["approve"]["unified_job_template"] = nodes["plan"]["unified_job_template"]
    return f"workflow_job_templates '{NORMAL}'"


def drift_schedule(server: AwxServer) -> str:
    server.one("schedules", "Weekly restore drill")["enabled"] = False
    return "schedules 'Weekly restore drill'"


def drift_gone(server: AwxServer) -> str:
    schedule = server.one("schedules", "Daily drift report")
    server.store.remove("schedules", schedule["id"])
    return "schedules 'Daily drift report'"


def drift_notification(server: AwxServer) -> str:
    server.one("notification_templates", "Operators")["notification_configuration"]["url"] = "https://elsewhere.example.org"
    return "notification_templates 'Operators'"


DRIFTS = [value for name, value in sorted(globals().items()) if name.startswith("drift_")]


def state(server: AwxServer) -> Json:
    """Everything that AWX holds, with names for ids, so that two servers can be compared."""
    names = {n: str(doc.get("name") or doc.get("identifier")) for rows in server.store.rows.values() for n, doc in rows.items()}

    def named(value: Any) -> str:
        if isinstance(value, list):
            return str([named(one) for one in value])
        return names.get(value, str(value)) if isinstance(value, int) and not isinstance(value, bool) else str(value)

    rows = {
        end: sorted(str({key: named(value) for key, value in sorted(doc.items()) if key != "id"}) for doc in rows.values())
        for end, rows in server.store.rows.items()
    }
    links = {f"{end} {names.get(n)} {link}": sorted(names[one] for one in ids) for (end, n, link), ids in server.store.links.items() if ids}
    return {**rows, "links": links, "surveys": {f"{end} {names.get(n)}": spec for (end, n), spec in server.store.surveys.items()}}


@pytest.mark.parametrize("drift", DRIFTS, ids=lambda one: one.__name__.removeprefix("drift_"))
def test_drift_is_told_and_put_back(made: AwxServer, objects: Json, drift: Callable[[AwxServer], str]) -> None:
    wanted = copy.deepcopy(state(made))
    at = drift(made)
    assert state(made) != wanted
    before = made.writes
    predicted = apply(made, objects, check=True)
    assert made.writes == before, "check mode wrote"
    put_back = apply(made, objects)
    assert predicted.outcome.listed() == put_back.outcome.listed()
    assert predicted.outcome.diff == put_back.outcome.diff
    assert put_back.outcome.changed + put_back.outcome.created == [at]
    templates = made.store.rows["workflow_approval_templates"]
    for number in [n for n in templates if n != made.nodes(NORMAL)["approve"]["unified_job_template"]]:
        del templates[number]  # AWX removes the template of an approval with its node
    assert state(made) == wanted


def test_what_others_have_beside_ours_is_left_alone(made: AwxServer, objects: Json) -> None:
    made.store.insert("job_templates", {"name": "theirs", "organization": made.one("organizations", "Odoo operations")["id"]})
    made.store.insert("organizations", {"name": "Other"})
    assert apply(made, objects).outcome.diff == []


# -- secrets -----------------------------------------------------------------------------------------------------------------
def test_a_secret_is_sent_once_unless_it_is_renewed(server: AwxServer, objects: Json) -> None:
    apply(server, objects)
    objects["credentials"][0]["inputs"] = {"ledger_key": "an0ther-p3m"}
    assert apply(server, objects).outcome.diff == []
    renewed = apply(server, objects, renew=True)
    assert renewed.outcome.changed == ["credentials 'Ledger'", "notification_templates 'Operators'"]
    assert server.one("credentials", "Ledger")["inputs"]["ledger_key"] == "an0ther-p3m"
    assert "an0ther" not in str(renewed.outcome.diff)


def test_a_change_beside_a_secret_keeps_the_secret(server: AwxServer, objects: Json) -> None:
    apply(server, objects)
    objects["notification_templates"][0]["notification_configuration"] = {"url": "https://new.example.org", "password": HOOK, "headers": {}}
    apply(server, objects)
    kept = server.one("notification_templates", "Operators")["notification_configuration"]
    assert (kept["url"], kept["password"]) == ("https://new.example.org", HOOK)


def job(objects: Json, **other: Any) -> None:
    objects["job_templates"][0].update(other)


def two_of_a_type(objects: Json) -> None:
    objects["credentials"].append({**objects["credentials"][0], "name": "Two"})
    job(objects, credentials=["Ledger", "Two"])


# -- what AWX refuses ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("spoil", "wanted"),
    [
        pytest.param(lambda o: job(o, playbook="nope.yml"), "playbook: Playbook not found for project", id="playbook"),
        pytest.param(lambda o: job(o, forks="many"), "forks: A valid integer is required", id="type"),
        pytest.param(lambda o: job(o, job_type="scan"), "job_type: ", id="choice"),
        pytest.param(lambda o: job(o, credentials=["Nobody"]), "'Nobody' of the credentials, and there is none", id="name"),
        pytest.param(two_of_a_type, "Cannot assign multiple Odoo change ledger credentials", id="two-of-a-type"),
        pytest.param(lambda o: o["projects"][0].update(scm_url="https://unreachable/x.git"), "synchronisation is failed", id="sync"),
        pytest.param(lambda o: o["credentials"][0].update(inputs={"leger_key": KEY}), "Additional properties", id="input"),
        pytest.param(lambda o: o["schedules"][0].update(extra_data={"a": 1}), "Variables a are not allowed on launch", id="extra-data"),
    ],
)
def test_what_awx_refuses_is_told_with_its_reasons(server: AwxServer, objects: Json, spoil: Callable[[Json], Any], wanted: str) -> None:
    spoil(objects)
    told = refused(server, objects)
    assert wanted in told
    assert KEY not in told and TOKEN not in told


def test_a_workflow_of_which_a_node_is_refused_is_not_left_in_half(server: AwxServer, objects: Json) -> None:
    objects["workflow_job_templates"][1]["workflow_nodes"][-1]["extra_data"] = {"change_executor": "somebody"}
    told = refused(server, objects)
    assert NORMAL in told and "Variables change_executor are not allowed on launch" in told
    assert [doc["name"] for doc in server.store.rows["workflow_job_templates"].values()] == ["Odoo change: standard change"]
    del objects["workflow_job_templates"][1]["workflow_nodes"][-1]["extra_data"]
    assert len(apply(server, objects).outcome.created) == 4


def test_a_credential_type_in_use(server: AwxServer, objects: Json) -> None:
    apply(server, objects)
    objects["credential_types"][0]["inputs"]["fields"].append({"id": "more", "label": "More", "type": "string"})
    assert "403" in refused(server, objects)


@pytest.mark.parametrize(("token", "wanted"), [("wrong", "401"), (READ_TOKEN, "403")])
def test_tokens(server: AwxServer, objects: Json, token: str, wanted: str) -> None:
    told = refused(server, objects, token=token)
    assert wanted in told and token not in told
    assert server.store.rows["organizations"].keys() == {1}


def test_an_address_that_is_no_awx(server: AwxServer, objects: Json) -> None:
    with pytest.raises(AwxError, match="without a user"):
        Awx("https://bob:pw@awx.example.org", TOKEN)
    server.url = "http://127.0.0.1:9"
    assert "cannot be reached" in refused(server, objects, check=True)


# -- faults ------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def fewer(objects: Json) -> Json:
    """One workflow, without notifications: enough for faults."""
    found = role_objects(awx_workflows=[{"class": "normal", "approval": True}])
    return {**found, "credentials": objects["credentials"]}


@pytest.mark.parametrize(("fault", "every"), [("500", 3), ("503", 4), ("drop", 3), ("drop-after", 3), ("drop-after", 4)])
def test_faults_on_the_way_lead_to_the_same_end(server: AwxServer, fewer: Json, fault: str, every: int) -> None:
    counted = itertools.count(1)
    server.fault = lambda _number, _method, _path: fault if next(counted) % every == 0 else ""
    apply(server, fewer)
    server.fault = lambda _number, _method, _path: ""
    assert apply(server, fewer).outcome.diff == []
    rows = {end: len(rows) for end, rows in server.store.rows.items()}
    assert (rows["job_templates"], rows["workflow_job_template_nodes"], rows["workflow_approval_templates"]) == (11, 9, 1), "made twice"


def test_a_run_that_ends_at_any_write_is_completed_by_the_next(server: AwxServer, fewer: Json) -> None:
    """As by SIGKILL: nothing is taken back, and the next run goes on."""
    apply(server, fewer)
    wanted, writes = state(server), server.writes
    for last in (*range(1, writes - 30, 15), *range(writes - 30, writes, 5)):
        with AwxServer(PLAYBOOKS) as other:
            counted = itertools.count(1)
            other.fault = lambda _n, method, _p, c=counted, m=last: "503" if method != "GET" and next(c) > m else ""
            refused(other, fewer)
            other.fault = lambda _number, _method, _path: ""
            apply(other, fewer)
            assert state(other) == wanted, last


def test_a_server_that_stays_down_ends_soon_with_its_name(server: AwxServer, objects: Json) -> None:
    server.fault = lambda _number, _method, _path: "503"
    told = refused(server, objects)
    assert "503" in told and server.url in told
    assert len(server.log) == awx_api.TRIES


def test_a_slow_answer_is_waited_for_within_bounds(server: AwxServer, objects: Json) -> None:
    server.slow_s = 0.8
    server.fault = lambda number, _method, _path: "slow" if number == 1 else ""
    apply(server, objects, check=True)
    server.fault = lambda _number, _method, _path: "slow"
    assert "gave no answer within 0.5 s" in refused(server, objects)


def test_a_schedule_of_another_template_may_have_the_same_name(server: AwxServer, objects: Json) -> None:
    other = {"unified_job_template": "Odoo estate: drift_report", "rrule": rrule_example()}
    objects["schedules"].append({"name": "Weekly restore drill", **other})
    assert len([one for one in apply(server, objects).outcome.created if "Weekly restore drill" in one]) == 2
    assert apply(server, objects).outcome.diff == []
