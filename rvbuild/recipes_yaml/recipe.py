"""A recipe's document to a Recipe.

Knows: every key of docs/recipes.md. Must not know: files on disk, what refers to what.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rvbuild.core import image
from rvbuild.core.architecture import ARCHITECTURES, DEFAULT_ARCHITECTURES
from rvbuild.core.errors import RecipeError, suggestion
from rvbuild.core.place import Place
from rvbuild.core.recipe import (
    ACCELERATORS,
    KINDS,
    OUTPUT_KINDS,
    Check,
    Exports,
    FromSpec,
    GoModulesSpec,
    ImageSpec,
    Ladder,
    Option,
    Output,
    Pin,
    Reading,
    Recipe,
    SourceUse,
)
from rvbuild.recipes_yaml.document import Items, Mapping, Node, Scalar, parse
from rvbuild.recipes_yaml.fields import Fields
from rvbuild.recipes_yaml.source import read_source

READERS = ("go-module", "yaml", "shell", "regex", "line", "git")
GIT_FACTS = ("commit", "short", "date", "iso-date")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}\Z")
NAME_HINT = "at most 100 lower-case letters, digits, '.', '_' and '-'"
RESERVED = (
    *("out", "name", "arch", "build_arch", "version", "date", "jobs"),
    *("HOME", "LC_ALL", "PATH", "SOURCE_DATE_EPOCH", "TMPDIR", "TZ"),
)
"""Variables that every step has from rvbuild."""


_IF_EMPTY = "remove it, and `rvbuild init NAME` writes a recipe to begin with"


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
    reserved = (*RESERVED, *(image.VARIABLES if "image" in top else ()))
    pins = _pins(top, reserved)
    inputs = top.fields("inputs", "build: [go], target: [libseccomp]")
    build_inputs, target_inputs, go_modules = _inputs(inputs) if inputs else ((), (), None)
    recipe = Recipe(
        name=name,
        file=file,
        summary=top.text("summary", ""),
        license=top.text("license", ""),
        homepage=top.text("homepage", ""),
        kind=top.choice("kind", KINDS, "package"),
        architectures=top.choices("architectures", ARCHITECTURES, DEFAULT_ARCHITECTURES),
        version=_pin(top.take("version"), "version"),
        pins=pins,
        date=_pin(top.take("date"), "date"),
        sources=_sources(top.fields("sources", "NAME: {url: https://…}")),
        toolbox=_toolbox(top.text("toolbox", "base-toolbox")),
        build_inputs=build_inputs,
        target_inputs=target_inputs,
        options=dict(_options(top.fields("options"), target_inputs)),
        go_modules=go_modules,
        env=_variables(top, "env", reserved),
        exports=_exports(top.fields("exports", "path: [bin]")),
        per_architecture=_per_architecture(top.fields("per-architecture"), reserved),
        build=top.maybe("build"),
        image=_image(top.fields("image")),
        outputs=dict(_outputs(top.fields("outputs", "NAME: {path: bin/hello}"))),
        checks=tuple(_checks(top.take("checks"))),
        checked_by=top.texts("checked-by"),
        accelerators=top.choices("accelerators", ACCELERATORS),
        timeout=_timeout(top.fields("limits", "timeout: 600")),
        files=files,
        where=dict(_places(document, "")),
    )
    top.finish()
    _check_variables(recipe)
    _check_shape(recipe)
    return image.expanded(recipe)


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


def _toolbox(text: str) -> str | None:
    return None if text == "none" else text


def _pins(top: Fields, reserved: tuple[str, ...]) -> dict[str, Pin]:
    table = top.fields("pins")
    if table is None:
        return {}
    table.check_variables(reserved)
    return {name: _pin(table.take(name), name) for name in table.node.nodes}


def _variables(fields: Fields, key: str, reserved: tuple[str, ...]) -> dict[str, str]:
    table = fields.fields(key)
    if table is None:
        return {}
    table.check_variables(reserved)
    return {name: table.text(name) for name in table.node.nodes}


def _pin(node: Node | None, key: str) -> Pin:
    if node is None:
        return ""
    if isinstance(node, Scalar):
        return node.text
    fields = Fields(node)
    if "first-of" not in fields:
        return _reading(fields)
    rungs = fields.require("first-of")
    if not isinstance(rungs, Items) or not rungs.nodes:
        msg = f"{key!r}: 'first-of' must be a list of pins"
        raise RecipeError(msg, where=rungs.where)
    prefer = fields.number("prefer", 0)
    fields.finish()
    if prefer > len(rungs.nodes):
        msg = f"'prefer: {prefer}', but there are {len(rungs.nodes)} rungs"
        raise RecipeError(msg, where=fields.at("prefer"))
    readings = tuple(_reading(Fields(rung)) for rung in rungs.nodes)
    return Ladder(rungs=readings, prefer=prefer or None, where=fields.where)


def _reading(fields: Fields) -> Reading:
    if "literal" in fields:  # a rung that holds the others to what somebody saw
        literal = Reading(
            source="", reader="literal", argument=fields.text("literal"), where=fields.where
        )
        fields.finish()
        return literal
    source = fields.text("from")
    given = [reader for reader in READERS if reader in fields]
    if len(given) != 1:
        msg = "a pin needs exactly one reader"
        hint = f"one of: {', '.join(READERS)}"
        raise RecipeError(msg, where=fields.where, hint=hint)
    reader = given[0]
    argument = fields.choice("git", GIT_FACTS, "") if reader == "git" else fields.text(reader)
    for other in READERS:
        fields.take(other)
    default_file = {"go-module": "go.mod", "git": ""}.get(reader)
    pin = Reading(
        source=source,
        reader=reader,
        argument=argument,
        file=fields.text("file", default_file),
        prefix=fields.text("prefix", ""),
        strip_prefix=fields.text("strip-prefix", ""),
        strip_suffix=_pattern(fields, "strip-suffix", groups=None),
        where=fields.where,
    )
    if reader == "regex":
        _pattern(fields, "regex", groups=1)
    fields.finish()
    return pin


def _pattern(fields: Fields, key: str, groups: int | None) -> str:
    text = fields.text(key, "")
    try:
        compiled = re.compile(text)
    except re.error as cause:
        msg = f"{key!r} is not a regular expression: {cause}"
        raise RecipeError(msg, where=fields.at(key)) from cause
    if groups is not None and compiled.groups != groups:
        msg = f"{key!r} must have exactly {groups} group"
        raise RecipeError(msg, where=fields.at(key))
    return text


def _sources(table: Fields | None) -> dict[str, SourceUse]:
    uses: dict[str, SourceUse] = {}
    for name, node in table.node.nodes.items() if table else ():
        if not NAME.match(name):
            msg = f"{name!r} is not a source name"
            raise RecipeError(msg, where=node.where)
        fields = Fields(node, like="{url: https://…}, {git: https://…, commit: …}, {from: RECIPE}")
        writable = fields.flag("writable")
        uses[name] = SourceUse(spec=read_source(fields), writable=writable, where=fields.where)
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
            cgo=modules.flag("cgo"),
            where=modules.where,
        )
        modules.finish()
    fields.finish()
    return build, target, spec


def _options(table: Fields | None, inputs: tuple[str, ...]) -> Iterator[tuple[str, Option]]:
    taken: dict[str, str] = {}
    for name, node in table.node.nodes.items() if table else ():
        if not NAME.match(name):
            msg = f"{name!r} is not the name of an option"
            raise RecipeError(msg, where=node.where, hint="such as root: letters, digits and '-'")
        fields = Fields(node)
        given = fields.text("input")
        if given not in inputs:
            msg = f"the option {name!r} is for {given!r}, which is not under 'inputs.target'"
            hint = suggestion(given, inputs) or f"one of: {', '.join(inputs)}"
            raise RecipeError(msg, where=fields.at("input"), hint=hint)
        if given in taken:
            msg = f"the options {taken[given]!r} and {name!r} are for the same input"
            raise RecipeError(msg, where=fields.at("input"), hint="one option has all the choices")
        taken[given] = name
        yield name, Option(input=given, choices=_choices(fields, given, inputs))
        fields.finish()


def _choices(fields: Fields, given: str, inputs: tuple[str, ...]) -> dict[str, str]:
    """What an option's values stand for: each another recipe, one of them the input itself."""
    table = Fields(fields.require("choices"))
    choices = {value: table.text(value) for value in table.node.nodes}
    recipes = list(choices.values())
    for value, where in table.node.keys.items():
        if not NAME.match(value):
            msg = f"{value!r} is not the name of a value"
            raise RecipeError(msg, where=where, hint="such as nft: letters, digits and '-'")
        if recipes.count(choices[value]) > 1:
            msg = f"two values stand for {choices[value]!r}"
            raise RecipeError(msg, where=where, hint="one of them must go")
        if choices[value] in inputs and choices[value] != given:
            msg = f"{choices[value]!r} is an input already, and cannot stand for {given!r} too"
            raise RecipeError(msg, where=where, hint="a choice is no other input of its recipe")
    if given not in recipes or len(recipes) < 2:
        msg = f"the choices must be {given!r} itself, which is the default, and others"
        hint = f"for example {{source: {given}, nft: {given}-nft}}"
        raise RecipeError(msg, where=fields.at("choices"), hint=hint)
    return choices


def _exports(fields: Fields | None) -> Exports:
    if fields is None:
        return Exports()
    reserved = (*RESERVED, *image.VARIABLES)  # an image may have this as an input
    exports = Exports(path=fields.texts("path"), env=_variables(fields, "env", reserved))
    fields.finish()
    return exports


def _per_architecture(table: Fields | None, reserved: tuple[str, ...]) -> dict[str, dict[str, str]]:
    if table is None:
        return {}
    for name, where in table.node.keys.items():
        if name not in ARCHITECTURES:
            msg = f"{name!r} is not an architecture"
            raise RecipeError(msg, where=where, hint=f"one of: {', '.join(ARCHITECTURES)}")
    return {name: _variables(table, name, reserved) for name in table.node.nodes}


def _outputs(table: Fields | None) -> Iterator[tuple[str, Output]]:
    for name, node in table.node.nodes.items() if table else ():
        fields = Fields(node, like="{path: bin/hello, kind: executable}")
        output = Output(
            path=fields.text("path"),
            kind=fields.choice("kind", OUTPUT_KINDS, "file"),
            static=fields.flag("static"),
        )
        fields.finish()
        yield name, output


def _image(fields: Fields | None) -> ImageSpec | None:
    if fields is None:
        return None
    labels = fields.fields("labels")
    spec = ImageSpec(
        name=fields.text("name"),
        tag=fields.text("tag"),
        entrypoint=fields.words("entrypoint"),
        command=fields.words("command"),
        user=fields.text("user", ""),
        working_directory=fields.text("working-directory", ""),
        env=_variables(fields, "env", reserved=()),
        ports=fields.texts("ports"),
        volumes=fields.texts("volumes"),
        labels={name: labels.text(name) for name in labels.node.nodes} if labels else {},
        tls=fields.flag("tls"),
    )
    fields.finish()
    return spec


def _checks(node: Node | None) -> Iterator[Check]:
    if node is None:
        return
    if not isinstance(node, Items):
        msg = "'checks' must be a list"
        raise RecipeError(msg, where=node.where, hint="for example: - run: hello --version")
    for item in node.nodes:
        fields = Fields(item, like="run: hello --version")
        yield Check(run=fields.text("run"), expect=fields.maybe("expect"))
        fields.finish()


def _timeout(fields: Fields | None) -> int:
    if fields is None:
        return 4 * 3600
    seconds = fields.number("timeout")
    fields.finish()
    return seconds


def _check_variables(recipe: Recipe) -> None:
    """No variable may be set in two places."""
    taken = dict.fromkeys(recipe.pins, "pins")
    _refuse_taken(recipe, "env", recipe.env, taken)
    taken |= dict.fromkeys(recipe.env, "env")
    for arch, table in recipe.per_architecture.items():
        _refuse_taken(recipe, f"per-architecture.{arch}", table, taken)


def _refuse_taken(recipe: Recipe, key: str, table: Iterable[str], taken: dict[str, str]) -> None:
    for name in table:
        if name in taken:
            msg = f"the variable {name!r} is also set under {taken[name]!r}"
            raise RecipeError(msg, where=recipe.at(f"{key}.{name}"))


def _check_shape(recipe: Recipe) -> None:
    """What one recipe must hold by itself."""
    if recipe.kind == "source" and (len(recipe.sources) != 1 or recipe.build is not None):
        msg = "a 'kind: source' recipe has exactly one source and no 'build'"
        raise RecipeError(msg, where=recipe.file)
    if (recipe.kind == "image") != (recipe.image is not None):
        msg = "a 'kind: image' recipe has a key 'image', and no other has"
        raise RecipeError(msg, where=recipe.at("image"), hint="see docs/recipes.md")
    if recipe.kind == "image" and recipe.build is None:
        msg = "an image needs a 'build' script"
        raise RecipeError(msg, where=recipe.file, hint="it fills $root, the image's root")
    if recipe.checked_by and recipe.kind in {"tool", "source"}:
        msg = f"a 'kind: {recipe.kind}' recipe is for no architecture, so none can check it"
        raise RecipeError(msg, where=recipe.at("checked-by"), hint="use 'checks'")
    for name, use in recipe.sources.items():
        if recipe.kind == "source" and isinstance(use.spec, FromSpec):
            msg = "the source of a 'kind: source' recipe cannot be another recipe's"
            raise RecipeError(msg, where=recipe.at(f"sources.{name}"))
    if recipe.build is None and len(recipe.sources) != 1:
        msg = "without 'build', a recipe must have exactly one source"
        raise RecipeError(msg, where=recipe.file, hint="add a 'build' script")
    if recipe.build is not None and recipe.toolbox is None:
        msg = "a 'build' script needs a toolbox"
        raise RecipeError(
            msg, where=recipe.at("toolbox"), hint="leave 'toolbox' out for the default"
        )
