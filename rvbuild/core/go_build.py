"""`go`: a program in Go, said in a few words, and the recipe that these stand for.

Knows: how a Go program is built (the script, its inputs, its output).
Must not know: YAML, the go command, which modules are needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve, field, frozen

from rvbuild.core.build_words import refuse_said, source_of
from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import GoModulesSpec, Output, Recipe

KEY = "go"
TOOLCHAIN = "go-current"
"""It follows no K3s, so a program has no series by it."""

ACCELERATOR = "go"

_VARIABLE = re.compile(r"[A-Za-z0-9_~./-]+\Z")
_VALUE = re.compile(r"(?!.*\$\()[^\s\"'`\\]*\Z")
_WORD = re.compile(r"[A-Za-z0-9_./+-]+\Z")


@frozen(kw_only=True)
class GoProgram:
    """A program of one package.

    Attributes:
        source: The recipe's name of its source; empty for the only one, or the one of its name.
        directory: Where its module is in the source.
        package: What is built.
        tags: Build tags.
        toolchain: The recipe whose go command builds it.
        stamps: Values of variables by ``PACKAGE.VARIABLE``; ``$NAME`` in them is the shell's.
    """

    source: str = ""
    directory: str = "."
    package: str = "."
    tags: tuple[str, ...] = ()
    toolchain: str = TOOLCHAIN
    stamps: Mapping[str, str] = field(factory=dict)


def expanded(recipe: Recipe, program: GoProgram) -> Recipe:
    """The recipe with all that ``program`` stands for.

    Args:
        recipe: What its other keys say.
        program: What is built.

    Raises:
        RecipeError: the recipe says one of these things itself, or a word cannot be in the script.
    """
    _check(recipe, program)
    name = recipe.name
    made = ("build", "inputs.go-modules", f"outputs.{name}", "accelerators")
    refuse_said(recipe, KEY, (*made, f"inputs.build.{program.toolchain}"))
    source = source_of(recipe, KEY, program.source)
    modules = GoModulesSpec(
        source=source,
        directory=program.directory,
        packages=(program.package,),
        tags=tuple(sorted(program.tags)),
        where=recipe.at(KEY),
    )
    output = Output(path=f"bin/{name}", kind="executable", static=True)
    said = f"{KEY}.toolchain" if f"{KEY}.toolchain" in recipe.where else KEY
    return evolve(
        recipe,
        build_inputs=(program.toolchain, *recipe.build_inputs),
        go_modules=modules,
        build=_script(source, name, program),
        outputs={name: output, **recipe.outputs},
        where={f"inputs.build.{program.toolchain}": recipe.at(said), **recipe.where},
        accelerators=(ACCELERATOR,),
    )


def _script(source: str, name: str, program: GoProgram) -> str:
    """Each stamp has a line, if there are some."""
    folder = f"/src/{source}" + (f"/{program.directory}" if program.directory != "." else "")
    tags = f' -tags "{" ".join(program.tags)}"' if program.tags else ""
    stamps = [f"-X {name}={value}" for name, value in program.stamps.items()]
    flags = ["-s -w -buildid=", *stamps]
    command = f'go build -p "$jobs"{tags}'
    result = " ".join(("-o", f'"$out/bin/{name}"', program.package))
    if len(stamps) > 1:
        lines = "\n    ".join(flags)
        build = f'{command} \\\n  -ldflags "{lines}" \\\n  {result}'
    else:
        wrap = " \\\n  " if stamps else " "
        build = f'{command} -ldflags "{" ".join(flags)}"{wrap}{result}'
    return f"cd {folder}\n{build}\n"


def _check(recipe: Recipe, program: GoProgram) -> None:
    words = {"directory": (program.directory,), "package": (program.package,)}
    for key, texts in {**words, "tags": program.tags}.items():
        for text in texts:
            if not _WORD.match(text):
                msg = f"{text!r} cannot be here: letters, digits and ./+-_ can"
                raise RecipeError(msg, where=recipe.at(f"{KEY}.{key}"))
    for name, value in program.stamps.items():
        if not (_VARIABLE.match(name) and _VALUE.match(value)):
            msg = f"a stamp cannot be {name}={value}"
            hint = "PACKAGE.VARIABLE: a word without blanks, quotes and commands; else say `build`"
            raise RecipeError(msg, where=recipe.at(f"{KEY}.stamps.{name}"), hint=hint)
