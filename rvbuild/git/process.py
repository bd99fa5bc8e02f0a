"""Running git so that nothing but git and its transports can run.

Knows: which of git's environment and settings may pass, how ``fetch`` talks.
Must not know: locks, sinks, mirrors.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from attrs import field, frozen

from rvbuild.core.advice import Hint
from rvbuild.core.errors import SourceError
from rvbuild.git.clone_urls import host_of
from rvbuild.git.fetch_progress import GitProgress, Tell
from rvbuild.git.git_proxy import GitProxy, configured_proxies, git_proxy
from rvbuild.git.git_stopped import refuse_stopped
from rvbuild.git.remote_errors import Suspect, hint_for, is_silence, suspect
from rvbuild.transfers.cancellation import SLICE, Cancellation
from rvbuild.transfers.proxy_addresses import check_proxy
from rvbuild.transfers.waits import Waits

_PROTOCOLS = "https:http:ssh:git"
_SETTINGS = (
    "protocol.ext.allow=never",
    "core.fsmonitor=false",
    f"core.hooksPath={os.devnull}",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "fetch.unpackLimit=1",  # one pack, not a file an object
    "transfer.bundleURI=false",
    "credential.interactive=false",
)
_MOST_REFS = 64 << 20
_OF_ANOTHER_REPOSITORY = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_NAMESPACE",
        "GIT_SHALLOW_FILE",
        "GIT_GRAFT_FILE",
        "GIT_REPLACE_REF_BASE",
        "GIT_TEMPLATE_DIR",
    }
)
_REFUSED = re.compile(
    "not our ref|unadvertised object|couldn't find remote ref|dumb http|"
    "does not support shallow|no such remote ref|server does not allow"
)


class Refused(Exception):  # internal: the caller tries another way
    """The server is there, and does not hand out single commits."""


class Failed(Exception):  # internal: becomes one line of a SourceError
    """A transport of git failed; the text is for one line of a report.

    ``hint`` is what to do, if somebody knows more than usual.
    """

    def __init__(self, message: str, hint: Hint | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Silent(Failed):
    """The server, or the proxy before it, gave no answer at all; ``suspect`` says which."""

    def __init__(
        self, message: str, hint: Hint | None = None, suspect: Suspect = Suspect.EITHER
    ) -> None:
        super().__init__(message, hint)
        self.suspect = suspect


def _network_environment(environment: Mapping[str, str]) -> dict[str, str]:
    others = {
        name: value for name, value in environment.items() if name not in _OF_ANOTHER_REPOSITORY
    }
    return others | {
        "GIT_ALLOW_PROTOCOL": _PROTOCOLS,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


def sealed_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """For reading objects: no configuration or attributes of anybody, no protocol at all."""
    return {
        "PATH": environment.get("PATH", os.defpath),
        "HOME": os.devnull,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C",
    }


@frozen
class Git:
    """The user's git, with the user's configuration where it concerns transports.

    Attributes:
        stall: Seconds without any sign of progress after which a transfer is given up.
        cancellation: Ends a transfer.
        waits: Says for whom a transfer waits.
    """

    program: str
    environment: Mapping[str, str] = field(repr=False)
    stall: float = 60.0
    cancellation: Cancellation = field(factory=Cancellation)
    waits: Waits = field(factory=Waits)
    _proxies: dict[str, GitProxy] = field(factory=dict, init=False, repr=False, eq=False)

    def _command(self, *arguments: str) -> list[str]:
        return [self.program, *(part for s in _SETTINGS for part in ("-c", s)), *arguments]

    def effective_url(self, url: str) -> str:
        """``url`` after ``url.<base>.insteadOf`` of the user's configuration."""
        return self._output("ls-remote", "--get-url", "--", url) or url

    def proxy(self, url: str) -> GitProxy:
        """The proxy that git goes by to an address.

        Raises:
            Failed: it cannot be used.
        """
        try:
            if url not in self._proxies:
                self._proxies[url] = git_proxy(
                    url, self.effective_url(url), self._config, self.environment
                )
            self._proxies[url].check()
        except SourceError as error:
            raise Failed(error.message, error.hint) from error
        return self._proxies[url]

    def refuse_unusable_proxies(self) -> None:
        """See that each proxy of git's configuration can be used; nobody is asked.

        Raises:
            SourceError: one cannot.
        """
        for address, named_by in configured_proxies(self._config):
            check_proxy(address, named_by)

    def look_up(self, folder: str, *arguments: str) -> str | None:
        """What ``git rev-parse`` says of a folder of a repository; None if it fails.

        Args:
            folder: The folder.
            arguments: Options; a name among them was checked not to be one.
        """
        return self._output("-C", folder, "rev-parse", *arguments)

    def _config(self, *arguments: str) -> str | None:
        return self._output("config", *arguments)

    def _output(self, *arguments: str) -> str | None:
        """What a command writes that asks no server; None if it fails.

        Raises:
            GitStopped: it was killed.
        """
        process = subprocess.run(  # noqa: S603 - no shell; the URL was checked
            self._command(*arguments),
            env=_network_environment(self.environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            start_new_session=True,  # ^C is for rvbuild, which decides what ends
        )
        refuse_stopped(process.returncode)
        text = process.stdout.decode(errors="replace").strip()
        return text if process.returncode == 0 else None

    def fetch(
        self, repository: Path, url: str, refs: Sequence[str], *options: str, tell: Tell
    ) -> None:
        """``git fetch`` of ``refs`` (refspecs) into a bare ``repository``.

        Raises:
            Refused: the server does not give that.
            GitStopped: git was killed.
            Failed: anything else.
        """
        arguments = (
            "--progress",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
            *options,
        )
        words = ("--git-dir", str(repository), "fetch", *arguments, "--", url, *refs)
        self._ask(url, words, repository, tell)

    def look(self, url: str) -> None:
        """See that there is a repository at an address.

        Raises:
            Failed: there is none that git can read.
        """
        try:
            self._ask(url, ("ls-remote", "--quiet", "--", url, "HEAD"), Path("/"), lambda _: None)
        except Refused as error:
            raise Failed(str(error)) from error

    def list_refs(self, url: str, *patterns: str) -> str:
        """What ``git ls-remote --symref`` says of the refs at an address that fit a pattern.

        Raises:
            Failed: there is no repository that git can read, or too many refs.
        """
        words = ("ls-remote", "--quiet", "--symref", "--", url, *patterns)
        with tempfile.TemporaryFile() as output:
            try:
                self._ask(url, words, Path("/"), lambda _: None, output.fileno())
            except Refused as error:
                raise Failed(str(error)) from error
            if output.seek(0, os.SEEK_END) > _MOST_REFS:
                msg = f"its list of refs has more than {_MOST_REFS} bytes"
                raise Failed(msg)
            output.seek(0)
            return output.read().decode(errors="replace")

    def _ask(
        self,
        url: str,
        words: Sequence[str],
        cwd: Path,
        tell: Tell,
        output: int = subprocess.DEVNULL,
    ) -> None:
        """Run a command that asks the server of an address; raises as `fetch`.

        ``output`` is the descriptor of a file for what it writes.
        """
        proxy = self.proxy(url)
        environment = _network_environment({**self.environment, **proxy.variables})
        by = f", by {proxy.name}" if proxy.name else ""
        try:
            with self.waits.of(host_of(url), proxy.name, most=self.stall) as answered:
                listen = partial(
                    _listen,
                    progress=GitProgress(self.stall, tell),
                    cancellation=self.cancellation,
                    answered=answered,
                )
                code, text = _watched(self._command(*words), environment, cwd, output, listen)
        except Silent as error:
            msg, hint = f"{error}{by}", hint_for("", proxy.address, proxy.named_by)
            raise Silent(msg, hint) from error  # somebody took the connection
        if code == 0:
            return
        text = proxy.plain(text)
        if _REFUSED.search(text.lower()):
            raise Refused(_last_line(text))
        line = _last_line(text)
        asked = self.effective_url(url)
        msg, hint = f"{line}{by}", hint_for(text, proxy.address, proxy.named_by, url=asked)
        if is_silence(text):
            raise Silent(msg, hint, suspect(line, proxy.address))
        raise Failed(msg, hint)


def _watched(
    command: list[str],
    environment: Mapping[str, str],
    cwd: Path,
    output: int,
    listen: Callable[[int], str],
) -> tuple[int, str]:
    """Run to the end; give exit code and messages. Killed with its helpers when it stalls.

    ``listen`` reads its messages from a descriptor.
    """
    with subprocess.Popen(  # noqa: S603 - no shell; URL and refs were checked and follow --
        command,
        env=dict(environment),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.PIPE,
        start_new_session=True,  # no terminal to ask on, and one group to kill
    ) as process:
        assert process.stderr is not None  # noqa: S101 - PIPE was asked for
        try:
            text = listen(process.stderr.fileno())
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        code = process.wait()
    refuse_stopped(code)
    return code, text


def _listen(
    descriptor: int,
    *,
    progress: GitProgress,
    cancellation: Cancellation,
    answered: Callable[[], None],
) -> str:
    tail = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            cancellation.refuse()
            remaining = progress.left()
            if remaining <= 0:
                msg = f"no progress for {progress.stall:g} s"
                raise Failed(msg) if tail else Silent(msg)
            if not selector.select(min(remaining, SLICE)):
                continue
            data = os.read(descriptor, 1 << 16)
            if not data:
                return tail.decode(errors="replace")
            answered()
            progress.take(data)
            tail = (tail + data)[-8192:]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "remote:"))]
    return (telling or lines or ["git failed without a word"])[-1]


def make_bare(folder: Path, like: str, alternate: Path | None = None) -> None:
    """Make ``folder`` an empty bare repository, for object names as long as ``like``.

    With ``alternate``, another repository's ``objects`` folder, it can read what is there:
    neither that repository's configuration nor its hooks or owner matter then.
    """
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "objects" / "info").mkdir(parents=True, exist_ok=True)
    version, extra = (1, "[extensions]\n\tobjectformat = sha256\n") if len(like) == 64 else (0, "")
    config = f"[core]\n\trepositoryformatversion = {version}\n\tbare = true\n{extra}"
    (folder / "config").write_text(config, encoding="utf-8")
    if alternate is not None:
        line = os.fsencode(alternate.resolve()) + b"\n"
        (folder / "objects" / "info" / "alternates").write_bytes(line)
    # last: a folder without HEAD is no repository yet
    (folder / "HEAD").write_text("ref: refs/heads/none\n", encoding="utf-8")
