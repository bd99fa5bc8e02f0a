"""The port to what tells which content a recipe's description of a source stands for.

Knows: nothing of how registries answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from attrs import frozen

from rvbuild.core.lock import LockedSource
from rvbuild.core.place import Place
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec


@frozen(kw_only=True)
class ResolveContext:
    """What an answer may need beside the description.

    Attributes:
        build_arch: The build machine's architecture.
        folder: The folder of the recipe that asks.
        where: The place of the description, for errors.
        read: Gives a file (second argument: its path) of another source that the recipe has
            under a name (first argument); a LockError if it has none. A description that uses it
            names the file in `SourceSpec.reads`.
        earlier: What an earlier lock has for this source, though it may be no answer any more.
        locked: Returns what the earlier locks have for any source.
    """

    build_arch: str
    folder: str
    where: Place | None
    read: Callable[[str, str], bytes]
    earlier: LockedSource | None = None
    locked: Callable[[], Iterable[LockedSource]] = tuple


class Registries(Protocol):
    """Asks the outside.

    Raises:
        SourceError: nobody has it; every attempt is in ``details``.
        RecipeError: nobody can have it.
        VerificationError: what is there is not what its registry says.
    """

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        """The sources by content that ``spec``, each ``${…}`` replaced, stands for now."""
        ...
