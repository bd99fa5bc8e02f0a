"""Which blobs travel together, and what is said of a packed tree."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rvbuild.core.canonical import encode
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed
from rvbuild.core.packing import LARGE, RUN, blobs_of, runs_in, runs_of
from rvbuild.core.realisation import Origin
from rvbuild.core.statement import Closure, Pack, PackedTree, Statement
from rvbuild.core.tree import File, Tree

sizes = st.one_of(st.integers(0, 3), st.integers(LARGE - 1, LARGE + 1), st.integers(1, RUN))


def digest(number: int, size: int = 3) -> Digest:
    return Digest(f"{number:064x}", size)


@given(st.lists(sizes, max_size=60))
def test_runs_are_all_blobs_in_order_and_none_is_too_large(drawn: list[int]):
    """A large blob is alone, and no two neighbours would have fitted into one run."""
    blobs = [digest(at, size) for at, size in enumerate(drawn)]
    runs = list(runs_of(blobs))
    assert [blob for run in runs for blob in run] == blobs
    for run in runs:
        small = all(blob.size <= LARGE for blob in run)
        assert (small and sum(blob.size for blob in run) <= RUN) or len(run) == 1
    for run, following in itertools.pairwise(runs):
        fits = sum(blob.size for blob in (*run, following[0])) <= RUN
        assert not fits or max(run[0].size, following[0].size) > LARGE


def test_a_blob_counts_once():
    twice = File(digest(7))
    tree = Tree.of({"a": twice, "b": {"c": twice, "d": File(digest(8), executable=True)}})
    assert sorted(blobs_of(tree)) == [digest(7), digest(8)]


def test_packs_hold_as_many_blobs_as_the_tree_has():
    blobs = [digest(at) for at in range(3)]
    packs = [Pack(digest(9), 1), Pack(digest(10), 2)]
    assert runs_in(blobs, packs) == [(blobs[0],), (blobs[1], blobs[2])]
    for wrong in (packs[:1], [*packs, Pack(digest(11), 1)]):
        with pytest.raises(Malformed, match="blobs, and the tree has 3"):
            runs_in(blobs, wrong)


OUTPUT = PackedTree(
    root=digest(1), message=digest(2), size=9, files=1, packs=(Pack(digest(3, 40), 1),)
)
STATEMENT = Statement(
    derivation=digest(4),
    label="runc-riscv64",
    key="ci",
    builder="ci",
    output=OUTPUT,
    action=digest(5).hash,
    milliseconds=41_200,
    origin=Origin("substituted", "https://cache.example", ("lab:0123456789abcdef",)),
    checks=(Statement(derivation=digest(6), label="a check", key="ci", output=OUTPUT),),
)
CLOSURE = Closure(
    target="runc-riscv64",
    key="ci",
    derivation=digest(4).hash,
    statements=(STATEMENT,),
    derivations=Pack(digest(12), 7),
)


def test_what_is_said_is_read_again():
    assert Statement.decode(STATEMENT.encode()) == STATEMENT
    assert Closure.decode(CLOSURE.encode()) == CLOSURE
    assert OUTPUT.transfer == 40


def test_members_of_a_newer_rvbuild_are_no_fault():
    newer = {**json.loads(STATEMENT.encode()), "compiler": "gcc"}
    assert Statement.decode(encode(newer)) == STATEMENT


PATHS = [
    *(("derivation",), ("label",), ("key",), ("builder",), ("action",), ("milliseconds",)),
    *(
        ("accelerated",),
        ("origin",),
        ("origin", "kind"),
        ("origin", "chain"),
        ("checks",),
        ("outputs",),
    ),
    *(("outputs", "out"), ("outputs", "out", "tree"), ("outputs", "out", "message")),
    *(("outputs", "out", "bytes"), ("outputs", "out", "files"), ("outputs", "out", "packs")),
    *(("outputs", "out", "packs", 0), ("outputs", "out", "packs", 0, 1)),
]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(path, value, id=f"{'.'.join(map(str, path))} {value!r}")
        for path in PATHS
        for value in ({"x": 1}, -1, "%", [[1]], True, *([[]] if path[-1] == "packs" else []))
        if (path, str(value)) not in {(("label",), "%"), (("accelerated",), "True")}
    ],
)
def test_a_statement_of_another_form_is_none(path: tuple[str | int, ...], value: object):
    """Each member in turn, replaced by what it cannot be."""
    body = json.loads(STATEMENT.encode())
    *above, last = path
    here = body
    for name in above:
        here = here[name]
    here[last] = value
    with pytest.raises(Malformed, match="not a realisation"):
        Statement.decode(json.dumps(body).encode())


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff", b"[" * 9000, b'{"target":'])
def test_other_bytes_are_neither(data: bytes):
    for kind in (Statement, Closure):
        with pytest.raises(Malformed, match=r"not a statement|not a realisation|not a target"):
            kind.decode(data)


def test_a_statement_has_checks_by_its_own_key_alone():
    """Else one key could say what another does."""
    body = json.loads(STATEMENT.encode())
    body["checks"][0]["key"] = "lab"
    with pytest.raises(Malformed, match="another key's"):
        Statement.decode(encode(body))


def test_who_built_a_result_took_nobodys_word():
    body = json.loads(STATEMENT.encode())
    body["origin"]["kind"] = "built"
    with pytest.raises(Malformed, match="rests on nobody's word"):
        Statement.decode(encode(body))


def test_a_closure_has_statements_by_its_own_key_alone():
    body = json.loads(CLOSURE.encode())
    body["statements"][0].update(key="lab", checks=[])
    with pytest.raises(Malformed, match="another key's"):
        Closure.decode(encode(body))
