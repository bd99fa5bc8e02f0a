"""Overrides that have ended in a run: it goes on, to tell all of them at once.

Knows: which recipe asked for their values. Must not know: how these are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import field, frozen

from rvbuild.core.errors import (
    OverrideEnded,
    RvbuildError,
    raise_failures,
    single_failures,
)


@frozen
class OverrideEnds:
    """The ends that stop each recipe, by name; one that several recipes ask for is one error."""

    _ends: dict[str, list[Exception]] = field(factory=dict, init=False)

    def __bool__(self) -> bool:
        return bool(self._ends)

    @contextmanager
    def apart(self, recipe: str) -> Iterator[None]:
        """While a recipe asks a question: an end is kept for later, anything else is raised."""
        try:
            yield
        except RvbuildError as error:
            ends = single_failures([error])
            if not all(isinstance(each, OverrideEnded) for each in ends):
                raise
            self._ends.setdefault(recipe, []).extend(ends)

    def refuse(self, *errors: Exception) -> None:
        """Raise the ends, and then ``errors``, as one."""
        ends = (each for ends in self._ends.values() for each in ends)
        raise_failures(list(dict.fromkeys([*ends, *errors])))

    def put(self, failures: dict[str, RvbuildError]) -> None:
        """Add the ends to what is wrong with each recipe."""
        for name, ends in self._ends.items():
            former = single_failures([failures[name]] if name in failures else [])
            try:
                raise_failures(list(dict.fromkeys([*ends, *former])))
            except RvbuildError as error:
                failures[name] = error
