"""Patterns of outputs: one declaration for many files, as ``bin/*``.

Knows: which paths a pattern means. Must not know: trees, what an output must be.
``*`` stands for any text without a ``/``, ``**`` for any text. Every other character is itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve

from rvbuild.core.derivation import OutputRule

_WORD = re.compile(r"(\*\*|\*)")
_SPECIAL = re.compile(r"([\\.^$|?+()\[\]{}])")
_ANY = {"*": "[^/]*", "**": ".*"}


def is_pattern(path: str) -> bool:
    """Whether an output's path means all files that fit it."""
    return "*" in path


def expression(pattern: str) -> str:
    """The pattern as an extended regular expression, which Python and POSIX read alike."""
    return "".join(_ANY.get(each) or literally(each) for each in _WORD.split(pattern))


def literally(text: str) -> str:
    """An extended regular expression for just this text."""
    return _SPECIAL.sub(r"\\\1", text)


def fitting(pattern: str, paths: Iterable[str]) -> list[str]:
    """The paths that a pattern means."""
    fits = re.compile(expression(pattern), re.DOTALL).fullmatch
    return [path for path in paths if fits(path)]


def spelled_out(rules: Sequence[OutputRule], paths: Iterable[str]) -> Iterator[OutputRule]:
    """One rule a file. A rule with the file's own path counts, else the first pattern that fits.

    Args:
        rules: Those of a step.
        paths: The files and links of its output. A pattern that fits none stays as it is.
    """
    known = list(paths)
    named = {rule.path for rule in rules}
    for rule in rules:
        found = fitting(rule.path, known) if is_pattern(rule.path) else []
        if not found:
            yield rule
        for path in found:
            if path not in named:
                named.add(path)
                yield evolve(rule, path=path)
