"""Where the repositories of this run may be.

Knows: mirrors, the user's git. Must not know: what is looked for in one.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from typing import Self

from attrs import field, frozen

from rvbuild.git.clones import Clones
from rvbuild.git.process import Git
from rvbuild.git.repository import objects_folder
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.servers import Servers


@frozen(kw_only=True)
class Repositories:
    """What every `rvbuild.git.search.Search` of a run shares.

    Attributes:
        mirrors: Asked before an address itself.
        clones: Those that are made, and kept.
        environment: The user's; git's configuration and credentials are found through it.
        offline: Only what is on this machine.
        stall: Seconds without progress after which git is given up.
        cancellation: Ends a transfer of git's.
        servers: Those that gave no answer to git. They are not those of other transfers, since git
            may have proxies of its own.
    """

    mirrors: Mirrors
    clones: Clones
    environment: Mapping[str, str] = field(repr=False)
    offline: bool = False
    stall: float = 60.0
    cancellation: Cancellation = field(factory=Cancellation)
    servers: Servers = field(factory=lambda: Servers(time.monotonic))

    @classmethod
    def of(cls, services: FetchServices) -> Self:
        """Those of a run."""
        return cls(
            mirrors=services.mirrors,
            clones=Clones(folder=services.tmp / "git", temp=services.tmp),
            environment=services.settings.environment,
            offline=services.settings.offline,
            stall=services.patience.read,
            cancellation=services.cancellation,
        )

    def git(self) -> Git | None:
        """The user's git; None if it is not installed."""
        program = shutil.which("git", path=self.environment.get("PATH"))
        if program is None:
            return None
        return Git(program, self.environment, self.stall, self.cancellation)

    def mirrored(self) -> frozenset[str]:
        """The addresses, without ``.git``, of which a mirror is a repository of this machine."""
        return frozenset(
            source.removesuffix(".git").rstrip("/")
            for source, target in self.mirrors.rules
            if (folder := local_path(target)) and objects_folder(folder)
        )
