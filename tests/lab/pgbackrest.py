"""pgBackRest for a cluster of the lab: its configuration, and a command that runs it as the right user."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import Any

from tests.lab.private import write_private
from tests.lab.site import MARK, LabError, Site


def configure(site: Site, *, stanza: str, user: str, data: Path, port: int, socket: Path, s3: dict[str, Any]) -> tuple[Path, Path]:
    """Writes the configuration and the wrapper ``<root>/bin/pgbackrest-<stanza>``; returns (wrapper, configuration)."""
    if not shutil.which("pgbackrest"):
        raise LabError("pgbackrest is not installed: apt-get install pgbackrest")
    config = site.folder("pg", stanza) / "pgbackrest.conf"
    own = {name: site.folder("pg", stanza, f"pgbackrest-{name}", user=user, mode=0o750) for name in ("log", "lock", "spool")}
    glob = {
        "repo1-type": "s3",
        "repo1-path": f"/pgbackrest/{stanza}",
        "repo1-s3-bucket": s3["buckets"]["backups"],
        "repo1-s3-endpoint": s3["host"],
        "repo1-s3-region": s3["region"],
        "repo1-s3-uri-style": "path",
        "repo1-s3-key": s3["backup"]["access_key"],
        "repo1-s3-key-secret": s3["backup"]["secret_key"],
        "repo1-storage-ca-file": s3["ca"],
        "repo1-retention-full": 4,
        "repo1-bundle": "y",  # small files travel together: a full backup of an empty cluster takes 1 s instead of 8
        "compress-type": "lz4",
        "compress-level": 1,
        "process-max": 1,
        "start-fast": "y",
        "io-timeout": 20,  # a server that speaks no TLS would otherwise cost a minute per call
        "log-level-console": "warn",
        "log-level-file": "info",
        "log-path": own["log"],
        "lock-path": own["lock"],
        "spool-path": own["spool"],
    }
    cluster = {"pg1-path": data, "pg1-port": port, "pg1-socket-path": socket, "pg1-user": "postgres"}
    # verify asks for each of thousands of small files by itself, so it waits for answers, not for the processor
    lines = [
        "[global]",
        *(f"{k}={v}" for k, v in glob.items()),
        "",
        "[global:verify]",
        "process-max=8",
        "",
        f"[{stanza}]",
        *(f"{k}={v}" for k, v in cluster.items()),
        "",
    ]
    write_private(config, "\n".join(lines), user=user, mode=0o640)
    return _wrapper(site, stanza=stanza, user=user, config=config), config


def _wrapper(site: Site, *, stanza: str, user: str, config: Path) -> Path:
    wrapper = site.folder("bin") / f"pgbackrest-{stanza}"
    root, command = shlex.quote(str(site.root)), f'pgbackrest --config={shlex.quote(str(config))} "$@"'
    become = f"cd {root}; exec setpriv --reuid={user} --regid={user} --clear-groups {command}"
    lines = [
        "#!/bin/sh",
        f"# pgBackRest of the cluster {stanza}, as the owner of its files. The stanza is preset; --stanza overrides it.",
        # PostgreSQL calls this too (archive_command): then we are its user already, and the working folder is its data folder.
        f"export {MARK}={root} PGBACKREST_STANZA={stanza}",
        # The restore_command that a restore leaves behind names the stanza only when the command line does.
        f'case " $* " in *" --stanza"*) ;; *" restore "*) set -- --stanza={stanza} "$@" ;; esac',
        f'if [ "$(id -u)" = 0 ]; then {become}; fi',
        f"exec {command}",
        "",
    ]
    temporary = wrapper.with_suffix(".tmp")
    temporary.write_text("\n".join(lines))
    temporary.chmod(0o755)
    temporary.rename(wrapper)
    return wrapper


def owner() -> str:
    """The operating system's user who owns the clusters: PostgreSQL refuses to run as root."""
    if os.geteuid() == 0:
        return "postgres"
    import pwd

    return pwd.getpwuid(os.geteuid()).pw_name


def backups(site: Site, wrapper: Path | str) -> list[str]:
    """The labels of the backups in the repository."""
    return [b["label"] for s in json.loads(site.run([wrapper, "info", "--output=json"])) for b in s.get("backup", [])]


def first_backup(site: Site, wrapper: Path) -> None:
    """Stanza, check and a full backup. Every step may be repeated; a backup is made only when there is none."""
    site.run([wrapper, "stanza-create"])
    site.run([wrapper, "check"])
    if not backups(site, wrapper):
        site.run([wrapper, "backup", "--type=full"])
