"""`show`: where each source is from, also one that the lock lacks and nobody here can have."""

from __future__ import annotations

import pytest
from world import HERE, World

pytestmark = pytest.mark.privileged

SHA256 = "274b9b919ef3152bfb3da3a13c950dd60d6e2bcd54230ffeca298d03b40d0525"
URL = "https://example.invalid/lib-1.tar.xz"
LIB = f"""\
sources:
  lib:
    url: https://example.invalid/lib-${{version}}.tar.xz
    sha256: {SHA256}
    debian-source: {{package: lib, file: "lib_${{version}}.orig.tar.xz"}}
"""
ABSENT = (
    "not in the lock: `rvbuild lock lib` where such a place can be reached, "
    "or `--override lib/lib=FOLDER`"
)


@pytest.fixture
def far(world: World) -> World:
    """A project with `lib`, which nobody has locked, and its user `app`."""
    world.step("lib", 'cp /src/lib/it "$out/out.txt"', LIB)
    world.step("app", 'cp /in/lib/out.txt "$out/out.txt"', "inputs: {target: [lib]}\n")
    return world


def lines(world: World, *words: str) -> list[str]:
    return [line.strip() for line in world.fine("show", *words).out.splitlines()]


def test_what_the_lock_lacks_is_shown_with_its_places(far: World):
    said = [
        f"source      lib/lib  url {SHA256[:12]}",
        URL,
        "Debian source package lib: lib_1.orig.tar.xz",
        ABSENT,
    ]
    for target in (f"lib-{HERE}", f"app-{HERE}"):
        shown = lines(far, target)
        assert shown[-4:] == said
        assert any("none yet" in line and "rvbuild.lock does not have lib/lib" in line
                   for line in shown)  # fmt: skip
        found = far.fine("show", "--json", target).json
        assert found["targets"] == {target: None}
        assert [(each["name"], each["derivation"]) for each in found["sources"]] == [
            ("lib/lib", None)
        ]
    closure = lines(far, "--closure", f"app-{HERE}")
    assert (
        f"url           lib-1.tar.xz  {SHA256[:12]}  {URL} or {said[2]}  (not in the lock)"
        in closure
    )
    marked = [line.split()[0] for line in lines(far) if line.endswith("(not in the lock)")]
    assert marked == ["lib"]


def test_each_target_has_its_own_block(far: World):
    """With its own needs and sources, and without what the other one needs."""
    far.step("alone", 'echo > "$out/out.txt"')
    both = lines(far, f"alone-{HERE}", f"app-{HERE}")
    middle = both.index(f"app-{HERE}")
    first, second = both[:middle], both[middle:]
    needs = [[line for line in block if line.startswith("needs")] for block in (first, second)]
    assert [f"lib-{HERE}" in line for (line,) in needs] == [False, True]
    assert not any(f"alone-{HERE}" in line or f"app-{HERE}" in line for (line,) in needs)
    assert not any(line.startswith("source") for line in first)
    assert second[-1] == ABSENT


def test_a_build_and_a_plan_say_how_to_go_on(far: World):
    for words in ((f"app-{HERE}",), ("plan", f"app-{HERE}")):
        ran = far.run(*words)
        assert (ran.code, ran.out) == (3, "")
        ran.said("error: rvbuild.lock does not have lib/lib", "recipes/lib/recipe.yaml:",
                 "hint: run `rvbuild lock lib`, or build with --override lib/lib=FO")  # fmt: skip


def test_a_folder_that_stands_for_it(far: World):
    folder = far.folder / "mine"
    folder.mkdir()
    (folder / "it").write_text("mine\n")
    override = ("--override", f"lib/lib={folder}")
    shown = lines(far, f"lib-{HERE}", *override)
    assert shown[-2].startswith("source      lib/lib  path ")
    assert shown[-1] == str(folder)
    far.fine(f"app-{HERE}", *override)
    assert (far.folder / f"result/app-{HERE}/out.txt").read_text() == "mine\n"


def test_what_is_locked_and_not_here_yet(far: World):
    """Its hash is in the recipe: it is locked without being fetched."""
    far.fine("lock", "lib", "--offline")
    shown = lines(far, f"lib-{HERE}")
    where = "where such a place can be reached, or `--override lib/lib=FOLDER`"
    assert shown[-1] == f"not in the store: fetched {where}"
    found = far.fine("show", "--json", "--closure", f"app-{HERE}").json
    assert isinstance(found["targets"][f"app-{HERE}"], str)
    held = {each["source"]: each for each in found["closure"]}
    assert (held["lib-1.tar.xz"]["stored"], held["lib-1.tar.xz"]["digest"]) == (False, SHA256)
    assert held["lib-1.tar.xz"]["places"][0] == URL
    assert not any(line.endswith("(not in the lock)") for line in lines(far))
    ran = far.run(f"lib-{HERE}", "--offline")
    assert ran.code == 4
    ran.said("lib-1.tar.xz", "hint: first run `rvbuild fetch TARGET` online")


def test_a_pin_out_of_a_source_that_the_lock_lacks(far: World):
    """Also what is read from it, and the modules that nobody listed yet."""
    far.recipe(
        "app",
        """\
summary: app
version: {from: lib, line: 1, file: VERSION}
sources:
  lib: {url: "https://example.invalid/app-${version}.tar.xz"}
inputs:
  go-modules: {from: lib}
build: touch "$out/it"
outputs:
  it: {path: it}
""",
    )
    shown = lines(far, f"app-{HERE}")
    assert "https://example.invalid/app-${version}.tar.xz" in shown
    assert shown[-3:] == [
        "source      app  go-module modules of app",
        "GOPROXY",
        "not in the lock: `rvbuild lock app` where such a place can be reached",
    ]
