"""Readers of pins: the value, its line, and what is refused."""

from __future__ import annotations

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError
from rvbuild.core.place import Place
from rvbuild.core.recipe import Reading
from rvbuild.pin_readers import MAX_BYTES, Found, read_pin


def pin(reader: str, argument: str, **adjust: str) -> Reading:
    return Reading(
        source="s", reader=reader, argument=argument, where=Place("r.yaml", 1, 1), **adjust
    )


def read(reader: str, argument: str, text: str | bytes, **adjust: str) -> tuple[str, int]:
    data = text if isinstance(text, bytes) else text.encode()
    found = read_pin(pin(reader, argument, **adjust), data, "k:file")
    assert isinstance(found, Found)
    return found.value, found.line


def refused(reader: str, argument: str, text: str | bytes) -> LockError:
    with pytest.raises(LockError) as caught:
        read(reader, argument, text)
    return caught.value


# ---- go.mod


def test_go_mod_gives_the_effective_version():
    text = "module m\nrequire e.org/a v1.0.0\nreplace e.org/a => e.org/fork v1.1.0\n"
    assert read("go-module", "e.org/a", text) == ("v1.1.0", 3)
    error = refused("go-module", "e.org/b", text)
    assert (error.message, error.where) == ("no module e.org/b", "k:file")
    assert hint_text(error.hint) == "asked for at r.yaml:1:1"


# ---- shell


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("V=1.2", "1.2"),
        ("  export  V='1.2' # why", "1.2"),
        ('V="v1.2-k3s1"', "v1.2-k3s1"),
        ("V=1.2   ", "1.2"),
        ("V=1.2\r", "1.2"),
    ],
)
def test_a_plain_shell_assignment(line: str, value: str):
    assert read("shell", "V", f"#!/bin/sh\nXV=9\n{line}\nVV=3\n") == (value, 3)


@pytest.mark.parametrize(
    "line",
    ["V=$OTHER", "V=`id`", "V=", "V='1.2", "V='a b'", "V=a b", "V=1.2; rm x", "# V=1", "V=a#b",
     "${V:=1}", "v=1", "V =1"],
)  # fmt: skip
def test_what_the_shell_would_have_to_evaluate_is_not_read(line: str):
    assert refused("shell", "V", line).message == "no plain assignment of V"


def test_a_name_is_no_pattern():
    assert refused("shell", "V.", "VX=1\n").message == "no plain assignment of V."


def test_the_same_value_twice_is_fine_and_two_values_are_shown():
    assert read("shell", "V", "V=1\nV=1\n") == ("1", 1)
    error = refused("shell", "V", "V=1\n\nV=2\n")
    assert error.message == "more than one plain assignment of V"
    assert error.details == ("k:file:1: 1", "k:file:3: 2")


# ---- regular expressions and lines


def test_a_match_counts_lines_as_an_editor():
    text = "a\fb\x1c\nfoo\n\nversion = 1.2.3;\n"
    assert read("regex", r"^version = (.*);$", text) == ("1.2.3", 4)
    assert read("line", "4", text) == ("version = 1.2.3;", 4)
    assert read("shell", "V", "\f\x1e\n\u2028\nV=1") == ("1", 3)


def test_a_group_that_takes_no_part_is_no_value():
    assert read("regex", "a(b)?", "a\nab\n") == ("b", 2)
    assert refused("regex", "a(b)?", "a\n").message == "no match of 'a(b)?'"
    assert "more than one match" in refused("regex", "v(.)", "v1\nv2\n").message


@pytest.mark.parametrize("number", ["0", "4", "x", "-1", "", "²", "9999999999999999999999"])
def test_a_line_that_is_not_there(number: str):
    error = refused("line", number, "a\nb\n  \n")
    assert error.message == f"no text on line {number}"


def test_a_blank_line_is_no_value():
    assert "no text on line 2" in refused("line", "2", "a\n \t\n").message
    assert refused("line", "1", "").message == "no text on line 1"


# ---- YAML and JSON

DEPENDENCIES = """\
dependencies:
  # a comment
  - name: "golang: upstream version"
    version: 1.23.6
    refPaths: [{path: build, match: x}]
  - {name: other, version: 1.10}
nothing: null
empty:
"""


@pytest.mark.parametrize(
    ("query", "value", "line"),
    [
        ("dependencies[?name=='golang: upstream version'].version | [0]", "1.23.6", 4),
        ("dependencies[-1].version", "1.10", 6),
        ("dependencies[?starts_with(name, 'oth')].version | [0]", "1.10", 6),
        ("dependencies[0].refPaths[0].path", "build", 5),
    ],
)
def test_yaml_gives_text_with_its_line(query: str, value: str, line: int):
    """No number is read as a number: 1.10 stays 1.10."""
    assert read("yaml", query, DEPENDENCIES) == (value, line)


def test_json_is_yaml():
    assert read("yaml", "a.b[1]", '{\n\t"a": {"b": [1,\n "t\\u00e9xt"]}}\n') == ("téxt", 3)


@pytest.mark.parametrize(
    "query",
    ["nowhere", "dependencies", "dependencies[0]", "nothing", "empty", "@", "length(dependencies)",
     "dependencies[].version", "join('', dependencies[].version)"],
)  # fmt: skip
def test_what_is_not_one_text_of_the_file(query: str):
    assert refused("yaml", query, DEPENDENCIES).message == f"no single text at {query}"


@pytest.mark.parametrize(
    "query",
    ["a[", "", "dependencies[::0]", "nope(a)", "length(`1`)", "sort_by(dependencies, &[1])"],
)
def test_queries_that_do_not_work(query: str):
    error = refused("yaml", query, DEPENDENCIES)
    assert repr(query) in error.message
    assert str(error.where) == "r.yaml:1:1"
    assert error.details == ("asked of k:file",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1\n", "not YAML"),
        ("a: '\x07'\n", "not YAML"),
        ("a: 1\n---\na: 2\n", "a second document"),
        ("[" * 1_000_000, "nested deeper"),
        ("a: " + "{a: " * 300, "nested deeper"),
        ("- " * 300, "nested deeper"),
    ],
)
def test_hostile_yaml_is_refused(text: str, says: str):
    """A million brackets ended the whole process: PyYAML's composer recurses in C."""
    error = refused("yaml", "a", text)
    assert says in error.message
    assert str(error.where).startswith("k:file")


def test_aliases_are_shared_and_not_copied():
    """Thirty levels of nine aliases each would be 9**30 copies."""
    lines = ["v: &v 1.2", "a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    lines += ["again: *v", "self: &s {inner: *s}"]
    text = "\n".join(lines)
    assert read("yaml", "again", text) == ("1.2", 1)
    assert refused("yaml", "self.inner.inner", text).message.startswith("no single text")
    assert str(refused("yaml", "to_string(self)", text).where) == "r.yaml:1:1"


def test_strange_keys_and_unknown_aliases_are_nothing():
    text = "? [a, b]\n: 1\n? {c: d}\n: 2\nx: *y\n? null\n: 3\nk: v\n"
    assert read("yaml", "k", text) == ("v", 8)
    assert "no single text" in refused("yaml", "x", text).message


def test_an_empty_file_has_nothing():
    assert "no single text" in refused("yaml", "a", "").message


# ---- all of them


def test_values_are_adjusted():
    adjust = {"prefix": "v", "strip_prefix": "release-", "strip_suffix": r"-k3s\d+"}
    assert read("line", "1", "release-1.32.3-k3s1-k3s1\n", **adjust) == ("v1.32.3-k3s1", 1)
    assert read("line", "1", "1.0-k3s1x\n", **adjust) == ("v1.0-k3s1x", 1)


def test_a_huge_file_is_not_read():
    error = refused("line", "1", b"x" * (MAX_BYTES + 1))
    assert str(MAX_BYTES) in error.message


def test_bytes_that_are_not_text_do_not_matter_elsewhere():
    assert read("shell", "V", b"\xff\xfe\nV=1\n") == ("1", 2)
