"""Whatever says what is live is believed only when it is as it was written.

One byte of one record is changed, each byte in turn: a collection then may say so or not, but
nothing that was live is gone. Without a change, what was live stays and the rest goes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from kept_results import built, hold, key_of
from workshop import Workshop

from rvbuild.cli.remedies import hint_text
from rvbuild.core.derivation import Derivation
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.realisation import Realisation
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore

KEEP = 1.0
"""Days: the failure stays because it is new; what is held is older than that."""

RECORDS = {
    "roots/*": 1,
    "realisations/*/*": 2,
    "ac/*/*": 2,
    "accelerated/realisations/*/*": 1,
    "accelerated/ac/*/*": 1,
    "trees/*/*.tree": 3,
    "failed/*/*": 1,
}
"""Where the records are that a collection needs, and how many the store of these tests has."""


def filled(tmp_path: Path) -> LocalStore:
    """One result that is held and old, two that are new, and the log of a failure."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    one = built(store, "one")
    hold(store, tmp_path / "one", one)
    built(store, "two")
    built(store, "three", accelerated=True)
    store.failure_logs.record_failure("f" * 64, store.cas.write(b"log of a failure"))
    for kind, key in (("realisations", one.derivation), ("ac", str(one.action))):
        os.utime(store.layout.record(kind, key, accelerated=False), (1, 1))
    return store


def all_of(store: LocalStore) -> set[str]:
    return {str(path) for path in Path(store.layout.root).rglob("*") if path.parent.name != "locks"}


def files(store: LocalStore, pattern: str) -> list[Path]:
    found = sorted(Path(store.layout.root).glob(pattern))
    assert len(found) == RECORDS[pattern]
    return found


def collected(store: LocalStore) -> bool:
    """Whether it was done; else the error says that nothing has gone."""
    try:
        collect(store, keep_days=KEEP)
    except StoreError as error:
        return "nothing was collected" not in hint_text(error.hint)
    return True


def rewritten(path: Path, data: bytes) -> None:
    """Another file in its place: a mark's blob stays right. The times are the old one's."""
    there = path.stat()
    path.unlink()
    path.write_bytes(data)
    path.chmod(0o444)
    os.utime(path, (there.st_atime, there.st_mtime))


def closure(shop: Workshop) -> list[Derivation]:
    """A step with a merge of sources, and another source, below it; the step is the last."""
    one, two, three = (shop.source(each) for each in ("one", "two", "three"))
    merge = shop.merge("merge", one, two)
    return [one, two, three, merge, shop.step("app", "join x", merge, three)]


@pytest.mark.parametrize("lacking", [None, 0, 3])
def test_what_a_held_result_was_made_of_is_known_as_long_as_it_is_held(
    tmp_path: Path, lacking: int | None
) -> None:
    """As far as it was there: a former rvbuild wrote less, and nothing fails for that."""
    store = LocalStore(str(tmp_path / "store"), durable=False)
    *below, top = closure(Workshop(str(tmp_path / "shop")))
    other = Workshop(str(tmp_path / "other")).source("of nobody")
    written = [each for at, each in enumerate(below) if at != lacking]
    for each in (*written, top, other):
        store.cas.write(each.encode())
    with store.trees.new_tree() as writer:
        root = writer.commit().root
    made = Realisation(key=top.key, output=root)
    store.realisations.register(made)
    hold(store, tmp_path / "app", made)
    collect(store, keep_days=KEEP)
    there = {each.label for each in (*below, top, other) if store.cas.find(each.digest)}
    known = {each.label for each in (*written, top)}
    assert there == (known - {"one", "two"} if lacking == 3 else known)  # the merge names these
    (tmp_path / "app").unlink()
    os.utime(store.layout.record("realisations", top.digest, accelerated=False), (1, 1))
    collect(store, keep_days=KEEP)
    assert not any(store.cas.find(each.digest) for each in (*below, top))


@pytest.mark.parametrize("pattern", RECORDS)
def test_a_changed_byte_loses_nothing_that_is_live(tmp_path: Path, pattern: str) -> None:
    store = filled(tmp_path)
    live, refused = all_of(store), 0
    for path in files(store, pattern)[: 1 if "trees" in pattern else 2]:
        good = path.read_bytes()
        for at in range(len(good)):
            bad = bytearray(good)
            bad[at] ^= 1 << (at % 7)
            rewritten(path, bytes(bad))
            refused += not collected(store)
            assert all_of(store) == live, (path, at)
        rewritten(path, good)
    assert refused > 60, "of some bytes nothing depends: an exit code, a signature"
    assert collected(store)
    assert all_of(store) == live


def test_what_is_not_live_goes(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (tmp_path / "one").unlink()
    gone = collect(store, keep_days=KEEP)
    assert (gone.results, gone.trees) == (2, 1)


def another_tree(store: LocalStore) -> Path:
    """The mark of one live tree in the place of another's."""
    first, second, _ = files(store, "trees/*/*.tree")
    rewritten(first, second.read_bytes())
    return first


def another_realisation(store: LocalStore) -> Path:
    first, second = files(store, "realisations/*/*")
    rewritten(first, second.read_bytes())
    return first


def another_kind(store: LocalStore) -> Path:
    """An accelerated result among those that are not."""
    (accelerated,) = files(store, "accelerated/realisations/*/*")
    place = Path(store.layout.record("realisations", accelerated.name, accelerated=False))
    place.parent.mkdir(exist_ok=True)
    accelerated.rename(place)
    return place


def another_name(store: LocalStore) -> Path:
    (root,) = files(store, "roots/*")
    return root.rename(root.with_name("mine-" + "0" * 16))


def another_shard(store: LocalStore) -> Path:
    (failure,) = files(store, "failed/*/*")
    place = failure.parent.with_name("00") / failure.name
    place.parent.mkdir()
    return failure.rename(place)


def realisation_of_one(store: LocalStore) -> Path:
    derivation = Digest.of(key_of("one")).hash
    return Path(store.layout.record("realisations", derivation, accelerated=False))


def no_realisation(store: LocalStore) -> Path:
    (root,) = files(store, "roots/*")
    realisation_of_one(store).unlink()
    return root


def no_tree(store: LocalStore) -> Path:
    tree = built(store, "one").output.hash
    Path(f"{store.layout.tree(tree)}.tree").unlink()
    return realisation_of_one(store)


def no_log(store: LocalStore) -> Path:
    (failure,) = files(store, "failed/*/*")
    Path(store.layout.blob(Digest.of(b"log of a failure").hash)).unlink()
    return failure


def emptied(store: LocalStore) -> Path:
    _, _, mark = files(store, "trees/*/*.tree")
    rewritten(mark, b"")
    return mark


def other_bytes(store: LocalStore) -> Path:
    """A mark that means the same, with a field more than is written; its bytes are a blob."""
    _, _, mark = files(store, "trees/*/*.tree")
    more = mark.read_bytes() + b"\x7a\x00"
    store.cas.write(more)
    rewritten(mark, more)
    return mark


DAMAGES = (
    another_tree,
    another_realisation,
    another_kind,
    another_name,
    another_shard,
    no_realisation,
    no_tree,
    no_log,
    emptied,
    other_bytes,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_record_that_is_not_its_own_stops_a_collection(
    tmp_path: Path, damage: Callable[[LocalStore], Path]
) -> None:
    store = filled(tmp_path)
    path = damage(store)
    before = all_of(store)
    with pytest.raises(StoreError) as caught:
        collect(store, keep_days=KEEP)
    assert str(caught.value.where) == str(path)
    assert "nothing was collected; run `rvbuild store repair`" in hint_text(caught.value.hint)
    assert all_of(store) == before


def test_a_failure_that_a_crash_left_empty_is_none(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (failure,) = files(store, "failed/*/*")
    rewritten(failure, bytes(81))
    assert store.failure_logs.failed("f" * 64) is None
    assert collected(store)
