"""Targets that would be built again, between two sides, and why.

Knows: which causes are whose. Must not know: how targets were linked, how a cause is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from attrs import frozen

from rvbuild.core.derivation import Derivation
from rvbuild.core.derivation_diff import Cause, compare_all
from rvbuild.core.errors import RvbuildError


@frozen(kw_only=True)
class RebuiltTarget:
    """A target that is another on the new side.

    Attributes:
        target: Its name, as both sides have it.
        old: The digest of the former result.
        new: That of the result now.
        causes: Why, as indices into `Rebuild.causes`.
    """

    target: str
    old: str
    new: str
    causes: tuple[int, ...]


@frozen(kw_only=True)
class Rebuild:
    """What two sides would build.

    Attributes:
        targets: Those that differ, in their order.
        same: How many do not.
        causes: Why they differ, in the order of the work.
        unlinked: What is wrong with each target that a side cannot say the derivation of.
    """

    targets: tuple[RebuiltTarget, ...] = ()
    same: int = 0
    causes: tuple[Cause, ...] = ()
    unlinked: tuple[tuple[str, RvbuildError], ...] = ()


def compare_results(
    pairs: Mapping[str, tuple[str, str]],
    then: Mapping[str, Derivation],
    now: Mapping[str, Derivation],
) -> Rebuild:
    """Which targets would be built again.

    Args:
        pairs: By target, the digests of the former result and of the one now.
        then: All derivations of the old side, by digest.
        now: Those of the new one.
    """
    different = {target: pair for target, pair in pairs.items() if pair[0] != pair[1]}
    causes = compare_all(different.values(), _reader(then), now)
    return Rebuild(
        targets=tuple(
            RebuiltTarget(target=target, old=old, new=new, causes=tuple(_of(new, causes)))
            for target, (old, new) in different.items()
        ),
        same=len(pairs) - len(different),
        causes=causes,
    )


def _reader(derivations: Mapping[str, Derivation]) -> Callable[[str], bytes]:
    return lambda digest: derivations[digest].encode()


def _of(result: str, causes: Iterable[Cause]) -> list[int]:
    """The indices of the causes that a result has, or follows from."""
    return [
        at
        for at, cause in enumerate(causes)
        if any(each.digest == result for each in (*cause.places, *cause.followers))
    ]
