"""What a move asks for.

Knows: by which name a person says it. Must not know: what follows from it.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.place import Place


@frozen(kw_only=True)
class Ask:
    """A value that nobody can derive.

    Attributes:
        name: By which a person says it: ``end-of-support``, or of another recipe than the one
            that is moved ``RECIPE.end-of-support``.
        where: The place that needs it.
        why: What it is.
    """

    name: str
    where: Place
    why: str
