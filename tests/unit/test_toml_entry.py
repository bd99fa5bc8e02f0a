"""An entry of a table in a TOML file: put there or taken away, and nothing else is changed."""

from __future__ import annotations

import difflib
import tomllib

import pytest

from rvbuild.app.toml_entry import CannotEdit, drop_entry, entry_line, put_entry

LINE = 'team = "https://cache.corp/a"'

DOCUMENTS = {
    "nothing": "",
    "no table": "jobs = 4\n",
    "no end of line": "jobs = 4",
    "an empty table": "[caches]\n",
    "a table at the end": '[caches]\nlab = "/mnt/lab"',
    "a table with another behind it": (
        'jobs = 4  # more\n\n[caches]  # whose?\n# the lab\'s\nlab = "/mnt/lab"\n\n# ours\n'
        '[accept]\nbuild = "ci"\n'
    ),
    "Windows": '[caches]\r\nlab = "/mnt/lab"\r\n',
    "an indented table": '  [ caches ]\n  lab = "/mnt/lab"\n[[x]]\ny = 1\n',
    "a word in a text": 'builder = """\n[caches]\n"""\n',
}


def lines_that_differ(before: str, after: str) -> list[str]:
    pieces = difflib.ndiff(before.splitlines(), after.splitlines())
    return [piece for piece in pieces if piece[:2] in {"+ ", "- "}]


@pytest.mark.parametrize("name", set(DOCUMENTS) - {"a word in a text"})
def test_an_entry_comes_and_goes_and_all_else_stays(name: str):
    before = DOCUMENTS[name]
    after = put_entry(before, "caches", "team", "https://cache.corp/a")
    expected = tomllib.loads(before)
    expected.setdefault("caches", {})["team"] = "https://cache.corp/a"
    assert tomllib.loads(after) == expected
    assert [line for line in lines_that_differ(before, after) if line[0] == "-"] == []
    assert f"+ {LINE}" in lines_that_differ(before, after)
    gone = drop_entry(after, "caches", "team")
    assert [line for line in lines_that_differ(before, gone) if line.strip("+- ")] in (
        [],
        ["+ [caches]"],
    )


def test_an_entry_gets_another_value():
    text = '[caches]\nlab = "/mnt/lab"  # old\n"team" = \'a\'\n'
    after = put_entry(text, "caches", "team", "b")
    assert after == '[caches]\nlab = "/mnt/lab"  # old\nteam = "b"\n'


@pytest.mark.parametrize(
    "text",
    [
        'caches = {lab = "/mnt/lab"}\n',
        'caches.lab = "/mnt/lab"\n',
        "caches = 4\n",
        DOCUMENTS["a word in a text"],
        '[caches]\nteam = """\nover two lines"""\n',
        "[[caches]]\nlab = 'a'\n",
    ],
)
def test_another_form_is_left_to_people(text: str):
    """Or it is edited rightly all the same; never wrongly."""
    try:
        after = put_entry(text, "caches", "team", "b")
    except CannotEdit:
        return
    expected = tomllib.loads(text)
    expected.setdefault("caches", {})["team"] = "b"
    assert tomllib.loads(after) == expected


@pytest.mark.parametrize("text", ["", "[caches]\n", "caches.team = 'a'\n", "caches = {team='a'}\n"])
def test_what_cannot_be_taken_away(text: str):
    with pytest.raises(CannotEdit):
        drop_entry(text, "caches", "team")


@pytest.mark.parametrize("name", ["a.b", "a", "a-b"])
@pytest.mark.parametrize("value", ["/a b\\c", 'with "quotes"', "/schön"])
def test_any_name_and_text_is_read_as_it_was_written(name: str, value: str):
    assert tomllib.loads(entry_line(name, value)) == {name: value}
    after = put_entry("", "caches", name, value)
    assert tomllib.loads(drop_entry(after, "caches", name)) == {"caches": {}}
