"""Recipes with every kind of source, pin and module set, and the lock that fits them.

No network and no files: what is outside answers by rule, trees are texts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from answers import answer
from attrs import define, field, frozen

from rvbuild.core.contents import refuse_two_contents
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import INDEPENDENT, RecipeGraph, Target
from rvbuild.core.link import Linker
from rvbuild.core.lock import GoModuleSet, Lock
from rvbuild.core.locked import Locked
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.question import User
from rvbuild.core.recipe import Recipe
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.source import Source
from rvbuild.core.spec import SourceSpec
from rvbuild.core.tree import File, Nested
from rvbuild.engine.resolve import Resolver
from rvbuild.engine.source_files import SourceFiles
from rvbuild.engine.sources import Registries
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.url.source import UrlSource
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

ARCH = "amd64"
H1 = "h1:" + "A" * 43 + "="
H2 = "h1:" + "B" * 43 + "="

GO_MOD = "module e.org/k\n\nrequire (\n\te.org/lib v1.2.5\n\te.org/a v1.0.0\n)\n"
GO_SUM = "".join(
    f"e.org/{name} {version} {H1}\ne.org/{name} {version}/go.mod {H2}\n"
    for name, version in (("a", "v1.0.0"), ("b", "v1.1.0"), ("lib", "v1.2.5"))
)
FILES = {"go.mod": GO_MOD, "go.sum": GO_SUM, "version.sh": "LIB=v1.2.5\n", "VERSION": "x\n7\n"}

RECIPES = {
    "base-toolbox": """\
kind: tool
toolbox: none
sources: {debian: {debian: [bash, make], suite: bookworm, without: [perl]}}
""",
    "upstream": f"""\
kind: source
sources: {{k: {{git: 'https://e.org/k', commit: {"1" * 40}}}}}
""",
    "go": """\
kind: tool
version: {from: upstream, regex: "LIB=v(\\\\S+)", file: version.sh}
sources: {go: {go-toolchain: "${version}"}}
build: x
""",
    "cc": """\
kind: tool
sources: {zig: {pypi: Zig.Lang, version: 0.13.0}}
build: x
""",
    "lib": f"""\
version: {{from: upstream, go-module: e.org/lib}}
date: {{from: upstream, git: date}}
pins:
  tag: {{first-of: [{{from: upstream, shell: LIB, file: version.sh}}, {{literal: v1.2.5}}]}}
  line: {{from: upstream, line: 2, file: VERSION, prefix: r}}
  short: {{first-of: [{{from: upstream, git: short}}, {{literal: '{"1" * 8}'}}]}}
  chosen: {{first-of: [{{literal: "2"}}, {{from: upstream, line: 2, file: VERSION}}], prefer: 1}}
sources:
  module: {{go-module: e.org/lib, version: "${{version}}"}}
  summed: {{go-module: e.org/a, version: v1.0.0, go-sum: upstream}}
  pinned: {{url: 'https://e.org/p-1.tar.gz', sha256: {"ab" * 32}}}
  free: {{url: 'https://e.org/f-1.tar.gz', strip: 2}}
  plain: {{url: 'https://e.org/file', unpack: false, sha256: {"cd" * 32}}}
  mirrored:
    url: https://e.org/m-1.tar.gz
    sha256: {"ef" * 32}
    debian-source: {{package: m, file: m_1.orig.tar.gz}}
  part: {{git: 'https://e.org/k', commit: {"3" * 40}, paths: [docs, src]}}
  there: {{debian: [libc6], suite: bookworm, architecture: riscv64}}
  folder: {{path: ../../there}}
inputs: {{build: [go, cc], go-modules: {{from: upstream, packages: [./x]}}}}
build: x
outputs: {{it: {{path: out.txt}}}}
checks: [{{run: "true"}}]
""",
    "user": """\
inputs: {build: [go], target: [lib], go-modules: {from: upstream, packages: []}}
architectures: [amd64]
build: x
""",
}


SNAPSHOT = Snapshot.parse("20260830T142311Z")


@frozen
class Outside:
    """Registries that answer by rule; ``snapshot`` is when Debian's index was made."""

    snapshot: Snapshot | None = SNAPSHOT

    def git(self, url: str, commit: str, paths: tuple[str, ...], _tag: str = "") -> GitSource:
        tree = commit.replace("1", "2").replace("3", "4")
        return GitSource(url=url, commit=commit, tree=tree, date=1742452828, paths=paths)

    def go_module(self, _path: str, _version: str) -> str:
        return H1

    def go_toolchain(self, _version: str, _platform: str) -> str:
        return H2

    def wheel(self, _project: str, version: str, _arch: str) -> Wheel:
        file = f"zig_lang-{version}-py3-none-manylinux_2_12_x86_64.musllinux_1_1_x86_64.whl"
        return Wheel(project="zig-lang", version=version, filename=file, sha256="5a" * 32)

    def debian(
        self,
        packages: tuple[str, ...],
        suite: str,
        arch: str,
        without: tuple[str, ...],
        earlier: Snapshot | None,
    ) -> tuple[Source, ...]:
        del suite, without, earlier
        return tuple(
            DebianPackage(
                name=name,
                version="1:2.0~rc1-1+b1",
                architecture=arch,
                pool=f"pool/main/{name[0]}/{name}/{name}_2.0~rc1-1+b1_{arch}.deb",
                sha256=Digest.of(f"{name} {arch}".encode()).hash,
                size=1000,
                snapshot=self.snapshot,
            )
            for name in sorted({*packages, "libc6"})
        )

    def url(self, _source: UrlSource) -> str:
        return "90" * 32

    def path(self, _path: str) -> PathSource:
        return PathSource(path="/home/dev/there", digest=f"{7:064}/7")

    def resolve(self, spec: SourceSpec, context: ResolveContext) -> tuple[Source, ...]:
        return answer(self, spec, context)


@define
class Trees:
    """The same files in every source."""

    files: dict[str, str] = field(factory=lambda: FILES)
    blobs: dict[Digest, bytes] = field(factory=dict)

    def root(self, source: Source) -> Digest:
        return Digest.of(source.label.encode())

    def nested(self, _root: Digest) -> Nested:
        self.blobs = {Digest.of(text.encode()): text.encode() for text in self.files.values()}
        return {name: File(Digest.of(text.encode())) for name, text in self.files.items()}

    def read(self, blob: Digest) -> bytes:
        return self.blobs[blob]


def load(name: str, asked_at: str | None = None, _series: str = "") -> Recipe:
    """One of the recipes."""
    if name not in RECIPES:
        raise RecipeError(name, where=asked_at)
    return read_recipe(RECIPES[name].encode(), name, f"recipes/{name}/recipe.yaml")


Meaning = tuple[frozenset[str], tuple[tuple[str, str], ...]]
"""The digests of all derivations, and which one each target is."""


@frozen
class LockWorld:
    """Recipes, the targets that are asked of them, and a lock's text.

    ``text`` fits the recipes.
    """

    load: Callable[[str, str | None], Recipe]
    targets: tuple[Target, ...]
    text: str

    def meaning(self, text: str) -> Meaning:
        """What a lock with this text makes of the targets.

        Raises:
            LockError: the lock is not valid, or not for the recipes.
        """
        lock = read_lock(text.encode(errors="surrogateescape"), "rvbuild.lock")
        refuse_two_contents(lock)
        graph = RecipeGraph(self.targets, self.load, ARCH, checks=False)
        linked = Linker(graph, Locked(lock, graph, ARCH), ARCH).link(self.targets, checks=False)
        results = ((str(target), digest) for target, digest in linked.results.items())
        return frozenset(linked.derivations), tuple(sorted(results))


TARGETS = (*(Target("lib", arch) for arch in ("riscv64", ARCH)), Target("user", ARCH))


def locked(old: Lock, registries: Registries, trees: Trees) -> Lock:
    """The recipes above, locked after an earlier lock."""

    def go_list(
        _users: Sequence[User], files: SourceFiles, _whole: GoModuleSet
    ) -> set[tuple[str, str]]:
        files.source(load("go"), "go", None)
        return {("e.org/a", "v1.0.0")}

    resolver = Resolver(
        recipes=RecipeGraph(TARGETS, load, ARCH),
        registries=registries,
        trees=trees,
        build_arch=ARCH,
        needed=go_list,
        earlier=(old,),
    )
    return resolver.lock([load(name) for name in RECIPES])


def small_world(outside: Outside | None = None) -> LockWorld:
    """The recipes above, locked for the first time."""
    return LockWorld(load, TARGETS, write_lock(locked(Lock(), outside or Outside(), Trees())))


__all__ = [
    "ARCH", "INDEPENDENT", "LockWorld", "Meaning", "Outside", "Trees", "locked", "small_world",
]  # fmt: skip
