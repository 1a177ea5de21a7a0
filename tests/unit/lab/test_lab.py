"""What the lab decides without starting anything: the order of its parts, Debian's archive, and what "down" says."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.lab import __main__ as lab
from tests.lab import cache
from tests.lab.distribution import mirror, postgres_bin
from tests.lab.files import remove
from tests.lab.private import free_ports
from tests.lab.site import MARK, LabError, Site

NEEDS: dict[str, list[str]] = {"a": [], "b": [], "c": ["a"], "d": ["b", "c"]}


# -- the order of the parts ------------------------------------------------------------------------------------------
def test_parts_that_need_nothing_of_each_other_start_side_by_side_and_no_part_before_its_needs() -> None:
    both, up = threading.Barrier(2, timeout=10), list[str]()

    def bring(name: str) -> None:
        assert set(NEEDS[name]) <= set(up)
        if name in "ab":
            both.wait()  # passes only when both are under way
        up.append(name)

    lab.start(list(NEEDS), bring, needs=NEEDS.__getitem__)
    assert sorted(up) == sorted(NEEDS)
    assert up.index("c") < up.index("d")


def test_a_part_that_fails_is_named_and_what_needs_it_is_not_started() -> None:
    begun = []

    def bring(name: str) -> None:
        begun.append(name)
        if name == "a":
            raise LabError("does not answer")
        time.sleep(0.2)

    with pytest.raises(LabError, match=r"^a: does not answer$"):
        lab.start(list(NEEDS), bring, needs=NEEDS.__getitem__)
    assert sorted(begun) == ["a", "b"]


def test_a_defect_of_a_part_is_not_hidden_as_a_message() -> None:
    def bring(name: str) -> None:
        raise KeyError(name)

    with pytest.raises(KeyError):
        lab.start(["a"], bring, needs=NEEDS.__getitem__)


def test_every_part_comes_after_those_it_needs() -> None:
    for number, name in enumerate(lab.PARTS):
        assert set(lab.part(name).NEEDS) <= set(lab.PARTS[:number])


def test_no_port_is_given_twice() -> None:
    ports = [port for _round in range(50) for port in free_ports("one", "other").values()]
    assert len(set(ports)) == len(ports)


# -- Debian ----------------------------------------------------------------------------------------------------------
DEB822 = """\
# a comment
Types: deb
URIs: {uri} http://second.example/debian
# and one within
Suites: bookworm bookworm-updates
Components: main
"""
SECURITY = "Types: deb\nURIs: http://security.example/x\nSuites: bookworm-security\nComponents: main\n"


DEBIAN = DEB822.format(uri="http://one.example/debian")
VENDORS = "deb http://vendor.example bookworm tool\ndeb http://vendor.example cloud-bookworm main\n"
OLD = "# deb http://no.example bookworm main\ndeb [arch=amd64 signed-by=/k] http://one.example sid main\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({"sources.list.d/debian.sources": DEBIAN}, "one", id="deb822"),
        pytest.param({"sources.list": OLD}, "one", id="old"),
        pytest.param({"sources.list.d/mine.list": "deb http://one.example stable main contrib # why\n"}, "one", id="old-folder"),
        pytest.param({"sources.list.d/a.sources": f"{SECURITY}\n{DEBIAN}"}, "one", id="security-first"),
        pytest.param({"sources.list.d/a.list": VENDORS, "sources.list.d/debian.sources": DEBIAN}, "one", id="vendors"),
        pytest.param({"sources.list": "deb-src http://one.example bookworm main\n"}, None, id="only-source-packages"),
        pytest.param({"sources.list.d/debian.sources": f"Enabled: no\n{DEBIAN}"}, None, id="disabled"),
        pytest.param({"sources.list": "deb http://ubuntu.example noble main\n"}, None, id="another-distribution"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_the_archive_is_the_one_the_machine_uses(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    if expected:
        assert mirror(tmp_path).startswith(f"http://{expected}.example")
    else:
        with pytest.raises(LabError, match="no archive of Debian in"):
            mirror(tmp_path)


def test_the_newest_postgresql_is_the_one_with_the_highest_number(tmp_path: Path) -> None:
    for version in ("9", "15", "common"):
        (tmp_path / version / "bin").mkdir(parents=True)
        (tmp_path / version / "bin" / "initdb").touch()
    assert postgres_bin(tmp_path) == tmp_path / "15" / "bin"
    with pytest.raises(LabError, match="apt-get install postgresql"):
        postgres_bin(tmp_path / "none")


# -- what is left ------------------------------------------------------------------------------------------------------
def test_down_ends_marked_processes_and_says_what_it_cannot_remove(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path / "lab")
    site.folder("x")
    stubborn = [
        sys.executable,
        "-c",
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
    ]
    process = subprocess.Popen(stubborn, env={MARK: str(site.root), "PATH": os.environ["PATH"]}, stdout=subprocess.PIPE)
    assert process.stdout and process.stdout.readline()
    threading.Thread(target=process.wait, daemon=True).start()
    monkeypatch.setattr("tests.lab.site.remove", lambda folder: "device is busy")
    with pytest.raises(LabError, match=r"Left: folder .*device is busy"):
        site.destroy()
    assert process.wait(5) < 0
    monkeypatch.setattr(sys, "argv", ["lab", "down", "--name", "x"])
    monkeypatch.setattr(Site, "named", classmethod(lambda cls, name: site))
    assert lab.main() == 1
    assert "lab: the lab in" in capsys.readouterr().err


def test_down_says_which_processes_it_could_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "lab")
    monkeypatch.setattr(Site, "processes", lambda self: [os.getpid()])
    monkeypatch.setattr(Site, "signal_all", lambda self, sig, grace_s: None)
    with pytest.raises(LabError, match=rf"Left: process {os.getpid()} \(.+\): kill -9"):
        site.destroy()


def test_read_only_folders_are_removed_too(tmp_path: Path) -> None:
    inner = tmp_path / "cache" / "read-only"
    inner.mkdir(parents=True)
    (inner / "file").touch()
    inner.chmod(0o500)
    assert remove(tmp_path / "cache") == ""
    assert not (tmp_path / "cache").exists()


def test_what_a_link_points_at_stays(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "root").symlink_to(tmp_path / "kept")
    assert remove(tmp_path / "lab") == ""
    assert remove(tmp_path / "root")
    assert (tmp_path / "kept" / "file").exists()


def test_the_sweep_takes_what_a_killed_build_left_and_leaves_a_living_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    script = (
        "import sys; from tests.lab import cache\n"
        "def build(folder):\n    (folder / 'work').mkdir(); print(folder, flush=True); sys.stdin.read()\n"
        "cache.cached('thing', 'key', build, what='thing')"
    )
    building = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert building.stdout
    folder = Path(building.stdout.readline().strip())
    cache.sweep()
    assert (folder / "work").is_dir()
    building.kill()
    building.wait()
    cache.sweep()
    assert not folder.exists()
