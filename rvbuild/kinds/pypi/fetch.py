"""Wheels from the user's Python package indexes.

Knows: how a wheel is found, pinned and checked. Must not know: which indexes there are
(pip's and uv's configuration say so), formats of archives.

The lock holds no address: the file is looked up by its name again, in every index in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from attrs import frozen

from rvbuild.archives.unpack import unpack
from rvbuild.core.errors import RecipeError, SourceError
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.printable import brief
from rvbuild.kinds.pypi.indexes import Indexes, find_indexes
from rvbuild.kinds.pypi.listing import listed_by_link, listed_by_page, project_page
from rvbuild.kinds.pypi.pip_route import pip_route
from rvbuild.kinds.pypi.simple_index import IndexFile, index_name
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.wheel_choice import choose_wheel, describe_release
from rvbuild.kinds.pypi.wheel_name import to_version
from rvbuild.transfers.addresses import Address, Route
from rvbuild.transfers.attempts import Attempts
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.once import Once
from rvbuild.transfers.pinned_files import Pin, PinnedFiles
from rvbuild.transfers.urls import shown


@frozen(kw_only=True)
class PypiFetcher:
    """Fetches ``Wheel`` values, and resolves projects for the lock.

    Args:
        files: Downloads.
        indexes: Gives the user's indexes; called when first needed.
        route: Gives how they are reached, in the same manner.
    """

    files: PinnedFiles
    indexes: Callable[[], Indexes]
    route: Callable[[], Route | None] = lambda: None

    def fetch(self, source: Wheel, into: TreeSink, advance: Advance) -> None:
        """See `rvbuild.core.ports.fetcher.Fetcher`."""
        pin = Pin(label=source.filename, sha256=source.sha256)
        lookup = partial(self._addresses, source)
        hint = f"check {self._settings()}"
        with self.files.search(pin, lookup, advance, hint=hint) as download:
            unpack(download.file, source.filename, into)

    def resolve(self, project: str, version: str, arch: str) -> Wheel:
        """Pin the wheel of a release for Linux on ``arch`` (a Go name); see wheel_choice.

        The first index that has a fitting one decides.

        Raises:
            SourceError: no index has one.
            RecipeError: ``project`` cannot be a project's name, or ``version`` no version.
        """
        if to_version(version) is None:
            msg = f"not the version of a Python project (PEP 440): {brief(version)!r}"
            raise RecipeError(msg, hint="write it as the package index does: 1.2, 1.0rc1")
        attempts = Attempts(f"{project} {version}")
        for place, files in self._listings(project, attempts):
            file = choose_wheel(files, project, version, arch)
            if file is not None:
                return self._pinned(project, version, file)
            lack = f"it has no wheel of {version} for Linux on {arch}"
            attempts.note(f"{shown(place)}: {lack}; {describe_release(files, project, version)}")
        hint = f"check the name and version, and {self._settings()}"
        raise attempts.error(self.files.advice(Pin(label=project, sha256=""), hint))

    def _settings(self) -> str:
        return " and ".join(self.indexes().named_by)

    def _pinned(self, project: str, version: str, file: IndexFile) -> Wheel:
        sha256 = file.sha256
        if not sha256:  # the index does not say: it is what comes now
            pin = Pin(label=file.filename, sha256="", size=file.size)
            with self.files.opened(pin, [Address(file.url, self.route())], no_progress) as download:
                sha256 = download.sha256
        return Wheel(
            project=index_name(project), version=version, filename=file.filename, sha256=sha256
        )

    def _addresses(self, source: Wheel, attempts: Attempts) -> Iterator[Address]:
        """Where a file of that name is; asks a place only when the ones before did not have it."""
        for place, files in self._listings(source.project, attempts):
            matches = [file for file in files if file.filename == source.filename]
            if not matches:
                attempts.note(f"{shown(place)}: it does not list the file")
            for file in matches:
                if file.sha256 in {"", source.sha256}:
                    yield Address(file.url, self.route())
                else:
                    attempts.wrong = True
                    attempts.note(f"{shown(place)}: it lists the SHA-256 {file.sha256}")

    def _listings(
        self, project: str, attempts: Attempts
    ) -> Iterator[tuple[str, Sequence[IndexFile]]]:
        """What each place lists: those of ``find-links``, then each index's page of the project."""
        indexes, transport = self.indexes(), self.files.transport
        pages = (project_page(url, project) for url in indexes.urls)
        for read, places in ((listed_by_link, indexes.links), (listed_by_page, pages)):
            for place in places:
                try:
                    files = read(transport, place, self.route())
                except SourceError as error:
                    attempts.add(place, error)
                else:
                    yield place, files
        if indexes.forbidden_by:
            also = "" if indexes.links else ", and no find-links names another place"
            attempts.note(f"{indexes.forbidden_by}: it forbids package indexes{also}")


def client(services: FetchServices) -> PypiFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    indexes = Once(partial(find_indexes, services.settings.environment))
    route = Once(partial(pip_route, services.settings.environment))
    return PypiFetcher(files=services.files, indexes=indexes, route=route)
