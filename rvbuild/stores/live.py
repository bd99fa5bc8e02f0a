"""What of a store is live: what somebody holds, or used lately, and all that it needs.

Knows: what keeps what. Must not know: how the rest is removed.

Rules 2 to 6 of ``collect`` say what is live. A live record keeps what it needs (``reach``).

The rule: whatever says what is live is checked before anything is believed. A record that is
damaged, that carries another name than its own, or that names what is not there, may have named
something else before, which somebody holds: then it is an error, and nothing may go. Example: a
root whose derivation has one digit changed would lose the result that its link shows. What a newer
rvbuild wrote is the same: nobody here knows what it needs.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from typing import NoReturn

from attrs import define, evolve, field, frozen

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Damaged, VerificationError
from rvbuild.core.ports.roots import Root
from rvbuild.core.realisation import derivation_of
from rvbuild.core.tree import Tree
from rvbuild.stores.failures import decode_failure
from rvbuild.stores.layout import Layout
from rvbuild.stores.reach import (
    Needs,
    Presence,
    derivation_inputs,
    failure_needs,
    outcome_needs,
    realisation_needs,
    root_needs,
    tree_blobs,
)
from rvbuild.stores.records import damage_at, read_record
from rvbuild.stores.results import decode_outcome, decode_realisation
from rvbuild.stores.shape import AC, CAS, FAILED, MARK, REALISATIONS, TREES, Survey, places

DAY = 86_400


@frozen(kw_only=True)
class Result:
    """A result's record, what it needs, and when it was last used."""

    path: str
    used: float
    needs: Needs
    rooted: bool = False


@frozen
class _KeptTree:
    root: Digest
    message: Digest
    blobs: frozenset[str]


@define
class Live:
    """What stays of the store that ``there`` lists; ``size`` is that of the blobs, in bytes."""

    layout: Layout
    there: Survey
    trees: set[str] = field(factory=set)
    blobs: set[str] = field(factory=set)
    size: int = 0
    _known: dict[str, _KeptTree] = field(factory=dict, init=False)
    _seen_inputs: set[str] = field(factory=set, init=False)
    _in_cas: frozenset[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._in_cas = frozenset(name for name, _ in self.there.named(CAS))

    def add(self, result: Result, limit: float) -> bool:
        """Keep what ``result`` needs, unless the blobs were then more than ``limit`` bytes.

        Raises:
            VerificationError: what the result names is not in the store as it says.
            OSError: a mark could not be read.
        """
        output = result.needs.output
        needs = {self._blob(result.path, what, blob) for what, blob in result.needs.blobs()}
        if output is not None:
            needs |= self._tree(result, output).blobs
        more = {name: self._size(name) for name in needs - self.blobs}
        if self.size + sum(more.values()) > limit:
            return False
        if output is not None:
            self.trees.add(output.hash)
        self.blobs |= more.keys()
        self.size += sum(more.values())
        return True

    def add_inputs(self, derivation: Digest) -> None:
        """Keep the bytes of every derivation below one, as far as they are there.

        Raises:
            OSError: one could not be read.
        """
        waiting = [derivation.hash]
        while waiting:
            data = read_record(self.layout, self.layout.blob(waiting.pop()))
            new = (derivation_inputs(data) & self._in_cas) - self._seen_inputs
            self._seen_inputs |= new
            waiting += new
            self.size += sum(self._size(name) for name in new - self.blobs)
            self.blobs |= new

    def _blob(self, path: str, what: str, blob: Digest) -> str:
        if self._size(blob.hash) != blob.size:
            refuse(path, f"its {what} has another size")
        return blob.hash

    def _tree(self, result: Result, output: Digest) -> _KeptTree:
        tree = self._known.get(output.hash)
        if tree is None:
            tree = self._known[output.hash] = self._read_tree(output.hash)
        if tree.root != output or result.needs.message not in {None, tree.message}:
            refuse(result.path, "it says something else of its output than the tree's mark")
        return tree

    def _read_tree(self, name: str) -> _KeptTree:
        mark = f"{self.layout.tree(name)}{MARK}"
        data = read_record(self.layout, mark)
        try:
            tree = Tree.decode(data)
        except VerificationError as error:  # which blobs it needs cannot be known
            refuse(mark, error.message)
        message = Digest.of(data)
        written = tree.root.hash == name and tree.encode() == data
        if not written or message.hash not in self._in_cas:
            refuse(mark, "the mark of a tree is damaged: it is not the Tree message of its name")
        return _KeptTree(tree.root, message, tree_blobs(tree, message))

    def _size(self, name: str) -> int:
        try:
            with self.layout.above(self.layout.blob(name)) as (at, file):
                return os.stat(file, dir_fd=at, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0


def divide(
    live: Live, roots: Sequence[tuple[str, Root]], keep_days: float, max_size: int | None
) -> list[Result]:
    """Let ``live`` be what stays; the results that go.

    Args:
        live: What stays; nothing so far.
        roots: The path of each root's record, and the root.
        keep_days: What was used within so many days stays.
        max_size: Bytes of blobs that may stay, filled up from the newest result down.

    Raises:
        VerificationError: a record is damaged, or names what is not there.
        OSError: something could not be read.
    """
    check = _Check(live.layout, live.there)
    for path, root in roots:
        check.refuse_absences(path, root_needs(root))
    rooted = {root.derivation for _, root in roots}
    results = list(_results(check, live.there, rooted))
    results.sort(key=_importance, reverse=True)
    oldest = time.time() - keep_days * DAY
    go = []
    limit = math.inf if max_size is None else max_size
    for result in results:
        if result.rooted:
            live.add(result, math.inf)
            if result.needs.derivation:
                live.add_inputs(result.needs.derivation)
        elif result.used < oldest or not live.add(result, limit):
            go.append(result)
            limit = -1  # nothing older fits any more
    return go


def refuse(path: str, problem: str) -> NoReturn:
    """Raise the error of a record.

    Raises:
        VerificationError: always.
    """
    raise Damaged(problem, where=path)


def _results(check: _Check, there: Survey, rooted: set[str]) -> Iterator[Result]:
    """Every result, each checked alone and against what the store has."""
    users: dict[str, Result] = {}
    for top, accelerated in places(REALISATIONS):
        for name, path in there.named(top):
            action, result = check.realisation(name, path, accelerated=accelerated)
            result = evolve(result, rooted=derivation_of(name) in rooted)
            if action:
                users[action] = max(users.get(action, result), result, key=_importance)
            yield result
    for top, _ in places(AC):
        for name, path in there.named(top):
            own = check.outcome(name, path)
            user = max(users.get(name, own), own, key=_importance)
            yield evolve(own, used=user.used, rooted=user.rooted)
    for name, path in there.named(FAILED):
        yield check.failure(name, path)


def _importance(result: Result) -> tuple[bool, float, str, bool]:
    """The order in which results stay, the greatest first: by root, then by time of use.

    Many results have one time, because the clock of a file system is coarse. Among these, an
    outcome comes right before the realisations that name its action: they need it.
    """
    action = result.needs.action
    name = action or os.path.basename(result.path)
    return result.rooted, result.used, name, action is None


class _Check:
    """Reads records, and refuses those that cannot be believed."""

    def __init__(self, layout: Layout, there: Survey) -> None:
        self._layout = layout
        self._present = Presence(
            blobs=frozenset(name for name, _ in there.named(CAS)),
            trees=frozenset(
                name.removesuffix(MARK) for name, _ in there.named(TREES) if name.endswith(MARK)
            ),
            actions=there.records(AC),
            realisations=there.records(REALISATIONS),
        )

    def realisation(self, name: str, path: str, *, accelerated: bool) -> tuple[str | None, Result]:
        """The action of a realisation, if it has one, and the result."""
        data, used = self._read(path)
        with damage_at(path):
            made = decode_realisation(data, name, accelerated=accelerated)
        return made.action, self._whole(path, used, realisation_needs(made))

    def outcome(self, name: str, path: str) -> Result:
        data, used = self._read(path)
        with damage_at(path):
            made = decode_outcome(data, name)
        return self._whole(path, used, outcome_needs(made))

    def failure(self, name: str, path: str) -> Result:
        data, used = self._read(path)
        with damage_at(path):
            log = decode_failure(data, name)
        return self._whole(path, used, failure_needs(log))

    def refuse_absences(self, path: str, needs: Needs) -> None:
        """Refuse the record at ``path``, if something that it needs is not there."""
        for problem in self._present.absences(needs):
            refuse(path, problem)

    def _whole(self, path: str, used: float, needs: Needs) -> Result:
        """Also of what may go: which results stay is not known yet."""
        self.refuse_absences(path, needs)
        return Result(path=path, used=used, needs=needs)

    def _read(self, path: str) -> tuple[bytes, float]:
        with self._layout.above(path) as (at, name):
            used = os.stat(name, dir_fd=at, follow_symlinks=False).st_mtime
        return read_record(self._layout, path), used
