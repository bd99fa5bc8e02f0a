"""What a recipe must hold by itself, once all of it is read.

Knows: which of its keys go together. Must not know: YAML, other recipes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from rvbuild.core.errors import RecipeError
from rvbuild.core.image_root import is_begun
from rvbuild.core.output_patterns import is_pattern
from rvbuild.core.recipe import FromSpec, Recipe, substitute
from rvbuild.core.step_values import check_date, check_output_path, check_words


def check_variables(recipe: Recipe) -> None:
    """No variable may be set in two places."""
    keys = dict.fromkeys(recipe.pins, "pins")
    _refuse_twice(recipe, "env", recipe.env, keys)
    keys |= dict.fromkeys(recipe.env, "env")
    for arch, table in recipe.per_architecture.items():
        _refuse_twice(recipe, f"per-architecture.{arch}", table, keys)
    for series, of_series in recipe.per_series.items():
        _refuse_twice(recipe, f"per-series.{series}", of_series.values, keys)


def _refuse_twice(recipe: Recipe, key: str, table: Iterable[str], keys: dict[str, str]) -> None:
    for name in table:
        if name in keys:
            msg = f"the variable {name!r} is also set under {keys[name]!r}"
            raise RecipeError(msg, where=recipe.at(f"{key}.{name}"))


def check_shape(recipe: Recipe) -> None:
    """What one recipe must hold by itself."""
    if recipe.kind == "source" and (len(recipe.sources) != 1 or recipe.build is not None):
        msg = "a 'kind: source' recipe has exactly one source and no 'build'"
        raise RecipeError(msg, where=recipe.file)
    if recipe.per_series and recipe.kind != "source":
        msg = f"a 'kind: {recipe.kind}' recipe has no values per series"
        hint = "put what differs into a 'kind: source' recipe; who reads from it is of its series"
        raise RecipeError(msg, where=recipe.at("per-series"), hint=hint)
    if (recipe.kind == "image") != (recipe.image is not None):
        msg = "a 'kind: image' recipe has a key 'image', and no other has"
        raise RecipeError(msg, where=recipe.at("image"), hint="see docs/recipes.md")
    if recipe.image is not None and recipe.build is None and not is_begun(recipe.image):
        msg = "an image needs a 'build' script, or 'from' or 'copy' under 'image'"
        raise RecipeError(msg, where=recipe.file, hint="that fills the image's root")
    if recipe.checked_by and recipe.kind in {"tool", "source"}:
        msg = f"a 'kind: {recipe.kind}' recipe is for no architecture, so none can check it"
        raise RecipeError(msg, where=recipe.at("checked-by"), hint="use 'checks'")
    _check_version(recipe)
    _check_programs(recipe)
    for name, use in recipe.sources.items():
        if recipe.kind == "source" and isinstance(use.spec, FromSpec):
            msg = "the source of a 'kind: source' recipe cannot be another recipe's"
            raise RecipeError(msg, where=recipe.at(f"sources.{name}"))
    if recipe.build is None and recipe.image is None and len(recipe.sources) != 1:
        msg = "without 'build', a recipe must have exactly one source"
        raise RecipeError(msg, where=recipe.file, hint="add a 'build' script")
    if recipe.build is not None and recipe.toolbox is None:
        msg = "a 'build' script needs a toolbox"
        raise RecipeError(
            msg, where=recipe.at("toolbox"), hint="leave 'toolbox' out for the default"
        )


def _check_version(recipe: Recipe) -> None:
    """See that there is a program which can say a version."""
    if not any(check.is_version for check in recipe.checks):
        return
    lacks = "an output of `kind: executable`" if recipe.version else "a `version`"
    if recipe.version and any(each.kind == "executable" for each in recipe.outputs.values()):
        return
    msg = f"the check 'version' needs {lacks}"
    raise RecipeError(msg, where=recipe.at("checks"), hint="or say what to run: - run: hello -V")


def _check_programs(recipe: Recipe) -> None:
    """See that no two programs of a recipe with checks have one name: these have one PATH.

    What fits a pattern is not known before the step; the check looks at it.
    """
    known: dict[str, str] = {}
    for key, output in recipe.outputs.items() if recipe.checks else ():
        name = output.path.rpartition("/")[2]
        if output.kind != "executable" or is_pattern(output.path):
            continue
        if name in known:
            both = f"{known[name]} and {output.path}"
            msg = f"{both} are two programs of one name, and a check has one PATH"
            hint = "give one of them another name, or leave 'checks' out"
            raise RecipeError(msg, where=recipe.at(f"outputs.{key}.path"), hint=hint)
        known[name] = output.path


def check_values(recipe: Recipe) -> None:
    """What a step could not be given, as far as the recipe itself says it.

    What a pin or another recipe says is looked at when the step is made.
    """
    if isinstance(recipe.date, str):
        check_date(recipe, recipe.date)
    anything = defaultdict[str, str](lambda: "x")
    paths: dict[str, str] = {}
    for name, output in recipe.outputs.items():
        where = recipe.at(f"outputs.{name}.path")
        other = paths.setdefault(output.path, name)
        if other != name:
            msg = f"the outputs {other!r} and {name!r} have the same path"
            raise RecipeError(msg, where=where, hint="one of them must go")
        check_output_path(substitute(output.path, anything, where), where)
        if is_pattern(output.path) and output.kind in {"tree", "image"}:
            msg = f"a pattern means files, and {output.path!r} is a 'kind: {output.kind}'"
            raise RecipeError(msg, where=where, hint="name the folder itself")
    pins = {name: pin for name, pin in recipe.all_pins.items() if isinstance(pin, str)}
    for table in ({}, *recipe.per_architecture.values()):
        check_words(recipe, {**recipe.env, **pins, **table}, recipe.build or "", "build")
