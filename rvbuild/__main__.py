"""The program: from the command line to an exit code.

Knows: the quick answer when nothing is to be done, and where everything else is.
Must not know: what commands do. Commands are imported only when one really runs: their
libraries cost more start-up time than a build with nothing to do takes.
"""

from __future__ import annotations

import os
import sys

from rvbuild.cli.interrupts import leave_when_interrupted

if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "rvbuild":
    leave_when_interrupted()  # before more is imported

import argparse
import gc
from collections.abc import Sequence

from rvbuild.app.memo import Memo
from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace
from rvbuild.cli.arguments import parse
from rvbuild.cli.options import settings_in, store_in
from rvbuild.cli.streams import open_streams

COLLECTION = 50_000, 20, 20
"""How many more objects than before let Python look for cycles (Python's own: 700, 10, 10). Values
have none; a tree has ten thousands of them, and looking through them again and again took 8% of
the time of a pull."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; the exit code.

    Args:
        words: The command line. With None the process is the program's: its own words are
            taken, and its signals, streams and umask are set.
    """
    if words is None:
        _begin_again_in_utf_8()
        leave_when_interrupted()
        open_streams()
        gc.set_threshold(*COLLECTION)
        os.umask(os.umask(0o077) & 0o077)  # what we make is of no use if we must not enter it
    words = sys.argv[1:] if words is None else words
    try:
        try:
            return _answer(words)
        finally:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - none is to be a traceback
        return _tell(error, store_in(words))


def _begin_again_in_utf_8() -> None:
    """Begin anew where Python would write names in the bytes of somebody's locale.

    What a store holds is shared by people with other locales. The environment stays as it is:
    steps and clients get it.
    """
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        words = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        os.execv(sys.executable, words)  # noqa: S606 - this very command


def _answer(words: Sequence[str]) -> int:
    arguments = parse(words)
    workspace = Workspace(_here(), Settings.of_user(os.environ, settings_in(arguments)))
    memo = _memo_of(arguments, workspace)
    answer = memo.recall() if memo and not workspace.settled else None
    if answer is not None:
        sys.stdout.write(answer)
        return 0
    from rvbuild.cli.run import run  # noqa: PLC0415 - see the module's docstring

    return run(arguments, workspace, memo)


def _memo_of(arguments: argparse.Namespace, workspace: Workspace) -> Memo | None:
    """The memo of a build that links its results, unless a folder stands for a source."""
    if arguments.command != "build" or arguments.output is not None or arguments.override:
        return None
    if arguments.push_required:  # what was built before may still have to be brought
        return None
    question = [
        *arguments.targets,
        f"release={arguments.release}",
        f"upstream={arguments.as_upstream}",
        f"check={not arguments.no_check}",
        f"json={arguments.json}",
        f"replace={workspace.settings.replace}",
        f"options={workspace.settings.options}",
        f"accept={workspace.settings.accept}",
        os.getcwd(),
        *workspace.recipes,
    ]
    return Memo(workspace.store, question)


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        from rvbuild.core.errors import UsageError  # noqa: PLC0415 - only when it is gone

        msg = "the working directory is gone"
        raise UsageError(msg, hint="go to one that exists") from None


def _tell(error: BaseException, store: str | None) -> int:
    try:
        from rvbuild.cli.ending import tell  # noqa: PLC0415 - see the module's docstring

        return tell(error, store)
    except (MemoryError, ImportError, OSError):
        sys.stderr.write(f"error: this machine has no room for the program: {error!r}\n")
        return 6


if __name__ == "__main__":
    sys.exit(main())
