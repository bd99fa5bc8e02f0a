"""Proving that every record of a local store is sound, and that what it names is there.

Knows: what each kind of record refers to. Must not know: how blobs and trees are verified.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

from rvbuild.core.digest import Digest
from rvbuild.core.errors import NewerRecord, VerificationError
from rvbuild.stores.cache_totals import decode_totals
from rvbuild.stores.failures import decode_failure
from rvbuild.stores.findings import Walk, mode_at, reason
from rvbuild.stores.layout import PLAIN
from rvbuild.stores.reach import (
    Needs,
    Presence,
    failure_needs,
    outcome_needs,
    realisation_needs,
    root_needs,
)
from rvbuild.stores.records import read_record
from rvbuild.stores.results import decode_outcome, decode_realisation
from rvbuild.stores.roots import decode_root
from rvbuild.stores.shape import AC, CACHES, FAILED, REALISATIONS, ROOTS, Survey, places
from rvbuild.stores.top import VERSION_FILE
from rvbuild.stores.version import CONTENT


def check_records(walk: Walk) -> None:
    """Read every record, and compare what it names with the blobs and trees of the walk."""
    _version(walk)
    for check, accelerated, name, path in _listed_results(walk.there):
        walk.done.results += 1
        _record(walk, partial(check, accelerated=accelerated), name, path)
    for name, path in walk.there.named(FAILED):
        _record(walk, _failure, name, path)
    for name, path in walk.there.named(ROOTS):
        _record(walk, _root, name, path)
    for name, path in walk.there.named(CACHES):
        _record(walk, _cache_totals, name, path)


def _version(walk: Walk) -> None:
    path = f"{walk.layout.root}/{VERSION_FILE}"
    try:
        if read_record(walk.layout, path) != CONTENT:
            walk.damaged(path, "not the version that this store has")
    except FileNotFoundError:
        walk.missing(path, "the store's version")
    except OSError as error:
        walk.damaged(path, reason(error))


class _Check(Protocol):
    def __call__(
        self, walk: Walk, name: str, path: str, data: bytes, *, accelerated: bool
    ) -> None: ...


def _listed_results(there: Survey) -> Iterator[tuple[_Check, bool, str, str]]:
    checks: tuple[tuple[str, _Check], ...] = ((REALISATIONS, _realisation), (AC, _outcome))
    for kind, check in checks:
        for top, accelerated in places(kind):
            for name, path in there.named(top):
                yield check, accelerated, name, path


def _record(
    walk: Walk, check: Callable[[Walk, str, str, bytes], None], name: str, path: str
) -> None:
    try:
        mode = stat.S_IMODE(mode_at(walk.layout, path))
        if mode != PLAIN:
            walk.damaged(path, f"mode {mode:o} instead of {PLAIN:o}", PLAIN)
            return  # what is in it is looked at when it can be read
        check(walk, name, path, read_record(walk.layout, path))
    except FileNotFoundError:  # replaced or forgotten meanwhile
        return
    except NewerRecord as error:
        walk.newer(path, error)
    except (OSError, VerificationError) as error:
        walk.damaged(path, reason(error))


def _realisation(walk: Walk, name: str, path: str, data: bytes, *, accelerated: bool) -> None:
    found = decode_realisation(data, name, accelerated=accelerated)
    _look_for(walk, path, realisation_needs(found))


def _failure(walk: Walk, name: str, path: str, data: bytes) -> None:
    _look_for(walk, path, failure_needs(decode_failure(data, name)))


def _outcome(walk: Walk, name: str, path: str, data: bytes, *, accelerated: bool) -> None:
    del accelerated  # an outcome does not say whether it is
    _look_for(walk, path, outcome_needs(decode_outcome(data, name)))


def _root(walk: Walk, name: str, path: str, data: bytes) -> None:
    _look_for(walk, path, root_needs(decode_root(data, name)))


def _cache_totals(_walk: Walk, name: str, _path: str, data: bytes) -> None:
    decode_totals(data, name)


def _look_for(walk: Walk, path: str, needs: Needs) -> None:
    """Compare what the record at ``path`` needs with what the walk has seen."""
    present = Presence(
        blobs=walk.present,
        trees=walk.trees,
        actions=walk.there.records(AC),
        realisations=walk.there.records(REALISATIONS),
    )
    for problem in present.absences(needs):
        walk.missing(path, problem)
    tree = walk.trees.get(needs.output.hash) if needs.output is not None else None
    if tree is not None and tree.root != needs.output:
        walk.damaged(path, "its output has another size")
    elif tree is not None and needs.message not in {None, Digest.of(tree.encode())}:
        walk.damaged(path, "its output and its Tree message do not fit")
    for what, blob in needs.blobs():
        if blob.hash in walk.present and walk.sizes.get(blob.hash, blob.size) != blob.size:
            walk.damaged(path, f"its {what} has another size")
