"""What a name, a path and a link's target may be, up to the last byte."""

from __future__ import annotations

import pytest

from rvbuild.core.errors import VerificationError
from rvbuild.core.paths import (
    MAX_NAME,
    MAX_PATH,
    MAX_TARGET,
    check_name,
    check_target,
    is_component,
    path_problem,
)


@pytest.mark.parametrize("letter", ["x", "é", "€", "\U0001f600"])
@pytest.mark.parametrize("most", [MAX_NAME, MAX_PATH, MAX_TARGET])
def test_lengths_are_in_bytes(letter: str, most: int):
    width = len(letter.encode())
    longest = letter * (most // width) + "x" * (most % width)

    def fits(text: str) -> bool:
        check = {MAX_NAME: check_name, MAX_TARGET: check_target}.get(most)
        if check is None:
            return not path_problem(text)
        try:
            check(text)
        except VerificationError:
            return False
        return True

    assert len(longest.encode()) == most
    assert fits(longest)
    assert not fits(longest + "x")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0", "\ud800"])
def test_what_is_no_name(name: str):
    with pytest.raises(VerificationError, match="file name"):
        check_name(name)
    assert is_component(name) == (name == "\ud800"), "only its encoding is wrong"


@pytest.mark.parametrize("target", ["", "a\0", "\ud800"])
def test_what_no_link_says(target: str):
    with pytest.raises(VerificationError, match="not the target"):
        check_target(target)


@pytest.mark.parametrize("path", ["", "/a", "a\0b", "a/" * 1024 + "a"])
def test_what_is_no_path(path: str):
    assert path_problem(path)
    assert path_problem("../a//b") == "", "names are looked at one by one, by who takes them"
