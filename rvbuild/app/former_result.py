"""What a target was made of when it was last built: here, or by somebody who shares a cache.

Knows: where derivations are kept after a build. Must not know: how they are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from rvbuild.app.result_place import link_place
from rvbuild.app.session import Session
from rvbuild.core.derivation_diff import ReadDerivation
from rvbuild.core.errors import VerificationError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.ports.roots import Root
from rvbuild.core.ports.store import Store


@frozen(kw_only=True)
class FormerResult:
    """A result that a target had.

    Attributes:
        derivation: Its digest.
        place: Where it was: the path of a link here, or the cache and the key.
        read: The bytes of derivations below it.
    """

    derivation: str
    place: str
    read: ReadDerivation


def names_of(session: Session, graph: RecipeGraph, target: Target) -> tuple[str, ...]:
    """What people may have called a target when they built it, as it is called now first.

    The default series may stand in the name, or not.
    """
    recipe = graph.recipe(target.recipe)
    names = [str(target), str(Target(recipe.name, target.arch))]
    if recipe.series and session.folder.series.default_of(recipe) == recipe.series:
        names.append(str(Target(recipe.base, target.arch)))
    return tuple(dict.fromkeys(names))


def former_here(session: Session, names: Sequence[str]) -> FormerResult | None:
    """What this store last had of a target; None: nothing, or there is no store.

    The link in this folder is what a person means; without one, that of another project.

    Raises:
        StoreError: what the store keeps for people could not be read.
    """
    if not session.workspace.has_store:
        return None
    roots = [root for root in session.store.roots.roots() if root.name in names]
    if not roots:
        return None
    root = _nearest(roots, [link_place(name) for name in names])
    read = _StoredDerivations(session.store)
    return FormerResult(derivation=root.derivation, place=root.link, read=read)


def _nearest(roots: Sequence[Root], places: Iterable[str]) -> Root:
    by_link = {root.link: root for root in roots}
    return next((by_link[place] for place in places if place in by_link), roots[0])


@frozen
class _StoredDerivations:
    """The bytes of derivations, as far as the store has them: a blob is named by the digest."""

    store: Store

    def __call__(self, digest: str) -> bytes | None:
        try:
            blob = self.store.cas.find(digest)
            return None if blob is None else self.store.cas.read(blob)
        except (KeyError, VerificationError):  # a verification of the store tells of it
            return None
