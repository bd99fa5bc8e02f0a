"""A compile cache that steps read, each through a layer of its own, and add to when they end.

Knows: files, and what may enter a cache. Must not know: which compiler it serves.

A step sees an overlay. Its lower layers are in ``FOLDER/layers``: ``base``, and what steps
left since, numbered. Its upper layer is in the step's own folder. When the step succeeded, and
nothing of it runs any more, what may enter of its upper layer becomes the next number, by one
rename. Only regular files with one name enter, with mode 0600 or 0700, without extended
attributes; and that a name was removed. So no step meets another here, and none leaves a
set-uid program, a link, a socket or a device that is one.

**No layer changes while a step has it mounted.** What an overlay shows then is undefined (the
kernel's Documentation/filesystems/overlayfs.rst, "Changes to underlying filesystems"), though
new names alone were never seen to harm. Each step has a shared lock of ``FOLDER`` as long as it
sees it; only who has it alone puts the numbers into ``base``, before the next step begins.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator

from attrs import frozen

from rvbuild.executors.bwrap import Overlay
from rvbuild.executors.identity import Identity
from rvbuild.executors.layer_files import Keeping, Settling
from rvbuild.executors.step_folder import give
from rvbuild.files.folder import opened, path_of
from rvbuild.files.removal import remove_tree

LAYERS, BASE = "layers", "base"
_WAIT = 0.05  # seconds between two attempts, while somebody else has it alone
_OPTIONS = 4096  # bytes that mount(2) takes of them
_OTHER_OPTIONS = 256
_PREFIX = "/oldroot"  # bwrap's, before each path


@frozen
class Accelerator:
    """The cache in ``folder``, whose files are ``owner``'s (None: this user's)."""

    folder: str
    owner: Identity | None

    @contextlib.contextmanager
    def mounted(self, over: str, wanted: Callable[[], None] = lambda: None) -> Iterator[Layer]:
        """A step's view of it, of which nothing changes until the end but by the step.

        Args:
            over: A new folder in the step's own.
            wanted: Called while it is put together, or somebody else has it alone; may raise.

        Raises:
            OSError: it cannot be made, is a link, or is somebody else's.
        """
        above, name = os.path.split(self.folder)
        with _private(above) as parent, _private(name, parent) as folder:
            if _locked(folder, fcntl.LOCK_EX):
                self._settle(folder, wanted)
            while not _locked(folder, fcntl.LOCK_SH):
                wanted()
                time.sleep(_WAIT)
            reach = path_of(folder) if self.owner else self.folder
            yield self._layer(os.path.join(reach, LAYERS), over)

    def _settle(self, folder: int, wanted: Callable[[], None]) -> None:
        """Put all into one layer, and clear what older versions left.

        By descriptors: whoever may rename a folder above may put a link at its path meanwhile.
        """
        for name in os.listdir(folder):
            if name != LAYERS or not self._is_ours(folder):
                remove_tree(name, folder, wanted=wanted)
        _made(LAYERS, folder, self.owner)
        with opened(LAYERS, folder) as layers:
            _made(BASE, layers, self.owner)
            for name in _numbers(layers):
                with opened(name, layers) as source, opened(BASE, layers) as target:
                    Settling(self.owner, wanted).folder(source, target, 0)
                remove_tree(name, layers, wanted=wanted)

    def _layer(self, layers: str, over: str) -> Layer:
        for name in ("", "upper", "work", "kept"):
            path = os.path.join(over, name)
            os.mkdir(path, 0o700)
            give(path, self.owner)
        numbers = _numbers(layers)[-_most(layers, over) :]
        return Layer(Overlay(layers, over, (BASE, *numbers)), self.owner)

    def _is_ours(self, folder: int) -> bool:
        status = os.stat(LAYERS, dir_fd=folder, follow_symlinks=False)
        uid = self.owner.uid if self.owner else os.geteuid()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == uid


def _most(layers: str, over: str) -> int:
    """How many layers fit into the options of a mount, besides the base."""
    room = _OPTIONS - _OTHER_OPTIONS - 2 * len(os.fsencode(_PREFIX + over))
    return max(1, room // len(os.fsencode(f"{_PREFIX}{layers}/00000000:")) - 1)


@frozen
class Layer:
    """What one step sees of an accelerator, and how what it wrote is taken."""

    overlay: Overlay
    owner: Identity | None

    def keep(self, wanted: Callable[[], None] = lambda: None) -> None:
        """Let the next steps see what a step that has ended wrote.

        Args:
            wanted: Called before each file; if it raises, they see nothing of it.

        Raises:
            OSError: a layer cannot be read, or no file can be moved (a full disk).
        """
        kept = os.path.join(self.overlay.over, "kept")
        with opened(os.path.join(self.overlay.over, "upper")) as source, opened(kept) as target:
            Keeping(self.owner, wanted).folder(source, target, 0)
            if not os.listdir(target):
                return
        number = int((_numbers(self.overlay.lower) or ("0",))[-1]) + 1
        while not _put(kept, os.path.join(self.overlay.lower, str(number))):
            number += 1


@contextlib.contextmanager
def _private(name: str, at: int | None = None) -> Iterator[int]:
    """An open folder that only this user can enter; it is made where there is none.

    Raises:
        OSError: there is something else, or somebody else's.
    """
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
    with opened(name, at) as folder:
        status = os.fstat(folder)
        if status.st_uid != os.geteuid():  # root could change it all the same
            raise OSError(errno.EPERM, f"it belongs to user {status.st_uid}", name)
        if status.st_mode & 0o7777 != 0o700:
            os.fchmod(folder, 0o700)
        yield folder


def _numbers(layers: str | int) -> list[str]:
    """What steps left, the oldest first."""
    return sorted(filter(str.isdecimal, os.listdir(layers)), key=int)


def _put(folder: str, at: str) -> bool:
    """Rename a folder that is not empty; False if there is another."""
    try:
        os.rename(folder, at)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        return False
    return True


def _locked(folder: int, how: int) -> bool:
    try:
        fcntl.flock(folder, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _made(name: str, at: int, owner: Identity | None) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
    give(name, owner, at)  # also where a run was killed between the two
