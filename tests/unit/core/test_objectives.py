"""Whether the last drill kept what the tiers were promised: by table."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import objectives
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import Drilled

TIERS = {
    "multi_tenant": {"rto": "PT4H", "rpo": "PT15M", "drill": "P30D"},
    "dedicated": {"rto": "PT90M", "rpo": "PT1H", "drill": "P14D"},
}
GB = 1_000_000_000


@pytest.mark.parametrize(
    ("tiers", "wanted"),
    [
        pytest.param(["multi_tenant"], TIERS["multi_tenant"], id="one"),
        pytest.param(["multi_tenant", "dedicated", "multi_tenant"], {"rto": "PT90M", "rpo": "PT15M", "drill": "P14D"}, id="each-apart"),
        pytest.param(["high_compliance"], {}, id="nothing-was-promised"),
        pytest.param(["high_compliance", "dedicated"], TIERS["dedicated"], id="something-to-one-of-them"),
        pytest.param([], {}, id="nobody"),
    ],
)
def test_the_strictest_counts(tiers: list[str], wanted: dict[str, str]) -> None:
    assert objectives.strictest(TIERS, tiers) == wanted


@pytest.mark.parametrize(
    ("drilled", "size", "ok", "observed"),
    [
        pytest.param((100, GB), GB, True, 100, id="as-large"),
        pytest.param((100, GB), GB // 2, True, 100, id="smaller-is-not-taken-to-be-faster"),
        pytest.param((100, GB), 36 * GB, True, 3600, id="just-in-time"),
        pytest.param((100, GB), 37 * GB, False, 3700, id="too-large"),
        pytest.param((3700, GB), GB // 2, False, 3700, id="was-too-slow-before"),
        pytest.param((None, GB), GB, None, "no drill", id="no-time"),
        pytest.param((100, None), GB, None, "no drill", id="no-size"),
        pytest.param((100, 0), GB, None, "no drill", id="of-nothing"),
    ],
)
def test_growth(drilled: tuple[Any, Any], size: int, ok: bool | None, observed: Any) -> None:
    check = objectives.judge_growth(*drilled, size, max_rto_s=3600)
    assert check.ok is ok
    assert check.observed == observed if ok is not None else str(check.observed).startswith(observed)


@pytest.mark.parametrize(
    ("last", "size", "limits", "bad"),
    [
        pytest.param(Drilled(3600, 900, GB), GB, (3600, 900), {}, id="just-kept"),
        pytest.param(Drilled(3600.1, 900, GB), GB, (3600, None), {"restore_drill_rto_s": (False, "RTO")}, id="too-slow"),
        pytest.param(Drilled(60, 901, GB), GB, (3600, 900), {"restore_drill_rpo_s": (False, "RPO")}, id="lacks-too-much"),
        pytest.param(Drilled(1800, 0, GB), 2 * GB, (3600, 900), {}, id="grown-and-still-in-time"),
        pytest.param(
            Drilled(1800, 0, GB), 2 * GB + 2_000_000, (3600, 900), {"restore_drill_estimate_s": (False, "RTO_GROWN")}, id="grown-too-large"
        ),
        pytest.param(
            Drilled(3601, 0, GB), GB // 2, (3600, 900), {"restore_drill_rto_s": (False, "RTO")}, id="smaller-is-not-taken-to-be-faster"
        ),
        pytest.param(Drilled(1800, 0, None), 9 * GB, (3600, 900), {}, id="size-then-not-told"),
        pytest.param(Drilled(1800, 0, GB), None, (3600, 900), {}, id="size-now-not-told"),
        pytest.param(
            Drilled(),
            GB,
            (3600, 900),
            {"restore_drill_rto_s": (None, "RTO"), "restore_drill_rpo_s": (None, "RPO")},
            id="a-drill-that-did-not-come-so-far",
        ),
        pytest.param(Drilled(1e9, 1e9, 1), 9, (None, None), {}, id="nothing-asked"),
    ],
)
def test_the_last_drill(last: Drilled, size: int | None, limits: tuple[int | None, int | None], bad: dict[str, Any]) -> None:
    checks = objectives.judge_objectives(last, size=size, max_rto_s=limits[0], max_rpo_s=limits[1])
    assert {check.id: (check.ok, check.code) for check in checks if check.ok is not True} == bad
    assert all(check.hint for check in checks if check.ok is not True)
    if last.size and size and last.rto_s is not None and size > last.size and limits[0]:
        assert "restore_drill_estimate_s" in [check.id for check in checks]
