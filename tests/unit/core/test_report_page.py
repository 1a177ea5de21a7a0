from __future__ import annotations

import json
import math
import random
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import judge, judge_drawn, overview, report, report_page
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans

IMAGE = "registry.lab/odoo@sha256:" + "a" * 64
VERIFIED = {"verdict": "pass", "msg": "the record of CHG-2026-0142: all 14 checks passed."}
DRILL = {"at": "2026-12-01T03:10:00Z", "evidence": {"stanza": "shared", "verdict": "pass", "rto_s": 754.2, "rpo_s": 61, "msg": "long"}}
WAIVER = {"check": "restore_drill_age_s", "reason": "the host is moved", "owner": "carol", "expires": "2026-12-06T08:00:00Z"}
CHECKS = [
    {"id": "backup_age_s", "ok": True, "observed": 3600, "expected": "<= 86400"},
    {"id": "restore_drill_age_s", "ok": True, "observed": 9e6, "expected": "<= 2592000", "waived": WAIVER},
    {"id": "wal_age_s", "ok": None, "observed": "no answer", "expected": "an answer"},
    {"id": "read_age_s", "ok": False, "observed": 1, "expected": 0, "required": False},
]
VOID = {"meta", "br"}


class Parsed(HTMLParser):
    """Tags, attributes and words of a page; an unbalanced one fails."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _value in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


def event(name: str, minute: int, tenant: str | None = None, actor: str = "ops-1", **evidence: Any) -> Any:
    return SimpleNamespace(event=name, tenant=tenant, at=f"2026-12-05T19:{minute:02d}:00Z", actor=actor, evidence=evidence, subject="")


@pytest.fixture
def plan(change: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    tenants = [plans.Tenant(n, "multi_tenant", c, f"odoo-{n}", n, "shared", IMAGE) for n, c in (("acme", 1), ("bravo", 2))]
    made = plans.build_plan({**change, "waivers": [WAIVER]}, tenants, policy=policy)
    return {**made, "impact": {**made["impact"], "delta": "dedicated"}}


def succeeded(plan: dict[str, Any]) -> list[Any]:
    events = [
        event("planned", 0, plan=plan),
        event("gated", 1, verdict="fail", gates=[{"subject": "an older one", "checks": CHECKS}]),
        event("gated", 2, verdict="pass", gates=[{"subject": "stanza shared", "checks": CHECKS}]),
        event("debt_opened", 2, retro_approval_due="2026-12-08T19:00:00Z", reason="an outage"),
        event("approved", 3, approvals=[{"approver": "alice", "document": "x"}, {"approver": "bob"}]),
        event("approved", 4, approvals=[{"approver": "alice", "document": "x"}]),
    ]
    for minute, name in ((10, "acme"), (30, "bravo")):
        events += [event(step, minute + n, name) for n, step in enumerate(plan["steps"])]
    proofs = {e.tenant: e for e in events if e.event == "proved"}
    proofs["acme"].evidence["sentence"] = "All 9 steps work and take no longer than 1.2 times as before."
    next(e for e in events if e.event == "checkpointed").evidence["checkpoint"] = {"label": "20261205-190000F", "lsn": "0/3"}
    for recorded in events:
        recorded.subject = plans.plan_digest(plan).removeprefix("sha256:")
    result = {**report.result([*events, event("verified", 40, verdict="pass")]), "drills": overview.drills([DRILL])}
    return [*events, event("verified", 40, verdict="pass"), event("closed", 41, **result)]


def figures(ratio: float) -> dict[str, Any]:
    """Of a canary with two steps, the second of them slower."""
    draw = random.Random(3)

    def took(factor: float) -> judge.Outcome:
        return judge.Outcome(0.1 * factor * math.exp(draw.gauss(0, 0.15)))

    records = {m: [judge.Pair(canary=took(f), baseline=took(1.0)) for _dummy in range(60)] for m, f in (("login", 1.0), ("post", ratio))}
    found, drawn = judge.judge(records, judge.Rules()).figures, judge_drawn.drawable(records, judge.Rules())
    return {m: {**found[m], **drawn[m]} for m in records}


def page(events: list[Any]) -> Parsed:
    document = report.report(events, verified=VERIFIED)
    return Parsed(report_page.page(json.loads(json.dumps(document))))


def test_everything_that_is_asked_for_is_on_the_page(plan: dict[str, Any]) -> None:
    told = page(succeeded(plan)).text
    for wanted in (
        "CHG-2026-0142: Billing module 19.0.2",
        "succeeded",
        "2 tenants released",
        "Invoice posting of all shared tenants",
        "ops-1, owner ops-1",
        "alice, 2026-12-05T19:03:00Z (signed); bob, 2026-12-05T19:03:00Z (in AWX)",
        "registry.lab/odoo@aaaaaaaaaaaa → registry.lab/odoo@bbbbbbbbbbbb",
        "2026-12-05T19:10:00Z to 2026-12-05T19:37:00Z, 27 min 00 s",
        "All 9 steps work and take no longer than 1.2 times as before.",
        "delta (dedicated)",
        "stanza shared: backup_age_s 3600 <= 86400 passed",
        "waived by carol",
        "stanza shared: wal_age_s no answer an answer could not be told",
        "previous_image; brings back image, database, filestore; until schema_contract",
        "acme: 20261205-190000F",
        "shared: restored in 12 min 34 s, lacking 1 min 01 s (pass, 2026-12-01T03:10:00Z)",
        "restore_drill_age_s waived by carol until 2026-12-06T08:00:00Z: the host is moved",
        "to be approved again until 2026-12-08T19:00:00Z (an outage): given 2026-12-05T19:03:00Z",
        "signed events",
        "all 14 checks passed",
        plans.plan_digest(plan),
    ):
        assert wanted in told, wanted
    assert "an older one" not in told and "read_age_s" not in told


def test_a_release_that_went_past_its_path_says_so(plan: dict[str, Any]) -> None:
    events = [e for e in succeeded(plan) if e.event != "approved"]
    assert "failed" in page(events).text
    assert "Past its path: acme was begun without an approval of this plan" in page(events).text


def test_a_rollback_is_told_with_its_reason_and_its_time(plan: dict[str, Any]) -> None:
    events = [
        *succeeded(plan)[:6],
        event("started", 10, "acme"),
        event("held", 11, "acme"),
        event("failed", 15, "acme", step="proved", reason="invoice.post takes 1.43 times as long"),
        event("rolled_back", 18, "acme"),
    ]
    told = page(events).text
    for wanted in (
        "failed",
        "rolled back",
        "untouched",
        "invoice.post takes 1.43 times as long",
        "acme: 3 min 00 s",
        "7 min 00 s",
        "not closed",
    ):
        assert wanted in told, wanted


@pytest.mark.parametrize("events", [[], ["planned"]], ids=["nothing-planned", "nothing-touched"])
def test_a_change_that_was_abandoned_has_its_page(plan: dict[str, Any], events: list[str]) -> None:
    told = page([event(name, 0, plan=plan) for name in events]).text
    assert "abandoned" in told
    assert ("no tenant was touched" in told) == bool(events)


def test_a_canary_is_drawn_whether_it_let_the_change_through_or_stopped_it(plan: dict[str, Any]) -> None:
    events = succeeded(plan)
    assert "Canaries" not in page(events).text
    for found in (e for e in events if e.event == "proved"):
        found.evidence["figures"] = figures(1.0) if found.tenant == "acme" else {}
    told = page(events).text
    assert told.count("How many are done within") == 2
    assert "login: pass, 1.0" in told and "post: pass, " in told
    stopped = [
        event("planned", 0, plan=plan),
        event("started", 10, "acme"),
        event("failed", 15, "acme", step="proved", figures=figures(1.5)),
    ]
    told = page(stopped).text
    assert told.index("post: fail (SLOWER)") < told.index("login: pass")


def test_of_many_canaries_those_that_stopped_it_are_drawn_first(plan: dict[str, Any]) -> None:
    names = [f"t{k}" for k in range(20)]
    tenants = {n: {"result": "released", "canary": {"figures": figures(1.5 if n == "t19" else 1.0)}} for n in names}
    document = report.report([event("planned", 0, plan=plan)], verified=VERIFIED)
    told = Parsed(report_page.page({**document, "overview": None, "tenants": tenants})).text
    assert told.count("How many are done within") == report_page.MOST_DRAWN
    assert "16 more steps were compared" in told
    assert told.index("t19") < told.index("login: pass")


def poisoned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: poisoned(inner) if key not in ("at", "event", "image", "from", "to") else inner for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return f"{value}<script src=//x>\"'&<img onerror=1>" if isinstance(value, str) else value


def test_nothing_of_the_record_becomes_markup_and_nothing_is_loaded(plan: dict[str, Any]) -> None:
    events = succeeded(plan)
    next(e for e in events if e.event == "proved").evidence["figures"] = {f"{m}<script>": f for m, f in figures(1.5).items()}
    document = json.loads(json.dumps(report.report(events, verified=VERIFIED)))
    found = report_page.page(poisoned(document))
    parsed = Parsed(found)
    assert parsed.tags == {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span", "table", "tr", "th", "td",
        "strong", "svg", "g", "desc", "rect", "text", "line", "polyline", "polygon", "circle",
    }  # fmt: skip
    assert parsed.attributes == {"lang", "charset", "http-equiv", "content", "name", "class", "scope"} | {
        "xmlns", "viewbox", "role", "aria-labelledby", "id", "x", "y", "width", "height", "transform", "x1", "x2", "y1", "y2",
        "text-anchor", "points", "cx", "cy", "r",
    }  # fmt: skip
    assert found.count("&lt;script") > 30
    assert "url(" not in found and "@import" not in found


def test_the_same_record_gives_the_same_page(plan: dict[str, Any]) -> None:
    document = report.report(succeeded(plan), verified=VERIFIED)
    assert report_page.page(document) == report_page.page(json.loads(json.dumps(document)))


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [(None, "not measured"), (0, "0 s"), (59.4, "59 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (3900, "1 h 05 min")],
)
def test_duration(seconds: float | None, wanted: str) -> None:
    assert report_page.duration(seconds) == wanted
