"""./dev on a bare machine: what it installs, and that each thing comes before what needs it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

# The machine: no tool but these, no Python until apt-get has brought one; every call that counts is written down.
COREUTILS = ("bash", "cat", "cp", "cut", "dirname", "env", "mkdir", "mktemp", "readlink", "rm", "sha256sum", "touch")
STUB = '#!/bin/sh\necho "{name} $*" >>"$BARE/calls"\n'
APT = STUB + 'case " $* " in *" install "*python3-venv*) cp "$BARE/a-python" "$BARE/bin/python3.11" ;; esac\n'
BARE = """
source "$1" && shift
find_python() { [ -x "$BARE/bin/python3.11" ] && echo "$BARE/bin/python3.11"; }
demand_debian() { echo demand_debian >>"$BARE/calls"; }
setup() { find_python >/dev/null || die "setup without a Python"; echo setup >>"$BARE/calls"; }
lint() { echo lint >>"$BARE/calls"; }
main "$@"
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    for tool in COREUTILS:
        real = subprocess.run(["bash", "-c", f"type -P {tool}"], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / "bin" / tool).symlink_to(real)
    stubs = {"apt-get": APT.format(name="apt-get"), "python": STUB.format(name="python"), "id": "#!/bin/sh\necho 0\n"}
    for name, text in stubs.items():
        executable(tmp_path / "bin" / name, text)
    executable(tmp_path / "a-python", "#!/bin/sh\nexit 0\n")
    return tmp_path


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def dev(machine: Path, *verb: str) -> tuple[int, list[str], str]:
    """Exit code, the calls in their order, and what was said."""
    env = {"PATH": str(machine / "bin"), "BARE": str(machine), "HOME": str(machine)}
    done = subprocess.run(["bash", "-c", BARE, "dev", ROOT / "dev", *verb], env=env, capture_output=True, text=True, check=False)
    calls = machine / "calls"
    return done.returncode, calls.read_text().splitlines() if calls.exists() else [], done.stderr


def installed(calls: list[str]) -> list[set[str]]:
    """The packages of each installation."""
    return [{word for word in call.split()[2:] if not word.startswith("-")} for call in calls if call.startswith("apt-get install")]


@pytest.mark.parametrize(
    ("verb", "first", "last"),
    [
        pytest.param(["demo"], {"python3", "python3-venv"}, "python -m tests.demo", id="demo"),
        pytest.param(["lab", "up"], {"python3", "python3-venv"}, "python -m tests.lab up", id="lab-up"),
        pytest.param(["test"], {"python3", "python3-venv", "git"}, "python -m pytest --numprocesses 2", id="test"),
    ],
)
def test_a_bare_machine_gets_a_python_first_and_the_labs_packages_before_the_lab(
    machine: Path, verb: list[str], first: set[str], last: str
) -> None:
    code, calls, said = dev(machine, *verb)
    assert code == 0, said
    base, lab = installed(calls)
    assert base == first
    assert {"pgbackrest", "redis-server", "prometheus", "dpkg-dev", "patch", "xz-utils", "openssl", "openssh-client"} <= lab
    assert calls[0] == "demand_debian"
    assert calls.index("setup") > max(n for n, call in enumerate(calls) if call.startswith("apt-get"))
    assert calls[-1].strip() == last


@pytest.mark.parametrize(
    ("verb", "packages"), [(["lint"], {"python3", "python3-venv", "git"}), (["pytest", "tests/unit"], {"python3", "python3-venv"})]
)
def test_what_needs_no_lab_installs_no_lab(machine: Path, verb: list[str], packages: set[str]) -> None:
    code, calls, said = dev(machine, *verb)
    assert code == 0, said
    assert installed(calls) == [packages]
    assert "setup" in calls


@pytest.mark.parametrize("verb", ["down", "status"])
def test_to_end_or_to_look_at_a_lab_installs_nothing(machine: Path, verb: str) -> None:
    code, calls, said = dev(machine, "lab", verb)
    assert (code, calls) == (1, [])
    assert "without a Python" in said
    executable(machine / "bin" / "python3.11", "#!/bin/sh\nexit 0\n")
    assert dev(machine, "lab", verb)[:2] == (0, ["setup", f"python -m tests.lab {verb}"])


def test_a_person_without_rights_is_told_the_command(machine: Path) -> None:
    executable(machine / "bin" / "id", "#!/bin/sh\necho 1000\n")
    code, calls, said = dev(machine, "lint")
    assert (code, calls) == (1, [])
    assert "sudo apt-get install -y --no-install-recommends python3 python3-venv git" in said
