# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plan: what exactly will be done to which tenants, in which order. Its digest is what people approve.

The plan holds no time of its own making and nothing that is secret, so the same change over the same estate gives the
same digest on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import toggles
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.demand import Decided
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.duration import parse_duration
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.ledger import canonical, sha256
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.objectives import strictest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.source import told

PLAN_SCHEMA = 1
STEPS = ("started", "held", "checkpointed", "updated", "deployed", "proved", "opened", "released")
"""Of a release. A change with toggles has others besides."""
EVERY_STEP = (*STEPS[:-1], toggles.ADMITTED, toggles.TOGGLED, toggles.TRIED, STEPS[-1])
NO_RETRO = "PT0S"
TIERS = ("multi_tenant", "dedicated", "high_compliance")


@dataclass(frozen=True)
class Tenant:
    """What the plan must know of a tenant: from the inventory, and the image that runs now (``None``: none runs).

    ``parameters`` are those that the change sets, as the tenant's database has them now; an absent one is ``None``.
    """

    name: str
    tier: str
    cohort: int
    namespace: str
    database: str
    stanza: str
    image: str | None
    parameters: Mapping[str, str | None] = field(default_factory=dict)


def tenant_from_inventory(
    name: str, variables: Mapping[str, Any], groups: Sequence[str], image: str | None
) -> tuple[Tenant | None, list[str]]:
    """The tenant, or what its inventory entry lacks."""
    wanted = ("tenant_namespace", "tenant_database_name", "tenant_cohort", "tenant_backup_stanza")
    errors = [
        f"tenant {name}: the inventory variable {key} is not set. Set it in host_vars or group_vars."
        for key in wanted
        if not variables.get(key)
    ]
    tiers = [tier for tier in TIERS if tier in groups]
    if len(tiers) != 1:
        errors.append(f"tenant {name}: it is in the tier groups {tiers or 'none'}. Put it in exactly one of: {', '.join(TIERS)}.")
    cohort = str(variables.get("tenant_cohort", ""))
    if variables.get("tenant_cohort") and not cohort.isdigit():
        errors.append(f"tenant {name}: tenant_cohort is {cohort!r}. Write a whole number; 1 is the canary cohort.")
    if image is None:
        errors.append(
            f"tenant {name}: no Deployment runs in its namespace, so there is nothing to change. Provision it with tenant_provision first."
        )
    if errors:
        return None, errors
    return (
        Tenant(
            name=name,
            tier=tiers[0],
            cohort=int(cohort),
            namespace=str(variables["tenant_namespace"]),
            database=str(variables["tenant_database_name"]),
            stanza=str(variables["tenant_backup_stanza"]),
            image=image,
        ),
        [],
    )


def cohorts(tenants: Sequence[Tenant]) -> list[list[str]]:
    """The tenants' names by cohort, lowest number first, by name within a cohort."""
    numbers = sorted({t.cohort for t in tenants})
    return [sorted(t.name for t in tenants if t.cohort == number) for number in numbers]


def build_plan(
    change: Mapping[str, Any],
    tenants: Sequence[Tenant],
    *,
    policy: Mapping[str, Any],
    decided: Decided | None = None,
    source: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The plan document (schema 1) of a valid change file; without ``decided`` for the class that is requested.

    ``source`` is the commit that the estate's files come from, where that was asked.
    """
    modules = list(change.get("release", {}).get("modules", []))
    decided = decided or _as_requested(change, tenants)
    stanzas = sorted({t.stanza for t in tenants})
    return {
        "schema": PLAN_SCHEMA,
        "change": dict(change),
        **decided.for_plan(),
        **({"source": dict(source)} if source else {}),
        "policy": dict(policy),
        "cohorts": cohorts(tenants),
        "tenants": {t.name: _tenant_plan(t, change, modules) for t in sorted(tenants, key=lambda t: t.name)},
        "gate_hosts": {stanza: min(t.name for t in tenants if t.stanza == stanza) for stanza in stanzas},
        "objectives": {stanza: _objective(policy, [t.tier for t in tenants if t.stanza == stanza]) for stanza in stanzas},
        "steps": toggles.steps([step for step in STEPS if step != "updated" or modules], change),
        "rollback": {
            "strategy": change["rollback"]["strategy"],
            "point_of_no_return": change["rollback"]["point_of_no_return"],
            "layers": _layers(change, modules),
        },
    }


def _layers(change: Mapping[str, Any], modules: Sequence[str]) -> list[str]:
    """What a rollback brings back. A module update writes to the database, so the old image alone would not be the old state."""
    of_release = ["image", *(["database", "filestore"] if modules else [])] if "release" in change else []
    return [*of_release, *([toggles.LAYER] if "toggles" in change else [])]


def _objective(policy: Mapping[str, Any], tiers: Sequence[str]) -> dict[str, str]:
    """What the drill of a cluster has to have shown, by the tiers that are changed on it; empty where the policy has no objectives."""
    found = strictest(policy.get("objectives", {}), tiers)
    return {**found, "drill": min(found["drill"], policy["drill_max_age"], key=parse_duration)} if found else {}


def _as_requested(change: Mapping[str, Any], tenants: Sequence[Tenant]) -> Decided:
    tiers = {t.name: t.tier for t in sorted(tenants, key=lambda t: t.name)}
    return Decided(change["class"], (f"requested: {change['class']}",), tuple(change["streams"]), (), tiers, None, None)


def _tenant_plan(tenant: Tenant, change: Mapping[str, Any], modules: list[str]) -> dict[str, Any]:
    return {
        "tier": tenant.tier,
        "cohort": tenant.cohort,
        "namespace": tenant.namespace,
        "database": tenant.database,
        "stanza": tenant.stanza,
        "from": tenant.image,
        "to": change["release"]["image"] if "release" in change else tenant.image,
        "modules": modules,
        **({"toggles": toggles.planned(change, tenant.parameters)} if "toggles" in change else {}),
    }


def plan_digest(plan: Mapping[str, Any]) -> str:
    """``sha256:<64 hex digits>`` of the plan's canonical form."""
    return "sha256:" + sha256(canonical(plan))


def describe(plan: Mapping[str, Any]) -> list[str]:
    """The plan in lines for people, as ``--diff`` and the approval show it."""
    lines = [f"{plan['change']['id']} ({plan['class']}): {plan['change']['title']}", *_demands(plan)]
    lines += [told(plan["source"])] if "source" in plan else []
    for number, names in enumerate(plan["cohorts"], start=1):
        lines.append(f"cohort {number}{' (canary)' if number == 1 else ''}:")
        for name in names:
            tenant = plan["tenants"][name]
            lines += _tenant_lines(name, tenant, release="release" in plan["change"])
    lines.append(f"steps per tenant: {', '.join(plan['steps'])}")
    lines.append(f"rollback brings back: {', '.join(plan['rollback']['layers'])}")
    return lines


def _tenant_lines(name: str, tenant: Mapping[str, Any], *, release: bool) -> list[str]:
    moves = f"{short(tenant['from'])} -> {short(tenant['to'])}, update {', '.join(tenant['modules']) or 'nothing'}"
    head = f"  {name}: {moves if release else 'stays on ' + short(tenant['from'])}"
    return [head, *(f"    {toggles.shown(one)}" for one in tenant.get("toggles", []))]


def _demands(plan: Mapping[str, Any]) -> list[str]:
    """Why the change is of its class, and what the policy demands of that class."""
    policy, requested = plan["policy"], plan["change"]["class"]
    raised = f", raised from {requested}" if plan["class"] != requested else ""
    groups = ", ".join(f"{one['count']} of {one['group']}" for one in policy["groups"])
    lines = [f"class {plan['class']}{raised}:", *(f"  {reason}" for reason in plan["class_reasons"])]
    if plan["catalogue"]:
        lines.append(f"approved in advance as {plan['catalogue']['entry']} by {plan['catalogue']['approved_by']}")
    lines.append(f"policy {policy['version']}, {policy['cell']}: gates {', '.join(policy['gates']) or 'none'}")
    lines.append(f"approvals: {policy['approvals']}{f', among them {groups}' if groups else ''}")
    if policy["retro_approval"] != NO_RETRO:
        lines.append(f"to be approved again afterwards, within {policy['retro_approval']}")
    lines += [f"waived: {w['check']} by {w['owner']} until {w['expires']}: {w['reason']}" for w in plan["change"].get("waivers", [])]
    if others := [name for name in plan["impact"] if name not in plan["tenants"]]:
        lines.append(f"felt by others than the tenants below: {', '.join(others)}")
    return lines


def short(image: str | None) -> str:
    """An image reference with twelve digits of its digest, as people compare them."""
    if not image or "@sha256:" not in image:
        return str(image)
    name, _dummy, hexdigits = image.partition("@sha256:")
    return f"{name}@{hexdigits[:12]}"


def takes_backup(tenant: str, plan: Mapping[str, Any]) -> bool:
    """Whether this tenant takes its cluster's backup: the first of its cohort on each cluster does, for two cannot run at once."""
    for names in plan["cohorts"]:
        if tenant in names:
            stanza = plan["tenants"][tenant]["stanza"]
            first: str = next(name for name in names if plan["tenants"][name]["stanza"] == stanza)
            return tenant == first
    return False


def resumable(recorded: Mapping[str, Any], fresh: Mapping[str, Any]) -> list[str]:
    """Why the recorded plan cannot go on with the change file and inventory of today; nothing when it can.

    Images that run now are left out: tenants that are already changed run the target, and the guard looks at that. So are the values that
    parameters have now, which are looked at before they are set. So is the state of the policy, as long as it demands the same of this
    change. Of the source only the commit counts: whether it is clean and signed now is for the gates to say, and a change under way must
    be able to go on without them.
    """

    def comparable(plan: Mapping[str, Any]) -> dict[str, Any]:
        tenants = {n: _without_present(t, release="release" in plan["change"]) for n, t in plan["tenants"].items()}
        policy = {k: v for k, v in plan["policy"].items() if k not in ("version", "digest")}
        return {**plan, "tenants": tenants, "policy": policy, **({"source": plan["source"]["commit"]} if "source" in plan else {})}

    before, today = comparable(recorded), comparable(fresh)
    if "source" in today and today["source"] is None:  # git could not tell: the gates say so, and let no step through
        today["source"] = before.get("source")
    return [f"{key} is not what was planned" for key in sorted(before.keys() | today.keys()) if before.get(key) != today.get(key)]


def _without_present(tenant: Mapping[str, Any], *, release: bool) -> dict[str, Any]:
    """A tenant's part of the plan without what runs there now."""
    kept = {**tenant, "from": None, **({} if release else {"to": None})}
    return {**kept, **({"toggles": [{**one, "before": None} for one in tenant["toggles"]]} if "toggles" in tenant else {})}
