"""Verification finds every damage, by name, and collection keeps what is held."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kept_results import built, hold, key_of

from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.realisation import Realisation
from rvbuild.core.tree import Tree
from rvbuild.stores.collect import DAY, collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.top import VERSION_FILE
from rvbuild.stores.verify import Finding, verify


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def findings(store: LocalStore) -> list[Finding]:
    found: list[Finding] = []
    done = verify(store, found.append)
    assert done.damaged == sum(finding.kind == "damaged" for finding in found)
    assert done.missing == sum(finding.kind == "missing" for finding in found)
    return found


def objects(store: LocalStore) -> Iterator[Path]:
    """Every file that holds something, but two at the top, and locks.

    Whoever opens a store looks at `version`, and `.gitignore` is git's. A lock's file says who has
    it, for those who wait, and nothing depends on that.
    """
    others = {Path(store.layout.root, name) for name in (VERSION_FILE, ".gitignore")}
    for folder, _, names in os.walk(store.layout.root):
        for name in names:
            path = Path(folder, name)
            holds = not path.is_symlink() and path.stat().st_size
            if holds and path not in others and path.parent.name != "locks":
                yield path


def test_a_sound_store_has_no_findings(store: LocalStore, tmp_path: Path) -> None:
    hold(store, tmp_path / "one", built(store, "one"))
    built(store, "two", accelerated=True)
    found: list[Finding] = []
    done = verify(store, found.append)
    assert found == []
    assert (done.trees, done.results, done.damaged, done.missing) == (2, 4, 0, 0)
    names = {path.name for path in Path(store.layout.cas).rglob("*") if path.is_file()}
    assert done.blobs == len(names), "an executable has two names, and is one"


def test_every_flipped_bit_is_found_and_named(store: LocalStore, tmp_path: Path) -> None:
    """One bit of the first, middle and last byte of every file, one at a time."""
    hold(store, tmp_path / "one", built(store, "one"))
    built(store, "two", accelerated=True)
    flipped = 0
    for path in sorted(objects(store)):
        good, mode = path.read_bytes(), path.stat().st_mode
        names = {str(other) for other in objects(store) if other.samefile(path)}
        path.chmod(0o644)
        for at in {0, len(good) // 2, len(good) - 1}:
            bad = bytearray(good)
            bad[at] ^= 1 << (at % 7)
            path.write_bytes(bad)
            path.chmod(mode)
            assert names & {finding.path for finding in findings(store)}, (path, at)
            path.chmod(0o644)
            flipped += 1
        path.write_bytes(good)
        path.chmod(mode)
    assert flipped > 60
    assert findings(store) == []


def rewrite(path: Path, data: bytes) -> None:
    """Change the content alone: a mode would be a finding of its own."""
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def test_every_byte_of_a_result_counts(store: LocalStore, tmp_path: Path) -> None:
    """A flip in every byte of a realisation, an outcome and a root."""
    realisation = built(store, "one")
    hold(store, tmp_path / "one", realisation)
    root = Path(store.layout.root)
    for path in (*root.glob("realisations/*/*"), *root.glob("ac/*/*"), *root.glob("roots/*")):
        good = path.read_bytes()
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 1 << (at % 8)
            rewrite(path, bytes(bad))
            assert str(path) in {finding.path for finding in findings(store)}, (path, at)
        rewrite(path, good)
    assert findings(store) == []


def test_a_file_cut_short_or_longer_is_found(store: LocalStore) -> None:
    built(store, "one")
    for path in sorted(objects(store)):
        good, mode = path.read_bytes(), path.stat().st_mode
        for bad in (good[:-1], good + b"\0", b""):
            path.chmod(0o644)
            path.write_bytes(bad)
            path.chmod(mode)
            assert findings(store), (path, len(bad))
        path.chmod(0o644)
        path.write_bytes(good)
        path.chmod(mode)


@pytest.mark.parametrize("empty", [True, False])
def test_a_mark_of_other_bytes_that_mean_the_same_is_damaged(
    store: LocalStore, *, empty: bool
) -> None:
    """Its blob would be another: protobuf reads nothing as an empty tree, and skips fields."""
    with store.trees.new_tree() as writer:
        if not empty:
            writer.file("a", [b"a"])
        root = writer.commit().root
    assert findings(store) == []
    mark = Path(f"{store.mountable.path(root)}.tree")
    data = b"" if empty else mark.read_bytes() + b"\x7a\x00"
    mark.unlink()  # the blob of the right message stays
    mark.write_bytes(data)
    mark.chmod(0o444)
    store.cas.write(data)
    (damaged,) = findings(store)
    assert (damaged.kind, damaged.path) == ("damaged", str(mark))


def tree_file(store: LocalStore, realisation: Realisation, name: str) -> Path:
    return Path(store.layout.tree(realisation.output.hash), name)


def test_missing_differs_from_damaged(store: LocalStore) -> None:
    one = built(store, "one")
    name = Digest.of(b"doc of one").hash
    Path(store.layout.blob(name)).unlink()
    (missing,) = findings(store)
    assert (missing.kind, missing.path) == ("missing", store.layout.blob(name))
    tree_file(store, one, "doc").unlink()
    (missing,) = findings(store)
    assert (missing.kind, missing.path) == ("missing", str(tree_file(store, one, "doc")))
    shutil.rmtree(tree_file(store, one, ""))
    (missing,) = findings(store)
    assert (missing.kind, missing.path) == ("missing", store.layout.tree(one.output.hash))


def test_a_tree_is_compared_with_its_message(store: LocalStore) -> None:
    one = built(store, "one")
    path = tree_file(store, one, "added")
    path.write_bytes(b"")
    assert [(f.kind, f.path) for f in findings(store)] == [("damaged", str(path))]
    path.unlink()

    path = tree_file(store, one, "link")
    path.unlink()
    path.symlink_to("bin/other")
    assert [(f.kind, f.path) for f in findings(store)] == [("damaged", str(path))]
    path.unlink()
    path.symlink_to("bin/run")

    path = tree_file(store, one, "doc")
    path.unlink()
    path.write_bytes(b"doc of two")
    path.chmod(0o444)
    assert [(f.kind, f.path) for f in findings(store)] == [("damaged", str(path))]
    path.unlink()
    path.write_bytes(b"doc of one")
    path.chmod(0o444)
    assert findings(store) == [], "equal content does, if it is no link"
    path.chmod(0o555)
    assert [(f.kind, f.path) for f in findings(store)] == [("damaged", str(path))]


def test_a_writable_blob_is_a_finding(store: LocalStore) -> None:
    digest = store.cas.write(b"text")
    Path(store.layout.blob(digest.hash)).chmod(0o644)
    (found,) = findings(store)
    assert found.path == store.layout.blob(digest.hash)


def aged(store: LocalStore, realisation: Realisation, days: float) -> None:
    for kind, key in (("realisations", realisation.derivation), ("ac", realisation.action)):
        path = store.layout.record(kind, str(key), accelerated=realisation.accelerated)
        then = os.stat(path).st_mtime - days * DAY
        os.utime(path, (then, then))


def left(store: LocalStore) -> set[str]:
    return {
        str(path.relative_to(store.layout.root))
        for path in Path(store.layout.root).rglob("*")
        if path.is_symlink() or path.is_file()
    }


def test_what_a_root_reaches_stays(store: LocalStore, tmp_path: Path) -> None:
    held, free = built(store, "held"), built(store, "free")
    hold(store, tmp_path / "held", held)
    aged(store, held, 100)
    aged(store, free, 100)
    done = collect(store, keep_days=30)
    assert (done.trees, done.results) == (1, 2)
    assert done.freed == sum(
        map(len, (key_of("free"), b"free", b"doc of free", b"log of free"))
    ) + len(Tree.decode(Path(store.layout.tree(held.output.hash) + ".tree").read_bytes()).encode())
    assert store.realisations.realisation(held.derivation) == held
    assert store.realisations.realisation(free.derivation) is None
    assert tree_file(store, held, "link").read_bytes() == b"held"
    assert findings(store) == []
    assert not Path(store.layout.tree(free.output.hash)).exists()


def test_nothing_of_a_dropped_result_remains(store: LocalStore) -> None:
    before = left(store)
    store.failure_logs.record_failure("f" * 64, store.cas.write(b"log of a failure"))
    built(store, "one")
    built(store, "two", accelerated=True)
    collect(store, keep_days=-1)
    assert left(store) - {"locks/store"} == before


def test_what_was_used_lately_stays(store: LocalStore) -> None:
    old, recent = built(store, "old"), built(store, "recent")
    aged(store, old, 31)
    aged(store, recent, 29)
    collect(store, keep_days=30)
    assert store.realisations.realisation(old.derivation) is None
    assert store.realisations.realisation(recent.derivation) == recent
    assert findings(store) == []


def test_asking_for_a_result_is_using_it(store: LocalStore) -> None:
    one, two = built(store, "one"), built(store, "two")
    for realisation in (one, two):
        aged(store, realisation, 100)
    assert store.realisations.realisation(one.derivation) == one
    assert store.action_cache.outcome(Digest.of(b"act two"), accelerated=False) is not None
    collect(store, keep_days=30)
    assert store.realisations.realisation(one.derivation) == one
    assert store.realisations.realisation(two.derivation) is None
    assert store.action_cache.outcome(Digest.of(b"act two"), accelerated=False) is not None
    assert Path(store.layout.tree(two.output.hash)).is_dir()


@pytest.mark.parametrize("end", ["removed", "replaced", "elsewhere", "dangling"])
def test_a_root_whose_link_is_gone_is_dropped(store: LocalStore, tmp_path: Path, end: str) -> None:
    one, link = built(store, "one"), tmp_path / "link"
    hold(store, link, one)
    link.unlink()
    if end == "replaced":
        link.write_bytes(b"a copy")
    elif end == "elsewhere":
        link.symlink_to(tmp_path)
    elif end == "dangling":
        link.symlink_to(Path(store.layout.trees, "no", "such"))
    collect(store, keep_days=-1)
    assert store.roots.roots() == ()
    assert store.realisations.realisation(one.derivation) is None


def test_a_folder_of_links_holds_too(store: LocalStore, tmp_path: Path) -> None:
    one = built(store, "one")
    (tmp_path / "result").mkdir()
    (tmp_path / "result/doc").symlink_to(tree_file(store, one, "doc"))
    store.roots.add_root("one", one.derivation, str(tmp_path / "result"))
    collect(store, keep_days=-1)
    assert store.realisations.realisation(one.derivation) == one


def test_the_largest_size_drops_what_was_used_longest_ago(
    store: LocalStore, tmp_path: Path
) -> None:
    results = [built(store, name) for name in ("held", "first", "second", "third")]
    for days, realisation in zip((20, 1, 2, 3), results, strict=True):
        aged(store, realisation, days)
    hold(store, tmp_path / "held", results[0])
    done = collect(store, keep_days=30, max_size=None)
    assert all(store.realisations.realisation(r.derivation) for r in results)
    for days, realisation in zip((20, 1, 2, 3), results, strict=True):
        aged(store, realisation, days)
    each = done.kept // 4
    done = collect(store, keep_days=30, max_size=3 * each)
    stay = [store.realisations.realisation(r.derivation) is not None for r in results]
    assert stay == [True, True, False, False]
    assert 1 * each < done.kept <= 3 * each
    assert findings(store) == []


def test_results_of_one_moment_go_whole(store: LocalStore) -> None:
    """The clock of a file system is coarse: what a plan looks at has one time."""
    results = [built(store, f"n{number}") for number in range(8)]
    moment = time.time_ns()
    for each in results:
        for kind, key in (("realisations", each.derivation), ("ac", str(each.action))):
            os.utime(store.layout.record(kind, key, accelerated=False), ns=(moment, moment))
    for part in (2, 2):
        done = collect(store, keep_days=30)
        collect(store, keep_days=30, max_size=done.kept // part)
        assert findings(store) == []
    assert any(store.realisations.realisation(each.derivation) for each in results)


def test_collection_empties_tmp(store: LocalStore) -> None:
    Path(store.layout.tmp, "folder/deep").mkdir(parents=True)
    Path(store.layout.tmp, "folder/file").touch()
    Path(store.layout.tmp, "file").touch()
    collect(store, keep_days=1)
    assert list(Path(store.layout.tmp).iterdir()) == []


def test_collection_does_not_run_beside_a_build(store: LocalStore) -> None:
    one = built(store, "one")
    with (
        store.locks.shared(),
        pytest.raises(StoreError, match="another rvbuild is using the store"),
    ):
        collect(store, keep_days=-1)
    assert store.realisations.realisation(one.derivation) == one


def test_a_link_to_something_else_than_the_store_keeps_nothing(
    store: LocalStore, tmp_path: Path
) -> None:
    one = built(store, "one")
    hold(store, tmp_path / "one", one)
    other = tmp_path / "other/trees/ab"
    other.mkdir(parents=True)
    (tmp_path / "one").unlink()
    (tmp_path / "one").symlink_to(other)
    collect(store, keep_days=-1)
    assert store.realisations.realisation(one.derivation) is None


BOUND = """\
mount --bind "$1" "$2"
exec "$3" -c '
import sys
import time
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
collect(LocalStore(sys.argv[1], durable=False), keep_days=-1)' "$2"
"""


@pytest.mark.privileged
def test_collection_keeps_what_is_held_by_another_path_of_the_store(
    store: LocalStore, tmp_path: Path
) -> None:
    """A container sees the store of its host elsewhere, and the links by the host's paths."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    one, two = built(store, "one"), built(store, "two")
    hold(store, tmp_path / "one", one)
    (tmp_path / "seen").mkdir()
    words = ["sh", "-euc", BOUND, "sh", store.layout.root, str(tmp_path / "seen"), sys.executable]
    subprocess.run([*own, *words], check=True)
    assert store.realisations.realisation(one.derivation) == one
    assert store.realisations.realisation(two.derivation) is None
    assert [root.name for root in store.roots.roots()] == ["one"]


def test_nothing_is_collected_when_a_live_tree_is_damaged(store: LocalStore) -> None:
    one, two = built(store, "one"), built(store, "two")
    aged(store, two, 100)
    mark = Path(store.layout.tree(one.output.hash) + ".tree")
    mark.unlink()
    mark.write_bytes(b"\xff")
    before = left(store)
    with pytest.raises(StoreError) as caught:
        collect(store, keep_days=30)
    assert str(caught.value.where) == str(mark)
    assert left(store) == before
