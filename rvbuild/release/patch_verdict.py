"""What becomes of patches at the source that is moved to.

Knows: the order in which patches are tried, and what their headers say. Must not know: where the
source is from, who is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import evolve, field, frozen

from rvbuild.core.patch_fit import PatchFit, Presence, ReadFile
from rvbuild.core.patch_header import says_upstream, upstream_commits
from rvbuild.core.patches import Patch
from rvbuild.core.recipe import Recipe

PatchName = tuple[str, str]
"""The recipe that has a patch, and the file beside it."""

_HAS = "upstream has it"
_MAY_HAVE = "upstream may have it: its lines are there, and nobody knows if they are for it"


@frozen(kw_only=True)
class PatchVerdict:
    """What becomes of patches at the source that is moved to.

    Attributes:
        problems: Why one cannot stay as it is.
        upstream: Those that say that upstream has them, and which it has.
        users: Recipes that have patches of their own for the source, by name.
    """

    problems: Mapping[PatchName, str] = field(factory=dict)
    upstream: frozenset[PatchName] = frozenset()
    users: Mapping[str, Recipe] = field(factory=dict)

    @property
    def shared(self) -> PatchVerdict:
        """The same of patches that others need, too: none of them is left out."""
        problems = {**dict.fromkeys(self.upstream, _HAS), **self.problems}
        return evolve(self, problems=problems, upstream=frozenset())

    def beside(self, other: PatchVerdict) -> PatchVerdict:
        """Both."""
        return PatchVerdict(
            problems={**self.problems, **other.problems},
            upstream=self.upstream | other.upstream,
            users={**self.users, **other.users},
        )


Judge = Callable[[str, tuple[str, ...]], PatchVerdict]
"""Looks at the patches of a recipe's sources, by its name and the files that its series has."""


TookCommit = Callable[[frozenset[str]], bool]
"""Whether the source that is moved to has one of these commits, and the one from before has not."""


def patch_verdict(
    read: ReadFile, patches: Iterable[Patch], took: TookCommit = lambda _: False
) -> PatchVerdict:
    """What becomes of the patches of one source, which are applied in their order.

    Upstream has a patch that says so if its lines are there, and surely for it: nothing else can be
    meant (`Presence.THERE`), or a commit that it names came with the move.
    """
    fit, problems, upstream = PatchFit(read), dict[PatchName, str](), set[PatchName]()
    for owner, path in patches:
        data = next((data for file, data, _ in owner.files if file == path), None)
        if data is None:
            continue  # whoever reads the recipe says so
        presence, name = fit.presence(data), (owner.base, path)
        if says_upstream(data) and _is_sure(presence, upstream_commits(data), took):
            upstream.add(name)
        elif problem := _problem(fit, data, presence):
            problems[name] = problem
    return PatchVerdict(problems=problems, upstream=frozenset(upstream))


def _is_sure(presence: Presence, commits: frozenset[str], took: TookCommit) -> bool:
    if presence is Presence.UNKNOWN:
        return bool(commits) and took(commits)
    return presence is Presence.THERE


def _problem(fit: PatchFit, data: bytes, presence: Presence) -> str:
    if presence is Presence.THERE:
        return _HAS
    may = _MAY_HAVE if presence is Presence.UNKNOWN else ""
    return "; ".join(filter(None, (fit.problem(data), may)))
