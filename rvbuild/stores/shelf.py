"""One folder of the store with its shards, while a tree is written: ``cas``, ``exec``, ``trees``.

Knows: that a name's first two digits are its shard. Must not know: what is there.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from types import TracebackType
from typing import Self

from rvbuild.files.folder import A_FOLDER, NOTHING, WrongKind, kind_at, open_folder
from rvbuild.stores.layout import FOLDER, Layout


class Shelf:
    """The open folder ``fd``, in which ``place`` says where a name is.

    A tree has ten thousands of files, so a shard is not opened for each: it is looked at once,
    and then ``ab/NAME`` is used below ``fd``. That is enough here: one shelf lives for one tree,
    nothing is removed through it, and what could put a link into a shard's place within that
    moment, past the store's lock, could write there itself. Whoever removes holds the shard's
    own descriptor (``Layout.above``).

    Raises:
        WrongKind: it is no folder.
        OSError: it could not be opened.
    """

    def __init__(self, layout: Layout, path: str) -> None:
        self.path = path
        with layout.above(path) as (root, name):
            try:
                self.fd = open_folder(name, root)
            except WrongKind as error:
                raise error.at(path) from error
        self._shards: set[str] = set()
        self._new: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.fd)

    def place(self, name: str) -> str:
        """Where ``name`` is below ``fd``; its shard is there, and is a folder.

        Raises:
            WrongKind: its shard is something else.
            OSError: the shard could not be made.
        """
        shard = name[:2]
        if shard not in self._shards:
            self._look(shard)
        return f"{shard}/{name}"

    def find(self, name: str) -> str:
        """Where ``name`` may be below ``fd``, to be read: nothing is made.

        Raises:
            WrongKind: its shard is no folder.
            OSError: its shard is missing, or nobody may look there.
        """
        shard = name[:2]
        if shard not in self._shards:
            self._accept(shard, kind_at(shard, self.fd))
        return f"{shard}/{name}"

    def is_new(self, name: str) -> bool:
        """Whether the shard of ``name`` was made here: nobody need look for what lies in it.

        Others may have put something there since.
        """
        return name[:2] in self._new

    def _look(self, shard: str) -> None:
        kind = kind_at(shard, self.fd)
        if kind == NOTHING:
            with suppress(FileExistsError):  # another process was faster
                os.mkdir(shard, FOLDER, dir_fd=self.fd)
                self._new.add(shard)
            kind = kind_at(shard, self.fd)
        self._accept(shard, kind)

    def _accept(self, shard: str, kind: str) -> None:
        path = f"{self.path}/{shard}"
        if kind == NOTHING:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if kind != A_FOLDER:
            raise WrongKind(path, kind, A_FOLDER)
        self._shards.add(shard)
