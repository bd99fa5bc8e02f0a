"""What ``printable`` promises, for any text."""

from __future__ import annotations

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from rvbuild.cli.messages import render_error
from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief, printable, printable_line

_ANY = st.text(st.characters(codec=None, exclude_categories=()))
_STEERING = (
    "\x00\x07\x08\x0b\x1b\r\x7f\x85\x9b\u061c\u200e\u2028\u202a\u202e\u2066\u2069\ufeff\ud800"
)
_FOREIGN = st.one_of(_ANY, st.text(_STEERING + "a[]m;\n\t\\x1b"))


def _steers(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(_FOREIGN)
@example(_STEERING)
def test_no_control_survives(text: str):
    assert not any(_steers(char) for char in printable(text) if char not in "\t\n")
    assert not any(_steers(char) for char in printable_line(text))
    assert not any(_steers(char) for char in brief(text))


@given(_FOREIGN)
@example(_STEERING)
def test_escaping_twice_is_escaping_once(text: str):
    assert printable(printable(text)) == printable(text)
    assert printable_line(printable_line(text)) == printable_line(text)


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_people_write_stays(text: str):
    assert printable(text) == text


@given(_FOREIGN)
def test_any_error_can_be_written(text: str):
    """No field of an error steers the terminal or breaks its encoding."""
    error = SourceError(text, where=text, hint=text, details=(text,))
    shown = render_error(error, color=False)
    shown.encode()
    assert not any(_steers(char) for char in shown if char not in "\t\n")
