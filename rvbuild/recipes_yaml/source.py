"""A source's mapping in a recipe, to its description.

Knows: each kind's keys (docs/recipes.md). Must not know: the rest of a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.errors import RecipeError
from rvbuild.core.recipe import (
    DebianSpec,
    FromSpec,
    GitSpec,
    GoModuleSpec,
    GoToolchainSpec,
    PathSpec,
    SourceSpec,
    UrlSpec,
    WheelSpec,
)
from rvbuild.recipes_yaml.fields import Fields, flag


def read_source(fields: Fields) -> SourceSpec:
    """The source that a mapping describes; keys that are for every kind stay unread."""
    given = [kind for kind in SOURCES if kind in fields]
    if not given and "debian-source" in fields:  # only there, not at an upstream
        given = ["url"]
    if len(given) != 1:
        msg = "a source needs exactly one kind"
        raise RecipeError(msg, where=fields.where, hint=f"one of: {', '.join(SOURCES)}")
    spec = SOURCES[given[0]](fields)
    for other in SOURCES:
        fields.take(other)
    return spec


def _git(fields: Fields) -> GitSpec:
    paths = tuple(sorted(fields.texts("paths")))
    return GitSpec(url=fields.text("git"), commit=_commit(fields), paths=paths)


def _go_module(fields: Fields) -> GoModuleSpec:
    return GoModuleSpec(
        path=fields.text("go-module"),
        version=fields.text("version"),
        go_sum=fields.text("go-sum", ""),
    )


def _go_toolchain(fields: Fields) -> GoToolchainSpec:
    return GoToolchainSpec(version=fields.text("go-toolchain"))


def _wheel(fields: Fields) -> WheelSpec:
    return WheelSpec(project=fields.text("pypi"), version=fields.text("version"))


def _debian(fields: Fields) -> DebianSpec:
    return DebianSpec(
        packages=fields.texts("debian"),
        suite=fields.text("suite"),
        without=fields.texts("without"),
        architecture=fields.choice("architecture", ARCHITECTURES, ""),
    )


def _path(fields: Fields) -> PathSpec:
    return PathSpec(path=fields.text("path"))


def _from(fields: Fields) -> FromSpec:
    return FromSpec(recipe=fields.text("from"))


def _commit(fields: Fields) -> str:
    if "commit" not in fields:
        msg = "a git source is pinned to a 'commit', and none is given"
        raise RecipeError(msg, where=fields.where, hint="`git rev-parse TAG^{commit}` tells it")
    commit = fields.text("commit")
    if not re.fullmatch(r"\$\{.*\}|[0-9a-f]{40}|[0-9a-f]{64}", commit):
        msg = f"'commit' must be a whole commit name in hex, not {commit!r}"
        raise RecipeError(msg, where=fields.at("commit"), hint="`git rev-parse TAG^{commit}`")
    return commit


def _url(fields: Fields) -> UrlSpec:
    mirror = fields.fields("debian-source")
    debian = None
    if mirror is not None:
        debian = (mirror.text("package"), mirror.text("file"))
        mirror.finish()
    sha256 = fields.text("sha256", "")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        msg = "'sha256' must be 64 lower-case hex digits"
        raise RecipeError(msg, where=fields.at("sha256"))
    return UrlSpec(
        url=fields.text("url", "" if debian else None),
        sha256=sha256,
        strip=fields.number("strip", 1),
        unpack=flag(fields, "unpack", default=True),
        debian=debian,
        architecture=fields.choice("architecture", ARCHITECTURES, ""),
    )


SOURCES: dict[str, Callable[[Fields], SourceSpec]] = {
    "git": _git,
    "go-module": _go_module,
    "go-toolchain": _go_toolchain,
    "pypi": _wheel,
    "debian": _debian,
    "url": _url,
    "path": _path,
    "from": _from,
}
