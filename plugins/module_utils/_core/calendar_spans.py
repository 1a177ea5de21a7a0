# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sets of time as sorted lists of half-open spans ``(start, end)`` in whole seconds since 1970 in UTC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def merged(spans: Iterable[Span]) -> list[Span]:
    """The union: sorted, without overlaps, adjacent spans joined, empty ones dropped."""
    result: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def complement(spans: Sequence[Span], within: Span) -> list[Span]:
    """What of ``within`` no span covers."""
    result, at = [], within[0]
    for start, end in merged(spans):
        if start > at:
            result.append((at, min(start, within[1])))
        at = max(at, end)
        if at >= within[1]:
            break
    if at < within[1]:
        result.append((at, within[1]))
    return [span for span in result if span[0] < span[1]]


def overlapping(spans: Iterable[Span], within: Span) -> list[Span]:
    """The spans that share at least one second with ``within``."""
    return [span for span in spans if span[0] < within[1] and within[0] < span[1]]


def first_fit(blocked: Iterable[Span], earliest: int, latest: int, length: int) -> int | None:
    """The first ``start`` in ``earliest .. latest`` (both included) so that ``[start, start + length)`` meets no blocked span."""
    start = earliest
    for begin, end in merged(blocked):
        if end <= start:
            continue
        if begin >= start + length:
            break
        start = end
    return start if start <= latest else None
