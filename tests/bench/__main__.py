"""./dev bench: figures, each from one run on this machine. Counted and bounded; nothing is judged here."""

from __future__ import annotations

import sys

from tests import conftest  # noqa: F401 pylint: disable=unused-import # its import makes the checkout a collection
from tests.bench import basebackup, calendars, drill, filestore, gates, judge_rates, judge_speed, ledger_speed, memory, repository


def main() -> int:
    gates.main()
    ledger_speed.main([])
    calendars.main()
    repository.main()
    basebackup.main()
    memory.main()
    drill.main()
    filestore.main()
    judge_speed.main()
    sys.argv = [sys.argv[0], "--runs", "100"]
    return judge_rates.main()


if __name__ == "__main__":
    sys.exit(main())
