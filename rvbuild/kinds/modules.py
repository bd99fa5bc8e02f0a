"""What the modules of a kind's package give to those who find them through the table.

Knows: the functions that the modules have. Must not know: which kinds there are.
The parameters are ``Any`` where each kind has its own class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from rvbuild.core.ports.fetcher import Fetcher
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.renewal import Renewal
from rvbuild.core.source import Source
from rvbuild.core.upstream_log import UpstreamCommit
from rvbuild.core.upstream_revision import UpstreamRevision
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.description import SourceDescription

if TYPE_CHECKING:
    from rvbuild.transfers.fetch_services import FetchServices


class DescribeModule(Protocol):
    """``describe``: for `show` and pages."""

    def describe_source(self, source: Any) -> SourceDescription: ...  # noqa: ANN401

    def describe_spec(self, spec: Any) -> SourceDescription: ...  # noqa: ANN401


class LogClient(Protocol):
    """The client of a kind whose sources are commits: those that have facts of a commit."""

    def log(self, old: Any, new: Any) -> tuple[UpstreamCommit, ...]: ...  # noqa: ANN401


class RevisionClient(Protocol):
    """The client of a kind whose descriptions are of revisions."""

    def revision(self, spec: Any, name: str) -> UpstreamRevision: ...  # noqa: ANN401


class FetchModule(Protocol):
    """``fetch``: a client of the registry, for all kinds of the package and any thread."""

    def client(self, services: FetchServices) -> Fetcher[Any]: ...


class CandidatesModule(Protocol):
    """``candidates``: what an upstream has; ``client`` is that of ``fetch``."""

    def version_word(self, spec: Any) -> str:  # noqa: ANN401
        """The key of a description whose text chooses a version; empty if none does."""
        ...

    def upstream(self, spec: Any) -> str:  # noqa: ANN401
        """Who is asked: descriptions with the same of it are asked for once; empty: nobody."""
        ...

    def ask(
        self,
        spec: Any,  # noqa: ANN401
        context: ResolveContext,
        client: Any,  # noqa: ANN401
    ) -> VersionListing | Renewal:
        """What upstream has.

        Raises: as `rvbuild.core.ports.registries.Registries`.
        """
        ...


class ResolveModule(Protocol):
    """``resolve``: what a description stands for; ``client`` is that of ``fetch``."""

    def resolve(
        self,
        spec: Any,  # noqa: ANN401
        context: ResolveContext,
        client: Any,  # noqa: ANN401
    ) -> tuple[Source, ...]: ...
