"""A sample of tests/faults/secret_leaks.py, and that it would see a leak of each kind. No lab is needed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.faults.secret_leaks import MARK, carry_out, reached, unguarded
from tests.support.leak_options import names
from tests.support.leak_search import Search
from tests.support.leak_watch import Watch

EVERY = 67  # a prime, so that the sample meets all plugins
SEED = f"{MARK}000042\"'%"


def test_a_sample_of_all_cases_leaks_nothing() -> None:
    # Ansible puts a socket below this folder, and the path of a socket must be short
    with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
        groups = ("successes", "answers", "shapes", "addresses", "slips", "siblings", "contents")
        tally = carry_out(Path(folder) / "run", EVERY, groups=groups)
    assert tally.leaks == {}
    assert tally.not_run == []
    assert len(tally.cases) >= 20
    assert len({case.plugin for case in tally.cases}) >= len(names()) - 5
    assert reached() > 0


def test_no_option_whose_name_speaks_of_a_secret_is_shown() -> None:
    assert unguarded() == []


def watched(root: Path, *code: str, args: tuple[str, ...] = ()) -> set[str]:
    """What is found when a program does this."""
    (root / "out").mkdir()
    with Watch(Search([MARK]), [root / "out"], root / "hook.log") as watch:
        program = "; ".join(["import os, subprocess, sys, syslog, time", f"seed = {SEED!r}", *code])
        (root / "program.py").write_text(program)
        env = {**os.environ, **watch.environment()}
        subprocess.run([sys.executable, str(root / "program.py"), *args], env=env, cwd=root / "out", check=True, stdin=subprocess.DEVNULL)
    return watch.findings


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        pytest.param("open('kept', 'w').write(seed)", "file ", id="file"),
        pytest.param("open('gone', 'w').write(seed); os.remove('gone')", "removed file", id="file-that-is-gone-at-once"),
        pytest.param("open('two', 'w').write(seed); open('two', 'w').write('x')", "overwritten file", id="file-that-is-overwritten"),
        pytest.param("open('../elsewhere', 'w').write(seed)", "file ", id="file-elsewhere"),
        pytest.param("subprocess.run(['true', seed])", "subprocess.Popen", id="argument-of-a-short-process"),
        pytest.param("subprocess.run(['true', '--password=' + seed.encode().hex()])", "subprocess.Popen", id="argument-in-hexadecimal"),
        pytest.param("syslog.syslog(seed)", "system log", id="system-log"),
    ],
)
def test_a_leak_would_be_seen(tmp_path: Path, code: str, wanted: str) -> None:
    assert [found for found in watched(tmp_path, code) if found.startswith(wanted)] != []


def test_arguments_of_a_program_that_is_not_ours_would_be_seen(tmp_path: Path) -> None:
    """Sampled, so that it need not be Python that starts it."""
    with (
        Watch(Search([MARK]), [], tmp_path / "hook.log") as watch,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)", SEED]) as process,
    ):
        end = time.monotonic() + 20
        while not watch.findings and time.monotonic() < end:
            time.sleep(0.05)
        process.kill()
    assert [found for found in watch.findings if found.startswith(f"arguments of process {process.pid}")] != []


@pytest.mark.parametrize("shift", range(3))
def test_base64_would_be_seen_wherever_it_begins(shift: int) -> None:
    data = b"x" * shift + SEED.encode()
    for told in (base64.b64encode(data), base64.urlsafe_b64encode(data), json.dumps({"a": repr(SEED)}).encode()):
        assert Search([MARK])(b"before " + told + b" after") != []
    assert Search([MARK])(b"nothing of the kind") == []
