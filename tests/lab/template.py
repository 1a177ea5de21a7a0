"""The template database of the lab: Odoo with its modules installed once, kept in the cache as a dump and its files."""

from __future__ import annotations

import http.cookiejar
import json
import re
import shutil
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.lab import images, odoo
from tests.lab.cache import cached, digest
from tests.lab.distribution import postgres_bin
from tests.lab.files import remove
from tests.lab.site import MARK, LabError, Site, as_user, free_port, wait_for

DATABASE = "odoo19_template"
ROLE = "odoo_template"
MODULES = ("base", "web", "account", "project", "hr_timesheet", images.ADDON)

# The bundles of scripts and styles belong to the release, not to the customer: in the database, a rolled back release
# leaves none behind in the bucket. No lab server may report to Odoo's publisher, and none writes digests: at an hour of their
# own they would queue mails in the midst of a test that proves that nothing is written.
FINISH = """
env['ir.config_parameter'].set_param('ir_attachment.location', 'db')
for attachment in env['ir.attachment'].search([('url', '=like', '/web/assets/%')]):
    attachment.write({'raw': attachment.raw, 'mimetype': attachment.mimetype})
env['ir.config_parameter'].search([('key', '=', 'ir_attachment.location')]).unlink()
env.ref('mail.ir_cron_module_update_notification').active = False
env['digest.digest'].search([]).action_deactivate()
env.cr.execute('DELETE FROM res_users_log')
env.cr.execute('DELETE FROM res_device_log')
env.cr.commit()
"""


def template(site: Site) -> Path:
    """Built by ``site``, whose mark the build's processes carry and in whose folder it works: so ``down`` ends a killed build, too.

    A folder with ``odoo.dump`` (pg_dump's custom format, no owners) and ``filestore/`` (``<2 hex>/<sha1>``)."""
    base = odoo.base()
    # what the dump depends on, and nothing else: a new overlay must not build it again
    layers = [images.SOURCES / layer for layer in ("common", *images.OVERLAYS["1"])]
    key = digest(str(base.name), Path(__file__), *layers, postgres_bin().parent.name)
    return cached(
        "odoo-template",
        key,
        lambda folder: build(folder, base, site),
        what="build the template database (Odoo's modules installed, about a minute)",
    )


def build(folder: Path, base: Path, site: Site) -> None:
    site.folder()
    work = Path(tempfile.mkdtemp(prefix="t-", dir=site.root))  # not below the entry: a socket's path may have 107 bytes
    mark = {MARK: str(site.root)}
    try:
        work.chmod(0o755)
        image = work / "image"
        image.mkdir()
        images.assemble("1", image, base)
        with _cluster(work, mark) as socket:
            env = {
                **mark,
                "PATH": f"{image}/bin:/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "PGHOST": str(socket),
                "PGUSER": ROLE,
                "POD_DIR": str(work / "pod"),
                # written into the shared tree now, so that no pod has to compile the addons it imports
                "PYTHONDONTWRITEBYTECODE": "",
            }
            names = _install(image, env, work, folder / "odoo.dump")
        for name in names:
            target = folder / "filestore" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(work / "pod/data/filestore" / DATABASE / name, target)
    finally:
        remove(work)


def _install(image: Path, env: dict[str, str], work: Path, dump: Path) -> list[str]:
    """Makes the database, dumps it, and tells the names of its files."""
    odoo_bin, options = image / "bin/odoo", ["--skip-auto-install", "--stop-after-init", "--no-http", "--max-cron-threads=0"]
    _run([odoo_bin, "--database", DATABASE, "--init", ",".join(MODULES), *options], env)
    _warm(image, env, work)
    _run([odoo_bin, "shell", "--database", DATABASE, "--no-http"], env, stdin=FINISH)
    query = "SELECT DISTINCT store_fname FROM ir_attachment WHERE store_fname IS NOT NULL"
    names = _run([postgres_bin() / "psql", "-XAtd", DATABASE, "-c", query], env).split()
    _run([postgres_bin() / "pg_dump", "--format=custom", "--no-owner", "--no-acl", f"--file={dump}", DATABASE], env)
    return names


@contextmanager
def _cluster(work: Path, mark: dict[str, str]) -> Iterator[Path]:
    """A PostgreSQL cluster for this build alone: on a socket, without durability, gone afterwards. Yields the socket's folder."""
    user = as_user("postgres")
    home = work / "pg"
    home.mkdir()
    if user:
        shutil.chown(home, "postgres", "postgres")
    env = {**mark, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    initdb = [
        postgres_bin() / "initdb",
        "-D",
        home / "data",
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C.UTF-8",
        "--no-sync",
    ]
    _run([*user, *initdb], env, cwd=home)
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(home),
        "unix_socket_permissions": "0700",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "256MB",
        "max_wal_size": "1GB",
    }
    command = [*user, postgres_bin() / "postgres", "-D", home / "data", *(f"--{key}={value}" for key, value in settings.items())]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen([str(part) for part in command], env=env, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        admin = {**env, "PGHOST": str(home), "PGUSER": "postgres"}
        psql = [postgres_bin() / "psql", "-Xqd", "postgres", "-c"]
        wait_for(lambda: _run([*psql, "SELECT 1"], admin), what=f"the template's PostgreSQL (see {home / 'log'})", timeout_s=30)
        _run([*psql, f"CREATE ROLE {ROLE} LOGIN CREATEDB"], admin)
        # C collation as in every database that Odoo makes: it sorts texts itself
        _run([*psql, f"CREATE DATABASE {DATABASE} OWNER {ROLE} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'"], admin)
        yield home
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _warm(image: Path, env: dict[str, str], work: Path) -> None:
    """Logs in once and fetches every script and style, so that tenants are born with them made."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        str(image / "bin/odoo"),
        f"--database={DATABASE}",
        "--http-interface=127.0.0.1",
        f"--http-port={port}",
        "--max-cron-threads=0",
    ]
    with (work / "warm.log").open("wb") as log:
        server = subprocess.Popen(command, env=env, cwd=work, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar), urllib.request.ProxyHandler({}))

        def get(path: str, data: bytes | None = None) -> str:
            with opener.open(urllib.request.Request(url + path, data=data), timeout=120) as answer:
                return str(answer.read().decode(errors="replace"))

        page = wait_for(lambda: get("/web/login"), what="the login page of the template", timeout_s=60)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        if not token:
            raise LabError("the template's login page has no form: Odoo did not load its modules")
        form = {"csrf_token": token[1], "login": "admin", "password": "admin", "redirect": "/odoo"}
        backend = get("/web/login", urllib.parse.urlencode(form).encode())
        for asset in sorted(set(re.findall(r'(?:src|href)="(/web/assets/[^"]+)"', page + backend))):
            get(asset)
        if "odoo.__session_info__" not in backend:
            raise LabError("the login into the template did not reach the web client")
    finally:
        server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:  # a threaded server may not end by itself
            server.kill()
            server.wait()


def _run(command: Sequence[object], env: dict[str, str], *, stdin: str = "", cwd: Path | None = None) -> str:
    argv = [str(part) for part in command]
    done = subprocess.run(argv, env=env, input=stdin, cwd=cwd, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: rc {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-4000:]}")
    if "CRITICAL" in done.stderr or "Traceback" in done.stderr:  # odoo shell, for one, ends with 0 whatever its script did
        raise LabError(f"{' '.join(argv)} ended with 0, but said:\n{done.stderr[-4000:]}")
    return done.stdout


def describe(folder: Path) -> str:
    files = [p for p in (folder / "filestore").rglob("*") if p.is_file()]
    sizes = {"dump_bytes": (folder / "odoo.dump").stat().st_size, "files": len(files), "files_bytes": sum(p.stat().st_size for p in files)}
    return json.dumps(sizes)
