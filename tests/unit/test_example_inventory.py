"""The example estate is whole: everything that the roles ask of a tenant is there, and no secret is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.plan import TIERS

from tests.support.ansible import environment

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "inventories" / "example"


@pytest.fixture(scope="module")
def listed() -> dict[str, Any]:
    argv = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(EXAMPLE / "hosts.ini"), "--list"]
    done = subprocess.run(argv, env=environment(), capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert "WARNING" not in done.stderr
    return dict(json.loads(done.stdout))


def hosts(listed: dict[str, Any], group: str) -> list[str]:
    return list(listed.get(group, {}).get("hosts", []))


def test_forty_share_and_six_do_not_in_two_regions(listed: dict[str, Any]) -> None:
    assert {tier: len(hosts(listed, tier)) for tier in TIERS} == {"multi_tenant": 40, "dedicated": 6, "high_compliance": 0}
    assert (len(hosts(listed, "region_west")), len(hosts(listed, "region_north"))) == (23, 23)
    tenants = [name for tier in TIERS for name in hosts(listed, tier)]
    assert sorted(tenants) == sorted(hosts(listed, "region_west") + hosts(listed, "region_north"))
    assert Counter(tenants).most_common(1)[0][1] == 1


def test_cohorts_grow_and_the_canary_cohort_is_small(listed: dict[str, Any]) -> None:
    sizes = Counter(variables["tenant_cohort"] for variables in listed["_meta"]["hostvars"].values())
    assert [sizes[number] for number in sorted(sizes)] == [2, 8, 30, 6]


def test_every_tenant_has_what_the_role_requires(listed: dict[str, Any]) -> None:
    options = yaml.safe_load((ROOT / "roles/tenant/meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    required = {name for name, spec in options.items() if spec.get("required")} | {"tenant_cohort", "tenant_backup_stanza"}
    for name, variables in listed["_meta"]["hostvars"].items():
        assert required - variables.keys() == set(), name


def test_nothing_secret_is_written_down() -> None:
    for path in EXAMPLE.rglob("*.yml"):
        for line in path.read_text().splitlines():
            if re.match(r"\s*\w*(password|secret_key|access_key|api_key|PASSWORD|SECRET_KEY|ACCESS_KEY)s?:", line):
                assert "{{ vault_" in line, f"{path.name}: {line}"
