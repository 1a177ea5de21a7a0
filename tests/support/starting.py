"""What the tenants run before a test, whatever ran on the lab before it."""

from __future__ import annotations

from tests.support.estate import QUICK, Estate

GOOD = ("2", "2.1")  # releases with the same schema, so each can follow any other


def start_elsewhere(estate: Estate, change_id: str, release: str, *, tenants: str = "") -> None:
    """A change to ``release`` is a real one for every tenant (or for these) afterwards: none runs it."""
    names = tenants.split(":") if tenants else list(estate.tenants)
    if run_it(estate, names, release):
        away = next(other for other in GOOD if other != release)
        code, out = estate.run_change(estate.change(change_id.replace("TST", "SET"), away, tenants=":".join(names), **QUICK))
        assert code == 0, out[-4000:]
    assert run_it(estate, names, release) == []


def new_release(estate: Estate, change_id: str, *, tenants: str = "") -> str:
    """A good release to which a change is a real one for every tenant (or for these): one that none runs, if there is any."""
    names = tenants.split(":") if tenants else list(estate.tenants)
    release = next((name for name in GOOD if not run_it(estate, names, name)), GOOD[0])
    start_elsewhere(estate, change_id, release, tenants=tenants)
    return release


def run_it(estate: Estate, names: list[str], release: str) -> list[str]:
    image = estate.releases[release]["image"]
    return [name for name in names if image in estate.images(name).values()]
