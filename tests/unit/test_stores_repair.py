"""Repair: damage leaves the store, nobody's bytes are lost, and building again makes it whole."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kept_results import built, hold

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError, VerificationError
from rvbuild.core.realisation import Realisation
from rvbuild.stores.collect import DAY, collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.top import VERSION_FILE
from rvbuild.stores.verify import verify


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def repaired(store: LocalStore) -> list[Repair]:
    done: list[Repair] = []
    repair(store, done.append)
    sound(store)
    return done


def sound(store: LocalStore) -> None:
    found: list[object] = []
    verify(store, found.append)
    assert found == []


def objects(store: LocalStore) -> Iterator[Path]:
    """Every file that holds something, by one of its names, but two at the top, and locks.

    Whoever opens a store looks at `version`, and `.gitignore` is git's. A lock's file says who has
    it, for those who wait, and nothing depends on that.
    """
    seen = {os.lstat(Path(store.layout.root, name)).st_ino for name in (VERSION_FILE, ".gitignore")}
    for folder, folders, names in os.walk(store.layout.root):
        folders[:] = [name for name in folders if name != "locks"]
        for name in sorted(names):
            path = Path(folder, name)
            there = path.lstat()
            if not path.is_symlink() and there.st_size and there.st_ino not in seen:
                seen.add(there.st_ino)
                yield path


def changed(path: Path, text: bytes) -> None:
    """What a person does who wants to write a file of a result."""
    path.chmod(0o644)
    path.write_bytes(text)


def file_of(store: LocalStore, realisation: Realisation, name: str) -> Path:
    return Path(store.mountable.path(realisation.output), name)


def test_a_sound_store_is_left_alone(store: LocalStore, tmp_path: Path) -> None:
    hold(store, tmp_path / "one", built(store, "one"))
    assert repaired(store) == []
    assert not Path(store.layout.damaged).exists()


def test_every_flipped_file_is_set_aside_and_made_anew(tmp_path: Path) -> None:
    """Flip one byte of each file in turn: its bytes are kept, all others stay right."""
    good = LocalStore(str(tmp_path / "good"), durable=False)
    hold(good, tmp_path / "one", built(good, "one"))
    built(good, "two")
    files = [path.relative_to(good.layout.root) for path in objects(good)]
    assert len(files) >= 14
    for file in files:
        store = LocalStore(str(tmp_path / "store"), durable=False)
        hold(store, tmp_path / "one", built(store, "one"))
        built(store, "two")
        path = Path(store.layout.root, file)
        if not path.exists():  # a root: its name has the link's path in it
            (path,) = Path(store.layout.roots).iterdir()
        bad = bytearray(path.read_bytes())
        bad[len(bad) // 2] ^= 1
        changed(path, bytes(bad))
        done = repaired(store)
        aside = [each for each in done if each.done == "set aside"]
        files_aside = [Path(each.kept) for each in aside if Path(each.kept).is_file()]
        assert bytes(bad) in {path.read_bytes() for path in files_aside}, file
        hold(store, tmp_path / "one", built(store, "one"))
        assert built(store, "two") == built(good, "two")
        sound(store)
        assert file_of(store, built(store, "two"), "shared").read_bytes() == b"in every tree"
        shutil.rmtree(tmp_path / "store")


def test_all_that_shares_the_damage_goes_and_nothing_else(
    store: LocalStore, tmp_path: Path
) -> None:
    """A blob is one file with the files of every tree that has it."""
    one, two = built(store, "one"), built(store, "two")
    both = store.trees.merge([("a", one.output), ("b", two.output)]).root
    store.realisations.register(Realisation(key=store.cas.write(b"both"), output=both))
    hold(store, tmp_path / "one", one)
    changed(file_of(store, one, "doc"), b"my own words")
    done = repaired(store)
    assert not store.trees.has_tree(one.output)
    assert not store.trees.has_tree(both)
    assert store.realisations.realisation(one.derivation) is None
    assert store.realisations.realisation(Digest.of(b"both").hash) is None
    assert store.roots.roots() == ()
    assert store.trees.has_tree(two.output)
    assert store.realisations.realisation(two.derivation) == two
    kept = [Path(each.kept) for each in done if each.done == "set aside"]
    mine = [path for path in kept if path.read_bytes() == b"my own words"]
    assert len(mine) == 3, "the blob, and its place in both trees"
    assert len(kept) == 3 + 2 + 2, "and what told of both trees: results, an outcome, a root"
    aside = [path for path in Path(store.layout.damaged).rglob("*") if not path.is_dir()]
    assert sorted(aside) == sorted(kept), "no good file lies there, to be written through"


def test_what_is_not_of_a_tree_is_kept_too(store: LocalStore) -> None:
    one = built(store, "one")
    file_of(store, one, "mine").mkdir()
    file_of(store, one, "mine/words").write_bytes(b"mine")
    file_of(store, one, "link").unlink()
    file_of(store, one, "link").write_bytes(b"no link")
    done = repaired(store)
    kept = {Path(each.kept).name: each for each in done if each.done == "set aside"}
    assert Path(kept["mine"].kept, "words").read_bytes() == b"mine"
    assert Path(kept["link"].kept).read_bytes() == b"no link"
    assert not store.trees.has_tree(one.output)


def test_a_mode_or_a_name_is_given_back_and_nothing_dropped(store: LocalStore) -> None:
    one = built(store, "one")
    file_of(store, one, "doc").chmod(0o600)
    file_of(store, one, "bin/run").chmod(0o755)
    blob = Path(store.layout.blob(Digest.of(b"in every tree").hash))
    message = Path(store.layout.blob(Digest.of(store.trees.tree(one.output).encode()).hash))
    run = Path(store.layout.blob(Digest.of(b"one").hash))
    for path in (blob, message, run):
        path.unlink()
    done = repaired(store)
    assert {each.done for each in done} == {"mended"}
    assert blob.samefile(file_of(store, one, "shared"))
    assert run.samefile(file_of(store, one, "bin/run"))
    assert message.exists()
    assert store.realisations.realisation(one.derivation) == one
    store.mountable.refuse_changed(one.output)


def test_an_executable_blob_without_its_plain_name_is_found(store: LocalStore) -> None:
    built(store, "one")
    path = Path(store.layout.blob(Digest.of(b"one").hash))
    path.unlink()
    found = []
    verify(store, found.append)
    assert [each.path for each in found] == [str(path)]


def gone_file(store: LocalStore, one: Realisation) -> None:
    file_of(store, one, "doc").unlink()


def gone_folder(store: LocalStore, one: Realisation) -> None:
    shutil.rmtree(store.mountable.path(one.output))


def gone_mark(store: LocalStore, one: Realisation) -> None:
    Path(f"{store.mountable.path(one.output)}.tree").unlink()


def gone_log(store: LocalStore, _: Realisation) -> None:
    Path(store.layout.blob(Digest.of(b"log of one").hash)).unlink()


def gone_outcome(store: LocalStore, one: Realisation) -> None:
    Path(store.layout.record("ac", str(one.action), accelerated=False)).unlink()


@pytest.mark.parametrize("lose", [gone_file, gone_folder, gone_mark, gone_log, gone_outcome])
def test_what_lacks_something_is_dropped(
    store: LocalStore, tmp_path: Path, lose: Callable[[LocalStore, Realisation], None]
) -> None:
    one, two = built(store, "one"), built(store, "two")
    hold(store, tmp_path / "one", one)
    lose(store, one)
    assert repaired(store)
    assert store.realisations.realisation(one.derivation) is None
    assert store.realisations.realisation(two.derivation) == two
    assert built(store, "one") == one
    sound(store)


def twins(store: LocalStore) -> tuple[Digest, Digest]:
    """Two trees with the same bytes, executable in the first and plain in the second."""
    roots = []
    for executable in (True, False):
        with store.trees.new_tree() as writer:
            writer.file("it", [b"the same"], executable=executable)
            roots.append(writer.commit().root)
    return roots[0], roots[1]


@pytest.mark.parametrize("wrong", [0, 1])
def test_one_file_that_is_to_have_two_modes_gets_one(store: LocalStore, wrong: int) -> None:
    """A person linked one tree's file over the other's: only the tree with the link goes."""
    roots = twins(store)
    files = [Path(store.mountable.path(root), "it") for root in roots]
    files[wrong].unlink()
    files[wrong].hardlink_to(files[1 - wrong])
    mine = files[wrong].with_name("mine")
    mine.write_bytes(b"mine")
    done = repaired(store)
    assert [store.trees.has_tree(root) for root in roots] == [wrong != 0, wrong != 1]
    (kept,) = (each.kept for each in done if each.path == str(mine))
    assert Path(kept).read_bytes() == b"mine"
    blob = Digest.of(b"the same")
    assert store.cas.read(blob) == b"the same"
    assert twins(store) == roots
    sound(store)
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o555, 0o444]


def test_repair_ends_where_something_else_undoes_it(store: LocalStore) -> None:
    doc = file_of(store, built(store, "one"), "doc")
    doc.chmod(0o600)
    with pytest.raises(StoreError, match="something else changes it"):
        repair(store, lambda _: doc.chmod(0o600))
    assert {each.done for each in repaired(store)} == {"mended"}


@pytest.mark.parametrize("damage_mark", [False, True])
def test_repair_and_collection_stay_inside_the_store(
    store: LocalStore, tmp_path: Path, *, damage_mark: bool
) -> None:
    one = built(store, "one")
    hold(store, tmp_path / "one", one)
    elsewhere = tmp_path / "elsewhere"
    os.rename(store.mountable.path(one.output), elsewhere)
    (elsewhere / "mine").write_bytes(b"mine")
    (elsewhere / "doc").unlink()
    Path(store.mountable.path(one.output)).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    if damage_mark:
        changed(Path(f"{store.mountable.path(one.output)}.tree"), b"\xff")
    assert repaired(store)
    assert sorted(elsewhere.rglob("*")) == before
    assert not store.trees.has_tree(one.output)
    two = built(store, "two")
    os.rename(store.mountable.path(two.output), tmp_path / "two")
    Path(store.mountable.path(two.output)).symlink_to(tmp_path / "two")
    with pytest.raises(StoreError, match="a symbolic link, where a folder must be"):
        collect(store, keep_days=-1)
    assert repaired(store)
    collect(store, keep_days=-1)
    assert (tmp_path / "two/doc").exists()


def test_what_is_in_a_tree_whose_mark_is_damaged_is_kept(store: LocalStore) -> None:
    one, two = built(store, "one"), built(store, "two")
    changed(Path(f"{store.mountable.path(one.output)}.tree"), b"\xff")
    file_of(store, one, "mine").mkdir()
    file_of(store, one, "mine/words").write_bytes(b"mine")
    file_of(store, one, "doc").unlink()
    file_of(store, one, "doc").write_bytes(b"my own words")
    done = repaired(store)
    (kept,) = (Path(each.kept) for each in done if each.kept.endswith(one.output.hash))
    assert (kept / "mine/words").read_bytes() == b"mine"
    assert (kept / "doc").read_bytes() == b"my own words"
    assert not store.trees.has_tree(one.output)
    files = [path for path in kept.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) == 2, "no good file lies there, to be written through"
    assert file_of(store, two, "shared").read_bytes() == b"in every tree"


def test_repair_does_not_run_beside_a_build(store: LocalStore) -> None:
    one = built(store, "one")
    changed(file_of(store, one, "doc"), b"x")
    with (
        store.locks.shared(),
        pytest.raises(StoreError, match="another rvbuild is using the store"),
    ):
        repair(store, lambda _: None)
    assert store.trees.has_tree(one.output)


def test_collection_keeps_what_was_set_aside_as_long_as_a_result(store: LocalStore) -> None:
    changed(file_of(store, built(store, "one"), "doc"), b"my own words")
    repaired(store)
    collect(store, keep_days=14)
    (aside,) = Path(store.layout.damaged).iterdir()
    then = aside.stat().st_mtime - 15 * DAY
    os.utime(aside, (then, then))
    collect(store, keep_days=14)
    assert list(Path(store.layout.damaged).iterdir()) == []


# ---- the cheap look that a build takes at a result


def longer(path: Path) -> None:
    changed(path, b"doc of one, and more")
    path.chmod(0o444)
    os.utime(path, (315_532_800, 315_532_800))


def as_long(path: Path) -> None:
    changed(path, b"DOC of one")
    path.chmod(0o444)


def forged(path: Path) -> None:
    """As long, as old, as read-only: only the change time tells, which nobody can set."""
    as_long(path)
    os.utime(path, (315_532_800, 315_532_800))


def forged_beside(path: Path) -> None:
    """The same, with another inode, as `cp -p` leaves it."""
    path.rename(path.with_name("x"))
    path.write_bytes(path.with_name("x").read_bytes().upper())
    path.with_name("x").unlink()
    path.chmod(0o444)
    for each in (path, path.parent):
        os.utime(each, (315_532_800, 315_532_800))


def forged_link(path: Path) -> None:
    link_elsewhere(path)
    os.utime(path.parent, (315_532_800, 315_532_800))


def replaced(path: Path) -> None:
    path.unlink()
    path.symlink_to("bin/run")


def with_another(path: Path) -> None:
    path.with_name("another").touch()


def link_elsewhere(path: Path) -> None:
    path.with_name("link").unlink()
    path.with_name("link").symlink_to("doc")


@pytest.mark.parametrize(
    "change",
    [
        longer,
        as_long,
        forged,
        forged_beside,
        forged_link,
        replaced,
        Path.unlink,
        lambda path: path.chmod(0o644),
        with_another,
        link_elsewhere,
        lambda path: shutil.rmtree(path.parent),
    ],
)
def test_a_changed_file_is_seen_by_its_stat_data(
    store: LocalStore, change: Callable[[Path], None]
) -> None:
    one = built(store, "one")
    path = file_of(store, one, "doc")
    store.mountable.refuse_changed(one.output)
    change(path)
    with pytest.raises(VerificationError) as caught:
        store.mountable.refuse_changed(one.output)
    assert caught.value.where in {str(path), str(path.parent)}
    assert "store repair" in hint_text(caught.value.hint)
    assert repaired(store)
    assert (
        not store.trees.has_tree(one.output) or store.mountable.refuse_changed(one.output) is None
    )


def test_a_further_link_is_looked_at_once(store: LocalStore) -> None:
    """A merge changes the change time of every file that it links."""
    one = built(store, "one")
    mark = Path(f"{store.mountable.path(one.output)}.tree")
    store.trees.merge([("a", one.output)])
    before = mark.stat().st_ctime_ns
    while mark.stat().st_ctime_ns <= max(before, file_of(store, one, "doc").stat().st_ctime_ns):
        store.mountable.refuse_changed(one.output)
    after = mark.stat().st_ctime_ns
    store.mountable.refuse_changed(one.output)
    assert mark.stat().st_ctime_ns == after
    forged(file_of(store, one, "doc"))
    with pytest.raises(VerificationError):
        store.mountable.refuse_changed(one.output)


def test_a_file_that_was_only_touched_is_not_changed(store: LocalStore) -> None:
    one = built(store, "one")
    os.utime(file_of(store, one, "doc"))
    os.utime(file_of(store, one, "bin"))
    store.mountable.refuse_changed(one.output)
    assert repaired(store) == []
