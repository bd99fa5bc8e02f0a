"""Wheels from the user's Python package indexes.

Knows: how a wheel is found, pinned and checked. Must not know: which indexes there are
(pip's and uv's configuration say so), formats of archives.

The lock holds no address: the file is looked up by its name again, in every index in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from attrs import frozen

from rvbuild.archives.unpack import unpack
from rvbuild.core.errors import RecipeError, SourceError
from rvbuild.core.events import Noticed
from rvbuild.core.ports.callbacks import Advance, no_progress
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.printable import brief
from rvbuild.kinds.pypi.indexes import Indexes, Strategy, find_indexes
from rvbuild.kinds.pypi.listing import Listing, listed_by_link, listed_by_page, project_page
from rvbuild.kinds.pypi.pip_route import pip_route
from rvbuild.kinds.pypi.simple_index import IndexFile, index_name
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.wheel_choice import (
    choose_wheel,
    describe_release,
    has_wheels,
    usable_releases,
)
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

        The user's client says which indexes have a word in it (`Strategy`); places of
        ``find-links`` have one in any case. Where a wheel is taken though an index that counts did
        not answer, a notice says so: it might have had a better one.

        Raises:
            SourceError: no index has one, or the one that decides does not answer.
            RecipeError: ``project`` cannot be a project's name, or ``version`` no version.
        """
        if to_version(version) is None:
            msg = f"not the version of a Python project (PEP 440): {brief(version)!r}"
            raise RecipeError(msg, hint="write it as the package index does: 1.2, 1.0rc1")
        attempts = Attempts(f"{project} {version}")
        choose = partial(choose_wheel, project=project, version=version, arch=arch)
        strategy = self.indexes().strategy
        wheels: list[tuple[str, IndexFile]] = []
        silent: list[str] = []
        for listing in self._listings(project):
            place, best = shown(listing.place), choose(listing.files)
            if listing.error is not None:
                attempts.add(listing.place, listing.error)
                silent += [place] if listing.is_open else []
            elif best is None:
                lack = f"it has no wheel of {version} for Linux on {arch}"
                release = describe_release(listing.files, project, version)
                attempts.note(f"{place}: {lack}; {release}")
            else:
                wheels.append((place, best))
            has_version = has_wheels(listing.files, project, version)
            if listing.decides(strategy, has_version=has_version, has_wheel=best is not None):
                break
        ranked = wheels[::-1] if strategy is Strategy.PIP else wheels
        file = choose(wheel for _, wheel in ranked)
        if file is None:
            self._note_settings(attempts)
            hint = f"check the name and version, and {self._settings()}"
            raise attempts.error(self.files.advice(Pin(label=project, sha256=""), hint))
        self._notice_doubts(attempts.label, file, wheels, silent)
        return self._pinned(project, version, file)

    def releases(self, project: str, arch: str) -> dict[str, int | None]:
        """Each release that has a wheel for Linux on ``arch``, with its time, if an index says it.

        The same indexes count as for `resolve`. A release is of the time of its last such wheel.

        Raises:
            SourceError: an index that counts gives no answer, or none has the project.
            RecipeError: ``project`` cannot be a project's name.
        """
        attempts, releases = Attempts(project), dict[str, int | None]()
        strategy = self.indexes().strategy
        for listing in self._listings(project):
            if listing.error is not None:
                attempts.add(listing.place, listing.error)
            if listing.is_open:  # nobody knows what it has
                releases.clear()
                break
            fresh = usable_releases(listing.files, project, arch)
            for version, moment in fresh.items():
                known = filter(None, (moment, releases.get(version)))
                releases[version] = max(known, default=None)
            if listing.decides(strategy, has_version=bool(fresh), has_wheel=bool(fresh)):
                break
        if not releases:
            hint = f"check the name, and {self._settings()}"
            msg = f"no index said which releases have a wheel for Linux on {arch}"
            raise attempts.error(hint, msg)
        return releases

    def _notice_doubts(
        self, label: str, file: IndexFile, wheels: list[tuple[str, IndexFile]], silent: list[str]
    ) -> None:
        """Say why another wheel might be the one that the user means.

        Args:
            label: What is pinned.
            file: What it is pinned to.
            wheels: What each place had, by its address.
            silent: The indexes that gave no answer.
        """
        others = [
            place
            for place, wheel in wheels
            if wheel.filename == file.filename and len({"", wheel.sha256, file.sha256}) == 3
        ]
        doubts = [f"{place} has other bytes under this name" for place in others]
        doubts += [f"{place} gave no answer" for place in silent]
        if doubts:
            text = f"{file.filename} of {shown(file.url)} is taken, though {', and '.join(doubts)}"
            self.files.report(Noticed(label, text, security=True))

    def _note_settings(self, attempts: Attempts) -> None:
        """What of the user's settings made the search shorter."""
        indexes = self.indexes()
        if indexes.forbidden_by:
            also = "" if indexes.links else ", and no find-links names another place"
            attempts.note(f"{indexes.forbidden_by}: it forbids package indexes{also}")
        if indexes.strategy is not Strategy.PIP and len(indexes.urls) > 1:
            word = indexes.strategy.value
            attempts.note(f"uv's index-strategy {word}: it says which index is the last to ask")

    def _settings(self) -> str:
        return " and ".join(self.indexes().named_by)

    def _pinned(self, project: str, version: str, file: IndexFile) -> Wheel:
        sha256 = file.sha256
        if not sha256:  # the index does not say: it is what comes now
            pin = Pin(label=file.filename, sha256="", size=file.size)
            with self.files.opened(pin, [self._address(file)], no_progress) as download:
                sha256 = download.sha256
        return Wheel(
            project=index_name(project), version=version, filename=file.filename, sha256=sha256
        )

    def _address(self, file: IndexFile) -> Address:
        return Address(file.url, self.route(), login=file.login, linked=True)

    def _addresses(self, source: Wheel, attempts: Attempts) -> Iterator[Address]:
        """Where a file of that name is; asks a place only when the ones before did not have it."""
        for listing in self._listings(source.project):
            if listing.error is not None:
                attempts.add(listing.place, listing.error)
                continue
            place = shown(listing.place)
            matches = [file for file in listing.files if file.filename == source.filename]
            if not matches:
                attempts.note(f"{place}: it does not list the file")
            for file in matches:
                if file.sha256 in {"", source.sha256}:
                    yield self._address(file)
                else:
                    attempts.wrong = True
                    attempts.note(f"{place}: it lists the SHA-256 {file.sha256}")
        if self.indexes().forbidden_by:
            self._note_settings(attempts)

    def _listings(self, project: str) -> Iterator[Listing]:
        """What each place lists: those of ``find-links``, then each index's page of the project."""
        indexes, transport = self.indexes(), self.files.transport
        pages = (project_page(url, project) for url in indexes.urls)
        for is_index, places in ((False, indexes.links), (True, pages)):
            read = listed_by_page if is_index else listed_by_link
            for place in places:
                try:
                    files = read(transport, place, self.route())
                except SourceError as error:
                    yield Listing(place, error=error, is_index=is_index)
                else:
                    yield Listing(place, files, is_index=is_index)


def client(services: FetchServices) -> PypiFetcher:
    """See `rvbuild.kinds.modules.FetchModule`."""
    indexes = Once(partial(find_indexes, services.settings.environment))
    route = Once(partial(pip_route, services.settings.environment))
    return PypiFetcher(files=services.files, indexes=indexes, route=route)
