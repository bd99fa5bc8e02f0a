"""How much a step's folder holds, looked at while the step runs.

Knows: folders, by descriptors, whatever a step does to them meanwhile. Must not know: what
is too much.

A look takes any depth and follows no link. Where a step moved a folder away under it, it goes
on from the nearest folder that is still where it was. Only a look that saw everything may say
that there is less than before.

A folder that its own user may not enter is entered by changing its mode. A step would see
that, so it is done when the step has ended, or when the disk says that too much may be there.
That look is a new one: the one under way counted its folders earlier, and passed by closed ones.
What a step removed and still has open is seen by the free space alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator

from attrs import define, field, frozen

from rvbuild.executors.free_space import FreeSpace
from rvbuild.files.descent import Descent
from rvbuild.files.folder import Inode, inode_of, open_folder

_BLOCK = 512
_MANY = 128  # entries between two looks at the clock
_PAUSE = 0.5  # seconds between two looks


@frozen
class _WholeLook:
    """What the last whole look counted, and the free space when that look began."""

    bytes: int
    entries: int
    free: FreeSpace

    def may_have_grown_to(self, now: FreeSpace) -> tuple[int, int]:
        """Bytes and entries, if all that the file system lost since is the step's."""
        lost = self.free.bytes - now.bytes, self.free.files - now.files
        return self.bytes + lost[0], self.entries + lost[1]


@define
class Usage:
    """Bytes and entries of ``folder``, of the last whole look and of the one under way."""

    folder: str
    bytes: int = 0
    entries: int = 0
    _look: Generator[None, None, None] | None = field(default=None, init=False)
    _next: float = field(factory=lambda: time.monotonic() + _PAUSE, init=False)
    _is_everywhere: bool = field(default=False, init=False)
    """Whether the look under way enters closed folders."""
    _begin: FreeSpace = field(init=False)
    _last: _WholeLook = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._begin = FreeSpace.of(self.folder)
        self._last = _WholeLook(0, 0, self._begin)

    def advance(self, seconds: float, *, everywhere: bool = False) -> None:
        """Go on looking, for so long; ``everywhere`` enters closed folders, and does not pause."""
        until = time.monotonic() + seconds
        if everywhere and not self._is_everywhere:
            self.close()
        if self._look is None:
            if until < self._next and not everywhere:
                return
            self._look, self._is_everywhere = self.whole(everywhere=everywhere), everywhere
        for _ in self._look:
            if time.monotonic() >= until:
                return
        self._look = None
        self._next = time.monotonic() + _PAUSE

    def close(self) -> None:
        """Give up the look that is under way."""
        if self._look is not None:
            self._look.close()
        self._look = None

    def whole(self, *, everywhere: bool = True) -> Generator[None, None, None]:
        """Look at everything, with a pause after every few entries."""
        look, free = _Look(everywhere=everywhere), FreeSpace.of(self.folder)
        for _ in look.steps(self.folder):
            self._take(look)
            yield
        if look.saw_all:
            self.bytes, self.entries = look.bytes, look.entries
            self._last = _WholeLook(look.bytes, look.entries, free)
        else:
            self._take(look)

    def _take(self, look: _Look) -> None:
        self.bytes, self.entries = max(self.bytes, look.bytes), max(self.entries, look.entries)

    def lack(self) -> str:
        """What the file system had enough of when this began, and has not any more."""
        now = FreeSpace.of(self.folder).lack()
        return now if not self._begin.lack() else ""

    def may_hold(self, size: int, entries: int) -> bool:
        """Whether the file system lost so much since a look that more than this may be here."""
        most = self._last.may_have_grown_to(FreeSpace.of(self.folder))
        return most[0] > size or most[1] > entries


@define
class _Look:
    everywhere: bool
    bytes: int = 0
    entries: int = 0
    saw_all: bool = True
    _seen: set[Inode] = field(factory=set, init=False)

    def steps(self, folder: str) -> Iterator[None]:
        try:
            top = open_folder(folder)
        except OSError:
            self.saw_all = False
            return
        try:
            descent = Descent(top, writable=self.everywhere)
            try:
                yield from self._descend(descent, top)
            finally:
                descent.close()
        finally:
            os.close(top)

    def _descend(self, descent: Descent, top: int) -> Iterator[None]:
        yield from self._count(descent)
        while descent.pending or not descent.is_at_top:
            if not descent.pending:
                self._go_up(descent, top)
            elif self._go_down(descent):
                yield from self._count(descent)

    def _go_up(self, descent: Descent, top: int) -> None:
        try:
            descent.up()
        except OSError:  # moved meanwhile
            self.saw_all = False
            descent.again(top)

    def _go_down(self, descent: Descent) -> bool:
        try:
            descent.down(descent.pending.pop())
        except FileNotFoundError:
            return False
        except OSError:
            self.saw_all = False
            return False
        return True

    def _count(self, descent: Descent) -> Iterator[None]:
        try:
            listed = os.scandir(descent.here)
        except OSError:
            self.saw_all = False
            return
        with listed as entries:
            for entry in entries:
                self._add(entry, descent.pending)
                if self.entries % _MANY == 0:
                    yield

    def _add(self, entry: os.DirEntry[str], folders: list[str]) -> None:
        self.entries += 1
        if entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        try:
            status = entry.stat(follow_symlinks=False)
        except FileNotFoundError:
            return
        except OSError:
            self.saw_all = False
            return
        if status.st_nlink == 1 or self._is_new(status):
            self.bytes += status.st_blocks * _BLOCK

    def _is_new(self, status: os.stat_result) -> bool:
        inode = inode_of(status)
        new = inode not in self._seen
        self._seen.add(inode)
        return new
