"""What a tag or the beginning of a commit's name means in a repository, and that commit's files.

Knows: refs of a folder, `git archive` and `git ls-tree` run sealed. Must not know: how the
repository got here, what the files are for.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Self

from attrs import frozen

from rvbuild.git.objects import DamagedObject, TreeEntry, is_object_name
from rvbuild.git.process import Failed, Git, make_bare
from rvbuild.git.reader_process import ReaderProcess
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision

_LINE, _MAX_REFS, _MAX_LIST = 4096, 64 << 20, 256 << 20
_LISTED = re.compile(rb"(\d{6}) \w+ ([0-9a-f]{40,64})\t(.+)", re.DOTALL)
_ATTRIBUTES = "* -export-subst -export-ignore\n"


def ref_of(repository: Path, ref: str) -> str | None:
    """The object that a ref of a repository's folder names; None if there is no such ref.

    Files are read (gitrepository-layout): the repository's configuration takes no part.

    Args:
        repository: The folder of ``HEAD`` and ``refs``.
        ref: Its whole name, as ``refs/tags/v1.0.0``.

    Raises:
        Failed: nobody may read them, or no file can be called so.
    """
    try:
        return _loose_ref(repository / ref) or packed_refs(repository).get(ref)
    except OSError as error:
        msg = f"its refs cannot be read: {error.strerror or error}"
        raise Failed(msg) from error


def _loose_ref(file: Path) -> str | None:
    if not file.is_file():
        return None
    with file.open("rb") as opened:
        name = opened.read(_LINE).decode(errors="replace").strip()
    return name if is_object_name(name) else None


def packed_refs(repository: Path) -> dict[str, str]:
    """The object that each packed ref of a repository's folder names, by the ref's whole name.

    Raises:
        OSError: nobody may read them.
    """
    file = repository / "packed-refs"
    if not file.is_file() or file.stat().st_size > _MAX_REFS:
        return {}
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.partition(" ") for line in lines)
    return {ref: name for name, _, ref in pairs if is_object_name(name)}


@frozen
class CommitReader:
    """Reads commits out of a folder of git objects, by git itself, without any configuration.

    Content is what git would check out: ``.gitattributes`` of the commit hold (ends of lines), but
    for ``export-ignore`` and ``export-subst``. Objects are not hashed again: whoever knows what the
    content must be compares. Use `opened`.
    """

    git: Git
    folder: Path
    refs: Path

    @classmethod
    @contextmanager
    def opened(cls, git: Git, repository: Repository, revision: Revision) -> Iterator[Self]:
        """For a repository, of which a revision is to be read.

        The name of a tag's commit says which form names have there. The beginning of a commit's
        name does not, so the first form by which it is found is taken.

        Raises:
            Failed: the repository's refs cannot be read.
        """
        named = ref_of(repository.folder, revision.ref) if revision.tag else None
        *others, last = (named,) if named else revision.likes
        with ExitStack() as stack:
            for like in others:
                reader = stack.enter_context(cls._like(git, repository, like))
                if reader.knows(revision):
                    yield reader
                    return
            yield stack.enter_context(cls._like(git, repository, last))

    @classmethod
    @contextmanager
    def _like(cls, git: Git, repository: Repository, like: str) -> Iterator[Self]:
        """One that takes the repository's objects for those of a form of names."""
        with tempfile.TemporaryDirectory(prefix="rvbuild-git-") as scratch:
            make_bare(Path(scratch), like, repository.objects)
            info = Path(scratch, "info")
            info.mkdir()
            (info / "attributes").write_text(_ATTRIBUTES, encoding="utf-8")
            yield cls(git, Path(scratch), repository.folder)

    def knows(self, revision: Revision) -> bool:
        """Whether it has the revision's commit; see `commit`."""
        try:
            self.commit(revision)
        except Failed:
            return False
        return True

    def commit(self, revision: Revision) -> str:
        """The whole name of a revision's commit.

        Raises:
            Failed: there is none, or more than one.
        """
        name = revision.commit
        if revision.tag:
            name = ref_of(self.refs, revision.ref) or ""
            if not name:
                msg = f"it has no tag {revision.tag}"
                raise Failed(msg)
        try:
            text = self._output(_MAX_REFS, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except Failed as error:
            msg = f"its tag {revision.tag} names no commit that it has"
            raise (Failed(msg) if revision.tag else error) from error
        return text.decode().strip()

    def date(self, commit: str) -> int:
        """The committer's time, in Unix seconds."""
        return int(
            self._output(
                _MAX_REFS, "show", "--no-patch", "--no-show-signature", "--format=%ct", commit
            )
        )

    def files(self, commit: str, paths: Sequence[str]) -> list[TreeEntry]:
        """Every file, link and submodule at or below ``paths``, by its whole path.

        Raises:
            Failed: a folder is not there, or there are more files than anybody has.
            VerificationError: git lists what is no file.
        """
        listed = self._output(_MAX_LIST, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
        return [_listed(line) for line in listed.split(b"\0")[:-1]]

    def blob(self, name: str, limit: int) -> bytes:
        """The content of a small file, as it was committed.

        Raises:
            Failed: it is not there, or has more bytes than the limit.
        """
        return self._output(limit, "cat-file", "blob", name)

    @contextmanager
    def archive(self, commit: str, paths: Sequence[str]) -> Iterator[IO[bytes]]:
        """A tar of the files at or below ``paths``, as it comes.

        Raises:
            Failed: git could not make all of it.
        """
        settings = ("-c", "core.autocrlf=input", "-c", "core.eol=lf")
        arguments = (*settings, "archive", "--format=tar", commit, "--", *paths)
        with self._running(arguments, f"it does not have all files of the commit {commit}") as tar:
            yield tar
            tar.read()

    def _output(self, limit: int, *arguments: str) -> bytes:
        command = f"git {arguments[0]}"
        failure = f"{command} found nothing: the revision, or a part of it, is not there"
        with self._running(arguments, failure) as stdout:
            output = stdout.read(limit + 1)
            if len(output) > limit:
                msg = f"{command} gave more than {limit} bytes"
                raise Failed(msg)
        return output

    @contextmanager
    def _running(self, arguments: Sequence[str], failure: str) -> Iterator[IO[bytes]]:
        """What git writes, which is to be read to the end.

        Raises:
            Failed: git fails; with the text ``failure``.
            GitStopped: it was killed.
        """
        process = ReaderProcess(self.git, self.folder, *arguments)
        try:
            yield process.output
            if process.code():
                raise Failed(failure)
        finally:
            process.close()


def _listed(line: bytes) -> TreeEntry:
    """One line of `git ls-tree`."""
    found = _LISTED.fullmatch(line)
    if found is None:
        msg = f"git ls-tree lists what is no file: {line!r}"
        raise DamagedObject(msg)
    mode, name, path = found.groups()
    return TreeEntry(mode.decode(), path.decode(errors="surrogateescape"), name.decode())
