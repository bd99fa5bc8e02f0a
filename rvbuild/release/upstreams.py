"""What the upstreams of pins have, each asked once.

Knows: which pins have one upstream. Must not know: what is done with an answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from attrs import define, field

from rvbuild.core.errors import (
    LockError,
    RecipeError,
    RvbuildError,
    SourceError,
    StoreError,
    VerificationError,
)
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.renewal import Renewal
from rvbuild.core.spec import SourceSpec
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.table import candidates_module

Answer = VersionListing | Renewal | RvbuildError
FAULTS = (LockError, RecipeError, SourceError, StoreError, VerificationError)
"""What may go wrong with one upstream, and says nothing of the others."""


class CandidateClients(Protocol):
    """Asks upstreams; see `rvbuild.kinds.clients.SourceClients`."""

    def candidates(self, spec: SourceSpec, context: ResolveContext) -> VersionListing | Renewal: ...


@define
class Upstreams:
    """Asks upstreams; any number of threads may ask at once, and who asks for the same waits.

    Attributes:
        clients: Asks one.
    """

    clients: CandidateClients
    _answers: dict[tuple[str, str], Callable[[], Answer]] = field(factory=dict, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def name(self, spec: SourceSpec) -> str:
        """Who is asked for a description, each ``${…}`` replaced; empty: it has no list."""
        module = candidates_module(spec.answer.kind)
        return module.upstream(spec) if module else ""

    def ask(self, spec: SourceSpec, context: ResolveContext) -> Answer:
        """What the upstream of a description has, or what went wrong, which comes once, too."""
        key = spec.answer.kind, self.name(spec)
        with self._lock:
            answer = self._answers.setdefault(key, _Asked(self.clients, spec, context))
        return answer()


@define
class _Asked:
    """One question, whose answer comes once."""

    clients: CandidateClients
    spec: SourceSpec
    context: ResolveContext
    _answers: list[Answer] = field(factory=list, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def __call__(self) -> Answer:
        with self._lock:
            if not self._answers:
                self._answers.append(self._ask())
            return self._answers[0]

    def _ask(self) -> Answer:
        try:
            return self.clients.candidates(self.spec, self.context)
        except FAULTS as error:
            return error
