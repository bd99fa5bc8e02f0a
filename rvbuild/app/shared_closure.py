"""What somebody who shares a cache made a target of, out of the cache alone.

Knows: who is believed, and how a closure is read. Must not know: how closures are compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from rvbuild.app.former_result import FormerResult
from rvbuild.app.run_caches import RunCaches, accepted_keys, opened
from rvbuild.app.session import Session
from rvbuild.app.signing_key import acceptance
from rvbuild.caches.arrival import Arrival
from rvbuild.caches.closure_pack import read_derivations
from rvbuild.caches.member import Member
from rvbuild.caches.names import target_name
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError, WrongContent
from rvbuild.core.printable import printable_line
from rvbuild.core.statement import CLOSURE, Closure
from rvbuild.trust.keyring import Keyring
from rvbuild.trust.verify import verify_statement


@frozen
class SharedPlace:
    """A cache, and the key whose word counts; without one, that of any key that is accepted."""

    cache: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> SharedPlace:
        """Read ``CACHE`` or ``CACHE/KEY``."""
        cache, _, key = text.partition("/")
        return cls(cache, key)

    def __str__(self) -> str:
        return f"{self.cache}/{self.key}" if self.key else self.cache


def former_there(session: Session, names: Sequence[str], place: SharedPlace) -> FormerResult:
    """What a cache last had of a target.

    Args:
        session: In whose settings the cache is.
        names: What the target may be called there.
        place: The cache.

    Raises:
        UsageError: there is no such cache, or key; nobody accepted brought the target there.
        CacheError: it does not answer, or lacks what it says that it has.
        VerificationError: what it has is not what a trusted key signed.
    """
    with opened(session, (place.cache,)) as caches:
        for closure, member in _closures(session, caches, names, place):
            pack = closure.derivations
            derivations = read_derivations(member.read(Arrival(pack.digest)), pack.blobs)
            by = SharedPlace(place.cache, closure.key)
            return FormerResult(derivation=closure.derivation, place=str(by), read=derivations.get)
    msg = f"nobody whose word counts brought it into the cache {place}"
    hint = advise("have it pushed from where it was built; ", Remedy.KEYS)
    raise UsageError(msg, where=names[0], hint=hint)


def _closures(
    session: Session, caches: RunCaches, names: Sequence[str], place: SharedPlace
) -> Iterator[tuple[Closure, Member]]:
    """What each key says, as far as the cache has it."""
    keys = _keys(session, caches.keyring, place)
    for each in caches.caches:
        member = caches.member(each)
        for key in keys:
            for name in names:
                record = member.record(target_name(key, name))
                if record is not None:
                    where = f"{each.name} {target_name(key, name)}"
                    yield _closure(record, caches.keyring, (key, name), where), member


def _keys(session: Session, keyring: Keyring, place: SharedPlace) -> tuple[str, ...]:
    if not place.key:
        return accepted_keys(acceptance(session.workspace.settings, release=False), keyring)
    if keyring.named(place.key) is None:
        msg = f"the key {printable_line(place.key)!r} is not trusted here"
        raise UsageError(msg, where=str(place), hint=advise(Remedy.TRUST_KEY))
    return (place.key,)


def _closure(record: bytes, keyring: Keyring, asked: tuple[str, str], where: str) -> Closure:
    """What a record says of the target that it was asked for.

    Raises:
        VerificationError: no trusted key signed it, or it is of another target or key.
    """
    closure = Closure.of(verify_statement(record, CLOSURE, keyring, where).body)
    if (closure.key, closure.target) != asked:
        said = printable_line(f"{closure.target}, by {closure.key}")
        msg = f"a record of another target or key: {said}"
        raise WrongContent(msg, where=where)
    return closure
