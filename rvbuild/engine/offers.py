"""Which results others offer, of all that a plan may need.

Knows: what is looked for, and in which order. Must not know: caches, signatures.

The rules:

1. What the store has is not asked for, nor what is below it.
2. Results are asked for from the wanted ones down, level by level, each level at once.
3. If a wanted result is not offered, the closure of its target is asked for, if it is one's: it
   offers in one answer what was below the target when somebody last built it.
4. Sources and merges are not asked for: a source has an address of its own, and a merge takes less
   time to make than to fetch.

For example, one line of K3s' recipe was changed. The store is empty. One question finds that nobody
has the new K3s, a second one brings the closure of K3s as it was: all below it is offered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rvbuild.core.derivation import Derivation, Step
from rvbuild.core.offer import Offer
from rvbuild.core.plan import Lookup
from rvbuild.core.ports.substitutes import Substitutes


def find_offers(
    derivations: Mapping[str, Derivation],
    wanted: Iterable[str],
    lookup: Lookup,
    substitutes: Substitutes,
) -> dict[str, Offer]:
    """Ask for what is wanted, and for what making it would need.

    Args:
        derivations: By digest.
        wanted: The digests of what is asked for.
        lookup: Finds what the store has.
        substitutes: Whoever may offer results.
    """
    offers: dict[str, Offer] = {}
    seen: set[str] = set()
    goals = dict.fromkeys(wanted)
    level = list(goals)
    while level:
        missing = [digest for digest in dict.fromkeys(level) if digest not in seen]
        seen.update(missing)
        missing = [digest for digest in missing if lookup(digest) is None]
        steps = [each for each in missing if isinstance(derivations[each], Step)]
        unknown = [digest for digest in steps if digest not in offers]
        if unknown:
            offers |= substitutes.find(unknown)
        for digest in unknown:
            if digest in goals and digest not in offers:
                offers |= substitutes.closure(digest)
        level = _inputs(derivations, (each for each in missing if each not in offers))
    return {digest: offer for digest, offer in offers.items() if digest in derivations}


def _inputs(derivations: Mapping[str, Derivation], digests: Iterable[str]) -> list[str]:
    return [given for digest in digests for given in derivations[digest].inputs]
