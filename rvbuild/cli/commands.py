"""The commands: a row each, with its options and the function that runs it.

Knows: names, options, help texts. Must not know: what a command does. Imports nothing but
argparse: a build with nothing to do pays for this module every time.

To add a command, write its operation in `app`, a function beside this module that calls the
operation and draws what it returns, and a row of `ROWS` with its options.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, NamedTuple

STARTERS = ("go", "autotools", "meson", "image")


class CommandOption(NamedTuple):
    """An option, or a word that stands alone: what ``add_argument`` of argparse takes."""

    names: tuple[str, ...]
    rules: Mapping[str, Any]


class CommandRow(NamedTuple):
    """A row.

    Attributes:
        name: What a person writes.
        summary: Its line in the help.
        handler: ``MODULE:FUNCTION`` in this folder, imported when the command is run.
        options: Its options, in the order of the help.
    """

    name: str
    summary: str
    handler: str
    options: tuple[CommandOption, ...]


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        msg = f"{text!r} is not a whole number"
        raise argparse.ArgumentTypeError(msg) from None


def _folder(text: str) -> str:
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
        option: str | None = None,
    ) -> None:
        before = getattr(namespace, self.dest)
        if before is not None and before != value:
            parser.error(f"{option} is said twice, as {before} and as {value}: say one place")
        setattr(namespace, self.dest, value)


def _option(*names: str, **rules: Any) -> CommandOption:  # noqa: ANN401 - as argparse takes them
    return CommandOption(names, rules)


_TARGETS = _option("targets", nargs="*", metavar="TARGET")

_COMMON = (
    _option(
        "--store",
        metavar="DIR",
        type=_folder,
        help="the store (default: the project's cache/, else the user's cache folder)",
    ),
)
_JSON = (_option("--json", action="store_true", help="results as JSON on standard output"),)
_TELLING = (
    _option("-q", "--quiet", action="store_true", help="only results and errors"),
    _option("-v", "--verbose", action="store_true", help="also why, and what the steps write"),
)
_SOURCES = (
    _option(
        "--mirror",
        metavar="FROM=TO",
        action="append",
        default=[],
        help="take sources whose URL starts with FROM from TO: a URL, folder or bare repository",
    ),
    _option(
        "--offline",
        action="store_true",
        default=None,
        help="reach nothing: only what the store has",
    ),
)
_OVERRIDES = (
    _option(
        "--override",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="use a folder instead of a source (a 'kind: source' recipe, or RECIPE/SOURCE)",
    ),
    _option(
        "--replace",
        metavar="NAME=RECIPE",
        action="append",
        default=[],
        help="let another recipe stand for a target input, as k3s-root=k3s-root-nft",
    ),
    _option(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="take a variant that a recipe declares, as root=nft; `rvbuild show TARGET` lists them",
    ),
)
_BUILDING = (
    _option(
        "-j",
        "--jobs",
        metavar="N",
        type=_whole,
        help="steps at once (default: as many as cores)",
    ),
    _option(
        "-k",
        "--keep-going",
        action="store_true",
        help="after a failure, go on with what does not depend on it",
    ),
    _option(
        "--keep-failed",
        action="store_true",
        help="leave the folder of a step that fails, and tell where it is",
    ),
)
_RELEASE = _option(
    "--release",
    action="store_true",
    help="no compile caches, no overrides: what a release pipeline runs",
)
_OUTPUT = _option(
    "-o",
    "--output",
    metavar="DIR",
    type=_folder,
    action=_Once,
    help="put copies at DIR/TARGET, no links at ./result; an older copy that nobody "
    "changed goes, anything else there is moved to DIR/TARGET.old-XXXX",
)

_PINNED = (*_COMMON, *_SOURCES, *_OVERRIDES)
_MAKING = (*_PINNED, *_BUILDING, _RELEASE, *_TELLING, *_JSON)

# ---- the rows

ROWS = (
    CommandRow(
        "build",
        "build targets and run their checks",
        "build:build_command",
        (
            *_MAKING,
            _option("--no-check", action="store_true", help="do not run the targets' checks"),
            _TARGETS,
            _OUTPUT,
        ),
    ),
    CommandRow(
        "check",
        "build targets and run every check, however long it takes",
        "build:build_command",
        (*_MAKING, _TARGETS, _OUTPUT),
    ),
    CommandRow(
        "lock",
        "resolve every recipe and write rvbuild.lock",
        "lock:lock_command",
        (
            *_COMMON,
            *_SOURCES,
            *_TELLING,
            _option(
                "recipes",
                nargs="*",
                metavar="RECIPE",
                help="only these (NAME, NAME@SERIES, or @SERIES for all that has it), what they "
                "need, and what was read from what changes by that",
            ),
            _option(
                "--check", action="store_true", help="write nothing; fail if the lock would change"
            ),
            _option(
                "--merge",
                nargs=3,
                metavar=("BASE", "OURS", "THEIRS"),
                help="put two locks together in OURS: what git runs, see docs/format.md",
            ),
        ),
    ),
    CommandRow(
        "fetch",
        "bring the sources of targets into the store",
        "build:fetch_command",
        (
            *_PINNED,
            *_TELLING,
            *_JSON,
            _TARGETS,
            _option("-k", "--keep-going", action="store_true", help="go on after a failure"),
        ),
    ),
    CommandRow(
        "plan",
        "show what a build would do, and why",
        "inspect:plan_command",
        (*_PINNED, _RELEASE, *_JSON, _TARGETS),
    ),
    CommandRow(
        "show",
        "describe a target, or list the recipes",
        "show:show_command",
        (
            *_PINNED,
            *_JSON,
            _TARGETS,
            _option(
                "--pins",
                action="store_true",
                help="each derived pin with the place it was read from",
            ),
            _option(
                "--closure",
                action="store_true",
                help="every source that the target needs, where it is from, and what of them is "
                "prebuilt",
            ),
        ),
    ),
    CommandRow(
        "log",
        "print the log of a target's step, or of its check that failed",
        "inspect:log_command",
        (*_PINNED, _option("target", metavar="TARGET", help="or the digest of a derivation")),
    ),
    CommandRow(
        "audit",
        "look at results by the rules of today",
        "audit:audit_command",
        (*_PINNED, _RELEASE, *_JSON, _TARGETS),
    ),
    CommandRow(
        "doctor",
        "look whether this machine can build",
        "maintain:doctor_command",
        (*_COMMON, *_JSON),
    ),
    CommandRow(
        "store",
        "look after the store",
        "maintain:store_command",
        (
            *_COMMON,
            *_JSON,
            *_TELLING,
            _option(
                "action",
                metavar="verify|repair|path|import",
                choices=["verify", "repair", "path", "import"],
                help="verify: hash everything again; repair: also set aside what is damaged, "
                "so that the next build fetches or makes it anew; import: take over the sources "
                "that another store has, verified, also one of an earlier rvbuild",
            ),
            _option("old", nargs="?", metavar="OLD", type=_folder, help="the store to import from"),
        ),
    ),
    CommandRow(
        "gc",
        "remove from the store what no result and no recent build needs",
        "maintain:gc_command",
        (
            *_COMMON,
            *_JSON,
            _option("--keep", metavar="DAYS", type=_whole, help="keep what was used lately (14)"),
            _option(
                "--max-size",
                metavar="SIZE",
                help="leave at most so much, as 20GiB: what was not used for longest goes first; "
                "results that links show stay",
            ),
        ),
    ),
    CommandRow(
        "config",
        "show each setting, its value, and who set it",
        "config:config_command",
        (*_COMMON, *_JSON),
    ),
    CommandRow(
        "init",
        "write the recipe of a new package, to begin with",
        "init:init_command",
        (
            *_COMMON,
            *_TELLING,
            _option("name", metavar="NAME"),
            _option(
                "starter", nargs="?", choices=STARTERS, default=STARTERS[0], help="what it is (go)"
            ),
        ),
    ),
)

COMMANDS = {row.name: row for row in ROWS}
