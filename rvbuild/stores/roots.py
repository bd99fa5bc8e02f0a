"""Roots: what people still hold, so that garbage collection keeps it.

Knows: root files, and whether a result link still leads into the store.
Must not know: what a root reaches.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress

from rvbuild.core.canonical import encode
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.core.ports import Root
from rvbuild.core.tree import check_name
from rvbuild.stores.layout import REPAIR, Layout, guarded
from rvbuild.stores.records import put_record, read_record


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
        path = f"{self._layout.roots}/{file}"
        with guarded(path):
            if self._content(path) != data:
                put_record(self._layout, path, data, durable=self._durable)

    def roots(self) -> tuple[Root, ...]:
        """Every root, dead ones too, sorted by file name.

        Raises:
            StoreError: a root could not be read, or is damaged.
        """
        return tuple(root for _, root in self._files())

    def alive_and_dead(self) -> tuple[list[tuple[str, Root]], list[str]]:
        """The roots whose link leads into the store, each with its path; the others' paths.

        Raises:
            StoreError: a root could not be read, or is damaged.
        """
        alive, dead = [], []
        for path, root in self._files():
            shown = (self._layout.views, self._layout.trees)  # the latter by former versions
            if any(names_in(root.link, folder) for folder in shown):
                alive.append((path, root))
            else:
                dead.append(path)
        return alive, dead

    def _files(self) -> list[tuple[str, Root]]:
        folder = self._layout.roots
        with guarded(folder, "read"), self._layout.folder(folder) as at:
            paths = [f"{folder}/{name}" for name in sorted(os.listdir(at))]
        return [(path, read_root(self._layout, path)) for path in paths]

    def _content(self, path: str) -> bytes | None:
        with suppress(FileNotFoundError):
            return read_record(self._layout, path)
        return None


def root_file(name: str, link: str) -> str:
    """The file name of a root."""
    return f"{name}-{hashlib.sha256(link.encode()).hexdigest()[:16]}"


def read_root(layout: Layout, path: str) -> Root:
    """The root at ``path``, which carries its own name.

    Raises:
        StoreError: it could not be read, or is damaged.
    """
    with guarded(path, "read"):
        data = read_record(layout, path)
    try:
        return decode_root(data, os.path.basename(path))
    except VerificationError as error:
        raise StoreError(error.message, where=path, hint=REPAIR) from error


def decode_root(data: bytes, file: str) -> Root:
    """Read a root file, which carries the name of its own ``file``.

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
    if file != root_file(root.name, root.link):
        msg = "a root of another name or link"
        raise VerificationError(msg)
    return root


def names_in(link: str, folder: str) -> set[str]:
    """The names, two levels below ``folder``, of what a symlink leads to or into.

    Of a folder, those of each symlink in it.
    """
    if os.path.islink(link):
        target = os.path.join(os.path.dirname(link), os.readlink(link))
        name = _name_in(os.path.realpath(target), folder) if os.path.lexists(target) else None
        return {name} if name else set()
    try:
        with os.scandir(link) as entries:
            links = [entry.path for entry in entries if entry.is_symlink()]
    except OSError:
        return set()
    return set().union(*(names_in(each, folder) for each in links))


def _name_in(path: str, folder: str) -> str | None:
    """The part of ``path`` that is two levels below ``folder``, also by another path of it.

    A container sees the store of its host elsewhere: the texts of paths say nothing.
    """
    name, shard = path, os.path.dirname(path)
    while shard != os.path.dirname(shard):
        above = os.path.dirname(shard)
        try:
            if os.path.samefile(above, folder):
                return os.path.basename(name)
        except OSError:  # one of them is not there
            return None
        name, shard = shard, above
    return None
