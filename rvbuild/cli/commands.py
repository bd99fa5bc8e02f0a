"""The commands: a row each, with its options and the function that runs it.

Knows: names, options, help texts. Must not know: what a command does. Imports nothing but
argparse: a build with nothing to do pays for this module every time.

To add a command, write its operation in `app`, a function here for its options, one beside this
module that calls the operation and draws what it returns, and a row of `ROWS`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

STARTERS = ("go", "autotools", "meson", "image")

Declare = Callable[[argparse.ArgumentParser], None]
"""Adds options to a command's parser."""


class CommandRow(NamedTuple):
    """A row.

    Attributes:
        name: What a person writes.
        summary: Its line in the help.
        handler: ``MODULE:FUNCTION`` in this folder, imported when the command is run.
        options: What adds its options, in the order of the help.
    """

    name: str
    summary: str
    handler: str
    options: tuple[Declare, ...]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        msg = f"{text!r} is not a whole number"
        raise argparse.ArgumentTypeError(msg) from None


class _Once(argparse.Action):
    """An option with one value: a second one is no correction of the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        value: object,
        option: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if before is not None and before != value:
            parser.error(f"{option} is said twice, as {before} and as {value}: say one place")
        setattr(namespace, self.dest, value)


# ---- options of several commands


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store",
        metavar="DIR",
        help="the store (default: the project's cache/, else the user's cache folder)",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="results as JSON on standard output")


def _telling(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-q", "--quiet", action="store_true", help="only results and errors")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="also why, and what the steps write"
    )


def _sources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mirror",
        metavar="FROM=TO",
        action="append",
        default=[],
        help="take sources whose URL starts with FROM from TO: a URL, folder or bare repository",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        default=None,
        help="reach nothing: only what the store has",
    )


def _overrides(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--override",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="use a folder instead of a source (a 'kind: source' recipe, or RECIPE/SOURCE)",
    )
    parser.add_argument(
        "--replace",
        metavar="NAME=RECIPE",
        action="append",
        default=[],
        help="let another recipe stand for a target input, as k3s-root=k3s-root-nft",
    )
    parser.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="take a variant that a recipe declares, as root=nft; `rvbuild show TARGET` lists them",
    )


def _building(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=_whole,
        help="steps at once (default: as many as cores)",
    )
    parser.add_argument(
        "-k",
        "--keep-going",
        action="store_true",
        help="after a failure, go on with what does not depend on it",
    )
    parser.add_argument(
        "--keep-failed",
        action="store_true",
        help="leave the folder of a step that fails, and tell where it is",
    )
    parser.add_argument(
        "--release",
        action="store_true",
        help="no compile caches, no overrides: what a release pipeline runs",
    )


def _targets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="TARGET")


# ---- options of one command


def _no_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-check", action="store_true", help="do not run the targets' checks")


def _every_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(no_check=False)


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        action=_Once,
        help="put copies at DIR/TARGET, no links at ./result; an older copy that nobody "
        "changed goes, anything else there is moved to DIR/TARGET.old-XXXX",
    )


def _lock(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipes",
        nargs="*",
        metavar="RECIPE",
        help="only these, what they need, and what was read from what changes by that",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the lock would change"
    )
    parser.add_argument(
        "--merge",
        nargs=3,
        metavar=("BASE", "OURS", "THEIRS"),
        help="put two locks together in OURS: what git runs, see docs/format.md",
    )


def _fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-k", "--keep-going", action="store_true", help="go on after a failure")


def _show(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pins", action="store_true", help="each derived pin with the place it was read from"
    )
    parser.add_argument(
        "--closure",
        action="store_true",
        help="every source that the target needs, where it is from, and what of them is prebuilt",
    )


def _log(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET", help="or the digest of a derivation")


def _store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action",
        metavar="verify|repair|path|import",
        choices=["verify", "repair", "path", "import"],
        help="verify: hash everything again; repair: also set aside what is damaged, "
        "so that the next build fetches or makes it anew; import: take over the sources that "
        "another store has, verified, also one of an earlier rvbuild",
    )
    parser.add_argument("old", nargs="?", metavar="OLD", help="the store to import from")


def _gc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--keep", metavar="DAYS", type=_whole, help="keep what was used lately (14)"
    )
    parser.add_argument(
        "--max-size",
        metavar="SIZE",
        help="leave at most so much, as 20GiB: what was not used for longest goes first; "
        "results that links show stay",
    )


def _init(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME")
    parser.add_argument(
        "starter", nargs="?", choices=STARTERS, default=STARTERS[0], help="what it is (go)"
    )


# ---- the rows

_PINNED = (_common, _sources, _overrides)
_MAKING = (*_PINNED, _building, _telling, _json)

ROWS = (
    CommandRow(
        "build",
        "build targets and run their checks",
        "build:build_command",
        (*_MAKING, _no_check, _targets, _output),
    ),
    CommandRow(
        "check",
        "build targets and run every check, however long it takes",
        "build:build_command",
        (*_MAKING, _every_check, _targets, _output),
    ),
    CommandRow(
        "lock",
        "resolve every recipe and write rvbuild.lock",
        "lock:lock_command",
        (_common, _sources, _telling, _lock),
    ),
    CommandRow(
        "fetch",
        "bring the sources of targets into the store",
        "build:fetch_command",
        (*_PINNED, _telling, _targets, _fetch),
    ),
    CommandRow(
        "plan",
        "show what a build would do, and why",
        "inspect:plan_command",
        (*_PINNED, _building, _json, _targets),
    ),
    CommandRow(
        "show",
        "describe a target, or list the recipes",
        "show:show_command",
        (*_PINNED, _json, _targets, _show),
    ),
    CommandRow(
        "log",
        "print the log of a target's step, or of its check that failed",
        "inspect:log_command",
        (*_PINNED, _log),
    ),
    CommandRow(
        "doctor",
        "look whether this machine can build",
        "maintain:doctor_command",
        (_common, _json),
    ),
    CommandRow(
        "store",
        "look after the store",
        "maintain:store_command",
        (_common, _json, _telling, _store),
    ),
    CommandRow(
        "gc",
        "remove from the store what no result and no recent build needs",
        "maintain:gc_command",
        (_common, _json, _gc),
    ),
    CommandRow(
        "config",
        "show each setting, its value, and who set it",
        "config:config_command",
        (_common, _json),
    ),
    CommandRow(
        "init",
        "write the recipe of a new package, to begin with",
        "init:init_command",
        (_common, _telling, _init),
    ),
)

COMMANDS = {row.name: row for row in ROWS}
