"""Reads all of a cache, and says what is damaged in it, or missing.

Knows: what each record must be, and which objects it names. Must not know: how a signature is
verified, who is trusted.

The rules:

1. A record of a trusted key is signed by it, and is about what its name says.
2. A record of another key is no fault: others may share the cache. It is counted, and what it names
   is looked for. Nor is one of another key of the same name, which is told.
3. Each object that a record names is there, in the size that the record says.
4. Each object has the bytes that its name says, whatever names it.
5. Where a record or an object has its place, there is no link, pipe or folder.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from attrs import define, field, frozen

from rvbuild.caches.availability import Open
from rvbuild.caches.entry_walk import Walked, tell_nobody, walk
from rvbuild.caches.names import (
    OBJECTS,
    RECORDS,
    is_name,
    is_object,
    is_record,
    object_name,
    realisation_name,
    target_name,
)
from rvbuild.caches.parallel import workers
from rvbuild.caches.tenure import Tenure
from rvbuild.core.digest import Digest
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import CacheMiss, Malformed, VerificationError, WrongContent
from rvbuild.core.ports.cache import CacheEntries, CacheEntry, CollectableCache
from rvbuild.core.statement import CLOSURE, REALISATION, Closure, Statement

AT_ONCE = 8
"""Files that are read at the same time."""

_TYPES = {"realisations": REALISATION, "targets": CLOSURE}


@frozen(kw_only=True)
class CacheFinding:
    """Something that is not as it must be.

    Attributes:
        kind: ``damaged``, ``missing``, or ``untrusted``, which is no fault (rule 2).
        name: The file of the cache.
        problem: What is wrong with it.
    """

    kind: str
    name: str
    problem: str


@frozen(kw_only=True)
class CacheCheck:
    """What was looked at.

    Attributes:
        records: How many records.
        untrusted: How many of them are of keys that are not trusted here.
        objects: How many objects.
        size: Bytes of these.
        findings: What is damaged, missing, or of another key of a trusted one's name.
    """

    records: int
    untrusted: int
    objects: int
    size: int
    findings: tuple[CacheFinding, ...]


@define
class CacheVerifier:
    """Verifies one cache.

    Attributes:
        cache: Which; it verifies what is read (`VerifyingCache`).
        open: Opens envelopes.
        valid_ids: The ids of the keys that are trusted here.
        take: Told of each finding at once: a large cache takes long.
        tell: Told how far it is.
    """

    cache: CollectableCache
    open: Open
    valid_ids: Collection[str]
    take: Callable[[CacheFinding], None]
    tell: Walked = tell_nobody
    _findings: dict[tuple[str, str], CacheFinding] = field(factory=dict, init=False)
    _untrusted: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _sizes: dict[str, int] = field(factory=dict, init=False)

    def run(self) -> CacheCheck:
        """Read everything.

        Raises:
            CacheError: it cannot be listed or read.
        """
        records = list(self.cache.entries(RECORDS))
        objects = list(self.cache.entries(OBJECTS))
        self._sizes = {entry.name: entry.size for entry in objects}
        with workers(AT_ONCE) as pool:
            named = zip(records, pool.map(self._packs, records), strict=True)
            for entry, packs in walk(named, "records", self.tell, len(records)):
                self._look_for(entry.name, packs)
            findings = pool.map(self._object, objects)
            for finding in walk(findings, "objects", self.tell, len(objects)):
                self._note(finding)
        for prefix in (RECORDS, OBJECTS):
            for path in filter(_stands_in_the_way, self.cache.strangers(prefix)):
                self._note(CacheFinding(kind="damaged", name=path, problem="it is no regular file"))
        return CacheCheck(
            records=len(records),
            untrusted=self._untrusted,
            objects=len(objects),
            size=sum(self._sizes.values()),
            findings=tuple(self._findings.values()),
        )

    def _note(self, finding: CacheFinding | None) -> None:
        """Keep and tell a finding; several records may lack one object."""
        if finding is None:
            return
        with self._lock:
            if (finding.kind, finding.name) not in self._findings:
                self._findings[finding.kind, finding.name] = finding
                self.take(finding)

    def _packs(self, entry: CacheEntry) -> Sequence[Digest] | CacheFinding:
        """The objects that a record names, or what is wrong with it."""
        data = self.cache.record(entry.name)
        if data is None:  # somebody removed it meanwhile
            return ()
        try:
            return tuple(self._packs_in(entry.name, data))
        except VerificationError as error:
            return CacheFinding(kind="damaged", name=entry.name, problem=error.message)

    def _packs_in(self, name: str, data: bytes) -> Iterator[Digest]:
        _, key, kind, *_ = [*name.split("/"), "", ""]
        payload_type = _TYPES.get(kind)
        if payload_type is None:
            msg = "no record has such a name"
            raise Malformed(msg)
        body = self._body(key, data, payload_type, name)
        if payload_type == CLOSURE:
            closure = Closure.of(body)
            _refuse_other(name, target_name(closure.key, closure.target))
            yield closure.derivations.digest
            statements = closure.statements
        else:
            statements = (Statement.of(body),)
            (one,) = statements
            _refuse_other(name, realisation_name(one.key, one.derivation.hash))
        yield from (pack for each in statements for pack in each.packs)

    def _body(self, key: str, data: bytes, payload_type: str, name: str) -> object:
        """What a record says (rules 1 and 2)."""
        envelope = Envelope.decode(data)
        namesake = envelope.namesake(key, self.valid_ids)
        if not namesake and any(each.startswith(f"{key}:") for each in self.valid_ids):
            return self.open(data, payload_type, name)
        with self._lock:
            self._untrusted += 1
        if namesake:
            problem = f"signed by {namesake}, another key of that name"
            self._note(CacheFinding(kind="untrusted", name=name, problem=problem))
        try:
            return json.loads(envelope.payload)
        except (ValueError, RecursionError) as error:
            msg = f"what was signed is no JSON: {error}"
            raise Malformed(msg) from error

    def _look_for(self, record: str, packs: Sequence[Digest] | CacheFinding) -> None:
        """See that the objects of a record are there (rule 3)."""
        if isinstance(packs, CacheFinding):
            self._note(packs)
            return
        for pack in packs:
            name = object_name(pack)
            size = self._sizes.get(name)
            if size != pack.size:
                problem = "it is not there" if size is None else f"it has {size} bytes"
                text = f"{problem}; {record} names it, with {pack.size} bytes"
                self._note(CacheFinding(kind="missing", name=name, problem=text))

    def _object(self, entry: CacheEntry) -> CacheFinding | None:
        """Read an object (rule 4)."""
        try:
            for _ in self.cache.read(_digest(entry)):
                pass
        except CacheMiss:  # somebody removed it meanwhile
            return None
        except VerificationError as error:
            return CacheFinding(kind="damaged", name=entry.name, problem=error.message)
        return None


def remove_damaged(
    cache: CacheEntries, findings: Iterable[CacheFinding], tenure: Tenure
) -> tuple[str, ...]:
    """Remove objects that have other bytes than their names say, so that a push brings them again.

    A push sees that an object is there, and its size, and cannot see its bytes. A damaged record
    needs no removal: a push writes it again. Files that are nobody's stay.

    Args:
        cache: Where they are.
        findings: What is wrong in it.
        tenure: The lease of a collection, which keeps pushes away.

    Raises:
        CacheError: it does not let us, or the lease was lost.
    """
    damaged = [each.name for each in findings if each.kind == "damaged" and is_object(each.name)]
    for name in damaged:
        tenure.check()
        cache.remove(name)
    return tuple(damaged)


def _stands_in_the_way(path: str) -> bool:
    """Whether it is where a file of the cache would be (rule 5); others' names are others'."""
    name = path.removesuffix("/")
    return is_record(name) or is_object(name) or (name == path and is_name(name))


def _digest(entry: CacheEntry) -> Digest:
    """What an object must be, as its name and its size say."""
    try:
        item = Digest(entry.name.rpartition("/")[2], entry.size)
    except ValueError as error:
        raise Malformed(str(error)) from error
    _refuse_other(entry.name, object_name(item))
    return item


def _refuse_other(name: str, own: str) -> None:
    if name != own:
        msg = f"it is {own}, at another place"
        raise WrongContent(msg)
