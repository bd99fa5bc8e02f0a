"""Kill a store's user, or fail a call of it, at every point; then see that nothing is wrong.

Run: ``PYTHONPATH=. python tests/long/stores_faults.py MODE FOLDER [STEP]``

``kill``     SIGKILL before each mutating call of ``os`` (seen by an audit hook, so nothing
             is patched). Seconds; the test run does this.
``fail``     ENOSPC, EIO, EMFILE and EINTR instead of each call. Seconds; the test run does this.
``strace``   the same two at every mutating *system call*, each write and sync among them, by
             strace's injection. An hour; ten minutes with STEP 8.
``repair``   SIGKILL before each mutating call of ``os`` while a damaged store is repaired.
             Seconds; the test run does this.
``full``     a small tmpfs is filled up to each page, and to each inode, before the build; in a
             user namespace of its own (``unshare -rm``) or as root. Seconds.
``crowd``    six processes build overlapping trees in one store, each collecting garbage in
             between; STEP is the number of rounds of each (default 1). Seconds for 20.

Power cuts are tried with the whole program: ``campaigns/power_cuts.py``.

FOLDER is made and removed. Every STEPth point is tried (default 1). Prints what was tried;
the exit status is not 0 when anything was found.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from rvbuild.cli.remedies import hint_text
from rvbuild.core.action import Outcome
from rvbuild.core.digest import Digest
from rvbuild.core.errors import StoreError
from rvbuild.core.ports.sink import TreeSink
from rvbuild.core.realisation import Realisation
from rvbuild.stores.collect import DAY, collect
from rvbuild.stores.local import LocalStore
from rvbuild.stores.repair import repair
from rvbuild.stores.verify import Finding, verify

MUTATING = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.utime",
    "fcntl.flock",
}
CLEANING = {"os.remove", "os.rmdir", "os.scandir"}
ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EINTR)
TYPED, UNTYPED = 40, 41


def fill(sink: TreeSink, name: bytes) -> None:
    """A tree with everything in it."""
    sink.directory("empty")
    sink.file("a/plain", [b"in every tree"])
    sink.file("a/run", [b"in every tree"], executable=True)
    sink.file("own", [name])
    sink.file("a/alone", [b"only as an executable: " + name], executable=True)
    sink.file("a/pieces", [name, b" in ", b"pieces"], executable=True)
    sink.copy("a/again", "own")
    sink.symlink("link", "a/plain")


def leave(out: Path) -> None:
    """What a step leaves."""
    (out / "bin").mkdir(parents=True)
    (out / "bin/tool").write_bytes(b"tool")
    (out / "bin/tool").chmod(0o755)
    (out / "plain").write_bytes(b"in every tree")


def add(store: LocalStore, name: bytes) -> Digest:
    """One fetched source."""
    with store.trees.new_tree() as writer:
        fill(writer, name)
        return writer.commit().root


def register(store: LocalStore, name: str, root: Digest) -> Realisation:
    """One result, in the order of the engine."""
    log, action = store.cas.write(f"log of {name}".encode()), store.cas.write(name.encode())
    tree = Digest.of(store.trees.tree(root).encode())
    store.action_cache.record(
        action, Outcome(exit_code=0, output=root, tree=tree, log=log), accelerated=False
    )
    made = Realisation(key=action, output=root, action=action.hash, log=log)
    store.realisations.register(made)
    return made


def build(folder: Path, *, durable: bool, note: Callable[[str], None] = lambda _: None) -> None:
    """A small build: fetch, merge, capture, register, hold; then a collection."""
    store = LocalStore(str(folder / "store"), durable=durable)
    with store.locks.shared():
        one, two = add(store, b"one"), add(store, b"two")
        old = register(store, "old", add(store, b"old"))
        merged = store.trees.merge([("", one), ("in/two", two)]).root
        register(store, "merged", merged)
        note(merged.hash)
        captured = store.capturer.capture(str(folder / "out"), lambda _entries, _size: None).root
        made = register(store, "captured", captured)
        note(captured.hash)
        link = folder / "result"
        link.unlink(missing_ok=True)
        link.symlink_to(store.mountable.path(captured))
        store.roots.add_root("captured", made.derivation, str(link))
        then = time.time() - 100 * DAY
        os.utime(
            store.layout.record("realisations", old.derivation, accelerated=False), (then,) * 2
        )
        os.utime(store.layout.record("ac", old.derivation, accelerated=False), (then,) * 2)
    collect(store, keep_days=30)
    note("collected")


def fresh(folder: Path) -> None:
    """An empty store, and an output to capture."""
    shutil.rmtree(folder, ignore_errors=True)
    leave(folder / "out")


def findings(folder: Path) -> list[Finding]:
    """What is wrong in the store."""
    found: list[Finding] = []
    verify(LocalStore(str(folder / "store"), durable=False), found.append)
    return found


def judged(folder: Path, where: str) -> None:
    """Nothing is damaged, nothing registered is missing; a second run converges.

    Raises:
        AssertionError: it is not so.
    """
    assert not (found := findings(folder)), (where, found)
    shutil.rmtree(folder / "out", ignore_errors=True)
    leave(folder / "out")
    build(folder, durable=False)
    assert not (found := findings(folder)), (where, "run again", found)
    store = folder / "store"
    assert sorted(os.listdir(store / "locks")) == ["store"], where
    assert os.listdir(store / "tmp") == [], where
    assert len(list(store.glob("trees/*/*.tree"))) == 2, where
    assert len(list(store.glob("realisations/*/*"))) == 2, where


def removing() -> bool:
    """Whether the call is of a removal, which opens the folders that it empties."""
    return any(frame.name == "remove_tree" for frame in traceback.extract_stack())


class Points:
    """Counts the calls that an audit hook sees; acts at the one numbered ``at``."""

    def __init__(self, at: int, act: Callable[[], None], folder: Path, *, reads: bool) -> None:
        self.seen = 0
        self.name = ""
        self._at = at
        self._act = act
        self._folder = str(folder)
        self._reads = reads

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._counts(event, arguments):
            return
        self.seen += 1
        if self.seen == self._at:
            self.name = "os.scandir" if event == "open" and removing() else event
            self._act()

    def _counts(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            path, _, flags = arguments
            ours = isinstance(path, str) and (path.startswith(self._folder) or path[0] != "/")
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)
            return ours and bool(writes or self._reads)
        return event in MUTATING or (self._reads and event == "os.scandir")


def forked(work: Callable[[], int]) -> int:
    """The wait status of a child that does ``work`` and exits with its result."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(work())
        finally:
            traceback.print_exc()
            os._exit(99)
    return os.waitpid(child, 0)[1]


def kill_everywhere(folder: Path, step: int) -> int:
    """SIGKILL before each mutating call; returns how many there were."""
    for at in range(1, 100_000, step):
        fresh(folder)

        def work(at: int = at) -> int:
            points = Points(at, lambda: os.kill(os.getpid(), signal.SIGKILL), folder, reads=False)
            sys.addaudithook(points)
            build(folder, durable=False)
            return 0

        status = forked(work)
        if os.waitstatus_to_exitcode(status) == 0:
            return at - 1
        assert os.WTERMSIG(status) == signal.SIGKILL, f"call {at}: {status}"
        judged(folder, f"killed before call {at}")
    raise AssertionError


def damage(folder: Path) -> bytes:
    """Build, then change a shared file by hand and lose a name and a log; the change."""
    fresh(folder)
    build(folder, durable=False)
    store, mine = folder / "store", b"somebody's own words"
    shared = next((folder / "result").resolve().glob("plain"))
    shared.chmod(0o644)
    shared.write_bytes(mine)
    for lost in (b"tool", b"log of merged"):
        name = Digest.of(lost).hash
        (store / "cas" / name[:2] / name).unlink()
    return mine


def kill_repairs(folder: Path, step: int) -> int:
    """SIGKILL before each mutating call of a repair; returns how many there were."""
    for at in range(1, 100_000, step):
        mine = damage(folder)

        def work(at: int = at) -> int:
            points = Points(at, lambda: os.kill(os.getpid(), signal.SIGKILL), folder, reads=False)
            sys.addaudithook(points)
            repair(LocalStore(str(folder / "store"), durable=False), lambda _: None)
            return 0

        status = os.waitstatus_to_exitcode(forked(work))
        assert status in {0, -signal.SIGKILL}, f"call {at}: {status}"
        repair(LocalStore(str(folder / "store"), durable=False), lambda _: None)
        kept = [path for path in (folder / "store/damaged").rglob("*") if path.is_file()]
        assert mine in {path.read_bytes() for path in kept}, f"call {at}: somebody's words are lost"
        judged(folder, f"killed before call {at}")
        if status == 0:
            return at - 1
    raise AssertionError


def fail_everywhere(folder: Path, step: int) -> int:
    """Each error instead of each call; returns how many there were."""
    done = 0
    for number in ERRORS:
        for at in range(1, 100_000, step):
            fresh(folder)
            status = os.waitstatus_to_exitcode(
                forked(lambda at=at, number=number: failing(folder, at, number))
            )
            if status == 0:
                break
            where = f"{errno.errorcode[number]} at call {at}"
            assert status == TYPED, f"{where}: exit {status}"
            judged(folder, where)
            done += 1
    return done


def failing(folder: Path, at: int, number: int) -> int:
    """Build with one call failing: 0 when none failed, TYPED when it was told as it should."""

    def fail() -> None:
        raise OSError(number, os.strerror(number))

    points = Points(at, fail, folder, reads=True)
    sys.addaudithook(points)
    try:
        build(folder, durable=False)
    except StoreError as error:
        clean = points.name in CLEANING or not list((folder / "store").glob("tmp/*"))
        return TYPED if error.where and hint_text(error.hint) and clean else UNTYPED
    except OSError:
        if points.name in {"os.remove", "os.symlink", "os.utime"}:
            return TYPED  # the build's own calls, outside the store
        traceback.print_exc()
        return UNTYPED
    return TYPED if points.name else 0


SYSTEM_CALLS = {
    "kill": (
        "openat,write,linkat,renameat,rename,renameat2,mkdir,mkdirat,symlinkat,symlink,utimensat,"
        "fchmod,fchmodat,unlink,unlinkat,rmdir,fsync,syncfs,flock,close"
    ),
    "fail": (
        "write,linkat,link,rename,renameat,renameat2,mkdir,mkdirat,symlinkat,utimensat,fsync,syncfs"
    ),
}


def strace_everywhere(folder: Path, step: int) -> int:
    """Every system call, killed and failed; returns how many were tried."""
    done = 0
    for names, injection, expected in strace_injections():
        for at in range(1, 100_000, step):
            fresh(folder)
            status = straced(folder, f"{names}:{injection}:when={at}")
            if status == 0:
                break
            where = f"{names} {injection} at {at}"
            assert status == expected, f"{where}: exit {status}"
            judged(folder, where)
            done += 1
    return done


def strace_injections() -> Iterator[tuple[str, str, int]]:
    """System calls, what to inject, and the exit status that this should have."""
    for name in SYSTEM_CALLS["kill"].split(","):
        yield name, "signal=KILL", -signal.SIGKILL
    for name in SYSTEM_CALLS["fail"].split(","):
        yield name, "error=ENOSPC", TYPED
        yield name, "error=EIO", TYPED


def straced(folder: Path, injection: str) -> int:
    """The exit status of a durable build under strace, from where its own calls begin."""
    command = [sys.executable, __file__, "child", folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        trace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={injection}"]
        tracer = subprocess.Popen([*trace, "-p", str(child.pid)], stderr=subprocess.DEVNULL)
        while "TracerPid:\t0\n" in Path(f"/proc/{child.pid}/status").read_text():
            time.sleep(0.001)
        with contextlib.suppress(BrokenPipeError):
            child.stdin.write(b"\n")
            child.stdin.flush()
        status = child.wait()
        tracer.wait()
    return status


def child_build(folder: Path) -> int:
    """What strace watches."""
    os.write(1, b"\n")
    os.read(0, 1)
    try:
        build(folder, durable=True)
    except StoreError as error:
        return TYPED if error.where and hint_text(error.hint) else UNTYPED
    except OSError:
        return TYPED  # the build's own link and times
    return 0


def fill_everywhere(folder: Path, step: int) -> int:
    """The disk is full after each number of pages, then of inodes; returns how many failed."""
    failed = 0
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=500", "tmpfs", folder], check=True
    )
    try:
        for ballast in (pages, inodes):
            for spare in range(0, 1000, step):
                fresh(folder / "work")
                ballast(folder / "ballast", spare)
                status = os.waitstatus_to_exitcode(forked(lambda: built_or_told(folder / "work")))
                assert status in {0, TYPED}, (ballast, spare, status)
                shutil.rmtree(folder / "ballast")
                judged(folder / "work", f"{ballast.__name__} left: {spare}")
                if status == 0:
                    break
                failed += 1
    finally:
        subprocess.run(["umount", folder], check=True)
    return failed


def pages(ballast: Path, spare: int) -> None:
    """Leave ``spare`` pages."""
    ballast.mkdir()
    free = os.statvfs(ballast).f_bavail - spare
    (ballast / "file").write_bytes(bytes(free * os.statvfs(ballast).f_bsize))


def inodes(ballast: Path, spare: int) -> None:
    """Leave ``spare`` inodes."""
    ballast.mkdir()
    for number in range(os.statvfs(ballast).f_favail - spare):
        (ballast / str(number)).touch()


def built_or_told(folder: Path) -> int:
    """0 when the disk was large enough, TYPED when the error says what to do."""
    try:
        build(folder, durable=False)
    except StoreError as error:
        told = error.where and "rvbuild gc" in hint_text(error.hint)
        return TYPED if told and not list((folder / "store").glob("tmp/*")) else UNTYPED
    except OSError:
        return TYPED  # the build's own link
    return 0


def crowd(folder: Path, rounds: int) -> int:
    """Six processes in one store; returns how many rounds they did."""
    fresh(folder)
    children = []
    for number in range(6):
        child = os.fork()
        if child == 0:
            try:
                one_of_many(LocalStore(str(folder / "store"), durable=False), number, rounds)
                os._exit(0)
            finally:
                traceback.print_exc()
                os._exit(1)
        children.append(child)
    assert {os.waitpid(child, 0)[1] for child in children} == {0}
    assert not (found := findings(folder)), found
    collect(LocalStore(str(folder / "store"), durable=False), keep_days=-1)
    store = folder / "store"
    assert {p.name for p in store.rglob("*") if p.is_file()} == {
        "store",
        "version",
        ".gitignore",
    }, "nothing held it"
    return 6 * rounds


def one_of_many(store: LocalStore, seed: int, rounds: int) -> None:
    """Build what others build too; what was made stays until the lock goes."""
    rng = random.Random(seed)  # noqa: S311 - which trees, no secret
    for _ in range(rounds):
        with store.locks.shared():
            names = [b"tree %d" % rng.randrange(4) for _ in range(3)]
            made = {name: add(store, name) for name in names}
            merged = store.trees.merge([(name.decode(), root) for name, root in made.items()]).root
            register(store, "+".join(sorted(name.decode() for name in made)), merged)
            for name in made:
                top = Path(store.mountable.path(merged), name.decode())
                assert (top / "own").read_bytes() == name
                assert (top / "a/pieces").read_bytes() == name + b" in pieces"
                assert (top / "link").read_bytes() == b"in every tree"
            assert all(store.trees.has_tree(root) for root in made.values())
        with contextlib.suppress(StoreError):  # where another one builds
            collect(store, keep_days=-1)


def main() -> int:
    """Run one mode."""
    mode, folder = sys.argv[1], Path(sys.argv[2])
    step = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    if mode == "child":
        return child_build(folder)
    if mode == "full":
        # Mounts of its own: another process' namespace must not keep them alive.
        own = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
        command = [*own, sys.executable, __file__, "full-inside", *sys.argv[2:]]
        return subprocess.run(command, check=False).returncode
    modes = {
        "kill": kill_everywhere,
        "repair": kill_repairs,
        "fail": fail_everywhere,
        "strace": strace_everywhere,
        "full-inside": fill_everywhere,
        "crowd": crowd,
    }
    tried = modes[mode](folder, step)
    shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(f"{mode}: {tried} points, nothing wrong\n")
    return 0 if tried else 1


if __name__ == "__main__":
    sys.exit(main())
