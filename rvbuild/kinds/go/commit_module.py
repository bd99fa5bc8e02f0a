"""A module in a commit: which folder it is, and which files belong to it.

Knows: where the go command looks for a module, what of a folder it takes
(cmd/go/internal/modfetch, coderepo). Must not know: how the commit got here, hashes.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO

from attrs import frozen

from rvbuild.core.errors import VerificationError
from rvbuild.core.gomod import declared_module
from rvbuild.git.objects import EXECUTABLE, FILE
from rvbuild.git.process import Failed
from rvbuild.kinds.go.checkout import Checkout
from rvbuild.kinds.go.go_zip import check_names
from rvbuild.kinds.go.import_root import ImportRoot
from rvbuild.kinds.go.module_files import module_files
from rvbuild.kinds.go.module_path import ModulePath

MAX_ZIP, MAX_GO_MOD = 500 << 20, 16 << 20

_AT_ONCE = 1 << 20
_LICENSE = "LICENSE"
_GO_LINE = re.compile(rb"^go[ \t]+(\d{1,9})\.(\d{1,9})", re.MULTILINE)
_REGULAR = {FILE, EXECUTABLE}


class NoModule(Exception):  # internal: becomes a SourceError
    """The commit is there, and is not one of the module; or it holds what no module may hold."""


@frozen
class CommitModule:
    """A module in a commit.

    Attributes:
        checkout: The commit.
        folder: The module's, empty for the root.
        files: The names of the objects of all regular files at or below it, by their whole path,
            and that of the root's licence.
        go_mod: Its go.mod; None if it has none.
    """

    checkout: Checkout
    folder: str
    files: dict[str, str]
    go_mod: bytes | None

    def contents(self) -> Generator[tuple[str, Iterator[bytes]]]:
        """Each of its files, as git would check it out, by its name in the module.

        Git packs them. Its archive may hold links and names that no tree of ours may have, as long
        as they are not the module's; so it is not unpacked as one from outside is.

        Raises:
            NoModule: a module may not have one of them.
            Failed: git left one out, or ended early.
        """
        remaining = self._names()
        with self.checkout.reader.archive(self.checkout.commit, self._paths()) as tar:
            with _whole():
                yield from _members(tar, remaining)
            if remaining:
                msg = f"git left {min(remaining)} out"
                raise Failed(msg)

    def _paths(self) -> list[str]:
        """What git has to pack."""
        if not self.folder:
            return ["."]
        return [self.folder, *([_LICENSE] if _LICENSE in self.files else [])]

    def _names(self) -> dict[str, str]:
        """The module's files: their names in the module, by their paths in the commit."""
        start = f"{self.folder}/" if self.folder else ""
        inner = [path[len(start) :] for path in self.files if path.startswith(start)]
        line = _GO_LINE.search(self.go_mod or b"")
        go = (int(line[1]), int(line[2])) if line else (0, 0)
        names = {start + name: name for name in module_files(inner, go)}
        if start and _LICENSE not in inner and _LICENSE in self.files:
            names[_LICENSE] = _LICENSE
        try:
            check_names(names.values(), "")
        except VerificationError as error:
            msg = f"{error.message}{error.where}"
            raise NoModule(msg) from error
        return names


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except tarfile.TarError as error:
        msg = "git ended early: the repository is damaged"
        raise Failed(msg) from error


def _members(tar: IO[bytes], remaining: dict[str, str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Each of the files of an archive that remain, by its name in the module."""
    with tarfile.open(fileobj=tar, mode="r|", errors="surrogateescape") as archive:
        for member in archive:
            name = remaining.pop(member.name, None)
            data = archive.extractfile(member) if name is not None and member.isreg() else None
            if name is not None and data is not None:
                yield name, _pieces(data)


def _pieces(data: IO[bytes]) -> Iterator[bytes]:
    with _whole():
        while piece := data.read(_AT_ONCE):
            yield piece


def module_in(
    checkout: Checkout, module: ModulePath, root: ImportRoot, folder: str
) -> CommitModule:
    """The module in its commit: in the folder that its path says, or in ``v2`` below it.

    Raises:
        NoModule: it is not there.
        Failed: the repository lacks a part of the commit.
    """
    paths = [folder, _LICENSE] if folder else ["."]
    listed = checkout.reader.files(checkout.commit, paths)
    files = {each.name: each.object for each in listed if each.mode in _REGULAR}

    def go_mod(at: str) -> bytes | None:
        name = files.get(_below(at, "go.mod"))
        return None if name is None else checkout.reader.blob(name, MAX_GO_MOD)

    outer = go_mod(folder)
    if module.major.startswith("/") and root.prefix != module.path:
        inner_folder = _below(folder, module.major[1:])
        inner = go_mod(inner_folder)
        if inner is not None:
            _check_inner(module, inner_folder, inner, outer)
            return CommitModule(checkout, inner_folder, files, inner)
    if outer is None and (folder or module.major.startswith("/")):
        msg = f"the commit has no {_below(folder, 'go.mod')}"
        raise NoModule(msg)
    if outer is not None and not module.fits(declared_module(outer)):
        msg = f"{_below(folder, 'go.mod')} declares {declared_module(outer)!r}"
        raise NoModule(msg)
    return CommitModule(checkout, folder, files, outer)


def _check_inner(module: ModulePath, folder: str, inner: bytes, outer: bytes | None) -> None:
    """See that the go.mod of the folder of a major version, and it alone, declares that."""
    if not module.fits(declared_module(inner)):
        msg = f"{folder}/go.mod declares {declared_module(inner)!r}"
        raise NoModule(msg)
    if outer is not None and module.fits(declared_module(outer)):
        msg = f"two go.mod files declare {module.major}: also {folder}/go.mod"
        raise NoModule(msg)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
