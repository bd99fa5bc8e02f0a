"""Words of the command line to what a run takes: settings, choices, targets.

Knows: the options' forms. Must not know: what is done with their values.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from rvbuild.app.choices import Choices
from rvbuild.app.session import Session
from rvbuild.app.targets import targets_of
from rvbuild.app.workspace import Workspace
from rvbuild.cli.commands import COMMANDS
from rvbuild.cli.options import table
from rvbuild.cli.progress import progress_for
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import UsageError, closest
from rvbuild.core.events import Noticed, Reporter
from rvbuild.core.graph import Target


def session_of(arguments: argparse.Namespace, workspace: Workspace, report: Reporter) -> Session:
    """The session that a command line asks for.

    Raises:
        UsageError: an option has another form than it must have.
    """
    choices = Choices(
        overrides=table(getattr(arguments, "override", ()), "--override", "NAME=PATH"),
        release=getattr(arguments, "release", False),
        keep_failed=getattr(arguments, "keep_failed", False),
        pull=arguments.command == "pull",
        as_upstream=getattr(arguments, "as_upstream", False),
    )
    return Session(workspace, report, choices)


@contextmanager
def run_of(arguments: argparse.Namespace, workspace: Workspace) -> Iterator[Session]:
    """A session that tells on standard error what it does, closed at the end."""
    with (
        progress_for(
            sys.stderr, os.environ, quiet=arguments.quiet, verbose=arguments.verbose
        ) as report,
        closing(session_of(arguments, workspace, report)) as session,
    ):
        yield session


def tell_of_settled(arguments: argparse.Namespace, workspace: Workspace) -> None:
    """Tell on standard error which files an interrupted change has got only now."""
    quiet = getattr(arguments, "quiet", False)  # what only shows something has no such option
    with progress_for(sys.stderr, os.environ, quiet=quiet, verbose=False) as report:
        text = f"a change that was interrupted has ended now: {', '.join(workspace.settled)}"
        report(Noticed("project", text))


def parse_targets(
    session: Session, words: Iterable[str], *, keep_going: bool = False
) -> tuple[Target, ...]:
    """The targets that words name, each once; see `targets_of`.

    Raises:
        UsageError: a word names none; it may be meant as a command.
        RecipeError: the recipe of one cannot be read.
    """
    targets: list[Target] = []
    for word in words:
        try:
            targets += targets_of(session, [word], keep_going=keep_going)
        except UsageError as error:
            near, hint = closest(word, COMMANDS), hint_text(error.hint)
            if word in COMMANDS:
                error.hint = f"a command stands before its options: `rvbuild {word} …`"
            elif near and session.folder.path(word) is None:
                also = f"{hint[:-1]} or" if hint.startswith("did you mean") else "did you mean"
                error.hint = f"{also} the command `rvbuild {near}`?"
            raise
    return tuple(dict.fromkeys(targets))
