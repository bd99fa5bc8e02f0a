"""What every store does, proved over each of them."""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from attrs import evolve

from rvbuild.core.action import Outcome
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import Damaged, MissingObject, SourceError, VerificationError
from rvbuild.core.ports.roots import Root
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import Extent, File, Nested, Symlink, Tree
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore

Store = LocalStore | MemoryStore


@pytest.fixture(params=["memory", "local", "durable"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return MemoryStore()
    return LocalStore(str(tmp_path / "store"), durable=request.param == "durable")


def fill(sink: TreeSink) -> None:
    sink.directory("empty/deep")
    sink.file("a/plain", [b"some ", b"", b"text"])
    sink.file("a/script", [b"#!/bin/sh\n"], executable=True)
    sink.file("a/script-as-data", [b"#!/bin/sh\n"])
    sink.file("nothing", [])
    sink.file("nothing-to-run", [], executable=True)
    sink.symlink("link", "../outside")
    sink.symlink("a/loop", "loop")
    sink.copy("a/twin", "a/script")


def filled() -> Nested:
    script = Digest.of(b"#!/bin/sh\n")
    return {
        "empty": {"deep": {}},
        "a": {
            "plain": File(Digest.of(b"some text")),
            "script": File(script, executable=True),
            "script-as-data": File(script),
            "loop": Symlink("loop"),
            "twin": File(script, executable=True),
        },
        "nothing": File(EMPTY),
        "nothing-to-run": File(EMPTY, executable=True),
        "link": Symlink("../outside"),
    }


def made(store: Store, **files: bytes) -> Digest:
    with store.trees.new_tree() as writer:
        for path, data in files.items():
            writer.file(path.replace("_", "/"), [data])
        return writer.commit().root


def test_a_blob_is_read_back(store: Store) -> None:
    digest = store.cas.write(b"text")
    assert digest == Digest.of(b"text")
    assert store.cas.write(b"text") == digest
    assert store.cas.read(digest) == b"text"


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 100_000])
def test_a_blob_is_known_by_its_hash_alone(store: Store, data: bytes) -> None:
    blob = Digest.of(data)
    assert store.cas.find(blob.hash) is None
    store.cas.write(data)
    assert store.cas.find(blob.hash) == blob
    assert store.cas.find(Digest.of(b"never written").hash) is None


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 100_000])
def test_a_view_has_the_bytes_of_a_blob(store: Store, data: bytes) -> None:
    with store.cas.view(store.cas.write(data)) as view:
        assert (len(view), view[0:4], view[len(data) - 2 : len(data)]) == (
            len(data),
            data[:4],
            data[-2:],
        )
    with pytest.raises(MissingObject), store.cas.view(Digest.of(b"missing")):
        pass


def test_many_blobs_at_once(store: Store) -> None:
    """Some are there already, some come twice."""
    blobs = [b"text %d" % number for number in range(40)]
    store.cas.write(blobs[3])
    store.cas.write_all([*blobs, *blobs[::7]])
    store.cas.write_all(iter([]))
    assert [store.cas.read(Digest.of(data)) for data in blobs] == blobs


def test_many_blobs_are_read_in_their_order(store: Store) -> None:
    blobs = [b"text %d" % number for number in range(40)]
    store.cas.write_all(blobs)
    assert list(store.cas.read_each([])) == []
    wanted = [*reversed(blobs), blobs[7], b"never written"]
    some = store.cas.read_each(map(Digest.of, wanted))
    assert [next(some) for _ in wanted[:-1]] == wanted[:-1]
    with pytest.raises(MissingObject):
        next(some)


def test_what_is_missing_is_damage_unless_somebody_can_do_without() -> None:
    assert issubclass(MissingObject, KeyError)
    assert issubclass(MissingObject, Damaged)
    assert str(MissingObject("it lacks", where="at")) == "at: it lacks"


def test_a_missing_blob_is_told(store: Store) -> None:
    with pytest.raises(MissingObject):
        store.cas.read(Digest.of(b"never written"))


def test_a_tree_is_what_was_written(store: Store) -> None:
    with store.trees.new_tree() as writer:
        fill(writer)
        root = writer.commit().root
    assert root == Tree.of(filled()).root
    assert store.trees.has_tree(root)
    assert store.trees.tree(root) == Tree.of(filled())


def test_every_file_and_the_tree_message_are_blobs(store: Store) -> None:
    with store.trees.new_tree() as writer:
        fill(writer)
        tree = store.trees.tree(writer.commit().root)
    for _, node in tree.walk():
        if isinstance(node, File):
            assert Digest.of(store.cas.read(node.digest)) == node.digest
    assert store.cas.read(Digest.of(tree.encode())) == tree.encode()


def test_an_empty_tree(store: Store) -> None:
    with store.trees.new_tree() as writer:
        root = writer.commit().root
    assert root == EMPTY
    assert store.trees.tree(root).nested() == {}


def test_file_returns_the_hash_of_its_content(store: Store) -> None:
    with store.trees.new_tree() as writer:
        for name, chunks in {"none": [], "one": [b"a" * 9000], "many": [b"b" * 9000] * 9}.items():
            expected = hashlib.sha256(b"".join(chunks)).hexdigest()
            assert writer.file(name, chunks) == expected


def test_a_file_of_many_megabytes(store: Store) -> None:
    chunks = [bytes([number]) * 700_000 for number in range(20)]
    with store.trees.new_tree() as writer:
        assert writer.file("big", chunks) == hashlib.sha256(b"".join(chunks)).hexdigest()
        tree = store.trees.tree(writer.commit().root)
    ((_, node),) = tree.walk()
    assert isinstance(node, File)
    assert store.cas.read(node.digest) == b"".join(chunks)


def test_a_long_source_that_breaks_off(store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield from (bytes(1 << 20) for _ in range(6))
        msg = "cut off"
        raise SourceError(msg)

    threads = threading.active_count()
    with pytest.raises(SourceError), store.trees.new_tree() as writer:
        writer.file("a", broken())
    assert threading.active_count() == threads


def test_order_does_not_matter(store: Store) -> None:
    roots = set()
    for order in itertools.permutations(["x/a", "x/b", "y"]):
        with store.trees.new_tree() as writer:
            for path in order:
                writer.file(path, [path.encode()])
            roots.add(writer.commit().root)
    assert len(roots) == 1


def test_what_is_not_committed_is_gone(store: Store) -> None:
    with store.trees.new_tree() as writer:
        writer.file("a", [b"a"])
    assert not store.trees.has_tree(Tree.of({"a": File(Digest.of(b"a"))}).root)
    with pytest.raises(MissingObject):
        store.trees.tree(Tree.of({"a": File(Digest.of(b"a"))}).root)


def test_a_tree_may_be_committed_again(store: Store) -> None:
    assert made(store, a=b"1") == made(store, a=b"1")


def test_a_tree_that_is_expected_is_committed_as_what_it_is(store: Store) -> None:
    tree = Tree.of({"a": File(Digest.of(b"1")), "b": {}})
    with store.trees.new_tree() as writer:
        writer.file("a", [b"1"])
        writer.directory("b")
        assert writer.commit(tree) == tree
    assert store.trees.tree(tree.root) == tree


def test_another_tree_than_is_expected_is_no_tree(store: Store) -> None:
    expected = Tree.of({"a": File(Digest.of(b"1"))})
    with store.trees.new_tree() as writer:
        writer.file("a", [b"2"])
        with pytest.raises(VerificationError, match="the tree that was made is not"):
            writer.commit(expected)
    assert not store.trees.has_tree(expected.root)
    assert not store.trees.has_tree(Tree.of({"a": File(Digest.of(b"2"))}).root)


def test_an_error_of_the_source_passes_through(store: Store) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        yield b"two"
        msg = "cut off"
        raise SourceError(msg)

    with pytest.raises(SourceError), store.trees.new_tree() as writer:
        writer.file("a", broken())


BAD_PATHS = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    ".",
    "..",
    "../x",
    "a/../b",
    "a/./b",
    "nul\0",
    "bad\udcff",
    "n" * 256,
    "d/" * 1500 + "f",
]


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_is_not_in_normal_form_is_refused(store: Store, path: str) -> None:
    with store.trees.new_tree() as writer:
        with pytest.raises(VerificationError):
            writer.file(path, [b"x"])
        with pytest.raises(VerificationError):
            writer.symlink(path, "x")
        if path:
            with pytest.raises(VerificationError):
                writer.directory(path)
        writer.file("a/fine", [b"x"])
        root = writer.commit().root
        assert list(store.trees.tree(root).walk()) == [("a/fine", File(Digest.of(b"x")))]


@pytest.mark.parametrize("target", ["", "nul\0", "bad\udcff", "t" * 4096])
def test_a_symlink_needs_a_target_that_a_disk_can_hold(store: Store, target: str) -> None:
    with store.trees.new_tree() as writer, pytest.raises(VerificationError):
        writer.symlink("link", target)


@pytest.mark.parametrize("below", ["file", "link", "dir/file"])
def test_nothing_is_placed_below_a_file_or_a_symlink(store: Store, below: str) -> None:
    with store.trees.new_tree() as writer:
        writer.file("file", [b"x"])
        writer.file("dir/file", [b"x"])
        writer.symlink("link", "dir")
        for path in (f"{below}/x", f"{below}/x/y"):
            with pytest.raises(VerificationError):
                writer.file(path, [b"y"])
            with pytest.raises(VerificationError):
                writer.directory(path)
            with pytest.raises(VerificationError):
                writer.symlink(path, "y")


@pytest.mark.parametrize("taken", ["file", "link", "dir"])
def test_a_name_is_given_once(store: Store, taken: str) -> None:
    with store.trees.new_tree() as writer:
        writer.file("file", [b"x"])
        writer.symlink("link", "dir")
        writer.directory("dir")
        with pytest.raises(VerificationError):
            writer.file(taken, [b"y"])
        with pytest.raises(VerificationError):
            writer.symlink(taken, "y")
        with pytest.raises(VerificationError):
            writer.copy(taken, "file")


@pytest.mark.parametrize("of", ["missing", "link", "dir", "dir/missing"])
def test_a_copy_is_of_an_earlier_file(store: Store, of: str) -> None:
    with store.trees.new_tree() as writer:
        writer.symlink("link", "file")
        writer.directory("dir")
        with pytest.raises(VerificationError):
            writer.copy("new", of)


def test_a_directory_may_be_named_again(store: Store) -> None:
    with store.trees.new_tree() as writer:
        writer.directory("a/b")
        writer.directory("a")
        writer.directory("a/b")
        assert store.trees.tree(writer.commit().root).nested() == {"a": {"b": {}}}


def test_one_writer_takes_files_from_several_threads(store: Store) -> None:
    names = [f"d{i % 7}/e{i % 3}/f{i}" for i in range(200)]
    with store.trees.new_tree() as writer, ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda name: writer.file(name, [name.encode()]), names))
        tree = store.trees.tree(writer.commit().root)
    assert {path for path, _ in tree.walk()} == set(names)
    assert hashes == [hashlib.sha256(name.encode()).hexdigest() for name in names]


def test_merge_lays_trees_over_each_other(store: Store) -> None:
    one, two = made(store, bin_a=b"a", lib_shared=b"s"), made(store, bin_b=b"b", lib_shared=b"s")
    root = store.trees.merge([("", one), ("", two), ("opt/x", one), ("opt/x/y", two)]).root
    a, b, shared = (File(Digest.of(data)) for data in (b"a", b"b", b"s"))
    assert store.trees.has_tree(root)
    assert store.trees.tree(root).nested() == {
        "bin": {"a": a, "b": b},
        "lib": {"shared": shared},
        "opt": {
            "x": {
                "bin": {"a": a},
                "lib": {"shared": shared},
                "y": {"bin": {"b": b}, "lib": {"shared": shared}},
            }
        },
    }


def test_merging_keeps_links_modes_and_empty_directories(store: Store) -> None:
    with store.trees.new_tree() as writer:
        fill(writer)
        root = writer.commit().root
    assert store.trees.tree(store.trees.merge([("x", root)]).root).nested() == {"x": filled()}
    assert store.trees.merge([("", root)]).root == root
    assert store.trees.tree(store.trees.merge([]).root).nested() == {}


@pytest.mark.parametrize(
    ("one", "two", "at"),
    [
        ({"a": b"1"}, {"a": b"2"}, ""),
        ({"a": b"1"}, {"a_b": b"1"}, ""),
        ({"a_b": b"1"}, {"a": b"1"}, ""),
        ({"a": b"1"}, {"b": b"1"}, "a"),
        ({"a": b"1"}, {"b": b"1"}, "a/c"),
        ({"x_a": b"1", "x_b": b"1"}, {"a": b"2"}, "x"),
    ],
)
def test_parts_that_differ_at_a_path_are_refused(
    store: Store, one: dict[str, bytes], two: dict[str, bytes], at: str
) -> None:
    parts = [("", made(store, **one)), (at, made(store, **two))]
    with pytest.raises(VerificationError):
        store.trees.merge(parts)


def test_merging_a_missing_tree_is_told(store: Store) -> None:
    with pytest.raises(MissingObject):
        store.trees.merge([("", Digest.of(b"no such tree"))])


D = Digest.of(b"derivation")


def realised(*, accelerated: bool, output: bytes = b"one") -> Realisation:
    return Realisation(
        key=D,
        output=Digest.of(output),
        action="a" * 64,
        log=Digest.of(b"log"),
        accelerated=accelerated,
        signatures=("k:s",),
    )


def test_a_realisation_is_found_by_derivation(store: Store) -> None:
    assert store.realisations.realisation(D.hash) is None
    store.realisations.register(realised(accelerated=False))
    assert store.realisations.realisation(D.hash) == realised(accelerated=False)
    store.realisations.register(realised(accelerated=False, output=b"two"))
    assert store.realisations.realisation(D.hash) == realised(accelerated=False, output=b"two")


def test_accelerated_realisations_are_kept_apart(store: Store) -> None:
    store.realisations.register(realised(accelerated=True))
    assert store.realisations.realisation(D.hash, accelerated=False) is None
    assert store.realisations.realisation(D.hash) == realised(accelerated=True)
    store.realisations.register(realised(accelerated=False, output=b"two"))
    assert store.realisations.realisation(D.hash) == realised(accelerated=False, output=b"two")


def test_ones_own_realisation_comes_first_and_then_the_others_by_name(store: Store) -> None:
    made = {
        builder: evolve(realised(accelerated=False), builder=builder) for builder in ("b", "", "c")
    }
    fast = evolve(realised(accelerated=True), builder="a")
    store.realisations.register(fast)
    assert store.realisations.realisation(D.hash, builder="b") == fast
    for builder in ("c", "b"):
        store.realisations.register(made[builder])
    assert store.realisations.realisation(D.hash) == made["b"]
    assert store.realisations.realisation(D.hash, builder="c") == made["c"]
    assert store.realisations.realisation(D.hash, builder="a") == made["b"], (
        "an accelerated one comes last"
    )
    store.realisations.register(made[""])
    assert (
        store.realisations.realisation(D.hash)
        == store.realisations.realisation(D.hash, builder="z")
        == made[""]
    )
    store.realisations.register(evolve(made["c"], milliseconds=9))
    made["c"] = evolve(made["c"], milliseconds=9)
    assert store.realisations.realisation(D.hash, builder="c") == made["c"]
    assert store.realisations.realisation(D.hash, builder="b") == made["b"]
    in_order = [made["c"], made[""], made["b"]]
    assert [*store.realisations.realisations(D.hash, builder="c")] == [*in_order, fast]
    assert [*store.realisations.realisations(D.hash, builder="c", accelerated=False)] == in_order


def test_what_writes_a_tree_returns_it(store: Store) -> None:
    """Also a tree that is in the store already: it is the one that a reader gets."""
    for _ in range(2):
        with store.trees.new_tree() as writer:
            fill(writer)
            tree = writer.commit()
        assert tree == store.trees.tree(tree.root)
        assert tree.extent() == Extent(files=6, size=9 + 3 * 10)
        merged = store.trees.merge([("x", tree.root)])
        assert merged == store.trees.tree(merged.root)


def test_an_outcome_is_found_by_action(store: Store) -> None:
    action, log = Digest.of(b"action"), store.cas.write(b"log")
    clean = Outcome(exit_code=0, output=EMPTY, tree=EMPTY, log=log)
    helped = Outcome(exit_code=1, output=None, tree=None, log=log)
    assert store.action_cache.outcome(action, accelerated=True) is None
    store.action_cache.record(action, helped, accelerated=True)
    assert store.action_cache.outcome(action, accelerated=False) is None
    assert store.action_cache.outcome(action, accelerated=True) == helped
    store.action_cache.record(action, clean, accelerated=False)
    assert store.action_cache.outcome(action, accelerated=True) == clean


def test_roots_are_by_name_and_link(store: Store) -> None:
    for link in ("/p/result/k3s", "/q/result/k3s", "/p/result/k3s"):
        store.roots.add_root("k3s-riscv64", "d" * 64, link)
    assert {root.link for root in store.roots.roots()} == {"/p/result/k3s", "/q/result/k3s"}
    assert (
        Root(name="k3s-riscv64", derivation="d" * 64, link="/p/result/k3s") in store.roots.roots()
    )


def test_a_lock_keeps_others_out(store: Store) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with store.locks.shared(), store.locks.lock("some name/with a slash"):
            inside.append(number)
            most.append(len(inside))
            os.sched_yield()
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(100)))
    assert max(most) == 1
