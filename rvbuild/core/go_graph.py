"""Which lines of a go.sum the graph of a module can need.

Knows: https://go.dev/ref/mod#graph-pruning and what ``replace`` and ``exclude`` do to a graph.
Must not know: proxies, where a go.mod comes from, what packages import.

A go.sum keeps lines of versions that were required once. Nobody reads those, and a proxy may have
dropped them, so they are not fetched.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from attrs import define, field, frozen

from rvbuild.core.errors import LockError
from rvbuild.core.gomod import GoMod, GoSum, parse_go_mod, parse_go_sum, required_by

Module = tuple[str, str]
"""A module's path and version, after ``replace``."""

LoadGoMods = Callable[[Sequence[tuple[Module, str]]], Iterable[bytes]]
"""Returns the go.mod of each module, in order; the second of each pair is its ``h1:``."""


@frozen(eq=False)
class MainModule:
    """The module that packages are built in, as far as the go command reads its files.

    Attributes:
        name: Of its source, for messages.
        read: Returns the content of a file of the source by its path; None if there is none.
        directory: Its folder in the source; ``.`` is the source's root.
    """

    name: str
    read: Callable[[str], bytes | None] = field(repr=False)
    directory: str = "."

    def path(self, file: str) -> str:
        """The path in the source of a file of the module; it may begin with ``../``."""
        return posixpath.normpath(posixpath.join(self.directory, file))

    @property
    def go_sum(self) -> bytes:
        """Its go.sum; a module that needs no other has none."""
        return self.read(self.path("go.sum")) or b""

    def workspace(self) -> str:
        """The go.work that the go command finds from the module on; empty if there is none."""
        folders = [self.directory, *map(str, PurePosixPath(self.directory).parents)]
        files = (posixpath.normpath(posixpath.join(folder, "go.work")) for folder in folders)
        return next((file for file in files if self.read(file) is not None), "")

    def sums(self) -> GoSum:
        """Every line of its go.sum.

        Raises:
            LockError: it is not valid.
        """
        return parse_go_sum(self.go_sum.decode(errors="replace"), f"{self.name}:go.sum")

    def go_mod(self) -> GoMod:
        """Its go.mod.

        Raises:
            LockError: there is none, or it is not valid.
        """
        data = self.read(self.path("go.mod"))
        if data is None:
            msg = f"the source {self.name} has no file {self.path('go.mod')}"
            hint = "name the module's folder with `directory`, or leave `go-modules` out"
            raise LockError(msg, hint=hint)
        return parse_go_mod(data.decode(errors="replace"), f"{self.name}:go.mod")


def needed_sums(main: MainModule, load: LoadGoMods) -> GoSum:
    """The lines of a module's go.sum that its graph can need.

    Rules:

    1. What the main module requires belongs to the graph, in the version that is required, and
       so does whatever the go.mod of a member requires, if go.sum has its ``/go.mod`` line. So
       the graph has all that the go command loads, whether it prunes or not.
    2. The main module's ``replace`` and ``exclude`` hold for every requirement. Of a folder that
       replaces a module, the go.mod is read in the source.
    3. Both lines of each member are needed. Of one whose go.mod the go command never read, go.sum
       may have the line of the zip alone.

    Example: main requires ``a v1.1.0``, and ``a v1.1.0`` requires ``b v1.0.0``. Lines of
    ``a v1.0.0`` are left over from an earlier go.mod: neither they nor what only ``a v1.0.0``
    requires are needed.

    Raises:
        LockError: go.mod or go.sum is not valid.
    """
    sums = main.sums()
    return _Walk(main, main.go_mod(), sums.mods, load).kept(sums)


def sums_digest(main: MainModule, needed: GoSum) -> str:
    """The name of a set of lines: the SHA-256 (hex) of go.sum if it has no other, else of them.

    The lines are sorted, and each ends with a newline.
    """
    if needed == main.sums():
        return hashlib.sha256(main.go_sum).hexdigest()
    lines = [f"{path} {version} {h1}\n" for (path, version), h1 in needed.modules.items()]
    lines += [f"{path} {version}/go.mod {h1}\n" for (path, version), h1 in needed.mods.items()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


@define
class _Walk:
    main: MainModule
    go_mod: GoMod
    mods: Mapping[Module, str]
    load: LoadGoMods
    _reached: set[Module] = field(factory=set, init=False)
    _folders: set[str] = field(factory=set, init=False)

    def kept(self, sums: GoSum) -> GoSum:
        waiting = [(each.path, each.version) for each in self.go_mod.requirements]
        while waiting:
            waiting = [found for data in self._wave(waiting) for found in required_by(data)]
        return GoSum(
            modules={key: h1 for key, h1 in sums.modules.items() if key in self._reached},
            mods={key: h1 for key, h1 in sums.mods.items() if key in self._reached},
        )

    def _wave(self, waiting: Iterable[Module]) -> list[bytes]:
        """The go.mod files that some requirements lead to, each once."""
        local: list[bytes] = []
        fresh: list[tuple[Module, str]] = []
        for path, version in waiting:
            if (path, version) in self.go_mod.exclusions:
                continue
            by = self.go_mod.replacement(path, version)
            if by is not None and by.is_local:
                local += self._folder(by.new)
                continue
            key = (path, version) if by is None else (by.new, by.new_version)
            if key not in self._reached:
                self._reached.add(key)
                fresh += [(key, self.mods[key])] if key in self.mods else []
        return [*local, *self.load(fresh)]

    def _folder(self, folder: str) -> list[bytes]:
        """The go.mod of a folder that replaces a module, once."""
        path = self.main.path(f"{folder}/go.mod")
        if path in self._folders:
            return []
        self._folders.add(path)
        data = self.main.read(path)
        return [] if data is None else [data]
