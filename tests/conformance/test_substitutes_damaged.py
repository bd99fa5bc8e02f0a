"""A result of two caches of which one is damaged comes right, and in time, whatever that one does.

The damage is that of `test_caches_damaged`, to one pack after another and to records; beside it is
a folder that has all of it.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest
from attrs import evolve, field, frozen
from bucket_server import BucketServer
from cache_faults import DAMAGES, SHORT
from cache_places import GATED, Behind, folder, services
from faulty_gateway import Call, Gateway, gateway
from signing import keyring, private_key
from team import terms

from rvbuild.caches.budget import StallBudget
from rvbuild.caches.fetch_watch import Preference
from rvbuild.caches.member import Member
from rvbuild.caches.names import object_name, realisation_name
from rvbuild.caches.substitutes import CacheSubstitutes
from rvbuild.caches.table import open_cache
from rvbuild.caches.tree_packs import packed_tree, plan_packs
from rvbuild.caches.verifying import VerifyingCache
from rvbuild.core.digest import Digest
from rvbuild.core.dsse import Envelope
from rvbuild.core.packing import LARGE
from rvbuild.core.statement import REALISATION, Statement
from rvbuild.core.tree import Tree
from rvbuild.engine.pull import pull_tree
from rvbuild.stores.memory import MemoryStore
from rvbuild.trust.verify import verify_statement

STEP = Digest.of(b"a step")
RECORD = realisation_name("ci", STEP.hash)
SLACK = 10.0
"""Seconds that this machine, which does other things beside, may add."""


@frozen
class Result:
    """A tree of several packs, one of them of a blob that is written while it comes."""

    tree: Tree
    record: bytes
    packs: dict[str, bytes]
    """By name of the object."""


@pytest.fixture(scope="module")
def result() -> Result:
    noise, store = Random(13), MemoryStore()  # noqa: S311 - the same bytes each time
    with store.trees.new_tree() as writer:
        for number in range(40):
            writer.file(f"small/{number}", [noise.randbytes(10_000)])
        writer.file("tool", [noise.randbytes(LARGE + 100_000)], executable=True)
        tree = writer.commit()
    packs, said = {}, []
    for plan in plan_packs(tree):
        file = io.BytesIO()
        said.append(plan.write(store.cas, file))
        packs[object_name(said[-1].digest)] = file.getvalue()
    assert len(packs) == 2
    statement = Statement(
        derivation=STEP, label="app", key="ci", output=packed_tree(tree, said), milliseconds=1000
    )
    record = Envelope.sign(REALISATION, statement.encode(), private_key("ci")).encode()
    return Result(tree, record, packs)


def verified(data: bytes, payload_type: str, where: str) -> tuple[str, object]:
    """What a record says, whose signature is looked at: a bit of it may be another."""
    signed = verify_statement(data, payload_type, keyring("ci"), where)
    return signed.key.key_id, signed.body


@frozen
class Two:
    """The damaged cache, what is before and behind it, and the healthy one."""

    damaged: Member
    gate: Gateway
    other: Gateway
    behind: Behind
    healthy: Member
    healthy_behind: Behind
    store: MemoryStore = field(factory=MemoryStore)

    def pulled(self) -> tuple[Tree, float]:
        """The tree that came, and after how many seconds."""
        asked = CacheSubstitutes(
            members=(self.damaged, self.healthy),
            terms=evolve(terms("ci"), valid_ids=keyring("ci").valid_ids, prefer=Preference.FETCH),
            verify=verified,
            report=lambda _event: None,
            clock=time.monotonic,
            stop=lambda: None,
        )
        began = time.monotonic()
        (offer,) = asked.find([STEP.hash]).values()
        pull_tree(offer, self.store.trees, asked, lambda _done, _total: None)
        return self.store.trees.tree(offer.output), time.monotonic() - began


@contextmanager
def two(tmp_path: Path, buckets: BucketServer, result: Result) -> Iterator[Two]:
    budget = StallBudget(SHORT, time.monotonic)
    with (
        GATED["http"](tmp_path, buckets) as gated,
        gateway(gated.server) as gate,
        gateway(gated.server) as other,
        services(lambda: budget.left) as given,
        folder(tmp_path) as place,
    ):
        for name, data in result.packs.items():
            gated.behind.put(name, data)
            place.behind.put(name, data)
        cache = open_cache(gated.address(gate.address, "secret"), given)
        yield Two(
            _member("damaged", cache, budget),
            gate,
            other,
            gated.behind,
            _member("healthy", place.cache, StallBudget(SHORT, time.monotonic)),
            place.behind,
        )


def _member(name: str, cache: VerifyingCache, budget: StallBudget) -> Member:
    return Member(name=name, cache=cache, budget=budget, pause=time.sleep)


@pytest.mark.parametrize("name", DAMAGES)
def test_whatever_is_wrong_with_the_packs_of_one_they_come_of_the_other(
    name: str, tmp_path: Path, buckets: BucketServer, result: Result
):
    with two(tmp_path, buckets, result) as at:
        at.behind.put(RECORD, result.record)
        at.gate.fault = DAMAGES[name].make(at.gate, at.other.address)
        tree, seconds = at.pulled()
    assert tree == result.tree
    assert seconds < SHORT + SLACK


@pytest.mark.parametrize("name", DAMAGES)
def test_whatever_is_wrong_with_the_record_of_one_that_of_the_other_counts(
    name: str, tmp_path: Path, buckets: BucketServer, result: Result
):
    with two(tmp_path, buckets, result) as at:
        at.behind.put(RECORD, result.record)
        at.healthy_behind.put(RECORD, result.record)
        fault = DAMAGES[name].make(at.gate, at.other.address)
        at.gate.fault = lambda call, reply, send: fault(_of_object(call), reply, send)
        tree, seconds = at.pulled()
    assert tree == result.tree
    assert seconds < SHORT + SLACK


def _of_object(call: Call) -> Call:
    return evolve(call, path=call.path.replace("records/", "objects/"))
