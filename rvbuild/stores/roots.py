"""Roots: what people still hold, so that garbage collection keeps it.

Knows: root files, and whether a result link still leads into the store.
Must not know: what a root reaches.
"""

from __future__ import annotations

import errno
import hashlib
import os
from contextlib import suppress

from attrs import asdict, frozen

from rvbuild.core.envelope import Body, kept, seal, unseal
from rvbuild.core.errors import Damaged, NewerRecord, StoreError, VerificationError
from rvbuild.core.paths import check_name
from rvbuild.core.ports.roots import Root
from rvbuild.stores.layout import REPAIR, Layout, guarded
from rvbuild.stores.records import put_record, read_or_none, read_record
from rvbuild.stores.top import RESULT

KIND, VERSION = "root", 1

_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


@frozen(kw_only=True)
class Unseen:
    """The root at ``path`` whose ``link`` nobody could look at, and why."""

    path: str
    link: str
    problem: str


@frozen(kw_only=True)
class Roots:
    """Roots by what became of their links; ``alive`` and ``unseen`` ones live.

    Attributes:
        alive: Those whose link leads into the store, each with its path.
        unseen: Those whose link may do so, each with its path.
        problems: Why nobody could look at each of the latter.
        dead: The paths of the others.
    """

    alive: tuple[tuple[str, Root], ...]
    unseen: tuple[tuple[str, Root], ...]
    problems: tuple[Unseen, ...]
    dead: tuple[str, ...]


class LocalRoots:
    """The roots of the store at ``layout``; ``core.ports.Roots``.

    One file a link, so that several projects can hold the same name in one store.
    """

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self._layout = layout
        self._durable = durable

    def add_root(self, name: str, derivation: str, link: str) -> None:
        """Keep what ``link`` (made absolute) shows, for as long as it leads into the store.

        Raises:
            VerificationError: ``name`` cannot be a file name.
            StoreError: the root could not be written.
        """
        link = os.path.abspath(link)
        file = root_file(name, link)
        check_name(file)
        path = f"{self._layout.roots}/{file}"
        with guarded(path):
            old = read_or_none(self._layout, path) or b""
            data = _encode(Root(name=name, derivation=derivation, link=link), old)
            if old != data:
                put_record(self._layout, path, data, durable=self._durable)

    def roots(self) -> tuple[Root, ...]:
        """Every root, dead ones too, sorted by file name.

        Raises:
            StoreError: a root could not be read, or is damaged.
        """
        return tuple(root for _, root in self._files())

    def by_link(self) -> Roots:
        """The roots by whether their link leads into the store.

        Raises:
            StoreError: a root could not be read, or is damaged.
        """
        alive, unseen, problems, dead = [], [], [], []
        for path, root in self._files():
            shown = (self._layout.views, self._layout.trees)  # the latter by former versions
            try:
                if any(names_in(root.link, folder) for folder in shown):
                    alive.append((path, root))
                else:
                    dead.append(path)
            except OSError as error:
                unseen.append((path, root))
                problem = error.strerror or str(error)
                problems.append(Unseen(path=path, link=root.link, problem=problem))
        return Roots(
            alive=tuple(alive), unseen=tuple(unseen), problems=tuple(problems), dead=tuple(dead)
        )

    def _files(self) -> list[tuple[str, Root]]:
        folder = self._layout.roots
        with guarded(folder, "read"), self._layout.folder(folder) as at:
            paths = [f"{folder}/{name}" for name in sorted(os.listdir(at))]
        return [(path, read_root(self._layout, path)) for path in paths]


def root_file(name: str, link: str) -> str:
    """The file name of a root."""
    return f"{name}-{hashlib.sha256(link.encode()).hexdigest()[:16]}"


def root_name(layout: Layout, path: str) -> str:
    """What a root's file says in its own name that it keeps; "" if ``path`` is none of it."""
    folder, file = os.path.split(path)
    return file[:-17] if folder == layout.roots else ""


def read_root(layout: Layout, path: str) -> Root:
    """The root at ``path``, which carries its own name.

    Raises:
        StoreError: it could not be read, is damaged, or only a newer rvbuild reads it.
    """
    with guarded(path, "read"):
        data = read_record(layout, path)
    try:
        return decode_root(data, os.path.basename(path))
    except NewerRecord as error:
        error.where = path
        raise
    except VerificationError as error:
        raise StoreError(error.message, where=path, hint=REPAIR) from error


def _encode(root: Root, old: bytes) -> bytes:
    """The record of a root; what the ``old`` one has more in it stays."""
    before: Body = {}
    with suppress(VerificationError, NewerRecord):
        before = unseal(old, KIND, VERSION)
    return seal(KIND, VERSION, kept(before, asdict(root)))


def decode_root(data: bytes, file: str) -> Root:
    """Read a root file, which carries the name of its own ``file``.

    Raises:
        VerificationError: it is no such thing.
        NewerRecord: its version is newer.
    """
    body = unseal(data, KIND, VERSION)
    facts = {name: body.get(name) for name in ("name", "derivation", "link")}
    if not all(isinstance(fact, str) for fact in facts.values()):
        msg = "not a root: a name, a derivation and a link are texts"
        raise Damaged(msg)
    root = Root(**facts)  # type: ignore[arg-type]
    if file != root_file(root.name, root.link):
        msg = "a root of another name or link"
        raise Damaged(msg)
    return root


def names_in(link: str, folder: str) -> set[str]:
    """The names, two levels below ``folder``, of what a symlink leads to or into.

    Of a folder, those of each symlink in it. ``folder`` is one of a store's own.

    Raises:
        OSError: nobody can tell: the way there may not be looked at, or is not there now, as
            that of a disk that is not mounted or of another container.
    """
    try:
        target = os.path.join(os.path.dirname(link), os.readlink(link))
    except OSError as error:
        if error.errno == errno.EINVAL:
            return _names_of_links(link, folder)
        _refuse_unless_gone(error, link)
        return set()
    try:
        path = os.path.realpath(target, strict=True)
    except OSError as error:
        path = os.path.realpath(target)
        if not _is_in(path, os.path.dirname(folder)):  # the store is there: it is gone
            _refuse_unless_gone(error, path)
        return set()
    name = _name_in(path, folder)
    return {name} if name else set()


def _names_of_links(path: str, folder: str) -> set[str]:
    try:
        with os.scandir(path) as entries:
            links = [entry.path for entry in entries if entry.is_symlink()]
    except NotADirectoryError:
        return set()
    return set().union(*(names_in(each, folder) for each in links))


def _refuse_unless_gone(error: OSError, path: str) -> None:
    """Raise unless ``path`` is gone: the folder that it was in is there, with something in it.

    An empty folder may be where a disk is mounted at other times. `RESULT` may go with its links:
    then the folder that it was in counts.
    """
    if error.errno not in _GONE:
        raise error
    folder = os.path.dirname(path)
    if os.path.basename(folder) == RESULT and not os.path.lexists(folder):
        folder = os.path.dirname(folder)
    try:
        with os.scandir(folder) as entries:
            if next(entries, None) is None:
                raise OSError(errno.ENOENT, "the folder that it was in is empty", path)
    except NotADirectoryError:
        return


def _is_in(path: str, top: str) -> bool:
    """Whether ``path``, of which not all is there, is below the folder ``top``."""
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        with suppress(OSError):  # it is not there
            if os.path.samefile(path, top):
                return True
    return False


def _name_in(path: str, folder: str) -> str | None:
    """The part of ``path`` that is two levels below ``folder``, also by another path of it.

    A container sees the store of its host elsewhere: the texts of paths say nothing.
    """
    name, shard = path, os.path.dirname(path)
    while shard != os.path.dirname(shard):
        above = os.path.dirname(shard)
        try:
            if os.path.samefile(above, folder):
                return os.path.basename(name)
        except FileNotFoundError:  # the store has no such folder
            return None
        name, shard = shard, above
    return None
