"""What an image's root file system begins with, before its script: trees, files, folders, users.

Knows: the shell's words for that. Must not know: configurations, layers, who packs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase

from rvbuild.core.errors import RecipeError
from rvbuild.core.patches import own_patches
from rvbuild.core.place import Place
from rvbuild.core.recipe import ImageSpec, Recipe

BESIDE = "recipe"
"""The first word of a path of `copy` that means the files beside the recipe."""

_FOLDER = re.compile(r"/(?:(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._+@-]+(?:/(?!\Z)|\Z))*\Z")
_COPIED = re.compile(r"[a-z0-9][a-z0-9._-]*(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._+@*-]+)+\Z")
_MODE = re.compile(r"[0-7]{3,4}\Z")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
_NUMBER = re.compile(r"[0-9]{1,10}\Z")
LAST_ID = 2**32 - 2
"""Of users and groups: Linux takes the next number for none."""


def is_begun(image: ImageSpec) -> bool:
    """Whether something is in the root without a script."""
    return bool(image.base or image.copy)


def names_in_root(recipe: Recipe, image: ImageSpec) -> Iterator[tuple[str, Place]]:
    """The recipes that lie in the root, or whose files do, each with the place that says so."""
    for name in image.base:
        yield name, recipe.at(f"image.from.{name}")
    for folder, paths in image.copy.items():
        for path in paths:
            name = path.partition("/")[0]
            if name != BESIDE:
                yield name, recipe.at(f"image.copy.{folder}.{path}")


def beginning(recipe: Recipe, image: ImageSpec, root: str) -> str:
    """Commands that end with ``; ``, for the first line of the script.

    Raises:
        RecipeError: a path, mode, name or number that none can be.
    """
    check_root(recipe, image)
    return "".join(f"{each}; " for each in _commands(image, root))


def _commands(image: ImageSpec, root: str) -> Iterator[str]:
    for name in image.base:
        yield f"cp -R /in/{name}/. {root}"
        yield f"chmod -R u+w {root}"
    for folder, paths in image.copy.items():
        at = f"{root}{folder.rstrip('/')}"
        yield f"mkdir -p {at}"
        yield f"cp -R {' '.join(f'/in/{path}' for path in paths)} {at}"
        yield f"chmod -R u+w {at}"
    for folder, mode in image.folders.items():
        yield f"mkdir -p {root}{folder}"
        yield f"chmod {mode} {root}{folder}"
    if image.users:
        yield f"mkdir -p {root}/etc"
    for name, user in image.users.items():
        entry = f"{name}:x:{user.id}:{user.group}::{user.home}:{user.shell}"
        yield f"echo {shlex.quote(entry)} >> {root}/etc/passwd"
        yield f"echo {shlex.quote(f'{name}:x:{user.group}:')} >> {root}/etc/group"


def check_root(recipe: Recipe, image: ImageSpec) -> None:
    """See that each word can be in a command.

    Raises:
        RecipeError: one cannot.
    """
    for key, pattern, text, example in _words(image):
        if not pattern.match(text):
            msg = f"{text!r} cannot be here"
            raise RecipeError(msg, where=recipe.at(f"image.{key}"), hint=f"for example: {example}")
    numbers: dict[int, str] = {}
    for name, user in image.users.items():
        for key, text in (("id", user.id), ("group", user.group)):
            check_number(text, LAST_ID, recipe.at(f"image.users.{name}.{key}"))
        other = numbers.setdefault(int(user.id), name)
        if other != name:
            msg = f"{other!r} and {name!r} have the same number"
            where = recipe.at(f"image.users.{name}.id")
            raise RecipeError(msg, where=where, hint="one number is one user")
    for folder, paths in image.copy.items():
        for path in paths:
            if path.startswith(f"{BESIDE}/"):
                _refuse_missing(recipe, path, recipe.at(f"image.copy.{folder}.{path}"))


def check_number(text: str, last: int, where: Place) -> None:
    """See that a number is not too large.

    Raises:
        RecipeError: it is.
    """
    if int(text) > last:
        msg = f"{text} cannot be here: the last number is {last}"
        raise RecipeError(msg, where=where, hint="take a smaller one")


def _refuse_missing(recipe: Recipe, path: str, where: Place) -> None:
    """See that a file or folder beside the recipe fits; a step does not see its patches."""
    beside = [file for file, _, _ in recipe.files if file not in own_patches(recipe)]
    if not any(_fits(path.split("/")[1:], file.split("/")) for file in beside):
        msg = f"nothing beside the recipe is {path.partition('/')[2]!r}"
        hint = f"there are: {', '.join(beside)}" if beside else "put the file there"
        raise RecipeError(msg, where=where, hint=hint)


def _fits(words: list[str], names: list[str]) -> bool:
    """Whether a path, or a folder above it, is what a shell makes of the words."""
    return len(words) <= len(names) and all(
        fnmatchcase(name, word) and name.startswith(".") <= word.startswith(".")
        for word, name in zip(words, names, strict=False)
    )


_Word = tuple[str, re.Pattern[str], str, str]


def _words(image: ImageSpec) -> Iterator[_Word]:
    for folder, paths in image.copy.items():
        yield f"copy.{folder}", _FOLDER, folder, "/usr/sbin"
        for path in paths:
            yield f"copy.{folder}", _COPIED, path, "nginx/sbin/nginx, or recipe/FILE"
    for folder, mode in image.folders.items():
        yield f"folders.{folder}", _FOLDER, folder, "/var/log"
        yield f"folders.{folder}", _MODE, mode, "755, or 1777 for everybody"
    for name, user in image.users.items():
        yield f"users.{name}", _USER, name, "nginx"
        for key, text in (("id", user.id), ("group", user.group)):
            yield f"users.{name}.{key}", _NUMBER, text, "101"
        for key, text in (("home", user.home), ("shell", user.shell)):
            yield f"users.{name}.{key}", _FOLDER, text, "/bin/false"
