"""Names of what a lock holds: values, each with one parser and one printer, in text order.

Knows: how the names are spelled. Must not know: what they name is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self, TypeVar

from attrs import evolve, frozen

from rvbuild.core.errors import UsageError


class Ref(ABC):
    """The name of an entry; ``sorted`` puts names in the order in which a lock has them."""

    __slots__ = ()

    @classmethod
    @abstractmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` gave; anything else gives a name of another text."""

    def __lt__(self, other: Self) -> bool:
        return str(self) < str(other)


AnyRef = TypeVar("AnyRef", bound=Ref)


@frozen
class RecipeName(Ref):
    """The name of a recipe: ``NAME``, with ``@SERIES`` if there is one of it for each series.

    ``k3s`` in the series 1.34 is ``k3s@1.34``: another recipe than ``k3s@1.35``, out of the same
    file.
    """

    base: str
    series: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` gave.

        Raises:
            UsageError: there is an ``@`` with nothing before or behind it.
        """
        base, at, series = text.partition("@")
        if at and not (base and series):
            msg = "an '@' stands between a name and its series"
            hint = "for example k3s@1.34; of a target, k3s-riscv64@1.34"
            raise UsageError(msg, where=text, hint=hint)
        return cls(base, series)

    def __str__(self) -> str:
        return f"{self.base}@{self.series}" if self.series else self.base


def _without_half_series(recipe: str) -> str:
    """Another text, if an ``@`` has nothing before or behind it: there is no such recipe."""
    base, at, series = recipe.partition("@")
    return base if at and not (base and series) else recipe


@frozen
class SourceRef(Ref):
    """A source: ``RECIPE/SOURCE``, with ``@ARCH`` if it is for the build machine alone."""

    recipe: str
    name: str
    machine: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        recipe, _, rest = text.partition("/")
        name, _, machine = rest.partition("@")
        return cls(_without_half_series(recipe), name, machine)

    @property
    def overrides(self) -> tuple[str, ...]:
        """What a person may call it, the most exact first.

        ``RECIPE`` alone is a recipe's only source; a recipe without ``@SERIES`` is any of it.
        """
        base = RecipeName.parse(self.recipe).base
        names = (f"{self.recipe}/{self.name}", self.recipe, f"{base}/{self.name}", base)
        return tuple(dict.fromkeys(names))

    @property
    def on_any_machine(self) -> SourceRef:
        """What a trace calls the source: the same name on every build machine."""
        return evolve(self, machine="")

    def __str__(self) -> str:
        machine = f"@{self.machine}" if self.machine else ""
        return f"{self.recipe}/{self.name}{machine}"


@frozen
class PinRef(Ref):
    """A pin: ``RECIPE/NAME``."""

    recipe: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        recipe, _, name = text.partition("/")
        return cls(_without_half_series(recipe), name)

    def __str__(self) -> str:
        return f"{self.recipe}/{self.name}"


@frozen
class SetRef(Ref):
    """A set of Go modules: its source, with ``:FOLDER`` if go.mod is not at the root.

    ``:FOLDER/go.work`` is the set of a workspace, as packages in the folder see it.
    """

    source: SourceRef
    directory: str = "."

    @classmethod
    def parse(cls, text: str) -> Self:
        source, _, directory = text.partition(":")
        return cls(SourceRef.parse(source), directory or ".")

    def __str__(self) -> str:
        return str(self.source) if self.directory == "." else f"{self.source}:{self.directory}"
