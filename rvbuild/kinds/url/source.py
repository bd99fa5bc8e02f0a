"""An archive or a file, by its SHA-256."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from attrs import field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.errors import RecipeError
from rvbuild.core.login import MALFORMED, MALFORMED_HINT, TWO_WAYS, SplitAddress, shown_malformed
from rvbuild.core.paths import is_component
from rvbuild.core.source import Source


def file_name(url: str) -> str:
    """The last component of a URL's path, as it is called in a tree and in messages.

    Raises:
        RecipeError: it has none, or where it begins can be read in two ways, or in none.
    """
    split = SplitAddress.of(url)
    if split.is_ambiguous:
        raise RecipeError(TWO_WAYS, where=split.bare, hint=split.hint)
    if split.is_malformed:
        raise RecipeError(MALFORMED, where=shown_malformed(url), hint=MALFORMED_HINT)
    name = unquote(urlsplit(url).path.rpartition("/")[2])
    if not is_component(name) or not name.isprintable():
        msg = "the URL does not end in a file name"
        raise RecipeError(msg, where=re.split(r"[?#]", split.bare)[0])
    return name


@frozen(kw_only=True)
class DebianFile:
    """A file of a Debian *source* package (``.orig.tar.*``), as a mirror of an upstream archive."""

    package: str
    file: str


@frozen(kw_only=True)
class UrlSource(Source):
    """One file by its SHA-256; unpacked unless ``unpack`` is false: then its name counts.

    ``strip`` leading path components are dropped. ``name`` is what the file is called: as its
    first URL, or in Debian's archive if it is only there.

    Raises:
        RecipeError: the URL does not end in a name.
    """

    kind = "url"
    urls: tuple[str, ...] = ()
    sha256: str
    strip: int = 1
    unpack: bool = True
    debian: DebianFile | None = None
    name: str = field(init=False, eq=False, repr=False)

    @name.default
    def _name(self) -> str:
        places = [*self.urls, *([self.debian.file] if self.debian else [])]
        return file_name(places[0] if places else "")

    @property
    def label(self) -> str:
        return self.name

    @property
    def identity(self) -> Json:
        if self.unpack:
            return {"url": self.sha256, "strip": self.strip}
        return {"url": self.sha256, "strip": None, "name": self.name}
