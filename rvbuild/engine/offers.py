"""Which results others offer, of all that a plan may need.

Knows: what is looked for, and in which order. Must not know: caches, signatures.

The rules:

1. What the store has is not asked for, nor what is below it.
2. Results are asked for from the wanted ones down, level by level, each level at once.
3. If a wanted result is not offered, the closure of its target is asked for, if it is one's: it
   offers in one answer what was below the target when somebody last built it.
4. The record of a target tells that its checks passed, for the output that it tells of. Where the
   target is here and a check of it is not, as after a killed run, the record is asked for, and
   counts if it is of the output that is here. A check is never asked for itself: alone it would not
   say what passed. What running it needs is asked for where no record tells of it.
5. Sources and merges are not asked for: a source has an address of its own, and a merge takes less
   time to make than to fetch.
6. What was offered and is not to be had is made. It is not taken again, whoever tells of it, and
   what making it needs is asked for.

For example, one line of K3s' recipe was changed. The store is empty. One question finds that nobody
has the new K3s, a second one brings the closure of K3s as it was: all below it is offered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import define, evolve, field

from rvbuild.core.derivation import Derivation, Step
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.plan import Lookup, find_offer, find_result, tried_by
from rvbuild.core.ports.substitutes import Substitutes


def find_offers(
    derivations: Mapping[str, Derivation],
    wanted: Iterable[str],
    lookup: Lookup,
    substitutes: Substitutes,
) -> Offers:
    """Ask for what is wanted, and for what making it would need.

    Args:
        derivations: By digest.
        wanted: The digests of what is asked for.
        lookup: Finds what the store has.
        substitutes: Whoever may offer results.
    """
    search = OfferSearch(derivations, lookup, substitutes)
    search.find(wanted)
    return search.offers


@define
class OfferSearch:
    """Offers of a run, and what was looked at. Nobody is asked for a derivation twice.

    Attributes:
        derivations: By digest.
        lookup: Finds what the store has.
        substitutes: Whoever may offer results.
        offers: What they offer so far, without what was lost. It may be of what is here: for the
            sake of its checks.
    """

    derivations: Mapping[str, Derivation]
    lookup: Lookup
    substitutes: Substitutes
    offers: dict[str, Offer] = field(factory=dict, init=False)
    _seen: set[str] = field(factory=set, init=False)
    _asked: set[str] = field(factory=set, init=False)
    _closures: set[str] = field(factory=set, init=False)
    _lost: set[str] = field(factory=set, init=False)

    def find(self, wanted: Iterable[str]) -> None:
        """Ask for what is wanted, and for what making it would need."""
        goals = dict.fromkeys(wanted)
        checks = [digest for digest in goals if tried_by(self.derivations[digest])]
        self._down([digest for digest in goals if digest not in checks], may_be_target=True)
        self._ask_again(check for check in checks if self._has_to_run(check))
        for check in filter(self._has_to_run, checks):
            self._down(self.derivations[check].inputs)

    def lose(self, digest: str) -> None:
        """Forget an offer that was none, for good, and ask for what making it needs."""
        self._lost.add(digest)
        self.offers.pop(digest, None)
        self._take(self.offers)  # again, since a lost check is in that of what it tried
        self._ask_closure(digest)
        self._down(self.derivations[digest].inputs)

    def _down(self, level: Iterable[str], *, may_be_target: bool = False) -> None:
        """Ask for derivations, and for what making those needs that nobody has."""
        while level := [each for each in dict.fromkeys(level) if each not in self._seen]:
            self._seen.update(level)
            missing = [each for each in level if self.lookup(each) is None]
            self._ask(missing)
            left = [each for each in missing if each not in self.offers]
            if may_be_target:
                for digest in left:
                    self._ask_closure(digest)
                may_be_target = False
            level = [given for digest in left for given in self.derivations[digest].inputs]

    def _ask_again(self, checks: Iterable[str]) -> None:
        """Ask for results that are here, for the sake of checks of them that are not."""
        tried = dict.fromkeys(tried_by(self.derivations[check]) for check in checks)
        self._ask([each for each in tried if self.lookup(each)])

    def _has_to_run(self, check: str) -> bool:
        """Whether nobody has, or tells of, a check of the output that is here or is offered."""
        derivation = self.derivations[check]
        if find_result(derivation, self.lookup) is not None:
            return False
        return find_offer(derivation, self.offers, self.lookup) is None

    def _ask(self, digests: Iterable[str]) -> None:
        """Ask for steps, each once."""
        new = [each for each in digests if each not in self.offers and each not in self._asked]
        steps = [each for each in new if isinstance(self.derivations[each], Step)]
        self._asked.update(steps)
        self._take(self.substitutes.find(steps) if steps else {})

    def _ask_closure(self, digest: str) -> None:
        if digest not in self._closures:
            self._closures.add(digest)
            self._take(self.substitutes.closure(digest))

    def _take(self, offers: Offers) -> None:
        """Take what is of this run; the record of one result may tell again of a lost one."""
        for digest, offer in tuple(offers.items()):
            if digest in self.derivations and digest not in self._lost:
                checks = {each: of for each, of in offer.checks.items() if each not in self._lost}
                self.offers[digest] = evolve(offer, checks=checks)
