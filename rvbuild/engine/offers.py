"""Which results others offer, of all that a plan may need.

Knows: what is looked for, and in which order. Must not know: caches, signatures.

The rules:

1. What the store has is not asked for, nor what is below it.
2. Results are asked for from the wanted ones down, level by level, each level at once.
3. If a wanted result is not offered, the closure of its target is asked for, if it is one's: it
   offers in one answer what was below the target when somebody last built it.
4. The record of a target tells that its checks passed. Where the target is here and a check of it
   is not, as after a killed run, the record is asked for, and counts if it is of the output that is
   here. A check that no record tells of is asked for if all that it tries is there or offered.
5. Sources and merges are not asked for: a source has an address of its own, and a merge takes less
   time to make than to fetch.

For example, one line of K3s' recipe was changed. The store is empty. One question finds that nobody
has the new K3s, a second one brings the closure of K3s as it was: all below it is offered.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from attrs import define, field

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
    search = _Search(derivations, lookup, substitutes)
    goals = dict.fromkeys(wanted)
    checks = [digest for digest in goals if _is_check(derivations[digest])]
    search.down([digest for digest in goals if digest not in checks], may_be_target=True)
    open_checks = [check for check in checks if search.can_be_offered(check)]
    search.again(open_checks, goals)
    search.down([check for check in open_checks if check not in search.offers])
    return {digest: offer for digest, offer in search.offers.items() if digest in derivations}


@define
class _Search:
    """Offers, and what was looked at."""

    derivations: Mapping[str, Derivation]
    lookup: Lookup
    substitutes: Substitutes
    offers: dict[str, Offer] = field(factory=dict)
    _missing: set[str] = field(factory=set)
    _seen: set[str] = field(factory=set)

    def down(self, level: Iterable[str], *, may_be_target: bool = False) -> None:
        """Ask for derivations, and for what making those needs that nobody has."""
        while level := [each for each in dict.fromkeys(level) if each not in self._seen]:
            self._seen.update(level)
            missing = [each for each in level if self.lookup(each) is None]
            self._ask([each for each in missing if isinstance(self.derivations[each], Step)])
            left = [each for each in missing if each not in self.offers]
            if may_be_target:
                for digest in left:
                    self.offers |= self.substitutes.closure(digest)
                may_be_target = False
            self._missing.update(left)
            level = [given for digest in left for given in self.derivations[digest].inputs]

    def again(self, checks: Iterable[str], goals: Container[str]) -> None:
        """Ask for results that are here, for the sake of checks of them that are not."""
        missing = [each for each in checks if each not in self.offers and not self.lookup(each)]
        here = {
            tried: found.output
            for check in missing
            for tried in self.derivations[check].inputs
            if tried in goals and (found := self.lookup(tried)) is not None
        }
        offers = self.substitutes.find(list(here)) if here else {}
        if all(offers[tried].output == output for tried, output in here.items() if tried in offers):
            self.offers |= {check: offers[check] for check in missing if check in offers}

    def can_be_offered(self, check: str) -> bool:
        """Whether nothing that a check tries has to be made: nobody has tried that yet."""
        return self._missing.isdisjoint(self.derivations[check].inputs)

    def _ask(self, steps: list[str]) -> None:
        unknown = [digest for digest in steps if digest not in self.offers]
        if unknown:
            self.offers |= self.substitutes.find(unknown)


def _is_check(derivation: Derivation) -> bool:
    return isinstance(derivation, Step) and derivation.is_check
