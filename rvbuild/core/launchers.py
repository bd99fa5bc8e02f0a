"""Launchers: what puts a recipe's programs on PATH in its checks, and lists them.

Knows: where programs lie in a check, and that a foreign one needs the emulator.
Must not know: what a check runs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.derivation import OutputRule
from rvbuild.core.output_patterns import expression, is_pattern
from rvbuild.core.recipe import QEMU

SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
FOLDER = "/in/run/bin"
"""Launchers of the programs that a recipe names."""

FOUND = "/tmp/launchers"  # noqa: S108 - in the sandbox
"""Launchers of those that fit a pattern, which the check itself looks for."""

_EACH = "while IFS= read -r program"
_NAME = "name=${program##*/}"
_ONCE = (
    f'[ ! -e "{FOLDER}/$name" ] && [ ! -e "{FOUND}/$name" ] || '
    '{ echo "two programs are called $name, and a check has one PATH" >&2; exit 1; }'
)
_QUOTED = """quoted=$(printf %s "$program" | sed "s/'/'\\\\\\\\''/g")"""
_TEXT = "#!/bin/sh\\nexec %s'%s' \"$@\"\\n"


def launchers(
    name: str, rules: Sequence[OutputRule], foreign: str | None
) -> Iterator[tuple[str, bytes, bool]]:
    """A file for each executable that has a path of its own: path, content, executable bit.

    Args:
        name: The recipe's, below ``/in``.
        rules: Its outputs.
        foreign: The architecture that needs an emulator, if any.
    """
    for path in _named(name, rules):
        text = f'#!/bin/sh\nexec {prefix(foreign)}{shlex.quote(path)} "$@"\n'
        yield f"bin/{path.rsplit('/', 1)[-1]}", text.encode(), True


def finder(name: str, rules: Sequence[OutputRule], foreign: str | None) -> str:
    """The begin of a check's first line: it makes launchers of what fits a pattern.

    Nothing, if no executable is a pattern. It is on the check's own line, since a shell counts
    lines in its errors.
    """
    search = _search(name, rules)
    if not search:
        return ""
    write = f'printf {shlex.quote(_TEXT)} {shlex.quote(prefix(foreign))} "$quoted"'
    parts = (
        f"PATH={SYSTEM_PATH}",
        f"mkdir {FOUND}",
        f"{search} | {_EACH}",
        f'do {_NAME}; {_ONCE}; {_QUOTED}; {write} > "{FOUND}/$name"',
        "done",
        f"chmod 755 {FOUND}/*",
        f"PATH={FOLDER}:{FOUND}:$PATH",
    )
    return "; ".join(parts) + "; "


def listing(name: str, rules: Sequence[OutputRule]) -> str:
    """A command that prints the path of each executable, one a line."""
    words = " ".join(map(shlex.quote, _named(name, rules)))
    search = _search(name, rules)
    parts = (words and f"printf '%s\\n' {words}", search and f"PATH={SYSTEM_PATH} {search}")
    return "; ".join(filter(None, parts))


def prefix(foreign: str | None) -> str:
    """What stands before a program's path, if it is for another architecture."""
    return f"/in/{QEMU}/bin/{ARCHITECTURES[foreign].emulator} " if foreign else ""


def _named(name: str, rules: Sequence[OutputRule]) -> list[str]:
    """The paths of executables that no pattern has."""
    paths = (rule.path for rule in rules if rule.kind == "executable" and not is_pattern(rule.path))
    return [f"/in/{name}/{path}" for path in paths]


def _search(name: str, rules: Sequence[OutputRule]) -> str:
    """A command that prints what is an executable by a pattern; empty if none is one.

    As `core.output_patterns` has it: no file that has a rule of its own, and of several patterns
    the first one counts.
    """
    fits: list[str] = []
    others = [rule.path for rule in rules if not is_pattern(rule.path)]
    for rule in rules:
        if not is_pattern(rule.path):
            continue
        if rule.kind == "executable":
            none = "".join(f" ! {_regex(name, path)}" for path in others)
            fits.append(_regex(name, rule.path) + none)
        else:
            others.append(rule.path)
    if not fits:
        return ""
    return f"find /in/{name} -regextype posix-extended ! -type d '(' {' -o '.join(fits)} ')'"


def _regex(name: str, path: str) -> str:
    return f"-regex {shlex.quote(expression(f'/in/{name}/{path}'))}"
