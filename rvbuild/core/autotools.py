"""`autotools`: what ./configure and make build, in a few words, and the recipe of that.

Knows: how such a source is built (the script, its inputs, its outputs).
Must not know: YAML, which options a source has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from attrs import evolve, field, frozen

from rvbuild.core.build_words import refuse_said, source_of
from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import Output, Recipe

KEY = "autotools"
COMPILER = "zig-cc"
REGENERATING_TOOLBOX = "meson-toolbox"

LIBRARY_OPTIONS = ("--enable-static", "--disable-shared")
_REGENERATION = {"ACLOCAL": "aclocal-1.16", "AUTOMAKE": "automake-1.16"}
"""The short names of these two are made by Debian's maintainer scripts."""

_JOBS = ("-j", '"$jobs"')
_FILE = re.compile(r"(?!.*(?:^|/)\.\.?(?:/|\Z))[A-Za-z0-9_+.][A-Za-z0-9_/+.-]*\Z")


@frozen(kw_only=True)
class Autotools:
    """What is built of one source.

    Attributes:
        source: The recipe's name of its source; empty for the only one, or the one of its name.
        regenerate: Whether there is no ./configure yet.
        configure: Its words behind those that every recipe has.
        make: The words of each run of make.
        install: Programs by the folder that they go to; empty for a library, which make installs.
    """

    source: str = ""
    regenerate: bool = False
    configure: tuple[str, ...] = LIBRARY_OPTIONS
    make: tuple[str, ...] = ("",)
    install: Mapping[str, tuple[str, ...]] = field(factory=dict)


def expanded(recipe: Recipe, given: Autotools) -> Recipe:
    """The recipe with all that ``given`` stands for.

    Args:
        recipe: What its other keys say.
        given: What is built.

    Raises:
        RecipeError: the recipe says one of these things itself, or a file cannot be installed.
    """
    outputs = _outputs(recipe, given)
    regeneration = _REGENERATION if given.regenerate else {}
    source = source_of(recipe, KEY, given.source)
    made = ("build", f"inputs.build.{COMPILER}", f"sources.{source}.writable")
    variables = (f"env.{name}" for name in regeneration)
    refuse_said(recipe, KEY, (*made, *variables, *(f"outputs.{name}" for name in outputs)))
    uses = {**recipe.sources, source: evolve(recipe.sources[source], writable=True)}
    default = REGENERATING_TOOLBOX if given.regenerate else ""
    return evolve(
        recipe,
        toolbox=default if recipe.toolbox == "" else recipe.toolbox,
        sources=uses,
        build_inputs=(COMPILER, *recipe.build_inputs),
        env={**regeneration, **recipe.env},
        build="".join(f"{line}\n" for line in _script(source, given)),
        outputs={**outputs, **recipe.outputs},
    )


def _script(source: str, given: Autotools) -> Iterator[str]:
    yield f"cd src/{source}"
    if given.regenerate:
        yield "autoreconf -fi"
    yield " ".join(('./configure --host="$triplet" --prefix=/usr', *given.configure))
    for words in given.make:
        yield " ".join(["make", *_JOBS, words]).rstrip()
    if not given.install:
        yield 'make install DESTDIR="$out"'
        yield 'rm "$out/usr/lib"/*.la'
    for folder, files in given.install.items():
        yield f'install -D -t "$out/{folder}" {" ".join(files)}'


def _outputs(recipe: Recipe, given: Autotools) -> dict[str, Output]:
    """An output for each program, by its name."""
    outputs: dict[str, Output] = {}
    for folder, files in given.install.items():
        where = recipe.at(f"{KEY}.install.{folder}")
        for path in (folder, *files):
            if not _FILE.match(path):
                msg = f"{path!r} cannot be installed by its name"
                raise RecipeError(
                    msg, where=where, hint=f"for example: {KEY}: {{install: {{bin: [src/hello]}}}}"
                )
        for path in files:
            name = path.rsplit("/", 1)[-1]
            if name in outputs:
                msg = f"two programs are called {name!r}: {outputs[name].path}, {folder}/{name}"
                hint = "a word cannot tell them apart: say `build` and `outputs` for both"
                raise RecipeError(msg, where=where, hint=hint)
            outputs[name] = Output(path=f"{folder}/{name}", kind="executable", static=True)
    return outputs
