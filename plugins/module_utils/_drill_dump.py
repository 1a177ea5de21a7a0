# Copyright: (c) 2026, odoo_ops
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A drill of one tenant's newest dump, as tenant_dump takes it: into a new cluster, where nothing of the old one is left."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.odoo_ops.change_control.plugins.module_utils._core import drill, dumps
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.checks import Check
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.dumps import Dump
from ansible_collections.odoo_ops.change_control.plugins.module_utils._core.errors import ChangeError
from ansible_collections.odoo_ops.change_control.plugins.module_utils._drill import BACK, Drill
from ansible_collections.odoo_ops.change_control.plugins.module_utils._dumps import readable_dumps
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.dump_store import store_at
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch import Scratch, free_bytes
from ansible_collections.odoo_ops.change_control.plugins.module_utils._io.scratch_postgres import Instance, account, binaries

HINT = "Take a dump now, and look for the cause in the storage."
GROWN = 10
"""A database may be so many times as large as its dump: text packs well, and indexes are not in it."""


@dataclass
class DumpDrill(Drill):
    """The steps that differ from those of a cluster's backup. ``order.databases`` is the one that the dumps are of."""

    dump: Dump | None = None

    @property
    def database(self) -> str:
        return self.order.databases[0]

    def _scratch(self) -> Scratch:
        return Scratch(self.order.scratch, f"dump-{self.database}", account(self.order.run_as))

    def _preflight(self) -> tuple[Any, Any, Path]:
        order = self.order
        store = store_at(order.dumps, order.s3)
        found, damaged = readable_dumps(store, self.database)
        if not found:
            seen = f"{store} has no dump of {self.database} whose manifest can be read ({len(damaged)} cannot)"
            raise ChangeError(f"{seen}. Take one with tenant_dump.", code="NO_BACKUP")
        dump = max(found, key=lambda one: one.began)
        folder, version = binaries(dump.version, order.pg_bin)
        room = {"size": dump.size * GROWN, "free": free_bytes(order.scratch)}
        self.record.checks += drill.judge_before(**room, version=dump.version, binaries=version, scratch=str(order.scratch))
        self._judge_command()
        self.dump, self.found["backup"] = dump, dumps.document(dump)
        return dump, None, folder or Path()

    def _restore(self, scratch: Scratch, home: Path, backup: Dump) -> bool:
        """Brings the dump, and holds each of its files against the manifest."""
        with self.record.told("restores"), self.record.timed("restore_s"):
            store, into = store_at(self.order.dumps, self.order.s3), home / "export"
            if missing := sorted({part.name for part in backup.parts} - store.listing().keys()):
                self.checks.append(Check("restores", False, {"missing": missing}, backup.label, HINT, "INCOMPLETE"))
                return False
            wrong = [part.name for part in backup.parts if self._fetch(store, part, into) != (part.size, part.sha256)]
            scratch.give(home)
            self.checks.append(Check("restores", not wrong, wrong or backup.label, "what the manifest says", HINT, "CHECKSUM"))
        return self.record.good

    def _fetch(self, store: Any, part: dumps.File, into: Path) -> tuple[int, str]:
        path, hashing, size = into if "/" not in part.name else into / part.name.rpartition("/")[2], hashlib.sha256(), 0
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with path.open("wb") as out:
            for chunk in store.chunks(part.name):
                hashing.update(chunk)
                size += out.write(chunk)
        return size, hashing.hexdigest()

    def _open(self, instance: Instance) -> bool:
        with self.record.told("opens"), self.record.timed("initdb_s"):
            instance.make()
            return super()._open(instance)
        return False

    def _bring_back(self, instance: Instance) -> bool:
        with self.record.told("brings_back"), self.record.timed("import_s"):
            instance.make_from(instance.folder / "export", BACK)
            self.checks.append(Check("brings_back", True, f"database {self.database}", "restored", code="EXPORT"))
            return True
        return False

    def _look(self, instance: Instance, backup: Dump, system: Any) -> None:  # noqa: ARG002 - the port
        found = self.found
        with self.record.told("looks"), self.record.timed("checks_s"):
            self.checks.append(drill.judge_isolation(instance.shown(list(drill.ISOLATION))))
            found["rpo_s"] = drill.rpo_s(began=self.began, last_commit=None, backup_stop=backup.began)
            found["database_bytes"] = instance.size_of_all()
            seen = [replace(instance.look(BACK), name=self.database)]
            found["databases"] = [database.document() for database in seen]
            self.record.checks += drill.judge_databases(seen, [self.database])
