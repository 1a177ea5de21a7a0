# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report of a change on one page, for those who answer for it: HTML that needs nothing but itself, and prints well.

Everything that comes from the record is escaped. The page has no time of its own: the same record gives the same page.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import chart
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.plan import short
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.toggles import shown

COLOURS = {"succeeded": "good", "pass": "good", "released": "good", "passed": "good", "failed": "bad", "fail": "bad"}
MOST_PASSED = 12  # passed checks that are listed; those that did not pass always are
MOST_DRAWN = 24  # steps of canaries that are drawn; those that did not pass come first
STYLE = """
@page { size: A4; margin: 12mm }
* { box-sizing: border-box }
body { font: 10pt/1.35 system-ui, sans-serif; color: #1a1a1a; max-width: 190mm; margin: 0 auto; padding: 8mm 4mm }
h1 { font-size: 15pt; margin: 0 0 2mm } h2 { font-size: 10.5pt; margin: 4mm 0 1mm; border-bottom: 1px solid #bbb }
table { border-collapse: collapse; width: 100% } tr { break-inside: avoid }
th, td { text-align: left; vertical-align: top; padding: .6mm 2mm .6mm 0; overflow-wrap: anywhere }
th { font-weight: 600; white-space: nowrap }
p { margin: 1mm 0 } .good { color: #17691f } .bad { color: #a01515 } .open { color: #8a5a00 } .small { font-size: 8.5pt; color: #444 }
.result { font-weight: 700; text-transform: uppercase }
svg.cc { width: 100%; break-inside: avoid }
@media print { body { padding: 0; max-width: none } }
"""
HEAD = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    '<meta name="viewport" content="width=device-width">\n'
)


def page(report: Mapping[str, Any]) -> str:
    """The page of a report document (schema 1)."""
    change, facts = report["change"], report.get("overview")
    title = f"{change.get('id', 'A change')}: {change.get('title', 'nothing was planned')}"
    said = f'<span class="result {colour(report["result"])}">{text(report["result"])}</span>'
    body = [f"<h1>{text(title)}</h1>\n<p>{said}. {_outcome(report)}</p>"]
    body += [f'<p class="bad">Past its path: {text(reason)}</p>' for reason in report.get("bypassed", [])]
    if facts:
        body += [_people(report, facts), _change(report, facts), _tenants(report, facts), _gates(facts["gates"])]
        body += [_recovery(facts), _exceptions(facts)]
    body += [_record(report), _canaries(report)]
    inner = "\n".join(body)
    return f"{HEAD}<title>{text(title)}</title>\n<style>{STYLE}{chart.STYLE}</style>\n</head>\n<body>\n{inner}\n</body>\n</html>\n"


# -- parts -----------------------------------------------------------------------------------------------------------------
def _outcome(report: Mapping[str, Any]) -> str:
    told: dict[str, int] = {}
    for tenant in report["tenants"].values():
        told[tenant["result"]] = told.get(tenant["result"], 0) + 1
    return text(
        "; ".join(f"{count} {'tenant' if count == 1 else 'tenants'} {word}" for word, count in sorted(told.items())) or "No tenant."
    )


def _people(report: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    change, ahead = report["change"], facts["pre_approved"]
    approved = [f"{one['by']}, {one['at']} ({one['how']})" for one in facts["approvals"]]
    approved += [f"in advance as {ahead['entry']} by {ahead['approved_by']}"] if ahead else []
    rows = [
        ("Asked for by", f"{change['requester']}, owner {change['owner']}"),
        ("Approved by", "; ".join(approved) or "nobody"),
        ("Carried out by", ", ".join(facts["carried_out_by"]) or "nobody"),
    ]
    return section("Who", pairs(rows))


def _change(report: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    change, when, source = report["change"], facts["times"], facts["source"]
    ways = {f"{short(t['from'])} → {short(t['to'])}" for t in report["tenants"].values()}
    took = f"{when['began']} to {when['ended']}, {duration(when['took_s'])}" if when["began"] else "no tenant was touched"
    rows = [
        ("What", f"{change['class']} change, {change['domain']}, {change['environment']}; {', '.join(change['streams'])}"),
        ("Meant to", change["impact"]),
        ("Release", "; ".join(sorted(ways)) or "none"),
        ("Modules", ", ".join(change.get("release", {}).get("modules", [])) or "none"),
        *([("Toggles", "; ".join(_toggles(report)))] if "toggles" in change else []),
        ("Planned, closed", f"{when['planned']}, {when['closed'] or 'not closed'}"),
        ("Took", took),
    ]
    if source:
        rows.append(("From commit", f"{source['commit']} of {source['branch']}, signed by {source['signer'] or 'nobody'}"))
    return section("What and when", pairs(rows))


def _toggles(report: Mapping[str, Any]) -> list[str]:
    """Each way of a parameter, with the tenants that went it."""
    ways: dict[str, list[str]] = {}
    for name, tenant in report["tenants"].items():
        for one in tenant.get("toggles", []):
            ways.setdefault(shown(one), []).append(name)
    return [f"{way} ({', '.join(names)})" for way, names in sorted(ways.items())]


def _tenants(report: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    rows = []
    for name, tenant in report["tenants"].items():
        failure, canary = tenant.get("failure") or {}, tenant.get("canary") or {}
        told = failure.get("reason") or canary.get("sentence") or ""
        away_s = facts["tenants"][name]["users_away_s"]
        away = "-" if away_s is None else duration(away_s)
        rows.append([text(name), f'<span class="{colour(tenant["result"])}">{text(tenant["result"])}</span>', text(away), text(told)])
    others = ", ".join(f"{name} ({tier})" for name, tier in facts["felt_by_others"].items())
    felt = f'<p class="small">Felt by others as well: {text(others)}</p>' if others else ""
    return section("Tenants", table(["Tenant", "Result", "Users away", "Canary, or why not"], rows) + felt)


def _gates(checks: Sequence[Mapping[str, Any]]) -> str:
    if not checks:
        return section("Gates", "<p>None was measured.</p>")
    bad = [one for one in checks if one["counted"] not in ("passed", "not required")]
    good = [one for one in checks if one["counted"] == "passed"]
    rows = [_gate(one) for one in [*bad, *good[:MOST_PASSED]]]
    left = len(good) - MOST_PASSED
    more = f'<p class="small">{left} more passed; the record has them.</p>' if left > 0 else ""
    return section("Gates", table(["Check", "Seen", "Wanted", ""], rows) + more)


def _gate(one: Mapping[str, Any]) -> list[str]:
    how = f'<span class="{colour(one["counted"])}">{text(one["counted"])}</span>'
    return [text(f"{one['subject']}: {one['id']}"), text(plain(one["observed"])), text(plain(one["expected"])), how]


def _recovery(facts: Mapping[str, Any]) -> str:
    recovery = facts["recovery"]
    points = [f"{n}: {t['checkpoint']['label'] or t['checkpoint']['lsn']}" for n, t in facts["tenants"].items() if t["checkpoint"]]
    back = [f"{n}: {duration(t['way_back_s'])}" for n, t in facts["tenants"].items() if t["way_back_s"] is not None]
    rows = [
        ("Way back", f"{recovery['strategy']}; brings back {', '.join(recovery['layers'])}; until {recovery['point_of_no_return']}"),
        ("Restore points", "; ".join(points) or "none was taken"),
        ("Measured drill", "; ".join(f"{name}: {_drill(drill)}" for name, drill in recovery["drills"].items()) or "none is recorded"),
    ]
    if back:
        rows.append(("Way back took", "; ".join(back)))
    return section("How fast it can be taken back", pairs(rows))


def _drill(drill: Mapping[str, Any]) -> str:
    return f"restored in {duration(drill['rto_s'])}, lacking {duration(drill['rpo_s'])} ({drill['verdict']}, {drill['at']})"


def _exceptions(facts: Mapping[str, Any]) -> str:
    waived = [f"{w['check']} waived by {w['owner']} until {w['expires']}: {w['reason']}" for w in facts["waivers"]]
    owed = [
        f"to be approved again until {d['due']} ({d['reason']}): {'given ' + d['settled'] if d['settled'] else 'open'}"
        for d in facts["debts"]
    ]
    told = "".join(f'<p class="open">{text(one)}</p>' for one in [*waived, *owed])
    return section("Waivers and debts", told or "<p>None.</p>")


def _record(report: Mapping[str, Any]) -> str:
    ledger = report["ledger"]
    said = f'<span class="{colour(str(ledger["verdict"]))}">{text(ledger["verdict"])}</span>'
    digest = f'<p class="small">Plan {text(report["plan_digest"])}</p>' if report["plan_digest"] else ""
    return section("Record", f"<p>{ledger['events']} signed events, {said}: {text(ledger['msg'])}</p>{digest}")


def _canaries(report: Mapping[str, Any]) -> str:
    """What was measured on both sides, drawn; nothing where no canary compared anything."""
    found = [(name, step, figures[step]) for name, figures in _figures(report) for step in chart.worst_first(figures)]
    found.sort(key=lambda one: one[2].get("decision") == "pass")
    drawn = [
        f"<p><strong>{text(name)}</strong></p>\n{chart.svg(step, one, name=f'canary{k}')}"
        for k, (name, step, one) in enumerate(found[:MOST_DRAWN])
    ]
    left = len(found) - MOST_DRAWN
    more = [f'<p class="small">{left} more steps were compared; the record has them.</p>'] if left > 0 else []
    return section("Canaries, old beside new", "\n".join(drawn + more)) if drawn else ""


def _figures(report: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The figures of each tenant's last canary, whether it let the change through or stopped it."""
    for name, tenant in report["tenants"].items():
        for evidence in (tenant.get("failure"), tenant.get("canary")):
            figures = evidence.get("figures") if isinstance(evidence, Mapping) else None
            if isinstance(figures, Mapping) and figures:
                yield name, figures
                break


# -- words -----------------------------------------------------------------------------------------------------------------
def text(value: Any) -> str:
    return escape(str(value), quote=True)


def plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def colour(word: str) -> str:
    return COLOURS.get(word, "bad" if word.startswith(("failed", "rolled back")) else "open")


def duration(seconds: float | None) -> str:
    """Seconds as people say them, such as ``1 h 05 min`` or ``42 s``."""
    if seconds is None:
        return "not measured"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def section(title: str, inner: str) -> str:
    return f"<h2>{text(title)}</h2>\n{inner}"


def pairs(rows: Iterable[tuple[str, str]]) -> str:
    return "<table>" + "".join(f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in rows) + "</table>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """``rows`` are cells of HTML."""
    titles = "".join(f'<th scope="col">{text(title)}</th>' for title in head)
    return f"<table><tr>{titles}</tr>" + "".join(f"<tr>{''.join(f'<td>{c}</td>' for c in row)}</tr>" for row in rows) + "</table>"
