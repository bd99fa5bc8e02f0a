"""Results through a cache: rvbuild against tar, `nix copy` and curl, in one run.

    python benchmarks/transfers.py tree FOLDER [--rounds N] [--into DIR]
    python benchmarks/transfers.py far TARGET --store STORE [--mirror FROM=TO]... [--rounds N]
                                   [--into DIR] [--delay MS] [--rate MIB]

tree  FOLDER (a Go toolchain, say) is a result. It is pulled from a zstd cache on an nginx of this
      machine into an empty store, against `tar xf` of the same files and `nix copy` from a zstd
      binary cache on the same nginx; and it is pushed, into a folder and by PUT, against
      `nix copy --to` the same.
far   TARGET, which STORE has (built with --release), is pulled through a proxy that lets each
      answer wait for 50 ms, against one curl of one file with as many bytes. With --rate, the
      proxy is a line of so many MiB a second, too.

"rvbuild" is the command with all that it does: it starts Python, reads recipes, and lays a copy
down that is the user's own. "one process" is the library without the start and without that copy;
of `tree` also without the plan, that is, without recipes and lock.

rvbuild's results are on the disk in the end; those of tar, curl and Nix need not be, so `tar xf`
and `nix copy` with a sync are measured, too. Ratios are medians over rounds. nix (Debian's nix-bin)
is left out if it is not there.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from attrs import frozen
from rounds import Rounds, Way
from web_servers import far_away, nginx

from rvbuild.__main__ import COLLECTION
from rvbuild.app.asked_caches import asked_caches
from rvbuild.app.choices import Choices
from rvbuild.app.push import push_targets
from rvbuild.app.run_caches import opened, substitutes
from rvbuild.app.services import services_of
from rvbuild.app.session import Session, build_architecture
from rvbuild.app.setting import Value
from rvbuild.app.settings import Settings
from rvbuild.app.targets import goals, link_unedited, targets_of
from rvbuild.app.workspace import Workspace
from rvbuild.caches.names import object_name
from rvbuild.cli.options import mirrors
from rvbuild.core.digest import Digest
from rvbuild.core.link import Linked
from rvbuild.core.realisation import Realisation
from rvbuild.engine.build import build
from rvbuild.stores.local import LocalStore

RVBUILD = [sys.executable, "-m", "rvbuild", "-q"]
KEY = "bench"
MANY = f"many-{build_architecture()}"
MILLISECONDS = 600_000  # that nobody took to make it, so that nobody finds making it quicker
RECIPE = """\
summary: many files
license: MIT
homepage: https://example.invalid/
version: "1"
build: nobody runs this
outputs:
  it: {path: tree, kind: tree}
"""
NIX = """\
experimental-features = nix-command
build-users-group =
substitute = false
"""


@frozen
class Project:
    """A project in a folder of its own, whose user signs with a key that it trusts."""

    folder: Path
    mirrors: tuple[str, ...] = ()

    def make(self) -> None:
        """Make it, and let this process and its children be its user."""
        recipe = self.folder / "recipes/many/recipe.yaml"
        recipe.parent.mkdir(parents=True)
        recipe.write_text(RECIPE)
        (self.folder / "rvbuild.lock").touch()
        os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
        for name in ("CONFIG", "CACHE"):
            os.environ[f"XDG_{name}_HOME"] = str(self.folder / "home" / name)
        self.run("keys", "trust", self.run("keys", "new", KEY).strip())
        private = self.folder / f"home/CONFIG/rvbuild/keys/{KEY}.key"
        os.environ["RVBUILD_SIGNING_KEY"] = private.read_text().strip()

    def run(self, *words: str | Path) -> str:
        """The command; what it prints."""
        command = [*RVBUILD, *words]
        ran = subprocess.run(command, cwd=self.folder, stdout=subprocess.PIPE, check=True)
        return ran.stdout.decode()

    def push_by_command(self, target: str, store: Path, cache: str) -> None:
        """`rvbuild push`."""
        self.run("push", target, *self._options(store, f"write {cache}"))

    def pull_by_command(self, target: str, store: Path, cache: str) -> None:
        """`rvbuild pull`; the result appears, unchecked."""
        self.run("pull", target, "--no-check", *self._options(store, f"read {cache}"))

    def _options(self, store: Path, cache: str) -> Iterator[str | Path]:
        yield from ("--store", store, "--cache", f"{KEY}={cache}")
        for each in self.mirrors:
            yield from ("--mirror", each)

    @contextmanager
    def session(self, store: Path, cache: str = "") -> Iterator[Session]:
        """A run in this process."""
        caches = {KEY: cache} if cache else {}
        options: dict[str, Value] = {
            "store": str(store),
            "caches": caches,
            "mirrors": mirrors(self.mirrors),
        }
        workspace = Workspace(str(self.folder), Settings.of_user(os.environ, options))
        with closing(Session(workspace, lambda _event: None, Choices(pull=True))) as session:
            yield session

    def linked(self, target: str, store: Path) -> Linked:
        """The derivations of a target."""
        with self.session(store) as session:
            return _linked(session, target)

    def pull(self, target: str, store: Path, cache: str, linked: Linked | None = None) -> None:
        """Take a result, which is planned first unless ``linked`` is its plan."""
        with self.session(store, f"read {cache}") as session:
            linked = linked or _linked(session, target)
            with session.store.locks.shared(), asked_caches(session, linked) as asked:
                services = services_of(session, asked)
                built = build(linked.derivations, goals(linked), services, jobs=session.jobs())
            built.refuse_failures()

    def push(self, target: str, store: Path, cache: str) -> None:
        """Bring a result."""
        with self.session(store, f"write {cache}") as session:
            push_targets(session, targets_of(session, [target])).refuse_failures()

    def packs(self, target: str, store: Path, cache: str) -> tuple[Digest, ...]:
        """The packs that a cache offers for a target."""
        with self.session(store, f"read {cache}") as session, opened(session) as caches:
            asked = substitutes(session, caches, {})
            offers = asked.find(goals(_linked(session, target))) if asked else {}
            return tuple(pack for each in offers.values() for pack in each.statement.packs)


def _linked(session: Session, target: str) -> Linked:
    return link_unedited(session, targets_of(session, [target]), checks=False)[1]


def make_result(project: Project, store: Path, folder: Path) -> None:
    """Let a store have what is in a folder as the result of `MANY`."""
    digest = goals(project.linked(MANY, store))[0]
    local = LocalStore(str(store))
    with tempfile.TemporaryDirectory(dir=store.parent) as scratch:
        subprocess.run(["cp", "-r", "--preserve=mode", folder, f"{scratch}/tree"], check=True)
        subprocess.run(["chmod", "-R", "u+w", scratch], check=True)
        tree = local.capturer.capture(scratch, lambda _entries, _size: None)
    extent = tree.extent()
    local.realisations.register(
        Realisation(
            key=Digest(digest, 0),
            output=tree.root,
            size=extent.size,
            files=extent.files,
            milliseconds=MILLISECONDS,
        )
    )
    print(f"{extent.files} files, {extent.size / 1e6:.0f} MB")


@frozen
class Nix:
    """A path in a store of Nix of its own, at the folder ``root``."""

    root: Path
    path: str

    @classmethod
    def add(cls, root: Path, folder: Path) -> Nix:
        """Make the store, with a folder in it."""
        os.environ["NIX_CONFIG"] = NIX
        command = ["nix", "--store", f"local?root={root}", "store", "add-path", str(folder)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return cls(root, ran.stdout.decode().strip())

    def push(self, cache: str) -> None:
        """Copy it into a zstd cache."""
        self._copy(f"local?root={self.root}", f"{cache}?compression=zstd")

    def pull(self, cache: str, root: Path) -> None:
        """Copy it out of a cache into an empty store."""
        self._copy(cache, f"local?root={root}")

    def _copy(self, begin: str, end: str) -> None:
        notes = Path(os.environ["XDG_CACHE_HOME"], "nix")  # of what which cache has
        shutil.rmtree(notes, ignore_errors=True)
        command = ["nix", "copy", "--no-check-sigs", "--from", begin, "--to", end, self.path]
        subprocess.run(command, stderr=subprocess.DEVNULL, check=True)


TAR, TAR_SYNCED, NIX_COPY, NIX_SYNCED = "tar xf", "tar xf; sync", "nix copy", "nix copy; sync"
COMMAND, LIBRARY, CURL = "rvbuild", "one process", "curl"


def tree(base: Path, folder: Path, rounds: int) -> None:
    """Pull and push many files."""
    project, store, served = Project(base / "project"), base / "store", base / "served"
    (served / "ours").mkdir(parents=True)
    project.make()
    make_result(project, store, folder)
    subprocess.run(["tar", "cf", base / "tar", "-C", folder, "."], check=True)
    nix = Nix.add(base / "nix", folder) if shutil.which("nix") else None
    project.push(MANY, store, f"{served}/ours")
    if nix:
        nix.push(f"file://{served}/nix")
    with nginx(base / "nginx", served) as web:
        ways = pulls(project, project.linked(MANY, store), nix, base / "tar", web)
        Rounds.of(ways, rounds, base / "into").show("pull", [TAR, TAR_SYNCED, NIX_COPY, NIX_SYNCED])
        for name, root in (("a folder", f"file://{served}"), ("PUT", web)):
            new = served / name.split()[-1]
            ways = pushes(project, store, nix, partial(_address, served, root))
            Rounds.of(ways, rounds, new).show(f"push, {name}", [NIX_COPY])


def _address(served: Path, root: str, folder: Path) -> str:
    """The address of a cache that is empty so far: who sets one up makes its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return f"{root}/{folder.relative_to(served)}"


def pulls(project: Project, linked: Linked, nix: Nix | None, archive: Path, web: str) -> list[Way]:
    """Out of caches on nginx into empty stores."""
    ways = [
        Way(COMMAND, lambda to: project.pull_by_command(MANY, to, f"{web}/ours")),
        Way(LIBRARY, lambda to: project.pull(MANY, to, f"{web}/ours", linked)),
        Way(TAR, lambda to: untar(archive, to)),
        Way(TAR_SYNCED, partial(synced, partial(untar, archive))),
    ]
    if nix:
        ways.append(Way(NIX_COPY, lambda to: nix.pull(f"{web}/nix", to)))
        ways.append(Way(NIX_SYNCED, partial(synced, partial(nix.pull, f"{web}/nix"))))
    return ways


def pushes(
    project: Project, store: Path, nix: Nix | None, address: Callable[[Path], str]
) -> list[Way]:
    """Into caches that are not there yet; ``address`` is that of a folder."""
    ways = [
        Way(COMMAND, lambda to: project.push_by_command(MANY, store, address(to))),
        Way(LIBRARY, lambda to: project.push(MANY, store, address(to))),
    ]
    return [*ways, Way(NIX_COPY, lambda to: nix.push(address(to)))] if nix else ways


def synced(run: Callable[[Path], None], to: Path) -> None:
    """Let it run, and all of it be on the disk then."""
    run(to)
    os.sync()


def untar(archive: Path, folder: Path) -> None:
    """What nobody can be much faster than."""
    folder.mkdir(parents=True)
    subprocess.run(["tar", "xf", archive, "-C", folder], check=True)


def far(base: Path, arguments: argparse.Namespace) -> None:
    """Pull a target from far away."""
    target, store = arguments.target, arguments.store
    project, served = Project(base / "project", tuple(arguments.mirror)), base / "served"
    (served / "ours").mkdir(parents=True)
    project.make()
    project.push_by_command(target, store, f"{served}/ours")
    packs = project.packs(target, store, f"{served}/ours")
    with (served / "whole").open("wb") as whole:
        for pack in packs:
            whole.write((served / "ours" / object_name(pack)).read_bytes())
    size = sum(pack.size for pack in packs)
    print(f"{len(packs)} packs, {size / 1e6:.0f} MB")
    delay, rate = arguments.delay / 1e3, arguments.rate * (1 << 20)
    with nginx(base / "nginx", served) as web, far_away(web, delay, rate) as there:
        ways = [
            Way(COMMAND, lambda to: project.pull_by_command(target, to, f"{there}/ours")),
            Way(LIBRARY, lambda to: project.pull(target, to, f"{there}/ours")),
            Way("the plan alone", lambda to: project.linked(target, to)),
            Way(CURL, lambda to: download(f"{there}/whole", to)),
        ]
        line = f", {arguments.rate:g} MiB a second" if rate else ""
        title = f"pull {target}, {arguments.delay:g} ms away{line}"
        Rounds.of(ways, arguments.rounds, base / "into").show(title, [CURL])


def download(url: str, to: Path) -> None:
    """One curl of one file."""
    subprocess.run(["curl", "-sSf", "-o", to, url], check=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--into", type=Path, help="where all is made, and removed")
    modes = parser.add_subparsers(dest="mode", required=True)
    modes.add_parser("tree").add_argument("folder", type=Path)
    bundle = modes.add_parser("far")
    bundle.add_argument("target")
    bundle.add_argument("--store", type=Path, required=True)
    bundle.add_argument("--mirror", action="append", default=[])
    bundle.add_argument("--delay", type=float, default=50, help="milliseconds")
    bundle.add_argument("--rate", type=float, default=0, help="MiB a second; 0: all that come")
    arguments = parser.parse_args()
    gc.set_threshold(*COLLECTION)  # as the command does
    with tempfile.TemporaryDirectory(dir=arguments.into) as scratch:
        base = Path(scratch).resolve()
        if arguments.mode == "far":
            far(base, arguments)
        else:
            tree(base, arguments.folder.resolve(), arguments.rounds)


if __name__ == "__main__":
    main()
