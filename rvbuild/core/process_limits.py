"""What a process can be given: execve(2), as Linux has it on pages of 4 KiB.

Knows: lengths in bytes. Must not know: recipes, sandboxes.

Every command that a step starts inherits its variables, so one that is too long is no way to hand
on a text: nothing in the step could be started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

MAX_WORD = 128 << 10
"""Bytes of one argument, or of ``NAME=value``, with the NUL at its end (MAX_ARG_STRLEN)."""

MAX_WORDS = (2 << 20) - (64 << 10)
"""Bytes of all of them: a quarter of a step's stack (8 MiB), less what an executor adds."""

_POINTER = 8


def word_problems(
    environment: Mapping[str, str], arguments: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """What cannot be given to a process: (name, why), of a variable or an argument.

    The name is that of the largest one where each alone could be given.
    """
    words = {**arguments, **{name: f"{name}={value}" for name, value in environment.items()}}
    sizes = {name: len(word.encode(errors="surrogateescape")) + 1 for name, word in words.items()}
    for name, word in words.items():
        if "\0" in word:
            yield name, "holds a NUL, which no process can be given"
        if sizes[name] > MAX_WORD:
            yield name, f"has {sizes[name]:,} bytes; a process can be given {MAX_WORD:,}"
    total = sum(sizes.values()) + _POINTER * len(sizes)
    if total > MAX_WORDS:
        largest = max(sizes, key=lambda name: sizes[name])
        yield largest, f"and the others have {total:,} bytes; a process can be given {MAX_WORDS:,}"
