"""The command line: words to values.

Knows: commands, options, help texts. Must not know: what a command does. Imports nothing
but argparse: a build with nothing to do pays for this module every time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

COMMANDS = (
    "build",
    "check",
    "lock",
    "fetch",
    "plan",
    "show",
    "log",
    "doctor",
    "store",
    "gc",
    "init",
    "config",
)
_BEFORE = frozenset({"--store", "-q", "--quiet", "-v", "--verbose"})
STARTERS = ("go", "autotools", "meson", "image")

_ALIKE = 0.75
"""From when on an option is likely the one that was meant: all begin with the same two dashes."""

_HEAD = """\
Build software for other architectures, reproducibly and from source.

  rvbuild TARGET...            build; the short form of `rvbuild build TARGET...`
  rvbuild runc-riscv64         for example: leaves ./result/runc-riscv64/
"""
_TAIL = """\
A TARGET is NAME-ARCH: k3s-riscv64, runc-arm64. `rvbuild show` lists the recipes.
`rvbuild COMMAND --help` tells more about one command.

exit codes: 0 done, 1 a step failed, 2 usage, 3 recipe or lock invalid, 4 a source could
not be had, 5 verification failed, 6 sandbox or machine unfit, 130 interrupted
"""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; wrong words end the program with exit code 2."""
    parser, commands = _parser()
    arguments, unknown = parser.parse_known_args(_with_command(list(words)))
    if unknown:
        _refuse(commands[arguments.command], unknown)
    if arguments.command in {"build", "check", "fetch", "plan"} and not arguments.targets:
        parser.error(f"`rvbuild {arguments.command}` wants a TARGET, such as runc-riscv64")
    if arguments.command == "store" and (arguments.action == "import") != bool(arguments.old):
        wants = "wants the store to import from" if not arguments.old else "takes no OLD"
        parser.error(f"`rvbuild store {arguments.action}` {wants}")
    jobs = getattr(arguments, "jobs", None)
    if jobs is not None and jobs < 1:
        parser.error(f"-j {jobs}: at least one step must run; without -j, as many as cores")
    keep = getattr(arguments, "keep", None)
    if keep is not None and keep < 0:
        parser.error(f"--keep {keep}: not a number of days")
    return arguments


def _refuse(command: argparse.ArgumentParser, unknown: list[str]) -> NoReturn:
    from difflib import get_close_matches  # noqa: PLC0415 - only when it is needed
    from re import findall  # noqa: PLC0415 - only when it is needed

    if unknown[0][:1] != "-" and command.prog.endswith(" log"):
        command.error(f"it prints one log, and here is another target: {' '.join(unknown)}")
    options = findall(r"(?<!\S)--[a-z-]+", command.format_help())
    near = get_close_matches(unknown[0].partition("=")[0], options, 1, _ALIKE)
    also = f"; did you mean {near[0]}?" if near else ""
    command.error(f"not known here: {' '.join(unknown)}{also}")


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        msg = f"{text!r} is not a whole number"
        raise argparse.ArgumentTypeError(msg) from None


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in the form of every other error."""

    def error(self, message: str) -> NoReturn:
        from rvbuild.core.printable import printable  # noqa: PLC0415 - only when it is needed

        self.exit(2, f"error: {printable(message)}\nhint: see `{self.prog} --help`\n")


def _with_command(words: list[str]) -> list[str]:
    """`rvbuild TARGET` is `rvbuild build TARGET`; options of every command may stand before it."""
    if not words:
        return ["--help"]
    at = 0
    while at < len(words) and words[at].partition("=")[0] in _BEFORE:
        at += 2 if words[at] == "--store" else 1
    before, rest = words[:at], words[at:]
    if rest and rest[0] in {*COMMANDS, "-h", "--help", "--version"}:
        return [rest[0], *before, *rest[1:]]
    return ["build", *words]


def _parser() -> tuple[_Parser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and that of each command."""
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        "rvbuild", description=_HEAD, epilog=_TAIL, formatter_class=form, allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    common, json, telling, building = _common(), _json(), _telling(), _building()
    sources, overrides = _sources(), _overrides()
    pinned = (common, sources, overrides)

    def command(name: str, text: str, *parents: _Parser) -> _Parser:
        return commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            parents=parents,
            allow_abbrev=False,
        )

    making = (*pinned, building, telling, json)
    build = command("build", "build targets and run their checks", *making)
    build.add_argument("--no-check", action="store_true", help="do not run the targets' checks")
    check = command("check", "build targets and run every check, however long it takes", *making)
    check.set_defaults(no_check=False)
    for made in (build, check):
        made.add_argument("targets", nargs="*", metavar="TARGET")
        made.add_argument(
            "-o",
            "--output",
            metavar="DIR",
            action=_Once,
            help="put copies at DIR/TARGET, no links at ./result; an older copy that nobody "
            "changed goes, anything else there is moved to DIR/TARGET.old-XXXX",
        )

    lock = command("lock", "resolve every recipe and write rvbuild.lock", common, sources, telling)
    lock.add_argument(
        "recipes",
        nargs="*",
        metavar="RECIPE",
        help="only these, what they need, and what was read from what changes by that",
    )
    lock.add_argument(
        "--check", action="store_true", help="write nothing; fail if the lock would change"
    )
    lock.add_argument(
        "--merge",
        nargs=3,
        metavar=("BASE", "OURS", "THEIRS"),
        help="put two locks together in OURS: what git runs, see docs/format.md",
    )

    fetch = command("fetch", "bring the sources of targets into the store", *pinned, telling)
    fetch.add_argument("targets", nargs="*", metavar="TARGET")
    fetch.add_argument("-k", "--keep-going", action="store_true", help="go on after a failure")

    plan = command("plan", "show what a build would do, and why", *pinned, building, json)
    plan.add_argument("targets", nargs="*", metavar="TARGET")

    show = command("show", "describe a target, or list the recipes", *pinned, json)
    show.add_argument("targets", nargs="*", metavar="TARGET")
    show.add_argument(
        "--pins", action="store_true", help="each derived pin with the place it was read from"
    )
    show.add_argument(
        "--closure",
        action="store_true",
        help="every source that the target needs, where it is from, and what of them is prebuilt",
    )

    log = command("log", "print the log of a target's step, or of its check that failed", *pinned)
    log.add_argument("target", metavar="TARGET", help="or the digest of a derivation")

    command("doctor", "look whether this machine can build", common, json)

    store = command("store", "look after the store", common, json)
    store.add_argument(
        "action",
        metavar="verify|repair|path|import",
        choices=["verify", "repair", "path", "import"],
        help="verify: hash everything again; repair: also set aside what is damaged, "
        "so that the next build fetches or makes it anew; import: take over the sources that "
        "another store has, verified, also one of an earlier rvbuild",
    )
    store.add_argument("old", nargs="?", metavar="OLD", help="the store to import from")

    gc = command(
        "gc", "remove from the store what no result and no recent build needs", common, json
    )
    gc.add_argument("--keep", metavar="DAYS", type=_whole, help="keep what was used lately (14)")
    gc.add_argument(
        "--max-size",
        metavar="SIZE",
        help="leave at most so much, as 20GiB: what was not used for longest goes first; "
        "results that links show stay",
    )

    command("config", "show each setting, its value, and who set it", common, json)

    init = command("init", "write the recipe of a new package, to begin with", common, telling)
    init.add_argument("name", metavar="NAME")
    init.add_argument(
        "starter", nargs="?", choices=STARTERS, default=STARTERS[0], help="what it is (go)"
    )
    return parser, commands.choices


def _common() -> _Parser:
    group = _Parser(add_help=False)
    group.add_argument(
        "--store",
        metavar="DIR",
        help="the store (default: the project's cache/, else the user's cache folder)",
    )
    return group


def _json() -> _Parser:
    group = _Parser(add_help=False)
    group.add_argument("--json", action="store_true", help="results as JSON on standard output")
    return group


def _telling() -> _Parser:
    group = _Parser(add_help=False)
    group.add_argument("-q", "--quiet", action="store_true", help="only results and errors")
    group.add_argument(
        "-v", "--verbose", action="store_true", help="also why, and what the steps write"
    )
    return group


def _sources() -> _Parser:
    group = _Parser(add_help=False)
    group.add_argument(
        "--mirror",
        metavar="FROM=TO",
        action="append",
        default=[],
        help="take sources whose URL starts with FROM from TO: a URL, folder or bare repository",
    )
    group.add_argument(
        "--offline",
        action="store_true",
        default=None,
        help="reach nothing: only what the store has",
    )
    return group


def _overrides() -> _Parser:
    group = _Parser(add_help=False)
    group.add_argument(
        "--override",
        metavar="NAME=PATH",
        action="append",
        default=[],
        help="use a folder instead of a source (a 'kind: source' recipe, or RECIPE/SOURCE)",
    )
    group.add_argument(
        "--replace",
        metavar="NAME=RECIPE",
        action="append",
        default=[],
        help="let another recipe stand for a target input, as k3s-root=k3s-root-nft",
    )
    group.add_argument(
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="take a variant that a recipe declares, as root=nft; `rvbuild show TARGET` lists them",
    )
    return group


def _building() -> _Parser:
    group = _Parser(add_help=False)
    group.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=_whole,
        help="steps at once (default: as many as cores)",
    )
    group.add_argument(
        "-k",
        "--keep-going",
        action="store_true",
        help="after a failure, go on with what does not depend on it",
    )
    group.add_argument(
        "--keep-failed",
        action="store_true",
        help="leave the folder of a step that fails, and tell where it is",
    )
    group.add_argument(
        "--release",
        action="store_true",
        help="no compile caches, no overrides: what a release pipeline runs",
    )
    return group


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


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from rvbuild import __version__  # noqa: PLC0415 - read only when asked for

        sys.stdout.write(f"rvbuild {__version__}\n")
        parser.exit()
