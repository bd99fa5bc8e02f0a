"""Go modules instead of what go.mod says: in the lock, in the program, and by whose word."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, field
from go_command import go, needs_go
from made_modules import MadeModule, module
from site_of_bytes import serve_pages
from sum_log import NAME, SumLog, key_of
from world import HERE, World, repository

pytestmark = needs_go

URL = "https://example.invalid/app"
GO_RECIPE = """\
summary: the go command of this machine
kind: tool
toolbox: none
sources: {{go: {{path: {root}}}}}
exports:
  path: [bin]
  env:
    GOROOT: /in/own-go
    GOFLAGS: -trimpath -mod=readonly -buildvcs=false
    GOTOOLCHAIN: local
    GOENV: "off"
    GOWORK: "off"
    GOPROXY: "off"
    GOSUMDB: "off"
    CGO_ENABLED: "0"
    GOMODCACHE: /in/go-modules
    GOPATH: /tmp/go
    GOCACHE: /tmp/go-cache
"""
_UNUSED = shutil.ignore_patterns("testdata", "*_test.go", "cmd")
SOURCE = """\
summary: the application's source
kind: source
sources: {{app: {{git: "{url}", commit: {commit}}}}}
"""
PROGRAM = """\
summary: the application
version: "1"
architectures: [{arch}]
sources: {{app: {{from: app-source}}}}
inputs:
  build: [own-go]
  go-modules: {{from: app, packages: [.]{instead}}}
build: |
  cd /src/app
  go build -ldflags "-s -w" -o "$out/bin/app" .
outputs: {{app: {{path: bin/app, kind: executable, static: true}}}}
checks:
  - {{run: app, expect: "lib "}}
"""
INSTEAD = """,
    instead: {e.org/lib: {value: v1.1.0, because: [CVE-2026-1], while: v1.0.0}}"""
MAIN = """\
package main

import "e.org/lib"

func main() { println(lib.Text) }
"""
OLD_DEP = module("e.org/dep", "v1.0.0", 'const Text = "dep 1.0"\n')
NEW_DEP = module("e.org/dep", "v1.1.0", 'const Text = "dep 1.1"\n')
OLDER = module("e.org/extra", "v1.0.0", 'const Text = "extra 1.0"\n')
EXTRA = module("e.org/extra", "v1.2.0", 'const Text = "extra 1.2"\n', "e.org/unread v1.0.0")
UNREAD = module("e.org/unread", "v1.0.0", "const X = 1\n")
OLD_LIB = module(
    "e.org/lib", "v1.0.0", 'import "e.org/dep"\n\nconst Text = "lib 1.0 " + dep.Text\n',
    "e.org/dep v1.0.0",
)  # fmt: skip
NEW_LIB = module(
    "e.org/lib", "v1.1.0",
    'import (\n"e.org/dep"\n"e.org/extra"\n)\n\nconst Text = "lib 1.1 " + dep.Text + extra.Text\n',
    "e.org/dep v1.1.0", "e.org/extra v1.2.0", "e.org/unread v1.0.0",
)  # fmt: skip
MODULES = (OLD_DEP, NEW_DEP, OLDER, EXTRA, UNREAD, OLD_LIB, NEW_LIB)
GO_MOD = """\
module e.org/app

go 1.21

require (
	e.org/lib v1.0.0 // main's
	e.org/dep v1.0.0 // indirect
)
"""
NEW = (NEW_LIB, NEW_DEP, EXTRA)
APP = f"app-{HERE}"


@define
class Outside:
    """A project with one program, and what its servers have."""

    world: World
    commit: str
    repository: Path
    pages: dict[str, bytes] = field(factory=dict)

    def program(self, instead: str = INSTEAD) -> None:
        self.world.recipe("app", PROGRAM.format(arch=HERE, instead=instead))

    def modules(self) -> dict[str, str]:
        """The modules that the program says that it was built from."""
        file = self.world.folder / "result" / APP / "bin/app"
        said = go(file.parent, "version", "-m", str(file)).stdout.decode()
        lines = re.findall(r"^\s+(?:dep|=>)\t(\S+)\t(\S+)", said, re.MULTILINE)
        return dict(lines)


@pytest.fixture(scope="module")
def go_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of this machine's Go a step needs to build for this machine."""
    root = Path(go(tmp_path_factory.mktemp("x"), "env", "GOROOT").stdout.decode().strip())
    folder = tmp_path_factory.mktemp("go") / "go"
    for name in ("src", "pkg/tool", "pkg/include"):
        shutil.copytree(root / name, folder / name, ignore=_UNUSED)
    (folder / "bin").mkdir()
    for name in ("bin/go", "VERSION", "go.env"):
        shutil.copy(root / name, folder / name)
    return folder


@pytest.fixture
def outside(world: World, tmp_path: Path, go_root: Path) -> Iterator[Outside]:
    folder = tmp_path / "app"
    sums = "".join(f"{line}\n" for each in (OLD_LIB, OLD_DEP) for line in each.sums)
    commit = repository(folder, {"go.mod": GO_MOD, "go.sum": sums, "main.go": MAIN})
    world.recipe("own-go", GO_RECIPE.format(root=go_root))
    world.recipe("app-source", SOURCE.format(url=URL, commit=commit))
    (world.folder / "rvbuild.toml").write_text(f'[mirrors]\n"{URL}" = "{folder}"\n')
    pages = {path: page for each in MODULES for path, page in each.pages.items()}
    with serve_pages(pages) as served:
        world = world.with_environment(
            GOPROXY=served.url, GOENV="off", GONOPROXY="none", GOSUMDB=key_of(), GONOSUMDB="none"
        )
        found = Outside(world, commit, folder, pages)
        found.program()
        yield found


def _log(*modules: MadeModule) -> SumLog:
    """A checksum database with these modules, among others."""
    others = [f"e.org/n{n} v1.0.0 h1:x\n" for n in range(300)]
    return SumLog(others + ["".join(f"{line}\n" for line in each.sums) for each in modules])


def test_a_module_stands_instead_of_another(outside: Outside):
    world = outside.world
    outside.pages |= _log(*NEW).pages(f"/sumdb/{NAME}")
    ran = world.fine("lock", "app")
    assert "vouches" not in ran.err
    text = (world.folder / "rvbuild.lock").read_text()
    own, _, rest = text.partition("as-upstream:")
    for line in (
        "    upstream: |\n      e.org/lib v1.0.0 go.mod:6\n",
        """    go-mod: |
      replace e.org/lib => e.org/lib v1.1.0
      require e.org/dep v1.1.0
      require e.org/extra v1.2.0
""",
        "    first-seen: |\n"
        + "".join(sorted(f"      {line}\n" for each in NEW for line in each.sums)),
        """    modules: |
      e.org/dep v1.1.0
      e.org/extra v1.2.0
      e.org/lib v1.1.0
""",
    ):
        assert line in own, text
    assert "        e.org/dep v1.0.0\n        e.org/lib v1.0.0\n" in rest
    assert "e.org/unread" not in text

    world.fine(APP)
    assert outside.modules() == {
        "e.org/lib": "v1.1.0", "e.org/dep": "v1.1.0", "e.org/extra": "v1.2.0",
    }  # fmt: skip
    shown = world.fine("show", APP, "--pins").out
    assert "app-source/app e.org/lib = v1.1.0  instead of v1.0.0  (app-source go.mod:6)" in shown
    assert "  because CVE-2026-1\n" in shown

    world.fine("lock", "app", "--check", "--offline")
    (world.folder / "former.lock").write_text(text)
    outside.program(INSTEAD.replace("CVE-2026-1", "CVE-2026-2"))
    world.fine("lock", "app")
    told = world.fine("diff", "former.lock", "rvbuild.lock").out
    value = "v1.1.0 instead of v1.0.0"
    assert f"  app-source/app e.org/lib  {value} -> {value}  (go.mod:6 of app-source " in told
    assert "), because CVE-2026-2\n" in told
    (row,) = world.fine("diff", "former.lock", "rvbuild.lock", "--json").json["modules"]
    assert (row["set"], row["module"]) == ("app-source/app", "e.org/lib")
    assert row["old-override"]["because"] == ["CVE-2026-1"]
    outside.program()
    world.fine("lock", "app")
    world.fine(APP, "--as-upstream")
    assert outside.modules() == {"e.org/lib": "v1.0.0", "e.org/dep": "v1.0.0"}

    commit = repository(outside.repository, {"go.mod": GO_MOD.replace("lib v1.0.0", "lib v1.0.1")})
    world.recipe("app-source", SOURCE.format(url=URL, commit=commit))
    ran = world.run("lock", "app")
    assert ran.code == 3
    ran.said(
        "app-source/app: e.org/lib: upstream has v1.0.1 now, and v1.1.0 is for v1.0.0",
        "upstream: v1.0.1  app-source go.mod:6", "because:  CVE-2026-1",
    )  # fmt: skip


def test_nobody_vouches_and_that_is_told(outside: Outside):
    """Neither the proxy nor the database itself can be asked; quiet runs say so, too."""
    silent = outside.world.with_environment(GOSUMDB=f"{key_of()} http://127.0.0.1:9/")
    ran = silent.fine("lock", "app", "--quiet")
    ran.said("nobody vouches for what came", "e.org/lib@v1.1.0", "cannot be asked")
    (outside.world.folder / "rvbuild.lock").write_text("")
    off = outside.world.with_environment(GOSUMDB="off")
    off.fine("lock", "app", "--quiet").said("e.org/lib@v1.1.0", "GOSUMDB is off")
    (outside.world.folder / "rvbuild.lock").write_text("")
    private = outside.world.with_environment(GONOSUMDB="e.org")
    private.fine("lock", "app", "-q").said("e.org/lib@v1.1.0", "private: GONOSUMDB keeps it")


def test_a_proxy_that_gives_other_bytes_than_the_world_has(outside: Outside):
    """The database has another hash, or no proof of the one that it says."""
    evil = module("e.org/lib", "v1.1.0", "const Text = 1\n", "e.org/dep v1.1.0")
    pages = dict(outside.pages)
    for log, seed, message in (
        (_log(evil, NEW_DEP, EXTRA), None, "the checksum database has another hash of e.org/lib"),
        (_log(*NEW), bytes(32), f"it is not signed by the key of {NAME}"),
        (_log(NEW_DEP, EXTRA), None, "the checksum database does not know e.org/lib@v1.1.0"),
    ):
        outside.pages.clear()
        outside.pages |= pages
        outside.pages |= (
            log.pages(f"/sumdb/{NAME}") if seed is None else log.pages(f"/sumdb/{NAME}", seed)
        )
        ran = outside.world.run("lock", "app")
        assert ran.code in {4, 5}, str(ran)
        ran.said(message)
        assert (outside.world.folder / "rvbuild.lock").read_text() == ""


def test_what_nobody_vouched_for_is_asked_about_again(outside: Outside):
    """Locked without the database; a run that can ask does, and a wrong answer stops it."""
    off, lock = outside.world.with_environment(GOSUMDB="off"), outside.world.folder / "rvbuild.lock"
    off.fine("lock", "app").said("of Go modules; nobody vouches for 3 modules\n")
    text = lock.read_text()
    names = sorted(line.rpartition(" ")[0] for each in NEW for line in each.sums)
    assert "    unvouched: |\n" + "".join(f"      {name}\n" for name in names) in text
    modules = "e.org/dep@v1.1.0, e.org/extra@v1.2.0, e.org/lib@v1.1.0"
    shown = off.fine("show", APP, "--pins").out
    assert f"app-source/app: nobody vouches for 3 Go modules: {modules}\n" in shown
    answer = off.fine("show", APP, "--pins", "--json").json
    assert answer["unvouched"] == {"app-source/app": modules.split(", ")}
    off.fine("lock", "app", "--check", "--offline")
    assert lock.read_text() == text

    evil = module("e.org/lib", "v1.1.0", "const Text = 1\n", "e.org/dep v1.1.0")
    pages = dict(outside.pages)
    outside.pages |= _log(evil, NEW_DEP, EXTRA).pages(f"/sumdb/{NAME}")
    for words in ((), ("--check",)):
        ran = outside.world.run("lock", "app", *words)
        assert ran.code == 5, str(ran)
        ran.said("the checksum database has another hash of e.org/lib@v1.1.0")
        assert lock.read_text() == text

    outside.pages.clear()
    outside.pages |= pages | _log(*NEW).pages(f"/sumdb/{NAME}")
    outside.world.fine("lock", "app", "--check")
    assert lock.read_text() == text  # what can be built from it is what was locked
    assert "vouches" not in outside.world.fine("lock", "app").err
    before, _, after = text.partition("    unvouched: |\n")
    assert before in lock.read_text()
    assert "unvouched" not in lock.read_text()
    assert after.splitlines()[6].startswith("    trace:")
    assert "vouches" not in off.fine("lock", "app").err  # it was vouched for
