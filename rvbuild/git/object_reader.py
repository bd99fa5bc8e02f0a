"""Objects of a repository by their names, out of `git cat-file`.

Knows: how ``cat-file --batch`` talks. Must not know: what is in an object.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from rvbuild.git.objects import DamagedObject
from rvbuild.git.process import Git, make_bare
from rvbuild.git.reader_process import ReaderProcess

CHUNK = 1 << 20
WINDOW = 512
"""Objects asked for at once: their names (up to 65 bytes each) fit a pipe: neither side waits."""


class Objects:
    """Reads objects by name out of an ``objects`` folder. Use as a context manager.

    Reading raises ``GitStopped`` where git was killed, and ``Interrupted`` after a cancellation.
    """

    def __init__(self, git: Git, objects: Path, like: str) -> None:
        self._git = git
        self._stack = contextlib.ExitStack()
        scratch = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rvbuild-git-"))
        )
        make_bare(scratch, like, objects)
        self._repository = scratch
        self._batch = self._start("--batch")

    def _start(self, mode: str) -> ReaderProcess:
        process = ReaderProcess(self._git, self._repository, "cat-file", mode, is_asked=True)
        self._stack.callback(process.close)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sizes(self, names: Sequence[str]) -> dict[str, int | None]:
        """The size of each object; None: it is not here."""
        check = self._start("--batch-check")
        sizes: dict[str, int | None] = {}
        for name, header in self._headers(check, names):
            sizes[name] = header[1] if header else None
        return sizes

    def _headers(
        self, process: ReaderProcess, names: Sequence[str]
    ) -> Iterator[tuple[str, tuple[str, int] | None]]:
        """Ask for each name, in windows; the caller reads the content after a header, if any."""
        for start in range(0, len(names), WINDOW):
            window = names[start : start + WINDOW]
            if not process.ask("".join(f"{name}\n" for name in window).encode()):
                raise _cut()
            for name in window:
                yield name, _header(process.output.readline(), name)

    def read(self, kind: str, names: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """Each object's whole content, unverified; None: it is not here."""
        for name, header in self._headers(self._batch, names):
            if header is None:
                yield name, None
                continue
            data = b"".join(self._content(header[1]))
            yield name, data if header[0] == kind else None

    def stream(self, names: Sequence[str]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """Each blob's size and unverified chunks, which must be taken before the next blob.

        Raises:
            VerificationError: one is missing, or is no blob.
        """
        for name, header in self._headers(self._batch, names):
            if header is None or header[0] != "blob":
                msg = f"the git repository lacks the blob {name}"
                raise DamagedObject(msg)
            yield name, header[1], self._content(header[1])

    def _content(self, size: int) -> Iterator[bytes]:
        output, remaining = self._batch.output, size
        while remaining:
            chunk = output.read(min(CHUNK, remaining))
            if not chunk:
                raise _cut()
            remaining -= len(chunk)
            if not remaining:
                output.read(1)  # the newline after the content
            yield chunk
        if size == 0:
            output.read(1)
            yield b""


def _header(line: bytes, name: str) -> tuple[str, int] | None:
    parts = line.split()
    if len(parts) == 3 and parts[0].decode() == name and parts[2].isdigit():
        return parts[1].decode(), int(parts[2])
    if line == f"{name} missing\n".encode():
        return None
    raise _cut()


def _cut() -> DamagedObject:
    return DamagedObject("git stopped while it read objects: the repository is damaged")
