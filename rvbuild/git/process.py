"""Running git so that nothing but git and its transports can run.

Knows: which of git's environment and settings may pass, how ``cat-file`` and ``fetch`` talk.
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
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from attrs import field, frozen

from rvbuild.core.advice import Hint
from rvbuild.core.errors import SourceError
from rvbuild.git.fetch_progress import GitProgress, Tell
from rvbuild.git.git_proxy import GitProxy, configured_proxies, git_proxy
from rvbuild.git.objects import DamagedObject
from rvbuild.git.remote_errors import Suspect, hint_for, is_silence, suspect
from rvbuild.transfers.cancellation import SLICE, Cancellation
from rvbuild.transfers.proxy_addresses import check_proxy

CHUNK = 1 << 20
WINDOW = 512
"""Objects asked for at once: their names (up to 65 bytes each) fit a pipe: neither side waits."""

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
    """

    program: str
    environment: Mapping[str, str] = field(repr=False)
    stall: float = 60.0
    cancellation: Cancellation = field(factory=Cancellation)
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

    def _config(self, *arguments: str) -> str | None:
        return self._output("config", *arguments)

    def _output(self, *arguments: str) -> str | None:
        """What a command writes that asks no server; None if it fails."""
        process = subprocess.run(  # noqa: S603 - no shell; the URL was checked
            self._command(*arguments),
            env=_network_environment(self.environment),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        text = process.stdout.decode(errors="replace").strip()
        return text if process.returncode == 0 else None

    def fetch(
        self, repository: Path, url: str, refs: Sequence[str], *options: str, tell: Tell
    ) -> None:
        """``git fetch`` of ``refs`` (refspecs) into a bare ``repository``.

        Raises:
            Refused: the server does not give that.
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

    def _ask(self, url: str, words: Sequence[str], cwd: Path, tell: Tell) -> None:
        """Run a command that asks the server of an address; raises as `fetch`."""
        proxy = self.proxy(url)
        environment = _network_environment({**self.environment, **proxy.variables})
        by = f", by {proxy.name}" if proxy.name else ""
        try:
            code, text = self._watched(self._command(*words), environment, cwd, tell)
        except Silent as error:
            msg, hint = f"{error}{by}", hint_for("", proxy.address, proxy.named_by)
            raise Silent(msg, hint) from error  # somebody took the connection
        if code == 0:
            return
        text = proxy.plain(text)
        if _REFUSED.search(text.lower()):
            raise Refused(_last_line(text))
        line = _last_line(text)
        msg, hint = f"{line}{by}", hint_for(text, proxy.address, proxy.named_by)
        if is_silence(text):
            raise Silent(msg, hint, suspect(line, proxy.address))
        raise Failed(msg, hint)

    def _watched(
        self, command: list[str], environment: Mapping[str, str], cwd: Path, tell: Tell
    ) -> tuple[int, str]:
        """Run to the end; give exit code and messages. Killed with its helpers when it stalls."""
        with subprocess.Popen(  # noqa: S603 - no shell; URL and refs were checked and follow --
            command,
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # no terminal to ask on, and one group to kill
        ) as process:
            assert process.stderr is not None  # noqa: S101 - PIPE was asked for
            progress = GitProgress(self.stall, tell)
            try:
                text = _listen(process.stderr.fileno(), progress, self.cancellation)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                raise
            return process.wait(), text


def _listen(descriptor: int, progress: GitProgress, cancellation: Cancellation) -> str:
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


class Objects:
    """Reads objects by name out of an ``objects`` folder. Use as a context manager."""

    def __init__(self, git: Git, objects: Path, like: str) -> None:
        self._git = git
        self._stack = contextlib.ExitStack()
        scratch = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix="rvbuild-git-"))
        )
        make_bare(scratch, like, objects)
        self._repository = scratch
        self._batch = self._start("--batch")

    def _start(self, mode: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - no shell, fixed arguments
            [self._git.program, "--git-dir", str(self._repository), "cat-file", mode],
            env=sealed_environment(self._git.environment),
            cwd=self._repository,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._stack.callback(_end, process)
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def sizes(self, names: Sequence[str]) -> dict[str, int | None]:
        """The size of each object; None: it is not here."""
        check = self._start("--batch-check")
        sizes: dict[str, int | None] = {}
        for name, header in self._headers(check, names):
            sizes[name] = header[1] if header else None
        return sizes

    def _headers(
        self, process: subprocess.Popen[bytes], names: Sequence[str]
    ) -> Iterator[tuple[str, tuple[str, int] | None]]:
        """Ask for each name, in windows; the caller reads the content after a header, if any."""
        assert process.stdin is not None  # noqa: S101 - PIPE was asked for
        assert process.stdout is not None  # noqa: S101 - same
        for start in range(0, len(names), WINDOW):
            window = names[start : start + WINDOW]
            try:
                process.stdin.write("".join(f"{name}\n" for name in window).encode())
                process.stdin.flush()
            except BrokenPipeError as error:
                raise _cut() from error
            for name in window:
                yield name, _header(process.stdout.readline(), name)

    def read(self, kind: str, names: Sequence[str]) -> Iterator[tuple[str, bytes | None]]:
        """Each object's whole content, unverified; None: it is not here."""
        for name, header in self._headers(self._batch, names):
            if header is None:
                yield name, None
                continue
            data = b"".join(self._content(header[1]))
            yield name, data if header[0] == kind else None

    def stream(self, names: Sequence[str]) -> Iterator[tuple[str, int, Iterator[bytes]]]:
        """Each blob's size and unverified chunks, which must be taken before the next blob.

        Raises:
            VerificationError: one is missing, or is no blob.
        """
        for name, header in self._headers(self._batch, names):
            if header is None or header[0] != "blob":
                msg = f"the git repository lacks the blob {name}"
                raise DamagedObject(msg)
            yield name, header[1], self._content(header[1])

    def _content(self, size: int) -> Iterator[bytes]:
        assert self._batch.stdout is not None  # noqa: S101 - PIPE was asked for
        remaining = size
        while remaining:
            chunk = self._batch.stdout.read(min(CHUNK, remaining))
            if not chunk:
                raise _cut()
            remaining -= len(chunk)
            if not remaining:
                self._batch.stdout.read(1)  # the newline after the content
            yield chunk
        if size == 0:
            self._batch.stdout.read(1)
            yield b""


def _header(line: bytes, name: str) -> tuple[str, int] | None:
    parts = line.split()
    if len(parts) == 3 and parts[0].decode() == name and parts[2].isdigit():
        return parts[1].decode(), int(parts[2])
    if line == f"{name} missing\n".encode():
        return None
    raise _cut()


def _cut() -> DamagedObject:
    return DamagedObject("git stopped while it read objects: the repository is damaged")


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    process.kill()
    process.wait()
