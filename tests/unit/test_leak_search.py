"""What tests/faults/secret_leaks.py looks for in a site, and that a new plugin or option cannot be forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import leak_cases, leak_options
from tests.support.leak_cases import GROUPS, Cases, Seeds
from tests.support.leak_place import Place
from tests.support.leak_site import secret_values

WEB = {name: "http://127.0.0.1:9" for name in ("401", "500", "closed", "echo")}


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        pytest.param({"tenant_database_password": "long enough"}, {"long enough": "tenant_database_password"}, id="password"),
        pytest.param({"s3": {"secret_key": "long enough"}}, {"long enough": "s3.secret_key"}, id="below"),
        pytest.param({"secret_env": {"ANY": "long enough"}}, {"long enough": "secret_env.ANY"}, id="below-a-secret-name"),
        pytest.param([{"token": "long enough"}], {"long enough": "token"}, id="in-a-list"),
        pytest.param({"token": "short"}, {}, id="short"),
        pytest.param({"access_key": "long enough", "name": "long enough", "token": None}, {}, id="no-secret"),
    ],
)
def test_which_values_of_a_site_are_secret(document: Any, wanted: dict[str, str]) -> None:
    assert dict(secret_values(document)) == wanted


@pytest.fixture
def cases(tmp_path: Path) -> Cases:
    place = Place(tmp_path / "place")
    place.good = {"awx": WEB["echo"], "awx_apply": WEB["echo"], "kubeconfig": "kubeconfig", "token": "token"}
    return Cases(place, Seeds("Mark"), WEB, {"closed": 9, "refuse": 9})


def test_every_option_of_every_plugin_has_a_case(cases: Cases) -> None:
    """But for those that only take certain words, numbers, or yes and no."""
    met = {case.secret for case in cases.all(GROUPS)}
    open_ones = [option for name in leak_options.names() for option in leak_options.options(name) if not option.closed]
    leaves = [option for option in open_ones if not cases._suboptions(option)]
    assert [str(option) for option in leaves if str(option) not in met] == []
    assert len(leaves) > 150


def test_every_seed_is_another_one(cases: Cases) -> None:
    assert len(cases.all(GROUPS)) > 1000
    assert len(set(cases.seeds.labels)) == len(cases.seeds.labels)


def test_a_plugin_without_a_scene_is_an_error(cases: Cases, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak_cases, "names", lambda: ["brand_new"])
    with pytest.raises(LookupError, match="no scene for brand_new"):
        Cases(cases.place, cases.seeds, WEB, {})
