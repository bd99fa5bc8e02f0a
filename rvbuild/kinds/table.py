"""The table of kinds: finding one imports that one alone.

Knows: where each kind is declared. Must not know: what its facts are.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from rvbuild.core.source import (
    DebianPackage,
    GitSource,
    GoModule,
    GoToolchain,
    PathSource,
    Source,
    UrlSource,
    Wheel,
)
from rvbuild.kinds.declaration import Kind

_MODULES = {
    "debian": "debian",
    "git": "git",
    "go-module": "go",
    "go-toolchain": "go",
    "path": "path",
    "pypi": "pypi",
    "url": "url",
}
_TAGS = {
    DebianPackage: "debian",
    GitSource: "git",
    GoModule: "go-module",
    GoToolchain: "go-toolchain",
    PathSource: "path",
    Wheel: "pypi",
    UrlSource: "url",
}
TAGS = tuple(_MODULES)
"""Every kind's tag."""

SECTIONS = {"debian-packages": "debian", "go-modules": "go-module"}
"""The sections of shared lines, and whose they are."""


@cache
def kind(tag: str) -> Kind:
    """The declaration of the kind with a tag of ``TAGS``."""
    found: Kind = import_module(f"rvbuild.kinds.{_MODULES[tag]}.codec").KINDS[tag]
    return found


def kind_of(source: Source) -> Kind:
    """The declaration of a source's kind.

    Raises:
        TypeError: such a source does not stand in a lock.
    """
    try:
        return kind(_TAGS[type(source)])
    except KeyError:
        msg = f"{type(source).__name__} does not stand in a lock"
        raise TypeError(msg) from None
