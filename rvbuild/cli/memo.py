"""Remembers that a build had nothing left to do, so that the next one can see it at once.

Knows: which files an answer depends on, by their stat data, as git's index and ninja do.
Must not know: recipes, locks, results' meaning. Imports nothing heavy: this *is* the path
of a build with nothing to do.

A memo holds the answer (the text on standard output) with every file and folder that it was
made from. It is used only if each is unchanged: device, inode, size, modification and change
time in nanoseconds. If a file changed after the program started, or so shortly before that its
times may not show it, what was read is not surely what is there: then no memo is written (git's
"racy" rule).
"""

from __future__ import annotations

import hashlib
import json
import os
import time

from rvbuild import __version__
from rvbuild.files.folder import NOTHING, kind_at, open_file, open_folder

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_RACY_NS = 20_000_000
"""Coarser than any kernel's clock tick: two writes within it can carry the same time."""


class Memo:
    """One remembered answer.

    Args:
        store: The store's folder.
        question: Whatever chooses the answer: targets, options, folders.
    """

    def __init__(self, store: str, question: list[str]) -> None:
        name = hashlib.sha256(json.dumps([__version__, *question]).encode()).hexdigest()
        self._store = store
        self._name = name
        self._began = time.time_ns()  # before anything was read that the answer is made from

    def recall(self) -> str | None:
        """The answer, if everything that it was made from is as it was."""
        try:
            memo = json.loads(self._read())
            for path, stamp in memo["inputs"]:
                if _stamp(path) != stamp:
                    return None
            for link, target in memo["links"]:
                if os.readlink(link) != target:
                    return None
            answer: str = memo["answer"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return answer

    def keep(
        self, answer: str, inputs: list[str], links: list[tuple[str, str]], marks: list[str]
    ) -> None:
        """Remember ``answer``, unless an input may have changed since the program started.

        Args:
            answer: The text.
            inputs: Files and folders that it was made from.
            links: Symbolic links with what they must hold.
            marks: Files that the build made and that must stay as they are now.
        """
        stamps = [(path, _stamp(path)) for path in sorted(set(inputs))]
        if any(max(stamp[3:]) > self._began - _RACY_NS for _, stamp in stamps if stamp):
            return
        stamps += [(path, _stamp(path)) for path in marks]
        data = json.dumps({"inputs": stamps, "links": links, "answer": answer})
        try:
            self._write(data.encode())
        except OSError:  # only a convenience: the next build looks for itself
            return

    def _read(self) -> bytes:
        """The memo, if it is a file of the store: nothing else is opened, no link is followed."""
        folder = _open(self._store, "memo")
        try:
            memo = open_file(self._name, folder)
        finally:
            os.close(folder)
        with open(memo, "rb") as file:
            return file.read()

    def _write(self, data: bytes) -> None:
        """Takes shape in ``tmp``, which gc empties: a killed run leaves nothing for ever."""
        spare = os.urandom(12).hex()
        tmp = _open(self._store, "tmp")
        try:
            folder = _open(self._store, "memo", make=True)
            try:
                with open(os.open(spare, _NEW, 0o644, dir_fd=tmp), "wb") as file:
                    file.write(data)
                os.replace(spare, self._name, src_dir_fd=tmp, dst_dir_fd=folder)
            finally:
                os.close(folder)
        finally:
            os.close(tmp)


def _open(store: str, name: str, *, make: bool = False) -> int:
    top = open_folder(store)
    try:
        if make and kind_at(name, top) == NOTHING:
            os.mkdir(name, dir_fd=top)
        return open_folder(name, top)
    finally:
        os.close(top)


def _stamp(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
