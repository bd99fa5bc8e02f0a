"""Why a target is not what it was when it was last built, here or by somebody else.

Knows: what is compared with what. Must not know: how derivations are compared, or told. Imports
what asks caches only then: a comparison with what is here does not pay for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from rvbuild.app.former_result import FormerResult, former_here, names_of
from rvbuild.app.session import Session
from rvbuild.app.targets import link_unedited
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.derivation_diff import Cause, compare
from rvbuild.core.errors import UsageError
from rvbuild.core.graph import Target


@frozen(kw_only=True)
class WhyView:
    """A target as it would be built now, and a former result of it.

    Attributes:
        target: ``runc-riscv64``.
        derivation: The digest of the result as it would be built now.
        former: The former one.
        causes: Why they differ, in the order of the work; empty if they do not.
    """

    target: str
    derivation: str
    former: FormerResult
    causes: tuple[Cause, ...]


def explain_target(session: Session, target: Target, against: str = "") -> WhyView:
    """Compare a target with the last result of it.

    Args:
        session: Recipes, lock and store; nothing is made.
        target: What to look at.
        against: ``CACHE`` or ``CACHE/KEY``: the last result of somebody who shares that cache.
            Empty: the last one of this store.

    Raises:
        UsageError: there is no former result.
        LockError: the lock lacks what a recipe asks for, or a folder was edited since.
        CacheError: the cache does not answer.
        VerificationError: what the cache has is not what a trusted key signed.
    """
    graph, linked = link_unedited(session, (target,), checks=False)
    names, result = names_of(session, graph, target), linked.results[target]
    former = _former(session, names, result, against)
    if former is None:
        msg = "no result of it is known here, so there is nothing to compare with"
        hint = advise(Remedy.BUILD.of(str(target)), ", or ", Remedy.COMPARE)
        raise UsageError(msg, where=str(target), hint=hint)
    return WhyView(
        target=str(target),
        derivation=result,
        former=former,
        causes=compare(former.derivation, result, former.read, linked.derivations),
    )


def _former(
    session: Session, names: Sequence[str], result: str, against: str
) -> FormerResult | None:
    if not against:
        return former_here(session, names)
    from rvbuild.app.shared_closure import (  # noqa: PLC0415 - see the module
        SharedPlace,
        former_there,
    )

    return former_there(session, names, result, SharedPlace.parse(against))
