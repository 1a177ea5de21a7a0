# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a canary says while it runs: one line with the samples, the bounds so far and the decision of each step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checks import FAIL, PASS
from .judge import Judgement

MOST = 6  # steps that are told one by one; a line is to be read at a glance


def progress(subject: str, judgement: Judgement, *, rounds: int, elapsed_s: float) -> str:
    """The steps that are not decided come first, of them those that are furthest from passing."""
    of = dict(sorted(judgement.figures.items(), key=lambda one: (rank(one[1]), -(one[1].get("ratio") or 0.0))))
    shown = list(of) if len(of) <= MOST else [step for step, figures in of.items() if rank(figures) < 2][:MOST]
    rest = [of[step] for step in of if step not in shown]
    passed = sum(rank(figures) == 2 for figures in rest)
    said = [told(step, of[step]) for step in shown]
    said += [f"{passed} more passed"] if passed else []
    said += [f"{len(rest) - passed} more open"] if len(rest) > passed else []
    return f"canary of {subject}: {rounds} rounds in {elapsed_s:.0f} s; {'; '.join(said) or 'nothing yet'}"


def decisions(figures: Mapping[str, Any]) -> set[str]:
    return {str(one["decision"]) for one in (figures, figures["errors"]) if "decision" in one}


def rank(figures: Mapping[str, Any]) -> int:
    """0 failed, 1 open, 2 passed."""
    found = decisions(figures)
    return 0 if FAIL in found else 2 if found == {PASS} else 1


def told(step: str, figures: Mapping[str, Any]) -> str:
    """Such as ``post open, 1.31 (1.10 to 1.60) over 30 pairs, about 12 more``."""
    word = ("failed", "open", "passed")[rank(figures)]
    errors = figures["errors"]
    said = [f"{step} {word}"]
    if figures.get("ratio") is not None:
        low, high = figures["ratio_low"], figures["ratio_high"]
        between = f" ({low:.2f} to {high:.2f})" if low is not None and high is not None else ""
        said.append(f"{figures['ratio']:.2f}{between} over {figures['n']} pairs")
    if errors["canary_errors"] or errors["baseline_errors"]:
        said.append(f"{errors['canary_errors']} errors of {errors['rounds']}, of the baseline {errors['baseline_errors']}")
    more = max(figures.get("more", 0), errors["more"])
    if word == "open" and more:
        said.append(f"about {more} more")
    return ", ".join(said)
