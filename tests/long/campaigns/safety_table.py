"""Write the table of docs/safety.md: for each row, the last record of its campaigns.

Run: ``python tests/long/campaigns/safety_table.py``. Records are lines of JSON in
docs/safety.jsonl, which ``--record`` of each campaign and of ``run_tests.py`` appends to.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from campaign import ROOT

_FEW = 7
BEGIN, END = "<!-- table: safety_table.py -->\n", "<!-- end -->\n"
ROWS = (
    ("crash", "kills"),
    ("updates", "updates"),
    ("power loss", "power"),
    ("I/O errors", "io-errors"),
    ("bit rot", "bit-rot"),
    ("concurrency", "crowd"),
    ("archives", "archives"),
    ("bombs", "bombs"),
    ("sandbox", "sandbox"),
    ("steps against each other", "steps"),
    ("links in the store", "links"),
    ("lock against recipe", "lock"),
    ("git", "git"),
    ("transfers", "transfers"),
    ("signatures", "signatures"),
    ("forgeries", "forgeries"),
    ("damaged caches", "damaged-caches"),
    ("cache poisoning", "poisoning"),
    ("leases of caches", "leases"),
    ("secrets", "secrets"),
    ("surroundings", "surroundings"),
)
"""Area, and the name of the campaign or of the run of tests."""


def table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """The rows as Markdown; a campaign without a record has not run."""
    lines = ["| area | command | tried | failed | date | commit |", "|---|---|---|---|---|---|"]
    for area, name in ROWS:
        found = records.get(name)
        if found is None:
            lines.append(f"| {area} | - | not run | - | - | - |")
            continue
        cells = [f"`{found['command']}`", _tried(found), found["failed"]]
        cells += [found["date"], f"`{found['commit']}`"]
        lines.append(f"| {area} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _tried(record: Mapping[str, Any]) -> str:
    """The number, and of which kinds the trials were, where these are few."""
    kinds = record["kinds"]
    told = ", ".join(f"{number:,} {kind}" for kind, number in sorted(kinds.items()))
    more = f" ({told})" if 1 < len(kinds) <= _FEW else ""
    return f"{record['tried']:,}{more}"


def main() -> int:
    """Read the records, rewrite the table."""
    records: dict[str, Mapping[str, Any]] = {}
    source = ROOT / "docs/safety.jsonl"
    for line in source.read_text().splitlines() if source.exists() else ():
        record = json.loads(line)
        records[record["campaign"]] = record
    page = ROOT / "docs/safety.md"
    head, _, rest = page.read_text().partition(BEGIN)
    page.write_text(head + BEGIN + table(records) + END + rest.partition(END)[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())
