"""Names of a lock's entries, as short as a test wants them."""

from __future__ import annotations

from collections.abc import Iterable

from rvbuild.core.names import PinRef, Ref, SetRef, SourceRef

pin, source, go_set = PinRef.parse, SourceRef.parse, SetRef.parse


def texts(refs: Iterable[Ref]) -> set[str]:
    return {*map(str, refs)}
