# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Dumps with PostgreSQL's own tools, as streams: nothing is written to disk, and no secret is in an argument."""

# run_command neither bounds the time nor streams, and an _io file has no AnsibleModule. pylint: disable=ansible-bad-function

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from .._core.errors import ChangeError
from .postgres import Server


class PgDumpError(ChangeError):
    """pg_dump or pg_restore failed."""

    def __init__(self, what: str, hint: str, *, code: str = "DUMP") -> None:
        super().__init__(f"{what}. {hint}", code=code, hint=hint)


def find_bin(given: str | None, major: int) -> Path:
    """The folder of pg_dump and pg_restore: the one given, else that of the server's version, else PATH's.

    A newer pg_restore writes settings that an older server does not know, an older pg_dump refuses a newer server.
    """
    on_path = shutil.which("pg_dump")
    candidates = (
        [given] if given else [f"/usr/lib/postgresql/{major}/bin", f"/usr/pgsql-{major}/bin", on_path and str(Path(on_path).parent)]
    )
    seen = []
    for folder in filter(None, candidates):
        found = _major(Path(folder) / "pg_dump")
        if found == major or (given and found is not None and found >= major):
            return Path(folder)
        seen.append(f"{folder}: {'none' if found is None else found}")
    raise PgDumpError(
        f"no pg_dump of PostgreSQL {major} (looked at {'; '.join(seen)})",
        f"Install postgresql-client-{major}, or set pg_bin to its folder.",
    )


def _major(tool: Path) -> int | None:
    try:
        text = subprocess.run([str(tool), "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\(PostgreSQL\) (\d+)", text)
    return int(found[1]) if found else None


@dataclass(frozen=True)
class _Tool:
    path: Path
    options: Sequence[str]
    env: Mapping[str, str]
    timeout_s: float
    keeps: Sequence[int] = ()
    """Descriptors that stay open in it."""

    def start(self, *, stdin: bool) -> tuple[_Running, IO[bytes]]:
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - a pipe that nobody reads would stop a tool with much to say
        try:
            process = _Running(
                [str(self.path), *self.options],
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if stdin else subprocess.PIPE,
                stderr=errors,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", **self.env},
                pass_fds=self.keeps,
            )
        except OSError as exc:
            errors.close()
            raise PgDumpError(f"{self.path} cannot be started ({exc.strerror})", "Set pg_bin to the folder of PostgreSQL's tools.") from exc
        process.end_after(self.timeout_s)
        return process, errors


class _Running(subprocess.Popen[bytes]):
    """A process that does not outlive its time, whoever waits for it."""

    timer: threading.Timer

    def end_after(self, seconds: float) -> None:
        self.timer = threading.Timer(seconds, self.kill)
        self.timer.daemon = True
        self.timer.start()


class Dump:
    """The custom-format dump of one database, to be read like a file.

    The end of the stream is only handed out when pg_dump ended well. Otherwise read() raises, so that an upload that reads
    from it is given up instead of completed with half a dump.
    """

    def __init__(self, folder: Path, server: Server, database: str, *, snapshot: str) -> None:
        self._what = f"pg_dump of database {database} at {server}"
        options = ["--format=custom", "--no-password", f"--snapshot={snapshot}", "--lock-wait-timeout=60s"]
        tool = _Tool(folder / "pg_dump", options, server.environment(database), server.timeout_s)
        self._process, self._errors = tool.start(stdin=False)

    def read(self, size: int = -1) -> bytes:
        out: IO[bytes] = self._process.stdout  # type: ignore[assignment]
        data = out.read(size)
        if size < 0 or len(data) < size:
            _end(self._process, self._errors, self._what, "Correct what it says, then run this again.")
        return data

    def __enter__(self) -> Dump:
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None) -> None:
        _kill(self._process, self._errors)


def dump_directory(folder: Path, server: Server, database: str, place: tuple[Path, int], *, snapshot: str, jobs: int) -> None:
    """A dump in directory format into an empty directory, by so many processes at once, which keep its descriptor open."""
    into, lock = place
    options = ["--format=directory", f"--jobs={jobs}", f"--file={into}", "--no-password", f"--snapshot={snapshot}"]
    tool = _Tool(folder / "pg_dump", [*options, "--lock-wait-timeout=60s"], server.environment(database), server.timeout_s, keeps=(lock,))
    _run(tool, f"pg_dump of database {database} at {server}", "Correct what it says, then run this again.")


def read_directory(folder: Path, dump: Path, what: str, *, timeout_s: float) -> None:
    """As :func:`read_whole`, a dump in directory format."""
    tool = _Tool(folder / "pg_restore", ["--format=directory", "--file=/dev/null", str(dump)], {}, timeout_s)
    _run(tool, f"reading {what}", "This dump cannot be restored.")


def read_whole(folder: Path, chunks: Iterable[bytes], what: str, *, timeout_s: float) -> None:
    """Lets pg_restore read a dump to its end; its table of contents alone would not show that half of it is missing."""
    tool = _Tool(folder / "pg_restore", ["--file=/dev/null"], {}, timeout_s)
    _feed(tool, chunks, f"reading {what}", "This dump cannot be restored.")


def restore(folder: Path, server: Server, database: str, chunks: Iterable[bytes], what: str) -> None:
    """Restores a dump into an empty database, with its owners and rights."""
    options = ["--exit-on-error", "--no-password", f"--dbname={database}"]
    tool = _Tool(folder / "pg_restore", options, server.environment(database), server.timeout_s)
    _feed(
        tool, chunks, f"restoring {what} into {database}", "The live database was not touched. Correct what it says, then run this again."
    )


def _run(tool: _Tool, what: str, hint: str) -> None:
    """A tool that neither reads nor says anything."""
    process, errors = tool.start(stdin=False)
    try:
        _end(process, errors, what, hint)
    finally:
        _kill(process, errors)


def _feed(tool: _Tool, chunks: Iterable[bytes], what: str, hint: str) -> None:
    """Gives all chunks to a tool. What raises in ``chunks`` ends the tool before it has seen the end of its input."""
    process, errors = tool.start(stdin=True)
    into: IO[bytes] = process.stdin  # type: ignore[assignment]
    listening = True
    try:
        for chunk in chunks:
            if listening:
                listening = _write(into, chunk)
                if not listening:
                    _end(process, errors, what, hint)  # it may have read enough; then the rest is still checked by ``chunks``
        _close(into)
        _end(process, errors, what, hint)
    finally:
        _kill(process, errors)


def _write(stream: IO[bytes], chunk: bytes) -> bool:
    try:
        stream.write(chunk)
    except BrokenPipeError:
        return False
    return True


def _close(stream: IO[bytes]) -> None:
    with suppress(BrokenPipeError):
        stream.close()


def _end(process: _Running, errors: IO[bytes], what: str, hint: str) -> None:
    code = process.wait()
    errors.seek(0)
    said = [line for line in errors.read(20000).decode(errors="replace").splitlines() if line.strip()]
    if code:
        killed = " (killed: out of time or of memory)" if code == -9 else ""
        first = next((line for line in said if "error" in line.lower()), said[0] if said else "it said nothing")
        raise PgDumpError(f"{what} ended with {code}{killed}: {first.strip().rstrip('.')}", hint)


def _kill(process: _Running, errors: IO[bytes]) -> None:
    process.timer.cancel()
    for stream in (process.stdout, process.stdin):
        if stream is not None:
            _close(stream)
    if process.poll() is None:
        process.kill()
        process.wait()
    errors.close()
