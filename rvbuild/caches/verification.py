"""Reads all of a cache, and says what is damaged in it, or missing.

Knows: what each record must be, and which objects it names. Must not know: how a signature is
verified, who is trusted.

The rules:

1. A record of a trusted key is signed by it, and is about what its name says.
2. A record of another key is no fault: others may share the cache. It is counted, and what it names
   is looked for. Nor is one of another key of the same name, which is told.
3. Each object that a record names is there, in the size that the record says.
4. Each object has the bytes that its name says, whatever names it.
5. Where a record or an object has its place, there is no link, pipe or folder; and where a folder
   of these has its place, no link or pipe, and none that nobody may look into.
6. A file with a name that rvbuild gives nothing is somebody else's: it is counted, and not read.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain

from attrs import define, field, frozen

from rvbuild.caches.availability import Open
from rvbuild.caches.entry_walk import Walked, tell_nobody, walk
from rvbuild.caches.names import (
    OBJECTS,
    RECORDS,
    is_folder,
    is_object,
    is_record,
    object_name,
    realisation_name,
)
from rvbuild.caches.parallel import workers
from rvbuild.caches.tenure import Tenure
from rvbuild.core.digest import Digest
from rvbuild.core.dsse import Envelope
from rvbuild.core.errors import CacheMiss, Malformed, VerificationError, WrongContent
from rvbuild.core.ports.cache import CacheEntries, CacheEntry, CollectableCache
from rvbuild.core.printable import brief
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
        others: How many files there have names that rvbuild gives nothing.
        findings: What is damaged, missing, or of another key of a trusted one's name.
    """

    records: int
    untrusted: int
    objects: int
    size: int
    others: int
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
        below = [*self.cache.entries(RECORDS)], [*self.cache.entries(OBJECTS)]
        records = [entry for entry in below[0] if is_record(entry.name)]
        objects = [entry for entry in below[1] if is_object(entry.name)]
        self._sizes = {entry.name: entry.size for entry in objects}
        with workers(AT_ONCE) as pool:
            named = zip(records, pool.map(self._packs, records), strict=True)
            for entry, packs in walk(named, "records", self.tell, len(records)):
                self._look_for(entry.name, packs)
            findings = pool.map(self._object, objects)
            for finding in walk(findings, "objects", self.tell, len(objects)):
                self._note(finding)
        strangers = self._note_obstacles()
        return CacheCheck(
            records=len(records),
            untrusted=self._untrusted,
            objects=len(objects),
            size=sum(self._sizes.values()),
            others=sum(map(len, below)) - len(records) - len(objects) + strangers,
            findings=tuple(self._findings.values()),
        )

    def _note_obstacles(self) -> int:
        """Note what is in the way (rule 5); how many files there are others' (rule 6)."""
        others = 0
        for path in chain(self.cache.strangers(RECORDS), self.cache.strangers(OBJECTS)):
            obstacle = _obstacle(path)
            self._note(obstacle)
            others += obstacle is None and not path.endswith("/")
        return others

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
        _, key, kind, *_ = name.split("/")
        payload_type = _TYPES[kind]
        body = self._body(key, data, payload_type, name)
        if payload_type == CLOSURE:
            closure = Closure.of(body)
            _refuse_other(name, f"{RECORDS}{closure.key}/targets/{closure.target}")
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
            for _ in self.cache.read(Digest(entry.name.rpartition("/")[2], entry.size)):
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


def _obstacle(path: str) -> CacheFinding | None:
    """What stands where the cache has something else (rule 5); None: it is in nobody's way."""
    name = path.removesuffix("/")
    if is_record(name) or is_object(name):
        return CacheFinding(kind="damaged", name=path, problem="it is no regular file")
    if name == path and is_folder(name):
        return CacheFinding(kind="damaged", name=path, problem="it is no folder that can be read")
    return None


def _refuse_other(name: str, own: str) -> None:
    if name != own:
        msg = f"it is {brief(own)}, at another place"
        raise WrongContent(msg)
