"""The table of kinds: finding a part of one imports that part alone.

Knows: where each kind's package is. Must not know: what is in it.

A package ``rvbuild/kinds/NAME/`` has these modules (docs/adr/0021):

============  ==========================================================================
``source``    its sources by content: subclasses of `Source`
``spec``      ``SPECS``: its descriptions in recipes by tag, subclasses of `SourceSpec`
``codec``     ``KINDS``: its facts in locks by tag
``describe``  see `DescribeModule`
``resolve``   see `ResolveModule`
``candidates``  see `CandidatesModule`; of kinds whose upstreams say what they have
``fetch``     see `FetchModule`; this one alone may reach the network and the disk
============  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.declaration import Kind
from rvbuild.kinds.modules import (
    CandidatesModule,
    DescribeModule,
    FetchModule,
    ResolveModule,
)

if TYPE_CHECKING:
    from rvbuild.transfers.addresses import Route


class KindRow(NamedTuple):
    """A kind, whose tag stands in recipes and locks.

    Attributes:
        package: Its package's name; one package may have several kinds.
        section: The section of a lock for facts that several entries share.
        instead: A key of recipes that names the kind where the tag is missing.
        route: The function, and the module, that reads how its package client reaches servers.
        locked: Whether recipes and locks have it; else it comes with other sources only.
        is_listed: Whether its upstreams say what they have.
    """

    package: str
    section: str = ""
    instead: str = ""
    route: str = ""
    locked: bool = True
    is_listed: bool = True


_ROWS = {
    "crate": KindRow("crates"),
    "crates": KindRow("crates", section="crates", route="cargo_route"),
    "debian": KindRow("debian", section="debian-packages"),
    "git": KindRow("git"),
    "go-module": KindRow("go", section="go-modules"),
    "go-mod-files": KindRow("go", locked=False),
    "go-toolchain": KindRow("go"),
    "path": KindRow("path", is_listed=False),
    "pypi": KindRow("pypi", route="pip_route"),
    "url": KindRow("url", instead="debian-source", is_listed=False),
}
TAGS = tuple(tag for tag, row in _ROWS.items() if row.locked)
"""The tag of every kind that recipes and locks have."""

SECTIONS = {row.section: tag for tag, row in _ROWS.items() if row.section}
"""The sections of shared lines, and whose they are."""

INSTEAD = {row.instead: tag for tag, row in _ROWS.items() if row.instead}
"""Keys of recipes that name a kind where its tag is missing."""


def _module(tag: str, name: str) -> Any:  # noqa: ANN401 - a module
    return import_module(f"rvbuild.kinds.{_ROWS[tag].package}.{name}")


@cache
def kind(tag: str) -> Kind:
    """The facts of the kind with a tag of ``TAGS``."""
    declared: Kind = _module(tag, "codec").KINDS[tag]
    return declared


@cache
def spec_of(tag: str) -> type[SourceSpec]:
    """The class of the descriptions of the kind with a tag of ``TAGS``."""
    spec: type[SourceSpec] = _module(tag, "spec").SPECS[tag]
    return spec


def kind_of(source: Source) -> Kind:
    """The facts of a source's kind.

    Raises:
        TypeError: such a source does not stand in a lock.
    """
    if source.kind not in TAGS:
        msg = f"{type(source).__name__} does not stand in a lock"
        raise TypeError(msg)
    return kind(source.kind)


def package(tag: str) -> str:
    """The name of the package that a kind is in."""
    return _ROWS[tag].package


def describe_module(tag: str) -> DescribeModule:
    """What tells people of a kind's sources."""
    module: DescribeModule = _module(tag, "describe")
    return module


def resolve_module(tag: str) -> ResolveModule:
    """What finds the content of a kind's descriptions."""
    module: ResolveModule = _module(tag, "resolve")
    return module


def candidates_module(tag: str) -> CandidatesModule | None:
    """What says which versions the upstreams of a kind have; None if they have no such list."""
    if not _ROWS[tag].is_listed:
        return None
    module: CandidatesModule = _module(tag, "candidates")
    return module


def fetch_module(tag: str) -> FetchModule:
    """What fetches a kind's sources."""
    module: FetchModule = _module(tag, "fetch")
    return module


def client_routes() -> Iterator[Callable[[Mapping[str, str]], Route]]:
    """What reads the way of each package client that has one of its own, given the environment."""
    for tag, row in _ROWS.items():
        if row.route:
            yield getattr(_module(tag, row.route), row.route)
