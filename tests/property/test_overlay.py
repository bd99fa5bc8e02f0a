"""The fast union of trees is the plain one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from plain_union import plain_union

from rvbuild.core.digest import Digest
from rvbuild.core.errors import VerificationError
from rvbuild.core.overlay import union
from rvbuild.core.tree import File, Nested, Symlink, Tree

NAMES = st.sampled_from("abc")
LEAVES = st.sampled_from([File(Digest.of(b"1")), File(Digest.of(b"2")), Symlink("a")])
TREES = st.recursive(
    st.dictionaries(NAMES, LEAVES, max_size=2),
    lambda inner: st.dictionaries(NAMES, LEAVES | inner, max_size=3),
    max_leaves=8,
)
PATHS = st.sampled_from(["", "", "a", "b", "a/b", "c/a/b"])


@given(st.lists(st.tuples(PATHS, TREES), max_size=4))
def test_the_quick_union_is_the_plain_one(parts: list[tuple[str, Nested]]) -> None:
    """Same tree, or both refuse."""
    try:
        expected = plain_union(parts)
    except VerificationError:
        expected = None
    try:
        found = union([(at, Tree.of(part)) for at, part in parts])
    except VerificationError:
        found = None
    assert found == expected
    if found is not None:
        assert Tree.decode(found.encode()) == found
