"""Which lines of a go.sum the graph of a module can need.

Knows: https://go.dev/ref/mod#graph-pruning and what ``replace`` and ``exclude`` do to a graph.
Must not know: proxies, where a go.mod comes from, what packages import.

A go.sum keeps lines of versions that were required once. Nobody reads those, and a proxy may have
dropped them, so they are not fetched.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from attrs import define, evolve, field, frozen

from rvbuild.core.errors import LockError
from rvbuild.core.go_mod_changes import UNCHANGED, GoModChanges
from rvbuild.core.gomod import (
    GO_WORK,
    GoMod,
    Replacement,
    is_pruned,
    parse_go_mod,
    required_by,
    used_folders,
)
from rvbuild.core.gosum import GoSum, parse_go_sum
from rvbuild.core.semver import SemanticVersion

Module = tuple[str, str]
"""A module's path and version, after ``replace``."""

LoadGoMods = Callable[[Sequence[tuple[Module, str]]], Iterable[bytes]]
"""Returns the go.mod of each module, in order; the second of each pair is its ``h1:``."""


FirstSeen = Callable[[Module], "tuple[bytes, str] | None"]
"""Returns the go.mod of a module that no go.sum knows, and its ``h1:``; None if nobody has it."""


@frozen
class GoModFile:
    """A go.mod of a main module, or a go.work: what it says, and the folder of its paths."""

    folder: str
    content: GoMod


@frozen(eq=False)
class MainModule:
    """The module that packages are built in, as far as the go command reads its files.

    In a workspace there are several, all of which count: those that the go.work uses.

    Attributes:
        name: Of its source, for messages.
        read: Returns the content of a file of the source by its path; None if there is none.
        directory: Its folder in the source; ``.`` is the source's root.
        in_workspace: Whether its go.work counts.
        changes: What it has instead of what its files say; of no workspace.
    """

    name: str
    read: Callable[[str], bytes | None] = field(repr=False)
    directory: str = "."
    in_workspace: bool = False
    changes: GoModChanges = UNCHANGED

    @property
    def go_sum(self) -> bytes:
        """Its go.sum, or one after another those of a workspace; empty where none is needed."""
        folders = self.folders()
        files = [_join(folder, "go.sum") for folder in folders]
        if self.in_workspace:
            files.append(f"{self.workspace()}.sum")
        return b"\n".join(data for file in files if (data := self.read(file)))

    def folders(self) -> tuple[str, ...]:
        """The folder of each main module.

        Raises:
            LockError: there is no go.work, or it is not valid.
        """
        if not self.in_workspace:
            return (self.directory,)
        work = self.workspace()
        used = used_folders(self._text(work), self._shown(work))
        return tuple(_join(posixpath.dirname(work), folder) for folder in used)

    def workspace(self) -> str:
        """The go.work that the go command finds from the module on; empty if there is none."""
        folders = [self.directory, *map(str, PurePosixPath(self.directory).parents)]
        files = (_join(folder, GO_WORK) for folder in folders)
        return next((file for file in files if self.read(file) is not None), "")

    def sums(self) -> GoSum:
        """Every line of its go.sum, and of what it has beside.

        Raises:
            LockError: it is not valid.
        """
        text = self.changes.go_sum(self.go_sum).decode(errors="replace")
        text += "\n".join(self.changes.offered)
        return parse_go_sum(text, f"{self.name}:go.sum")

    @property
    def go_mod(self) -> str:
        """The text of its go.mod, with what it has instead.

        Raises:
            LockError: there is none, or it is not valid.
        """
        text = self._text(_join(self.directory, "go.mod"))
        return self.changes.go_mod(text) if self.changes else text

    def go_mods(self) -> tuple[GoModFile, ...]:
        """Its go.mod, or in a workspace the go.work, then the go.mod of each main module.

        Raises:
            LockError: there is none, or it is not valid.
        """
        if self.changes:
            file = _join(self.directory, "go.mod")
            return (GoModFile(self.directory, parse_go_mod(self.go_mod, self._shown(file))),)
        files = [_join(folder, "go.mod") for folder in self.folders()]
        if self.in_workspace:
            files.insert(0, self.workspace())
        return tuple(
            GoModFile(posixpath.dirname(file), parse_go_mod(self._text(file), self._shown(file)))
            for file in files
        )

    def _shown(self, file: str) -> str:
        return f"{self.name}:{file}"

    def _text(self, file: str) -> str:
        data = self.read(file) if file else None
        if data is not None:
            return data.decode(errors="replace")
        if not self.in_workspace:
            msg = f"the source {self.name} has no file {file}"
            hint = "`directory` names the folder of the source that has the module's go.mod"
            raise LockError(msg, hint=hint)
        lacks = f"no file {file}, which its go.work uses" if file else "no go.work for the module"
        msg = f"the source {self.name} has {lacks}"
        raise LockError(msg, hint="leave `workspace` out, and keep GOWORK `off`")


def _join(folder: str, file: str) -> str:
    """A path in the source; it may begin with ``../``."""
    return posixpath.normpath(posixpath.join(folder, file))


def needed_sums(main: MainModule, load: LoadGoMods, first_seen: FirstSeen | None = None) -> GoSum:
    """The lines of a module's go.sum that its graph can need.

    Rules:

    1. What the main module requires belongs to the graph, in the version that is required, and
       so does whatever the go.mod of a member requires, if go.sum has its ``/go.mod`` line. So
       the graph has all that the go command loads, whether it prunes or not.
    2. The main module's ``replace`` and ``exclude`` hold for every requirement. Of a folder that
       replaces a module, the go.mod is read in the source. In a workspace those of all main modules
       do, and what its go.work replaces goes first.
    3. A module that stands instead of another is of the graph, and what it requires, too. Of these
       go.sum may lack lines. ``first_seen`` is asked for the go.mod of one that it lacks, if the go
       command may read that: it is the module itself, or one that is required in a higher version
       than the main module says. The same holds for whatever is required by way of a go.mod that
       does not have all that it needs: the go command may read more of the graph than before.
    4. Both lines of each member are needed. Of one whose go.mod the go command never read, go.sum
       may have the line of the zip alone.

    Example: main requires ``a v1.1.0``, and ``a v1.1.0`` requires ``b v1.0.0``. Lines of
    ``a v1.0.0`` are left over from an earlier go.mod: neither they nor what only ``a v1.0.0``
    requires are needed.

    Raises:
        LockError: go.mod or go.sum is not valid.
    """
    sums = main.sums()
    return _Walk(main, main.go_mods(), {**sums.mods}, load, first_seen).kept(sums)


def sums_digest(main: MainModule, needed: GoSum) -> str:
    """The name of a set of lines: the SHA-256 (hex) of go.sum if it is just these, else of them.

    The lines are sorted, and each ends with a newline.
    """
    if not main.changes and needed == main.sums():
        return hashlib.sha256(main.go_sum).hexdigest()
    lines = [f"{path} {version} {h1}\n" for (path, version), h1 in needed.modules.items()]
    lines += [f"{path} {version}/go.mod {h1}\n" for (path, version), h1 in needed.mods.items()]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


@frozen
class _Origin:
    """How a requirement got into the graph.

    Attributes:
        is_new: By what stands instead of another module.
        is_deep: By way of a go.mod that does not have all that it needs.
    """

    is_new: bool = False
    is_deep: bool = False

    def of_required(self, data: bytes) -> _Origin:
        """That of what a go.mod requires."""
        return evolve(self, is_deep=self.is_deep or not is_pruned(data))


@define
class _Walk:
    main: MainModule
    go_mods: Sequence[GoModFile]
    mods: dict[Module, str]
    load: LoadGoMods
    first_seen: FirstSeen | None = None
    _reached: set[Module] = field(factory=set, init=False)
    _folders: set[str] = field(factory=set, init=False)

    def kept(self, sums: GoSum) -> GoSum:
        required = (each for file in self.go_mods for each in file.content.requirements)
        own = _Origin().of_required(self.main.go_mod.encode() if self.main.changes else b"")
        waiting = [((each.path, each.version), own) for each in required]
        while waiting:
            wave = self._wave(waiting)
            waiting = [
                (m, origin.of_required(data)) for data, origin in wave for m in required_by(data)
            ]
        return GoSum(
            modules={key: h1 for key, h1 in sums.modules.items() if key in self._reached},
            mods={key: h1 for key, h1 in self.mods.items() if key in self._reached},
        )

    def _wave(self, waiting: Iterable[tuple[Module, _Origin]]) -> list[tuple[bytes, _Origin]]:
        """The go.mod files that some requirements lead to, each once."""
        read: list[tuple[bytes, _Origin]] = []
        fresh: dict[Module, _Origin] = {}
        for (path, version), why in waiting:
            if any((path, version) in file.content.exclusions for file in self.go_mods):
                continue
            by, folder = self._replacement(path, version)
            if by is not None and by.is_local:
                read += [(data, why) for data in self._folder(_join(folder, by.new))]
                continue
            key = (path, version) if by is None else (by.new, by.new_version)
            if key in self._reached:
                continue
            self._reached.add(key)
            is_instead = path in self.main.changes.replaced
            origin = evolve(why, is_new=why.is_new or is_instead)
            if key in self.mods:
                fresh[key] = origin
            elif is_instead or origin.is_deep or (origin.is_new and self._is_higher(path, version)):
                read += [(data, origin) for data in self._first(key)]
        loaded = self.load([(key, self.mods[key]) for key in fresh])
        return [*read, *zip(loaded, fresh.values(), strict=True)]

    def _is_higher(self, path: str, version: str) -> bool:
        """Whether a version is higher than what the main module requires, if it does."""
        own = [r.version for f in self.go_mods for r in f.content.requirements if r.path == path]
        rank = SemanticVersion.parse
        return all(rank(each) < rank(version) for each in own)

    def _first(self, key: Module) -> Iterator[bytes]:
        """The go.mod of a module of which go.sum has no line, if somebody has it."""
        found = self.first_seen(key) if self.first_seen else None
        if found is not None:
            data, self.mods[key] = found
            yield data

    def _replacement(self, path: str, version: str) -> tuple[Replacement | None, str]:
        """What replaces a version of a module, and the folder of the file that says it."""
        for file in self.go_mods:
            by = file.content.replacement(path, version)
            if by is not None:
                return by, file.folder
        return None, ""

    def _folder(self, folder: str) -> list[bytes]:
        """The go.mod of a folder that replaces a module, once."""
        if folder in self._folders:
            return []
        self._folders.add(folder)
        data = self.main.read(_join(folder, "go.mod"))
        return [] if data is None else [data]
