"""Module paths and versions, as far as they say where in a repository a module is.

Knows: golang.org/x/mod/module (SplitPathVersion, pseudo-versions), and what the go command makes
of them (cmd/go/internal/modfetch, coderepo). Must not know: repositories.
"""

from __future__ import annotations

import re

from attrs import frozen

from rvbuild.git.revision import Revision

_MAJOR = re.compile(r"(?P<prefix>.+?)(?P<major>/v(?:[2-9]|[1-9][0-9]+))")
_GOPKG = re.compile(r"(?P<prefix>gopkg\.in/.+?)(?P<major>\.v(?:0|[1-9][0-9]*))(?:-unstable)?")
_PSEUDO = re.compile(
    r"v\d+\.(?:0\.0-|\d+\.\d+-(?:[^+]*\.)?0\.)(?P<time>\d{14})-(?P<commit>[A-Za-z0-9]+)"
    r"(?:\+incompatible)?"
)


@frozen
class ModulePath:
    """A module's path, split.

    Attributes:
        path: All of it.
        prefix: Without the major version.
        major: ``/v2``, or for gopkg.in ``.v2``; empty for v0 and v1 elsewhere.
    """

    path: str
    prefix: str
    major: str

    @classmethod
    def parse(cls, path: str) -> ModulePath:
        """Split a path, as SplitPathVersion does."""
        match = _GOPKG.fullmatch(path) if path.startswith("gopkg.in/") else _MAJOR.fullmatch(path)
        if match is None:
            return cls(path, path, "")
        return cls(path, match["prefix"], match["major"])

    def fits(self, declared: str) -> bool:
        """Whether a go.mod that declares this path can be the module's, by its major version."""
        other = ModulePath.parse(declared).major
        if not declared:
            return False
        if not self.major:  # also what the go command took by mistake (golang.org/issue/34254)
            return other in {"", ".v0", ".v1"} or declared.startswith("gopkg.in/")
        return bool(other) and other[1:] == self.major[1:]


def is_pseudo_version(version: str) -> bool:
    """Whether a version is made of a commit's time and name, and not of a tag."""
    return _PSEUDO.fullmatch(version) is not None


@frozen
class ModuleRevision:
    """What a version is in a repository.

    Attributes:
        revision: Its tag, or the beginning of a commit's name that a pseudo-version has.
        time: The commit's time in a pseudo-version, as ``20240131235959`` (UTC); else empty.
    """

    revision: Revision
    time: str = ""

    @classmethod
    def of(cls, version: str, folder: str) -> ModuleRevision:
        """That of a version of the module in a folder of its repository (empty: its root)."""
        pseudo = _PSEUDO.fullmatch(version)
        if pseudo is not None:
            return cls(Revision(commit=pseudo["commit"].lower()), pseudo["time"])
        tag = version.removesuffix("+incompatible")
        return cls(Revision(tag=f"{folder}/{tag}" if folder else tag))
