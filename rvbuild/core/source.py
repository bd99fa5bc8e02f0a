"""Sources as the lock pins them: identity by content, transports beside it.

Knows: what the core asks of any source. Must not know: which kinds there are, how bytes travel.

``identity`` is what enters a derivation's key; everything else (URLs, mirrors, paths in
an archive pool) is transport and may change without rebuilding anything.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

from attrs import field, frozen

from rvbuild.core.canonical import Json
from rvbuild.core.snapshot import Snapshot

LAST_DATE = 253_402_300_799
"""The end of the year 9999, in Unix seconds: no later date has a form that everybody reads."""

Thing = tuple[str, ...]
"""What is the same wherever it is named; a lock has thousands, so they are plain tuples."""

Contents = tuple[tuple[Thing, object], ...]


class Source(ABC):
    """Something from outside, by content. Each kind of source is a frozen subclass.

    Attributes:
        kind: The kind's tag in ``rvbuild.kinds.table``.
        many: What many of them are called where one recipe needs hundreds; empty: each counts.
    """

    __slots__ = ()
    kind: ClassVar[str]
    many: ClassVar[str] = ""

    @property
    @abstractmethod
    def label(self) -> str:
        """What it is called in messages."""

    @property
    @abstractmethod
    def identity(self) -> Json:
        """Its part of a key: content, never where it came from."""

    @property
    def former_identity(self) -> Json:
        """The same in keys of version 1."""
        return self.identity

    @property
    def contents(self) -> Contents:
        """Each thing of it that has one content wherever a lock names it, and that content."""
        return ()

    @property
    def machine(self) -> str:
        """Whose programs it has, by Go's name of the architecture; ``all`` or empty: nobody's."""
        return ""

    @property
    def folder(self) -> str:
        """The folder of this machine that it is; empty for what a release can be made of."""
        return ""

    @property
    def commit_facts(self) -> Mapping[str, str]:
        """What a pin's reader ``git`` can say of it, by its argument; empty for no commit."""
        return {}

    @property
    def snapshot(self) -> Snapshot | None:
        """When an index named it, where an archive keeps what it had at any time."""
        return None

    def with_files(self, read: Callable[[str], bytes | None], folder: str) -> Source:
        """The source with what it is fetched by: files of a folder of another source.

        Args:
            read: Returns the content of a file of that source by its path; None if there is none.
            folder: The folder; ``.`` is the source's root.
        """
        del read, folder
        return self


@frozen(kw_only=True)
class Files(Source):
    """Small files that rvbuild itself brings (patches beside a recipe): path, content, bit."""

    kind = "recipe"
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
