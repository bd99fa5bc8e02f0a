"""What is wrong with a text that is no YAML, in words for who wrote it.

Knows: libyaml's problems, and what people usually did. Must not know: recipes or locks.
"""

from __future__ import annotations

from typing import Protocol

import yaml
from attrs import frozen


class Mark(Protocol):
    """A place, as both of PyYAML's parsers tell it; counted from 0."""

    line: int
    column: int


@frozen
class Explained:
    """What is wrong, where, and what to do."""

    message: str
    mark: Mark | None
    hint: str


@frozen
class _Words:
    """``began``: the place is where the thing began that the parser could not finish."""

    message: str
    hint: str
    began: bool = False


_QUOTE = "a value that begins with a sign of YAML's own goes in quotes: '@home'"
_SIGN = _Words("a value cannot begin so", _QUOTE)
_DIRECTIVE = _Words("a line cannot begin with '%'", "put the text in quotes, or indent it")
_PROBLEMS = {
    "mapping values are not allowed in this context": _Words(
        "a ':' cannot stand here",
        "text with ': ' in it goes in quotes; keys of one mapping begin in the same column",
    ),
    "did not find expected key": _Words(
        "a key (`key: value`) is expected here",
        "keys of one mapping begin in the same column; see whether a quote or bracket above "
        "was closed too early or never",
    ),
    "could not find expected ':'": _Words(
        "this is no `key: value`",
        "a ':' and a space follow a key; an item of a list begins with '- '",
        began=True,
    ),
    "did not find expected '-' indicator": _Words(
        "an item of the list ('- …') is expected here", "items of one list begin in the same column"
    ),
    "block sequence entries are not allowed in this context": _Words(
        "a list cannot begin here", "each '- item' is a line of its own, below its key"
    ),
    "did not find expected node content": _Words(
        "a value is missing here", "in a list: [a, b]; in a mapping: {key: value}"
    ),
    "found unexpected end of stream": _Words(
        "this text in quotes has no end", "close the quote; '' is a quote inside of '…'", began=True
    ),
    "found unknown escape character": _Words(
        'an unknown escape in a text in "…"', "in '…' a backslash is a backslash"
    ),
    "found unexpected ':'": _Words(
        "a ':' cannot stand here", "in [a, b] and {key: value}, text with ':' in it goes in quotes"
    ),
    "mapping keys are not allowed in this context": _Words("a '? ' cannot stand here", _QUOTE),
    "found character that cannot start any token": _SIGN,
    "did not find expected alphabetic or numeric character": _SIGN,
    "did not find expected whitespace or line break": _SIGN,
    "found unexpected non-alphabetical character": _DIRECTIVE,
    "could not find expected directive name": _DIRECTIVE,
    "found unknown directive name": _DIRECTIVE,
    "did not find expected comment or line break": _Words(
        "nothing can follow here but the end of the line",
        "after '|' or '>' the text begins on the next line, indented",
    ),
    "found incompatible YAML document": _Words(
        "another version of YAML", "remove the line that begins with %YAML"
    ),
    "did not find expected <document start>": _Words(
        "nothing can follow here", "keys of the whole file begin in the first column"
    ),
}
_FLOW = {
    "did not find expected ',' or ']'": ("list", "[", "]", "[a, b]"),
    "did not find expected ',' or '}'": ("mapping", "{", "}", "{key: value, other: value}"),
}


def explained(cause: yaml.MarkedYAMLError, text: str) -> Explained:
    """A parser's error, for people."""
    mark = cause.problem_mark or cause.context_mark
    if mark and "\t" in _indentation(text, mark.line):
        return Explained(
            "a tab indents this line", mark, "YAML does not indent with tabs: use spaces"
        )
    problem = cause.problem or cause.context or "not known"
    if problem in _FLOW:
        return _flow(cause, *_FLOW[problem])
    words = _PROBLEMS.get(problem)
    if words is None:
        return Explained(f"not YAML: {problem}", mark, "see also the lines above this one")
    place = cause.context_mark if words.began and cause.context_mark else mark
    return Explained(words.message, place, words.hint)


def _flow(cause: yaml.MarkedYAMLError, kind: str, first: str, last: str, like: str) -> Explained:
    """A comma that is missing, or else the end: then the parser is lines further on."""
    began, mark = cause.context_mark, cause.problem_mark
    if began and mark and began.line != mark.line:
        message = f"this {kind} begins with '{first}' and has no '{last}'"
        return Explained(message, began, f"close it, and put ',' between its items: {like}")
    return Explained(f"',' or '{last}' is missing before this", mark, f"a {kind}: {like}")


def _indentation(text: str, number: int) -> str:
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    return line[: len(line) - len(line.lstrip())]
