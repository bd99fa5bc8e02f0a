"""Strict YAML: what is refused, and that every refusal says where."""

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError
from rvbuild.core.place import Place
from rvbuild.recipes_yaml.document import MAX_BYTES, Items, Mapping, Scalar, parse


def refused(text: str | bytes) -> RecipeError:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(RecipeError) as caught:
        parse(data, "r.yaml")
    return caught.value


def test_scalars_stay_text_with_their_place():
    """No scalar is guessed to be a number, a truth value or a date."""
    root = parse(b"a: 1.10\nb: [yes, 2020-01-01, null]\n", "r.yaml")
    scalar = root.nodes["a"]
    assert isinstance(scalar, Scalar)
    assert (scalar.text, scalar.where) == ("1.10", Place("r.yaml", 1, 4))
    items = root.nodes["b"]
    assert isinstance(items, Items)
    assert [node.text for node in items.nodes if isinstance(node, Scalar)] == [
        "yes",
        "2020-01-01",
        "null",
    ]


def test_nested_mappings_keep_keys_apart():
    """A key after an inner mapping belongs to the outer one."""
    root = parse(b"a:\n  b:\n    c: 1\n  d: 2\ne: 3\n", "r.yaml")
    assert list(root.nodes) == ["a", "e"]
    inner = root.nodes["a"]
    assert isinstance(inner, Mapping)
    assert list(inner.nodes) == ["b", "d"]


@pytest.mark.parametrize(
    ("text", "where", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", "r.yaml:3:1", "given twice"),
        ("a: &x 1\n", "r.yaml:1:4", "anchors are not allowed"),
        ("a: 1\nb: *x\n", "r.yaml:2:4", "aliases are not allowed"),
        ("a: !!python/object:os.system x\n", "r.yaml:1:4", "tags are not allowed"),
        ("a: 1\n---\nb: 2\n", "r.yaml:3:1", "second document"),
        ("- a\n", "r.yaml:1:1", "mapping"),
        ("", "r.yaml", "nothing in the file"),
        ("# only this\n", "r.yaml", "nothing in the file"),
        ("a:\n\tb: 1\n", "r.yaml:2:1", "a tab indents"),
        ("? [x]\n: 1\n", "r.yaml:1:3", "a key must be text"),
        ("a: 1\nb: '\x07'\n", "r.yaml:2", "U+0007"),
    ],
)
def test_refused_with_a_place(text: str, where: str, says: str):
    error = refused(text)
    assert str(error.where) == where
    assert says in error.message


@pytest.mark.parametrize(
    ("text", "where", "says", "hint"),
    [
        ("a: [1, 2\nb: 3\n", "1:4", "begins with '[' and has no ']'", "[a, b]"),
        ("a: {b: 1, c: 2\n", "1:4", "begins with '{' and has no '}'", "{key: value"),
        ("a: [{b: 1} {c: 2}]\n", "1:12", "',' or ']' is missing before this", "[a, b]"),
        ("a: {b: 1 c: 2}\n", "1:11", "',' or '}' is missing before this", "{key: value"),
        ("a: b: c\n", "1:5", "a ':' cannot stand here", "quotes"),
        ("a: [x:[]\n", "1:6", "a ':' cannot stand here", "quotes"),
        ("a: 1\nb\nc: 2\n", "2:1", "this is no `key: value`", "a ':' and a space"),
        ("a: 1\nb:2\nc: 2\n", "2:1", "this is no `key: value`", "a ':' and a space"),
        ("a:\n  b: 1\n c: 2\n", "3:2", "a key (`key: value`) is expected", "same column"),
        ("a:\n- b\n - c: d\n", "3:5", "a ':' cannot stand here", "same column"),
        ("a:\n  - b\n  c\n", "3:3", "this is no `key: value`", "'- '"),
        ("a: - b\n", "1:4", "a list cannot begin here", "a line of its own"),
        ("a: [b, , c]\n", "1:8", "a value is missing here", "[a, b]"),
        ("a: 'b\nc: d\n", "1:4", "this text in quotes has no end", "close the quote"),
        ('a: "\\q"\n', "1:5", "an unknown escape", "'…'"),
        ("a: @b\n", "1:4", "a value cannot begin so", "quotes"),
        ("a: `b`\n", "1:4", "a value cannot begin so", "quotes"),
        ("a: *\n", "1:5", "a value cannot begin so", "quotes"),
        ("%a: b\n", "1:3", "a line cannot begin with '%'", "quotes"),
        ("a: |b\n", "1:5", "nothing can follow here", "next line"),
        ("a:\n\tb: 1\n", "2:1", "a tab indents this line", "spaces"),
        ("a\n", "1:1", "a mapping (key: value) is expected", "`key: value`"),
    ],
)
def test_what_is_no_yaml_is_told_in_plain_words(text: str, where: str, says: str, hint: str):
    error = refused(text)
    assert says in error.message
    assert str(error.where) == f"r.yaml:{where}"
    assert hint in hint_text(error.hint)


RECIPE = """\
summary: says hello
version: "1"
inputs: {build: [go, 'zig'], target: []}
build: |
  echo "x: y" > $out/a
checks:
- run: a
  expect: >-
    b
"""


def test_no_slip_of_the_finger_gives_the_parsers_own_words():
    """Each character replaced by, or followed by, each sign that means something to YAML."""
    errors = []
    for at in range(len(RECIPE)):
        for sign in ("", *"[]{}'\",:-|>&*!%@`#?\t \n\\"):
            for rest in (at, at + 1):
                try:
                    parse((RECIPE[:at] + sign + RECIPE[rest:]).encode(), "r.yaml")
                except RecipeError as error:
                    errors.append(error)
    assert len(errors) > 1000
    assert {error.message for error in errors if error.message.startswith("not YAML")} == set()
    assert {str(error.where)[:7] for error in errors} == {"r.yaml:"}


def test_alias_bomb_is_refused_at_its_first_anchor():
    """The 306-byte bomb that safe_load expands."""
    lines = ['a: &a ["lol","lol"]'] + [
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]" for i in range(9)
    ]
    assert str(refused("\n".join(lines)).where) == "r.yaml:1:4"


def test_depth_beyond_the_limit_is_refused_and_the_limit_is_not():
    assert "nested deeper" in refused("a: " + "[" * 3000 + "]" * 3000).message
    parse(b"a: " + b"[" * 63 + b"]" * 63, "r.yaml")


def test_too_large_and_not_utf8():
    assert str(MAX_BYTES) in refused(b"a: " + b"x" * MAX_BYTES).message
    assert str(refused(b"a: 1\nbc: \xff\n").where) == "r.yaml:2:5"
