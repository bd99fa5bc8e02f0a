"""`build`, `check` and `fetch`: from targets to links in the user's hand.

Knows: the order of a build's parts, and where results appear. Must not know: how a part works.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from attrs import frozen

from rvbuild.app.memo import Memo
from rvbuild.app.refusals import refuse_no_folder, refuse_occupied, refuse_own
from rvbuild.app.result_place import (
    RESULT,
    Identity,
    copy,
    identity,
    link,
    link_place,
)
from rvbuild.app.session import Session
from rvbuild.app.workspace import Workspace
from rvbuild.cli.streams import drop_output
from rvbuild.cli.target_results import TargetResult, render_results
from rvbuild.cli.words import parse_targets, run_of
from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RvbuildError
from rvbuild.core.events import Noticed
from rvbuild.core.graph import RecipeGraph, Target, with_checkers
from rvbuild.core.link import Linked
from rvbuild.engine.build import Built, build
from rvbuild.files.walk import below
from rvbuild.stores.shape import VIEW_MARK
from rvbuild.stores.views import View, copy_out, is_as_marked, is_copy, view

_VIEWS_AT_ONCE = 8
_MOST_STAMPED = 1000
"""Files of a result that a memo watches, with its folders: each costs some microseconds.
Results with more get no memo: a build looks at them itself."""


def build_command(arguments: argparse.Namespace, workspace: Workspace, memo: Memo | None) -> int:
    """`rvbuild build TARGET…`, and `rvbuild check TARGET…`: also what they are `checked-by`."""
    with run_of(arguments, workspace) as session:
        targets = parse_targets(session, arguments.targets)
        if arguments.command == "check":
            targets = with_checkers(targets, session.folder.load)
        places = {target: _place_of(str(target), arguments.output) for target in targets}
        if arguments.output is None:
            refuse_occupied(places.values())
        else:
            refuse_no_folder(arguments.output)
            refuse_own(places.values(), workspace.store, workspace.recipes, workspace.locks[0])
        before = {place: identity(place) for place in places.values()}
        graph, linked = session.link(targets, checks=not arguments.no_check)
        wanted = [*linked.results.values()]
        wanted += [check for checks in linked.checks.values() for check in checks]
        with session.store.shared():  # until the results are linked, so that no gc takes them
            built = build(
                linked.derivations,
                wanted,
                session.services(),
                jobs=session.jobs(),
                keep_going=arguments.keep_going,
            )
            results = _place(
                session,
                built,
                _wanted(linked, places, before),
                as_copies=arguments.output is not None,
            )
    built.raise_first()
    answer = render_results(results, as_json=arguments.json)
    if memo is not None:
        _remember(memo, answer, session, graph, results)
    _say(answer)
    return 0


def _say(answer: str) -> None:
    """Write the answer now: an error on the way is of a build that is done."""
    try:
        sys.stdout.write(answer)
        sys.stdout.flush()
    except OSError as error:
        error.add_note("what was built is kept")
        drop_output()
        raise


@frozen(kw_only=True)
class _Wanted:
    """A target's derivation, those without which it has no result, its place, what was there."""

    derivation: str
    needs: frozenset[str]
    place: str
    before: Identity | None


def _wanted(
    linked: Linked, places: Mapping[Target, str], before: Mapping[str, Identity | None]
) -> dict[Target, _Wanted]:
    return {
        target: _Wanted(
            derivation=digest,
            needs=frozenset({digest, *linked.checks[target]}),
            place=places[target],
            before=before[places[target]],
        )
        for target, digest in linked.results.items()
    }


def _place_of(target: str, output: str | None) -> str:
    return link_place(target) if output is None else os.path.abspath(os.path.join(output, target))


def fetch_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild fetch TARGET…`: every source that the targets need."""
    with run_of(arguments, workspace) as session:
        _, linked = session.link(parse_targets(session, arguments.targets), checks=True)
        sources = [key for key, each in linked.derivations.items() if isinstance(each, Fetch)]
        services = session.services()
        keep_going = arguments.keep_going
        build(linked.derivations, sources, services, jobs=1, keep_going=keep_going).raise_first()
    return 0


def _place(
    session: Session, built: Built, wanted: Mapping[Target, _Wanted], *, as_copies: bool
) -> list[TargetResult]:
    """Make the result of each target appear that is finished and checked.

    Raises:
        RvbuildError: one could not; the others are there.
    """
    ready = {
        str(target): (each, built.realised[each.derivation].output)
        for target, each in wanted.items()
        if each.needs <= built.realised.keys()
    }
    errors: list[RvbuildError] = []
    views = {} if as_copies else _views(session, ready, errors)
    results = []
    for target, (each, root) in ready.items():
        with _gathered(errors):
            if as_copies:
                _copy(session, target, root, each)
            elif root in views:
                _link(session, target, views[root], each)
            else:
                continue
            results.append(_result(session, target, root, each))
    if errors and not built.errors:
        raise errors[0]
    return results


def _views(
    session: Session, ready: Mapping[str, tuple[_Wanted, Digest]], errors: list[RvbuildError]
) -> dict[Digest, View]:
    """The view of each tree. Several are made at once, to wait for the disk together."""
    views: dict[Digest, View] = {}
    with ThreadPoolExecutor(_VIEWS_AT_ONCE) as pool:
        roots = dict.fromkeys(root for _, root in ready.values())
        made = {root: pool.submit(view, session.store, root) for root in roots}
        for target, (_, root) in ready.items():
            if root not in views:
                with _gathered(errors):
                    views[root] = made[root].result()
                    _tell_edit(session, target, views[root])
    return views


@contextmanager
def _gathered(errors: list[RvbuildError]) -> Iterator[None]:
    """The others may still go well."""
    try:
        yield
    except RvbuildError as error:
        errors.append(error)


def _result(session: Session, target: str, root: Digest, wanted: _Wanted) -> TargetResult:
    files = tuple(path for path, _ in session.store.tree(root).walk())
    return TargetResult(
        target=target,
        place=wanted.place,
        tree=str(root),
        derivation=wanted.derivation,
        files=files,
    )


def _tell_edit(session: Session, target: str, shown: View) -> None:
    if shown.aside:
        text = f"it was changed in ./{RESULT}, and is as it was built again"
        session.report(Noticed(target, f"{text}; what was made of it is at {shown.aside}"))


def _link(session: Session, target: str, shown: View, wanted: _Wanted) -> None:
    link(shown.path, wanted.place)
    session.store.add_root(target, wanted.derivation, wanted.place)


def _copy(session: Session, target: str, root: Digest, wanted: _Wanted) -> None:
    store = session.store
    fill = partial(copy_out, store, root, writable=True)
    aside = copy(fill, partial(is_copy, store.tree(root)), wanted.place, wanted.before)
    if aside:
        text = f"what was at {wanted.place} was no copy by rvbuild, or was changed"
        text = f"{text}; it is at {aside} now"
        session.report(Noticed(target, text))


def _remember(
    memo: Memo, answer: str, session: Session, graph: RecipeGraph, results: list[TargetResult]
) -> None:
    """Keep the answer for as long as recipes, locks and results stay as they are."""
    if any(len(result.files) > _MOST_STAMPED for result in results):
        return
    inputs = [*session.workspace.locks, *session.workspace.recipes]
    for name in graph.recipes:
        folder = session.folder.path(name)
        if folder is not None:
            inputs += [folder, *(each.path for each in below(folder))]
        # a folder that hides nothing yet may get a recipe
        inputs += [os.path.join(root, name) for root in session.workspace.recipes]
    links, marks = [], []
    for result in results:
        shown = os.readlink(result.place)
        tree = session.store.path(Digest.parse(result.tree))
        marks += [f"{tree}.tree", f"{shown}{VIEW_MARK}", shown]
        marks += [each.path for each in below(shown)]  # each folder too: something may come
        links.append((result.place, shown))
    layout = session.store.layout

    def is_right() -> bool:
        return all(is_as_marked(layout, shown) for _, shown in links)

    memo.keep(answer, inputs, links, marks, is_right)
