"""The tags of an upstream, and its default branch: out of a repository here, or by a server's word.

Knows: refs of folders, `git ls-remote` and `git for-each-ref`. Must not know: what a tag's name
says, who asks.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from rvbuild.core.moment import known_moment
from rvbuild.core.source import LAST_DATE
from rvbuild.git.commit_reader import packed_refs
from rvbuild.git.objects import is_object_name
from rvbuild.git.process import Failed, Git, Refused, make_bare
from rvbuild.git.reader_process import ReaderProcess
from rvbuild.git.repositories import Repositories
from rvbuild.git.repository import Repository
from rvbuild.git.revision import Revision
from rvbuild.git.search import Search
from rvbuild.transfers.fetch_settings import OFFLINE_ASK_HINT

_TAGS, _HEADS, _SYMBOLIC = "refs/tags/", "refs/heads/", "ref: "
_LINE, _MOST = 4096, 64 << 20
_EVERY_TAG = Revision()
_FORMAT = (
    "--format=%(refname) %(objectname) %(*objectname) %(creatordate:unix) "
    "%(committerdate:unix)%(*committerdate:unix)"
)
_NO_FILES = ("--depth=1", "--filter=tree:0")


@frozen(kw_only=True)
class UpstreamRefs:
    """What a repository has.

    Attributes:
        address: Where it was asked.
        tags: The commit of each tag, by the tag's name; without those whose commit has a date that
            no lock can hold, if the repository is on this machine.
        branch: The default branch's name; empty if nobody says which it is.
        head: That branch's commit; empty likewise.
        moments: When each tag was made, in Unix seconds, if the repository is on this machine.
        objects: Its folder of objects, if it is.
    """

    address: str
    tags: Mapping[str, str]
    branch: str = ""
    head: str = ""
    moments: Mapping[str, int] = field(factory=dict)
    objects: Path | None = None


@frozen
class RefReader:
    """Asks repositories what they have. A repository of this machine is asked before any server."""

    settings: Repositories

    def refs(self, url: str) -> UpstreamRefs:
        """The tags of the repository at an address.

        Raises:
            RecipeError: the address is none that git may be given.
            SourceError: nobody says it.
        """
        search = Search(self.settings, url, _EVERY_TAG, OFFLINE_ASK_HINT)
        refs = search.first(search.here(), lambda found: _refs_here(search.need_git(), found))
        if refs is not None:
            return refs
        search.refuse_offline()
        self.settings.refuse_no_repository(url)
        for address in search.remote_addresses():
            try:
                return self._asked(search.need_git(), address)
            except (Failed, Refused) as error:
                search.note(address, error)
        msg = "its tags could not be had from any repository"
        raise search.error(msg)

    def _asked(self, git: Git, address: str) -> UpstreamRefs:
        return self.settings.ask(git, address, lambda: _refs_there(git, address))

    def moments(self, refs: UpstreamRefs, tags: Sequence[str]) -> Mapping[str, int]:
        """When tags were made, in Unix seconds, without those of which nobody knows it.

        A server is asked for all of them once, for their commits without any file.
        """
        git = self.settings.git()
        if refs.objects is not None or git is None:
            return {tag: refs.moments[tag] for tag in tags if tag in refs.moments}
        try:
            return self.settings.ask(git, refs.address, lambda: _moments_there(git, refs, tags))
        except (Failed, Refused):
            return {}

    def commits_behind(self, refs: UpstreamRefs, commit: str) -> int | None:
        """How many commits the default branch has that a commit has not; None if nobody here knows.

        Args:
            refs: Of the repository.
            commit: A whole name.
        """
        git = self.settings.git()
        if refs.objects is None or git is None or not refs.head or not is_object_name(commit):
            return None
        try:
            with _scratch(commit, refs.objects) as folder:
                text = _output(git, folder, "rev-list", "--count", f"{commit}..{refs.head}", "--")
        except Failed:
            return None
        return int(text)


def _refs_there(git: Git, address: str) -> UpstreamRefs:
    """A server's word, in one request."""
    tags, names, branch = dict[str, str](), dict[str, str](), ""
    for line in git.list_refs(address, "HEAD", f"{_TAGS}*").splitlines():
        name, _, ref = line.partition("\t")
        if name.startswith(_SYMBOLIC):
            branch = name.removeprefix(_SYMBOLIC).removeprefix(_HEADS)
        elif is_object_name(name):
            names[ref] = name
    for ref, name in names.items():
        if ref.startswith(_TAGS) and not ref.endswith("^{}"):
            tags[ref.removeprefix(_TAGS)] = names.get(f"{ref}^{{}}", name)
    return UpstreamRefs(address=address, tags=tags, branch=branch, head=names.get("HEAD", ""))


def _refs_here(git: Git, repository: Repository) -> UpstreamRefs:
    """What a folder has: its refs are read as files, and what they name by a sealed git."""
    try:
        refs = {**packed_refs(repository.folder), **dict(_loose_refs(repository.folder))}
        head = _line(repository.folder / "HEAD")
    except OSError as error:
        msg = f"its refs cannot be read: {error.strerror or error}"
        raise Failed(msg) from error
    ref = head.removeprefix(_SYMBOLIC)
    tags = {name: made for name, made in refs.items() if name.startswith(_TAGS)}
    commits, moments = _looked_up(git, repository.objects, tags)
    return UpstreamRefs(
        address=repository.address,
        tags=commits,
        branch=ref.removeprefix(_HEADS) if ref.startswith(_HEADS) else "",
        head=refs.get(ref, ""),
        moments=moments,
        objects=repository.objects,
    )


def _loose_refs(folder: Path) -> Iterator[tuple[str, str]]:
    for at, _, files in os.walk(folder / "refs"):
        for file in files:
            path = Path(at, file)
            name = _line(path)
            if is_object_name(name):
                yield path.relative_to(folder).as_posix(), name


def _line(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_LINE).decode(errors="replace").strip()


def _moments_there(git: Git, refs: UpstreamRefs, tags: Sequence[str]) -> Mapping[str, int]:
    like = next(iter(refs.tags.values()))
    with _scratch(like) as folder:
        names = [f"+{_TAGS}{tag}:{_TAGS}{tag}" for tag in tags]
        git.fetch(folder, refs.address, names, *_NO_FILES, tell=lambda _: None)
        return _described(git, folder)[1]


def _looked_up(
    git: Git, objects: Path, tags: Mapping[str, str]
) -> tuple[Mapping[str, str], Mapping[str, int]]:
    """The commits and the times of tags that a folder of objects has."""
    if not tags:
        return {}, {}
    with _scratch(next(iter(tags.values())), objects) as folder:
        lines = (f"{name} {ref}\n" for ref, name in sorted(tags.items()))
        (folder / "packed-refs").write_text("".join(lines), encoding="utf-8")
        return _described(git, folder)


def _described(git: Git, folder: Path) -> tuple[Mapping[str, str], Mapping[str, int]]:
    commits, moments = dict[str, str](), dict[str, int]()
    for line in _output(git, folder, "for-each-ref", _FORMAT, _TAGS).splitlines():
        ref, name, peeled, moment, date = line.split(" ")
        if date and not _is_date(date):
            continue
        tag = ref.removeprefix(_TAGS)
        commits[tag] = peeled or name
        known = known_moment(int(moment)) if moment.isdecimal() else None
        if known is not None:
            moments[tag] = known
    return commits, moments


def _is_date(text: str) -> bool:
    """Whether a lock can hold the date of a commit."""
    return text.isascii() and text.isdecimal() and int(text) <= LAST_DATE


@contextmanager
def _scratch(like: str, objects: Path | None = None) -> Iterator[Path]:
    """A bare repository for a moment, without anybody's configuration."""
    with tempfile.TemporaryDirectory(prefix="rvbuild-git-") as scratch:
        make_bare(Path(scratch), like, objects)
        yield Path(scratch)


def _output(git: Git, folder: Path, *arguments: str) -> str:
    process = ReaderProcess(git, folder, *arguments)
    try:
        output = process.output.read(_MOST + 1)
        if len(output) > _MOST or process.code():
            msg = f"git {arguments[0]} failed: a part of what its refs name is not there"
            raise Failed(msg)
    finally:
        process.close()
    return output.decode(errors="replace")
