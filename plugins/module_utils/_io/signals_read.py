# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asks Prometheus for all signals of all sides at once, a few requests at a time. What cannot be asked is told in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.signals import Ask, Period, Query, asks, names, reachable
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.traffic_data import Answer, Side
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.prometheus import Prometheus, PrometheusError

AT_ONCE = 6


def read_sides(server: Prometheus, queries: Mapping[str, Query], wanted: Sequence[tuple[str, Period, Mapping[str, str]]]) -> list[Side]:
    """The answers of each (name, period, selectors), in their order."""
    places = [
        (number, name, part, ask)
        for number, (_side, period, selectors) in enumerate(wanted)
        for name, query in queries.items()
        for part, ask in asks(query, selectors, period).items()
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda place: answer(server, place[3]), places))
    sides: list[dict[str, dict[str, Answer]]] = [{} for _side in wanted]
    for (number, name, part, _ask), one in zip(places, found, strict=True):
        sides[number].setdefault(name, {})[part] = one
    return [Side(name, period, answers) for (name, period, _selectors), answers in zip(wanted, sides, strict=True)]


def answer(server: Prometheus, ask: Ask) -> Answer:
    period = ask.period
    try:
        if ask.over_time:
            series = server.series(ask.promql, period.start + period.step, period.end, period.step)
            return Answer(tuple(tuple(points) for points in series))
        return Answer(tuple((point,) for _labels, point in server.instant(ask.promql, period.end)))
    except PrometheusError as exc:
        return Answer(problem=str(exc))


def read_reachable(
    server: Prometheus, queries: Mapping[str, Query], selectors: Mapping[str, str], *, at: int, step: int
) -> tuple[dict[str, str], list[str]]:
    """Why each query gave no number (NO_DATA, or in words; empty when it gave one), and which of their metrics are there."""

    def ask(query: Query) -> str:
        try:
            return "" if server.instant(reachable(query, selectors, step), at) else "NO_DATA"
        except PrometheusError as exc:
            return str(exc)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(queries, pool.map(ask, queries.values()), strict=True))
    return found, [labels.get("__name__", "") for labels, _point in server.instant(names(queries.values()), at)]
