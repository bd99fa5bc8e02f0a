"""Git's objects as bytes: names recomputed, commits and trees read.

Knows: the formats of git's commit, tree and blob objects (gitformat-pack, git-hash-object;
a name is the hash of ``TYPE SIZE NUL CONTENT``). Must not know: repositories, processes.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, Union

from attrs import frozen

from rvbuild.core.errors import Malformed
from rvbuild.core.paths import check_name
from rvbuild.core.tree import children_first

FILE, EXECUTABLE, SYMLINK, FOLDER, SUBMODULE = "100644", "100755", "120000", "40000", "160000"

_NAME = re.compile(r"(?:[0-9a-f]{40}|[0-9a-f]{64})\Z")


class DamagedObject(Malformed):
    """An object of a repository is not what its name says, or cannot be read."""


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


def is_object_name(text: str) -> bool:
    """Whether ``text`` is a full object name, SHA-1 or SHA-256, in lower-case hex."""
    return _NAME.match(text) is not None


def hasher(kind: str, size: int, like: str) -> _Hash:
    """A hash begun for an object of ``kind`` and ``size``; ``like`` is any name of the repository.

    SHA-1 where the repository uses it: these are git's names, not ours.
    """
    header = f"{kind} {size}\0".encode()
    if len(like) == 64:
        return hashlib.sha256(header)
    return hashlib.sha1(header, usedforsecurity=False)


def object_name(kind: str, data: bytes, like: str) -> str:
    """The name of an object with the content ``data``."""
    running = hasher(kind, len(data), like)
    running.update(data)
    return running.hexdigest()


def checked(kind: str, data: bytes, name: str) -> bytes:
    """``data`` if it is the content of the object ``name``.

    Raises:
        VerificationError: it hashes to another name.
    """
    actual = object_name(kind, data, name)
    if actual != name:
        msg = f"the git {kind} {name} has other content: it hashes to {actual}"
        raise DamagedObject(msg)
    return data


def checked_chunks(chunks: Iterable[bytes], size: int, name: str) -> Iterator[bytes]:
    """Hand on a blob's chunks; the last one only if the whole hashes to ``name``.

    Raises:
        VerificationError: it does not.
    """
    running = hasher("blob", size, name)
    last = b""
    for chunk in chunks:
        running.update(chunk)
        if last:
            yield last
        last = chunk
    if running.hexdigest() != name:
        msg = f"the git blob {name} has other content: it hashes to {running.hexdigest()}"
        raise DamagedObject(msg)
    yield last


@frozen
class Commit:
    """A commit's tree, and the committer's time in Unix seconds."""

    tree: str
    date: int


def parse_commit(data: bytes) -> Commit:
    """Read a commit object.

    Raises:
        VerificationError: it has no tree or no committer with a time.
    """
    head = data.partition(b"\n\n")[0]
    tree = re.match(rb"tree ([0-9a-f]{40,64})\n", head)
    committer = re.search(rb"^committer .*> (-?\d{1,40}) [+-]\d+$", head, re.MULTILINE)
    if tree is None or committer is None:
        msg = "a git commit without a tree, or without a committer's time"
        raise DamagedObject(msg)
    return Commit(tree[1].decode(), int(committer[1]))


_OCTAL = re.compile(rb"[0-7]{5,6}")


@frozen
class RawEntry:
    """One entry of a git tree as it is there: of any mode, and with any name."""

    mode: bytes
    name: bytes
    object: str

    @property
    def is_folder(self) -> bool:
        """Whether its object is a tree."""
        return stat.S_ISDIR(int(self.mode, 8))


@frozen
class TreeEntry:
    """One entry of a git tree; ``mode`` is one of this module's constants."""

    mode: str
    name: str
    object: str


_MODES = {
    b"40000": FOLDER,
    b"040000": FOLDER,
    b"100644": FILE,
    b"100664": FILE,  # written by git before 2005-05; reads as an ordinary file
    b"100755": EXECUTABLE,
    b"120000": SYMLINK,
    b"160000": SUBMODULE,
}


def raw_entries(data: bytes, like: str) -> Iterator[RawEntry]:
    """The entries of a tree object, in its order; ``like`` is any name of the repository.

    Raises:
        VerificationError: it is cut short, or has what is no entry.
    """
    width, at = len(like) // 2, 0
    while at < len(data):
        space, end = data.find(b" ", at), data.find(b"\0", at)
        mode = data[at:space]
        if not at < space < end or end + 1 + width > len(data) or not _OCTAL.fullmatch(mode):
            msg = f"damaged git tree at byte {at}"
            raise DamagedObject(msg)
        at = end + 1 + width
        yield RawEntry(mode, data[space + 1 : end], data[at - width : at].hex())


def tree_entries(entries: Iterable[RawEntry]) -> Iterator[TreeEntry]:
    """The entries of a tree that may be written.

    Raises:
        VerificationError: one has an unknown mode, or a name that no checkout of git's would make.
    """
    seen = set[str]()
    for entry in entries:
        mode = _MODES.get(entry.mode)
        if mode is None:
            msg = f"a git tree has an entry of the unknown mode {entry.mode.decode()}"
            raise DamagedObject(msg)
        try:
            name = entry.name.decode()
        except UnicodeDecodeError as error:
            msg = f"file name in a git tree is not UTF-8: {entry.name!r}"
            raise DamagedObject(msg) from error
        check_entry_name(name)
        if name in seen:
            msg = f"a git tree has the name {name!r} twice"
            raise DamagedObject(msg)
        seen.add(name)
        yield TreeEntry(mode, name, entry.object)


def check_entry_name(name: str) -> None:
    """Refuse what git itself would not check out: no path component, or a repository's own.

    Raises:
        VerificationError: it is such a name.
    """
    check_name(name)
    if name.lower() == ".git":
        msg = f"a git tree cannot hold a file called {name!r}"
        raise Malformed(msg)


@frozen
class Leaf:
    """A file or symlink by mode and object name."""

    mode: str
    object: str


GitFolder = dict[str, Union[Leaf, "GitFolder"]]
"""A git tree that is being made, as plain dictionaries."""


def tree_name(root: Mapping[str, Leaf | GitFolder], like: str) -> str:
    """The name that git gives to a whole tree; empty folders do not exist in git."""
    names: dict[int, str] = {}
    for here in children_first(root):
        names[id(here)] = object_name("tree", _encode(here, names), like)
    return names[id(root)]


def _encode(level: Mapping[str, Leaf | GitFolder], names: Mapping[int, str]) -> bytes:
    rows = []
    for name, node in level.items():
        check_entry_name(name)
        # git sorts a folder as if its name ended with a slash
        if isinstance(node, dict):
            rows.append((f"{name}/".encode(), FOLDER, name, names[id(node)]))
        else:
            rows.append((name.encode(), node.mode, name, node.object))
    return b"".join(
        f"{mode} {name}\0".encode() + bytes.fromhex(target)
        for _, mode, name, target in sorted(rows)
    )
