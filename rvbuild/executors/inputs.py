"""How no two paths among a step's inputs are one file, although trees share files.

Knows: mounts, and folders of files. Must not know: stores, bubblewrap's options.

Programs take two paths for one file where device and inode are equal. Within a tree the store
sees to that. Two trees of one step may share files, and whether they do depends on what else the
store was given, so a step must not see it:

1. The toolbox lies in the sandbox as it is, on the store's own device.
2. Each other input that the step may only read is mounted as an overlay without an upper layer,
   which has a device number of its own (``bwrap.SandboxView``). That is as quick as a plain mount.
3. Where the kernel, bubblewrap or the file system refuses overlays, an input that shares a file
   with a larger one is laid anew in the step's folder (``InputTrees.laid``): links, and copies of
   what is shared. It takes as long as looking at every file of every tree.

What a step may write is copied anyway.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping

from attrs import evolve, field, frozen

from rvbuild.core.action import Mount
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.executors.step_folder import copy_bytes
from rvbuild.files.folder import Inode, inode_of, open_file
from rvbuild.files.timestamp import EPOCH

Wanted = Callable[[], None]

_NO_MORE_LINKS = frozenset((errno.EMLINK, errno.EXDEV, errno.EPERM))


@frozen(kw_only=True)
class InputTrees:
    """Where the trees that a step may only read are on this machine.

    ``inputs`` are by path in the sandbox. ``are_laid`` says that no two of the trees share a file.
    """

    toolbox: str | None
    inputs: Mapping[str, str]
    are_laid: bool = False

    @classmethod
    def of(cls, mounts: Iterable[Mount], tree_at: Callable[[Digest], str]) -> InputTrees:
        """Those of a step with these mounts; ``tree_at`` says where a tree is."""
        paths = {one.path: tree_at(one.tree) for one in mounts if not one.writable}
        toolbox = paths.pop("", None)
        return cls(toolbox=toolbox, inputs={f"/{at}": path for at, path in paths.items()})

    def below(self, former: str, folder: str) -> InputTrees:
        """The same, where what is below the path ``former`` is below ``folder``."""
        inputs = {
            at: folder + path.removeprefix(former) if path.startswith(f"{former}/") else path
            for at, path in self.inputs.items()
        }
        return evolve(self, inputs=inputs)

    def laid(self, folder: str, wanted: Wanted) -> InputTrees:
        """The same, where no two share a file.

        Example: inputs ``{"/in/a": "/s/trees/1", "/in/b": "/s/trees/2"}`` that both have the file
        of one licence become ``{"/in/a": "/s/trees/1", "/in/b": "FOLDER/0"}``.

        Args:
            folder: A new folder of the store's file system; made only if something is laid.
            wanted: Called for each entry; may raise.

        Raises:
            StoreError: reading or writing failed.
        """
        try:
            inputs = dict(self._each_laid(folder, wanted))
        except OSError as error:
            msg = f"could not lay an input where it shares no file: {error}"
            hint = hint_for(error.errno, Site.STORE)
            raise StoreError(msg, where=folder, hint=hint) from error
        return evolve(self, inputs=inputs, are_laid=True)

    def _each_laid(self, folder: str, wanted: Wanted) -> Iterator[tuple[str, str]]:
        met = set() if self.toolbox is None else _inodes(self.toolbox, wanted)
        own = {at: _inodes(source, wanted) for at, source in self.inputs.items()}
        for at in sorted(own, key=lambda at: len(own[at]), reverse=True):  # links take their time
            source = self.inputs[at]
            if own[at] & met:
                os.makedirs(folder, exist_ok=True)
                where = f"{folder}/{len(os.listdir(folder))}"
                _Lay(met, wanted).tree(source, where)
                source = where
            yield at, source
            met |= own[at]


def _inodes(top: str, wanted: Wanted) -> set[Inode]:
    """Of a folder and all below it: a tree that is two inputs shares more than its files."""
    met, stack = {inode_of(os.stat(top))}, [top]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                wanted()
                met.add(inode_of(entry.stat(follow_symlinks=False)))
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
    return met


@frozen
class _Lay:
    """Lays trees anew; what is in ``met`` is copied."""

    met: set[Inode]
    wanted: Wanted
    _folders: list[str] = field(factory=list, init=False)

    def tree(self, source: str, target: str) -> None:
        stack = [(source, target)]
        while stack:
            here, there = stack.pop()
            os.mkdir(there)
            self._folders.append(there)
            stack += self._entries(here, there)
        for folder in self._folders:
            os.chmod(folder, 0o755)  # noqa: S103 - the step's folder is private
            os.utime(folder, (EPOCH, EPOCH))

    def _entries(self, here: str, there: str) -> Iterator[tuple[str, str]]:
        """Lay what is in a folder; its folders are still to do."""
        with os.scandir(here) as entries:
            for entry in entries:
                self.wanted()
                to = f"{there}/{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    yield entry.path, to
                elif entry.is_symlink():
                    os.symlink(os.readlink(entry.path), to)
                    os.utime(to, (EPOCH, EPOCH), follow_symlinks=False)
                elif inode_of(entry.stat(follow_symlinks=False)) in self.met:
                    self._copy(entry.path, to)
                else:
                    self._link(entry.path, to)

    def _link(self, source: str, target: str) -> None:
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_MORE_LINKS:
                raise
            self._copy(source, target)

    def _copy(self, source: str, target: str) -> None:
        reader = open_file(source)
        try:
            writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
            try:
                status = os.fstat(reader)
                copy_bytes(reader, writer, status.st_size, self.wanted)
                os.fchmod(writer, stat.S_IMODE(status.st_mode))
                os.utime(writer, (EPOCH, EPOCH))
            finally:
                os.close(writer)
        finally:
            os.close(reader)
