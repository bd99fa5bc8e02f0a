"""A store that is only read: one of an earlier version, or a sound one somewhere else.

Knows: where versions 1 and 2 keep realisations of sources, their trees and blobs. Must not know:
who takes over what it has. Nothing is written there, not even a lock.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import frozen

from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Damaged, StoreError
from rvbuild.core.former_keys import former_digest
from rvbuild.core.tree import File, Tree
from rvbuild.files.folder import open_file, open_folder
from rvbuild.stores.layout import Layout, guarded
from rvbuild.stores.records import read_or_none, read_record
from rvbuild.stores.results import decode_realisation
from rvbuild.stores.shape import MARK, REALISATIONS
from rvbuild.stores.top import VERSION
from rvbuild.stores.version import version_of


@frozen
class FormerStore:
    """The store at ``layout``, whose format has a ``version``."""

    layout: Layout
    version: int

    @classmethod
    def at(cls, path: str) -> FormerStore:
        """The store in the folder ``path``.

        Raises:
            StoreError: there is none, it cannot be read, or only a newer rvbuild reads it.
        """
        root = os.path.abspath(path)
        with guarded(root, "read"):
            layout = Layout(root, open_folder(root))
        version = version_of(layout)
        if version is None:
            msg = "there is nothing in this store"
            raise StoreError(msg, where=root, hint="name the folder that has its cas/ in it")
        if version > VERSION:
            msg = f"a newer rvbuild made this store (version {version})"
            raise StoreError(msg, where=root, hint="use that rvbuild")
        return cls(layout, version)

    def output(self, fetch: Fetch) -> Digest | None:
        """The root of a source's tree, if the store says that it has it.

        Raises:
            VerificationError: what it says is damaged.
            OSError: it could not be read.
        """
        name = former_digest(fetch.source) if self.version == 1 else fetch.digest
        path = self.layout.record(REALISATIONS, name, accelerated=False)
        data = read_or_none(self.layout, path)
        if data is None:
            return None
        if self.version == 1:
            return _first_output(data, name)
        return decode_realisation(data, name, accelerated=False).output

    def tree(self, root: Digest) -> Tree:
        """The tree with a root, as its mark has it.

        Raises:
            VerificationError: the mark is damaged.
            OSError: it is missing, or could not be read.
        """
        path = f"{self.layout.tree(root.hash)}{MARK}"
        tree = Tree.decode(read_record(self.layout, path))
        if tree.root != root:
            msg = "the mark of a tree is damaged: its root has another digest"
            raise Damaged(msg, where=path)
        return tree

    def path(self, file: File) -> str:
        """Where a file's blob is."""
        return self.layout.blob(file.digest.hash, executable=file.executable)

    @contextmanager
    def opened(self, file: File) -> Iterator[int]:
        """The blob of a file, open for reading; nobody has looked at its content.

        Raises:
            OSError: it is missing, something else, or could not be read.
        """
        with self.layout.above(self.path(file)) as (at, name):
            fd = open_file(name, at)
        try:
            yield fd
        finally:
            os.close(fd)


def _first_output(data: bytes, derivation: str) -> Digest:
    """What a realisation of version 1 says: a JSON object, without a check of its own."""
    try:
        record = json.loads(data)
        output = Digest.parse(record["output"])
        own = record["derivation"]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = f"not a realisation: {error}"
        raise Damaged(msg) from error
    if own != derivation:
        msg = "the realisation of another derivation"
        raise Damaged(msg)
    return output
