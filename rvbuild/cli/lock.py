"""`lock`, as people call it.

Knows: its options, and what it prints. Must not know: how facts are found out or written.
"""

from __future__ import annotations

import argparse
import sys

from rvbuild.app.lock import LockResult, lock
from rvbuild.app.memo import Memo
from rvbuild.app.merge import merge_lock_files
from rvbuild.app.workspace import Workspace
from rvbuild.cli.messages import count_text
from rvbuild.cli.words import run_of
from rvbuild.core.printable import printable_line


def lock_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild lock [RECIPE…]`."""
    if arguments.merge:
        merge_lock_files(*arguments.merge)
        return 0
    with run_of(arguments, workspace) as session:
        result = lock(session, tuple(arguments.recipes), check=arguments.check)
    if arguments.check:
        result.refuse_failures(difference=True)
    else:
        result.write()
    if not arguments.quiet:
        same = "" if any(result.differences()) else ", unchanged"
        path = printable_line(result.path)
        sys.stderr.write(f"{path}: {_counts(result)}{same}{_unvouched(result)}\n")
    result.refuse_failures()
    return 0


def _counts(result: LockResult) -> str:
    pins = count_text(len(result.new.pins), "pin")
    sources = count_text(len(result.new.sources), "source")
    sets = count_text(len(result.new.go_modules), "set")
    return f"{pins}, {sources}, {sets} of Go modules"


def _unvouched(result: LockResult) -> str:
    """How many modules nobody vouches for, also of sets that this run did not look at."""
    names = {name for each in result.new.go_modules.values() for name in each.unvouched_modules}
    return f"; nobody vouches for {count_text(len(names), 'module')}" if names else ""
