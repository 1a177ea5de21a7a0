"""The picture of a step: well-formed, alone, true to the figures, and never of figures that are not whole."""

from __future__ import annotations

import copy
import math
import random
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import chart, chart_panel, judge, judge_drawn

SVG = "{http://www.w3.org/2000/svg}"


def figures(ratio: float = 1.4, n: int = 40, *, step: str = "a", sigma: float = 0.2) -> dict[str, Any]:
    draw = random.Random(5)

    def took(factor: float) -> judge.Outcome:
        return judge.Outcome(0.1 * factor * math.exp(draw.gauss(0, sigma)))

    records = {step: [judge.Pair(canary=took(ratio), baseline=took(1.0)) for _dummy in range(n)]}
    return {**judge.judge(records, judge.Rules()).figures[step], **judge_drawn.drawable(records, judge.Rules())[step]}


def words(root: ET.Element) -> str:
    return " ".join(root.itertext())


@pytest.mark.parametrize("ratio", [0.01, 1.0, 1.2, 1.4, 100.0])
@pytest.mark.parametrize("n", [1, 2, 9, 240])
def test_it_is_one_well_formed_picture(ratio: float, n: int) -> None:
    root = ET.fromstring(chart.svg("a", figures(ratio, n), name="x", style=chart.STYLE + chart.DARK_STYLE))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "x-title x-told"
    assert {root.find(f"{SVG}title").get("id"), root.find(f"{SVG}desc").get("id")} == {"x-title", "x-told"}  # type: ignore[union-attr]
    for element in root.iter():
        for name in ("points", "x", "y", "cx", "cy"):
            assert "nan" not in (element.get(name) or "").lower() and "inf" not in (element.get(name) or "").lower()
        assert not element.tag.endswith(("script", "image", "use", "a", "foreignObject"))
        assert not any(name.startswith("on") or name.endswith("href") for name in element.attrib)


def test_the_lines_lie_where_the_figures_say() -> None:
    given = figures(1.5, 60)
    root = ET.fromstring(chart.svg("a", given, name="x"))
    lines = {c: [e.get("points") or "" for e in root.iter(f"{SVG}polyline") if e.get("class") == c] for c in ("cc-old", "cc-new", "cc-bad")}
    old, new = ([float(p.split(",")[0]) for p in lines[c][0].split()] for c in ("cc-old", "cc-new"))
    assert len(old) == len(new) == 21
    assert all(b > a for a, b in zip(old, new, strict=True)), "the slower side lies to the right"
    heights = [float(p.split(",")[1]) for p in lines["cc-bad"][0].split()]
    assert len(heights) == len(given["path"]["n"]) + 1
    assert heights[-1] == min(heights), "the evidence that it is slower ends at its highest"
    marks = [e for e in root.iter() if (e.get("class") or "").startswith("cc-mark-") and e.tag in (f"{SVG}circle", f"{SVG}polygon")]
    assert len(marks) >= 5  # median and 95th percentile of both sides, and the ratio


def test_it_says_in_words_what_it_shows() -> None:
    root = ET.fromstring(chart.svg("invoice.post", figures(1.6, 80), name="x"))
    told = words(root)
    for wanted in ("invoice.post: fail (SLOWER)", "the old release took a median of", "tolerated 1.2", "of 125", "Decision: fail"):
        assert wanted in told, wanted


def test_names_and_reasons_are_words_and_no_markup() -> None:
    bad = "<script>alert(1)</script>\"'&"
    given = {**figures(n=9), "decision": bad, "code": bad, "reason": bad, "path": None}
    found = chart.page(bad, bad, {bad: given, f"{bad}2": {}})
    assert "<script" not in found
    assert found.count("&lt;script&gt;") >= 6
    ET.fromstring(chart.svg(bad, given, name=bad, style=chart.STYLE))


def changed(where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    given = copy.deepcopy(figures())
    place = given
    for key in where[:-1]:
        place = place[key]
    place[where[-1]] = value
    return given


@pytest.mark.parametrize(
    ("where", "value", "drawn", "path"),
    [
        pytest.param(("quantiles",), None, False, True, id="none"),
        pytest.param(("quantiles", "baseline"), None, False, True, id="one-side"),
        pytest.param(("quantiles", "baseline"), [0.1] * 20, False, True, id="one-quantile-missing"),
        pytest.param(("quantiles", "canary", 3), 0, False, True, id="zero"),
        pytest.param(("quantiles", "canary", 3), "0.1", False, True, id="text"),
        pytest.param(("quantiles", "canary", 3), math.inf, False, True, id="infinite"),
        pytest.param(("path",), {}, True, False, id="no-path"),
        pytest.param(("path", "n"), [1], True, False, id="columns-of-different-length"),
        pytest.param(("path", "ratio", 2), 0, True, False, id="a-ratio-of-nothing"),
        pytest.param(("path", "e_fail", 2), math.nan, True, False, id="not-a-number"),
        pytest.param(("path", "ratio_low", 0), "x", True, False, id="a-bound-that-is-text"),
        pytest.param(("path", "tolerance"), None, True, False, id="no-tolerance"),
        pytest.param(("path", "target_fail"), -1, True, False, id="no-target"),
        pytest.param(("path", "e_pass", 2), 0, True, True, id="no-evidence-at-all"),
    ],
)
def test_what_is_not_whole_is_not_drawn(where: tuple[Any, ...], value: Any, drawn: bool, path: bool) -> None:
    given = changed(where, value)
    assert chart.can_be_drawn(given) == drawn
    assert bool(chart.path_of(given)) == path
    if drawn:
        told = words(ET.fromstring(chart.svg("a", given, name="x")))
        assert ("Evidence, look by look" in told) == path
    assert "svg class" not in chart.page("t", "s", {"a": given}) or drawn


def test_a_page_has_the_failed_steps_first_and_names_those_without_a_picture() -> None:
    found = chart.page("Canary", "b is slower.", {"a": figures(1.0, 60), "b": figures(1.6, 80), "c": {"quantiles": {}}})
    assert found.index("b: fail") < found.index("a: pass")
    assert "Without samples of both sides: c" in found
    assert "b is slower." in found
    assert "url(" not in found and "@import" not in found and "prefers-color-scheme: dark" in found


@pytest.mark.parametrize(
    ("axis", "wanted"),
    [
        (chart_panel.Axis(0, 100), [0, 20, 40, 60, 80, 100]),
        (chart_panel.Axis(0, 3), [0, 1, 2, 3]),
        (chart_panel.Axis(60, 500, log=True), [70, 100, 150, 200, 300, 400, 500]),
        (chart_panel.Axis(1, 1000, log=True), [1, 10, 100, 1000]),
        (chart_panel.Axis(103, 104, log=True), [103, 103.2, 103.4, 103.6, 103.8, 104]),
        (chart_panel.Axis(5, 5), [5]),
    ],
)
def test_ticks_are_round_and_few(axis: chart_panel.Axis, wanted: list[float]) -> None:
    found = axis.ticks()
    assert len(found) <= 8
    if axis != chart_panel.Axis(60, 500, log=True):
        assert found == pytest.approx(wanted)
    assert all(axis.low <= tick <= axis.high * (1 + 1e-9) for tick in found)
