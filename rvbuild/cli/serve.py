"""`serve`: says what is served, and serves it until somebody presses ^C.

Knows: lines and documents. Must not know: what is served, and how.
"""

from __future__ import annotations

import argparse
import sys

from rvbuild.app.memo import Memo
from rvbuild.app.serve import ServeView, served
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import print_answer
from rvbuild.cli.messages import count_text
from rvbuild.cli.words import run_of
from rvbuild.core.printable import printable_line


def serve_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild serve`: ^C is its ordinary end."""
    with (
        run_of(arguments, workspace) as session,
        served(session, arguments.bind, arguments.port) as (server, view),
    ):
        _tell(view, as_json=arguments.json, quiet=arguments.quiet)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def _tell(view: ServeView, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        print_answer({"url": view.url, "key": view.key, "targets": list(view.targets)})
    else:
        sys.stdout.write(f"{view.url}\n")
    sys.stdout.flush()
    for line in () if quiet else _lines(view):
        sys.stderr.write(printable_line(line) + "\n")


def _lines(view: ServeView) -> tuple[str, ...]:
    targets = count_text(len(view.targets), "target")
    return (
        f"serves {targets} that links show, and what is below them, signed by {view.key}",
        "no TLS, no login, no writing: whoever reaches the port can read all of it",
        f"others: `rvbuild caches add NAME {view.url}`, and `rvbuild keys trust` for that key",
    )
