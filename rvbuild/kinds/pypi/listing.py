"""Files that a place lists: a simple index, or what pip's ``--find-links`` names.

Knows: what pip takes for a page, a folder and a file. Must not know: which places there are, which
file is wanted.
"""

from __future__ import annotations

import io
import mimetypes
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from attrs import evolve, field, frozen

from rvbuild.core.errors import SourceError, Unreachable
from rvbuild.kinds.pypi.indexes import Strategy
from rvbuild.kinds.pypi.simple_index import (
    ACCEPT,
    IndexFile,
    absolute,
    index_name,
    parse_index,
)
from rvbuild.transfers.addresses import Route, is_http, local_path
from rvbuild.transfers.faults import NotThere
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import origin, refuse_ambiguous

_PAGE_LIMIT = 128 << 20


@frozen
class Listing:
    """What a place has of a project, or why it says nothing."""

    place: str
    files: Sequence[IndexFile] = ()
    error: SourceError | None = field(default=None, kw_only=True)
    is_index: bool = field(kw_only=True)

    @property
    def is_absent(self) -> bool:
        """Whether the place says itself that it does not know the project."""
        return isinstance(self.error, NotThere)

    @property
    def is_open(self) -> bool:
        """Whether nobody knows what an index has: it gave no answer, or refused one."""
        return self.is_index and self.error is not None and not self.is_absent

    def decides(self, strategy: Strategy, *, has_version: bool, has_wheel: bool) -> bool:
        """Whether no further index is asked."""
        is_down = isinstance(self.error, Unreachable)
        return (
            self.is_index
            and {
                Strategy.FIRST_INDEX: not self.is_absent,
                Strategy.FIRST_MATCH: has_version or is_down,
                Strategy.BEST_MATCH: has_wheel or is_down,
                Strategy.PIP: False,
            }[strategy]
        )


def project_page(url: str, project: str) -> str:
    """The address of a project's page below a simple index."""
    return f"{url}/{index_name(project)}/"


def listed_by_page(transport: Transport, page: str, route: Route | None = None) -> list[IndexFile]:
    """The files of a page; of a folder of this machine its ``index.html`` is the page.

    Raises:
        NotThere: there is no such page.
        SourceError: it cannot be had, or is no list of files.
    """
    path = local_path(page)
    if path is None:
        to = io.BytesIO()
        headers = {"Accept": ACCEPT}
        received = transport.download(page, to, limit=_PAGE_LIMIT, headers=headers, route=route)
        return _behind(page, received.url, to.getvalue())
    file = path / "index.html" if path.is_dir() else path
    return parse_index(transport.local.read(file, limit=_PAGE_LIMIT), file.as_uri())


def _behind(page: str, place: str, data: bytes) -> list[IndexFile]:
    """The files of a page that a redirect may have led to.

    What the user has for the index is not for the server to which the index leads: on the same
    host, with another port, that may be anybody's.
    """
    files = parse_index(data, absolute(page, place) or page)
    if origin(place) == origin(page):
        return files
    return [evolve(file, login=origin(file.url) == origin(page)) for file in files]


def listed_by_link(transport: Transport, link: str, route: Route | None = None) -> list[IndexFile]:
    """The files that a place of ``find-links`` has, of any project.

    A folder has its files, and what its pages list; a page has what it lists; a wheel has itself.
    As with pip, what else lies in a folder does not matter: other pages, folders, dead links.

    Raises:
        SourceError: it cannot be had, or is none of these.
    """
    path = local_path(re.sub(r"\Afile:/(?!/)", "file:///", link))
    if path is not None:
        return _listed_here(transport, path)
    refuse_ambiguous(link)
    if not is_http(link):
        msg = "neither a file or folder of this machine nor an address"
        raise SourceError(msg)
    name = unquote(urlsplit(link).path.rpartition("/")[2])
    if name.endswith(".whl"):
        return [IndexFile(name, link, "")]
    return listed_by_page(transport, link, route)


def _listed_here(transport: Transport, path: Path) -> list[IndexFile]:
    try:
        if not path.is_dir():
            return _listed_file(transport, path)
        paths = sorted(each for each in path.iterdir() if each.is_file())
    except OSError as error:
        raise SourceError(error.strerror or "cannot be read") from error
    files = []
    for each in paths:
        with suppress(SourceError):  # any page may lie there, also one that lists nothing
            files += _listed_file(transport, each)
    return files


def _listed_file(transport: Transport, path: Path) -> list[IndexFile]:
    if not path.exists():
        msg = "no such file or folder"
        raise NotThere(msg)
    if mimetypes.guess_type(path.name, strict=False)[0] == "text/html":
        return listed_by_page(transport, str(path))
    return [IndexFile(path.name, str(path), "")]
