from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import policy
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.policy_files import read_policy
from hypothesis import given
from hypothesis import strategies as st

SHIPPED = read_policy()
CELLS = [(c, d) for c in policy.CLASSES for d in policy.DOMAINS]
classes = st.sampled_from(policy.CLASSES)


def put(path: str, value: Any) -> Any:
    def edit(document: dict[str, Any]) -> None:
        *folders, key = path.split("/")
        place: Any = document
        for folder in folders:
            place = place[int(folder) if isinstance(place, list) else folder]
        place[key] = value

    return edit


# Of each key three values, the later the stricter.
LADDERS: dict[str, tuple[Any, Any, Any]] = {
    "gates": ([], ["calendars"], ["calendars", "backup"]),
    "advise": ([], ["workload"], ["workload", "access"]),
    "freshness/gates": ("P1D", "PT2H", "PT1H"),
    "freshness/backup": ("P1D", "PT2H", "PT1H"),
    "freshness/wal": ("P1D", "PT2H", "PT1H"),
    "freshness/read": ("P1D", "PT2H", "PT1H"),
    "freshness/drill": ("P2D", "PT24H1M", "PT24H"),
    "freshness/filestore": ("P2D", "PT24H1M", "PT24H"),
    "freshness/staging": ("P365D", "P90D", "P30D"),
    "approvals/count": (0, 1, 2),
    "approvals/groups": ({}, {"a": 1}, {"a": 2}),
    "approvals/customer": ([], ["dedicated"], ["dedicated", "high_compliance"]),
    "approvals/retro": ("PT0S", "P1D", "PT1H"),
    "soak": ("PT0S", "PT1M", "P1D"),
    "window/longest": ("P1D", "PT2H", "PT1H"),
    "window/overrun": policy.OVERRUNS,
    "rollback/tolerance": (2, 1.5, 1.2),
    "waivable": (["wal_age_s", "window_*"], ["window_*"], ["window_acme"]),
    "content": ("optional", "optional", "required"),
    "strategy": policy.STRATEGIES,
}
TIES = {"content": {(0, 1), (1, 0)}}
rungs = st.integers(0, 3 ** len(LADDERS) - 1).map(lambda n: [n // 3**k % 3 for k in range(len(LADDERS))])


def standing_on(levels: list[int]) -> dict[str, Any]:
    one = deepcopy(SHIPPED["profiles"]["reviewed"])
    for (path, ladder), level in zip(LADDERS.items(), levels, strict=True):
        put(path, ladder[level])(one)
    return one


@pytest.fixture
def document() -> dict[str, Any]:
    return deepcopy(SHIPPED)


# -- the one that ships ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("change_class", "domain"), CELLS)
@pytest.mark.parametrize("environment", policy.ENVIRONMENTS)
def test_every_cell_is_defined(change_class: str, domain: str, environment: str) -> None:
    found = policy.profile(SHIPPED, change_class, domain, environment)
    assert {"approvals", "gates", "rollback", "window"} <= found.keys()


def test_there_are_sixteen_cells() -> None:
    assert len(CELLS) == 16
    assert {(c, d) for c, domains in SHIPPED["cells"].items() for d in domains} == set(CELLS)


@pytest.mark.parametrize(("change_class", "domain"), CELLS)
@pytest.mark.parametrize("environment", policy.ENVIRONMENTS[:-1])
def test_production_is_never_weaker(change_class: str, domain: str, environment: str) -> None:
    production = policy.profile(SHIPPED, change_class, domain, "production")
    assert policy.weaker(production, policy.profile(SHIPPED, change_class, domain, environment)) == []


@pytest.mark.parametrize("domain", policy.DOMAINS)
def test_each_class_differs_from_the_others_in_production(domain: str) -> None:
    found = {c: policy.profile(SHIPPED, c, domain, "production") for c in policy.CLASSES}
    assert found["standard"]["approvals"]["count"] == 0
    assert found["normal"]["approvals"]["count"] == 1
    assert found["data_impacting"]["approvals"]["count"] == 2
    assert set(found["emergency"]["gates"]) < set(found["normal"]["gates"])
    assert policy.weaker(found["data_impacting"], found["normal"]) == []


# -- what is wrong with one -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        pytest.param(
            put("cells/normal/data/uat", "reviewd"),
            "policy.cells.normal.data.uat is 'reviewd', which is no profile. Did you mean reviewed?",
            id="unknown-profile",
        ),
        pytest.param(
            put("profiles/free/soak", "soon"), "policy.profiles.free.soak is 'soon': duration 'soon' is not understood", id="bad-duration"
        ),
        pytest.param(put("objectives/dedicated/rto", "soon"), "policy.objectives.dedicated.rto is 'soon'", id="bad-objective"),
        pytest.param(
            put("rules/1/when/sql", ["(drop"]),
            "policy.rules, rule 'destructive or rewriting SQL': sql holds '(drop', which is no regular expression",
            id="bad-expression",
        ),
        pytest.param(
            put("cells/emergency/security/production", "free"),
            "policy.cells.emergency.security.production (free) is weaker than staging (urgent): gates lacks calendars, backup, wal.",
            id="weaker-than-staging",
        ),
        pytest.param(
            put("profiles/urgent/gates", ["calendars", "wal"]),
            "policy.cells.emergency.application.production (urgent) has no gate backup. Add it",
            id="no-backup-in-production",
        ),
        pytest.param(
            put("profiles/guarded/approvals/count", 0),
            "policy.cells.data_impacting.application.production (guarded) needs 0 approvals. Write at least 1.",
            id="unapproved",
        ),
        pytest.param(
            put("profiles/urgent/approvals", {"count": 0, "groups": {}, "customer": [], "retro": "PT0S"}),
            "policy.cells.emergency.application.production (urgent) needs 0 approvals. Write at least 1; an emergency may have 0 only when",
            id="unapproved-emergency-for-good",
        ),
        pytest.param(
            put("profiles/pre_approved/content", "optional"),
            "policy.cells.standard.application.production (pre_approved) has content optional. Write required",
            id="standard-without-content",
        ),
    ],
)
def test_each_error_says_where_and_what_to_do(document: dict[str, Any], edit: Any, wanted: str) -> None:
    edit(document)
    assert [e for e in policy.judge_policy(document) if e.startswith(wanted)]


def test_an_emergency_may_be_approved_afterwards(document: dict[str, Any]) -> None:
    document["profiles"]["urgent"]["approvals"] = {"count": 0, "groups": {}, "customer": [], "retro": "PT4H"}
    assert policy.judge_policy(document) == []


def test_every_error_is_named_at_once(document: dict[str, Any]) -> None:
    document["profiles"]["free"]["soak"] = document["profiles"]["urgent"]["soak"] = "soon"
    document["cells"]["normal"]["data"]["uat"] = "nosuch"
    assert len(policy.judge_policy(document)) == 3


# -- algebra ---------------------------------------------------------------------------------------------------------------
@given(classes, classes, classes)
def test_raising_never_lowers(one: str, other: str, third: str) -> None:
    raised = policy.highest([one, other])
    assert policy.rank(raised) >= max(policy.rank(one), policy.rank(other))
    assert policy.highest([raised, third]) == policy.highest([one, policy.highest([other, third])])
    assert policy.rank(policy.next_tier(one)) >= policy.rank(one)


@given(rungs, rungs)
def test_weaker_tells_each_key_that_stands_lower(one: list[int], other: list[int]) -> None:
    lower = [key for key, a, b in zip(LADDERS, one, other, strict=True) if a < b and (a, b) not in TIES.get(key, ())]
    assert len(policy.weaker(standing_on(one), standing_on(other))) == len(lower)


@given(rungs, rungs)
def test_joined_approvals_are_the_stricter_of_both(one: list[int], other: list[int]) -> None:
    both = standing_on([max(pair) for pair in zip(one, other, strict=True)])["approvals"]
    assert policy.joined(standing_on(one)["approvals"], standing_on(other)["approvals"]) == both


def test_no_key_of_a_profile_is_left_out_of_the_comparison() -> None:
    known = {f"{key}/{inner}" for key, part in SHIPPED["profiles"]["reviewed"].items() if isinstance(part, dict) for inner in part}
    known |= {key for key, part in SHIPPED["profiles"]["reviewed"].items() if not isinstance(part, dict)}
    assert known == LADDERS.keys()


# -- what goes into a plan ---------------------------------------------------------------------------------------------------
def demanded(change: dict[str, Any], **given: Any) -> dict[str, Any]:
    facts = {"change_class": "normal", "bundled": False, "groups": [], "tiers": {"acme": "multi_tenant", "delta": "dedicated"}, **given}
    return policy.for_plan(SHIPPED, change=change, **facts)


def test_the_keys_that_the_rest_of_the_code_reads(change: dict[str, Any]) -> None:
    found = demanded(change)
    wanted = {
        "gate_max_age": "PT4H",
        "backup_max_age": "P1D",
        "wal_max_age": "PT1H",
        "read_max_age": "P7D",
        "drill_max_age": "P30D",
        "filestore_max_age": "P7D",
        "tolerance": 1.2,
        "approvals": 1,
    }
    assert {key: found[key] for key in wanted} == wanted
    assert found["cell"] == "normal/application/production"
    assert (found["version"], found["digest"][:7]) == ("2026.1", "sha256:")


def test_only_the_objectives_of_its_tiers_are_in_a_plan(change: dict[str, Any]) -> None:
    assert demanded(change)["objectives"] == {tier: SHIPPED["objectives"][tier] for tier in ("multi_tenant", "dedicated")}
    without = {key: value for key, value in SHIPPED.items() if key != "objectives"}
    facts = {"change_class": "normal", "bundled": False, "groups": [], "tiers": {"acme": "multi_tenant"}}
    assert policy.for_plan(without, change=change, **facts)["objectives"] == {}


def test_tenants_with_an_installation_of_their_own_have_a_say(change: dict[str, Any]) -> None:
    assert demanded(change)["groups"] == [{"group": "customer:delta", "count": 1}]
    assert demanded(change, tiers={"acme": "multi_tenant"})["groups"] == []
    assert demanded(change, groups=["ingress"])["groups"] == [{"group": "customer:delta", "count": 1}, {"group": "ingress", "count": 1}]


@pytest.mark.parametrize(
    ("change_class", "bundled", "approvals"),
    [("standard", False, 0), ("normal", False, 1), ("normal", True, 2), ("emergency", True, 2), ("data_impacting", True, 2)],
)
def test_a_bundle_needs_the_approvals_of_the_next_class(change: dict[str, Any], change_class: str, bundled: bool, approvals: int) -> None:
    assert demanded(change, change_class=change_class, bundled=bundled)["approvals"] == approvals


def test_the_longer_soak_counts(change: dict[str, Any]) -> None:
    assert demanded(change)["soak_s"] == 300
    assert demanded(change, change_class="data_impacting")["soak_s"] == 900


def test_the_digest_is_that_of_what_it_says(document: dict[str, Any]) -> None:
    assert policy.policy_digest(dict(reversed(document.items()))) == policy.policy_digest(SHIPPED)
    document["rules"].pop()
    assert policy.policy_digest(document) != policy.policy_digest(SHIPPED)


@pytest.mark.parametrize(
    ("duration", "errors"), [pytest.param("PT8H", 0, id="exactly-the-longest"), pytest.param("PT8H1S", 1, id="a-second-longer")]
)
def test_a_window_that_is_too_long(change: dict[str, Any], duration: str, errors: int) -> None:
    change["window"]["duration"] = duration
    assert len(policy.judge_against(change, SHIPPED["profiles"]["guarded"])) == errors


def test_content_that_the_policy_requires(change: dict[str, Any]) -> None:
    (told,) = policy.judge_against(change, SHIPPED["profiles"]["pre_approved"])
    assert told.startswith("change.release.content is missing, and the policy requires it.")
