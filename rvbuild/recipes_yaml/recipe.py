"""A recipe's document to a Recipe.

Knows: every key of docs/recipes.md. Must not know: files on disk, what refers to what.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from rvbuild.core import autotools, go_build, image
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.architecture import ARCHITECTURES, DEFAULT_ARCHITECTURES
from rvbuild.core.build_words import refuse_said
from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.patches import check_patches
from rvbuild.core.place import Place
from rvbuild.core.recipe import (
    ACCELERATORS,
    KINDS,
    OUTPUT_KINDS,
    Check,
    Exports,
    GoModulesSpec,
    Output,
    Recipe,
    SourceUse,
)
from rvbuild.core.references import refuse_series
from rvbuild.core.update_policy import REACHES
from rvbuild.core.version_check import WORD as VERSION_CHECK
from rvbuild.recipes_yaml.document import Items, Mapping, Node, Scalar, parse
from rvbuild.recipes_yaml.fields import Fields, choice, choices, flag
from rvbuild.recipes_yaml.recipe_autotools import autotools_of
from rvbuild.recipes_yaml.recipe_go import go_program_of
from rvbuild.recipes_yaml.recipe_image import detected_of, image_of
from rvbuild.recipes_yaml.recipe_instead import module_overrides
from rvbuild.recipes_yaml.recipe_names import NAME, NAME_HINT, RESERVED, variables_of
from rvbuild.recipes_yaml.recipe_options import options_of
from rvbuild.recipes_yaml.recipe_pins import pin_of, pins_of
from rvbuild.recipes_yaml.recipe_rules import check_shape, check_values, check_variables
from rvbuild.recipes_yaml.recipe_series import age_of, check_series, series_of
from rvbuild.recipes_yaml.source import read_source

MAX_TIMEOUT = 366 * 86_400
"""In seconds: a year. A step that has to be killed after a longer time is never killed."""

_IF_EMPTY = advise("remove it, and ", Remedy.BEGIN)


def read_recipe(
    data: bytes, name: str, file: str, files: tuple[tuple[str, bytes, bool], ...] = ()
) -> Recipe:
    """Read ``recipe.yaml``.

    Args:
        data: Its bytes.
        name: The recipe's name: that of its folder.
        file: For messages.
        files: The files beside it: path, content, executable bit.

    Raises:
        RecipeError: with file, line and column.
    """
    document = parse(data, file, if_empty=_IF_EMPTY)
    top = Fields(document)
    if not NAME.match(name):
        msg = f"{name!r} is not a recipe name"
        raise RecipeError(msg, where=file, hint=NAME_HINT)
    recipe = evolve(
        _recipe(top), name=name, file=file, files=files, where=dict(_places(document, ""))
    )
    recipe = _short(top, recipe)
    top.finish()
    refuse_series(recipe)
    check_variables(recipe)
    check_shape(recipe)
    check_series(recipe)
    check_values(recipe)
    check_patches(recipe)
    return image.expanded(recipe)


def _short(top: Fields, recipe: Recipe) -> Recipe:
    """The recipe with what its short words stand for."""
    program, made = go_program_of(top), autotools_of(top)
    if program is not None and made is not None:
        refuse_said(recipe, autotools.KEY, [go_build.KEY])
    if program is not None:
        return go_build.expanded(recipe, program)
    if made is not None:
        return autotools.expanded(recipe, made)
    return recipe


def _recipe(top: Fields) -> Recipe:
    """What the keys say; the name and the files are not among them."""
    reserved = (*RESERVED, *(image.VARIABLES if "image" in top else ()))
    pins = pins_of(top, reserved)
    inputs = top.fields("inputs", "build: [go], target: [libseccomp]")
    build_inputs, target_inputs, go_modules = _inputs(inputs) if inputs else ((), (), None)
    return Recipe(
        name="",
        file="",
        summary=top.text("summary", ""),
        license=top.text("license", ""),
        homepage=top.text("homepage", ""),
        kind=choice(top, "kind", KINDS, "package"),
        architectures=_architectures(top),
        version=pin_of(top.take("version"), "version"),
        pins=pins,
        date=pin_of(top.take("date"), "date"),
        sources=_sources(top.fields("sources", "NAME: {url: https://…}")),
        toolbox=_toolbox(top.text("toolbox", "")),
        build_inputs=build_inputs,
        target_inputs=target_inputs,
        options=dict(options_of(top.fields("options"), target_inputs)),
        go_modules=go_modules,
        env=variables_of(top, "env", reserved),
        exports=_exports(top.fields("exports", "path: [bin]")),
        per_architecture=_per_architecture(top.fields("per-architecture"), reserved),
        per_series=series_of(top.fields("per-series", "1.34: {commit: …}"), reserved),
        build=top.maybe("build"),
        image=image_of(top.fields("image")),
        outputs=dict(_outputs(top.fields("outputs", "NAME: {path: bin/hello}"))),
        checks=tuple(_checks(top.take("checks"))),
        checked_by=top.texts("checked-by"),
        update=choice(top, "update", REACHES, ""),
        min_age=age_of(top),
        accelerators=choices(top, "accelerators", ACCELERATORS),
        timeout=_timeout(top.fields("limits", "timeout: 600")),
    )


def _places(node: Node, prefix: str) -> Iterator[tuple[str, Place]]:
    """Where each dotted key stands."""
    if isinstance(node, Mapping):
        for key, inner in node.nodes.items():
            yield prefix + key, node.at(key)
            yield from _places(inner, f"{prefix}{key}.")
    elif isinstance(node, Items):
        for item in node.nodes:
            if isinstance(item, Scalar):
                yield f"{prefix}{item.text}", item.where


def _architectures(top: Fields) -> tuple[str, ...]:
    names = choices(top, "architectures", ARCHITECTURES, DEFAULT_ARCHITECTURES)
    if not names:
        msg = "'architectures' is empty: there would be no target"
        hint = f"some of: {', '.join(ARCHITECTURES)}"
        raise RecipeError(msg, where=top.at("architectures"), hint=hint)
    return names


def _toolbox(text: str) -> str | None:
    return None if text == "none" else text


def _sources(table: Fields | None) -> dict[str, SourceUse]:
    uses: dict[str, SourceUse] = {}
    for name, node in table.node.nodes.items() if table else ():
        if not NAME.match(name):
            msg = f"{name!r} is not a source name"
            raise RecipeError(msg, where=node.where)
        fields = Fields(node, like="{url: https://…}, {git: https://…, commit: …}, {from: RECIPE}")
        writable, patches = flag(fields, "writable"), fields.texts("patches")
        uses[name] = SourceUse(
            spec=read_source(fields), writable=writable, patches=patches, where=fields.where
        )
        fields.finish()
    return uses


def _inputs(fields: Fields) -> tuple[tuple[str, ...], tuple[str, ...], GoModulesSpec | None]:
    build, target = fields.texts("build"), fields.texts("target")
    modules = fields.fields("go-modules")
    spec = None
    if modules is not None:
        spec = GoModulesSpec(
            source=modules.text("from"),
            directory=modules.text("directory", "."),
            packages=modules.texts("packages", ("./...",)),
            tags=tuple(sorted(modules.texts("tags"))),
            cgo=flag(modules, "cgo"),
            workspace=flag(modules, "workspace"),
            instead=module_overrides(modules),
            where=modules.where,
        )
        modules.finish()
    fields.finish()
    return build, target, spec


def _exports(fields: Fields | None) -> Exports:
    if fields is None:
        return Exports()
    reserved = (*RESERVED, *image.VARIABLES)  # an image may have this as an input
    exports = Exports(
        path=fields.texts("path"),
        env=variables_of(fields, "env", reserved),
        toolbox=fields.text("toolbox", ""),
    )
    fields.finish()
    return exports


def _per_architecture(table: Fields | None, reserved: tuple[str, ...]) -> dict[str, dict[str, str]]:
    if table is None:
        return {}
    for name, where in table.node.keys.items():
        if name not in ARCHITECTURES:
            msg = f"{name!r} is not an architecture"
            raise RecipeError(msg, where=where, hint=f"one of: {', '.join(ARCHITECTURES)}")
    return {name: variables_of(table, name, reserved) for name in table.node.nodes}


def _outputs(table: Fields | None) -> Iterator[tuple[str, Output]]:
    for name, node in table.node.nodes.items() if table else ():
        fields = Fields(node, like="{path: bin/hello, kind: executable}")
        output = Output(
            path=fields.text("path"),
            kind=choice(fields, "kind", OUTPUT_KINDS, "file"),
            static=flag(fields, "static"),
            detected=detected_of(fields),
        )
        fields.finish()
        yield name, output


def _checks(node: Node | None) -> Iterator[Check]:
    if node is None:
        return
    if isinstance(node, Scalar):
        node = Items(node.file, node.mark, [node])
    if not isinstance(node, Items):
        msg = "'checks' must be a list"
        raise RecipeError(msg, where=node.where, hint="for example: - run: hello --version")
    for item in node.nodes:
        if isinstance(item, Scalar) and item.text == VERSION_CHECK:
            yield Check(run="", is_version=True)
            continue
        if isinstance(item, Scalar):
            raise _no_check(item)
        fields = Fields(item, like="run: hello --version")
        yield Check(run=fields.text("run"), expect=fields.maybe("expect"))
        fields.finish()


def _no_check(item: Scalar) -> RecipeError:
    msg = f"{item.text!r} is no check"
    near = suggestion(item.text, [VERSION_CHECK])
    return RecipeError(msg, where=item.where, hint=near or f"for example: - run: {item.text}")


def _timeout(fields: Fields | None) -> int:
    if fields is None:
        return 4 * 3600
    seconds = fields.number("timeout")
    fields.finish()
    if not 0 < seconds <= MAX_TIMEOUT:
        msg = f"'timeout' must be from 1 to {MAX_TIMEOUT} seconds, not {seconds}"
        raise RecipeError(msg, where=fields.at("timeout"))
    return seconds
