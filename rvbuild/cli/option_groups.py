"""Options that several commands share, and what an option is.

Knows: names and help texts. Must not know: commands. Imports nothing but argparse: a build with
nothing to do pays for this module every time.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple


class CommandOption(NamedTuple):
    """An option, or a word that stands alone: what ``add_argument`` of argparse takes."""

    names: tuple[str, ...]
    rules: Mapping[str, Any]


def whole(text: str) -> int:
    """The number that a word is."""
    try:
        return int(text)
    except ValueError:
        msg = f"{text!r} is not a whole number"
        raise argparse.ArgumentTypeError(msg) from None


def folder(text: str) -> str:
    """The path that a word is, and no address."""
    from rvbuild.app.setting import has_url  # noqa: PLC0415 - only where a folder is named

    if has_url(text):
        msg = f"a folder of this machine belongs here, and not an address: {text}"
        raise argparse.ArgumentTypeError(msg)
    return text


class _Once(argparse.Action):
    """An option with one value: a second one is no correction of the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: object,
        name: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if before is not None and before != value:
            parser.error(f"{name} is said twice, as {before} and as {value}: say one place")
        setattr(namespace, self.dest, value)


def option(*names: str, **rules: Any) -> CommandOption:  # noqa: ANN401 - as argparse takes them
    """An option, as ``add_argument`` of argparse takes it."""
    return CommandOption(names, rules)


TARGETS = option("targets", nargs="*", metavar="TARGET")

COMMON = (
    option(
        "--store",
        metavar="DIR",
        type=folder,
        help="the store (default: the project's cache/, else the user's cache folder)",
    ),
)
JSON = (option("--json", action="store_true", help="results as JSON on standard output"),)
TELLING = (
    option("-q", "--quiet", action="store_true", help="only results and errors"),
    option("-v", "--verbose", action="store_true", help="also why, and what the steps write"),
)
SOURCES = (
    option(
        "--mirror",
        metavar="FROM=TO",
        action="append",
        default=[],
        help="take sources whose URL starts with FROM from TO: a URL, folder or bare repository",
    ),
    option(
        "--offline",
        action="store_true",
        default=None,
        help="reach nothing: only what the store has",
    ),
)
CACHES = (
    option(
        "--cache",
        metavar="NAME=ADDRESS",
        action="append",
        default=[],
        help="ask this cache, too, as team=https://cache.example/team; NAME=off leaves one out",
    ),
    option(
        "--prefer",
        choices=["auto", "fetch", "build"],
        help="fetch or build what a cache has; auto: what takes less time (auto)",
    ),
)
OVERRIDES = (
    option(
        "--override",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="use a folder instead of a source (a 'kind: source' recipe, or RECIPE/SOURCE)",
    ),
    option(
        "--replace",
        metavar="NAME=RECIPE",
        action="append",
        default=[],
        help="let another recipe stand for a target input, as k3s-root=k3s-root-nft",
    ),
    option(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="take a variant that a recipe declares, as root=nft; `rvbuild show TARGET` lists them",
    ),
)
AS_UPSTREAM = option(
    "--as-upstream",
    action="store_true",
    help="with upstream's values, also where recipes have others instead: for comparison",
)
BUILDING = (
    option(
        "-j",
        "--jobs",
        metavar="N",
        type=whole,
        help="steps at once (default: as many as cores)",
    ),
    option(
        "-k",
        "--keep-going",
        action="store_true",
        help="after a failure, go on with what does not depend on it",
    ),
    option(
        "--keep-failed",
        action="store_true",
        help="leave the folder of a step that fails, and tell where it is",
    ),
)
UPLOADS = (
    option(
        "--push-required",
        action="store_true",
        help="fail if what was built could not be brought into the caches that are set to be "
        "written",
    ),
)
RELEASE = option(
    "--release",
    action="store_true",
    help="no compile caches, no overrides: what a release pipeline runs",
)
OUTPUT = option(
    "-o",
    "--output",
    metavar="DIR",
    type=folder,
    action=_Once,
    help="put copies at DIR/TARGET, no links at ./result; an older copy that nobody "
    "changed goes, anything else there is moved to DIR/TARGET.old-XXXX",
)

PINNED = (*COMMON, *SOURCES, *OVERRIDES, AS_UPSTREAM)
MAKING = (*PINNED, *CACHES, *UPLOADS, *BUILDING, RELEASE, *TELLING, *JSON)
