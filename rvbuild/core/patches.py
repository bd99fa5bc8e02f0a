"""Patches: what a recipe changes in its sources, and the step that applies them.

Knows: DEP-3's words for where a patch is from, and who may not read what one changes.
Must not know: how a diff is applied (GNU patch does that), stores, YAML.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Iterable
from itertools import chain

from rvbuild.core.errors import RecipeError
from rvbuild.core.names import SourceRef
from rvbuild.core.pinned import Recipes, named_source
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe
from rvbuild.core.source import Files
from rvbuild.core.spec import SourceFile
from rvbuild.core.unified_diff import binary_changes, named_files, names_without_folder

ORIGIN_FIELDS = ("Origin", "From", "Author")
"""Fields of a patch's header that say who wrote it or where it is from, as DEP-3 has them."""

_HEADER = re.compile(rf"(?:{'|'.join(ORIGIN_FIELDS)}):[ \t]*\S", re.IGNORECASE)
_BEGIN = re.compile(r"--- |diff |Index: |@@ ")

PATCH = (
    "patch -p1 --batch --forward --fuzz=0 --unified --version-control=never --remove-empty-files"
    " --no-backup-if-mismatch --reject-file=-"
)

AT = "in/patches"
"""Where the step that applies patches finds them."""

Patch = tuple[Recipe, str]
"""The recipe that has it, and its path beside ``recipe.yaml``."""


def check_patches(recipe: Recipe) -> None:
    """See that each patch of a recipe's sources is there, changes something, and has an origin.

    Raises:
        RecipeError: one does not.
    """
    keys = {f"sources.{name}": use.patches for name, use in recipe.sources.items()}
    keys |= {f"per-series.{name}": each.patches for name, each in recipe.per_series.items()}
    for key, patches in keys.items():
        for path in patches:
            where = recipe.at(f"{key}.patches.{path}")
            _check(_lines(recipe, path), path, where, [file for file, _, _ in recipe.files])


def _check(lines: list[str] | None, path: str, where: Place, beside: list[str]) -> None:
    if lines is None:
        msg = f"there is no file {path!r} beside the recipe"
        hint = f"there are: {', '.join(beside)}" if beside else "put the patch there"
        raise RecipeError(msg, where=where, hint=hint)
    hint = "a patch is what `diff -u` and `git diff` print"
    try:
        names = [*named_files(lines)]
    except ValueError as cause:
        msg = f"{path} has {cause}"
        raise RecipeError(msg, where=where, hint=hint) from cause
    if not names:
        msg = f"{path} is no patch: it names no file that it changes"
        raise RecipeError(msg, where=where, hint=hint)
    for line in binary_changes(lines):
        msg = f"{path} changes a file that is no text, which is not applied: {line}"
        hint = "put the new file beside the recipe: the script finds it in /in/recipe"
        raise RecipeError(msg, where=where, hint=hint)
    for name in names_without_folder(lines):
        msg = f"{path} names {name} without a folder before it, and patches are applied with -p1"
        raise RecipeError(msg, where=where, hint=f"write a/{name} and b/{name}, as `git diff` does")
    header = next((n for n, line in enumerate(lines) if _BEGIN.match(line)), len(lines))
    if not any(_HEADER.match(line) for line in lines[:header]):
        msg = f"{path} does not say where it is from"
        hint = "put a line `Origin: …` (an address, a bug) or `From: …` (who wrote it) at its top"
        raise RecipeError(msg, where=where, hint=hint)


def _lines(recipe: Recipe, path: str) -> list[str] | None:
    data = next((data for file, data, _ in recipe.files if file == path), None)
    return None if data is None else data.decode(errors="replace").split("\n")


def changed_files(recipe: Recipe, path: str) -> frozenset[str]:
    """The files of a source that a patch may change, each without the first part of its path."""
    return frozenset(named_files(_lines(recipe, path) or []))


def own_patches(recipe: Recipe) -> frozenset[str]:
    """The files beside a recipe that are patches of its sources: no step of its own needs them."""
    of_sources = (use.patches for use in recipe.sources.values())
    of_series = (each.patches for each in recipe.per_series.values())
    return frozenset(chain.from_iterable((*of_sources, *of_series)))


def patches_of_source(recipe: Recipe, source: str, in_series: tuple[str, ...]) -> tuple[str, ...]:
    """The patches that a recipe has for one of its sources, in their order.

    Those of a series are the last, and for the source that others get.
    """
    is_lent = source == recipe.lent_source
    return (*recipe.sources[source].patches, *(in_series if is_lent else ()))


def patches_of(recipes: Recipes, recipe: Recipe, name: str, where: Place | None) -> list[Patch]:
    """The patches of the source that ``recipe`` calls ``name``, in their order.

    A source of a ``kind: source`` recipe has its own before those of whoever uses it.
    """
    owner, own = named_source(recipes, recipe, name, where)
    own_ones = patches_of_source(owner, own, owner.in_series.patches)
    patches: list[Patch] = [(owner, path) for path in own_ones]
    if owner.name != recipe.name and name in recipe.sources:
        patches += [(recipe, path) for path in recipe.sources[name].patches]
    return patches


def refuse_patched(
    recipes: Recipes, recipe: Recipe, files: Iterable[SourceFile], where: Place | None
) -> None:
    """See that no patch changes what is read out of a source, which is what was published.

    Args:
        recipes: Reads recipes by name.
        recipe: Who reads.
        files: What it reads, each with what it calls the source.
        where: The place that says so.

    Raises:
        RecipeError: a patch does.
    """
    for name, file in files:
        for owner, path in patches_of(recipes, recipe, name, where):
            if posixpath.normpath(file) in changed_files(owner, path):
                msg = f"{file} of {name} is read as it was published, and {path} changes it"
                hint = "say the value itself, or take a source that has the change"
                raise RecipeError(msg, where=where, hint=hint)


def patch_files(source: SourceRef, patches: Iterable[Patch]) -> Files:
    """The patches as a step sees them: ``0/fix.patch``, and so on, in their order."""
    contents = (
        (f"{number}/{path}", next(data for file, data, _ in owner.files if file == path), False)
        for number, (owner, path) in enumerate(patches)
    )
    return Files(label=f"patches of {source}", files=tuple(contents))


def patch_script(source: str, files: Files) -> str:
    """What applies them to ``/src/SOURCE``; a hunk may have moved, and no line may be another.

    GNU patch says which file and which hunk do not fit.
    """
    lines = [f'cp -R /src/{source}/. "$out"', 'chmod -R u+w "$out"', 'cd "$out"']
    for at, _, _ in files.files:
        name = at.partition("/")[2]
        says = f"the patch {name} does not apply to {source}: see its file and hunk above"
        lines += [
            f"echo {shlex.quote(f'{name}:')}",
            f"{PATCH} --input={shlex.quote(f'/in/patches/{at}')} ||",
            f"  {{ echo {shlex.quote(says)} >&2; exit 1; }}",
        ]
    return "\n".join([*lines, ""])
