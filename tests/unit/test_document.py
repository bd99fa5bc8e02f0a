"""Strict YAML: what is refused, and that every refusal says where."""

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.recipes_yaml.document import MAX_BYTES, Items, Mapping, Scalar, parse


def refused(text: str | bytes) -> RecipeError:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(RecipeError) as caught:
        parse(data, "r.yaml")
    return caught.value


def test_scalars_stay_text_with_their_place():
    """No scalar is guessed to be a number, a truth value or a date."""
    root = parse(b"a: 1.10\nb: [yes, 2020-01-01, null]\n", "r.yaml")
    assert root.nodes["a"] == Scalar("1.10", "r.yaml:1:4")
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
        ("", "r.yaml:1:1", "mapping"),
        ("a:\n\tb: 1\n", "r.yaml:2:1", "cannot start any token"),
        ("? [x]\n: 1\n", "r.yaml:1:3", "a key must be text"),
        ("a: [1, 2\n", "r.yaml:2:1", "did not find"),
        ("a: '\x07'\n", "r.yaml", "not YAML"),
    ],
)
def test_refused_with_a_place(text: str, where: str, says: str):
    error = refused(text)
    assert error.where == where
    assert says in error.message


def test_tabs_get_a_hint():
    assert "spaces" in (refused("a:\n\tb: 1\n").hint or "")


def test_alias_bomb_is_refused_at_its_first_anchor():
    """The 306-byte bomb that safe_load expands."""
    lines = ['a: &a ["lol","lol"]'] + [
        f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)},*{chr(97 + i)}]" for i in range(9)
    ]
    assert refused("\n".join(lines)).where == "r.yaml:1:4"


def test_depth_beyond_the_limit_is_refused_and_the_limit_is_not():
    assert "nested deeper" in refused("a: " + "[" * 3000 + "]" * 3000).message
    parse(b"a: " + b"[" * 63 + b"]" * 63, "r.yaml")


def test_too_large_and_not_utf8():
    assert str(MAX_BYTES) in refused(b"a: " + b"x" * MAX_BYTES).message
    assert refused(b"a: 1\nbc: \xff\n").where == "r.yaml:2:5"
