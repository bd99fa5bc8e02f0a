r"""The patterns of GOPRIVATE and GONOPROXY.

Knows: golang.org/x/mod/module (MatchPrefixPatterns), and the syntax of Go's path.Match that it
uses. Must not know: settings, modules.

Rules:

1. Patterns are separated by commas. Nothing but one ``/`` at the end of a pattern is taken away.
2. A pattern is held against as many elements of a path as it has itself: ``a.example/*`` fits
   ``a.example/x/y``.
3. ``*`` and ``?`` fit no ``/``, ``[a-z]`` and ``[^a-z]`` (never ``[!a-z]``) fit any one character,
   ``\\`` takes away the meaning of the next one. What a ``*`` and the text after it fit first is
   not looked for again.
4. A pattern with a mistake in it fits nothing.

Example: ``[^x].example/`` fits ``a.example/m``, and not ``x.example/m``.
"""

from __future__ import annotations

import re

_NEVER, _ALWAYS = "(?!)", "[\\s\\S]"


def covers(patterns: str, path: str) -> bool:
    """Whether one of the patterns fits the beginning of a path."""
    return any(_fits_beginning(one.removesuffix("/"), path) for one in patterns.split(","))


def _fits_beginning(pattern: str, path: str) -> bool:
    count = pattern.count("/") + 1
    parts = path.split("/")
    if not pattern or len(parts) < count:
        return False
    regex = _regex(pattern)
    return regex is not None and re.fullmatch(regex, "/".join(parts[:count])) is not None


def _regex(pattern: str) -> str | None:
    """A regular expression that fits what a pattern does; None if the pattern has a mistake."""
    pieces = [""]  # what stands before the first star, and after each
    rest = pattern
    while rest:
        if rest[0] == "*":
            if pieces[-1] or len(pieces) == 1:  # two stars in a row are one
                pieces.append("")
            rest = rest[1:]
            continue
        piece, rest = _piece(rest)
        if not piece:
            return None
        pieces[-1] += piece
    first, *stars = pieces
    committed = "".join(f"(?>[^/]*?{one})" for one in stars[:-1])
    return first + committed + "".join(f"[^/]*?{one}" for one in stars[-1:])


def _piece(text: str) -> tuple[str, str]:
    """The expression for the first element of a pattern, and the rest; empty for a mistake."""
    if text[0] == "?":
        return "[^/]", text[1:]
    if text[0] == "[":
        return _set(text[1:])
    character, rest = _character(text)
    return re.escape(character), rest


def _character(text: str) -> tuple[str, str]:
    """The first character without its backslash, and the rest."""
    escaped = text[:1] == "\\"
    return text[escaped : escaped + 1], text[escaped + 1 :]


def _set(text: str) -> tuple[str, str]:
    negated = text[:1] == "^"
    text = text[negated:]
    ranges: list[str] = []
    empty = True
    while empty or text[:1] != "]":
        first, text = _bound(text)
        last = first
        if text[:1] == "-":
            last, text = _bound(text[1:])
        if not first or not last or not text:
            return "", ""
        empty = False
        if first <= last:
            ranges.append(f"{re.escape(first)}-{re.escape(last)}")
    if not ranges:
        return (_ALWAYS if negated else _NEVER), text[1:]
    return f"[{'^' if negated else ''}{''.join(ranges)}]", text[1:]


def _bound(text: str) -> tuple[str, str]:
    """One end of a range, and the rest; empty for a mistake."""
    return ("", "") if text[:1] in {"", "-", "]"} else _character(text)
