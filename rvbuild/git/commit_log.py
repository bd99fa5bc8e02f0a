"""The commits between two, out of a repository that has all of them.

Knows: how git lists commits and the files that each touches. Must not know: which of them matter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from rvbuild.core.errors import Malformed
from rvbuild.core.moment import known_moment
from rvbuild.core.upstream_log import UpstreamCommit
from rvbuild.git.process import Failed, Git, make_bare
from rvbuild.git.reader_process import ReaderProcess
from rvbuild.git.repository import Repository

_MOST = 256 << 20
_LOG = (
    "log",
    "-z",
    "--raw",
    "--no-renames",
    "-c",
    "--no-show-signature",
    "--left-right",
    "--format=%m %H %ct %s",
)


def read_log(git: Git, repository: Repository, old: str, new: str) -> tuple[UpstreamCommit, ...]:
    """The commits that only one of two has, the newest first, with all files that each touches.

    Args:
        git: The user's.
        repository: Where they are; files' contents are not needed.
        old: The whole name of the former commit.
        new: That of the commit now.

    Raises:
        Failed: it lacks one of them, or one between.
        GitStopped: git was killed.
    """
    with tempfile.TemporaryDirectory(prefix="rvbuild-git-") as scratch:
        folder = Path(scratch)
        make_bare(folder, new, repository.objects)
        process = ReaderProcess(git, folder, *_LOG, f"{old}...{new}", "--")
        try:
            output = process.output.read(_MOST + 1)
            if len(output) > _MOST:
                msg = f"git log gave more than {_MOST} bytes"
                raise Failed(msg)
            if process.code():
                msg = f"it does not have all commits between {old[:12]} and {new[:12]}"
                raise Failed(msg)
        finally:
            process.close()
    return tuple(_commits(output.decode(errors="replace").split("\0")))


def _commits(words: list[str]) -> Iterator[UpstreamCommit]:
    """Read ``HEADER [RAW PATH]…`` for each commit; a raw record begins with a colon."""
    header, files = "", list[str]()
    rest = iter(words)
    for word in rest:
        text = word.removeprefix("\n")
        if text.startswith(":"):
            files.append(next(rest, ""))
        elif text:
            if header:
                yield _commit(header, files)
            header, files = text, []
    if header:
        yield _commit(header, files)


def _commit(header: str, files: list[str]) -> UpstreamCommit:
    try:
        mark, name, date, subject = header.split(" ", 3)
        time = int(date)
    except ValueError as error:
        msg = f"git log lists what is no commit: {header!r}"
        raise Malformed(msg) from error
    return UpstreamCommit(
        commit=name,
        date=known_moment(time),
        subject=subject,
        files=tuple(files),
        is_gone=mark == "<",
    )
