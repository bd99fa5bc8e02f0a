"""What somebody who shares a cache made a target of, out of the cache alone.

Knows: who is believed, and how a closure is read. Must not know: how closures are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from attrs import frozen

from rvbuild.app.former_result import FormerResult
from rvbuild.app.run_caches import RunCache, accepted_keys, opened
from rvbuild.app.session import Session
from rvbuild.app.signing_key import acceptance
from rvbuild.caches.arrival import Arrival
from rvbuild.caches.closure_pack import read_derivations
from rvbuild.caches.member import Member
from rvbuild.caches.names import target_name
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import (
    CacheError,
    CacheMiss,
    RvbuildError,
    UsageError,
    VerificationError,
    WrongContent,
)
from rvbuild.core.events import Noticed
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


def former_there(
    session: Session, names: Sequence[str], result: str, place: SharedPlace
) -> FormerResult:
    """What a cache last had of a target.

    The last one is the one that was written last, by any of the names and of the keys that count;
    where the cache cannot list what it holds, one of the very result that would be built now, else
    the first one. One that is lost or damaged is told, and the next one is taken.

    Args:
        session: In whose settings the cache is.
        names: What the target may be called there.
        result: The digest of the target's derivation as it would be built now.
        place: The cache.

    Raises:
        UsageError: there is no such cache, or key; nobody accepted brought the target there.
        CacheError: it does not answer, or lacks what it says that it has.
        VerificationError: what it has is not what a trusted key signed.
    """
    failures: list[RvbuildError] = []
    with opened(session, (place.cache,)) as caches:
        (cache,) = caches.caches
        member = caches.member(cache)
        keys = _keys(session, caches.keyring, place)
        records = [_Record(key, name) for key in keys for name in names]
        moments = _moments(cache, records)
        records.sort(key=lambda record: -moments.get(record.name, 0.0))
        formers = _formers(member, caches.keyring, records, failures)
        former = next(formers, None)
        if former is not None and not moments:  # nobody knows which one is the last
            former = next(
                (each for each in (former, *formers) if each.derivation == result), former
            )
        if former is not None:
            _tell(session, cache, failures)
            return former
    if failures:
        raise failures[0]
    msg = f"nobody whose word counts brought it into the cache {place}"
    hint = advise("have it pushed from where it was built; ", Remedy.KEYS)
    raise UsageError(msg, where=names[0], hint=hint)


@frozen
class _Record:
    """Where a key's word about a target is."""

    key: str
    target: str

    @property
    def name(self) -> str:
        return target_name(self.key, self.target)

    @property
    def folder(self) -> str:
        return self.name.rpartition("/")[0] + "/"


def _moments(cache: RunCache, records: Sequence[_Record]) -> Mapping[str, float]:
    """When records were written, by name; none, if nobody can tell, or there is only one."""
    moments: dict[str, float] = {}
    if len(records) > 1:
        with suppress(CacheError), cache.budget.waiting():
            for folder in {record.folder for record in records}:
                entries = cache.cache.entries(folder)
                moments |= {entry.name: entry.modified for entry in entries}
    return moments


def _formers(
    member: Member, keyring: Keyring, records: Iterable[_Record], failures: list[RvbuildError]
) -> Iterator[FormerResult]:
    """What records say, in their order; what is wrong with others goes to ``failures``."""
    for record in records:
        try:
            former = _former(member, keyring, record)
        except (CacheMiss, VerificationError) as error:
            failures.append(error)
            continue
        if former is not None:
            yield former


def _former(member: Member, keyring: Keyring, record: _Record) -> FormerResult | None:
    """What a record says, with the derivations that it names; None if there is no such record."""
    data = member.record(record.name)
    if data is None:
        return None
    closure = _closure(data, keyring, record, f"{member.name} {record.name}")
    pack = closure.derivations
    derivations = read_derivations(member.read(Arrival(pack.digest)), pack.blobs)
    place = str(SharedPlace(member.name, closure.key))
    return FormerResult(derivation=closure.derivation, place=place, read=derivations.get)


def _tell(session: Session, cache: RunCache, failures: Iterable[RvbuildError]) -> None:
    """Say what was passed over."""
    for error in failures:
        where = f" ({error.where})" if error.where else ""
        is_lie = isinstance(error, VerificationError)
        session.report(Noticed(cache.name, f"passed over: {error.message}{where}", is_lie))


def _keys(session: Session, keyring: Keyring, place: SharedPlace) -> tuple[str, ...]:
    if not place.key:
        return accepted_keys(acceptance(session.workspace.settings, release=False), keyring)
    if keyring.named(place.key) is None:
        msg = f"the key {printable_line(place.key)!r} is not trusted here"
        raise UsageError(msg, where=str(place), hint=advise(Remedy.TRUST_KEY))
    return (place.key,)


def _closure(data: bytes, keyring: Keyring, record: _Record, where: str) -> Closure:
    """What a record says of the target that it was asked for.

    Raises:
        VerificationError: no trusted key signed it, or it is of another target or key.
    """
    closure = Closure.of(verify_statement(data, CLOSURE, keyring, where).body)
    if (closure.key, closure.target) != (record.key, record.target):
        said = printable_line(f"{closure.target}, by {closure.key}")
        msg = f"a record of another target or key: {said}"
        raise WrongContent(msg, where=where)
    return closure
