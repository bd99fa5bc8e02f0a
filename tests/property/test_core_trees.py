"""Trees, digests and actions: round trips, and how unions behave."""

from __future__ import annotations

import itertools
import json
from random import Random
from typing import Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core import overlay
from rvbuild.core.action import Outcome
from rvbuild.core.canonical import Json, encode
from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.paths import check_name
from rvbuild.core.tree import Directory, File, Nested, Symlink, Tree

DIGESTS = st.builds(Digest.of, st.binary(max_size=3))
ANY_NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
NAMES = ANY_NAME.filter(lambda name: name not in {".", ".."} and len(name.encode()) < 256)
LEAVES = st.builds(File, DIGESTS, st.booleans()) | st.builds(Symlink, st.text("ab/.", min_size=1))


def trees(names: st.SearchStrategy[str], leaves: st.SearchStrategy[Union[File, Symlink]]):
    return st.recursive(
        st.dictionaries(names, leaves, max_size=3),
        lambda inner: st.dictionaries(names, leaves | inner, max_size=3),
        max_leaves=12,
    )


TREES = trees(NAMES, LEAVES)
FEW = trees(st.sampled_from("ab"), st.sampled_from([File(Digest.of(b"1")), Symlink("x")]))
PARTS = st.tuples(st.sampled_from(["", "a", "a/b"]), FEW)


@given(TREES)
def test_a_tree_survives_every_form(nested: Nested):
    tree = Tree.of(nested)
    assert tree.nested() == nested
    assert Tree.decode(tree.encode()) == tree
    for digest, directory in tree.directories.items():
        assert Directory.decode(directory.encode()) == directory
        assert Digest.of(directory.encode()) == digest


@given(TREES, st.randoms())
def test_the_order_of_making_does_not_matter(nested: Nested, random: Random):
    def shuffled(level: Nested) -> Nested:
        items = list(level.items())
        random.shuffle(items)
        return {n: shuffled(i) if isinstance(i, dict) else i for n, i in items}

    assert Tree.of(shuffled(nested)).encode() == Tree.of(nested).encode()


@given(TREES, TREES)
def test_different_trees_have_different_roots(one: Nested, other: Nested):
    assert (one == other) == (Tree.of(one).root == Tree.of(other).root)


@given(FEW, FEW)
def test_a_tree_describes_what_it_is_made_of_and_nothing_else(one: Nested, other: Nested):
    assert Tree.of(one).describes(one)
    assert Tree.of(one).describes(other) == (Tree.of(one) == Tree.of(other))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_a_tree_or_refused(data: bytes):
    for kind in (Directory, Tree, Outcome):
        try:
            found = kind.decode(data)
        except VerificationError:
            continue
        assert kind.decode(found.encode()) == found


@given(st.text(max_size=300))
def test_a_name_is_one_path_component_or_refused(name: str):
    try:
        check_name(name)
    except VerificationError:
        with pytest.raises(VerificationError):
            Tree.of({name: {}})
    else:
        assert "/" not in name
        assert 0 < len(name.encode()) < 256


def union(parts: list[tuple[str, Nested]]) -> Nested | None:
    try:
        return overlay.union([(at, Tree.of(part)) for at, part in parts]).nested()
    except VerificationError:
        return None


@given(st.lists(PARTS, max_size=3))
def test_a_union_does_not_depend_on_order(parts: list[tuple[str, Nested]]):
    found = [union(list(order)) for order in itertools.permutations(parts)]
    assert all(each == found[0] for each in found)


@given(FEW, FEW, FEW)
def test_a_union_is_associative_where_it_is_defined(a: Nested, b: Nested, c: Nested):
    """Also where it is not: if one way refuses, the other does, or a part did before."""
    ab, bc = union([("", a), ("", b)]), union([("", b), ("", c)])
    left = union([("", ab), ("", c)]) if ab is not None else None
    right = union([("", a), ("", bc)]) if bc is not None else None
    assert left == right == union([("", a), ("", b), ("", c)])


@given(FEW)
def test_a_union_with_itself_or_nothing_is_the_same(tree: Nested):
    assert union([("", tree), ("", tree)]) == union([("", tree), ("", {})]) == tree


@given(FEW, FEW)
def test_a_union_holds_each_part_and_no_more(a: Nested, b: Nested):
    found = union([("", a), ("", b)])
    leaves = [dict(Tree.of(part).walk()) for part in (a, b)]
    if found is not None:
        assert dict(Tree.of(found).walk()) == leaves[0] | leaves[1]
        return
    places = [set(each) for each in leaves]
    folders = [folders_of(part, "") for part in (a, b)]
    differ = any(leaves[0][path] != leaves[1][path] for path in places[0] & places[1])
    assert differ or places[0] & folders[1] or places[1] & folders[0]


def folders_of(nested: Nested, prefix: str) -> set[str]:
    found: set[str] = set()
    for name, node in nested.items():
        if isinstance(node, dict):
            found |= {prefix + name, *folders_of(node, f"{prefix}{name}/")}
    return found


@given(DIGESTS)
def test_digests_survive_as_text(digest: Digest):
    assert Digest.parse(str(digest)) == digest


@given(st.text())
def test_text_is_a_digest_or_refused(text: str):
    try:
        digest = Digest.parse(text)
    except ValueError:
        return
    assert Digest.parse(str(digest)) == digest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_canonical_json_is_json_and_one_for_one_value(value: Json):
    data = encode(value)
    assert json.loads(data) == value
    assert encode(json.loads(data)) == data
    assert b"\n" not in data


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), max_size=5)
)
def test_canonical_json_does_not_depend_on_order(value: dict[str, int]):
    backwards = dict(reversed(value.items()))
    assert encode(backwards) == encode(value)


@given(JSON, JSON)
def test_different_values_have_different_canonical_json(one: Json, other: Json):
    """Python holds True to be 1; JSON does not."""
    assert (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)) == (
        encode(one) == encode(other)
    )
