"""What becomes of patches at the source that is moved to.

Knows: the order in which patches are tried, and what their headers say. Must not know: where the
source is from, who is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from attrs import evolve, field, frozen

from rvbuild.core.patch_fit import PatchFit, PatchPresence, ReadFile
from rvbuild.core.patch_header import says_upstream, upstream_commits
from rvbuild.core.recipe import Recipe

_HAS = "upstream has it"
_MAY_HAVE = "upstream may have it: its lines are there, and nobody knows if they are for it"
_SHARED = "all series have it"
_SHORT = 12


class PatchUse(NamedTuple):
    """A patch of a source: the recipe that has it, what that calls the source, and the file."""

    recipe: str
    source: str
    file: str


@frozen(kw_only=True)
class PatchVerdict:
    """What becomes of patches at the source that is moved to.

    Attributes:
        problems: Why one cannot stay as it is.
        upstream: Those that say that upstream has them, and which it took.
        users: Recipes that have patches of their own for the source, by name.
    """

    problems: Mapping[PatchUse, str] = field(factory=dict)
    upstream: frozenset[PatchUse] = frozenset()
    users: Mapping[str, Recipe] = field(factory=dict)

    @property
    def shared(self) -> PatchVerdict:
        """The same of patches that others need, too: none of them is left out."""
        problems = {**dict.fromkeys(self.upstream, _HAS), **self.problems}
        told = {use: f"{problem}; {_SHARED}" for use, problem in problems.items()}
        return evolve(self, problems=told, upstream=frozenset())

    def beside(self, other: PatchVerdict) -> PatchVerdict:
        """Both."""
        return PatchVerdict(
            problems={**self.problems, **other.problems},
            upstream=self.upstream | other.upstream,
            users={**self.users, **other.users},
        )


Judge = Callable[[Recipe, tuple[str, ...]], PatchVerdict]
"""Looks at the patches of a recipe's sources; with the files that its series has."""


NewCommits = Callable[[frozenset[str]], frozenset[str]]
"""Those of some commits, by their whole names, that came with a move."""


def _none_new(commits: frozenset[str]) -> frozenset[str]:
    del commits
    return frozenset()


@frozen(kw_only=True)
class SourceMove:
    """A source before and after it moves, as far as it tells what upstream took.

    Upstream took a patch if the move brought it: nothing of it was there before, its lines are
    there now, and

    * they can be meant for nothing else (`PatchPresence.THERE`), or
    * a commit that the patch names came with the move.

    Attributes:
        old: The files before; of one that nobody knows, nothing is said.
        new: The files after.
        new_commits: Which of some commits came with the move.
    """

    old: ReadFile | None
    new: ReadFile
    new_commits: NewCommits = _none_new

    def took(self, patch: bytes, presence: PatchPresence) -> bool:
        """Whether upstream took a patch, whose presence after the move is known."""
        if presence is PatchPresence.ABSENT or self.old is None:
            return False
        if PatchFit(self.old).presence(patch) is not PatchPresence.ABSENT:
            return False
        return presence is PatchPresence.THERE or bool(self.new_commits(upstream_commits(patch)))


def patch_verdict(move: SourceMove, patches: Iterable[tuple[PatchUse, bytes]]) -> PatchVerdict:
    """What becomes of the patches of one source, which are applied in their order."""
    fit, problems, upstream = PatchFit(move.new), dict[PatchUse, str](), set[PatchUse]()
    for use, data in patches:
        presence = fit.presence(data)
        is_upstream = move.took(data, presence)
        if is_upstream and says_upstream(data):
            upstream.add(use)
        elif problem := _HAS if is_upstream else _problem(fit, data, presence):
            problems[use] = problem if is_upstream else f"{problem}{_came(move, data)}"
    return PatchVerdict(problems=problems, upstream=frozenset(upstream))


def _problem(fit: PatchFit, data: bytes, presence: PatchPresence) -> str:
    may = "" if presence is PatchPresence.ABSENT else _MAY_HAVE
    problem = fit.problem(data)
    return "; ".join(filter(None, (f"it does not apply: {problem}" if problem else "", may)))


def _came(move: SourceMove, data: bytes) -> str:
    """What is to be said of a patch whose commit came, where its lines do not say so."""
    commits = sorted(move.new_commits(upstream_commits(data)))
    names = ", ".join(commit[:_SHORT] for commit in commits)
    return f"; {names} came with this move, but its lines are not what that made" if names else ""
