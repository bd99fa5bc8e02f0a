"""The rules that every entry passes on its way from an archive into a sink.

Knows: names, links, duplicates. Must not know: formats, disks.

Every path is checked as text, before anything is written:

- A name never leaves the root.
- Nothing is placed below a file or a link.
- A name that comes again says what it said before: whoever unpacks gets one tree, whether it is
  the first or the last that counts. A hard link from a name to itself says nothing new.
- A hard link leads to an earlier file or symbolic link of the same archive.
- Something is left of an archive with files when ``strip`` components were taken off.

Example: ``p/a`` with "x", ``p/b`` with "x", ``p/b`` as a hard link to ``p/a`` is taken.
``p/a`` with "x" and then ``p/a`` with "y" is refused.

Symbolic links reach the sink after everything else, when it is known where each of them leads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NoReturn

from attrs import frozen

from rvbuild.archives.unpack_limits import RATIO_FLOOR, Links, UnpackLimits
from rvbuild.core.errors import Malformed
from rvbuild.core.paths import MAX_LINKS, MAX_NAME, is_target, path_problem
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.printable import brief

_DIRECTORY, _FILE, _LINK = "directory", "file", "symbolic link"
_WORK_MAX = 4_000_000  # path components looked at while links are followed


@frozen
class _File:
    """A file that the sink has: its bytes, their SHA-256, and whether it is executable."""

    size: int
    sha256: str
    executable: bool


class Guard:
    """One archive's way into one sink.

    Args:
        into: The sink; of no use any more once a method here has raised.
        name: The archive, for messages.
        strip: How many leading components every path loses; what has no more is left out.
        limits: How many entries, and whether one may come again.
        links: Which links there may be.
    """

    def __init__(
        self,
        into: TreeSink,
        name: str,
        *,
        strip: int = 0,
        limits: UnpackLimits | None = None,
        links: Links = Links.INSIDE,
    ) -> None:
        self._into = into
        self._name = name
        self._strip = strip
        self._limits = limits or UnpackLimits()
        self._allowed = links
        self._entries = self._stripped = 0
        self._kinds = {"": _DIRECTORY}
        self._targets: dict[str, str] = {}
        self._work = 0
        self._files: dict[str, _File] = {}
        self._written = self._copied = self._holes = 0

    def refuse(self, entry: str, message: str) -> NoReturn:
        """Raise the error of one entry.

        Raises:
            VerificationError: always.
        """
        raise Malformed(message, where=f"{self._name}: entry {brief(entry)}")

    def decode(self, raw: bytes) -> str:
        """A name as text.

        Raises:
            VerificationError: it is not UTF-8.
        """
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.refuse(ascii(raw[:200])[2:-1], "the name is not UTF-8")

    def directory(self, entry: str) -> None:
        """A directory; it may come again."""
        path = self._path(entry, is_directory=True)
        if path is None or self._kinds.get(path) == _DIRECTORY:
            return
        self._claim(entry, path, _DIRECTORY)
        self._into.directory(path)

    def file(self, entry: str, chunks: Iterable[bytes], *, executable: bool) -> str | None:
        """A regular file; returns its SHA-256, or None when it is stripped away."""
        path = self._path(entry)
        if path is None:
            return None
        before = self._written
        if self._limits.repeats and (earlier := self._files.get(path)):
            sha256 = hashlib.sha256()
            for chunk in self._counted(chunks):
                sha256.update(chunk)
            again = _File(self._written - before, sha256.hexdigest(), executable)
            self._repeat(entry, earlier, again)
            return earlier.sha256
        self._claim(entry, path, _FILE)
        digest = self._into.file(path, self._counted(chunks), executable=executable)
        self._files[path] = _File(self._written - before, digest, executable)
        return digest

    def _repeat(self, entry: str, earlier: _File, again: _File) -> None:
        if again != earlier:
            self.refuse(entry, "a file, where the archive has a file already that differs from it")

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._written += len(chunk)
            yield chunk

    def symlink(self, entry: str, target: str) -> None:
        """A symbolic link; checked as a whole by `finish`."""
        path = self._path(entry)
        if path is None:
            return
        self._may_link(entry)
        if not is_target(target):
            self.refuse(entry, f"a symbolic link to {brief(target) or 'nothing'}")
        if target[0] == "/" and self._allowed is not Links.ROOTED:
            self._escapes(entry, target)
        if self._limits.repeats and self._targets.get(path) == target:
            return
        self._claim(entry, path, _LINK)
        self._targets[path] = target

    def hard_link(self, entry: str, target: str) -> None:
        """A second name for ``target``, an earlier file or symbolic link."""
        path = self._path(entry)
        if path is None:
            return
        self._may_link(entry)
        of = self._path(target, of=entry)
        if of in self._targets:
            self._link_again(entry, path, of)
        elif of in self._files:
            self._file_again(entry, path, of)
        else:
            message = f"a hard link to {brief(target)}, which is not an earlier file of it"
            self.refuse(entry, message)

    def _link_again(self, entry: str, path: str, of: str) -> None:
        target = self._targets[of]
        if not (self._limits.repeats and self._targets.get(path) == target):
            self._claim(entry, path, _LINK)
            self._targets[path] = target

    def _file_again(self, entry: str, path: str, of: str) -> None:
        file = self._files[of]
        if self._limits.repeats and (earlier := self._files.get(path)):
            self._repeat(entry, earlier, file)
            return
        self._claim(entry, path, _FILE)
        self._count_copy(entry, file.size, "hard links")
        self._files[path] = file
        self._into.copy(path, of)

    def count_holes(self, entry: str, size: int) -> None:
        """Count ``size`` zeros of a sparse file, which the archive does not hold.

        Raises:
            VerificationError: too many.
        """
        self._holes += size
        self._count_copy(entry, size, "sparse files")

    def _count_copy(self, entry: str, size: int, what: str) -> None:
        """A store copies the file: few bytes of an archive can ask for any number."""
        self._copied += size
        held = self._written - self._holes
        most = min(self._limits.total, max(RATIO_FLOOR, self._limits.ratio * held))
        if self._copied > most:
            self.refuse(entry, f"{what} with more than {most} bytes behind them")

    def finish(self) -> None:
        """Check where every symbolic link leads, then hand them to the sink.

        Raises:
            VerificationError: one leads out of the root, or nothing is left of the archive.
        """
        if self._stripped and len(self._kinds) == 1:
            first = "component" if self._strip == 1 else f"{self._strip} components"
            message = f"nothing is left of its {self._stripped} files without their first {first}"
            raise Malformed(message, where=self._name, hint="`strip: 0` keeps them whole")
        for path, target in self._targets.items():
            self._stays_inside(path, target)
        for path, target in self._targets.items():
            self._into.symlink(path, target)

    def _path(self, entry: str, *, of: str = "", is_directory: bool = False) -> str | None:
        """The path in normal form and stripped; None when nothing of it is left."""
        if not of:
            self._entries += 1
            if self._entries > self._limits.entries:
                self.refuse(entry, f"the archive has more than {self._limits.entries} entries")
        if problem := path_problem(entry):
            self.refuse(of or entry, problem)
        parts = entry.split("/")
        if "" in parts or "." in parts:
            parts = [part for part in parts if part not in {"", "."}]
        for part in parts if len(entry) > 63 else ():  # 63 characters have at most 252 bytes
            if len(part) > 63 and len(part.encode()) > MAX_NAME:
                self.refuse(of or entry, f"a name of more than {MAX_NAME} bytes")
        if ".." in parts:
            self.refuse(of or entry, "the path has '..' in it and could leave the root")
        if not (parts or is_directory):
            self.refuse(of or entry, "the path is the root's own, and it is no directory")
        parts = parts[self._strip :]
        self._stripped += not (parts or is_directory or of)
        return "/".join(parts) if parts else None

    def _claim(self, entry: str, path: str, kind: str) -> None:
        """Take ``path``, which must be free, and see that all above it are directories."""
        kinds = self._kinds
        if path in kinds:
            self.refuse(entry, f"a {kind}, where the archive has a {kinds[path]} already")
        kinds[path] = kind
        parent = path.rpartition("/")[0]
        while (above := kinds.get(parent)) is None:
            kinds[parent] = _DIRECTORY
            parent = parent.rpartition("/")[0]
        if above != _DIRECTORY:
            self.refuse(entry, f"{brief(parent)} above it is a {above}")

    def _may_link(self, entry: str) -> None:
        if self._allowed is Links.NONE:
            self.refuse(entry, "a link, where only files and directories may be")

    def _escapes(self, entry: str, target: str) -> NoReturn:
        self.refuse(entry, f"a symbolic link that leads out of the root, to {brief(target)}")

    def _stays_inside(self, path: str, target: str) -> None:
        """Refuse a target that can lead out of the root.

        What is above a link is a directory, never a link, so leading ``..`` mean what they
        say; the rest without ``..`` only goes down, through links that are checked
        themselves. Only a ``..`` after a name can start somewhere else than it seems.
        """
        parts = [part for part in target.split("/") if part not in {"", "."}]
        climbs = 0
        while climbs < len(parts) and parts[climbs] == "..":
            climbs += 1
        if climbs > (0 if target[0] == "/" else path.count("/")):
            self._escapes(path, target)
        if ".." in parts[climbs:]:
            self._walk(path, target)

    def _walk(self, path: str, target: str) -> None:
        """Follow a target as the kernel would, in the tree that the archive makes."""
        at = path.split("/")[:-1]
        ahead = _reversed_parts(target)
        at = [] if target[0] == "/" else at
        hops = 0
        while ahead:
            self._work += 1 + len(at)
            if self._work > _WORK_MAX:
                self.refuse(path, "symbolic links that are too tangled to follow")
            part = ahead.pop()
            if part == "..":
                if not at:
                    self._escapes(path, target)
                at.pop()
                continue
            at.append(part)
            onward = self._targets.get("/".join(at))
            if onward is None:
                continue
            hops += 1
            if hops > MAX_LINKS:
                return
            at = [] if onward[0] == "/" else at[:-1]
            ahead += _reversed_parts(onward)


def _reversed_parts(target: str) -> list[str]:
    return [part for part in reversed(target.split("/")) if part not in {"", "."}]
