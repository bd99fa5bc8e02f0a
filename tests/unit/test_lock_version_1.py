"""A lock of version 1: `rvbuild lock` writes it again without asking anybody, builds refuse it."""

from pathlib import Path

import pytest
import refs
from lock_world import FILES, Outside, Trees, locked, small_world

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import LockError
from rvbuild.core.lock import Lock
from rvbuild.recipes_yaml.lock import read_lock, write_lock

OLD = (Path(__file__).parents[1] / "golden/version-1.lock").read_bytes()


class Nobody:
    """Registries that nobody may ask; a folder of this machine is none."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(name)

    path, resolve = Outside.path, Outside.resolve


def converted(old: bytes = OLD, **files: str) -> Lock:
    nobody = Nobody()
    trees = Trees({**FILES, **files})
    return locked(read_lock(old, "l", mend=True), nobody, trees)  # type: ignore[arg-type]


def test_it_becomes_what_a_fresh_lock_would_be():
    """Every pin stays, and each key is that of a fresh lock.

    When Debian's indexes were made nobody knows any more, and no key depends on it.
    """
    text, fresh = write_lock(converted()), small_world()
    assert text == small_world(Outside(snapshot=None)).text
    assert "    snapshot: " in fresh.text
    assert fresh.meaning(text) == fresh.meaning(fresh.text)


def test_it_keeps_pins_that_a_fresh_lock_would_not_have():
    tree, other = b"tree: " + b"4" * 40, b"tree: " + b"5" * 40
    bare = b"".join(x for x in OLD.splitlines(keepends=True) if not x.startswith(b"    check:"))
    assert tree in bare
    assert other.decode() in write_lock(converted(bare.replace(tree, other)))


def test_an_entry_that_was_changed_by_hand_is_found_again():
    before = read_lock(OLD, "l", mend=True)
    changed = OLD.replace(b"tree: " + b"4" * 40, b"tree: " + b"5" * 40)
    after = read_lock(changed, "l", mend=True)
    assert refs.texts(before.sources.keys() - after.sources.keys()) == {"lib/part"}
    assert (after.pins, after.go_modules) == (before.pins, before.go_modules)


def test_what_is_missing_is_said():
    trees = {name: text for name, text in FILES.items() if name != "go.sum"}
    with pytest.raises(LockError, match=r"the source upstream/k has no file go.sum"):
        locked(read_lock(OLD, "l", mend=True), Outside(), Trees(trees))


def test_nothing_is_built_from_it():
    with pytest.raises(LockError, match="has format 1, and this rvbuild builds from 2") as caught:
        read_lock(OLD, "l")
    assert hint_text(caught.value.hint) == "run `rvbuild lock`: it keeps every pin"
    assert str(caught.value.where) == "l:2:1"
