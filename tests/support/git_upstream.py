"""A repository of one Go module that a server has, and a user who fetches it by git or by go."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field
from git_server import serving, smart_http

from rvbuild.core.go_source import GoModule
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.ports.fetcher import AnyFetcher
from rvbuild.kinds.git import fetch as git_fetch
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.go import fetch as go_fetch
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings
from rvbuild.transfers.sinks import DigestSink

PATH, VERSION = "github.com/o/m", "v1.0.0"
URL, OF_GIT = f"https://{PATH}", "https://git.invalid/m"
CONFIG = f'[url "http://127.0.0.1:1/"]\n\tinsteadOf = {URL}\n'
"""Nobody goes to a server that is not of this machine."""
FILES = {
    "go.mod": f"module {PATH}\n\ngo 1.21\n",
    "a.go": "package m\n",
    "deep/b.go": "package deep\n" + "// words\n" * 999,
}
KINDS = ("git", "go")


class OnceSink(DigestSink):
    """Takes nothing twice, as no store does: whoever goes on has written nothing yet."""

    def __init__(self) -> None:
        super().__init__()
        self._paths: set[str] = set()

    def file(self, path: str, chunks: Iterable[bytes], *, executable: bool = False) -> str:
        assert path not in self._paths
        self._paths.add(path)
        return super().file(path, chunks, executable=executable)


@define
class Upstream:
    """A repository with one commit, which a server has, and a user who fetches it.

    Attributes:
        root: All of it is below.
        address: The server's for the repository.
        asked: What the server was asked for.
        path: Where the user's programs are.
        cancellation: Ends the user's runs.
    """

    root: Path
    address: str = ""
    asked: list[str] = field(factory=list)
    path: str = field(factory=lambda: os.environ["PATH"])
    cancellation: Cancellation = field(factory=Cancellation)

    def git(self, *words: str, at: str = "m", given: bytes = b"") -> str:
        environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for who in ("AUTHOR", "COMMITTER"):
            environment |= {f"GIT_{who}_NAME": "A", f"GIT_{who}_EMAIL": "a@b.example"}
            environment |= {f"GIT_{who}_DATE": "2021-02-03T04:05:06Z"}
        done = subprocess.run(
            ["git", *words], cwd=self.root / at, env=environment, check=True, capture_output=True,
            input=given,
        )  # fmt: skip
        return done.stdout.decode().strip()

    def commit(self, **more: str) -> None:
        """Commit the files; the tag is of the last commit."""
        folder = self.root / "m"
        if not folder.exists():
            folder.mkdir()
            self.git("init", "-q")
        for name, text in {**FILES, **more}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x")
        self.git("tag", "-f", VERSION)

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    def client(self, kind: str, mirror: str = "", *, offline: bool = False) -> AnyFetcher:
        """That of a run of its own."""
        (self.root / ".gitconfig").write_text(CONFIG)
        environment = {"PATH": self.path, "GOENV": "off", "GOPROXY": "direct"}
        settings = FetchSettings(
            tmp=str(self.tmp),
            mirrors=tuple((url, mirror or self.address) for url in (URL, OF_GIT)),
            environment={**environment, "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1"},
            offline=offline,
        )
        services = FetchServices(settings, cancellation=self.cancellation)
        return go_fetch.client(services) if kind == "go" else git_fetch.client(services)

    def source(self, kind: str) -> GitSource | GoModule:
        """What upstream has."""
        if kind == "go":
            return GoModule(path=PATH, version=VERSION, h1=self.h1())
        commit, tree = self.git("rev-parse", "HEAD", "HEAD^{tree}").split()
        return GitSource(url=OF_GIT, commit=commit, tree=tree, date=1612325106)

    def h1(self, *, offline: bool = False) -> str:
        """What is locked for the module, with clones of its own or those of the runs before."""
        made = self.client("go", "" if offline else str(self.root / "m"), offline=offline)
        assert isinstance(made, go_fetch.GoClient)
        return made.go_module(PATH, VERSION)

    def fetch(
        self, kind: str, source: GitSource | GoModule, mirror: str = "", *, offline: bool = False
    ) -> str:
        """The tree that comes of a source, in a run of its own."""
        sink = OnceSink()
        self.client(kind, mirror, offline=offline).fetch(source, sink, no_progress)
        return str(sink.tree.root)

    def clone(self) -> Path:
        """The only one that was kept."""
        (clone,) = (self.tmp / "git").iterdir()
        return clone


@contextmanager
def upstream_of(root: Path) -> Iterator[Upstream]:
    """One whose server notes what it is asked for."""
    made = Upstream(root)
    made.commit()
    base, asked = smart_http(root), made.asked

    class Noting(base):  # type: ignore[misc,valid-type]
        def do_POST(self) -> None:  # noqa: N802 - http.server's name
            asked.append(self.path)
            super().do_GET()

    with serving(Noting) as address:
        made.address = f"{address}/m/.git"
        yield made
