"""Modules made from their git repositories: what ``direct`` in GOPROXY means.

Knows: which repository a module's path names, which commit a version is (cmd/go/internal/modfetch,
coderepo), its ``h1:``. Must not know: how a repository gets here, where in a commit a module is.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import BinaryIO

from attrs import define, field

from rvbuild.core.advice import advise, joined
from rvbuild.core.errors import SourceError, WrongContent
from rvbuild.core.gosum import hash1, hash1_go_mod
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.git.object_check import check_objects
from rvbuild.git.process import Failed
from rvbuild.git.repositories import Repositories
from rvbuild.git.repository import Repository
from rvbuild.git.search import Search
from rvbuild.git.upstream_refs import RefReader
from rvbuild.kinds.go.checkout import Checkout, checkout
from rvbuild.kinds.go.commit_module import MAX_ZIP, CommitModule, NoModule, module_in
from rvbuild.kinds.go.import_root import (
    PROXY_VCS,
    ImportRoot,
    mirror_advice,
    root_by_host,
    root_by_mirror,
    root_by_page,
)
from rvbuild.kinds.go.module_path import ModulePath, ModuleRevision
from rvbuild.kinds.go.pinned_hash import check_h1_of
from rvbuild.kinds.go.repository_versions import RepositoryVersions
from rvbuild.transfers.attempts import Attempts


@define
class Direct:
    """Makes go.mod files and zips of modules.

    Rules:

    1. The path says which repository it is (`root_by_host`), or a mirror of ``https://PREFIX`` is a
       repository, here or elsewhere: then that is the one of the paths below ``PREFIX``. Else the
       path's page says it (`root_by_page`).
    2. A version is the tag of that name (``FOLDER/v1.2.3`` for a module below the root, and
       without ``+incompatible``), or for a pseudo-version the commit, whose time must be the one
       that it says.
    3. The module is in the folder that its path says, or in ``v2`` below it: in the one whose
       go.mod declares that major version. It has no go.mod only at the root, and only without a
       major version in its path; then one with its path alone is made.
    4. See `module_files` for what belongs to it. A module below the root that has no licence gets
       the root's.

    Example: ``github.com/moby/sys/user v0.3.0`` is the folder ``user`` of the tag ``user/v0.3.0``.

    Attributes:
        repositories: Where commits are looked for.
        page: Returns what is at an address, see `root_by_page`.
        versions: Lists the versions that modules have.
    """

    repositories: Repositories
    page: Callable[[str], bytes]
    versions: RepositoryVersions = field(init=False)
    _roots: dict[str, ImportRoot] = field(factory=dict, init=False)

    @versions.default
    def _versions(self) -> RepositoryVersions:
        return RepositoryVersions(RefReader(self.repositories), self._root)

    def proxy_of(self, path: str) -> str:
        """The module proxy that the path's page names instead of a repository; empty if none."""
        root = self._root(path)
        return root.url.rstrip("/") if root.vcs == PROXY_VCS else ""

    def go_mod(self, path: str, version: str, to: BinaryIO, h1: str = "") -> str:
        """Write the go.mod of a module; where it came from.

        Args:
            path: The module's.
            version: The module's.
            to: Emptied first.
            h1: The pinned hash; empty for none. What a tag names may have changed, so without a
                pinned hash a clone of an earlier run does not say what it is, unless offline.

        Raises:
            SourceError: no repository has the module.
            VerificationError: it has another hash.
        """

        def write(module: CommitModule) -> str:
            data = f"module {path}\n".encode() if module.go_mod is None else module.go_mod
            address = module.checkout.address
            if h1:
                check_h1_of(h1, hash1_go_mod(data), f"go.mod of {path}@{version}", address)
            _empty(to)
            to.write(data)
            return address

        return self._read(path, version, no_progress, write, pinned=bool(h1))

    def zip(self, path: str, version: str, to: BinaryIO, advance: Advance, h1: str = "") -> str:
        """Write the zip of a module; where it came from. See `go_mod`."""

        def write(module: CommitModule) -> str:
            _empty(to)
            with closing(module.contents()) as contents:
                hashes = _write_zip(to, f"{path}@{version}", contents)
            if h1:
                check_h1_of(h1, hash1(hashes), f"{path}@{version}", module.checkout.address)
            return module.checkout.address

        return self._read(path, version, advance, write, pinned=bool(h1))

    def _root(self, path: str) -> ImportRoot:
        if path not in self._roots:
            self._roots[path] = root_by_host(path) or self._asked_root(path)
        return self._roots[path]

    def _asked_root(self, path: str) -> ImportRoot:
        """The repository of a path that does not say it.

        Raises:
            SourceError: nothing says where it is; ``details`` names each mirror that was tried.
        """
        attempts = Attempts(path)

        def note(mirror: str, error: Failed) -> None:
            attempts.failed(mirror, str(error), error.hint)

        root = root_by_mirror(path, lambda url: self.repositories.is_mirrored(url, note))
        if root is not None:
            return root
        try:
            return root_by_page(path, self.page)
        except SourceError as error:
            mirror = advise("where you know its repository, ", mirror_advice(path))
            error.hint = joined([error.hint, mirror])
            if attempts.lines:
                attempts.add(str(error.where), error)
                hint, msg = "", "neither a mirror nor its page says where its repository is"
                raise attempts.error(hint, msg) from error
            raise

    def _read(
        self,
        path: str,
        version: str,
        advance: Advance,
        use: Callable[[CommitModule], str],
        *,
        pinned: bool,
    ) -> str:
        """What ``use`` makes of the module in the first repository that has all of it.

        Where no hash is ``pinned``, nothing but the names of git's objects says what is right.
        """
        module, root = ModulePath.parse(path), self._root(path)
        folder = root.module_folder(module)
        target = ModuleRevision.of(version, folder)
        search = Search(self.repositories, root.url, target.revision, renew=not pinned)
        git = search.need_git()

        def read(repository: Repository) -> str:
            with checkout(git, repository, target.revision) as commit:
                try:
                    _check_time(commit, target.time)
                    made = module_in(commit, module, root, folder)
                    blobs = {*made.files.values()}
                    check = partial(check_objects, git, repository, commit.commit, folder, blobs)
                    if not pinned:
                        check()
                    try:
                        return use(made)
                    except WrongContent:
                        check()  # it is the repository that is damaged, if it is
                        raise
                except NoModule as error:
                    where, details = f"{path}@{version}", (commit.address,)
                    raise SourceError(str(error), where=where, details=details) from error

        address = search.first(search.repositories(advance), read)
        if address is None:
            raise search.error()
        return address


def _empty(to: BinaryIO) -> None:
    """Forget what came of an earlier repository."""
    to.seek(0)
    to.truncate()


def _write_zip(
    to: BinaryIO, folder: str, contents: Iterator[tuple[str, Iterator[bytes]]]
) -> dict[str, str]:
    """Write files into a zip, below a folder; the SHA-256 of each by its name in the zip.

    Raises:
        NoModule: they are too large.
    """
    remaining, hashes = MAX_ZIP, {}
    with zipfile.ZipFile(to, "w") as archive:
        for name, data in contents:
            entry, running = f"{folder}/{name}", hashlib.sha256()
            with archive.open(entry, "w") as into:
                for piece in data:
                    remaining -= len(piece)
                    if remaining < 0:
                        msg = f"its files have more than {MAX_ZIP} bytes"
                        raise NoModule(msg)
                    running.update(piece)
                    into.write(piece)
            hashes[entry] = running.hexdigest()
    return hashes


def _check_time(checkout: Checkout, expected: str) -> None:
    """See that the commit is of the time that a pseudo-version says; empty: it says none."""
    if not expected:
        return
    date = checkout.reader.date(checkout.commit)
    try:
        time = dt.datetime.fromtimestamp(date, dt.UTC).strftime("%Y%m%d%H%M%S")
    except (ValueError, OverflowError):  # before the year 1 or after 9999
        time = f"{date} seconds after 1970"
    if time != expected:
        msg = f"the commit {checkout.commit} is of {time} (UTC), and the version says another time"
        raise NoModule(msg)
