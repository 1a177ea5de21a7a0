#!/usr/bin/python
# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Documentation of the action plugin blackout_check; nothing runs here."""

from __future__ import annotations

DOCUMENTATION = r"""
module: blackout_check
short_description: Ask business calendars whether planned work may run
version_added: 0.1.0
author: odoo_ops (@odoo-ops)
extends_documentation_fragment:
  - odoo_ops.change_control.gate
  - odoo_ops.change_control.looking
requirements:
  - holidays, for calendars with a country
  - icalendar, for rules of the kind ics
description:
  - Answers whether work may run through the whole of the planned duration for every tenant that it touches.
  - Names every tenant, calendar, rule and span that blocks it, and the next start at which the whole duration fits.
  - A calendar that cannot be read or understood makes the verdict C(unknown), which never passes.
options:
  at:
    description:
      - When the work starts, as RFC 3339 with an offset. Without it, now.
    type: str
  duration:
    description:
      - How long the work takes, as an ISO 8601 duration of days, hours, minutes and seconds, or of weeks.
      - V(PT0S) asks about an instant.
    type: str
    default: PT0S
  tenants:
    description:
      - The tenants that the work touches, at least one.
    type: list
    elements: str
    required: true
  scope:
    description:
      - What the change is. A calendar that is limited to other environments, domains or classes does not count.
      - What is left out here rules out no calendar.
    type: dict
    default: {}
    suboptions:
      environment:
        description: Where the change happens.
        type: str
        choices: [development, staging, uat, production]
      domain:
        description: What kind of thing it changes.
        type: str
        choices: [application, infrastructure, data, security]
      class:
        description: The class of the change. V(emergency) is not blocked by rules with C(emergency=allowed).
        type: str
        choices: [standard, normal, emergency, data_impacting]
  horizon_days:
    description:
      - How many days of 24 hours to look ahead for the next start.
    type: int
    default: 90
  calendars:
    description:
      - Calendars, or paths of YAML files that hold a list of them. An empty list allows everything.
      - A calendar has C(name), C(timezone) (an IANA name), C(rules), and C(applies_to) with lists of C(tenants), C(environments),
        C(domains) and C(classes); an absent or empty list means all. C(holidays) has C(country), C(subdivision) and C(dates).
      - A rule has C(name), C(effect) (V(deny) or V(allow)), one kind, and C(emergency=allowed) when emergencies may pass it.
      - The kind C(once) has C(from) and C(until) as local date and time. The kind C(weekly) has C(days), C(from) and C(until) as
        times of day and goes across midnight when C(until) is not after C(from).
      - The kind C(span) has C(from) and C(until), each with C(day) or C(business_day) (negative counts from the month's end), C(at) as
        time of day, and C(month) (V(this) or V(next)). Business days are Monday to Friday less the holidays.
      - The kind C(rrule) is a recurrence rule of RFC 5545, with C(start) as local date and time and C(duration) beside it. The kind C(ics)
        is the path of an iCalendar file.
      - Deny spans block whatever they overlap. Where a calendar has allow rules, they must cover the whole duration together.
      - C(from) and C(until) are wall-clock times, a C(duration) is elapsed time. Where the clock shows a time twice, a deny span takes the
        earlier start and the later end, an allow span the later start and the earlier end. A time that is never shown means the
        instant at which the clock changes.
    type: list
    elements: raw
    required: true
"""

EXAMPLES = r"""
- name: Two hours on Saturday evening must be free for both tenants
  odoo_ops.change_control.blackout_check:
    at: "2026-12-05T20:00:00+01:00"
    duration: PT2H
    tenants: [acme, zeta]
    scope: {environment: production, domain: application, class: normal}
    calendars:
      - calendars/estate.yml
      - name: acme
        timezone: Europe/Brussels
        applies_to: {tenants: [acme]}
        rules:
          - {name: weekends, effect: allow, weekly: {days: [sat], from: "20:00", until: "04:00"}}
          - {name: audit, effect: deny, once: {from: "2026-12-07T00:00", until: "2026-12-12T00:00"}, emergency: allowed}

- name: When is the next hour outside of month end, payroll and the group's freeze
  odoo_ops.change_control.blackout_check:
    duration: PT1H
    tenants: [acme]
    enforce: false
    calendars:
      - name: finance close
        timezone: Europe/Brussels
        holidays: {country: BE, dates: ["2026-12-24"]}
        rules:
          - name: month end
            effect: deny
            span: {from: {business_day: -3, at: "00:00"}, until: {business_day: 2, month: next, at: "18:00"}}
          - {name: payroll, effect: deny, rrule: "FREQ=MONTHLY;BYMONTHDAY=25", start: "2026-01-25T06:00", duration: PT8H}
          - {name: group freeze, effect: deny, ics: freeze.ics}
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(unknown).
  returned: always
  type: str
  sample: fail
allowed:
  description: Whether the whole duration is free for all tenants.
  returned: always
  type: bool
  sample: false
blocking:
  description: Everything that blocks it.
  returned: always
  type: list
  elements: dict
  sample:
    - tenant: acme
      calendar: acme
      rule: audit
      from: "2026-12-06T23:00:00Z"
      until: "2026-12-11T23:00:00Z"
      reason: "'audit' of calendar 'acme' denies it"
  contains:
    tenant:
      description: The tenant.
      returned: always
      type: str
    calendar:
      description: The calendar.
      returned: always
      type: str
    rule:
      description: The rule that denies; where no allow rule covers the time, the names of all of them.
      returned: always
      type: str
    from:
      description: When the span starts; for a time that is not allowed, not before O(at).
      returned: always
      type: str
    until:
      description: When the span ends, or null when that is beyond the horizon.
      returned: always
      type: str
    reason:
      description: The same as a sentence.
      returned: always
      type: str
next_start:
  description: The first start from O(at) on, within O(horizon_days), at which the whole duration fits; null when there is none.
  returned: always
  type: str
  sample: "2026-12-12T19:00:00Z"
next_start_reason:
  description: Why there is no next start.
  returned: always
  type: str
  sample: null
evidence:
  description: What was asked and found, one check for each tenant.
  returned: always
  type: dict
  sample:
    schema: 1
    subject: acme
    measured_at: "2026-12-01T09:00:00Z"
    checks: []
"""
