"""Tickets that are kept in step with a ledger, as Ansible does it: told once, never in the way, caught up with later."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_change_close import ID, Closing, changed
from tests.support.ansible import run_module
from tests.support.ticket_servers import SECRET, USER, JiraServer, ServiceNowServer, TicketServer


class Desk:
    """A ledger, and a ticket that is told of it."""

    def __init__(self, root: Path) -> None:
        self.closing = Closing(root)
        (root / "token").write_text(f"{SECRET}\n")
        self.keys = {
            "ledger": str(root / "ledger"),
            "ledger_key": str(root / "key.pem"),
            "ledger_trusted": str(root / "key.pem.pub"),
            "change": ID,
            "title": "Screens",
        }

    def options(self, system: str, server: TicketServer | None = None, **other: Any) -> dict[str, Any]:
        if server is None:
            return {"system": system, "path": str(self.closing.root / "tickets"), **other}
        return {"system": system, "url": server.url, "user": USER, "token_file": str(self.closing.root / "token"), "timeout_s": 2, **other}

    def tell(self, ticket: dict[str, Any], *, key: str | None = None, check: bool = False) -> dict[str, Any]:
        done = run_module("change_ticket", {**self.keys, "ticket": ticket, **({"id": key} if key else {})}, check=check)
        assert SECRET not in json.dumps(done)
        return done

    def ticketed(self) -> list[dict[str, Any]]:
        return [event.evidence for event in self.closing.ledger.events(ID) if event.event == "ticketed"]

    def entry(self, name: str) -> str:
        return next(event.digest for event in reversed(self.closing.ledger.events(ID)) if event.event == name)

    def plan(self) -> None:
        self.closing.record("planned", plan=self.closing.plan, digest="x")

    def close(self, result: str, word: str) -> None:
        self.closing.record("closed", result=result, tenants={"acme": word})


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def servicenow() -> Iterator[ServiceNowServer]:
    with ServiceNowServer() as server:
        yield server


@pytest.fixture
def jira() -> Iterator[JiraServer]:
    with JiraServer() as server:
        yield server


# -- a file ----------------------------------------------------------------------------------------------------------------
def test_a_file_says_what_the_ledger_says(desk: Desk) -> None:
    options, path = desk.options("file"), desk.closing.root / "tickets" / f"{ID}.json"
    nothing = desk.tell(options)
    assert (nothing["changed"], nothing["told"], path.exists()) == (False, None, False)
    desk.plan()
    predicted = desk.tell(options, check=True)
    assert (predicted["changed"], path.exists(), desk.ticketed()) == (True, False, [])
    assert desk.tell(options)["changed"]
    assert json.loads(path.read_text())["entry"] == desk.entry("planned")
    assert not desk.tell(options)["changed"]
    desk.closing.record("approved", approvals=[])
    desk.closing.record("started", "acme")
    assert desk.tell(options)["state"] == "applying"
    desk.close("succeeded", "released")
    assert desk.tell(options)["changed"]
    document = json.loads(path.read_text())
    assert [one["state"] for one in document["history"]] == ["planned", "approved", "applying", "succeeded"]
    assert (document["state"], document["entry"]) == ("succeeded", desk.entry("closed"))
    assert [one["state"] for one in desk.ticketed()] == ["planned", "applying", "succeeded"]

    whole = path.read_bytes()
    for damage in (path.unlink, lambda: path.write_text("{"), lambda: path.write_text('{"history": []}')):
        damage()
        assert desk.tell(options)["changed"]
        assert path.read_bytes() == whole, "what is damaged is written anew from the ledger"
    assert not desk.tell(options, check=True)["changed"]
    assert len(desk.ticketed()) == 3


# -- ServiceNow ------------------------------------------------------------------------------------------------------------
LEFT_TO_IT = {"states": {"planned": [], "approved": []}}


def test_a_change_request_goes_with_the_change(desk: Desk, servicenow: ServiceNowServer) -> None:
    options = desk.options("servicenow", servicenow, **LEFT_TO_IT)
    desk.plan()
    assert desk.tell(options, key="CHG0030001", check=True)["changed"]
    assert servicenow.writes == []
    assert desk.tell(options, key="CHG0030001")["told"]
    assert (servicenow.record["state"], servicenow.record["correlation_id"]) == ("-2", f"{ID}/{desk.entry('planned')}")
    before = len(servicenow.writes)
    assert not desk.tell(options, key="CHG0030001")["changed"]
    assert len(servicenow.writes) == before
    desk.closing.record("started", "acme")
    assert desk.tell(options, key="CHG0030001")["told"]
    assert servicenow.record["state"] == "-1"
    desk.close("succeeded", "released")
    assert desk.tell(options, key="CHG0030001")["told"]
    assert (servicenow.record["state"], servicenow.record["close_code"]) == ("3", "successful")
    assert [note.split(" since ")[0] for note in servicenow.notes] == [f"{ID} is {word}" for word in ("planned", "applying", "succeeded")]


def test_what_was_missed_while_it_was_down_is_told_in_order(desk: Desk, servicenow: ServiceNowServer) -> None:
    options = desk.options("servicenow", servicenow, **LEFT_TO_IT)
    servicenow.broken = 503
    desk.plan()
    down = desk.tell(options, key="CHG0030001")
    assert (down["failed"], down["told"], down["changed"]) == (False, False, True)
    assert "503" in desk.ticketed()[-1]["problem"]
    assert not desk.tell(options, key="CHG0030001")["changed"], "it is kept once that this could not be told"
    desk.closing.record("started", "acme")
    desk.tell(options, key="CHG0030001")
    assert [(one["state"], one["told"]) for one in desk.ticketed()] == [("planned", False), ("applying", False)]
    servicenow.broken = None
    desk.closing.record("failed", "acme")
    desk.close("failed", "rolled back")
    assert desk.tell(options, key="CHG0030001")["told"]
    assert (servicenow.record["state"], servicenow.record["close_code"]) == ("3", "unsuccessful")
    assert len(servicenow.notes) == 4
    assert desk.ticketed()[-1]["told"]


@pytest.mark.parametrize(
    ("spoil", "key", "problem"),
    [
        pytest.param(lambda s: s.record.update(state="-5"), "CHG0030001", "-5 does not lead to -1", id="not-by-its-state-model"),
        pytest.param(lambda s: setattr(s, "stubborn", True), "CHG0030001", "did not take state", id="taken-back-with-200"),
        pytest.param(lambda s: s.record.update(correlation_id="CHG-2026-0001/x"), "CHG0030001", "belongs to CHG-2026-0001", id="anothers"),
        pytest.param(lambda s: None, "CHG0030009", "there are 0 change requests", id="not-there"),
        pytest.param(lambda s: None, "CHG1^ORnumber=CHG0030001", "no id of servicenow", id="a-query"),
        pytest.param(lambda s: setattr(s, "broken", 200), "CHG0030001", "holds no result", id="odd-answer"),
        pytest.param(lambda s: setattr(s, "broken", 302), "CHG0030001", "302", id="sent-elsewhere"),
    ],
)
def test_a_change_request_that_cannot_be_told(desk: Desk, servicenow: ServiceNowServer, spoil: Any, key: str, problem: str) -> None:
    desk.plan()
    desk.closing.record("started", "acme")
    spoil(servicenow)
    done = desk.tell(desk.options("servicenow", servicenow, **LEFT_TO_IT), key=key)
    assert (done["failed"], done["told"]) == (False, False)
    assert problem in desk.ticketed()[-1]["problem"]


def test_nobody_listens_and_a_wrong_token(desk: Desk, servicenow: ServiceNowServer) -> None:
    desk.plan()
    options = desk.options("servicenow", servicenow)
    assert "gave no answer" in desk.tell({**options, "url": "http://127.0.0.1:9"}, key="CHG0030001")["msg"]
    assert "401: User Not Authenticated" in desk.tell({**options, "user": "other"}, key="CHG0030001")["msg"]
    assert "cannot be read" in desk.tell({**options, "token_file": "/nosuch"}, key="CHG0030001")["msg"]
    assert "holds an address with a password" in desk.tell({**options, "url": f"http://u:{SECRET}@127.0.0.1"}, key="CHG0030001")["msg"]


def test_a_change_without_a_ticket_is_told_to_nobody(desk: Desk, servicenow: ServiceNowServer) -> None:
    desk.plan()
    done = desk.tell(desk.options("servicenow", servicenow))
    assert (done["changed"], done["told"], servicenow.log, desk.ticketed()) == (False, None, [], [])


# -- Jira ------------------------------------------------------------------------------------------------------------------
def test_an_issue_goes_with_the_change(desk: Desk, jira: JiraServer) -> None:
    options = desk.options("jira", jira, states={"succeeded": ["In Review", "Done"]}, link="https://records.example.org/CHG-2026-0142.html")
    desk.plan()
    assert desk.tell(options, key="OPS-17")["told"]
    assert jira.status == "To Do"
    desk.closing.record("approved", approvals=[])
    desk.closing.record("started", "acme")
    assert desk.tell(options, key="OPS-17")["told"]
    assert jira.status == "In Progress"
    desk.close("succeeded", "released")
    assert desk.tell(options, key="OPS-17")["told"]
    (link,) = jira.links.values()
    assert (jira.status, link["object"]["title"]) == ("Done", f"{ID}: succeeded")
    assert desk.entry("closed") in link["object"]["summary"]
    before = len(jira.writes)
    assert not desk.tell(options, key="OPS-17")["changed"]
    assert len(jira.writes) == before


def test_an_issue_whose_workflow_leads_elsewhere(desk: Desk, jira: JiraServer) -> None:
    desk.plan()
    desk.close("abandoned", "untouched")
    done = desk.tell(desk.options("jira", jira), key="OPS-17")
    assert not done["told"] and "no transition leads to 'Done', only to: In Progress" in done["msg"]
    assert jira.links, "what could be told was"
    jira.status = "In Review"
    assert desk.tell(desk.options("jira", jira), key="OPS-17")["told"]
    assert [one["told"] for one in desk.ticketed()] == [False, True]


def test_a_run_that_ended_between_transition_and_link_goes_on(desk: Desk, jira: JiraServer) -> None:
    desk.plan()
    desk.closing.record("started", "acme")
    jira.status = "In Progress"
    assert desk.tell(desk.options("jira", jira, states={"planned": []}), key="OPS-17")["told"]
    assert not [body for body in jira.writes if "transition" in body]


def test_an_issue_that_is_not_there(desk: Desk, jira: JiraServer) -> None:
    desk.plan()
    assert "404: Issue does not exist" in desk.tell(desk.options("jira", jira), key="OPS-18")["msg"]


# -- as a stage ------------------------------------------------------------------------------------------------------------
def test_closing_tells_the_ticket_and_a_second_run_changes_nothing(desk: Desk) -> None:
    desk.closing.succeed()
    options = desk.options("file")
    code, out = desk.closing.close(change_ticket=options)
    assert code == 0, out
    assert json.loads((desk.closing.root / "tickets" / f"{ID}.json").read_text())["state"] == "succeeded"
    assert desk.closing.recorded()[-2:] == ["closed", "ticketed"]
    code, out = desk.closing.close(change_ticket=options)
    assert (code, changed(out)) == (0, 0), out


def test_a_ticket_system_that_is_down_does_not_keep_a_change_open(desk: Desk, servicenow: ServiceNowServer) -> None:
    desk.closing.succeed()
    servicenow.broken = 500
    code, out = desk.closing.close(change_ticket=desk.options("servicenow", servicenow), change={**CHANGE_WITH_TICKET})
    assert code == 0, out
    assert "could not be told" in out
    assert desk.closing.recorded()[-2:] == ["closed", "ticketed"]


CHANGE_WITH_TICKET = {"id": ID, "title": "Screens", "ticket": "CHG0030001"}
