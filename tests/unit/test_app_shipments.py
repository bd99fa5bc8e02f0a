"""What is brought to others: all below a target, and how long that took."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import define, field
from workshop import Workshop
from workspaces import workspace

from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer
from rvbuild.caches.shipment import TargetShipment
from rvbuild.core.derivation import Derivation, Step
from rvbuild.core.digest import Digest
from rvbuild.core.events import silent
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.realisation import Realisation


def a_graph(shop: Workshop, seed: int) -> list[Derivation]:
    """Sources, merges and steps, each on some of those before."""
    draw = random.Random(seed)  # noqa: S311 - a graph, no secret
    made: list[Derivation] = [shop.source("source")]
    for at in range(40):
        inputs = draw.sample(made, min(len(made), draw.randint(1, 4)))
        if draw.random() < 0.3:
            made.append(shop.merge(f"merge {at}", *inputs))
        else:
            made.append(shop.step(f"step {at}", f"say {at}", *inputs))
    return made


@define
class Made:
    """A lookup that has everything; what is at place K took ``2**K`` milliseconds."""

    places: Mapping[str, int]
    asked: list[str] = field(factory=list)

    def __call__(self, digest: str, _tried: Digest | None = None, /) -> Realisation:
        self.asked.append(digest)
        key = Digest(digest, 1)
        return Realisation(key=key, output=key, milliseconds=1 << self.places[digest])


def below(known: Mapping[str, Derivation], digest: str) -> set[str]:
    return {digest}.union(*(below(known, each) for each in known[digest].inputs))


@pytest.mark.parametrize("seed", range(5))
def test_all_below_counts_once(tmp_path: Path, seed: int):
    """Sources and merges, too: whoever makes a toolchain in a second has fetched it before."""
    shop = Workshop(str(tmp_path))
    known = {each.digest: each for each in a_graph(shop, seed)}
    steps = [digest for digest, each in known.items() if isinstance(each, Step)]
    places = {digest: at for at, digest in enumerate(known)}
    lookup = Made(places)
    packer = Packer(
        Session(workspace(str(tmp_path)), silent),
        Linked(derivations=known, results={}, checks={}),
        lookup,
    )
    for digest in steps:
        shipment = packer.result(digest)
        assert shipment
        taken = {places[each] for each in below(known, digest)}
        assert shipment.closure_milliseconds == sum(1 << at for at in taken)
    assert len(lookup.asked) == len(set(lookup.asked))


def test_what_a_check_needs_is_below_its_target(tmp_path: Path):
    """Whoever changes the target runs the check anew, and has what it needs of the same record."""
    shop = Workshop(str(tmp_path))
    base, emulator = shop.step("base", "say 1"), shop.step("emulator", "say 2")
    app = shop.step("app", "say 3", base)
    check = shop.step("check of app", "say 4", app, emulator, tries=app.digest)
    known = {each.digest: each for each in (base, emulator, app, check)}
    target = Target("app", "riscv64")
    packer = Packer(
        Session(workspace(str(tmp_path)), silent),
        Linked(derivations=known, results={target: app.digest}, checks={target: (check.digest,)}),
        Made({digest: at for at, digest in enumerate(known)}),
    )
    shipment = packer.target(target)
    assert isinstance(shipment, TargetShipment)
    assert {each.label for each in shipment.results} == {"base", "emulator", "app"}
    assert len(shipment.derivations) == len(known)
