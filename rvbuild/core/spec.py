"""Sources as recipes describe them, before anybody knows their content.

Knows: what the core asks of any description. Must not know: which kinds there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from attrs import frozen

from rvbuild.core.source import Source

WORD = "word"
"""The name in an attribute's metadata under which its word in a recipe stands."""

SHA256_DIGITS = 64

Comparison = tuple[str, object, object]
"""A fact's name, what the lock says, what the recipe asks for."""

SourceFile = tuple[str, str]
"""What a recipe calls a source, and the path of a file in it."""


def word(text: str) -> Mapping[str, object]:
    """Metadata of an attribute that has another word in recipes than its own name."""
    return {WORD: text}


@frozen
class SourceSpec:
    """A source in a recipe's words. Each kind of source has frozen subclasses.

    The attributes are the keys of the recipe's mapping, in the order in which a lock shows them,
    the one whose word names the kind first. ``rvbuild.kinds.declaration.keys`` reads them.

    Attributes:
        answer: The class of the sources that it can stand for.
        has_revisions: Whether it is a revision of a repository, which has several names.
        instead: Of words that people take for a key of it: why there is none, and what to write.
    """

    answer: ClassVar[type[Source]]
    has_revisions: ClassVar[bool] = False
    instead: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType({})

    @property
    def reads(self) -> tuple[SourceFile, ...]:
        """The files of other sources of the recipe that its answer is read from."""
        return ()

    @property
    def machine(self) -> str:
        """The architecture that the recipe names, by Go's name; empty if it names none."""
        return ""

    @property
    def per_machine(self) -> bool:
        """Whether each build machine has an answer of its own."""
        return False

    @property
    def volatile(self) -> bool:
        """Whether the same description may stand for something else now."""
        return False

    def place(self, folder: str) -> str:
        """The folder of this machine that it names, for a recipe in ``folder``; empty: none."""
        del folder
        return ""

    def located(self, parts: tuple[Source, ...], folder: str) -> tuple[Source, ...]:
        """A lock's parts, for a recipe in ``folder``: a lock has no place of one machine."""
        del folder
        return parts

    def compare_all(self, parts: Sequence[Source]) -> Iterator[Comparison]:
        """What it fixes about its parts together: without a rule of its own, there is one."""
        yield "parts", len(parts), len(parts) if len(parts) == 1 else "one part"

    def compare(self, part: Any, arch: str) -> Iterator[Comparison]:  # noqa: ANN401 - of ``answer``
        """What it fixes about each part, for the build machine ``arch`` (empty: any)."""
        del part, arch
        return iter(())


def sha256_comparison(sha256: str) -> Comparison:
    """A SHA-256 that no recipe pins: all that a question fixes is its form."""
    fits = len(sha256) == SHA256_DIGITS
    return "sha256", sha256, sha256 if fits else f"a SHA-256 of {SHA256_DIGITS} digits"
