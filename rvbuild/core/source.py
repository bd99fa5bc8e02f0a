"""Sources as the lock pins them: identity by content, transports beside it.

Knows: what makes two sources the same. Must not know: how bytes travel.

``identity`` is what enters a derivation's key; everything else (URLs, mirrors, paths in
an archive pool) is transport and may change without rebuilding anything.
"""

from __future__ import annotations

import hashlib
from typing import Union
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.errors import RecipeError
from rvbuild.core.paths import is_component
from rvbuild.core.snapshot import Snapshot

LAST_DATE = 253_402_300_799
"""The end of the year 9999, in Unix seconds: no later date has a form that everybody reads."""


def file_name(url: str) -> str:
    """The last component of a URL's path, as it is called in a tree and in messages.

    Raises:
        RecipeError: it has none.
    """
    msg = "the URL does not end in a file name"
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RecipeError(msg) from None
    name = unquote(parts.path.rpartition("/")[2])
    if not is_component(name) or not name.isprintable():
        host = parts.netloc.rpartition("@")[2]  # without a user's name and password
        raise RecipeError(msg, where=urlunsplit((parts.scheme, host, parts.path, "", "")))
    return name


@frozen(kw_only=True)
class DebianFile:
    """A file of a Debian *source* package (``.orig.tar.*``), as a mirror of an upstream archive."""

    package: str
    file: str


@frozen(kw_only=True)
class UrlSource:
    """One file by its SHA-256; unpacked unless ``unpack`` is false: then its name counts.

    ``strip`` leading path components are dropped. ``name`` is what the file is called: as its
    first URL, or in Debian's archive if it is only there.

    Raises:
        RecipeError: the URL does not end in a name.
    """

    urls: tuple[str, ...]
    sha256: str
    strip: int = 1
    unpack: bool = True
    debian: DebianFile | None = None
    name: str = field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        places = [*self.urls, *([self.debian.file] if self.debian else [])]
        object.__setattr__(self, "name", file_name(places[0] if places else ""))

    @property
    def label(self) -> str:
        return self.name

    @property
    def identity(self) -> Json:
        if self.unpack:
            return {"url": self.sha256, "strip": self.strip}
        return {"url": self.sha256, "strip": None, "name": self.name}


@frozen(kw_only=True)
class GitSource:
    """The tree of one commit; ``paths`` (sorted) keeps only those folders or files.

    ``tree`` is git's own tree object name; ``date`` the committer's time in Unix seconds.
    """

    url: str
    commit: str
    tree: str
    date: int
    paths: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.url.rsplit('/', 1)[-1].removesuffix('.git')}@{self.commit[:8]}"

    @property
    def identity(self) -> Json:
        return {"git": self.tree, "paths": list(self.paths)}


@frozen(kw_only=True, order=True)
class GoModule:
    """A module zip, checked by ``h1`` (``h1:`` and base64, as in go.sum).

    Its tree is the module's own folder, without the ``PATH@VERSION/`` prefix of the zip.
    """

    path: str
    version: str
    h1: str

    @property
    def label(self) -> str:
        return f"{self.path}@{self.version}"

    @property
    def identity(self) -> Json:
        return {"go-module": [self.path, self.version, self.h1]}


@frozen(kw_only=True)
class GoModFiles:
    """The ``cache/download`` part of a GOMODCACHE, without any zip.

    For each go.mod file of a go.sum its ``.mod``; for each of ``modules`` (path, version,
    h1 of the zip; sorted) also ``.info`` and ``.ziphash``. The tree's root is what
    ``GOMODCACHE`` names.

    Attributes:
        go_sum: The SHA-256 of the go.sum, in hex.
        modules: The modules whose zips are needed.
        text: The go.sum itself; only there while it is fetched, and no part of the identity.
    """

    go_sum: str
    modules: tuple[tuple[str, str, str], ...]
    text: bytes = field(default=b"", eq=False, repr=False)

    @property
    def label(self) -> str:
        return f"go.mod files of go.sum {self.go_sum[:12]}"

    @property
    def identity(self) -> Json:
        return {"go-mod-files": [self.go_sum, list(map(list, self.modules))]}


@frozen(kw_only=True)
class GoToolchain:
    """The module ``golang.org/toolchain@v0.0.1-goVERSION.PLATFORM``.

    Its tree is the GOROOT itself, with the executable bits that the go command sets.
    """

    version: str
    platform: str
    h1: str

    @property
    def label(self) -> str:
        return f"go{self.version}.{self.platform}"

    @property
    def identity(self) -> Json:
        return {"go-toolchain": [self.version, self.platform, self.h1]}


@frozen(kw_only=True)
class Wheel:
    """A file of a Python package index, unpacked."""

    project: str
    version: str
    filename: str
    sha256: str

    @property
    def label(self) -> str:
        return self.filename

    @property
    def identity(self) -> Json:
        return {"wheel": self.sha256}


@frozen(kw_only=True, order=True)
class DebianPackage:
    """A binary package; its tree is what ``dpkg-deb -x`` gives.

    Attributes:
        pool: Its path below a mirror (``pool/main/…``).
        snapshot: When an index named it. It says where else the bytes are, not which they are.
    """

    name: str
    version: str
    architecture: str
    pool: str
    sha256: str
    size: int
    snapshot: Snapshot | None = field(default=None, eq=False)

    @property
    def label(self) -> str:
        return f"{self.name}_{self.version}_{self.architecture}.deb"

    @property
    def identity(self) -> Json:
        return {"deb": self.sha256}


@frozen(kw_only=True)
class PathSource:
    """A folder of this machine, captured when the build starts; ``digest`` is its tree."""

    path: str
    digest: str = field(default="")

    @property
    def label(self) -> str:
        return self.path.rstrip("/").rsplit("/", 1)[-1] or "/"

    @property
    def identity(self) -> Json:
        return {"path": self.digest}


@frozen(kw_only=True)
class Files:
    """Small files that rvbuild itself brings (patches beside a recipe): path, content, bit."""

    label: str = field(eq=False)
    files: tuple[tuple[str, bytes, bool], ...]

    @property
    def identity(self) -> Json:
        return {
            "files": [
                [path, hashlib.sha256(data).hexdigest(), executable]
                for path, data, executable in self.files
            ]
        }


Source = Union[
    Files, UrlSource, GitSource, GoModule, GoModFiles, GoToolchain, Wheel, DebianPackage, PathSource
]
