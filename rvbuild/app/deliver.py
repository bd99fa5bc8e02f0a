"""Lets the results of a build appear: links to views of them, or copies.

Knows: which results are finished and checked. Must not know: how they were made, how a place is
taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from attrs import frozen

from rvbuild.app.result_place import RESULT, Identity, copy, link
from rvbuild.app.session import Session
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RvbuildError
from rvbuild.core.events import Noticed
from rvbuild.engine.build import Built
from rvbuild.stores.views import View, copy_out, is_copy, view

_VIEWS_AT_ONCE = 8


@frozen(kw_only=True)
class TargetResult:
    """One target's result.

    Attributes:
        target: ``runc-riscv64``.
        place: Absolute path of the link into the store, or of the copy.
        tree: Digest of the output's tree.
        derivation: Derivation digest.
        files: Paths in the tree.
    """

    target: str
    place: str
    tree: str
    derivation: str
    files: tuple[str, ...]


@frozen(kw_only=True)
class Goal:
    """A result that is to appear.

    Attributes:
        target: ``runc-riscv64``.
        derivation: Its digest.
        needs: The derivations without which there is no result: its own, and its checks.
        place: Where it is to appear.
        before: What was there before the build.
    """

    target: str
    derivation: str
    needs: frozenset[str]
    place: str
    before: Identity | None


def deliver(
    session: Session, built: Built, goals: Iterable[Goal], *, as_copies: bool
) -> tuple[list[TargetResult], list[RvbuildError]]:
    """Make the result of each target appear that is finished and checked.

    Returns:
        The results that are there, and why others could not appear.
    """
    ready = {
        goal: built.realised[goal.derivation].output
        for goal in goals
        if goal.needs <= built.realised.keys()
    }
    errors: list[RvbuildError] = []
    views = {} if as_copies else _views(session, ready, errors)
    results = []
    for goal, root in ready.items():
        with _gathered(errors):
            if as_copies:
                _copy(session, goal, root)
            elif root in views:
                _link(session, goal, views[root])
            else:
                continue
            results.append(_result(session, goal, root))
    return results, errors


def _views(
    session: Session, ready: Mapping[Goal, Digest], errors: list[RvbuildError]
) -> dict[Digest, View]:
    """The view of each tree. Several are made at once, to wait for the disk together."""
    views: dict[Digest, View] = {}
    with ThreadPoolExecutor(_VIEWS_AT_ONCE) as pool:
        futures = {
            root: pool.submit(view, session.store, root) for root in dict.fromkeys(ready.values())
        }
        for goal, root in ready.items():
            if root not in views:
                with _gathered(errors):
                    views[root] = futures[root].result()
                    _tell_edit(session, goal.target, views[root])
    return views


@contextmanager
def _gathered(errors: list[RvbuildError]) -> Iterator[None]:
    """The others may still go well."""
    try:
        yield
    except RvbuildError as error:
        errors.append(error)


def _result(session: Session, goal: Goal, root: Digest) -> TargetResult:
    files = tuple(path for path, _ in session.store.trees.tree(root).walk())
    return TargetResult(
        target=goal.target,
        place=goal.place,
        tree=str(root),
        derivation=goal.derivation,
        files=files,
    )


def _tell_edit(session: Session, target: str, visible: View) -> None:
    if visible.aside:
        text = f"it was changed in ./{RESULT}, and is as it was built again"
        session.report(Noticed(target, f"{text}; what was made of it is at {visible.aside}"))


def _link(session: Session, goal: Goal, visible: View) -> None:
    link(visible.path, goal.place)
    session.store.roots.add_root(goal.target, goal.derivation, goal.place)


def _copy(session: Session, goal: Goal, root: Digest) -> None:
    store = session.store
    fill = partial(copy_out, store, root, writable=True)
    aside = copy(fill, partial(is_copy, store.trees.tree(root)), goal.place, goal.before)
    if aside:
        text = f"what was at {goal.place} was no copy by rvbuild, or was changed"
        text = f"{text}; it is at {aside} now"
        session.report(Noticed(goal.target, text))
