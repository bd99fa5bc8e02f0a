"""Answers of a Python package index: which files a project has.

Knows: the Simple Repository API, as JSON (PEP 691) and as HTML (PEP 503).
Must not know: where indexes are, which file is wanted.
"""

from __future__ import annotations

import json
import re
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit

from attrs import frozen
from packaging.utils import canonicalize_name

from rvbuild.core.errors import RecipeError, SourceError
from rvbuild.core.moment import read_moment
from rvbuild.transfers.html_tags import tags_of
from rvbuild.transfers.urls import origin, shown

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, "
    "application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@frozen
class IndexFile:
    """A file of a project; ``sha256`` is ``""`` if the index does not say, ``size`` None.

    ``login`` is whether the file's server may have what the user has for its host. ``uploaded`` is
    when it came, in Unix seconds; None if the index does not say (PEP 700).
    """

    filename: str
    url: str
    sha256: str
    size: int | None = None
    yanked: bool = False
    login: bool = True
    uploaded: int | None = None


def index_name(project: str) -> str:
    """A project's name as indexes spell it.

    Raises:
        RecipeError: no such name can exist.
    """
    if not _PROJECT.match(project):
        msg = f"not the name of a Python project: {project!r}"
        raise RecipeError(msg)
    return canonicalize_name(project)


def parse_index(data: bytes, page: str) -> list[IndexFile]:
    """The files of a project's page, JSON or HTML; links are relative to ``page``.

    A link at which nothing can be asked for is passed over, as pip does: ``mailto:``, one without a
    host. So is a file of this machine on a page of a server: only what the user has here
    (a folder, a page in it) may name files that are here.

    Raises:
        SourceError: it is neither, or an API of another major version.
    """
    try:
        text = data.decode()
        files = _json(text, page) if text.lstrip()[:1] == "{" else _html(text, page)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        msg = "the package index gave an answer that is no list of files"
        raise SourceError(msg, where=shown(page)) from error
    return [file for file in files if file.url and _sound(file)]


def _sound(file: IndexFile) -> bool:
    name = file.filename
    return bool(name) and "/" not in name and name.isprintable() and not name.startswith(".")


def _json(text: str, page: str) -> list[IndexFile]:
    answer = json.loads(text)
    version = str(answer.get("meta", {}).get("api-version", "1.0"))
    if not version.startswith("1."):
        msg = f"the package index speaks version {version[:20]} of its API; 1 is known"
        raise SourceError(msg, where=shown(page), hint="update rvbuild")
    files = []
    for row in answer["files"]:
        size = row.get("size")
        files.append(
            IndexFile(
                filename=str(row["filename"]),
                url=absolute(page, str(row["url"])),
                sha256=_sha256(str(row.get("hashes", {}).get("sha256", ""))),
                size=size if isinstance(size, int) and size >= 0 else None,
                yanked=bool(row.get("yanked", False)),
                uploaded=read_moment(str(row.get("upload-time", ""))),
            )
        )
    return files


def _sha256(text: str) -> str:
    return text if _SHA256.match(text) else ""


def absolute(page: str, link: str, base: str = "") -> str:
    """``link`` made absolute; the page's own user name stays with it on the same origin.

    Args:
        page: Where the link was read.
        link: As the page has it.
        base: What the link is relative to; by default the page.

    Returns:
        Empty if the link leads to nothing that the page may list; see `parse_index`.
    """
    try:
        target = urljoin(base or page, link)
        parts = urlsplit(target)
        if parts.scheme == "file" and _is_here(page):
            return target
        is_same = origin(target) == (None if _is_here(page) else origin(page))
    except (ValueError, SourceError):
        return ""
    if not target.isprintable():
        return ""
    login, at, _ = urlsplit(page).netloc.rpartition("@")
    if at and is_same and "@" not in parts.netloc:
        return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
    return target


def _is_here(page: str) -> bool:
    """Whether a page is of this machine."""
    return page.startswith("file:")


def _html(text: str, page: str) -> list[IndexFile]:
    tags = tags_of(text, page)
    if not tags:
        msg = "no HTML"
        raise ValueError(msg)
    base, files = page, []
    for tag in tags:
        link = tag.attributes.get("href")
        if tag.name == "base" and link:
            base = absolute(page, link) or base
        if tag.name != "a" or not link:
            continue
        url, fragment = urldefrag(absolute(page, link, base))
        name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        kind, _, value = fragment.partition("=")
        sha256 = _sha256(value) if kind == "sha256" else ""
        files.append(IndexFile(name, url, sha256, None, "data-yanked" in tag.attributes))
    return files
