"""What the tenants run before a test, whatever ran on the lab before it."""

from __future__ import annotations

from tests.support.estate import QUICK, Estate

GOOD = ("2", "2.1")  # releases with the same schema, so each can follow any other


def start_elsewhere(estate: Estate, change_id: str, release: str, *, tenants: str = "") -> None:
    """A change to ``release`` is a real one for every tenant (or for these) afterwards: none runs it."""
    image = estate.releases[release]["image"]
    names = tenants.split(":") if tenants else list(estate.tenants)
    if any(image in estate.images(name).values() for name in names):
        away = next(other for other in GOOD if other != release)
        code, out = estate.run_change(estate.change(change_id.replace("TST", "SET"), away, tenants=":".join(names), **QUICK))
        assert code == 0, out[-4000:]
    running = {name: estate.images(name) for name in names}
    assert not [name for name, images in running.items() if image in images.values()], running
