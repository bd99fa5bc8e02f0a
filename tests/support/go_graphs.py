"""Random graphs of Go modules in a proxy that is a folder, and a program that uses some of them.

Drawn are what the set of modules of a program hangs on: modules inside modules, major versions,
pseudo-versions, forks that replace modules (also of paths that nest otherwise) and folders that
do, old and new ``go`` lines (so with and without pruning), exclusions, retractions, packages for
one architecture or one tag, tests, requirements that nothing imports, and lines of go.sum that
are left over, of versions that the proxy has not got. With a workspace, a go.work has a second
main module, which the program may import, and replacements of its own.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from attrs import define, field, frozen

from rvbuild.core.gomod import escape_path

PATHS = (
    "e.org/a",
    "e.org/a/b",
    "e.org/a/b/c",
    "e.org/a/v2",
    "e.org/d",
    "e.org/d/e",
    "e.org/D/x",
    "f.org/x/y",
    "f.org/x",
    "g.org/a/b.v1",
)
FORKS = ("fork.org/z", "fork.org/z/deep", "e.org/a/fork")
STALE = ("gone.org/old", "e.org/a", "e.org/d/e", "f.org/x")
GO_LINES = ("1.15", "1.16", "1.17", "1.21", "1.23.0")
PROGRAM, LIBRARY = "main.org/app", "main.org/lib"
TAGGED = {"_riscv64.go": "", "_arm64.go": "", "_test.go": "", "_x.go": "//go:build extra\n\n"}


@frozen(order=True)
class Version:
    """A module in the proxy: its path as required, its version."""

    path: str
    version: str


@define
class ModuleDraft:
    """What a version of a module has."""

    packages: dict[str, set[str]] = field(factory=dict)
    requires: dict[str, str] = field(factory=dict)
    go: str = "1.21"
    retracts: str = ""


@define
class GoGraph:
    """A drawn graph.

    Attributes:
        modules: What the proxy has; a fork's ``module`` line has the path that it replaces, or its
            own.
        main: The program.
        lines: Further lines of its go.mod.
        folders: Modules in folders of the program's source, by folder.
        stale: Lines of go.sum that are left over.
        architectures: What the program is for.
        tags: Its build tags.
        library: Another main module, in ``lib``, if there is a workspace.
        work: Further lines of its go.work.
    """

    modules: dict[Version, ModuleDraft]
    main: ModuleDraft
    lines: list[str]
    folders: dict[str, ModuleDraft]
    stale: list[Version]
    architectures: tuple[str, ...]
    tags: tuple[str, ...]
    library: ModuleDraft | None = None
    work: list[str] = field(factory=list)


def versions_of(path: str) -> list[str]:
    if path.endswith("/v2"):
        return ["v2.0.0", "v2.1.0"]
    if path.endswith(".v1"):
        return ["v1.0.0", "v1.0.1"]
    return ["v0.1.0", "v1.0.0", "v1.1.0", "v1.2.0-0.20200102030405-0123456789ab"]


def draw(seed: int) -> GoGraph:
    """The graph of a seed; imports lead to packages of required modules, so most of them build."""
    chance = Random(seed)  # noqa: S311 - replayed by its seed
    order = list(PATHS)
    chance.shuffle(order)
    modules: dict[Version, ModuleDraft] = {}
    for number, path in enumerate(order):
        below, usual = order[:number], _packages(chance)
        for version in versions_of(path):
            # mostly one version has what the others have: else few programs would build
            packages = _packages(chance) if chance.random() < 0.05 else usual
            modules[Version(path, version)] = _drawn(chance, packages, below, modules)
            if chance.random() < 0.2:
                modules[Version(path, version)].retracts = versions_of(path)[0]
    main = _drawn(chance, _packages(chance), order, modules, least=chance.choice((0, 3, 3, 3)))
    main.go = chance.choice((*GO_LINES, "1.24"))
    replaces, folders = _replacements(chance, main, order, modules)
    if main.go == "1.24" and main.packages:
        replaces.append(f"tool main.org/app/{chance.choice(sorted(main.packages))}".rstrip("/"))
    stale = [Version(path, f"v0.0.{chance.randrange(1, 9)}") for path in STALE]
    chance.shuffle(stale)
    return GoGraph(
        modules=modules,
        main=main,
        lines=replaces,
        folders=folders,
        stale=stale[: chance.randrange(len(stale))],
        architectures=tuple(chance.sample(("riscv64", "arm64", "amd64"), chance.randrange(1, 3))),
        tags=("extra",) if chance.random() < 0.3 else (),
    )


def draw_in_workspace(seed: int) -> GoGraph:
    """The graph of a seed, with a go.work."""
    graph = draw(seed)
    chance = Random(f"{seed} workspace")  # noqa: S311
    paths = sorted({key.path for key in graph.modules} & set(PATHS))
    graph.library = _drawn(chance, _packages(chance), paths, graph.modules, least=2)
    for imports in graph.main.packages.values():
        if chance.random() < 0.7:
            package = chance.choice(sorted(graph.library.packages))
            imports.add(f"{LIBRARY}/{package}".rstrip("/"))
    forks = sorted(key for key in graph.modules if key.path in FORKS)
    if chance.random() < 0.5:
        path = chance.choice(paths)
        graph.modules[Version(FORKS[0], "v1.9.0")] = ModuleDraft(
            packages=_all_packages(path, graph.modules), requires={}
        )
        graph.work.append(f"replace {path} => {FORKS[0]} v1.9.0")
    elif forks and chance.random() < 0.5:
        graph.work.append(f"replace {chance.choice(paths)} => {forks[0].path} {forks[0].version}")
    return graph


def _drawn(
    chance: Random,
    packages: list[str],
    below: list[str],
    modules: Mapping[Version, ModuleDraft],
    least: int = 0,
) -> ModuleDraft:
    """A module that requires and imports some of those drawn before."""
    names = chance.sample(below, min(len(below), chance.randrange(least, least + 4)))
    requires = {name: chance.choice(versions_of(name)) for name in names}
    draft = ModuleDraft(requires=requires, go=chance.choice(GO_LINES))
    for package in packages:
        draft.packages[package] = set()
        for name, version in requires.items():
            if chance.random() < 0.6:
                known = modules[Version(name, version)].packages
                wanted = chance.choice(sorted(known))
                draft.packages[package].add(f"{name}/{wanted}".rstrip("/"))
    return draft


def _packages(chance: Random) -> list[str]:
    return chance.sample(("", "p", "q/r"), chance.randrange(1, 4))


def _replacements(
    chance: Random, main: ModuleDraft, order: list[str], modules: dict[Version, ModuleDraft]
) -> tuple[list[str], dict[str, ModuleDraft]]:
    lines: list[str] = []
    folders: dict[str, ModuleDraft] = {}
    for number, path in enumerate(chance.sample(order, chance.randrange(3))):
        old = modules[Version(path, versions_of(path)[-1])]
        copy = ModuleDraft(packages=_all_packages(path, modules), requires=dict(old.requires))
        copy.go = chance.choice(GO_LINES)
        if chance.random() < 0.3:
            folders[f"local/{number}"] = copy
            lines.append(f"replace {path} => ./local/{number}")
            continue
        fork = Version(chance.choice(FORKS), f"v1.{number}.0")
        modules[fork] = copy
        only = f" {chance.choice(versions_of(path))}" if chance.random() < 0.2 else ""
        lines.append(f"replace {path}{only} => {fork.path} {fork.version}")
    if chance.random() < 0.2:
        path = chance.choice(order)
        if path not in main.requires:
            main.retracts = f"exclude {path} {versions_of(path)[0]}"
    return lines, folders


def _all_packages(path: str, modules: Mapping[Version, ModuleDraft]) -> dict[str, set[str]]:
    """Each package of any version: whoever imports one finds it in the fork."""
    drafts = (draft for key, draft in modules.items() if key.path == path)
    return {package: set() for draft in drafts for package in draft.packages}


# ---- files


def go_mod(path: str, draft: ModuleDraft, more: tuple[str, ...] = ()) -> str:
    requires = "".join(f"require {name} {version}\n" for name, version in draft.requires.items())
    retracts = f"retract {draft.retracts}\n" if draft.retracts.startswith("v") else ""
    excludes = f"{draft.retracts}\n" if draft.retracts.startswith("exclude") else ""
    return f"module {path}\n\ngo {draft.go}\n\n{requires}{retracts}{excludes}{''.join(more)}"


def files_of(path: str, draft: ModuleDraft, seed: int) -> Iterator[tuple[str, str]]:
    """The Go files of a module; some imports stand in files for one architecture or tag only."""
    chance = Random(f"{seed} {path}")  # noqa: S311
    for package, imports in sorted(draft.packages.items()):
        folder = f"{package}/" if package else ""
        name = "main" if path == PROGRAM else f"p{len(package)}"
        body = "\nfunc main() {}\n" if name == "main" else ""
        plain = sorted(imports)
        if plain and chance.random() < 0.25:
            end, head = chance.choice(sorted(TAGGED.items()))
            yield f"{folder}only{end}", f'{head}package {name}\n\nimport _ "{plain.pop()}"\n'
        lines = "".join(f'import _ "{each}"\n' for each in plain)
        yield f"{folder}file.go", f"package {name}\n\n{lines}{body}"


def write_graph(graph: GoGraph, seed: int, proxy: Path, app: Path) -> None:
    """The proxy's files, and the program without its go.sum."""
    for key, draft in graph.modules.items():
        _publish(proxy, key, draft, seed)
    lines = tuple(f"{line}\n" for line in graph.lines)
    _write(app, {"go.mod": go_mod(PROGRAM, graph.main, lines)})
    _write(app, dict(files_of(PROGRAM, graph.main, seed)))
    if graph.library is not None:
        _write(app / "lib", {"go.mod": go_mod(LIBRARY, graph.library)})
        _write(app / "lib", dict(files_of(LIBRARY, graph.library, seed)))
        work = "".join(f"{line}\n" for line in graph.work)
        _write(app, {"go.work": f"go 1.24\n\nuse (\n\t.\n\t./lib\n)\n{work}"})
    for folder, draft in graph.folders.items():
        _write(app / folder, {"go.mod": go_mod("local.org/any", draft)})
        _write(app / folder, dict(files_of(folder, draft, seed)))


def _publish(proxy: Path, key: Version, draft: ModuleDraft, seed: int) -> None:
    text = go_mod(key.path, draft)
    files = {"go.mod": text, **dict(files_of(key.path, draft, seed))}
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(f"{key.path}@{key.version}/{name}", data)
    at = proxy / escape_path(key.path) / "@v"
    at.mkdir(parents=True, exist_ok=True)
    (at / f"{escape_path(key.version)}.zip").write_bytes(to.getvalue())
    (at / f"{escape_path(key.version)}.mod").write_text(text)
    (at / f"{escape_path(key.version)}.info").write_text(
        f'{{"Version":"{key.version}","Time":"2020-01-02T03:04:05Z"}}'
    )
    listed = at / "list"
    lines = listed.read_text() if listed.exists() else ""
    listed.write_text(lines if "-0." in key.version else f"{lines}{key.version}\n")


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
