"""go.sum and h1, against what the go command does."""

from __future__ import annotations

import hashlib

import pytest

from rvbuild.core.errors import LockError
from rvbuild.core.gosum import hash1, hash1_go_mod, parse_go_sum

H1 = "h1:" + "A" * 43 + "="
H2 = "h1:" + "B" * 42 + "A="


def test_go_sum_keeps_zips_and_go_mods_apart():
    text = f"a.b/c v1.0.0 {H1}\n\na.b/c v1.0.0/go.mod {H2}\na.b/c v1.0.0 {H1}\na.b/c v1.0.0 h9:x\n"
    parsed = parse_go_sum(text)
    assert parsed.modules == {("a.b/c", "v1.0.0"): H1}
    assert parsed.mods == {("a.b/c", "v1.0.0"): H2}


def test_of_two_hashes_the_first_counts():
    """As for the go command, which finds the second only where the first is wrong."""
    for first, second in ((H1, H2), (H2, H1)):
        text = f"a.b/c v1.0.0 {first}\na.b/c v1.0.0 {second}\na.b/c v1.0.0/go.mod {second}\n"
        parsed = parse_go_sum(text)
        assert parsed.modules == {("a.b/c", "v1.0.0"): first}
        assert parsed.mods == {("a.b/c", "v1.0.0"): second}


@pytest.mark.parametrize(
    "line",
    [
        "a.b/c v1.0.0",
        "a.b/c v1.0.0 h1:short",
        "a.b/c v1.0.0 h1:" + "é" * 44,
        f"../c v1.0.0 {H1}",
        f"a.b//c v1.0.0 {H1}",
        f"a.b/c v1.0.0/../x {H1}",
        f"a.b/c?x v1.0.0 {H1}",
    ],
)
def test_what_is_no_go_sum_is_refused_with_its_line(line: str):
    """A path or a version that could leave its folder, too."""
    with pytest.raises(LockError) as caught:
        parse_go_sum(f"a.b/c v1.0.0 {H1}\n{line}\n", "g")
    assert str(caught.value.where) == "g:2"


def test_h1_of_a_published_go_mod():
    """rsc.io/quote v1.5.2: content and hash as every go.sum that names it has them."""
    text = b'module "rsc.io/quote"\n\nrequire "rsc.io/sampler" v1.3.0\n'
    assert hash1_go_mod(text) == "h1:LzX7hefJvL54yjefDEDHNONDjII0t9xZLPXsUe+TKr0="


def test_h1_does_not_depend_on_the_order():
    """Names sort as their UTF-8 bytes do."""
    hashed = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("b", "a/é", "a/z", "a")}
    assert hash1(hashed) == hash1(dict(reversed(hashed.items())))
    assert hash1(hashed) != hash1({**hashed, "c": hashed["a"]})
