"""Roots: what people still hold, so that garbage collection keeps it.

Knows: root files, and whether a result link still leads into the store.
Must not know: what a root reaches.
"""

from __future__ import annotations

import hashlib
import json
import os

from rvbuild.core.canonical import encode
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.core.ports import Root
from rvbuild.core.tree import check_name
from rvbuild.stores.barrier import sync_folder
from rvbuild.stores.blobs import create, discard
from rvbuild.stores.layout import PLAIN, Layout, guarded


class LocalRoots:
    """The roots of the store at ``layout``; ``core.ports.Roots``.

    One file a link, so that several projects can hold the same name in one store.
    """

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self._layout = layout
        self._durable = durable

    def add_root(self, name: str, derivation: str, link: str) -> None:
        """Keep what ``link`` (made absolute) shows, for as long as it leads into the store.

        Raises:
            VerificationError: ``name`` cannot be a file name.
            StoreError: the root could not be written.
        """
        link = os.path.abspath(link)
        file = root_file(name, link)
        check_name(file)
        data = encode({"name": name, "derivation": derivation, "link": link})
        spare = self._layout.temporary()
        with guarded(f"{self._layout.roots}/{file}"):
            if _content(f"{self._layout.roots}/{file}") == data:
                return
            try:
                create(spare, data, PLAIN, durable=self._durable)
                os.rename(spare, f"{self._layout.roots}/{file}")
            except BaseException:
                discard(spare)
                raise
            sync_folder(self._layout.roots, durable=self._durable)

    def roots(self) -> tuple[Root, ...]:
        """Every root, dead ones too, sorted by file name.

        Raises:
            StoreError: a root could not be read, or is damaged.
        """
        return tuple(root for _, root in self._files())

    def drop_dead(self) -> tuple[Root, ...]:
        """Remove the roots whose link no longer leads into the store; return the others."""
        alive = []
        for path, root in self._files():
            if leads_into(root.link, self._layout.trees):
                alive.append(root)
            else:
                with guarded(path):
                    os.unlink(path)
        return tuple(alive)

    def _files(self) -> list[tuple[str, Root]]:
        folder = self._layout.roots
        with guarded(folder, "read"):
            paths = [f"{folder}/{name}" for name in sorted(os.listdir(folder))]
        return [(path, _read(path)) for path in paths]


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def root_file(name: str, link: str) -> str:
    """The file name of a root."""
    return f"{name}-{hashlib.sha256(link.encode()).hexdigest()[:16]}"


def _read(path: str) -> Root:
    with guarded(path, "read"), open(path, "rb") as file:
        data = file.read()
    try:
        return decode_root(data)
    except VerificationError as error:
        hint = f"build the target again, then remove {path}"
        raise StoreError(error.message, where=path, hint=hint) from error


def decode_root(data: bytes) -> Root:
    """Read a root file.

    Raises:
        VerificationError: it is no such thing.
    """
    try:
        root = Root(**json.loads(data))
        same = encode({"name": root.name, "derivation": root.derivation, "link": root.link})
    except (ValueError, TypeError) as error:
        msg = f"not a root: {error}"
        raise VerificationError(msg) from error
    if same != data:
        msg = "not a root in canonical form"
        raise VerificationError(msg)
    return root


def leads_into(link: str, folder: str) -> bool:
    """Whether ``link`` is a symlink into ``folder``, or a directory that holds one."""
    if os.path.islink(link):
        target = os.path.join(os.path.dirname(link), os.readlink(link))
        return os.path.lexists(target) and _is_inside(os.path.realpath(target), folder)
    try:
        with os.scandir(link) as entries:
            return any(e.is_symlink() and leads_into(e.path, folder) for e in entries)
    except OSError:
        return False


def _is_inside(path: str, folder: str) -> bool:
    """Whether one of the folders above ``path`` is ``folder``, also by another path of it.

    A container sees the store of its host elsewhere: the texts of paths say nothing.
    """
    above = os.path.dirname(path)
    while not os.path.samefile(above, folder):
        path, above = above, os.path.dirname(above)
        if path == above:
            return False
    return True
