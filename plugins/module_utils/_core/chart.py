# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A step of a canary as a picture: both distributions, the ratio with its bounds, and the path of both tests, look by look.

Drawn from the figures that the record holds, and from nothing else. SVG that needs nothing outside itself: no script, no font, no
reference. Everything that comes from the record is escaped, and figures that are not whole are not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .chart_panel import Axis, Panel, short, text

WIDTH, HEIGHT = 960, 306
PANELS, PANEL_WIDTH, PANEL_HEIGHT, TOP = (52, 380, 702), 244, 168, 72
FLOOR = 1e-3  # evidence below this is drawn there
SIDES = {"baseline": "old", "canary": "new"}
MEDIAN, P95 = 10, 19  # of the 21 quantiles
COLUMNS = ("n", "e_fail", "e_pass", "ratio", "ratio_low", "ratio_high")
LIGHT = {
    "paper": "#ffffff", "ink": "#1a1a1a", "weak": "#555555", "grid": "#e3e3e3", "old": "#1f5fa8", "new": "#b8500a",
    "bad": "#a01515", "good": "#17691f",
}  # fmt: skip
DARK = {
    "paper": "#16181c", "ink": "#eeeeee", "weak": "#b4b4b4", "grid": "#363a42", "old": "#86b8f5", "new": "#f2a65e",
    "bad": "#ff8d85", "good": "#83d68e",
}  # fmt: skip


def _rules(c: Mapping[str, str]) -> str:
    """The style of one set of colours."""
    lines = "".join(f".cc-{name} {{ fill: none; stroke: {c[name]}; stroke-width: 2 }} " for name in ("old", "new", "bad", "good"))
    marks = "".join(f".cc-mark-{name} {{ fill: {c[name]}; stroke: {c['paper']} }} " for name in ("old", "new"))
    return (
        f".cc-paper {{ fill: {c['paper']} }} .cc-frame {{ fill: none; stroke: {c['weak']} }} .cc-grid {{ stroke: {c['grid']} }} "
        f".cc-title {{ fill: {c['ink']}; font-size: 16px; font-weight: 600 }} .cc-head {{ fill: {c['ink']}; font-size: 13px }} "
        f".cc-tick, .cc-note {{ fill: {c['weak']}; font-size: 12px }} {lines}{marks}"
        f".cc-limit {{ fill: none; stroke: {c['weak']}; stroke-width: 1.5; stroke-dasharray: 5 4 }} "
        f".cc-band {{ fill: {c['new']}; fill-opacity: .18; stroke: none }} .cc-good {{ stroke-dasharray: 8 2 }}"
    )


STYLE = f".cc {{ font-family: system-ui, 'DejaVu Sans', sans-serif }}\n{_rules(LIGHT)}\n"
DARK_STYLE = f"@media screen and (prefers-color-scheme: dark) {{ {_rules(DARK)} }}\n"


# -- what can be drawn ---------------------------------------------------------------------------------------------------
def number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def distributions(figures: Mapping[str, Any]) -> dict[str, list[float]]:
    """The quantiles of both sides; empty when one of them is missing or not whole."""
    found = figures.get("quantiles")
    sides = {side: found.get(side) for side in SIDES} if isinstance(found, Mapping) else {}
    whole = [isinstance(q, (list, tuple)) and len(q) == P95 + 2 and all(number(v) and v > 0 for v in q) for q in sides.values()]
    return {side: list(q or ()) for side, q in sides.items()} if whole and all(whole) else {}


def path_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """The path of the tests; empty when there is none, or it is not whole."""
    found = figures.get("path")
    if not isinstance(found, Mapping) or not all(isinstance(found.get(name), (list, tuple)) for name in COLUMNS):
        return {}
    lengths = {len(found[name]) for name in COLUMNS}
    limits = all(number(found.get(name)) and found[name] > 0 for name in ("tolerance", "target_fail", "target_pass"))
    numbers = all(number(v) and v >= 0 for name in COLUMNS[:4] for v in found[name]) and all(v > 0 for v in found["ratio"])
    bounds = all(v is None or (number(v) and v > 0) for name in COLUMNS[4:] for v in found[name])
    return dict(found) if limits and numbers and bounds and len(lengths) == 1 and lengths != {0} else {}


def can_be_drawn(figures: Any) -> bool:
    return isinstance(figures, Mapping) and bool(distributions(figures))


# -- words ---------------------------------------------------------------------------------------------------------------
def took(seconds: float) -> str:
    """Seconds as people say them, such as ``81 ms`` or ``1.4 s``."""
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"


def told(step: str, figures: Mapping[str, Any]) -> str:
    """The picture in words, for who cannot see it."""
    sides, path = distributions(figures), path_of(figures)
    middle = {side: f"a median of {took(q[MEDIAN])} and a 95th percentile of {took(q[P95])}" for side, q in sides.items()}
    said = [f"{step}: the old release took {middle['baseline']}, the new one {middle['canary']}."]
    if path:
        low, high = path["ratio_low"][-1], path["ratio_high"][-1]
        between = f"{low:.2f} to {high:.2f}" if low and high else "not known yet"
        said.append(
            f"After {path['n'][-1]} pairs the ratio is {path['ratio'][-1]:.2f}, its bounds {between}, tolerated {path['tolerance']:g}."
        )
        said.append(f"Evidence that it is slower: {path['e_fail'][-1]:.3g} of {path['target_fail']:.3g};")
        said.append(f"that it is not: {path['e_pass'][-1]:.3g} of {path['target_pass']:.3g}.")
    return " ".join([*said, f"Decision: {figures.get('decision', 'unknown')}."])


def headline(step: str, figures: Mapping[str, Any]) -> str:
    path = path_of(figures)
    code = f" ({figures['code']})" if figures.get("code") else ""
    size = f", {path['ratio'][-1]:.2f} times as long over {path['n'][-1]} pairs" if path else ""
    return f"{step}: {figures.get('decision', 'unknown')}{code}{size}"


# -- the three panels ----------------------------------------------------------------------------------------------------
def ticks(values: Sequence[float]) -> list[tuple[float, str]]:
    return [(v, f"{v:.6g}") for v in values]


def times_panel(sides: Mapping[str, Sequence[float]], tolerance: float | None) -> str:
    """The share of samples that were done within a time, of both sides, and where the old one would be if it were as slow as tolerated."""
    every = [v * 1000 for q in sides.values() for v in q]
    most = max(q[P95] for q in sides.values()) * 1000
    limit = sides["baseline"][P95] * 1000 * (tolerance or 1.0)  # one sample that took an hour must not make a dot of the rest
    across = Axis(min(every) * 0.97, max(min(max(every), most * 2.5), limit, min(every) * 1.05) * 1.03, log=True)
    panel, inner = Panel(PANELS[0], TOP, PANEL_WIDTH, PANEL_HEIGHT, across, Axis(0, 100)), []
    curves = {side: [(v * 1000, 100 * k / (len(q) - 1)) for k, v in enumerate(q)] for side, q in sides.items()}
    if tolerance:
        inner.append(panel.line([(v * tolerance, share) for v, share in curves["baseline"]], "cc-limit"))
    for side, name in SIDES.items():
        inner.append(panel.line(curves[side], f"cc-{name}"))
        inner += [panel.dot(curves[side][MEDIAN], f"cc-mark-{name}"), panel.diamond(curves[side][P95], f"cc-mark-{name}")]
    return panel.drawn(
        "How many are done within", ("milliseconds", ticks(across.ticks())), [(v, f"{v} %") for v in (0, 25, 50, 75, 100)], inner
    )


def ratio_panel(path: Mapping[str, Any]) -> str:
    """The ratio of the medians and the bounds of the factor, after each look."""
    tolerance, ratio = float(path["tolerance"]), [float(v) for v in path["ratio"]]
    bounded = [row for row in zip(path["n"], path["ratio_low"], path["ratio_high"], strict=True) if row[1] and row[2]]
    late = [v for row in bounded[-max(1, len(bounded) // 2) :] for v in row[1:]] + ratio[len(ratio) // 3 :] + [1.0, tolerance]
    allowance = float(path["allowance"]) if number(path.get("allowance")) else 1.0
    limits = [tolerance * allowance, tolerance / allowance] if allowance > 1 else [tolerance]
    late += limits
    up = Axis(min(late) * 0.95, max(late) * 1.05, log=True)
    panel = Panel(PANELS[1], TOP, PANEL_WIDTH, PANEL_HEIGHT, Axis(0, path["n"][-1] * 1.02), up)
    inner = [panel.band(bounded, "cc-band")] if len(bounded) > 1 else []
    inner += [panel.level(limit, "cc-limit") for limit in limits]
    inner += [panel.line(list(zip(path["n"], ratio, strict=True)), "cc-new")]
    inner.append(panel.dot((path["n"][-1], ratio[-1]), "cc-mark-new"))
    said = f"tolerated {tolerance:g}" + (f", times or by {allowance:.3g}" if len(limits) > 1 else "")
    inner.append(panel.word((0, limits[0]), said, dx=4, dy=14 if up.at(limits[0]) > 0.88 else -5))
    return panel.drawn("Times as long, with bounds", ("pairs", ticks(panel.across.ticks())), ticks(up.ticks()), inner)


def test_panel(path: Mapping[str, Any], together: bool) -> str:
    """Both capitals after each look, against what they have to reach. ``together``: others were as slow, and each needed less."""
    targets = {"e_fail": float(path["target_fail"]), "e_pass": float(path["target_pass"])}
    up = Axis(FLOOR, max(targets.values()) * 4, log=True)
    panel, inner = Panel(PANELS[2], TOP, PANEL_WIDTH, PANEL_HEIGHT, Axis(0, path["n"][-1] * 1.02), up), []
    apart = abs(math.log(targets["e_fail"] / targets["e_pass"])) > 1
    for name, style, said in (("e_fail", "cc-bad", "slower: proved at"), ("e_pass", "cc-good", "not slower: at")):
        seen = [(0.0, 1.0), *((n, max(float(e), FLOOR)) for n, e in zip(path["n"], path[name], strict=True))]
        below = apart and targets[name] == min(targets.values())
        inner += [panel.level(targets[name], "cc-limit"), panel.line(seen, style)]
        inner.append(panel.word((0, targets[name]), f"{said} {targets[name]:.4g}", dx=4, dy=13 if below or name == "e_pass" else -5))
    if together:
        inner.append(panel.word((0, FLOOR), "several are slow: each needs less", dx=4, dy=-6))
    decades = [10.0**k for k in range(round(math.log10(FLOOR)), math.floor(math.log10(up.high)) + 1)]
    return panel.drawn("Evidence, look by look", ("pairs", ticks(panel.across.ticks())), ticks(decades), inner)


def legend() -> str:
    """What the lines are, below the panels."""
    at, parts = HEIGHT - 17, []
    for x, mark, words in (
        (52, '<line class="cc-old" x1="0" x2="22" y1="-4" y2="-4"/>', "old release"),
        (152, '<line class="cc-new" x1="0" x2="22" y1="-4" y2="-4"/>', "new release"),
        (260, '<line class="cc-limit" x1="0" x2="22" y1="-4" y2="-4"/>', "limit"),
        (332, '<circle class="cc-mark-old" cx="14" cy="-4" r="3.5"/>', "median"),
        (412, '<polygon class="cc-mark-old" points="14,-8.5 18.5,-4 14,0.5 9.5,-4"/>', "95th percentile"),
        (702, '<line class="cc-bad" x1="0" x2="22" y1="-4" y2="-4"/>', "that it is slower"),
        (838, '<line class="cc-good" x1="0" x2="22" y1="-4" y2="-4"/>', "that it is not"),
    ):
        parts.append(f'<g transform="translate({x} {at})">{mark}<text class="cc-note" x="28" y="0">{words}</text></g>')
    return "".join(parts)


# -- the picture ---------------------------------------------------------------------------------------------------------
def svg(step: str, figures: Mapping[str, Any], *, name: str, style: str = "") -> str:
    """The picture of a step that :func:`can_be_drawn`. ``name`` is unique on its page; ``style`` where that has no :data:`STYLE`."""
    sides, path = distributions(figures), path_of(figures)
    tolerance = float(path["tolerance"]) if path else None
    parts = [times_panel(sides, tolerance)]
    if path:
        together = figures.get("code") == "SLOWER" and path["e_fail"][-1] < path["target_fail"] * 0.999
        parts += [ratio_panel(path), test_panel(path, together)]
    else:
        said = str(figures.get("reason") or "the test of its speed was not carried out")
        parts.append(f'<text class="cc-note" x="{PANELS[1]}" y="{TOP + 20}">{text(said[:90])}</text>')
    styled = f"<style>{style}</style>" if style else ""
    titled, described = text(f"{name}-title"), text(f"{name}-told")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="cc" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-labelledby="{titled} {described}"><title id="{titled}">{text(headline(step, figures))}</title>'
        f'<desc id="{described}">{text(told(step, figures))}</desc>{styled}'
        f'<rect class="cc-paper" x="0" y="0" width="{WIDTH}" height="{HEIGHT}"/>'
        f'<text class="cc-title" x="{short(PANELS[0])}" y="26">{text(headline(step, figures))}</text>{"".join(parts)}{legend()}</svg>'
    )


def worst_first(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The steps that can be drawn: the failed ones first, then those that could not be told."""
    order = {"fail": 0, "pass": 2}
    return sorted(
        (step for step, f in figures.items() if can_be_drawn(f)), key=lambda step: order.get(str(figures[step].get("decision")), 1)
    )


def page(title: str, sentence: str, figures: Mapping[str, Mapping[str, Any]]) -> str:
    """All steps on a page of its own."""
    drawn = "\n".join(svg(step, figures[step], name=f"step{k}") for k, step in enumerate(worst_first(figures)))
    rest = [step for step in figures if not can_be_drawn(figures[step])]
    missing = f"<p>Without samples of both sides: {text(', '.join(rest))}</p>\n" if rest else ""
    own = (
        f"body {{ margin: 2em auto; max-width: {WIDTH}px; padding: 0 1em; font: 15px/1.4 system-ui, sans-serif }} svg {{ margin: .5em 0 }}"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n'
        f"<title>{text(title)}</title>\n<style>{own}\n{STYLE}{DARK_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{text(title)}</h1>\n<p>{text(sentence)}</p>\n{missing}{drawn}\n</body>\n</html>\n"
    )
