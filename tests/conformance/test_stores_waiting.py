"""What realising needs of every store beside trees: failures' logs, and waits that can end."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from rvbuild.core.digest import Digest
from rvbuild.core.errors import Interrupted, StoreError
from rvbuild.stores.local import LocalStore
from rvbuild.stores.memory import MemoryStore


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> MemoryStore | LocalStore:
    if request.param == "memory":
        return MemoryStore(str(tmp_path))
    return LocalStore(str(tmp_path / "store"), durable=False)


def test_who_waits_for_a_lock_is_asked_whether_to_go_on(store: MemoryStore | LocalStore):
    calls: list[str] = []

    def waiting(holder: str) -> None:
        calls.append(holder)
        if len(calls) >= 3:
            msg = "enough"
            raise Interrupted(msg)

    with store.locks.shared(), store.locks.lock("name"):
        with pytest.raises(Interrupted), store.locks.lock("name", waiting):
            pytest.fail("two are inside")
        with store.locks.lock("another", waiting):
            pass
    names = {f"process {os.getpid()} on {os.uname().nodename}", "another thread"}
    assert len(calls) == 3
    assert set(calls) <= names


def test_who_waits_gets_the_lock_when_it_is_free(store: MemoryStore | LocalStore):
    waits = threading.Event()
    order: list[str] = []

    def second() -> None:
        with store.locks.lock("name", lambda _: waits.set()):
            order.append("second")

    thread = threading.Thread(target=second)
    with store.locks.shared():
        with store.locks.lock("name"):
            thread.start()
            assert waits.wait(60)
            order.append("first")
        thread.join(60)
        with store.locks.lock("name", lambda _: pytest.fail("it was left locked")):
            order.append("third")
    assert order == ["first", "second", "third"]


def test_the_log_of_a_failure_is_kept_until_it_is_forgotten(store: MemoryStore | LocalStore):
    derivation = "d" * 64
    assert store.failure_logs.failed(derivation) is None
    store.failure_logs.forget_failure(derivation)
    first, last = store.cas.write(b"first"), store.cas.write(b"last")
    store.failure_logs.record_failure(derivation, first)
    store.failure_logs.record_failure(derivation, last)
    assert store.failure_logs.failed(derivation) == last
    store.failure_logs.forget_failure(derivation)
    assert store.failure_logs.failed(derivation) is None


def test_a_tree_has_a_path_with_its_files(store: MemoryStore | LocalStore):
    with store.trees.new_tree() as writer:
        writer.file("a/run", [b"#!"], executable=True)
        writer.file("a/data", [b"x"])
        writer.symlink("l", "a/data")
        root = writer.commit().root
    for _ in range(2):
        folder = store.mountable.path(root)
        assert Path(folder, "a/data").read_bytes() == b"x"
        assert os.readlink(f"{folder}/l") == "a/data"
        assert [os.access(f"{folder}/a/{n}", os.X_OK) for n in ("run", "data")] == [True, False]


def test_without_a_folder_a_store_in_memory_has_no_paths():
    with pytest.raises(StoreError, match="has no path"):
        MemoryStore().mountable.path(Digest.of(b""))
