"""What the lab takes from the machine's own Debian: the archive it already uses, and the newest PostgreSQL it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lab.site import LabError

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
APT = Path("/etc/apt")
POSTGRESQL = Path("/usr/lib/postgresql")
# Debian's own archive has these suites with a component called main; what vendors add beside it has other suites or components.
SUITES = {"bookworm", "trixie", "forky", "sid", "oldstable", "stable", "testing", "unstable"}


@dataclass(frozen=True)
class Source:
    """One archive of apt's configuration."""

    address: str
    suites: tuple[str, ...]
    components: tuple[str, ...]

    @property
    def is_debian(self) -> bool:
        return "main" in self.components and bool(SUITES & set(self.suites))


def mirror(apt: Path = APT) -> str:
    """The Debian archive that this machine already uses: the first one in its apt sources that holds Debian itself."""
    files = [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list")), *sorted(apt.glob("sources.list.d/*.sources"))]
    for file in files:
        if file.is_file():
            found = deb822(file.read_text()) if file.suffix == ".sources" else one_line(file.read_text())
            if debian := next((source for source in found if source.is_debian), None):
                return debian.address
    raise LabError(
        f"no archive of Debian in {apt}/sources.list or {apt}/sources.list.d, from which the lab takes Odoo and Kubernetes: "
        "the lab needs Debian; add a source with a suite such as bookworm and the component main"
    )


def one_line(text: str) -> Iterator[Source]:
    """Sources of the form ``deb [options] address suite component…``."""
    for line in text.splitlines():
        if match := re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)\s+([^#]+)", line):
            yield Source(match[1], (match[2],), tuple(match[3].split()))


def deb822(text: str) -> Iterator[Source]:
    """Sources as paragraphs of fields; a field goes on in the lines that begin with a space."""
    without_comments = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", without_comments):
        fields = {name.lower(): value.split() for name, value in re.findall(r"^([\w-]+):(.*(?:\n[ \t].*)*)", paragraph, re.MULTILINE)}
        disabled = fields.get("enabled", ["yes"])[:1] == ["no"]
        if "deb" in fields.get("types", []) and fields.get("uris") and not disabled:
            yield Source(fields["uris"][0], tuple(fields.get("suites", ())), tuple(fields.get("components", ())))


def postgres_bin(under: Path = POSTGRESQL) -> Path:
    """The programs of the newest PostgreSQL server of the distribution."""
    found = [path.parent for path in under.glob("*/bin/initdb") if path.parts[-3].isdigit()]
    if not found:
        raise LabError(f"no PostgreSQL server under {under}: apt-get install postgresql")
    return max(found, key=lambda path: int(path.parts[-2]))
