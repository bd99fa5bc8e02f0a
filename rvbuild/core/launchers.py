"""Launchers: what puts a recipe's programs on PATH in its checks.

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

_FOUND = "/tmp/launchers"  # noqa: S108 - in the sandbox
"""Launchers of those that fit a pattern, which the check itself looks for."""

_EACH = "while IFS= read -r program"
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
    for rule in rules:
        if rule.kind == "executable" and not is_pattern(rule.path):
            program = shlex.quote(f"/in/{name}/{rule.path}")
            text = f'#!/bin/sh\nexec {_emulator(foreign)}{program} "$@"\n'
            yield f"bin/{rule.path.rsplit('/', 1)[-1]}", text.encode(), True


def finder(name: str, rules: Sequence[OutputRule], foreign: str | None) -> str:
    """The begin of a check's first line: it makes launchers of what fits a pattern.

    Nothing, if no executable is a pattern. It is on the check's own line, since a shell counts
    lines in its errors.
    """
    patterns = [r.path for r in rules if r.kind == "executable" and is_pattern(r.path)]
    if not patterns:
        return ""
    fits = " -o ".join(
        f"-regex {shlex.quote(expression(f'/in/{name}/{path}'))}" for path in patterns
    )
    write = f'printf {shlex.quote(_TEXT)} {shlex.quote(_emulator(foreign))} "$quoted"'
    parts = (
        f"PATH={SYSTEM_PATH}",
        f"mkdir {_FOUND}",
        f"find /in/{name} -regextype posix-extended ! -type d '(' {fits} ')' | {_EACH}",
        f'do {_QUOTED}; {write} > "{_FOUND}/${{program##*/}}"',
        "done",
        f"chmod 755 {_FOUND}/*",
        f"PATH={FOLDER}:{_FOUND}:$PATH",
    )
    return "; ".join(parts) + "; "


def places() -> str:
    """Where a check's shell finds every launcher, as patterns of which one may fit nothing."""
    return f"{FOLDER}/* {_FOUND}/*"


def _emulator(foreign: str | None) -> str:
    return f"/in/{QEMU}/bin/{ARCHITECTURES[foreign].emulator} " if foreign else ""
