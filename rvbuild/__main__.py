"""The program: from the command line to an exit code.

Knows: the quick answer when nothing is to be done, and where everything else is.
Must not know: what commands do. Commands are imported only when one really runs: their
libraries cost more start-up time than a build with nothing to do takes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from rvbuild.cli.arguments import parse
from rvbuild.cli.memo import Memo
from rvbuild.cli.workspace import Workspace


def main(words: Sequence[str] | None = None) -> int:
    """Run the program; the exit code."""
    arguments = parse(sys.argv[1:] if words is None else words)
    try:
        workspace = Workspace(os.getcwd(), arguments.store)
    except FileNotFoundError:
        sys.stderr.write("error: the working directory is gone\nhint: go to one that exists\n")
        return 2
    if hasattr(sys.stdout, "reconfigure"):  # a terminal without Unicode must not end a build
        sys.stdout.reconfigure(errors="backslashreplace")
    memo = None
    linked = arguments.command == "build" and arguments.output is None
    if linked and not arguments.override:
        question = [
            *arguments.targets,
            f"release={arguments.release}",
            f"check={not arguments.no_check}",
            f"json={arguments.json}",
            f"replace={arguments.replace}",
            f"option={arguments.option}",
            os.getcwd(),
            *workspace.recipes,
        ]
        memo = Memo(workspace.store, question)
        answer = memo.recall()
        if answer is not None:
            sys.stdout.write(answer)
            return 0
    from rvbuild.cli.run import run  # noqa: PLC0415 - see the module's docstring

    return run(arguments, workspace, memo)


if __name__ == "__main__":
    sys.exit(main())
