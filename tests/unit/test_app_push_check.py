"""Whether a cache has what a push would bring: whose records count, and what is said of others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from attrs import frozen
from dict_cache import DictCache
from signing import private_key
from team import push
from workshop import Workshop
from workspaces import workspace

from rvbuild.app.own_record import open_own, open_said
from rvbuild.app.push_check import PushCheck
from rvbuild.app.session import Session
from rvbuild.app.shipments import Packer
from rvbuild.caches.availability import Lack, find_lacks
from rvbuild.caches.shipment import TargetShipment
from rvbuild.core.derivation import Step
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import CacheRefused
from rvbuild.core.events import silent
from rvbuild.core.graph import Target
from rvbuild.core.link import Linked
from rvbuild.core.revocation import Revocation
from rvbuild.engine.lookup import StoreLookup
from rvbuild.trust.private_key import PrivateKey

OWN = private_key("ci")
NAMESAKE = PrivateKey("ci", b"another project's".ljust(32))
AGAIN = "push again: what is there is not sent a second time"
APART = "let each project have a place of its own"
APP = Target("app", "")


@frozen
class Pushed:
    """A target that a key's owner pushed, and who asks whether it is there."""

    cache: DictCache
    shipment: TargetShipment

    @classmethod
    def by(cls, path: Path, signer: PrivateKey) -> Pushed:
        shop, cache = Workshop(str(path)), DictCache()
        app = shop.step("app", "say app", shop.step("below", "say below"))
        check = shop.check("check 1", "say fine", app)

        def sign(payload_type: str, payload: bytes) -> bytes:
            return Envelope.sign(payload_type, payload, signer).encode()

        steps = [each for each in shop.known.values() if isinstance(each, Step)]
        push(shop, shop.build(*steps), cache, app, "ci", sign=sign)
        linked = Linked(
            derivations=shop.known, results={APP: app.digest}, checks={APP: (check.digest,)}
        )
        session = Session(workspace(str(path)), silent)
        shipment = Packer(session, linked, StoreLookup(shop.store)).target(APP)
        assert isinstance(shipment, TargetShipment)
        return cls(cache, shipment)

    def check(self, revocations: tuple[Revocation, ...] = ()) -> PushCheck:
        """What the owner of `OWN` misses."""
        read = partial(open_said, OWN.public, revocations)
        lacks = find_lacks(self.cache, "ci", self.shipment, read, frozenset())
        return PushCheck(cache="team", address="/team", results=3, lacks=tuple(lacks))

    def edit(self, change: Callable[[bytes], bytes]) -> None:
        """Change each record."""
        for name, (data, _) in tuple(self.cache.files.items()):
            if name.startswith("records/"):
                self.cache.write_record(name, change(data))


def problems(check: PushCheck) -> set[str]:
    assert len(check.lacks) in {0, 3}
    return {lack.problem for lack in check.lacks}


def test_ones_own_records_count(tmp_path: Path):
    check = Pushed.by(tmp_path, OWN).check()
    assert (check.lacks, check.fault) == ((), None)


def test_those_of_another_key_of_the_name_are_no_damage(tmp_path: Path):
    """To push again would be refused, so that is no advice."""
    pushed = Pushed.by(tmp_path, NAMESAKE)
    check = pushed.check()
    words = f"signed by {NAMESAKE.public.key_id}, another key of that name"
    assert problems(check) == {f"its record does not count: {words}"}
    assert str(check.fault.hint).startswith(APART)
    name = next(name for name in pushed.cache.files if name.startswith("records/"))
    record, kind = pushed.cache.files[name][0], "application/vnd.rvbuild.realisation+json"
    with pytest.raises(CacheRefused, match="another key of that name"):
        open_own(OWN.public, "/team", record, kind, name)


def test_nor_are_those_of_a_revoked_key(tmp_path: Path):
    revocation = Revocation(OWN.public, "2026-11-29", "it was stolen")
    (problem,) = problems(Pushed.by(tmp_path, OWN).check((revocation,)))
    assert "damaged" not in problem
    assert problem.endswith(f"{OWN.public.key_id}: revoked on 2026-11-29: it was stolen")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda data: data[:-20], "its record is damaged: "),
        (
            lambda data: data.replace(b'"payload":"e', b'"payload":"f'),
            "its record does not count: ",
        ),
        (
            lambda data: Envelope.sign(
                Envelope.decode(data).payload_type, Envelope.decode(data).payload, private_key("x")
            ).encode(),
            "its record does not count: no trusted key signed this; x:",
        ),
    ],
    ids=["cut", "edited", "by another name"],
)
def test_what_a_push_writes_over(tmp_path: Path, change: Callable[[bytes], bytes], problem: str):
    pushed = Pushed.by(tmp_path, OWN)
    pushed.edit(change)
    check = pushed.check()
    assert all(each.startswith(problem) for each in problems(check)), check.lacks
    assert check.fault
    assert check.fault.hint == AGAIN


def test_what_is_not_there():
    lack = Lack(label="app", problem="no record of it")
    check = PushCheck(cache="team", address="/team", results=3, lacks=(lack,))
    assert check.fault
    assert check.fault.message == "the cache team lacks 1 of 3 records"
