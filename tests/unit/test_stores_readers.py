"""What was made of a damaged thing goes with it, however far up; what was not made of it stays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen
from kept_results import hold, key_of, register

from rvbuild.core.digest import Digest
from rvbuild.core.realisation import Realisation
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import Repair, repair
from rvbuild.stores.shape import MARK
from rvbuild.stores.verify import verify


def tree(store: LocalStore, text: str) -> Digest:
    with store.trees.new_tree() as writer:
        writer.file("text", [text.encode()])
        writer.file("bin/tool", [b"#!/bin/sh\n", text.encode()], executable=True)
        return writer.commit().root


@frozen
class Made:
    """``lib`` read the source ``src``; ``app`` a merge of it; ``other`` another source."""

    store: LocalStore
    src: Realisation
    lib: Realisation
    both: Realisation
    app: Realisation
    other_src: Realisation
    other: Realisation

    @classmethod
    def of(cls, store: LocalStore) -> Made:
        def found(name: str, output: Digest, *inputs: Digest) -> Realisation:
            made = Realisation(key=store.cas.write(key_of(name)), output=output, inputs=inputs)
            store.realisations.register(made)
            return made

        def step(name: str, *inputs: Digest) -> Realisation:
            return register(store, name, tree(store, name), inputs=inputs)

        src, other_src = (found(name, tree(store, name)) for name in ("src", "other-src"))
        lib, other = step("lib", src.output), step("other", other_src.output)
        both = found("both", store.trees.merge([("a", lib.output)]).root, lib.output)
        return cls(store, src, lib, both, step("app", both.output), other_src, other)

    def repaired(self) -> dict[str, Repair]:
        done: list[Repair] = []
        repair(self.store, done.append)
        found: list[object] = []
        verify(self.store, found.append)
        assert found == []
        return {each.path: each for each in done}

    def path(self, made: Realisation, kind: str = "realisations") -> str:
        key = made.action or made.derivation if kind == "ac" else made.derivation
        return self.store.layout.record(kind, key, accelerated=False)

    def stays(self, made: Realisation) -> bool:
        return self.store.realisations.realisation(made.derivation) == made

    def has_outcome(self, made: Realisation) -> bool:
        return Path(self.path(made, "ac")).exists()


def poisoned(path: Path) -> None:
    mode = path.stat().st_mode
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    path.chmod(mode)


def more(path: Path) -> None:
    path.with_name("more").write_bytes(b"read by a glob")


def less(path: Path) -> None:
    path.unlink()


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def folder(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to(path.name)


@pytest.mark.parametrize("kind", [os.mkfifo, folder, link])
@pytest.mark.parametrize("of", ["src", "lib", "app"])
@pytest.mark.parametrize("record", ["mark", "realisations", "ac"])
def test_what_is_no_file_in_the_place_of_a_record_is_set_aside(
    store: LocalStore, kind: Callable[[Path], None], of: str, record: str
) -> None:
    made = Made.of(store)
    which: Realisation = getattr(made, of)
    place = Path(store.mountable.path(which.output) + MARK)
    if record != "mark":
        place = Path(made.path(which, record))
    place.unlink(missing_ok=True)  # a source has no outcome
    place.parent.mkdir(parents=True, exist_ok=True)
    kind(place)
    poisoned(Path(store.mountable.path(made.other_src.output), "text"))
    made.repaired()
    assert not os.path.lexists(place)
    assert not made.stays(made.other), "its source was damaged"


@pytest.mark.parametrize("name", ["text", "bin/tool"])
@pytest.mark.parametrize("harm", [poisoned, more, less])
def test_what_read_a_damaged_tree_goes_and_nothing_else(
    store: LocalStore, harm: Callable[[Path], None], name: str
) -> None:
    made = Made.of(store)
    harm(Path(store.mountable.path(made.src.output), name))
    done = made.repaired()
    for gone in (made.lib, made.both, made.app):
        assert not made.stays(gone)
        assert done[made.path(gone)].done == "set aside"
    assert store.mountable.path(made.src.output) in done[made.path(made.lib)].problem
    assert store.mountable.path(made.lib.output) in done[made.path(made.both)].problem
    assert not made.has_outcome(made.lib)
    assert made.has_outcome(made.app), "it is true of its inputs by content"
    for stays in (made.other_src, made.other):
        assert made.stays(stays)
        assert made.has_outcome(made.other)


def test_a_mended_mode_or_name_costs_no_result(store: LocalStore) -> None:
    made = Made.of(store)
    Path(store.mountable.path(made.src.output), "text").chmod(0o600)
    Path(store.layout.blob(Digest.of(b"#!/bin/sh\nsrc").hash)).unlink()
    assert {each.done for each in made.repaired().values()} == {"mended"}
    assert all(map(made.stays, (made.lib, made.both, made.app, made.other)))


def test_an_outcome_that_no_realisation_names_goes(store: LocalStore) -> None:
    made = Made.of(store)
    Path(made.path(made.other)).unlink()
    poisoned(Path(store.mountable.path(made.src.output), "text"))
    assert made.path(made.other, "ac") in made.repaired()


def test_roots_memos_and_compile_caches_go_too(store: LocalStore, tmp_path: Path) -> None:
    made = Made.of(store)
    for name, result in (("app", made.app), ("other", made.other)):
        hold(store, tmp_path / name, result)
    root = Path(store.layout.root)
    for path in ("memo/m", "accelerators/go/ab/object"):
        (root / path).parent.mkdir(parents=True)
        (root / path).write_bytes(b"x")
    poisoned(Path(store.mountable.path(made.src.output), "text"))
    done = made.repaired()
    assert [held.name for held in store.roots.roots()] == ["other"]
    assert not list((root / "memo").iterdir())
    assert not list((root / "accelerators").iterdir())
    assert done[str(root / "accelerators/go")].done == "dropped"


def test_a_repair_that_is_killed_between_forgets_no_reader(store: LocalStore) -> None:
    """Wherever it ends, the tree is still there to be told of, or nothing of its readers is."""
    made = Made.of(store)
    poisoned(Path(store.mountable.path(made.src.output), "text"))
    for count in range(20):

        def end(_: Repair, left: list[int] = [count]) -> None:  # noqa: B006 - one a round
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        try:
            repair(store, end)
        except KeyboardInterrupt:
            assert store.trees.has_tree(made.src.output) or not made.stays(made.lib)
    made.repaired()
    assert not any(map(made.stays, (made.lib, made.both, made.app)))
