"""Whom the steps of root run as, outside of their sandbox.

Knows: ids, and which of them this process may use. Must not know: what they are for.

Root's steps take an id that owns nothing, from the range that Nix uses for the same (its
``auto-allocate-uids``), or from the highest that a container has. No two steps that run at
once have the same, of any rvbuild on this machine: a name in the abstract socket namespace
is its lock, which the kernel frees when its holder dies.

Steps with an accelerator share one id, which owns the accelerator's files.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

FIRST = 872_415_232
COUNT = 1 << 23
_FEWER = 1024  # in a container that has not so many
_NOBODY = 65534
_TRIES = 256


@frozen
class Identity:
    """A user and a group of this machine."""

    uid: int
    gid: int


@frozen
class Pool:
    """The ids that steps may have; the first is for those that share an accelerator."""

    ids: range

    @property
    def common(self) -> Identity:
        return Identity(self.ids[0], self.ids[0])

    @contextmanager
    def own(self) -> Iterator[Identity]:
        """An id that no other step has meanwhile; the last one, if all are taken."""
        others = self.ids[1:] or self.ids
        start = random.randrange(len(others))  # noqa: S311 - only to meet few others
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as lock:
            number = others[start]
            for step in range(min(_TRIES, len(others))):
                number = others[(start + step) % len(others)]
                try:
                    lock.bind(f"\0rvbuild-step-{number}")
                    break
                except OSError:
                    continue
            yield Identity(number, number)


def pool(proc: str = "/proc/self") -> Pool | None:
    """The ids for steps of this process; None where it is not root, or has one id only.

    Args:
        proc: Where ``uid_map`` and ``gid_map`` are; for tests.
    """
    if os.geteuid() != 0:
        return None
    spans = [_both(u, g) for u in _spans(f"{proc}/uid_map") for g in _spans(f"{proc}/gid_map")]
    ids = max((one for one in spans if one), key=lambda one: one[-1], default=range(0))
    if FIRST in ids and FIRST + COUNT - 1 in ids:
        return Pool(range(FIRST, FIRST + COUNT))
    if _NOBODY in ids and _NOBODY - 1 in ids:
        ids = range(ids[0], _NOBODY)  # which also is whoever has no number here
    return Pool(ids[-_FEWER:]) if ids else None


def _spans(path: str) -> list[range]:
    with open(path, encoding="ascii") as file:
        rows = [[int(word) for word in line.split()] for line in file]
    return [range(max(inside, 1), inside + count) for inside, _, count in rows]


def _both(one: range, other: range) -> range:
    return range(max(one.start, other.start), min(one.stop, other.stop))
