"""How much a step's folder holds, looked at while the step runs.

Knows: folders, by descriptors, whatever a step does to them meanwhile. Must not know: what
is too much.

A look goes down and up again with one descriptor (``..`` must be the folder that it came
from), so it takes any depth, follows no link, and is given up where a step moved a folder
away under it. What a step removed and still has open, or put where this user cannot look,
is seen by the free space alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from attrs import define, field

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_BLOCK = 512
_MANY = 128  # entries between two looks at the clock
_PAUSE = 0.5  # seconds between two looks
_RESERVE = 256 << 20
"""Bytes that stay free; 1 % of a file system, if that is less."""

_Name = tuple[int, int]  # device, inode


@define
class Usage:
    """Bytes and entries of ``folder``, of the last whole look and of the one under way."""

    folder: str
    bytes: int = 0
    entries: int = 0
    _look: Iterator[None] | None = field(default=None, init=False)
    _next: float = field(factory=lambda: time.monotonic() + _PAUSE, init=False)
    _had_room: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._had_room = not self._full()

    def advance(self, seconds: float) -> None:
        """Go on looking, for so long."""
        until = time.monotonic() + seconds
        if self._look is None:
            if until < self._next:
                return
            self._look = self._walk()
        for _ in self._look:
            if time.monotonic() >= until:
                return
        self._look = None
        self._next = time.monotonic() + _PAUSE

    def measure(self) -> None:
        """Look at everything, once, now."""
        for _ in self._walk():
            pass

    def ran_full(self) -> bool:
        """Whether the file system had room when this began, and has none any more."""
        return self._had_room and self._full()

    def _full(self) -> bool:
        status = os.statvfs(self.folder)
        reserve = min(_RESERVE, status.f_blocks * status.f_frsize // 100)
        return status.f_bavail * status.f_frsize < reserve

    def _walk(self) -> Iterator[None]:
        look = _Look()
        for _ in look.steps(self.folder):
            self.bytes, self.entries = max(self.bytes, look.bytes), max(self.entries, look.entries)
            yield
        self.bytes, self.entries = look.bytes, look.entries


@define
class _Look:
    bytes: int = 0
    entries: int = 0
    _seen: set[_Name] = field(factory=set, init=False)

    def steps(self, folder: str) -> Iterator[None]:
        """Count, with a pause after every few entries."""
        here = os.open(folder, _FOLDER)
        try:
            levels: list[tuple[_Name, list[str]]] = [(_name(here), [])]
            yield from self._count(here, levels[0][1])
            while levels:
                inner = levels[-1][1]
                there = _opened(inner.pop(), here) if inner else None
                if there is not None:
                    os.close(here)
                    here = there
                    levels.append((_name(here), []))
                    yield from self._count(here, levels[-1][1])
                elif not inner:
                    levels.pop()
                    if levels:
                        above = os.open("..", _FOLDER, dir_fd=here)
                        os.close(here)
                        here = above
                        if _name(here) != levels[-1][0]:
                            return  # moved meanwhile
        except OSError:
            return
        finally:
            os.close(here)

    def _count(self, here: int, folders: list[str]) -> Iterator[None]:
        with os.scandir(here) as entries:
            for entry in entries:
                self.entries += 1
                try:
                    status = entry.stat(follow_symlinks=False)
                except OSError:
                    continue  # gone
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                if status.st_nlink == 1 or self._is_new(status):
                    self.bytes += status.st_blocks * _BLOCK
                if self.entries % _MANY == 0:
                    yield

    def _is_new(self, status: os.stat_result) -> bool:
        name = (status.st_dev, status.st_ino)
        new = name not in self._seen
        self._seen.add(name)
        return new


def _name(folder: int) -> _Name:
    status = os.fstat(folder)
    return status.st_dev, status.st_ino


def _opened(name: str, above: int) -> int | None:
    try:
        return os.open(name, _FOLDER, dir_fd=above)
    except OSError:
        return None
