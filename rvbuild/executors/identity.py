"""Whom the steps of root run as, outside of their sandbox.

Knows: ids, and which of them this process may use. Must not know: what they are for.

Root's steps take an id that owns nothing, from the range that Nix uses for the same (its
``auto-allocate-uids``), or from the highest that a container has.

No two steps that run at once have the same, whichever rvbuild started them, if the two can
see one folder of locks: that of the store, or ``/run/rvbuild`` (`rvbuild.executors.id_locks`).
What is locked is the id as the parent of this user namespace counts it. So it does not hold
for two containers that have the same ids of their host and share neither ``/run`` nor the
store: nothing there tells of the other. Between them stand the sandboxes alone, as between
the steps of an ordinary user.

Steps with an accelerator share one id, which owns the accelerator's files.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

from attrs import field, frozen

from rvbuild.core.errors import SandboxError
from rvbuild.executors.id_locks import IdLocks, OpenLocks

FIRST = 872_415_232
COUNT = 1 << 23
_FEWER = 1024  # in a container that has not so many
_NOBODY = 65534
_WAIT = 0.1  # seconds between two attempts, when all ids are taken
_CAPABILITIES = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6,
    "CAP_SETUID": 7, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21,
}  # fmt: skip
_HINT = "give it to the container (--cap-add), or run rvbuild as an ordinary user"


@frozen
class Identity:
    """A user and a group of this machine."""

    uid: int
    gid: int


@frozen
class Pool:
    """The ids that steps may have; the first is for those that share an accelerator.

    Attributes:
        ids: As this user namespace counts them.
        shift: What its parent adds.
        locks: In which folders an id is taken.
        lack: What this process needs to run anything as another id, and has not.
    """

    ids: range
    shift: int = 0
    locks: IdLocks = field(factory=IdLocks)
    lack: str = ""

    @property
    def common(self) -> Identity:
        return Identity(self.ids[0], self.ids[0])

    @contextmanager
    def shared(self, wanted: Callable[[], None] = lambda: None) -> Iterator[Identity]:
        """The id of the steps that share an accelerator, of which no other step has it.

        Args:
            wanted: Called while one must wait; to raise ends that.

        Raises:
            SandboxError: this process may not run anything as another id.
        """
        with self._taken((self.ids[:1],), wanted, alone=False) as owner:
            yield owner

    @contextmanager
    def own(self, wanted: Callable[[], None] = lambda: None) -> Iterator[Identity]:
        """An id that no other step has meanwhile; waits while all are taken.

        Args:
            wanted: Called while one must wait; to raise ends that.

        Raises:
            SandboxError: this process may not run anything as another id.
        """
        others = self.ids[1:] or self.ids
        start = random.randrange(len(others))  # noqa: S311 - only to meet few others
        with self._taken((others[start:], others[:start]), wanted, alone=True) as owner:
            yield owner

    @contextmanager
    def _taken(
        self, spans: tuple[range, ...], wanted: Callable[[], None], *, alone: bool
    ) -> Iterator[Identity]:
        if self.lack:
            msg = f"root's steps run under an id without rights, and {self.lack}"
            raise SandboxError(msg, hint=_HINT)
        with self.locks.opened() as lock:
            while (number := self._free(lock, spans, alone=alone)) is None:
                wanted()
                time.sleep(_WAIT)
            yield Identity(number, number)

    def _free(self, lock: OpenLocks, spans: tuple[range, ...], *, alone: bool) -> int | None:
        for number in chain(*spans):
            if lock.take(number + self.shift, alone=alone):
                return number
        return None


def pool(locks: str | None = None, proc: str = "/proc/self") -> Pool | None:
    """The ids for steps of this process; None where it is not root, or has one id only.

    Args:
        locks: The folder of a store's locks.
        proc: Where ``uid_map`` and ``gid_map`` are; for tests.
    """
    if os.geteuid() != 0:
        return None
    groups = [span for span, _ in _spans(f"{proc}/gid_map")]
    spans = [(_both(u, g), shift) for u, shift in _spans(f"{proc}/uid_map") for g in groups]
    some = (one for one in spans if one[0])
    ids, shift = max(some, key=lambda one: one[0][-1], default=(range(0), 0))
    if FIRST in ids and FIRST + COUNT - 1 in ids:
        ids = range(FIRST, FIRST + COUNT)
    else:
        if _NOBODY in ids and _NOBODY - 1 in ids:
            ids = range(ids[0], _NOBODY)  # which also is whoever has no number here
        ids = ids[-_FEWER:]
    return Pool(ids, shift, IdLocks(locks), _lack(proc)) if ids else None


def _lack(proc: str) -> str:
    """What this process needs to become somebody else, and has not."""
    if _read(f"{proc}/setgroups").strip() == "deny":
        return "setgroups(2) is denied in this user namespace"
    for line in _read(f"{proc}/status").splitlines():
        if line.startswith("CapEff:"):
            has = int(line.split()[1], 16)
            lacks = [name for name, number in _CAPABILITIES.items() if not has >> number & 1]
            return f"this root has no {', '.join(lacks)}" if lacks else ""
    return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:  # no /proc: the system calls will tell
        return ""


def _spans(path: str) -> list[tuple[range, int]]:
    """Ids inside, and how much further they are outside."""
    with open(path, encoding="ascii") as file:
        rows = [[int(word) for word in line.split()] for line in file]
    return [
        (range(max(inside, 1), inside + count), outside - inside) for inside, outside, count in rows
    ]


def _both(one: range, other: range) -> range:
    return range(max(one.start, other.start), min(one.stop, other.stop))
