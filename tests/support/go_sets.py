"""Which modules a program needs: by the go command with a network, and by rvbuild's rounds.

`held_against_go` is one trial of `tests/property/test_go_graphs.py` and of
`tests/long/go/graphs.py`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from random import Random

from attrs import define, field, frozen
from go_command import GO, go
from go_graphs import PATHS, GoGraph, draw, draw_in_workspace, versions_of, write_graph

from rvbuild.core.derivation import Derivation, Fetch, Merge, Step
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RvbuildError
from rvbuild.core.gomod import parse_go_mod
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.names import SetRef, SourceRef
from rvbuild.core.source import Source
from rvbuild.core.tree import Nested, file_at
from rvbuild.engine.go_instead import said_of
from rvbuild.engine.go_list import GoList
from rvbuild.engine.resolve import Resolver
from rvbuild.kinds.clients import SourceClients
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.stores.local import LocalStore
from rvbuild.transfers.fetch_settings import FetchSettings

Modules = frozenset[tuple[str, str]]
BUILD_ARCH = "amd64"
_RECIPES = {
    "base-toolbox": "kind: tool\ntoolbox: none\nsources: {b: {path: toolbox}}\n",
    "go": """\
kind: toolchain
toolbox: none
architectures: [riscv64, arm64, amd64]
sources: {g: {path: toolbox}}
exports:
  env: {GOMODCACHE: /in/go-modules, GOARCH: "${arch}", GOPROXY: "off", GOFLAGS: -mod=readonly}
""",
    "app": """\
architectures: [%s]
sources: {app: {path: app}}
inputs: {build: [go], go-modules: {from: app, packages: [./...], tags: [%s], %s}}
build: x
""",
}


@frozen
class Verdict:
    """What one graph gave.

    Attributes:
        truth: The modules that the go command downloads; None if it cannot build the program.
        ours: Those of the lock.
        importing: Those that have an imported package.
        go_sum: Those that go.sum has a zip of.
        error: Why there is no truth.
    """

    truth: Modules | None
    ours: Modules
    importing: Modules
    go_sum: Modules
    error: str = ""


@define
class _Machine:
    """Realises derivations on this machine: sources by the real clients, steps by its ``go``."""

    folder: Path
    app: Path
    clients: SourceClients
    store: LocalStore
    _roots: dict[str, Digest] = field(factory=dict, init=False)

    def __call__(
        self, derivations: Mapping[str, Derivation], wanted: Iterable[str]
    ) -> dict[str, Digest]:
        return {digest: self._output(derivations, digest) for digest in wanted}

    def root(self, source: Source) -> Digest:
        fetch = Fetch(source=source)
        return self._output({fetch.digest: fetch}, fetch.digest)

    def nested(self, root: Digest) -> Nested:
        return self.store.trees.tree(root).nested()

    def read(self, blob: Digest) -> bytes:
        return self.store.cas.read(blob)

    def _output(self, derivations: Mapping[str, Derivation], digest: str) -> Digest:
        if digest not in self._roots:
            self._roots[digest] = self._made(derivations, derivations[digest])
        return self._roots[digest]

    def _made(self, derivations: Mapping[str, Derivation], derivation: Derivation) -> Digest:
        if isinstance(derivation, Merge):
            parts = [(path, self._output(derivations, part)) for path, part in derivation.parts]
            return self.store.trees.merge(parts).root
        if isinstance(derivation, Step):
            return self._run(derivations, derivation)
        source = derivation.source
        if derivation.by is not None:
            tree = self.nested(self._output(derivations, derivation.by.derivation))

            def read(path: str) -> bytes | None:
                node = file_at(tree, path)
                return None if node is None else self.read(node.digest)

            source = source.with_files(read, derivation.by.path)
        with self.store.trees.new_tree() as into:
            self.clients.fetch(source, into, lambda _done, _total: None)
            return into.commit().root

    def _run(self, derivations: Mapping[str, Derivation], step: Step) -> Digest:
        """The step's script, with the folders of this machine instead of the sandbox's."""
        cache = self._output(derivations, step.inputs_at[-1].derivation)
        scratch = self.folder / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        script = step.script.replace("/src/module", str(self.app))
        script = script.replace("/in/go-modules", self.store.mountable.path(cache))
        own = {
            "PATH": f"{Path(GO or '').parent}:/usr/bin:/bin",
            "GOMODCACHE": self.store.mountable.path(cache),
            "GOCACHE": str(self.folder / "go-build"),
            "GOTOOLCHAIN": "local",
            "GOSUMDB": "off",
            "TMPDIR": str(scratch),
            "out": str(scratch),
        }
        done = subprocess.run(
            ["sh", "-eu", "-c", script],
            env={**dict(step.environment), **own},
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RvbuildError(done.stderr.decode())
        with self.store.trees.new_tree() as into:
            for name in ("missing", "go-mods", "go.mod", "go.sum"):
                if (scratch / name).exists():
                    into.file(name, [(scratch / name).read_bytes()])
            return into.commit().root


def held_against_go(seed: int, folder: Path, *, workspace: bool = False) -> Verdict:
    """Draw the graph of a seed, and ask the go command and rvbuild which modules it needs."""
    graph = draw_in_workspace(seed) if workspace else draw(seed)
    proxy, app = folder / "proxy", folder / "app"
    write_graph(graph, seed, proxy, app)
    error = _go_sum(graph, seed, proxy, app)
    truth, importing = _by_go(graph, proxy, app)
    files = [app / "go.sum", app / "go.work.sum", app / "lib/go.sum"]
    go_sum = "".join(file.read_text() for file in files if file.exists())
    sums = [line.split() for line in go_sum.splitlines() if line]
    if truth is None:
        return Verdict(None, frozenset(), frozenset(), frozenset(), error)
    return Verdict(
        truth=truth,
        ours=_by_rvbuild(graph, folder, proxy, app),
        importing=importing,
        go_sum=frozenset((path, version) for path, version, *_ in sums if "/go.mod" not in version),
    )


def _go_sum(graph: GoGraph, seed: int, proxy: Path, app: Path) -> str:
    """Write go.sum: of all that the module needs, or of what was needed so far; then old lines."""
    settings = {"GOPROXY": f"file://{proxy}", "GOFLAGS": "-mod=mod -modcacherw", "GOWORK": "off"}
    chance = Random(seed)  # noqa: S311
    work = settings | {"GOFLAGS": "-modcacherw", "GOWORK": ""}
    if graph.library is not None:
        go(app / "lib", "mod", "tidy", "-e", **settings)
    if chance.random() < 0.5:
        done = [go(app, "mod", "tidy", "-e", **settings)]
    else:
        tags = ",".join(graph.tags)
        done = [
            go(app, "list", "-deps", "-tags", tags, "./...", GOARCH=arch, **settings)
            for arch in graph.architectures
        ]
    if graph.library is not None:  # listing writes go.work.sum
        done += [
            go(app, "list", "-deps", "-tags", ",".join(graph.tags), "./...", GOARCH=arch, **work)
            for arch in graph.architectures
        ]
    lines = [
        f"{each.path} {each.version}{end} h1:{'A' * 43}=\n"
        for each in graph.stale
        for end in ("", "/go.mod")
    ]
    file = app / "go.sum"
    if file.exists() or lines:  # a module without dependencies has none
        text = file.read_text() if file.exists() else ""
        file.write_bytes(_respelled(text + "".join(lines), chance).encode())
    return "".join(each.stderr.decode() for each in done)


def _respelled(text: str, chance: Random) -> str:
    """The same go.sum to the go command, as editors and merges leave it."""
    lines = text.splitlines()
    if chance.random() < 0.3:  # of two hashes the first counts
        lines += [f"{line.partition(' h1:')[0]} h1:{'B' * 43}=" for line in lines]
    if chance.random() < 0.3:
        lines += [*lines, "", ""]
    end = chance.choice(["\n", "\r\n"])
    return end.join(lines) + chance.choice([end, ""])


def _by_go(graph: GoGraph, proxy: Path, app: Path) -> tuple[Modules | None, Modules]:
    """What the go command downloads for the program, and what it says that packages are of."""
    cache = app.parent / "truth"
    form = (
        "{{with .Module}}{{with .Replace}}{{.Path}} {{.Version}}{{else}}{{.Path}} {{.Version}}"
        "{{end}}{{end}}"
    )
    words: set[str] = set()
    for arch in graph.architectures:
        done = go(
            app,
            *("list", "-deps", "-tags", ",".join(graph.tags), "-f", form, "./..."),
            GOARCH=arch,
            GOPROXY=f"file://{proxy}",
            GOFLAGS="-mod=readonly -modcacherw",
            GOMODCACHE=str(cache),
        )
        if done.returncode:
            return None, frozenset()
        words |= set(done.stdout.decode().splitlines())
    pairs = (line.split() for line in words)
    importing = frozenset((pair[0], pair[1]) for pair in pairs if len(pair) == 2)
    return frozenset(_downloaded(cache / "cache/download")), importing - _folders(importing)


def _folders(modules: Modules) -> Modules:
    return frozenset(module for module in modules if module[0].startswith("./"))


def _downloaded(cache: Path) -> Iterable[tuple[str, str]]:
    for file in cache.rglob("*.zip"):
        path = str(file.parent.parent.relative_to(cache))
        yield _plain(path), _plain(file.name.removesuffix(".zip"))


def _plain(escaped: str) -> str:
    first, *others = escaped.split("!")
    return first + "".join(part[0].upper() + part[1:] for part in others)


def held_with_another(seed: int, folder: Path) -> tuple[Modules | None, Modules]:
    """The same for a graph in which another version stands instead of what go.mod says.

    The first is what the go command downloads for a program whose go.mod it edited, and brought up
    to date, by itself; None if it cannot.
    """
    graph = draw(seed)
    proxy, app, edited = folder / "proxy", folder / "app", folder / "edited"
    write_graph(graph, seed, proxy, app)
    _go_sum(graph, seed, proxy, app)
    chance = Random(seed)  # noqa: S311
    go_mod = parse_go_mod((app / "go.mod").read_text())
    required = sorted({each.path for each in go_mod.requirements} & {*PATHS})
    if not required:
        return None, frozenset()
    module = chance.choice(required)
    found = said_of(go_mod, module)
    assert found is not None
    value = chance.choice([each for each in versions_of(module) if each != found[0]])
    shutil.copytree(app, edited)
    go(edited, "mod", "edit", f"-replace={module}={module}@{value}")
    for arch in graph.architectures * 2:
        words = ("list", "-deps", "-tags", ",".join(graph.tags), "./...")
        settings = {"GOPROXY": f"file://{proxy}", "GOFLAGS": "-mod=mod -modcacherw"}
        if go(edited, *words, GOARCH=arch, **settings).returncode:
            return None, frozenset()
    truth, _ = _by_go(graph, proxy, edited)
    if truth is None:
        return None, frozenset()
    instead = f"instead: {{{module}: {{value: {value}, because: [x], while: '{found[0]}'}}}}"
    return truth, _by_rvbuild(graph, folder, proxy, app, instead)


def _by_rvbuild(
    graph: GoGraph, folder: Path, proxy: Path, app: Path, more: str = "workspace: false"
) -> Modules:
    """The set that a lock has; ``more`` are keys of the recipe's set."""
    (folder / "toolbox").mkdir()
    environment = {"GOPROXY": f"file://{proxy}", "GOENV": "off"}
    clients = SourceClients(FetchSettings(tmp=str(folder / "tmp"), environment=environment))
    store = LocalStore(str(folder / "store"), durable=False)
    machine = _Machine(folder, app, clients, store)
    texts = dict(_RECIPES)
    more = more if graph.library is None else "workspace: true"
    texts["app"] %= ", ".join(graph.architectures), ", ".join(graph.tags), more
    recipes = {
        name: read_recipe(
            text.replace("{path: ", f"{{path: {folder}/").encode(), name, f"{name}.yaml"
        )
        for name, text in texts.items()
    }
    targets = [Target("app", arch) for arch in graph.architectures]
    found = RecipeGraph(targets, lambda name, _at=None, _series="": recipes[name], BUILD_ARCH)
    go_list = GoList(found, machine, BUILD_ARCH)
    resolver = Resolver(
        recipes=found,
        registries=clients,
        trees=machine,
        needed=go_list,
        changed=go_list.changed,
        build_arch=BUILD_ARCH,
    )
    try:
        lock = resolver.lock([recipes["app"]])
    finally:
        clients.close()
    scope = "." if graph.library is None else "go.work"
    modules = lock.go_modules[SetRef(SourceRef("app", "app"), scope)].modules
    return frozenset(module[:2] for module in modules)
