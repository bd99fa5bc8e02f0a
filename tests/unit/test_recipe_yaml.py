"""Recipes: each key is read, and each mistake is named with its place."""

import re

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import GoModulesSpec, Ladder, Option, Reading, substitute, substitute_spec
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.go.spec import GoModuleSpec
from rvbuild.kinds.url.spec import UrlSpec
from rvbuild.recipes_yaml.recipe import read_recipe

RUNC = """\
summary: OCI runtime
version: {from: k3s, go-module: github.com/opencontainers/runc, strip-prefix: v}
pins:
  golang:
    first-of:
      - {from: kube, yaml: "a.b", file: d.yaml}
      - {from: kube, line: 1, file: .go-version}
    prefer: 2
sources:
  k3s: {git: "https://example.org/k3s", commit: 76c5c770b21e101f00a32445d3e6fdc325d563b5}
  kube: {url: "https://example.org/kube-${version}.tar.gz", writable: true}
inputs:
  build: [go, zig-cc]
  target: [libseccomp]
  go-modules: {from: k3s, packages: [./cmd/x], tags: [b, a], cgo: true}
per-architecture:
  riscv64: {triplet: riscv64-linux-musl}
build: |
  echo hello
outputs:
  runc: {path: bin/runc, kind: executable, static: true}
checks:
  - {run: runc --version, expect: seccomp}
accelerators: [go]
limits: {timeout: 60}
"""
MINIMAL = "build: x\n"


def read(text: str):
    return read_recipe(text.encode(), "runc", "recipes/runc/recipe.yaml")


def test_every_part_is_read():
    recipe = read(RUNC)
    assert recipe.version == Reading(
        source="k3s",
        reader="go-module",
        argument="github.com/opencontainers/runc",
        file="go.mod",
        strip_prefix="v",
    )
    ladder = recipe.pins["golang"]
    assert isinstance(ladder, Ladder)
    assert (ladder.prefer, [rung.reader for rung in ladder.rungs]) == (2, ["yaml", "line"])
    assert isinstance(recipe.sources["k3s"].spec, GitSpec)
    assert recipe.sources["kube"].writable
    assert recipe.build_inputs == ("go", "zig-cc")
    assert recipe.go_modules == GoModulesSpec(
        source="k3s", packages=("./cmd/x",), tags=("a", "b"), cgo=True
    )
    assert recipe.outputs["runc"].static
    assert recipe.checks[0].expect == "seccomp"
    assert recipe.timeout == 60
    assert str(recipe.at("inputs.build.zig-cc")) == "recipes/runc/recipe.yaml:13:15"


@pytest.mark.parametrize(
    ("text", "line", "says", "hint"),
    [
        ("biuld: x\n", 1, "unknown key 'biuld'", "did you mean 'build'?"),
        ("build: x\nkind: pakage\n", 2, "'kind' cannot be 'pakage'", "did you mean 'package'?"),
        ("build: x\nkind: [a]\n", 2, "'kind' must be one value", None),
        ("build: x\narchitectures: riscv64\n", 2, "must be a list", None),
        ("build: x\narchitectures: [riscv]\n", 2, "cannot be 'riscv'", "did you mean 'riscv64'?"),
        ("build: x\ninputs: {build: [a, a]}\n", 2, "listed twice", None),
        ("build: x\npins: {a-b: 1}\n", 2, "not a variable name", "letters"),
        ("build: x\npins: {arch: 1}\n", 2, "set by rvbuild itself", "another name"),
        ("build: x\nversion: {from: a}\n", 2, "exactly one reader", "go-module"),
        ("build: x\nversion: {from: a, line: 1, shell: B, file: f}\n", 2, "exactly one", None),
        ("build: x\nversion: {from: a, regex: '(', file: f}\n", 2, "regular expression", None),
        ("build: x\nversion: {from: a, regex: 'x', file: f}\n", 2, "exactly 1 group", None),
        ("build: x\nversion: {from: a, git: tag}\n", 2, "cannot be 'tag'", "one of: commit"),
        ("build: x\nsources: {a: {git: u, commit: v1.0}}\n", 2, "whole commit name", "rev-parse"),
        ("build: x\nsources: {a: {url: u, sha256: abc}}\n", 2, "64 lower-case hex", None),
        ("build: x\nsources: {a: {git: u, url: u}}\n", 2, "exactly one kind", None),
        ("build: x\nsources: {a: {debian: [], suite: s}}\n", 2, "must have something", None),
        ("build: x\nsources: {a: {url: 'https://u:p@h/'}}\n", 2, "must not have a login", "netrc"),
        ("build: x\nsources: {a: {git: 'HTTP://token@h/'}}\n", 2, "must not have", "netrc"),
        ("build: x\nsources: {a: {git: 'ssh://git:secret@h/'}}\n", 2, "must not have", "netrc"),
        ("build: x\nsources: {a: {go-toolchain: go1.22.0}}\n", 2, "without 'go': 1.22.0", None),
        (
            "build: x\nsources: {a: {debian: [p], suite: s, architecture: riscv46}}\n",
            2,
            "'architecture' cannot be 'riscv46'",
            "did you mean 'riscv64'?",
        ),
        (
            "build: x\nsources: {a: {debian: [p], suite: s, architecture: ''}}\n",
            2,
            "'architecture' cannot be ''",
            "one of: riscv64",
        ),
        ("build: x\nsources: {A: {url: u}}\n", 2, "not a source name", None),
        ("build: x\nlimits: {timeout: -1}\n", 2, "whole number", None),
        ("build: x\nlimits: {timeout: 0}\n", 2, "from 1 to 31622400 seconds, not 0", None),
        ("build: x\nlimits: {timeout: 31622401}\n", 2, "from 1 to 31622400 seconds", None),
        ("build: x\nlimits: {timout: 1}\n", 2, "'timeout' is missing", "is 'timout' meant"),
        ("build: x\nlimits: {memory: 1}\n", 2, "'timeout' is missing", "are here: memory"),
        (f"build: x\nsources: {{a: {{url: u, strip: {10**18}}}}}\n", 2, "at most 18 digits", None),
        ("build: x\narchitectures: []\n", 2, "'architectures' is empty", "some of: riscv64"),
        ("build: x\nversion: {first-of: [{literal: a}], prefer: 2}\n", 2, "not 2", "from 1 to 1"),
        ("build: x\nchecks: versoin\n", 2, "'versoin' is no check", "did you mean 'version'?"),
        ("build: x\nchecks: [hello]\n", 2, "'hello' is no check", "for example: - run: hello"),
        ("build: x\nchecks: [{run: a, version: b}]\n", 2, "unknown key 'version'", "known here"),
        ("build: x\noutputs: {a: {path: t}, b: {path: t}}\n", 2, "same path", "must go"),
        (f"build: x\nsources: {{a: {{git: u, commit: {'A' * 40}}}}}\n", 2, "in lower case", None),
        ("build: x\noutputs: {a: {path: ../t}}\n", 2, "below $out: '../t'", "bin/runc"),
        ("build: x\noutputs: {a: {path: /t}}\n", 2, "below $out: '/t'", "bin/runc"),
        ("build: x\noutputs: {a: {path: .}}\n", 2, "below $out: '.'", "bin/runc"),
        ("build: x\noutputs: {a: {path: '${arch}/..'}}\n", 2, "below $out", "bin/runc"),
        ("build: x\ndate: yesterday\n", 2, "'yesterday' is not a date", "1744156800"),
        ("build: x\ndate: -1\n", 2, "'-1' is not a date", "1744156800"),
        ('build: x\nenv: {A: "a\\0b"}\n', 2, "a NUL is in this text", "can hold one"),
        ('build: x\npins: {"a\\0": b}\n', 2, "a NUL is in this text", "can hold one"),
        (
            f"build: x\nenv: {{A: {'a' * (1 << 17)}}}\n",
            2,
            "variable A has 131,075",
            "a file beside",
        ),
        (
            "build: x\nsources:\n  a:\n    go-module: example.org/a\n    version: 0.9.1\n",
            *(5, "'version' is not a module's version: '0.9.1'; did you mean 'v0.9.1'?", "v1.2.3"),
        ),
        (
            "build: x\nsources:\n  a:\n    version: v1.0.0\n    go-module: https://a.b/c\n",
            *(5, "'go-module' is not a module's path: 'https://a.b/c'", "github.com/"),
        ),
        ("build: x\noutputs: {a: {path: a, static: yes}}\n", 2, "true or false", None),
        ("build: x\nchecks: {run: a}\n", 2, "must be a list", None),
        ("build: x\naccelerators: [rust]\n", 2, "cannot be 'rust'", None),
        ("build: x\nper-architecture: {mips: {a: b}}\n", 2, "not an architecture", "riscv64"),
        ("build: x\ntoolbox: none\n", 2, "needs a toolbox", None),
        ("kind: tool\nbuild: x\nchecked-by: [a]\n", 3, "none can check it", "'checks'"),
        ("build: x\nimage: {name: a/b, tag: c}\n", 2, "no other has", "recipes.md"),
        ("kind: image\nimage: {name: a/b}\nbuild: x\n", 2, "'tag' is missing", None),
        (
            "kind: image\nimage: {name: a/b, tag: c, env: {a-b: c}}\nbuild: x\n",
            2,
            "not a var",
            None,
        ),
        (
            "kind: image\nimage: {name: a/b, tag: c}\nbuild: x\noutputs:\n  image: {path: x}\n",
            *(5, "every image has an output 'image' already", "another name"),
        ),
    ],
)
def test_mistakes_are_named(text: str, line: int, says: str, hint: str | None):
    with pytest.raises(RecipeError) as caught:
        read(text)
    error = caught.value
    assert str(error.where).startswith(f"recipes/runc/recipe.yaml:{line}:")
    assert says in error.message
    if hint:
        assert hint in hint_text(error.hint)


MAPPINGS = {
    "outputs: {a: {%s}}": ("path", "kind: file, static: true, detected: {a: b}"),
    "checks: [{%s}]": ("run", "expect: a"),
    "limits: {%s}": ("timeout", ""),
    "version: {%s}": ("from", "line: 1, file: f, prefix: p, strip-prefix: q, strip-suffix: r"),
    "pins: {a: {%s}}": ("file", "from: a, yaml: b, prefix: p"),
    "kind: image\nimage: {%s}": ("tag", "name: n, user: u, ports: [1], env: {A: b}, tls: true"),
    "kind: image\nimage: {name: a, tag: b, users: {u: {%s}}}": ("id", "group: 1, home: /h"),
    "inputs: {go-modules: {%s}}": ("from", "tags: [a], directory: b, packages: [c], cgo: true"),
    "sources: {a: {%s}}": ("version", "go-module: e.org/a, go-sum: b, writable: true"),
    "sources: {b: {%s}}": ("suite", "debian: [p], without: [q], architecture: arm64"),
}


@pytest.mark.parametrize("text", MAPPINGS)
@pytest.mark.parametrize("unknown", ["", "zzzz: 1"])
def test_who_lacks_a_key_is_not_told_that_known_ones_are_unknown(text: str, unknown: str):
    missing, known = MAPPINGS[text]
    keys = ", ".join(filter(None, (known, unknown)))
    with pytest.raises(RecipeError) as caught:
        read(f"build: x\n{text % keys}\n")
    assert f"{missing!r} is missing" in caught.value.message or "zzzz" in caught.value.message
    hint = caught.value.hint or ""
    assert (
        hint in {"", "unknown keys are here: zzzz"} or "unknown key 'zzzz'" in caught.value.message
    )
    assert bool(unknown) == ("zzzz" in f"{caught.value.message} {hint}")


@pytest.mark.parametrize(
    ("source", "column", "says", "hint"),
    [
        ("{git: u, tagg: v1}", 20, "unknown key 'tagg'", "did you mean 'tag'?"),
        ("{git: u, comit: v1}", 20, "unknown key 'comit'", "did you mean 'commit'?"),
        (
            "{git: u, branch: main}",
            20,
            "unknown key 'branch': what a branch",
            "`commit:` or `tag:`",
        ),
        (
            "{git: u, tag: v1, strip: 1}",
            *(29, "unknown key 'strip'", "known here: writable, patches, git, commit, tag, paths"),
        ),
        ("{go-modul: e.org/a, version: v1}", 12, "unknown key 'go-modul'", "mean 'go-module'?"),
        ("{crat: a, version: 1}", 12, "unknown key 'crat'", "did you mean 'crate'?"),
        ("{debian-sorce: {package: a}}", 12, "unknown key 'debian-sorce'", "'debian-source'?"),
        ("{from: k, path: [a]}", 11, "exactly one kind", "one of: crate"),
        ("{from: k, paths: [a]}", 21, "unknown key 'paths'", "did you mean 'patches'?"),
        ("{from: k, suite: s}", 21, "unknown key 'suite'", "known here: writable, patches, from"),
        ("{version: v1}", 11, "exactly one kind", "one of: crate"),
    ],
)
def test_a_key_that_a_source_does_not_have(source: str, column: int, says: str, hint: str):
    """It comes before what is missing: that is what it was meant to be."""
    with pytest.raises(RecipeError) as caught:
        read(f"build: x\nsources: {{{source}}}\n".replace("{{", "{a: {"))
    assert says in caught.value.message
    assert hint in hint_text(caught.value.hint)
    assert str(caught.value.where) == f"recipes/runc/recipe.yaml:2:{column + 3}"


def test_an_option_names_recipes_for_one_input():
    option = "o: {input: b, choices: {x: c, y: b}}"
    recipe = read(f"inputs: {{target: [a, b]}}\noptions: {{{option}}}\n{MINIMAL}")
    assert recipe.options == {"o": Option(input="b", choices={"x": "c", "y": "b"})}
    assert str(recipe.at("options.o.choices.x")) == "recipes/runc/recipe.yaml:2:35"


@pytest.mark.parametrize(
    ("options", "says", "hint"),
    [
        ("{o: {input: libs, choices: {x: c, y: lib}}}", "not under 'inputs.target'", "mean 'lib'?"),
        ("{o: {input: lib, choices: {x: c, y: d}}}", "must be 'lib' itself", "lib-nft"),
        ("{o: {input: lib, choices: {x: lib}}}", "and others", "{source: lib"),
        ("{o: {input: lib, choices: {x: lib, y: c, z: c}}}", "two values stand for 'c'", "must go"),
        ("{o: {input: lib, choices: {x: lib, Y: c}}}", "'Y' is not the name of a value", "nft"),
        ("{O: {input: lib, choices: {x: lib, y: c}}}", "not the name of an option", "root"),
        ("{o: {input: lib, choices: {x: lib, y: [c]}}}", "must be one value", None),
        ("{o: {input: lib}}", "'choices' is missing", None),
        ("{o: {input: lib, choices: {y: lib, z: x}}}", "'x' is an input already", "no other input"),
        ("{o: {input: lib, choices: {x: lib, y: c}, or: d}}", "unknown key 'or'", "known here"),
        (
            "{o: {input: lib, choices: {x: lib, y: c}}, p: {input: lib, choices: {x: lib, y: c}}}",
            *("the options 'o' and 'p' are for the same input", "all the choices"),
        ),
    ],
)
def test_options_that_do_not_fit(options: str, says: str, hint: str | None):
    with pytest.raises(RecipeError, match=re.escape(says)) as caught:
        read(f"inputs: {{target: [lib, x]}}\noptions: {options}\n{MINIMAL}")
    assert str(caught.value.where).startswith("recipes/runc/recipe.yaml:2:")
    assert hint is None or hint in hint_text(caught.value.hint)


def test_every_kind_has_what_it_needs():
    with pytest.raises(RecipeError, match="exactly one source"):
        read("kind: source\nbuild: x\n")
    with pytest.raises(RecipeError, match="without 'build'"):
        read("summary: nothing\n")
    with pytest.raises(RecipeError, match="a key 'image'"):
        read("kind: image\nbuild: x\n")
    with pytest.raises(RecipeError, match="needs a 'build' script"):
        read("kind: image\nimage: {name: a/b, tag: c}\nsources: {a: {url: u}}\n")
    with pytest.raises(RecipeError, match="not a recipe name"):
        read_recipe(MINIMAL.encode(), "No Such", "r.yaml")


def test_substitution_replaces_only_braces():
    """The shell's own dollar signs stay, and ``$${`` is a literal."""
    assert substitute("$out ${a}-$${a} $$", {"a": "1"}, "r:1:1") == "$out 1-${a} $$"
    with pytest.raises(RecipeError, match=re.escape("'${a' has no '}'")):
        substitute("$out/${a", {"a": "1"}, "r:1:1")
    with pytest.raises(RecipeError, match=r"\$\{b\}") as caught:
        substitute("${b}", {"a": "1"}, "r:1:1")
    assert hint_text(caught.value.hint) == "known names: a"


def test_substitution_reaches_every_text_of_a_source():
    spec = UrlSpec(url="https://example.org/${v}", debian=("p", "p_${v}.tar"))
    replaced = substitute_spec(spec, {"v": "2"}, "r")
    assert replaced == UrlSpec(url="https://example.org/2", debian=("p", "p_2.tar"))
    debian = DebianSpec(packages=("a${v}",), suite="s")
    assert substitute_spec(debian, {"v": "2"}, "r") == DebianSpec(packages=("a2",), suite="s")


def test_what_variables_stand_for_is_not_looked_at_before_they_have_values():
    recipe = read(
        "version: 1.2.3\nbuild: x\n"
        "sources: {a: {go-module: 'example.org/${name}', version: 'v${version}'}}\n"
        "outputs: {a: {path: 'bin/${version}'}}\n"
    )
    assert recipe.outputs["a"].path == "bin/${version}"
    assert recipe.sources["a"].spec == GoModuleSpec(
        path="example.org/${name}", version="v${version}"
    )
