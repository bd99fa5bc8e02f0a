"""What was made of damaged things: results that are consistent, and yet wrong.

Knows: which results cannot be believed once some trees cannot. Must not know: how a result goes.

The rules, for a set of damaged trees:

1. A step that had one of them as an input may have read what is wrong. Its outcome and its
   realisation go. Merging reads no content, and fetching no tree: they are not meant here.
2. Where nobody knows what a step had as inputs (its realisation is gone or damaged), it may have
   been any of them: its outcome goes, too.
3. Whatever was made of the output of a result that goes: its realisation goes, since that is
   found without a look at the inputs. Its outcome stays: it is true of inputs by content. So
   where the next build makes the same output again, nothing above it runs.

Example: ``app`` was linked with ``lib``, a step that read the damaged source ``src``. Both
realisations go, and the outcome of ``lib``. Is ``lib`` the same again, then ``app`` is reused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from attrs import define, field, frozen

from rvbuild.core.errors import VerificationError
from rvbuild.core.realisation import Realisation
from rvbuild.files.folder import WrongKind
from rvbuild.stores.layout import Layout
from rvbuild.stores.records import read_or_none
from rvbuild.stores.results import decode_realisation
from rvbuild.stores.shape import AC, REALISATIONS, Survey, places


@frozen
class Reader:
    """The record at ``path`` that cannot be believed, and why."""

    path: str
    problem: str


@frozen
class _Made:
    """A realisation at ``path``, and the hashes of the trees that it is made of."""

    path: str
    it: Realisation
    inputs: frozenset[str]


def readers(layout: Layout, there: Survey, damaged: Collection[str]) -> list[Reader]:
    """The records that go because of the trees ``damaged`` (by hash), each once.

    What was made of another comes before it: whoever is killed while they go, finds the rest.

    Raises:
        OSError: a record could not be read.
    """
    if not damaged:
        return []
    return _Search(layout, there, list(_all_made(layout, there))).result(damaged)


def _all_made(layout: Layout, there: Survey) -> Iterator[_Made]:
    for top, accelerated in places(REALISATIONS):
        for name, path in there.named(top):
            with suppress(VerificationError):  # verification tells of it
                made = decode_realisation(_content(layout, path), name, accelerated=accelerated)
                yield _Made(path, made, frozenset(tree.hash for tree in made.inputs))


def _content(layout: Layout, path: str) -> bytes:
    """Nothing where there is no file, but something else: verification tells of that, too."""
    with suppress(WrongKind):
        return read_or_none(layout, path) or b""
    return b""


@define
class _Search:
    layout: Layout
    there: Survey
    made: list[_Made]
    _found: dict[str, str] = field(factory=dict, init=False)
    _outputs: set[str] = field(factory=set, init=False)
    """Of results that go: the hash of each output's tree."""

    def result(self, damaged: Collection[str]) -> list[Reader]:
        actions: dict[str, str] = {}
        known = {each.it.action for each in self.made}
        for each in self.made:
            problem = each.it.action and self._direct(each, damaged)
            if problem:
                actions[str(each.it.action)] = problem
                self._goes(each, problem)
        for top, _ in places(AC):
            for name, path in self.there.named(top):
                if name in actions or name not in known:
                    self._found[path] = actions.get(name, _UNKNOWN)
        while [each for each in self.made if each.path not in self._found and self._follows(each)]:
            continue  # each of a round was made of what went before it, in that round or earlier
        return [Reader(path, problem) for path, problem in reversed(self._found.items())]

    def _direct(self, each: _Made, damaged: Collection[str]) -> str:
        read = sorted(each.inputs & set(damaged))
        return f"its step read {self.layout.tree(read[0])}, which was damaged" if read else ""

    def _goes(self, each: _Made, problem: str) -> None:
        self._found[each.path] = problem
        self._outputs.add(each.it.output.hash)

    def _follows(self, each: _Made) -> bool:
        """Whether the result is made of one that goes; then it goes, too."""
        wrong = sorted(each.inputs & self._outputs)
        if wrong:
            self._goes(each, f"made of {self.layout.tree(wrong[0])}, which is to be made anew")
        return bool(wrong)


_UNKNOWN = "nobody knows what its step read, and something was damaged"
