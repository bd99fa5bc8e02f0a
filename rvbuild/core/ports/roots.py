"""What people hold, and garbage collection keeps.

Knows: results by name and link. Must not know: how anything is collected.
"""

from __future__ import annotations

from typing import Protocol

from attrs import frozen


@frozen(kw_only=True)
class Root:
    """A result that a person holds by ``link``, an absolute path that leads into the store."""

    name: str
    derivation: str
    link: str


class Roots(Protocol):
    """What garbage collection keeps."""

    def add_root(self, name: str, derivation: str, link: str) -> None: ...

    def roots(self) -> tuple[Root, ...]: ...
