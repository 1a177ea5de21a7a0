"""The stages plan, gates and approve on an estate that is a repository: what the plan says of its commit, and what stops it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.test_change_plan import Place
from tests.unit.io.test_git_source import Repository

POLICY = Path(__file__).resolve().parents[2] / "meta" / "policy.yml"


class Estate:
    """A place whose inventory and content are in a repository."""

    def __init__(self, root: Path) -> None:
        (root / "git").mkdir()
        self.repository = Repository(root / "git")
        self.place = Place(root)
        for name in ("before", "after"):
            (root / name).rename(self.repository.top / name)
        (root / "hosts.yml").rename(self.repository.top / "hosts.yml")
        (root / "hosts.yml").symlink_to(self.repository.top / "hosts.yml")
        self.repository.commit()
        self.repository.push()
        self.source = {"path": str(self.repository.top), "allowed_signers": str(self.repository.signers), "unbound": ["approvals"]}

    def run(self, *args: str, **variables: Any) -> tuple[int, str]:
        content = {name: str(self.repository.top / name) for name in ("before", "after")}
        change = self.place.change(**{"class": "standard", "catalogue_entry": "module-deployment"})
        change["release"]["content"] = content
        return self.place.run(change, *args, **{"change_source": self.source, **variables})

    def recorded(self, event: str) -> dict[str, Any]:
        entry = sorted((self.place.root / "ledger" / "CHG-2026-0142").glob(f"*-{event}.json"))[-1]
        return dict(json.loads(base64.b64decode(json.loads(entry.read_text())["payload"]))["predicate"]["evidence"])


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    return Estate(tmp_path)


def test_the_plan_is_for_one_commit(estate: Estate) -> None:
    code, out = estate.run()
    assert code == 0, out
    commit = estate.repository.run("rev-parse", "HEAD")
    planned = estate.recorded("planned")
    assert (planned["plan"]["source"]["commit"], planned["plan"]["source"]["signer"]) == (commit, "alice")
    assert f"source: {commit} of origin/main, signed by alice" in out
    assert "source_signed" in str(estate.recorded("gated"))
    assert estate.run()[0] == 0
    assert estate.place.events() == ["planned", "gated", "gated"]

    estate.repository.put("approvals/alice.json", "{}")
    estate.repository.commit()
    estate.repository.push()
    assert estate.run()[0] == 0
    assert estate.recorded("planned")["digest"] == planned["digest"], "an approval makes no new plan"

    estate.repository.put("group_vars/all.yml", "other: 1\n")
    estate.repository.commit()
    estate.repository.push()
    assert estate.run()[0] == 0
    assert estate.recorded("planned")["digest"] != planned["digest"], "what was approved was another commit"


def test_a_dirty_tree_stops_at_the_gates(estate: Estate) -> None:
    estate.repository.put("group_vars/all.yml", "other: 1\n")
    code, out = estate.run()
    assert code != 0
    assert "source_clean is 1 files: group_vars/all.yml" in out
    assert (estate.place.events(), estate.recorded("gated")["verdict"]) == (["planned", "gated"], "fail")


def test_check_mode_tells_it_and_writes_nothing(estate: Estate) -> None:
    estate.repository.put("group_vars/all.yml", "other: 1\n")
    before = sorted((estate.repository.top / ".git").rglob("*"))
    code, out = estate.run("--check")
    assert code == 0, out
    assert "source_clean is 1 files: group_vars/all.yml" in out
    assert not (estate.place.root / "ledger").exists()
    assert sorted((estate.repository.top / ".git").rglob("*")) == before


def test_a_policy_that_wants_the_source_stops_a_change_that_does_not_tell_it(estate: Estate) -> None:
    policy = yaml.safe_load(POLICY.read_text())
    for profile in policy["profiles"].values():
        profile["gates"].append("source")
    (estate.place.root / "policy.yml").write_text(yaml.safe_dump(policy))
    code, out = estate.run(change_policy=str(estate.place.root / "policy.yml"), change_source={})
    assert code != 0
    assert "The policy requires the gate source, and nothing measured it" in out
    assert estate.run(change_policy=str(estate.place.root / "policy.yml"))[0] == 0


def test_options_that_cannot_be_followed_are_told_before_anything_is_recorded(estate: Estate) -> None:
    code, out = estate.run(change_source={"path": str(estate.repository.top)})
    assert code != 0
    assert "nobody may sign" in out
    assert estate.place.events() == []
