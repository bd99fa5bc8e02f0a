"""`build`, `check` and `fetch`: draws results, and keeps the answer for the next time.

Knows: what is written where. Must not know: how anything is built.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import TYPE_CHECKING

from rvbuild.app.build import build_targets
from rvbuild.app.fetch import fetch_sources
from rvbuild.app.memo import Memo
from rvbuild.app.remember import remember
from rvbuild.app.session import Session
from rvbuild.app.uploads import uploads_of
from rvbuild.app.workspace import Workspace
from rvbuild.cli.messages import count_text, size_text
from rvbuild.cli.streams import drop_output
from rvbuild.cli.target_results import render_results, render_sources
from rvbuild.cli.words import parse_targets, run_of
from rvbuild.core.printable import printable_line

if TYPE_CHECKING:
    from rvbuild.app.cache_uploads import CacheUploads, UploadView


def build_command(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """`rvbuild build TARGET…`; `rvbuild check TARGET…`: also what they are `checked-by`.

    `rvbuild pull TARGET…` makes nothing.
    """
    every_check = arguments.command == "check"
    with ExitStack() as stack:
        with run_of(arguments, workspace) as session:
            uploads = stack.enter_context(_uploads(arguments, session))
            view = build_targets(
                session,
                parse_targets(session, arguments.targets, keep_going=arguments.keep_going),
                output=arguments.output,
                checks=every_check or not arguments.no_check,
                checkers=every_check,
                keep_going=arguments.keep_going,
                uploads=uploads,
            )
        answer = render_results(view, as_json=arguments.json, store=arguments.store)
        if memo is not None and not view.failures:
            remember(memo, answer, session, view)
        _say(answer, "what was built is kept")
        if view.missing and len(view.missing) + len(view.results) > 1:
            sys.stderr.write(printable_line(f"no result: {', '.join(view.missing)}") + "\n")
        if uploads is not None:
            _finish(uploads, quiet=arguments.quiet)
    view.refuse_failures()
    return 0


def _uploads(
    arguments: argparse.Namespace, session: Session
) -> AbstractContextManager[CacheUploads | None]:
    """What a build brings into caches; a pull brings nothing."""
    if arguments.command == "pull":
        return nullcontext()
    return uploads_of(session, required=arguments.push_required)


def _finish(uploads: CacheUploads, *, quiet: bool) -> None:
    """Wait for what is under way; say what was brought, and what was not."""

    def tell(cache: str, text: str) -> None:
        if not quiet:
            sys.stderr.write(printable_line(f"{cache}: {text}") + "\n")

    for view in uploads.finish(tell):
        for line in () if quiet else _upload_lines(view):
            sys.stderr.write(printable_line(line) + "\n")


def _upload_lines(view: UploadView) -> Iterator[str]:
    for target, problem in view.others:
        yield f"not brought into {view.cache}: {target}: {problem}"
    if view.results:
        results = count_text(view.results, "result")
        yield f"brought into {view.cache}: {results}, {size_text(view.sent)} sent"
    if view.owed:
        why = f": {view.failure.message}" if view.failure else ""
        names = ", ".join(view.owed)
        yield f"not brought into {view.cache}{why}; the next build or push brings {names}"


def _say(answer: str, note: str) -> None:
    """Write the answer now: an error on the way, which gets a note, is of work that is done."""
    try:
        sys.stdout.write(answer)
        sys.stdout.flush()
    except OSError as error:
        error.add_note(note)
        drop_output()
        raise


def fetch_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild fetch TARGET…`: every source that the targets need."""
    with run_of(arguments, workspace) as session:
        targets = parse_targets(session, arguments.targets, keep_going=arguments.keep_going)
        view = fetch_sources(session, targets, keep_going=arguments.keep_going)
    if arguments.json:
        _say(render_sources(view, arguments.store), "what was fetched is kept")
    view.refuse_failures()
    return 0
