"""The command line: words to values.

Knows: what a command line must have. Must not know: what a command does. Imports nothing
but argparse: a build with nothing to do pays for this module every time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from rvbuild.cli.commands import COMMANDS, ROWS

_BEFORE = frozenset({"--store", "-q", "--quiet", "-v", "--verbose"})
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
(128 + N by signal N)
"""


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line; wrong words end the program with exit code 2."""
    words = _with_command(list(words))
    parser, commands = _parser(words)
    arguments, unknown = parser.parse_known_args(words)
    unknown = _without_subject(arguments, unknown)
    if unknown:
        _refuse(commands[arguments.command], unknown)
    wrong = _wrong(arguments)
    if wrong:
        commands[arguments.command].error(wrong)
    return arguments


def _without_subject(arguments: argparse.Namespace, unknown: list[str]) -> list[str]:
    """Take the subject of an action from behind an option, where argparse seeks none any more."""
    lacking = [name for name in ("subject", "address") if vars(arguments).get(name, "") is None]
    if 0 < len(unknown) <= len(lacking) and all(word[:1] != "-" for word in unknown):
        for name, word in zip(lacking, unknown, strict=False):
            setattr(arguments, name, word)
        return []
    return unknown


def _wrong(arguments: argparse.Namespace) -> str | None:
    """What is wrong with words that are right one by one."""
    command, options = arguments.command, vars(arguments)
    without = command == "show" or _is_of_all(arguments)
    if not without and options.get("targets") == []:
        return f"`rvbuild {command}` wants a TARGET, such as runc-riscv64"
    if command == "store" and (arguments.action == "import") != bool(arguments.old):
        wants = "wants the store to import from" if not arguments.old else "takes no OLD"
        return f"`rvbuild store {arguments.action}` {wants}"
    rules = _RULES.get(command)
    if rules and (wrong := rules(arguments)):
        return wrong
    if options.get("merge") and (arguments.check or arguments.recipes):
        return "--merge takes three files alone: no RECIPE, and no --check"
    jobs, keep = options.get("jobs"), options.get("keep")
    if jobs is not None and jobs < 1:
        return f"-j {jobs}: at least one step must run; without -j, as many as cores"
    return None if keep is None or keep >= 0 else f"--keep {keep}: not a number of days"


def _is_of_all(arguments: argparse.Namespace) -> bool:
    """Whether a push is of whatever was built here."""
    options = vars(arguments)
    return bool(options.get("all")) or options.get("built_since") is not None


def _wrong_of_push(arguments: argparse.Namespace) -> str | None:
    if _is_of_all(arguments) and (arguments.targets or arguments.check):
        return "--all and --built-since take no TARGET, and no --check"
    days = arguments.built_since
    return None if days is None or days >= 0 else f"--built-since {days}: not a number of days"


def _wrong_of_keys(arguments: argparse.Namespace) -> str | None:
    action = arguments.action
    wants = {"new": "a NAME", "trust": "a FILE or a key's TEXT", "revoke": "a NAME"}
    if action == "list" and arguments.subject:
        return f"`rvbuild keys list` takes no {arguments.subject}"
    if action != "list" and not arguments.subject:
        return f"`rvbuild keys {action}` wants {wants.get(action, 'a NAME')}"
    if (action == "revoke") != (arguments.why is not None):
        return "`rvbuild keys revoke` wants --why, and no other does"
    if arguments.user and action != "trust":
        return f"--user is for `rvbuild keys trust`, and not for {action}"
    return None


def _wrong_of_caches(arguments: argparse.Namespace) -> str | None:
    action, name = arguments.action, arguments.subject
    if action == "list" and name:
        return f"`rvbuild caches list` takes no {name}"
    if action != "list" and not name:
        return f"`rvbuild caches {action}` wants a NAME"
    if (action == "add") != bool(arguments.address):
        return f"`rvbuild caches {action}` {'wants an' if action == 'add' else 'takes no'} ADDRESS"
    for option, actions in _OF_CACHES.items():
        if getattr(arguments, option) and action not in actions:
            words = " and ".join(f"`rvbuild caches {each}`" for each in actions)
            return f"--{option.replace('_', '-')} is for {words}, and not for {action}"
    if arguments.user and arguments.project:
        return "--user and --project: say one of them"
    return None


_OF_CACHES = {
    "write": ("add",),
    "user": ("add", "remove"),
    "project": ("add", "remove"),
    "max_size": ("gc",),
    "dry_run": ("gc",),
    "remove": ("verify",),
}
"""The actions of `caches` that an option is for."""


def _wrong_of_serve(arguments: argparse.Namespace) -> str | None:
    return None if 0 <= arguments.port < 1 << 16 else f"--port {arguments.port}: no port"


_RULES = {
    "serve": _wrong_of_serve,
    "caches": _wrong_of_caches,
    "keys": _wrong_of_keys,
    "push": _wrong_of_push,
}


def _refuse(command: argparse.ArgumentParser, unknown: list[str]) -> NoReturn:
    from difflib import get_close_matches  # noqa: PLC0415 - only when it is needed
    from re import findall  # noqa: PLC0415 - only when it is needed

    if unknown[0][:1] != "-" and command.prog.endswith(" log"):
        command.error(f"it prints one log, and here is another target: {' '.join(unknown)}")
    options = findall(r"(?<!\S)--[a-z-]+", command.format_help())
    near = get_close_matches(unknown[0].partition("=")[0], options, 1, _ALIKE)
    also = f"; did you mean {near[0]}?" if near else ""
    command.error(f"not known here: {' '.join(unknown)}{also}")


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in the form of every other error."""

    def error(self, message: str) -> NoReturn:
        from rvbuild.cli.public import public  # noqa: PLC0415 - only when it is needed
        from rvbuild.core.printable import printable  # noqa: PLC0415 - the same

        self.exit(2, f"error: {printable(public(message))}\nhint: see `{self.prog} --help`\n")


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


def _parser(words: Sequence[str]) -> tuple[_Parser, Mapping[str, argparse.ArgumentParser]]:
    """The parser, and that of each command; of the others only where the words name none."""
    form = argparse.RawDescriptionHelpFormatter
    parser = _Parser(
        "rvbuild", description=_HEAD, epilog=_TAIL, formatter_class=form, allow_abbrev=False
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    row = COMMANDS.get(words[0])
    for each in (row,) if row else ROWS:
        text = each.summary
        description = f"{text[0].upper()}{text[1:]}."
        command = commands.add_parser(
            each.name, help=text, description=description, allow_abbrev=False
        )
        for option in each.options:
            command.add_argument(*option.names, **option.rules)
    return parser, commands.choices


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from rvbuild import __version__  # noqa: PLC0415 - read only when asked for

        sys.stdout.write(f"rvbuild {__version__}\n")
        parser.exit()
