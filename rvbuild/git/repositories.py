"""Where the repositories of this run may be.

Knows: mirrors, the user's git. Must not know: what is looked for in one.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Self, TypeVar

from attrs import field, frozen

from rvbuild.core.errors import SourceError
from rvbuild.git.clone_urls import host_of, is_git_url
from rvbuild.git.clones import Clones
from rvbuild.git.process import Failed, Git, Refused, Silent
from rvbuild.git.remote_errors import Suspect
from rvbuild.git.repository import objects_folder
from rvbuild.transfers.addresses import local_path
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.servers import Servers, Silence
from rvbuild.transfers.urls import shown
from rvbuild.transfers.waits import Waits

T = TypeVar("T")
Note = Callable[[str, Failed], None]
"""Called with an address, and why it is no repository."""


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
        waits: Says for whom a run waits.
        servers: Those that gave no answer to git. They are not those of other transfers, since git
            may have proxies of its own.
    """

    mirrors: Mirrors
    clones: Clones
    environment: Mapping[str, str] = field(repr=False)
    offline: bool = False
    stall: float = 60.0
    cancellation: Cancellation = field(factory=Cancellation)
    waits: Waits = field(factory=Waits)
    servers: Servers = field(factory=lambda: Servers(time.monotonic))
    _looks: dict[str, Failed | None] = field(factory=dict, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

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
            waits=services.waits,
        )

    def git(self) -> Git | None:
        """The user's git; None if it is not installed."""
        program = shutil.which("git", path=self.environment.get("PATH"))
        if program is None:
            return None
        return Git(program, self.environment, self.stall, self.cancellation, self.waits)

    def ask(self, git: Git, address: str, question: Callable[[], T]) -> T:
        """Ask a server by git, unless it or the proxy before it was given up.

        Args:
            git: The user's.
            address: What is asked for.
            question: Asks; raises ``Failed`` or ``Refused``.
        """
        host, proxy = host_of(address), git.proxy(address).name
        if silence := self.servers.refusal(host, proxy):
            raise Failed(silence.again, silence.hint)
        try:
            answer = question()
        except Silent as error:
            silence = Silence(str(error), error.hint or "")
            if error.suspect is Suspect.PROXY:
                self.servers.give_up(proxy, silence)
            else:
                behind = proxy if error.suspect is Suspect.EITHER else ""
                self.servers.give_up(host, silence, behind)
            raise
        except (Failed, Refused):
            self._answered(host, proxy)
            raise
        self._answered(host, proxy)
        return answer

    def _answered(self, *way: str) -> None:
        for each in way:
            self.servers.answered(each)

    def is_mirrored(self, url: str, note: Note) -> bool:
        """Whether a mirror of an address is a repository.

        Args:
            url: The address; nobody asks there.
            note: Called with each mirror elsewhere that is none, and why.

        Raises:
            SourceError: see `refuse_no_repository`.
        """
        if any(self._is_repository(mirror, note) for mirror in self.mirrors.of(url)):
            return True
        self.refuse_no_repository(url)
        return False

    def _is_repository(self, mirror: str, note: Note) -> bool:
        path = local_path(mirror)
        if path is not None:
            return objects_folder(path) is not None
        git = None if self.offline or not is_git_url(mirror) else self.git()
        if git is None:
            return False
        with self._lock:
            if mirror not in self._looks:
                try:
                    self.ask(git, mirror, partial(git.look, mirror))
                except Silent as error:  # it may have one: `servers` says when it is asked again
                    note(mirror, error)
                    return False
                except Failed as error:
                    self._looks[mirror] = error
                else:
                    self._looks[mirror] = None
            problem = self._looks[mirror]
        if problem is not None:
            note(mirror, problem)
        return problem is None

    def refuse_no_repository(self, url: str, details: Sequence[str] = ()) -> None:
        """See that each folder is a repository that was named as the mirror of this very one.

        A folder below the mirror of something larger may be missing: not all need be mirrored.

        Args:
            url: The address.
            details: What came of other mirrors.

        Raises:
            SourceError: one is none.
        """
        for mirror in self.mirrors.exact(url):
            path = local_path(mirror)
            if path is not None and objects_folder(path) is None:
                msg = f"the mirror of {shown(url)} is not a git repository"
                hint = "name a bare repository, a clone of one, or its URL"
                raise SourceError(msg, where=str(path), hint=hint, details=tuple(details))
