"""Keeps the answer of a build for as long as it holds.

Knows: which files the answer was made from. Must not know: how they are watched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from rvbuild.app.build import BuildView, TargetResult
from rvbuild.app.memo import Memo
from rvbuild.app.session import Session
from rvbuild.core.digest import Digest
from rvbuild.core.names import RecipeName
from rvbuild.core.recipe import SourceUse
from rvbuild.files.walk import below
from rvbuild.stores.shape import VIEW_MARK
from rvbuild.stores.views import is_as_marked

_MOST_STAMPED = 1000
"""Files of a result that a memo watches, with its folders: each costs some microseconds.
Results with more get no memo: a build looks at them itself."""


def remember(memo: Memo, answer: str, session: Session, build: BuildView) -> None:
    """Keep ``answer`` for as long as recipes, locks and the linked results stay as they are.

    Not that of a recipe with a folder of this machine, whose files no memo watches; nor of one
    that says something until a day, after which a build has more to tell; nor of a release that may
    have sums to tell of (`app.unvouched`), which it does each time.
    """
    if any(len(result.files) > _MOST_STAMPED for result in build.results):
        return
    if any(use.spec.volatile for name in build.recipes for use in _sources(session, name)):
        return
    if any(each.until for name in build.recipes for _, each in session.folder.load(name).overrides):
        return
    if session.choices.release and any(_has_modules_instead(session, e) for e in build.recipes):
        return
    inputs = [*session.workspace.locks, *session.workspace.recipes, *session.folder.series_files()]
    if any(made.voucher_sets for made in build.made):
        inputs += _keys(session)
    for name in build.recipes:
        inputs += _inputs(session, name)
    links = [(result.place, os.readlink(result.place)) for result in build.results]
    marks = [
        mark
        for result, (_, view) in zip(build.results, links, strict=True)
        for mark in _marks(session, result, view)
    ]
    layout = session.store.layout

    def is_right() -> bool:
        return all(is_as_marked(layout, view) for _, view in links)

    memo.keep(answer, inputs, links, marks, is_right)


def _keys(session: Session) -> Iterator[str]:
    """Where keys are, on whose word a result, or what it was made of, was taken."""
    from rvbuild.app.signing_key import KeyFolders  # noqa: PLC0415 - only where there are such

    folders = KeyFolders.of(session.workspace)
    for folder in (folders.team, folders.own):
        if folder and os.path.isdir(folder):
            yield from (each.path for each in below(folder))
        yield from (folder,) if folder else ()


def _sources(session: Session, name: str) -> Iterable[SourceUse]:
    return session.folder.load(name).sources.values()


def _has_modules_instead(session: Session, name: str) -> bool:
    modules = session.folder.load(name).go_modules
    return modules is not None and bool(modules.instead)


def _inputs(session: Session, name: str) -> Iterator[str]:
    """A recipe's files, and the folders that would hide it."""
    name = RecipeName.parse(name).base
    folder = session.folder.path(name)
    if folder is not None:
        yield folder
        yield from (each.path for each in below(folder))
    # a folder that hides nothing yet may get a recipe
    yield from (os.path.join(root, name) for root in session.workspace.recipes)


def _marks(session: Session, result: TargetResult, view: str) -> Iterator[str]:
    """What the build made for a result: the tree's mark, the view and all that is in it."""
    tree = session.store.mountable.path(Digest.parse(result.tree))
    yield from (f"{tree}.tree", f"{view}{VIEW_MARK}", view)
    yield from (each.path for each in below(view))  # each folder too: something may come
