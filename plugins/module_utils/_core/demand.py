# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is decided about a change before its plan is made: its class and why, who feels it, and what the policy demands of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import catalogue, classify, policy, waivers
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.content import Content
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.impact import Placed

STANDARD = policy.CLASSES[0]


@dataclass(frozen=True)
class Decided:
    """The class with its reasons; what the difference was seen to hold. ``impact`` gives the tier of every tenant that feels the change.

    ``reviewers`` are the groups that rules ask for. ``content`` holds the digests of the trees, ``catalogue`` the entry that a standard
    change was found to fit; None where there is none. ``transactions`` must prove what was touched, by ``concurrency`` users at once.
    """

    change_class: str
    reasons: Sequence[str]
    streams: Sequence[str]
    reviewers: Sequence[str]
    impact: Mapping[str, str]
    content: Mapping[str, str] | None
    catalogue: Mapping[str, str] | None
    transactions: Sequence[str] = ()
    concurrency: int = 1

    def for_plan(self) -> dict[str, Any]:
        """As the plan keeps it."""
        kept = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
        return {"class": kept.pop("change_class"), "class_reasons": kept.pop("reasons"), **kept}


def from_plan(plan: Mapping[str, Any]) -> Decided:
    """What a recorded plan decided."""
    kept = {key: plan[key] for key in ("streams", "reviewers", "impact", "content", "catalogue")}
    proof = {"transactions": plan.get("transactions", ()), "concurrency": plan.get("concurrency", 1)}
    return Decided(change_class=plan["class"], reasons=plan["class_reasons"], **proof, **kept)


def decide(
    change: Mapping[str, Any],
    content: Content | None,
    *,
    document: Mapping[str, Any],
    services: Mapping[str, Any],
    targets: Sequence[str],
    tiers: Mapping[str, str],
    estate: Sequence[Placed] = (),
) -> Decided:
    """Decides about a valid change by the policy ``document`` and the catalogue ``services``.

    ``targets`` are its tenants, ``tiers`` gives the tier of every tenant of the estate, ``estate`` where they live; only content needs it.
    """
    found = classify.classify(change, content, rules=document["rules"], tenants=estate)
    hit = {name: tier for name, tier in sorted(tiers.items()) if name in targets or name in found.impact}
    fits = None
    if found.change_class == STANDARD:
        if why := catalogue.not_standard(change, content, found, services, tenants=list(hit)):
            told = (f"normal: not the pre-approved change: {reason}" for reason in why)
            found = replace(found, change_class="normal", reasons=(*found.reasons, *told))
        else:
            fits = catalogue.fitting(change, services)
    return Decided(
        change_class=found.change_class,
        reasons=found.reasons,
        streams=found.streams,
        reviewers=() if fits else found.groups,
        impact=hit,
        content=None if content is None else {"before": content.before, "after": content.after},
        catalogue=fits,
        transactions=found.transactions,
        concurrency=found.concurrency,
    )


def errors(change: Mapping[str, Any], decided: Decided, document: Mapping[str, Any]) -> list[str]:
    """What the change lacks for the class that it turned out to be of."""
    chosen = policy.profile(document, decided.change_class, change["domain"], change["environment"])
    return [
        *classify.stream_errors(change, decided.streams),
        *policy.judge_against(change, chosen),
        *waivers.waiver_errors(change, chosen["waivable"]),
        *load_errors(change, decided),
    ]


def load_errors(change: Mapping[str, Any], decided: Decided) -> list[str]:
    """What changes how many can work at once is not proved by one user alone."""
    given = change["verification"].get("concurrency", 1)
    if given >= decided.concurrency:
        return []
    return [
        f"change.verification.concurrency is {given}, and the difference touches workers, pools or routes. Write at least "
        f"{decided.concurrency}, so that the canary plays as many users at once, on a day and at an hour that bear it."
    ]


def class_error(change: Mapping[str, Any], decided: Decided | None, wanted: str | None) -> list[str]:
    """A playbook is for one class; ``decided`` is None when the change is not valid enough to be classified."""
    requested, really = change.get("class"), decided.change_class if decided else change.get("class")
    if wanted is None or really not in policy.CLASSES or really == wanted:
        return []
    if decided is None or really == requested:
        return [
            f"change.class is {requested!r}, and this playbook is for {wanted!r}. Run the playbook of that class instead: change_{really}."
        ]
    raising = [reason for reason in decided.reasons if reason.startswith((f"{really}:", f"{really},"))]
    return [
        f"change.class is {requested!r}, but the change is {really!r}, and this playbook is for {wanted!r}. {'; '.join(raising)}. "
        f"Run the playbook change_{really} instead, or take out what raises the class."
    ]


def demanded(change: Mapping[str, Any], decided: Decided, document: Mapping[str, Any]) -> dict[str, Any]:
    """What the policy demands of the change, as the plan keeps it."""
    return policy.for_plan(
        document,
        change=change,
        change_class=decided.change_class,
        bundled=len(decided.streams) > 1,
        groups=decided.reviewers,
        tiers=decided.impact,
    )
