"""A crate, by the checksum that registries and Cargo.lock have: the SHA-256 of its file."""

from __future__ import annotations

import re

from attrs import frozen

from rvbuild.core.canonical import Json
from rvbuild.core.errors import RecipeError
from rvbuild.core.source import Contents, Source

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_WORDS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"(?:[0-9]{{1,20}}\.){{2}}[0-9]{{1,20}}(?:-{_WORDS})?(?:\+{_WORDS})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST = 128


@frozen(kw_only=True, order=True)
class _CrateFile(Source):
    """A ``.crate`` file; what is made of it differs.

    Raises:
        RecipeError: no crate can have this name, version or checksum.
    """

    name: str
    version: str
    sha256: str

    def __attrs_post_init__(self) -> None:
        wrong = crate_problem(self.name, self.version, self.sha256)
        if wrong:
            raise RecipeError(wrong)

    @property
    def top(self) -> str:
        """The one folder in the file."""
        return f"{self.name}-{self.version}"

    @property
    def label(self) -> str:
        return f"{self.top}.crate"

    @property
    def contents(self) -> Contents:
        return ((("the crate", self.top), self.sha256),)


@frozen(kw_only=True, order=True)
class Crate(_CrateFile):
    """A program or a library in a crate; its tree is the crate's own folder."""

    kind = "crate"

    @property
    def identity(self) -> Json:
        return {"crate": [self.name, self.version, self.sha256]}


@frozen(kw_only=True, order=True)
class VendoredCrate(_CrateFile):
    """A crate that others are built with.

    Its tree is one folder, ``NAME-VERSION``, as ``cargo vendor --versioned-dirs`` makes it: the
    union of such trees is a directory source of cargo.
    """

    kind = "crates"
    many = "crates"

    @property
    def identity(self) -> Json:
        return {"vendored-crate": [self.name, self.version, self.sha256]}


def name_problem(name: str, version: str) -> str:
    """Why no crate can be called so; empty if one can.

    A name has ASCII letters, digits, ``-`` and ``_``, and a version is SemVer's, so that both can
    be part of a path and of a URL.
    """
    if not _NAME.fullmatch(name):
        return f"not the name of a crate: {name[:_LONGEST]!r}"
    if not _VERSION.fullmatch(version) or len(version) > _LONGEST:
        return f"not the version of a crate, as 1.2.3: {version[:_LONGEST]!r}"
    return ""


def crate_problem(name: str, version: str, sha256: str) -> str:
    """The same, and why it can have no such checksum."""
    wrong = name_problem(name, version)
    if wrong:
        return wrong
    if not _SHA256.fullmatch(sha256):
        return f"not a SHA-256 in lower-case hex: {sha256[:_LONGEST]!r}"
    return ""
