"""Which ids the steps of root may have, by the maps that this process has, and who has one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import Interrupted, SandboxError
from rvbuild.executors import identity
from rvbuild.executors.id_locks import IdLocks
from rvbuild.executors.identity import COUNT, FIRST, Pool

WHOLE = "0 0 4294967295"

MAPS = [
    # uid_map, gid_map, the first and the last id; None: root has no other id to give
    (WHOLE, WHOLE, (FIRST, FIRST + COUNT - 1)),
    ("0 1000 1", "0 1000 1", None),
    ("0 100000 65536", "0 100000 65536", (65534 - 1024, 65533)),
    ("0 1000 1\n1 100000 65536", "0 1000 1\n1 100000 65536", (65534 - 1024, 65533)),
    ("0 0 2", "0 0 2", (1, 1)),
    ("0 0 500\n700 700 300", "0 0 1000", (700, 999)),
    (WHOLE, "0 1000 1", None),
    ("0 0 1000", "5000 5000 1000", None),
]


def written(proc: Path, uids: str, gids: str, **files: str) -> str:
    """A folder as ``/proc/self`` is."""
    for name, text in (("uid_map", uids), ("gid_map", gids), *files.items()):
        (proc / name).write_text(text + "\n")
    return str(proc)


@pytest.mark.parametrize(("uids", "gids", "ends"), MAPS)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")
def test_ids_are_mapped_ones(tmp_path: Path, uids: str, gids: str, ends: tuple[int, int] | None):
    found = identity.pool(proc=written(tmp_path, uids, gids))
    assert (found and (found.ids[0], found.ids[-1])) == ends


ALL = (1 << 41) - 1

LACKING = [
    # CapEff, setgroups, what is said
    (ALL, "allow", ""),
    (ALL, "deny", "setgroups(2) is denied in this user namespace"),
    (ALL & ~1, "allow", "this root has no CAP_CHOWN"),
    (ALL & ~(1 << 7 | 1 << 6), "allow", "this root has no CAP_SETGID, CAP_SETUID"),
    (ALL & ~(1 << 5), "allow", "this root has no CAP_KILL"),  # sandboxes would outlive it
    (ALL & ~(1 << 19), "allow", "this root has no CAP_SYS_PTRACE"),  # nor could they be counted
    (ALL & ~(1 << 21), "allow", "this root has no CAP_SYS_ADMIN"),
    (ALL & ~(1 << 12), "allow", ""),  # CAP_NET_ADMIN: what for?
]


@pytest.mark.parametrize(("has", "setgroups", "said"), LACKING)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")
def test_what_root_lacks_is_named(tmp_path: Path, has: int, setgroups: str, said: str):
    status = f"Name:\tpython3\nCapEff:\t{has:016x}"
    proc = written(tmp_path, WHOLE, WHOLE, status=status, setgroups=setgroups)
    pool = identity.pool(proc=proc)
    assert pool is not None
    assert pool.lack == said
    for take in (pool.own, pool.shared):
        with ExitStack() as stack:
            if said:
                stack.enter_context(pytest.raises(SandboxError, match=said.replace("(2)", "...")))
            stack.enter_context(take())


# ---- who has one


@pytest.fixture
def store(tmp_path: Path) -> str:
    (tmp_path / "locks").mkdir()
    return str(tmp_path / "locks")


@pytest.fixture
def container(tmp_path: Path, store: str) -> Callable[..., Pool]:
    """A pool in a machine of its own, with four ids, over a store that all share."""
    numbers = count()

    def make(first: int = 0, shift: int = FIRST, size: int = 4, own: str | None = store) -> Pool:
        machine = str(tmp_path / f"run-{next(numbers)}")
        return Pool(range(first, first + size), shift, IdLocks(own, machine))

    return make


def refuse() -> None:
    msg = "nobody waits for it"
    raise Interrupted(msg)


def test_two_at_once_never_have_the_same(container: Callable[..., Pool]):
    """However few there are, and wherever they are; what was given back is given again."""
    for _ in range(20):
        pools = [container() for _ in range(3)]
        with ExitStack() as stack:
            found = {stack.enter_context(pool.own(refuse)).uid for pool in pools}
            assert found == {1, 2, 3}
            assert stack.enter_context(pools[0].shared(refuse)).uid == 0


def test_whoever_comes_when_all_are_taken_waits(container: Callable[..., Pool]):
    """An id is given away a second time only when it is free; or the wait is ended."""
    one, other = container(), container()
    with ExitStack() as stack:
        first = ExitStack()
        taken = [first.enter_context(one.own(refuse)) for _ in range(3)]
        with pytest.raises(Interrupted):
            stack.enter_context(other.own(refuse))
        asked: list[None] = []

        def free() -> None:
            asked.append(None)
            first.close()

        assert stack.enter_context(other.own(free)) in taken
        assert asked == [None]


def test_as_many_as_there_are_can_be_had(tmp_path: Path, store: str):
    """More than a few attempts are made."""
    pool = Pool(range(1001), 0, IdLocks(store, str(tmp_path / "run")))
    with ExitStack() as stack:
        found = {stack.enter_context(pool.own(refuse)).uid for _ in range(400)}
    assert len(found) == 400


def test_the_only_id_is_shared_only_by_who_shares_an_accelerator(container: Callable[..., Pool]):
    one, other = container(size=1), container(size=1)
    with one.shared(refuse) as first, other.shared(refuse) as second:
        assert first == second
        with pytest.raises(Interrupted), other.own(refuse):
            pass
    with one.own(refuse), pytest.raises(Interrupted), other.shared(refuse):
        pass


def test_the_same_id_is_what_is_the_same_outside(container: Callable[..., Pool]):
    """Two user namespaces count one id as two numbers, and two ids as one number."""
    here, there, elsewhere = (
        container(10, FIRST, 1), container(20, FIRST - 10, 1), container(10, FIRST + 1, 1),
    )  # fmt: skip
    with here.own(refuse), elsewhere.own(refuse), pytest.raises(Interrupted), there.own(refuse):
        pass


HOLDER = """\
import sys
from rvbuild.executors.id_locks import IdLocks
from rvbuild.executors.identity import Pool
with Pool(range(1), 0, IdLocks(sys.argv[1], sys.argv[2])).own():
    print("has it", flush=True)
    sys.stdin.read()
"""


def test_an_id_is_free_when_its_holder_dies(tmp_path: Path, store: str):
    command = [sys.executable, "-c", HOLDER, store, str(tmp_path / "run")]
    pool = Pool(range(1), 0, IdLocks(None, str(tmp_path / "run")))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"has it\n"
        with pytest.raises(Interrupted), pool.own(refuse):
            pass
        holder.send_signal(signal.SIGKILL)
    with pool.own(refuse) as owner:
        assert owner.uid == 0


def odd_places(folder: Path) -> Iterator[tuple[str, Callable[[Path], object]]]:
    yield "link", lambda at: at.symlink_to(folder / "elsewhere")
    yield "fifo", os.mkfifo
    yield "folder", Path.mkdir


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_file_is_not_locked(tmp_path: Path, store: str, kind: str):
    pool = Pool(range(2), 0, IdLocks(store, str(tmp_path / "run")))
    with pool.own(refuse):
        pass
    (Path(store) / "ids").unlink()
    dict(odd_places(tmp_path))[kind](Path(store) / "ids")
    with pytest.raises(SandboxError, match="no id can be taken for a step"), pool.own(refuse):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_one_place_is_enough(tmp_path: Path, store: str):
    """A container may have nothing but its store that it may write to."""
    nowhere = str(tmp_path / "not/there")
    pool = Pool(range(1), 0, IdLocks(store, nowhere))
    with pool.own(refuse), pytest.raises(Interrupted), pool.own(refuse):
        pass
    none = Pool(range(1), 0, IdLocks(None, nowhere))
    with pytest.raises(SandboxError, match="no id can be taken for a step"), none.own(refuse):
        pass


@pytest.mark.parametrize("kind", ["link", "file"])
def test_what_is_in_the_place_of_the_machines_folder_is_told(tmp_path: Path, store: str, kind: str):
    """Another store would not help."""
    machine = tmp_path / "machine"
    if kind == "link":
        machine.symlink_to(store)
    else:
        machine.touch()
    with pytest.raises(SandboxError) as refused, IdLocks(store, str(machine)).opened():
        pass
    assert str(refused.value.where) == str(machine)
    assert "let it be a folder" in hint_text(refused.value.hint)
