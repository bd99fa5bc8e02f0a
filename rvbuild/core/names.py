"""Names of what a lock holds: values, each with one parser and one printer.

Knows: how the names are spelled. Must not know: what they name is.
"""

from __future__ import annotations

from attrs import frozen


@frozen(order=True)
class SourceRef:
    """A source: ``RECIPE/SOURCE``, with ``@ARCH`` if it is for the build machine alone."""

    recipe: str
    name: str
    machine: str = ""

    @classmethod
    def parse(cls, text: str) -> SourceRef:
        recipe, _, rest = text.partition("/")
        name, _, machine = rest.partition("@")
        return cls(recipe, name, machine)

    def __str__(self) -> str:
        machine = f"@{self.machine}" if self.machine else ""
        return f"{self.recipe}/{self.name}{machine}"


@frozen(order=True)
class PinRef:
    """A pin: ``RECIPE/NAME``."""

    recipe: str
    name: str

    @classmethod
    def parse(cls, text: str) -> PinRef:
        recipe, _, name = text.partition("/")
        return cls(recipe, name)

    def __str__(self) -> str:
        return f"{self.recipe}/{self.name}"


@frozen(order=True)
class SetRef:
    """A set of Go modules: its source, with ``:FOLDER`` if go.mod is not at the root."""

    source: SourceRef
    directory: str = "."

    @classmethod
    def parse(cls, text: str) -> SetRef:
        source, _, directory = text.partition(":")
        return cls(SourceRef.parse(source), directory or ".")

    def __str__(self) -> str:
        return str(self.source) if self.directory == "." else f"{self.source}:{self.directory}"
