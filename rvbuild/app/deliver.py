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

from rvbuild.app.result_place import Identity, copy, link
from rvbuild.app.session import Session
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RvbuildError
from rvbuild.core.events import Noticed
from rvbuild.core.tree import Tree
from rvbuild.engine.build import Built
from rvbuild.stores.top import RESULT
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
    errors: list[RvbuildError] = []
    finished = [goal for goal in goals if goal.needs <= built.realised.keys()]
    ready = _trees(session, built, finished, errors)
    views = {} if as_copies else _views(session, ready, errors)
    results = []
    for goal, tree in ready.items():
        with _gathered(errors):
            if as_copies:
                _copy(session, goal, tree)
            elif tree.root in views:
                _link(session, goal, views[tree.root])
            else:
                continue
            results.append(_result(goal, tree))
    return results, errors


def _trees(
    session: Session, built: Built, finished: Iterable[Goal], errors: list[RvbuildError]
) -> dict[Goal, Tree]:
    """The tree of each result. A large one takes long to read, so each is read once."""
    trees: dict[Digest, Tree] = {}
    ready = {}
    for goal in finished:
        root = built.realised[goal.derivation].output
        with _gathered(errors):
            if root not in trees:
                trees[root] = session.store.trees.tree(root)
            ready[goal] = trees[root]
    return ready


def _views(
    session: Session, ready: Mapping[Goal, Tree], errors: list[RvbuildError]
) -> dict[Digest, View]:
    """The view of each tree. Several are made at once, to wait for the disk together."""
    views: dict[Digest, View] = {}
    trees = {tree.root: tree for tree in ready.values()}
    with ThreadPoolExecutor(_VIEWS_AT_ONCE) as pool:
        futures = {root: pool.submit(view, session.store, tree) for root, tree in trees.items()}
        for goal, tree in ready.items():
            future = futures.pop(tree.root, None)
            if future is not None:
                with _gathered(errors):
                    views[tree.root] = future.result()
                    _tell_edit(session, goal.target, views[tree.root])
    return views


@contextmanager
def _gathered(errors: list[RvbuildError]) -> Iterator[None]:
    """The others may still go well."""
    try:
        yield
    except RvbuildError as error:
        errors.append(error)


def _result(goal: Goal, tree: Tree) -> TargetResult:
    return TargetResult(
        target=goal.target,
        place=goal.place,
        tree=str(tree.root),
        derivation=goal.derivation,
        files=tuple(path for path, _ in tree.walk()),
    )


def _tell_edit(session: Session, target: str, visible: View) -> None:
    if visible.aside:
        text = f"it was changed in ./{RESULT}, and is as it was built again"
        session.report(Noticed(target, f"{text}; what was made of it is at {visible.aside}"))


def _link(session: Session, goal: Goal, visible: View) -> None:
    link(visible.path, goal.place)
    session.store.roots.add_root(goal.target, goal.derivation, goal.place)


def _copy(session: Session, goal: Goal, tree: Tree) -> None:
    fill = partial(copy_out, session.store, tree, writable=True)
    aside = copy(fill, partial(is_copy, tree), goal.place, goal.before)
    if aside:
        text = f"what was at {goal.place} was no copy by rvbuild, or was changed"
        text = f"{text}; it is at {aside} now"
        session.report(Noticed(goal.target, text))
