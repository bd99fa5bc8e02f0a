"""Trees: REAPI ``Directory`` values that cannot be built invalid.

Knows: names, order, encoding.
Must not know: disks. Format: Remote Execution API v2, ``Directory`` and ``Tree``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any, Union, cast

from attrs import field, frozen
from google.protobuf.message import DecodeError

from rvbuild._reapi import reapi_pb2 as pb
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.paths import check_name


@frozen
class File:
    """A regular file: content and the executable bit; nothing else about it is kept."""

    digest: Digest
    executable: bool = False


@frozen
class Symlink:
    """A symbolic link, never followed by rvbuild."""

    target: str


@frozen
class DirectoryNode:
    """A sub-directory, by the digest of its ``Directory`` message."""

    digest: Digest


Node = Union[File, Symlink, DirectoryNode]


def _sorted_entries(entries: Mapping[str, Node]) -> dict[str, Node]:
    for name in entries:
        check_name(name)
    # REAPI sorts by code point, which for UTF-8 is also byte order.
    return {name: entries[name] for name in sorted(entries)}


@frozen
class Directory:
    """One directory; ``entries`` are sorted by name, so the encoding is canonical."""

    entries: dict[str, Node] = field(factory=dict, converter=_sorted_entries)

    def encode(self) -> bytes:
        """The ``Directory`` message: files, directories, symlinks, each sorted by name."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        message = pb.Directory()
        for name, node in self.entries.items():
            if isinstance(node, File):  # field by field: half the price of keyword arguments
                file = message.files.add()
                file.name, file.is_executable = name, node.executable
                _fill(file.digest, node.digest)
            elif isinstance(node, DirectoryNode):
                folder = message.directories.add()
                folder.name = name
                _fill(folder.digest, node.digest)
            else:
                message.symlinks.add(name=name, target=node.target)
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Directory:
        """Read a ``Directory`` message.

        Raises:
            VerificationError: not such a message, or not in canonical form.
        """
        try:
            directory = cls.from_message(pb.Directory.FromString(data))
        except (DecodeError, ValueError) as error:
            msg = f"not a Directory message: {error}"
            raise Malformed(msg) from error
        if directory.encode() != data:
            msg = "Directory message is not in canonical form"
            raise Malformed(msg)
        return directory

    @classmethod
    def from_message(cls, message: pb.Directory) -> Directory:
        """The value of a decoded message, which loses what is unknown in it."""
        files = {each.name: _file(each) for each in message.files}
        folders = {each.name: DirectoryNode(from_pb(each.digest)) for each in message.directories}
        links = {each.name: Symlink(each.target) for each in message.symlinks}
        directory = cls({**files, **folders, **links})
        count = len(message.files) + len(message.directories) + len(message.symlinks)
        if len(directory.entries) != count:
            msg = "Directory message has a name twice"
            raise Malformed(msg)
        if all(list(each) == sorted(each) for each in (files, folders, links)):
            # Canonical but for unknown fields: it need not be put together again.
            message.DiscardUnknownFields()
            encoded = message.SerializeToString(deterministic=True)
            object.__setattr__(directory, "_encoded", encoded)
        return directory


def _file(message: pb.FileNode) -> File:
    return File(from_pb(message.digest), message.is_executable)


def _fill(message: pb.Digest, digest: Digest) -> None:
    message.hash, message.size_bytes = digest.hash, digest.size


def to_pb(digest: Digest) -> pb.Digest:
    """A digest as a protocol buffer message."""
    return pb.Digest(hash=digest.hash, size_bytes=digest.size)


def from_pb(message: pb.Digest) -> Digest:
    """A digest out of a protocol buffer message."""
    return Digest(message.hash, message.size_bytes)


Nested = dict[str, Union[File, Symlink, "Nested"]]
"""A whole tree as plain dictionaries: the form in which trees are made."""

Unsealed = dict[str, Union[Node, "Unsealed"]]
"""A directory that is being made; what is no dictionary in it is final."""


def seal(root: Unsealed, into: dict[Digest, Directory]) -> Digest:
    """Hash a directory and all that is unsealed below it; add each ``Directory`` to ``into``."""
    done: dict[int, Digest] = {}
    for here in children_first(root):
        directory = Directory(
            {
                name: DirectoryNode(done[id(node)]) if isinstance(node, dict) else node
                for name, node in here.items()
            }
        )
        done[id(here)] = digest = Digest.of(directory.encode())
        into[digest] = directory
    return done[id(root)]


def children_first(root: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Each of nested dictionaries, after those that are in it. Trees may be deep."""
    stack = [(root, False)]
    while stack:
        here, is_next = stack.pop()
        if is_next:
            yield here
            continue
        stack.append((here, True))
        stack.extend((node, False) for node in here.values() if isinstance(node, dict))


@frozen
class Extent:
    """How many files a tree has, each as often as it is there, and the bytes that they hold."""

    files: int
    size: int


@frozen
class Tree:
    """A whole tree: its root's digest and every directory by digest."""

    root: Digest
    directories: dict[Digest, Directory] = field(repr=False)

    @classmethod
    def of(cls, nested: Nested) -> Tree:
        """Hash a nested tree."""
        directories: dict[Digest, Directory] = {}
        return cls(seal(cast("Unsealed", nested), directories), directories)

    def nested(self) -> Nested:
        """The tree as fresh nested dictionaries."""
        root: Nested = {}
        stack = [(self.root, root)]
        while stack:
            digest, into = stack.pop()
            for name, node in self.directories[digest].entries.items():
                if isinstance(node, DirectoryNode):
                    inner: Nested = {}
                    into[name] = inner
                    stack.append((node.digest, inner))
                else:
                    into[name] = node
        return root

    def describes(self, nested: Nested) -> bool:
        """Whether ``Tree.of(nested)`` would be this tree; nothing is hashed to know it."""
        stack: list[tuple[Digest, Nested]] = [(self.root, nested)]
        while stack:
            digest, here = stack.pop()
            entries = self.directories[digest].entries
            if len(entries) != len(here):
                return False
            for name, node in entries.items():
                there = here.get(name)
                if isinstance(node, DirectoryNode) and isinstance(there, dict):
                    stack.append((node.digest, there))
                elif node != there:
                    return False
        return True

    def walk(self) -> Iterator[tuple[str, Union[File, Symlink]]]:
        """Every file and symlink with its path, in path order of the directories."""
        stack = [("", self.root)]
        while stack:
            prefix, digest = stack.pop()
            for name, node in self.directories[digest].entries.items():
                if isinstance(node, DirectoryNode):
                    stack.append((f"{prefix}{name}/", node.digest))
                else:
                    yield prefix + name, node

    def extent(self) -> Extent:
        """Its files, and their bytes."""
        sizes = [node.digest.size for _, node in self.walk() if isinstance(node, File)]
        return Extent(len(sizes), sum(sizes))

    def encode(self) -> bytes:
        """The ``Tree`` message: the root, then the other directories by digest."""
        # Written out here: parsing every directory into one message costs three times as much.
        parts = [b"\x0a", _length_first(self.directories[self.root].encode())]
        for digest in sorted(self.directories, key=attrgetter("hash", "size")):
            if digest != self.root:
                parts += b"\x12", _length_first(self.directories[digest].encode())
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> Tree:
        """Read a ``Tree`` message.

        Raises:
            VerificationError: not such a message, or a directory is missing from it.
        """
        try:
            message = pb.Tree.FromString(data)
            listed = [Directory.from_message(item) for item in (message.root, *message.children)]
        except (DecodeError, ValueError) as error:
            msg = f"not a Tree message: {error}"
            raise Malformed(msg) from error
        directories = {Digest.of(item.encode()): item for item in listed}
        for item in listed:
            for node in item.entries.values():
                if isinstance(node, DirectoryNode) and node.digest not in directories:
                    msg = f"Tree message lacks the directory {node.digest}"
                    raise Malformed(msg)
        return cls(Digest.of(listed[0].encode()), directories)


def _length_first(data: bytes) -> bytes:
    """``data`` behind its length as protocol buffers' varint."""
    length, prefix = len(data), bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + data


def file_at(nested: Nested, path: str) -> File | None:
    """The regular file at a path; no link is followed."""
    node: object = nested
    for part in path.split("/"):
        node = node.get(part) if isinstance(node, dict) else None
    return node if isinstance(node, File) else None
