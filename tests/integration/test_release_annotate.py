"""Monitoring that is told of a change, as Ansible does it: a stand-in for Grafana, a real Pushgateway, files for the node exporter."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import annotation
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import plan as plans

from tests.integration.test_change_close import BEGAN, ID, Closing
from tests.lab.parts import prometheus
from tests.support.ansible import run_module
from tests.support.grafana import TOKEN, Grafana
from tests.support.pushgateway import exposed, pushgateway

STARTED_S = BEGAN.timestamp() + 60


class Desk:
    """A ledger, and whom to tell of it."""

    def __init__(self, root: Path) -> None:
        self.closing, self.root = Closing(root), root
        self.folder = root / "textfiles"
        self.folder.mkdir()
        (root / "token").write_text(f"{TOKEN}\n")

    def begin(self) -> None:
        self.closing.record("planned", plan=self.closing.plan, digest=plans.plan_digest(self.closing.plan))
        self.closing.record("started", "acme")

    def close(self, result: str = "succeeded", word: str = "released") -> None:
        self.closing.record("closed", result=result, tenants={"acme": word})

    def grafana(self, server: Grafana, **other: Any) -> dict[str, Any]:
        return {"grafana": {"url": server.url, "token_file": str(self.root / "token"), "timeout_s": 2, **other}}

    def tell(self, *, check: bool = False, change: str = ID, **whom: Any) -> dict[str, Any]:
        keys = {"ledger": str(self.root / "ledger"), "ledger_trusted": str(self.root / "key.pem.pub")}
        done = run_module("release_annotate", {**keys, "change": change, "title": "Screens", "keep": "P36500D", **whom}, check=check)
        assert not done["failed"], done
        assert TOKEN not in json.dumps(done)
        return done


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def grafana() -> Iterator[Grafana]:
    with Grafana() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pushgateway(tmp_path_factory.mktemp("pushgateway")) as url:
        yield url


def ours(url: str) -> dict[Any, float]:
    """The numbers of the change that the Pushgateway shows to Prometheus."""
    return {key: value for key, value in annotation.samples_of(exposed(url)).items() if key[0].startswith("odoo_change_")}


def number(found: dict[Any, float], name: str, **labels: str) -> float:
    (value,) = [v for (metric, pairs), v in found.items() if metric == name and set(labels.items()) <= pairs]
    return value


# -- Grafana ---------------------------------------------------------------------------------------------------------------
def test_one_annotation_from_the_start_to_the_end(desk: Desk, grafana: Grafana) -> None:
    whom = desk.grafana(grafana)
    nothing = desk.tell(**whom)
    assert (nothing["changed"], nothing["told"], grafana.writes) == (False, [], [])
    desk.begin()
    predicted = desk.tell(check=True, **whom)
    assert (predicted["changed"], grafana.writes) == (True, [])
    assert desk.tell(**whom)["changed"]
    (one,) = grafana.annotations.values()
    tags = {"odoo-ops", f"change:{ID}", "class:normal", "domain:application", "environment:production", "tenant:acme"}
    assert (one["time"], one["timeEnd"], set(one["tags"])) == (1000 * STARTED_S, 1000 * STARTED_S, tags)
    assert one["text"] == f"{ID}: Screens (under way)"
    assert not desk.tell(**whom)["changed"]
    desk.close()
    assert desk.tell(check=True, **whom)["changed"]
    assert desk.tell(**whom)["changed"]
    (one,) = grafana.annotations.values()
    assert (one["time"], one["timeEnd"]) == (1000 * STARTED_S, 1000 * (STARTED_S + 60))
    assert set(one["tags"]) == tags | {"result:succeeded", "verdict:pass"}
    assert not desk.tell(**whom)["changed"]
    assert [method for method, _path, _body in grafana.writes] == ["POST", "PATCH"]


def test_a_start_that_was_missed_is_made_up_for_at_the_end(desk: Desk, grafana: Grafana) -> None:
    desk.begin()
    desk.close("failed", "rolled back")
    assert desk.tell(**desk.grafana(grafana))["changed"]
    (one,) = grafana.annotations.values()
    assert one["timeEnd"] == 1000 * (STARTED_S + 60)
    assert {"result:rolled_back", "verdict:fail"} <= set(one["tags"])


@pytest.mark.parametrize("status", [0, 302, 401, 403, 404, 500, 503])
def test_a_grafana_that_does_not_do_it_is_a_warning(desk: Desk, grafana: Grafana, status: int) -> None:
    desk.begin()
    grafana.broken = status
    done = desk.tell(**desk.grafana(grafana))
    assert (done["changed"], done["told"]) == (False, [])
    assert "could not be annotated, grafana" in done["problems"][0]
    assert grafana.annotations == {}
    grafana.broken = None
    assert desk.tell(**desk.grafana(grafana))["changed"], "the next stage makes up for it"


@pytest.mark.parametrize(
    ("whom", "wanted"),
    [
        pytest.param({"grafana": {"url": "http://127.0.0.1:9"}}, "gave no answer (ConnectionError)", id="nobody-there"),
        pytest.param({"grafana": {"url": "ftp://x"}}, "the address is not http(s)", id="address"),
        pytest.param({"grafana": {"url": "http://127.0.0.1:9", "token_file": "/nonexistent"}}, "cannot be read", id="no-token"),
        pytest.param({"pushgateway": {"url": "http://127.0.0.1:9"}}, "gave no answer (ConnectionError)", id="no-gateway"),
        pytest.param({"textfile": "/nonexistent"}, "there is no folder /nonexistent", id="no-folder"),
        pytest.param({"textfile": "/proc"}, "cannot be written", id="no-right"),
        pytest.param({"keep": "long"}, "duration 'long' is not understood", id="keep"),
        pytest.param({"ledger_trusted": "/nonexistent"}, "could not be annotated", id="ledger"),
    ],
)
def test_what_is_wrong_with_whom_to_tell_is_a_warning(desk: Desk, whom: dict[str, Any], wanted: str) -> None:
    desk.begin()
    done = desk.tell(**whom)
    assert wanted in done["problems"][0], done
    assert not done["changed"]


def test_one_that_is_down_does_not_keep_the_others_from_being_told(desk: Desk, grafana: Grafana) -> None:
    desk.begin()
    done = desk.tell(**desk.grafana(grafana), pushgateway={"url": "http://127.0.0.1:9"}, textfile=str(desk.folder))
    assert done["told"] == ["grafana", "textfile"]
    assert len(done["problems"]) == 1


def test_the_stages_tell_it(desk: Desk, grafana: Grafana) -> None:
    """The stage close, as Ansible runs it; first with a Grafana that is down."""
    desk.closing.succeed()
    grafana.broken = 503
    whom = {"change_annotations": desk.grafana(grafana)}
    code, out = desk.closing.close("--check", **whom)
    assert (code, grafana.writes) == (0, []), out[-3000:]
    code, out = desk.closing.close(**whom)
    assert code == 0, out[-3000:]
    assert "could not be annotated, grafana: GET /api/annotations was answered with 503" in " ".join(out.split())
    assert grafana.annotations == {}
    grafana.broken = None
    code, out = desk.closing.close(**whom)
    assert code == 0, out[-3000:]
    assert [one["text"] for one in grafana.annotations.values()] == [f"{ID}: Screens (succeeded)"]


# -- metrics ---------------------------------------------------------------------------------------------------------------
def test_metrics_of_a_change_in_a_real_pushgateway(desk: Desk, gateway: str) -> None:
    whom = {"pushgateway": {"url": gateway}}
    desk.begin()
    assert desk.tell(check=True, **whom)["changed"]
    assert ours(gateway) == {}
    assert desk.tell(**whom)["changed"]
    found = ours(gateway)
    assert number(found, "odoo_change_info", change=ID, job="odoo_change", **{"class": "normal"}, environment="production") == 1
    assert number(found, "odoo_change_started_timestamp_seconds", change=ID) == STARTED_S
    assert [number(found, "odoo_change_verdict", change=ID, verdict=name) for name in annotation.VERDICTS] == [0, 0, 0]
    assert not desk.tell(**whom)["changed"]
    desk.close("failed", "rolled back")
    assert desk.tell(**whom)["changed"]
    found = ours(gateway)
    assert [number(found, "odoo_change_verdict", change=ID, verdict=name) for name in annotation.VERDICTS] == [0, 1, 0]
    assert number(found, "odoo_change_ended_timestamp_seconds", change=ID) == STARTED_S + 60
    assert not desk.tell(**whom)["changed"]


def test_a_pushgateway_forgets_changes_that_ended_long_ago(desk: Desk, gateway: str) -> None:
    old, whom = "CHG-2020-0001", {"pushgateway": {"url": gateway}}
    for event, tenant, evidence in (
        ("planned", None, {"plan": desk.closing.plan}),
        ("started", "acme", {}),
        ("closed", None, {"tenants": {}}),
    ):
        desk.closing.ledger.append(old, event, actor="ops-1", at=BEGAN.replace(year=2020), tenant=tenant, evidence=evidence)
    desk.tell(change=old, **whom)
    desk.begin()
    desk.tell(**whom)
    assert changes(gateway) == {old, ID}
    assert desk.tell(keep="P1D", check=True, **whom)["changed"]
    assert changes(gateway) == {old, ID}
    assert desk.tell(keep="P1D", **whom)["changed"]
    assert changes(gateway) == {ID}
    assert not desk.tell(keep="P1D", **whom)["changed"]


def changes(url: str) -> set[str]:
    return {dict(labels)["change"] for _name, labels in ours(url)}


def test_metrics_in_a_file_for_the_node_exporter(desk: Desk) -> None:
    whom = {"textfile": str(desk.folder)}
    desk.begin()
    assert desk.tell(check=True, **whom)["changed"]
    assert list(desk.folder.iterdir()) == []
    assert desk.tell(**whom)["changed"]
    (file,) = desk.folder.iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == (f"odoo_change_{ID}.prom", 0o644)
    before = file.stat()
    assert not desk.tell(**whom)["changed"]
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    desk.close()
    assert desk.tell(**whom)["changed"]
    assert f'odoo_change_verdict{{change="{ID}",verdict="pass"}} 1' in file.read_text()
    promtool = shutil.which("promtool") or str(prometheus._binary().with_name("promtool"))
    done = subprocess.run([promtool, "check", "metrics"], input=file.read_text(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    (desk.folder / "odoo_change_CHG-2000-1.prom").write_text("odoo_change_ended_timestamp_seconds 946684800\n")
    (desk.folder / "another.prom").write_text("odoo_change_ended_timestamp_seconds 1\n")
    assert desk.tell(textfile=str(desk.folder), keep="P36500D")["changed"] is False
    assert desk.tell(textfile=str(desk.folder), keep="P7000D")["changed"]
    assert {path.name for path in desk.folder.iterdir()} == {file.name, "another.prom"}
