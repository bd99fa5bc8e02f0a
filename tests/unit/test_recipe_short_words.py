"""`go` and `autotools` stand for what a recipe could say itself, to the byte."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from attrs import evolve

from rvbuild.core.errors import RecipeError
from rvbuild.core.graph import RecipeGraph, Target
from rvbuild.core.recipe import Recipe
from rvbuild.core.series import SeriesRecipes
from rvbuild.core.version_check import ASKED
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.recipe import read_recipe

SHIPPED = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))
GO_SOURCE = 'version: v1\nsources: {it: {go-module: e.org/it, version: "${version}"}}\n'
GO = """\
inputs:
  build: [go-current%s]
  go-modules: {from: %s, packages: [%s]%s}
accelerators: [go]
outputs: {it: {path: bin/it, kind: executable, static: true}}
build: |
"""
PLAIN = """\
  cd /src/it
  go build -p "$jobs" -ldflags "-s -w -buildid=" -o "$out/bin/it" .
"""
STAMPED = """\
  cd /src/it
  go build -p "$jobs" -ldflags "-s -w -buildid= -X main.version=$version" \\
    -o "$out/bin/it" ./cmd/it
"""
SHORT = """\
inputs: {build: [tool]}
go:
  source: it
  directory: sub
  tags: [b, a]
  stamps: {e.org/x.V: "${version#v}", e.org/x.W: ""}
"""
LONG = """\
  cd /src/it/sub
  go build -p "$jobs" -tags "b a" \\
    -ldflags "-s -w -buildid=
      -X e.org/x.V=${version#v}
      -X e.org/x.W=" \\
    -o "$out/bin/it" .
"""
C_SOURCE = "version: '1'\nsources: {it: {url: https://e.org/it.tar%s}}\n"
C = "inputs: {build: [zig-cc]}\n"
LIBRARY = """\
build: |
  cd src/it
  ./configure --host="$triplet" --prefix=/usr --enable-static --disable-shared
  make -j "$jobs"
  make install DESTDIR="$out"
  rm "$out/usr/lib"/*.la
"""
FEW_WORDS = """\
inputs: {build: [tool], target: [lib]}
env: {A: b}
outputs: {doc: {path: doc}}
autotools:
  regenerate: true
  configure: [--with-x]
  make: [-C lib, all V=1]
  install: {bin: [src/one], sbin: [two]}
"""
PROGRAMS = """\
toolbox: meson-toolbox
inputs: {build: [zig-cc, tool], target: [lib]}
env: {ACLOCAL: aclocal-1.16, AUTOMAKE: automake-1.16, A: b}
outputs:
  one: {path: bin/one, kind: executable, static: true}
  two: {path: sbin/two, kind: executable, static: true}
  doc: {path: doc}
build: |
  cd src/it
  autoreconf -fi
  ./configure --host="$triplet" --prefix=/usr --with-x
  make -j "$jobs" -C lib
  make -j "$jobs" all V=1
  install -D -t "$out/bin" src/one
  install -D -t "$out/sbin" two
"""


def read(text: str, name: str = "it") -> Recipe:
    """A recipe, without the places of what it says."""
    recipe = read_recipe(text.encode(), name, "it/recipe.yaml")
    uses = {name: evolve(use, where=None) for name, use in recipe.sources.items()}
    return evolve(recipe, sources=uses)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("go: {}\n", GO % ("", "it", ".", "") + PLAIN),
        (
            "go: {package: ./cmd/it, stamps: {main.version: $version}}\n",
            GO % ("", "it", "./cmd/it", "") + STAMPED,
        ),
        (
            "go: {toolchain: go}\n",
            GO.replace("go-current", "go") % ("", "it", ".", "") + PLAIN,
        ),
        (SHORT, GO % (", tool", "it", ".", ", tags: [a, b], directory: sub") + LONG),
    ],
)
def test_go_stands_for_a_script_and_its_inputs(short: str, long: str):
    assert read(GO_SOURCE + short) == read(GO_SOURCE + long)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("autotools: {}\n", C + LIBRARY),
        ("toolbox: other\nautotools: {}\n", f"toolbox: other\n{C}{LIBRARY}"),
        (FEW_WORDS, PROGRAMS),
    ],
)
def test_autotools_stands_for_a_script_and_its_inputs(short: str, long: str):
    assert read(C_SOURCE % "" + short) == read(C_SOURCE % ", writable: true" + long)


def test_the_source_is_the_one_of_the_recipes_name():
    text = "sources: {data: {url: u}, it: {url: v}}\nautotools: {}\n"
    recipe = read(text)
    assert [name for name, use in recipe.sources.items() if use.writable] == ["it"]
    other = read(text.replace("{}\n", "{source: data}\n"))
    assert [name for name, use in other.sources.items() if use.writable] == ["data"]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("go: {}\nbuild: x\n", "'go' says 'build' already", 4),
        ("go: {}\ninputs: {go-modules: {from: it}}\n", "'go' says 'inputs.go-modules' already", 4),
        ("go: {}\noutputs: {it: {path: a}}\n", "'go' says 'outputs.it' already", 4),
        ("go: {}\ninputs: {build: [go-current]}\n", "says 'inputs.build.go-current' already", 4),
        ("go: {toolchain: a}\ninputs: {build: [b, a]}\n", "says 'inputs.build.a' already", 4),
        ("go: {}\naccelerators: [go]\n", "'go' says 'accelerators' already", 4),
        ("go: {}\naccelerators: []\n", "'go' says 'accelerators' already", 4),
        ("go: {}\nautotools: {}\n", "'autotools' says 'go' already", 3),
        ("autotools: {}\ninputs: {build: [zig-cc]}\n", "says 'inputs.build.zig-cc' already", 4),
        ("autotools: {regenerate: true}\nenv: {ACLOCAL: a}\n", "says 'env.ACLOCAL' already", 4),
        ("autotools: {}\nbuild: x\n", "'autotools' says 'build' already", 4),
        (
            "autotools: {install: {bin: [src/a]}}\noutputs: {a: {path: b}}\n",
            "'autotools' says 'outputs.a' already",
            4,
        ),
        ("go: {source: at}\n", "no source of this recipe is called 'at'", 3),
        ("go: {package: 'a b'}\n", "'a b' cannot be here", 3),
        ("go: {directory: '$x'}\n", "cannot be here", 3),
        ("go: {tags: ['a\"b']}\n", "cannot be here", 3),
        ("go: {stamps: {'a b': x}}\n", "a stamp cannot be a b=x", 3),
        ("go: {stamps: {a: 'x y'}}\n", "a stamp cannot be a=x y", 3),
        ("go: {stamps: {a: $(date)}}\n", "a stamp cannot be", 3),
        ("go: {stamps: {a: `date`}}\n".replace("`date`", "'`date`'"), "a stamp cannot be", 3),
        ("go: {stamp: {a: x}}\n", "unknown key 'stamp'", 3),
        ("autotools: {install: {bin: ['a*']}}\n", "'a*' cannot be installed", 3),
        ("autotools: {install: {../bin: [a]}}\n", "'../bin' cannot be installed", 3),
        ("autotools: {install: {bin: [-a]}}\n", "'-a' cannot be installed", 3),
        ("autotools: {mak: [a]}\n", "unknown key 'mak'", 3),
        ("autotools: {install: {bin: [a/x], sbin: [b/x]}}\n", "two programs are called 'x'", 3),
        ("autotools: {install: {bin: [a/x, b/x]}}\n", "two programs are called 'x'", 3),
    ],
)
def test_what_is_said_twice_or_cannot_be_said_is_refused(text: str, message: str, line: int):
    with pytest.raises(RecipeError) as caught:
        read(GO_SOURCE + text)
    assert message in str(caught.value)
    assert str(caught.value.where).startswith(f"it/recipe.yaml:{line}:")


@pytest.mark.parametrize("writable", ["true", "false"])
def test_whether_a_source_can_be_written_is_said_by_the_word(writable: str):
    """There is no rule which of two words wins."""
    with pytest.raises(RecipeError) as caught:
        read(C_SOURCE % f", writable: {writable}" + "autotools: {}\n")
    assert "'autotools' says 'sources.it.writable' already" in str(caught.value)
    assert str(caught.value.where) == "it/recipe.yaml:2:43"


def test_a_word_leaves_what_nobody_asked_it_for():
    """Without `regenerate`, these variables are the recipe's own."""
    assert read(C_SOURCE % "" + "env: {ACLOCAL: a}\nautotools: {}\n").env == {"ACLOCAL": "a"}


def test_somebody_says_which_source_is_built():
    with pytest.raises(RecipeError, match="nobody says which") as caught:
        read("sources: {a: {url: u}, b: {url: v}}\ngo: {}\n")
    assert str(caught.value.hint) == "say `go: {source: NAME}`; there are: a, b"


@pytest.mark.parametrize(
    ("text", "line"), [("go: {}\n", 3), ("go:\n  package: .\n  toolchain: go-current\n", 5)]
)
def test_an_input_that_a_word_stands_for_has_the_place_of_the_word(text: str, line: int):
    assert read(GO_SOURCE + text).at("inputs.build.go-current").line == line


@pytest.mark.parametrize("word", ["go: {}\n", "autotools: {install: {bin: [it]}}\n"])
def test_a_program_that_names_no_toolchain_follows_no_k3s(word: str):
    """So a recipe of somebody's own has one derivation, and the toolbox that its inputs export."""
    recipe = read(GO_SOURCE + word)
    names = SeriesRecipes(lambda name, _at: recipe if name == "it" else SHIPPED.load(name))
    assert [each.name for each in names.every("it")] == ["it"]
    graph = RecipeGraph([Target("it", "riscv64")], names.load, "amd64")
    assert next(each.recipe for each in graph.needs(Target("it", "riscv64"))) == "toolbox"


@pytest.mark.parametrize("name", SHIPPED.names())
def test_no_shipped_recipe_says_at_length_what_a_word_stands_for(name: str):
    """Not the scripts that are the same to the byte; whoever has another one needs it."""
    recipe = SHIPPED.load(name)
    if recipe.build is None or "build" not in recipe.where:
        return
    source = next(iter(recipe.sources), "")
    for short in ("go: {}", "autotools: {}"):
        text = f"version: '1'\nsources: {{{source}: {{url: u}}}}\n{short}\n"
        assert not source or read(text, recipe.base).build != recipe.build


@pytest.mark.parametrize("name", SHIPPED.names())
def test_no_shipped_image_says_by_script_what_a_key_of_it_says(name: str):
    """A folder, its mode, a user, a file of another recipe."""
    text = Path(SHIPPED.path(name) or "", "recipe.yaml").read_text(encoding="utf-8")
    script = text.partition("\nbuild: |\n")[2] if "\nkind: image\n" in text else ""
    assert not re.findall(r"\bmkdir\b|\bchmod\b|/in/(?!recipe/)|>> .*/etc/(?:passwd|group)", script)


@pytest.mark.parametrize("name", SHIPPED.names())
def test_no_shipped_recipe_asks_for_a_version_by_a_command_that_the_word_has(name: str):
    """Text of an output has a version also where it is a part of another one."""
    recipe = SHIPPED.load(name)
    written = recipe.version if isinstance(recipe.version, str) else ""
    numbers = ("${version}", written.removeprefix("v"))
    own = {*numbers, *(f"{recipe.base} {number}" for number in numbers)}
    asked = {f"{recipe.base} {word}" for word in ASKED}
    assert not [each for each in recipe.checks if each.run in asked and each.expect in own]
