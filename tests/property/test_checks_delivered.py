"""A check that counts as passed, passed for the very output that is delivered.

Over builders that do not agree, caches that lose what they offer or are too slow, keys of which too
few agree, and a store that has something before or gets it meanwhile. Of whatever is delivered, and
of whatever a push then signs, always: the check was run here on that output, or a statement of that
output which is accepted says that it passed.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

from attrs import field, frozen
from dict_cache import DictCache
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from store_parts import with_parts
from team import Ticks, member, payload, push, substitutes, terms
from workshop import Workshop, plain
from workspaces import workspace

from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer
from rvbuild.caches.names import object_name, realisation_name
from rvbuild.caches.shipment import TargetShipment
from rvbuild.caches.substitutes import CacheSubstitutes
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.acceptance import Acceptance, Accepted, Claim
from rvbuild.core.derivation import Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import SubstituteError
from rvbuild.core.events import Finished, silent
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.loss import TooSlow
from rvbuild.core.offer import Offer, Offers
from rvbuild.core.ports.callbacks import Advance
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import Tree
from rvbuild.engine.build import Built
from rvbuild.engine.lookup import StoreLookup
from rvbuild.stores.memory import MemoryActionCache

LABELS = ("app", "check 1", "check 2")
APP = Target("app", "")


@frozen
class Builder:
    """Somebody who pushed: how ``app`` came out there, and whether its checks were run."""

    variant: int
    is_checked: bool


@frozen(kw_only=True)
class Scene:
    """Who said what before, and what goes wrong.

    Attributes:
        builders: Each has a key and pushed into the one cache.
        needed: How many keys must agree.
        variant: How ``app`` comes out here.
        before: What was made here before, as ``app`` came out then; ``pull``: taken on the first
            key's word.
        variant_before: How ``app`` came out here then.
        is_refused: Whether that ``app`` does not count any more, as one whose tree is gone.
        lost: What the cache does not have any more.
        slow: What would take longer to fetch than to make.
        meanwhile: While this is fetched, another process makes an ``app``; empty: never.
        pull: Whether nothing may be made.
    """

    builders: tuple[Builder, ...]
    needed: int
    variant: int
    before: str
    variant_before: int
    is_refused: bool
    lost: frozenset[str]
    slow: frozenset[str]
    meanwhile: str
    pull: bool

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(f"k{at}" for at in range(len(self.builders)))


VARIANTS = st.sampled_from((0, 0, 1))
BUILDERS = st.builds(Builder, VARIANTS, st.sampled_from((True, True, False)))
NOTHING = frozenset[str]()
FAULTS = st.sampled_from((NOTHING, NOTHING, NOTHING, *(frozenset([label]) for label in LABELS)))
SCENES = st.builds(
    Scene,
    builders=st.lists(BUILDERS, min_size=1, max_size=3).map(tuple),
    needed=st.sampled_from((1, 2)),
    variant=st.sampled_from((0, 1, 2)),
    before=st.sampled_from(("", "", "app", "app and check", "pull")),
    variant_before=st.sampled_from((0, 1, 2)),
    is_refused=st.booleans(),
    lost=FAULTS,
    slow=FAULTS,
    meanwhile=st.sampled_from(("", "", *LABELS)),
    pull=st.sampled_from((False, False, True)),
)


@frozen
class Shop:
    """A workshop with the target ``app`` and its checks."""

    workshop: Workshop
    app: Step
    checks: tuple[Step, ...]

    @classmethod
    def at(cls, path: Path, variant: int) -> Shop:
        shop = Workshop(str(path))
        app = shop.step("app", "say app", shop.source("source"))
        checks = tuple(shop.check(label, f"say {label}", app) for label in LABELS[1:])
        made = cls(shop, app, checks)
        made.vary(variant)
        return made

    def vary(self, variant: int) -> None:
        """Let ``app`` come out so from now on."""
        self.workshop.executor.otherwise["app"] = f"say {variant}"
        self.workshop.store = with_parts(self.workshop.store, action_cache=MemoryActionCache())

    def build(self, *, check: bool = True) -> Built:
        return self.workshop.build(self.app, *(self.checks if check else ()), keep_going=True)

    def has_tried(self, label: str, output: Digest) -> bool:
        """Whether a check ran here on an output."""
        files = plain(self.workshop.store, output)
        seen = self.workshop.executor.seen
        return any(
            script == f"say {label}" and ("in/0", files) in inputs for script, inputs in seen
        )

    def packed(self) -> TargetShipment | None:
        """What a push brings now; None: there is nothing to bring."""
        shop = self.workshop
        linked = Linked(
            derivations=shop.known,
            results={APP: self.app.digest},
            checks={APP: tuple(each.digest for each in self.checks)},
        )
        lookup = StoreLookup(shop.store, accepts=shop.accepts)
        packer = Packer(Session(workspace(shop.folder), silent), linked, lookup)
        packed = packer.target(APP) if lookup(self.app.digest) else None
        return packed if isinstance(packed, TargetShipment) else None


@frozen
class Fickle:
    """Offers of caches, of which some are too slow, while another process works in the store."""

    offers: CacheSubstitutes
    slow: Collection[str]
    before: Callable[[str], None]

    @property
    def left_out(self) -> list[str]:
        return self.offers.left_out

    def find(self, derivations: Collection[str]) -> Offers:
        return self.offers.find(derivations)

    def closure(self, derivation: str) -> Offers:
        return self.offers.closure(derivation)

    def fetch(self, offer: Offer, into: TreeSink, advance: Advance) -> Tree:
        self.before(offer.statement.label)
        if offer.statement.label in self.slow:
            msg = "too slow"
            raise SubstituteError(msg, loss=TooSlow(2, 1))
        return self.offers.fetch(offer, into, advance)

    def cancel(self) -> None:
        self.offers.cancel()


@frozen
class World:
    """The cache that builders pushed into, and the shop of whoever asks."""

    scene: Scene
    cache: VerifyingCache
    shop: Shop
    outputs: tuple[Digest, ...]
    refused: list[Realisation] = field(factory=list)

    @classmethod
    def of(cls, scene: Scene, path: Path) -> World:
        cache, outputs = VerifyingCache(DictCache(), "team"), []
        for key, builder in zip(scene.keys, scene.builders, strict=True):
            theirs = Shop.at(path / key, builder.variant)
            built = theirs.build(check=builder.is_checked)
            push(theirs.workshop, built, cache, theirs.app, key)
            outputs.append(built.realised[theirs.app.digest].output)
        here = Shop.at(path / "here", scene.variant_before)
        return cls(scene, cache, here, tuple(outputs))

    def run(self) -> Built | None:
        """What is done now, after what was done before; None: it was refused before it began."""
        shop, scene = self.shop, self.scene
        if scene.before:
            if scene.before == "pull":
                self._ask(scene.keys[:1], 1)
            shop.build(check=scene.before != "app")
            made = shop.workshop.store.realisations.realisation(shop.app.digest)
            self.refused.extend([made] if made and scene.is_refused else [])
        shop.vary(scene.variant)
        for key in scene.keys:
            self._lose(key)
        self._ask(scene.keys, self._needed)
        shop.workshop.events.clear()
        shop.workshop.pull = scene.pull
        return shop.build()

    def accepts(self, output: Digest) -> bool:
        """Whether the statements of an output that are accepted say that its checks passed.

        Where one key is enough, that is the first one that was heard, whichever that was.
        """
        said = zip(self.scene.keys, self.scene.builders, self.outputs, strict=True)
        passed = {key for key, builder, root in said if root == output and builder.is_checked}
        if self._needed == 1:
            return bool(passed)
        verdict = Acceptance(self._needed, self.scene.keys).judge(
            map(Claim, self.scene.keys, self.outputs)
        )
        is_accepted = isinstance(verdict, Accepted) and verdict.output == output
        return is_accepted and len(passed) >= self._needed

    @property
    def _needed(self) -> int:
        return min(self.scene.needed, len(self.scene.keys))

    def passed(self, label: str, output: Digest) -> bool:
        """Whether a check passed for an output, here or where somebody is believed."""
        return self.shop.has_tried(label, output) or self.accepts(output)

    def _ask(self, keys: tuple[str, ...], needed: int) -> None:
        """Ask the cache, and let that many keys vouch for what is in the store, too."""
        rules, shop = terms(*keys, needed=needed), self.shop.workshop
        offers = substitutes(shop, [member(self.cache, Ticks())], rules, self.shop.app)
        shop.substitutes = Fickle(offers, self.scene.slow, self._pass)
        shop.accepts = lambda made: (
            made not in self.refused
            and rules.acceptance.all_vouched(made.voucher_sets, rules.valid_ids)
        )

    def _lose(self, key: str) -> None:
        record = self.cache.record(realisation_name(key, self.shop.app.digest))
        assert record
        said = payload(record)
        lost = [each for each in (said, *said["checks"]) if each["label"] in self.scene.lost]
        for each in lost:
            for pack, _ in each["outputs"]["out"]["packs"]:
                self.cache.remove(object_name(Digest.parse(pack)))

    def _pass(self, label: str) -> None:
        """Let another process make an ``app``, of a kind of its own."""
        store = self.shop.workshop.store
        if label == self.scene.meanwhile:
            with store.trees.new_tree() as tree:
                tree.file("data", [b"of another process"])
                output = tree.commit().root
            made = Realisation(key=self.shop.app.key, output=output, action="0" * 64)
            store.realisations.register(made)


OTHERWISE_BEFORE = Scene(
    builders=(Builder(0, is_checked=True),),
    needed=1,
    variant=1,
    before="app",
    variant_before=1,
    is_refused=False,
    lost=NOTHING,
    slow=NOTHING,
    meanwhile="",
    pull=False,
)


@example(OTHERWISE_BEFORE)
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(SCENES)
def test_a_check_passed_for_what_is_delivered(scene: Scene):
    with tempfile.TemporaryDirectory() as folder:
        world = World.of(scene, Path(folder))
        shop = world.shop
        try:
            built = world.run()
        except SubstituteError:
            assert scene.pull
            return
        if not scene.pull:
            built.refuse_failures()
            assert built.realised.keys() >= {each.digest for each in (shop.app, *shop.checks)}
        for check in shop.checks:
            if check.digest in built.realised:
                output = built.realised[shop.app.digest].output
                assert world.passed(check.label, output), shop.workshop.how()
        for shipment in packed.results if (packed := shop.packed()) else ():
            for label in shipment.checks:
                assert world.passed(label, shipment.realisation.output), f"{label} is signed"
        if not (scene.lost or scene.slow or scene.meanwhile):
            ends = [each.how for each in shop.workshop.events if isinstance(each, Finished)]
            assert "lost" not in ends, "it was known before that it is no use"
        if not (built.failures or scene.meanwhile or scene.is_refused):
            assert shop.build().plan.tasks == {}, "it is known now what each check passed for"
