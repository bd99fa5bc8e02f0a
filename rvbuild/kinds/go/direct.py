"""Modules made from their git repositories: what ``direct`` in GOPROXY means.

Knows: where in a commit a module is, and what of it belongs to it (cmd/go/internal/modfetch,
coderepo). Must not know: how a repository gets here, whether the module is the right one: its
``h1:`` says that, as of any other zip.
"""

from __future__ import annotations

import datetime as dt
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from attrs import define, field, frozen

from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.gomod import declared_module
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.git.objects import EXECUTABLE, FILE
from rvbuild.git.process import Failed
from rvbuild.git.repositories import Repositories
from rvbuild.git.search import Search
from rvbuild.kinds.go.checkout import Checkout, checkout
from rvbuild.kinds.go.go_zip import check_names
from rvbuild.kinds.go.import_root import (
    PROXY_VCS,
    ImportRoot,
    root_by_host,
    root_by_mirror,
    root_by_page,
)
from rvbuild.kinds.go.module_files import module_files
from rvbuild.kinds.go.module_path import ModulePath, ModuleRevision

_LICENSE = "LICENSE"
_GO_LINE = re.compile(rb"^go[ \t]+(\d{1,9})\.(\d{1,9})", re.MULTILINE)
MAX_ZIP, MAX_GO_MOD = 500 << 20, 16 << 20
_AT_ONCE = 1 << 20
_REGULAR = {FILE, EXECUTABLE}


@frozen
class _Found:
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


@define
class Direct:
    """Makes go.mod files and zips of modules.

    Rules:

    1. The path says which repository it is (`root_by_host`), or a mirror of ``https://PREFIX`` is a
       repository of this machine: then that is the one of the paths below ``PREFIX``. Else the
       path's page says it (`root_by_page`).
    2. A version is the tag of that name (``FOLDER/v1.2.3`` for a module below the root, and
       without ``+incompatible``), or for a pseudo-version the commit, whose time must be the one
       that it says.
    3. The module is in the folder that its path says, or in ``v2`` below it: in the one whose
       go.mod declares that major version. It has no go.mod only at the root, and only without a
       major version in its path; then one with its path alone is made.
    4. See `module_files` for what belongs to it. A module below the root that has no licence gets
       the root's.

    Example: ``github.com/moby/sys/user v0.3.0`` is the folder ``user`` of the tag ``user/v0.3.0``.

    Attributes:
        repositories: Where commits are looked for.
        page: Returns what is at an address, see `root_by_page`.
    """

    repositories: Repositories
    page: Callable[[str], bytes]
    _roots: dict[str, ImportRoot] = field(factory=dict, init=False)

    def proxy_of(self, path: str) -> str:
        """The module proxy that the path's page names instead of a repository; empty if none."""
        root = self._root(path)
        return root.url.rstrip("/") if root.vcs == PROXY_VCS else ""

    def go_mod(self, path: str, version: str, to: BinaryIO) -> str:
        """Write the go.mod of a module; where it came from.

        Raises:
            SourceError: the repository does not have the module.
        """
        with self._found(path, version, no_progress) as found:
            legacy = f"module {path}\n".encode()
            to.write(legacy if found.go_mod is None else found.go_mod)
            return found.checkout.address

    def zip(self, path: str, version: str, to: BinaryIO, advance: Advance) -> str:
        """Write the zip of a module; where it came from.

        Raises:
            SourceError: as `go_mod`.
        """
        with self._found(path, version, advance) as found:
            wanted = _wanted(found)
            with found.checkout.reader.archive(found.checkout.commit, _paths(found)) as tar:
                _write_zip(to, f"{path}@{version}", _contents(tar, wanted))
            return found.checkout.address

    def _root(self, path: str) -> ImportRoot:
        if path not in self._roots:
            self._roots[path] = (
                root_by_host(path)
                or root_by_mirror(path, self.repositories.mirrored())
                or root_by_page(path, self.page)
            )
        return self._roots[path]

    @contextmanager
    def _found(self, path: str, version: str, advance: Advance) -> Iterator[_Found]:
        module, root = ModulePath.parse(path), self._root(path)
        folder = root.module_folder(module)
        wanted = ModuleRevision.of(version, folder)
        search = Search(self.repositories, root.url, wanted.revision)
        with checkout(search, advance) as commit:
            try:
                _check_time(commit, wanted.time)
                yield _located(commit, module, root, folder)
            except Failed as error:
                where = f"{path}@{version}"
                raise SourceError(str(error), where=where, details=(commit.address,)) from error


def _write_zip(to: BinaryIO, folder: str, contents: Iterator[tuple[str, IO[bytes]]]) -> None:
    """Write files into a zip, below a folder.

    Raises:
        Failed: they are too large, or git ended early.
    """
    remaining = MAX_ZIP
    try:
        with zipfile.ZipFile(to, "w") as archive:
            for name, data in contents:
                with archive.open(f"{folder}/{name}", "w") as into:
                    while piece := data.read(_AT_ONCE):
                        remaining -= len(piece)
                        if remaining < 0:
                            msg = f"its files have more than {MAX_ZIP} bytes"
                            raise Failed(msg)
                        into.write(piece)
    except tarfile.TarError as error:
        msg = "git ended early: the repository is damaged"
        raise Failed(msg) from error


def _check_time(checkout: Checkout, expected: str) -> None:
    """See that the commit is of the time that a pseudo-version says; empty: it says none."""
    if not expected:
        return
    date = checkout.reader.date(checkout.commit)
    try:
        time = dt.datetime.fromtimestamp(date, dt.UTC).strftime("%Y%m%d%H%M%S")
    except (ValueError, OverflowError):  # before the year 1 or after 9999
        time = f"{date} seconds after 1970"
    if time != expected:
        msg = f"the commit {checkout.commit} is of {time} (UTC), and the version says another time"
        raise Failed(msg)


def _located(checkout: Checkout, module: ModulePath, root: ImportRoot, folder: str) -> _Found:
    """The module in its commit; rule 3.

    Raises:
        Failed: it is not there.
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
        if inner is not None and module.fits(declared_module(inner)):
            if outer is not None and module.fits(declared_module(outer)):
                msg = f"two go.mod files declare {module.major}: also {inner_folder}/go.mod"
                raise Failed(msg)
            return _Found(checkout, inner_folder, files, inner)
        if inner is not None:
            msg = f"{inner_folder}/go.mod declares {declared_module(inner)!r}"
            raise Failed(msg)
    if outer is None and (folder or module.major.startswith("/")):
        msg = f"the commit has no {_below(folder, 'go.mod')}"
        raise Failed(msg)
    if outer is not None and not module.fits(declared_module(outer)):
        msg = f"{_below(folder, 'go.mod')} declares {declared_module(outer)!r}"
        raise Failed(msg)
    return _Found(checkout, folder, files, outer)


def _below(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _paths(found: _Found) -> list[str]:
    """What git has to pack."""
    if not found.folder:
        return ["."]
    return [found.folder, *([_LICENSE] if _LICENSE in found.files else [])]


def _wanted(found: _Found) -> dict[str, str]:
    """The module's files: their names in the module, by their paths in the commit.

    Raises:
        Failed: a module may not have one of them.
    """
    start = f"{found.folder}/" if found.folder else ""
    names = [path[len(start) :] for path in found.files if path.startswith(start)]
    line = _GO_LINE.search(found.go_mod or b"")
    go = (int(line[1]), int(line[2])) if line else (0, 0)
    wanted = {start + name: name for name in module_files(names, go)}
    if start and _LICENSE not in names and _LICENSE in found.files:
        wanted[_LICENSE] = _LICENSE
    try:
        check_names(wanted.values(), "")
    except VerificationError as error:
        msg = f"{error.message}{error.where}"
        raise Failed(msg) from error
    return wanted


def _contents(tar: IO[bytes], wanted: dict[str, str]) -> Iterator[tuple[str, IO[bytes]]]:
    """Each wanted file of an archive, by its name in the module.

    Raises:
        Failed: git left one out.
        TarError: it ended early.
    """
    remaining = dict(wanted)
    with tarfile.open(fileobj=tar, mode="r|", errors="surrogateescape") as archive:
        for member in archive:
            name = remaining.pop(member.name, None)
            data = archive.extractfile(member) if name is not None and member.isreg() else None
            if name is not None and data is not None:
                yield name, data
    if remaining:
        msg = f"git left {min(remaining)} out"
        raise Failed(msg)
