"""Records of builders and of newer versions in a store: what is read, and what may not go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from attrs import evolve
from kept_results import built, hold

from rvbuild.cli.remedies import hint_text
from rvbuild.core.envelope import seal
from rvbuild.core.errors import NewerRecord, StoreError
from rvbuild.core.realisation import Realisation
from rvbuild.stores.collect import collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import repair
from rvbuild.stores.verify import Finding, verify


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def rewritten(path: Path, version: int, **more: object) -> None:
    """The record as a rvbuild writes it that knows more."""
    there = path.stat()
    record = json.loads(path.read_bytes())
    data = seal(record["kind"], version, {**record["body"], **more})
    path.unlink()
    path.write_bytes(data)
    path.chmod(there.st_mode)


RECORDS = ("realisations/*/*", "ac/*/*", "failed/*/*", "roots/*")


def filled(store: LocalStore, tmp_path: Path) -> Realisation:
    made = built(store, "one")
    hold(store, tmp_path / "one", made)
    store.failure_logs.record_failure("f" * 64, store.cas.write(b"log of a failure"))
    return made


def one(store: LocalStore, pattern: str) -> Path:
    (path,) = Path(store.layout.root).glob(pattern)
    return path


def findings(store: LocalStore) -> list[Finding]:
    found: list[Finding] = []
    verify(store, found.append)
    return found


@pytest.mark.parametrize("pattern", RECORDS)
def test_a_newer_record_counts_as_missing(store: LocalStore, tmp_path: Path, pattern: str) -> None:
    made = filled(store, tmp_path)
    rewritten(one(store, pattern), 2)
    kind = pattern.partition("/")[0]
    assert (store.realisations.realisation(made.derivation) is None) == (kind == "realisations")
    assert (store.failure_logs.failed("f" * 64) is None) == (kind == "failed")
    (action,) = (path.name for path in Path(store.layout.root, "ac").glob("*/*"))
    digest = evolve(made.key, hash=action)
    assert (store.action_cache.outcome(digest, accelerated=False) is None) == (kind == "ac")


@pytest.mark.parametrize("pattern", RECORDS)
def test_nobody_judges_what_only_a_newer_record_knows(
    store: LocalStore, tmp_path: Path, pattern: str
) -> None:
    """Nothing is collected nor moved, and verification has nothing to find."""
    filled(store, tmp_path)
    path = one(store, pattern)
    rewritten(path, 2, needs=["a tree that nothing else names"])
    free = built(store, "free")
    found: list[Finding] = []
    assert (verify(store, found.append).newer, found) == (1, [])
    everything = sorted(Path(store.layout.root).rglob("*"))
    with pytest.raises(StoreError) as refused:
        collect(store, keep_days=-1)
    assert (refused.value.where, "nothing was collected" in hint_text(refused.value.hint)) == (
        str(path),
        True,
    )
    Path(store.mountable.path(free.output), "doc").chmod(0o600)
    with pytest.raises(NewerRecord) as refused:
        repair(store, lambda done: pytest.fail(str(done)))
    assert refused.value.where == str(path)
    assert "use that rvbuild" in hint_text(refused.value.hint)
    assert sorted(Path(store.layout.root).rglob("*")) == everything


@pytest.mark.parametrize("pattern", RECORDS)
def test_more_in_a_record_is_no_damage(store: LocalStore, tmp_path: Path, pattern: str) -> None:
    made = filled(store, tmp_path)
    path = one(store, pattern)
    rewritten(path, 1, reproduced=["elsewhere"])
    assert findings(store) == []
    assert store.realisations.realisation(made.derivation) == made
    assert collect(store, keep_days=1).results == 0
    assert path.exists()


def test_what_a_root_says_more_stays_when_it_is_written_again(
    store: LocalStore, tmp_path: Path
) -> None:
    made = filled(store, tmp_path)
    path = one(store, "roots/*")
    rewritten(path, 1, until="2030")
    other = built(store, "two")
    store.roots.add_root("one", other.derivation, str(tmp_path / "one"))
    body = json.loads(path.read_bytes())["body"]
    assert (body["until"], body["derivation"]) == ("2030", other.derivation)
    assert made.derivation != other.derivation


def by(store: LocalStore, made: Realisation, builder: str) -> Realisation:
    other = evolve(made, builder=builder, milliseconds=len(builder))
    store.realisations.register(other)
    return other


def test_realisations_of_several_builders(store: LocalStore, tmp_path: Path) -> None:
    """Each in a file of its own; all are verified, held by a root, and collected."""
    made = built(store, "one")
    others = [by(store, made, builder) for builder in ("ci-1", "ci-2")]
    folder = Path(store.layout.root, "realisations", made.derivation[:2])
    names = [made.derivation, f"{made.derivation}@ci-1", f"{made.derivation}@ci-2"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert findings(store) == []
    hold(store, tmp_path / "one", made)
    collect(store, keep_days=-1)
    (folder / made.derivation).unlink()
    assert findings(store) == [], "others have a realisation of what the root names"
    assert store.realisations.realisation(made.derivation) == others[0]
    (tmp_path / "one").unlink()
    collect(store, keep_days=-1)
    assert not list(folder.iterdir())


def test_a_builders_record_under_another_name_is_damaged(store: LocalStore) -> None:
    made = built(store, "one")
    by(store, made, "ci-1")
    folder = Path(store.layout.root, "realisations", made.derivation[:2])
    path = (folder / f"{made.derivation}@ci-1").rename(folder / f"{made.derivation}@ci-2")
    assert [found.path for found in findings(store)] == [str(path)]
    strange = path.rename(folder / f"{made.derivation}@.x")
    assert [found.path for found in findings(store)] == [str(strange)]


def test_a_derivation_whose_bytes_are_gone(store: LocalStore) -> None:
    """The realisation names what is not there: it goes, and is made again."""
    made = built(store, "one")
    Path(store.layout.blob(made.key.hash)).unlink()
    (found,) = findings(store)
    assert (found.kind, "derivation" in found.problem) == ("missing", True)
    with pytest.raises(StoreError, match="derivation"):
        collect(store, keep_days=1)
    repair(store, lambda _: None)
    assert findings(store) == []
    assert store.realisations.realisation(made.derivation) is None
