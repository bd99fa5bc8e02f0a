"""Remembers that a build had nothing left to do, so that the next one can see it at once.

Knows: which files an answer depends on, by their stat data, as git's index and ninja do.
Must not know: recipes, locks, results' meaning. Imports nothing heavy: this *is* the path
of a build with nothing to do.

A memo holds the answer (the text on standard output) with every file and folder that it was
made from. It is used only if each is unchanged: device, inode, size, modification and change
time in nanoseconds. If a file changed after the program started, or so shortly before that its
times may not show it, what was read is not surely what is there: then no memo is written (git's
"racy" rule).

The program is one of these inputs: every file of the package, and every folder that other
packages are installed in. Its version says nothing of an editable installation.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rvbuild.app.trust import made_by_trusted
from rvbuild.app.workspace import PACKAGE
from rvbuild.files.replacement import replace_file
from rvbuild.stores.top import VERSION

_RACY_NS = 20_000_000
"""Coarser than any kernel's clock tick: two writes within it can carry the same time."""

_MOST_BYTES = 16 << 20
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # nothing that blocks


class Memo:
    """One remembered answer.

    Args:
        store: The store's folder.
        question: Whatever chooses the answer: targets, options, folders. The version of the
            store's format does, too: another one's answers are of results that are not used.
    """

    def __init__(self, store: str, question: list[str]) -> None:
        words = [*question, f"store={VERSION}", os.uname().machine, str(os.geteuid())]
        self._name = hashlib.sha256(json.dumps(words).encode()).hexdigest()
        self._folder = os.path.join(store, "memo")
        self._began = time.time_ns()  # before anything was read that the answer is made from
        self._program = _program()

    def recall(self) -> str | None:
        """The answer, if everything that it was made from is as it was."""
        try:
            memo = json.loads(self._read())
            if self._program is None or memo["program"] != self._program:
                return None
            for path, stamp in memo["inputs"]:
                if _stamp(path) != stamp:
                    return None
            for link, target in memo["links"]:
                if os.readlink(link) != target:
                    return None
            answer = memo["answer"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return answer if isinstance(answer, str) else None

    def _read(self) -> bytes:
        with self._opened() as folder:
            descriptor = os.open(self._name, _FLAGS, dir_fd=folder)
            with open(descriptor, "rb", buffering=0) as file:
                there = os.fstat(descriptor)
                if not stat.S_ISREG(there.st_mode) or not made_by_trusted(there, folder):
                    return b""
                return file.read(_MOST_BYTES)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The folder's descriptor. A link in its place leads out of the store."""
        descriptor = os.open(self._folder, _FLAGS | os.O_DIRECTORY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def keep(
        self,
        answer: str,
        inputs: list[str],
        links: list[tuple[str, str]],
        marks: list[str],
        is_right: Callable[[], bool] = lambda: True,
    ) -> None:
        """Remember ``answer``, unless an input may have changed since the program started.

        Args:
            answer: The text.
            inputs: Files and folders that it was made from.
            links: Symbolic links with what they must hold.
            marks: Files that the build made and that must stay as they are now.
            is_right: Whether these are what the build made, asked after a look at them.
        """
        stamps = [(path, _stamp(path)) for path in sorted(set(inputs))]
        if any(max(stamp[3:]) > self._began - _RACY_NS for _, stamp in stamps if stamp):
            return
        if self._program is None or _program() != self._program:
            return
        stamps += [(path, _stamp(path)) for path in marks]
        if not is_right():
            return
        memo = {"program": self._program, "inputs": stamps, "links": links, "answer": answer}
        with suppress(OSError):  # only a convenience: the next build looks for itself
            self._write(json.dumps(memo).encode())

    def _write(self, data: bytes) -> None:
        """Let the file appear whole."""
        with suppress(FileExistsError):
            os.mkdir(self._folder, 0o755)
        with self._opened() as folder:
            replace_file(self._name, data, at=folder, mode=0o644, durable=False)


def _program() -> str | None:
    """What tells the code that runs from any other; None: nothing does.

    That is the interpreter, and the stat data of each file of this package, of the folders that
    other packages are imported from, and of what an archive holds that it is imported from.
    """
    running = hashlib.sha256(f"{sys.version} {sys.executable}".encode())
    here = os.getcwd()
    try:
        for path in (*_code(PACKAGE), *(path for path in sys.path if path not in {"", here})):
            running.update(f"{path} {_stamp(path)}\n".encode(errors="surrogateescape"))
    except OSError:
        return None
    return running.hexdigest()


def _code(folder: str) -> Iterator[str]:
    """The files of a package. What the interpreter compiles of them is not code of its own."""
    if not os.path.isdir(folder):  # an archive
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry.path
            elif entry.name not in {"__pycache__", "_recipes"}:
                yield from _code(entry.path)


def _stamp(path: str) -> list[int] | None:
    try:
        there = os.stat(path)
    except OSError:
        return None
    return [there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns]
