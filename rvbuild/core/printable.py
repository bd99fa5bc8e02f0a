"""Text from outside, made harmless for a terminal: names, logs, servers' answers.

Knows: which characters steer a terminal. Must not know: where text is from or goes.
"""

from __future__ import annotations


def printable(text: str) -> str:
    r"""A block of text with nothing that steers a terminal.

    Kept are tabs, newlines, and what Unicode calls printable. Escaped, as Python would write
    it (``\x1b``), is the rest: C0 and C1 controls, carriage returns, bidirectional overrides
    and other format characters, separators but the space, lone surrogates.
    """
    return _escaped(text, "\t\n")


def printable_line(text: str) -> str:
    """The same for what must stay on one line: tabs and newlines are escaped, too."""
    return _escaped(text, "")


def brief(text: str, most: int = 200) -> str:
    """The first ``most`` characters on one line, for a message; ``…`` if there are more."""
    return printable_line(text[:most]) + ("…" if len(text) > most else "")


def _escaped(text: str, kept: str) -> str:
    if text.isprintable():  # nearly always
        return text
    return "".join(
        char if char.isprintable() or char in kept else char.encode("unicode_escape").decode()
        for char in text
    )
