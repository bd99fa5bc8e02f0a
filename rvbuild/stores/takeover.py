"""Takes over the sources that another store has: every byte is hashed on its way.

Knows: that nothing counts which is not what its name says. Must not know: which sources are wanted.

The rules:

1. A source is taken over whole or not at all. Example: one flipped byte in one file of a tree of
   ten thousand: the source is left out, by name; all others come over.
2. The other store is only read; it may be of an earlier version, and where nobody may write.
   Files come as copies (reflinks where the file system can), never as hard links.
3. What this store has already is not read again.
4. A source is registered before its end is told: an import that is killed has what it told of, and
   the next one goes on from there.
5. A source whose files another source lists (go.mod files: a go.sum) comes after that one: version
   1 had such a list in the key.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from attrs import evolve, frozen

from rvbuild.core.derivation import Fetch
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Damaged, VerificationError
from rvbuild.core.events import Finished, Phase, Planned, Reporter, Started
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import DirectoryNode, File, Symlink, Tree, file_at
from rvbuild.stores.former_store import FormerStore
from rvbuild.stores.layout import store_error
from rvbuild.stores.local import LocalStore
from rvbuild.stores.writer import LocalWriter

_AT_ONCE = 8
"""More than cores: commits that wait for the disk at the same moment share the wait."""

_OUR_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}


@frozen(kw_only=True)
class LeftOut:
    """A source that the other store names, and has not as it must be."""

    label: str
    path: str
    problem: str


@frozen(kw_only=True)
class TakenOver:
    """What came of it.

    Attributes:
        taken: How many sources were taken over.
        size: Bytes that their files hold.
        present: How many this store had.
        absent: How many the other store does not have.
        left_out: The others.
    """

    taken: int
    size: int
    present: int
    absent: int
    left_out: tuple[LeftOut, ...]


def take_over(
    store: LocalStore, former: FormerStore, wanted: Iterable[Fetch], report: Reporter
) -> TakenOver:
    """Register each source of ``wanted`` that ``former`` has.

    ``report`` takes the events of one fetch for each source, which ends ``imported``,
    ``present``, ``absent`` or ``failed``.

    Raises:
        StoreError: the store could not be written.
    """
    fetches = list(wanted)
    plain = [fetch for fetch in fetches if fetch.by is None]
    listed = [fetch for fetch in fetches if fetch.by is not None]
    report(Planned({Phase.FETCH: len(fetches)}, kept=0))
    take = partial(_take_telling, store, former, report)
    with store.locks.shared(), ThreadPoolExecutor(_AT_ONCE) as pool:
        done = list(pool.map(take, plain))
        done += pool.map(take, listed)
    taken = [each for each in done if isinstance(each, Realisation)]
    return TakenOver(
        taken=len(taken),
        size=sum(each.size for each in taken),
        present=done.count("present"),
        absent=done.count("absent"),
        left_out=tuple(each for each in done if isinstance(each, LeftOut)),
    )


_Result = Realisation | LeftOut | str
"""What became of a source: taken over, left out, or ``present`` here or ``absent`` there."""


def _with_files(store: LocalStore, fetch: Fetch) -> Fetch:
    """The fetch whose source has the files that it is fetched by, if those are here."""
    place, source = fetch.by, fetch.source
    lister = store.realisations.realisation(place.derivation) if place else None
    if place is None or lister is None:
        return fetch
    tree = store.trees.tree(lister.output).nested()

    def read(path: str) -> bytes | None:
        file = file_at(tree, path)
        return None if file is None else store.cas.read(file.digest)

    return evolve(fetch, source=source.with_files(read, place.path))


def _take_telling(
    store: LocalStore, former: FormerStore, report: Reporter, fetch: Fetch
) -> _Result:
    began, how, size = time.monotonic(), "failed", 0
    report(Started(fetch.label, Phase.FETCH, "another store may have it"))
    try:
        done = _take(store, former, fetch)
        if isinstance(done, Realisation):
            how, size = "imported", done.size
        elif isinstance(done, str):
            how = done
        return done
    finally:
        report(Finished(fetch.label, Phase.FETCH, how, time.monotonic() - began, size))


def _take(store: LocalStore, former: FormerStore, fetch: Fetch) -> _Result:
    found = store.realisations.realisation(fetch.digest)
    if found is not None and store.trees.has_tree(found.output):
        return "present"
    try:
        root = former.output(_with_files(store, fetch))
        if root is None:
            return "absent"
        extent = _copy(store, former, root).extent()
    except VerificationError as error:
        return LeftOut(label=fetch.label, path=str(error.where or ""), problem=error.message)
    except OSError as error:
        if error.errno in _OUR_DISK:
            raise store_error(error, store.layout.root) from error
        problem = error.strerror or str(error)
        return LeftOut(label=fetch.label, path=str(error.filename or ""), problem=problem)
    made = Realisation(key=fetch.key, output=root, size=extent.size, files=extent.files)
    store.cas.write(fetch.encode())
    store.realisations.register(made)
    return made


def _copy(store: LocalStore, former: FormerStore, root: Digest) -> Tree:
    tree = former.tree(root)  # also of one that is here: a root is its size, too
    if store.trees.has_tree(root):
        return tree
    with store.trees.new_tree() as writer:
        _write(former, tree, writer)
        return writer.commit()


def _write(former: FormerStore, tree: Tree, writer: LocalWriter) -> None:
    stack = [("", tree.root)]
    while stack:
        above, digest = stack.pop()
        writer.directory(above)
        for name, node in tree.directories[digest].entries.items():
            path = f"{above}/{name}" if above else name
            if isinstance(node, DirectoryNode):
                stack.append((path, node.digest))
            elif isinstance(node, Symlink):
                writer.symlink(path, node.target)
            else:
                _write_file(former, node, writer, path)


def _write_file(former: FormerStore, file: File, writer: LocalWriter, path: str) -> None:
    with former.opened(file) as fd:
        found = writer.take(path, fd, lambda _size: None, file.executable)
    if found != file:
        msg = f"{path} is not what its name in the store says"
        raise Damaged(msg, where=former.path(file))
