"""What a build leaves in the person's hand, as text for standard output.

Knows: lines for people, a document for programs. Must not know: how results were made.
The text does not depend on the terminal: a later run without work repeats it as it was.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from rvbuild.app.build import BuildView, TargetResult
from rvbuild.app.fetch import FetchView
from rvbuild.cli.json_text import answer_text, error_row
from rvbuild.core.printable import printable_line

_MOST_FILES = 4


def render_results(build: BuildView, *, as_json: bool, store: str | None = None) -> str:
    """One line a result, or one JSON document; ends with a newline unless empty.

    A line is the path of the link (relative below the working directory), two spaces, and
    the files in it. The document, in ASCII::

        {"version": 1,
         "results": [{"target": "runc-riscv64",
                      "path": "/home/me/result/runc-riscv64",
                      "tree": "sha256 of the REAPI Directory/size",
                      "derivation": "sha256 in hex",
                      "files": ["bin/runc"]}],
         "failures": [],
         "missing": []}

    Results are in the order of the targets, files in the order of the tree. Failures are rows of
    ``json_text.error_row``, ``missing`` are targets that have no result; the lines for people leave
    both out, for they go to standard error. ``store`` is the one that the command line named.
    """
    results = build.results
    if as_json:
        failures = [error_row(each, store) for each in build.failures]
        rows = [_entry(each) for each in results]
        return answer_text({"results": rows, "failures": failures, "missing": build.missing})
    places = [printable_line(_near(result.place)) for result in results]
    width = max(map(len, places), default=0)
    lines = zip(places, results, strict=True)
    return "".join(f"{place:<{width}}  {_files(result.files)}\n" for place, result in lines)


def render_sources(fetched: FetchView, store: str | None = None) -> str:
    """One JSON document, in the shape of a build's; ends with a newline.

    For example::

        {"version": 1,
         "sources": [{"source": "runc@v1.2.6",
                      "tree": "sha256 of the REAPI Directory/size",
                      "derivation": "sha256 in hex"}],
         "failures": [],
         "missing": []}

    Sources are in the order of the plan. ``missing`` are those that are not in the store, then
    the targets whose sources nobody can tell.
    """
    rows = [
        {"source": fetched.labels[key], "tree": str(tree), "derivation": key}
        for key, tree in fetched.trees.items()
    ]
    failures = [error_row(each, store) for each in fetched.failures]
    return answer_text({"sources": rows, "failures": failures, "missing": fetched.missing})


def _entry(result: TargetResult) -> dict[str, object]:
    return {
        "target": result.target,
        "path": result.place,
        "tree": result.tree,
        "derivation": result.derivation,
        "files": list(result.files),
    }


def _near(path: str) -> str:
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)


def _files(files: Sequence[str]) -> str:
    if not files:
        return "(empty)"
    more = len(files) - _MOST_FILES
    first = " ".join(printable_line(file) for file in files[:_MOST_FILES])
    return f"{first} and {more} more" if more > 0 else first
