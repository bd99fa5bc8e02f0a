"""Random graphs of Go modules: the set of a lock against what the go command downloads.

Run with the project's environment and a `go` on PATH: ``python tests/long/go/graphs.py``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from go_sets import held_against_go


def main() -> int:
    """Try the graphs, print those that disagree, and the figures.

    Returns 1 if any does, or if the go command could build none: then nothing was compared.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", type=int, help="this seed alone")
    parser.add_argument("--workspace", action="store_true", help="with a go.work each")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.count)
    counts: Counter[str] = Counter()
    for seed in seeds if given.only is None else [given.only]:
        counts[_trial(seed, workspace=given.workspace)] += 1
    words = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    sys.stdout.write(f"graphs: {counts.total()} tried, {words}\n")
    return 1 if counts["disagree"] or not counts["agree"] else 0


def _trial(seed: int, *, workspace: bool) -> str:
    with tempfile.TemporaryDirectory(prefix="graph-") as folder:
        verdict = held_against_go(seed, Path(folder), workspace=workspace)
    if verdict.truth is None:
        return "that go cannot build"
    if verdict.truth == verdict.ours:
        return "agree"
    more, less = sorted(verdict.ours - verdict.truth), sorted(verdict.truth - verdict.ours)
    sys.stdout.write(f"seed {seed}: too many {more}, too few {less}\n")
    return "disagree"


if __name__ == "__main__":
    sys.exit(main())
