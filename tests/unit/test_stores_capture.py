"""What a step leaves becomes the store's own: new inodes, any depth, and it can be ended."""

from __future__ import annotations

import mmap
import os
import resource
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import StepError, StoreError, VerificationError
from rvbuild.core.tree import File, Nested, Symlink, Tree
from rvbuild.executors.allowance import Allowance
from rvbuild.executors.limits import Limits
from rvbuild.stores.inode import PIECE
from rvbuild.stores.local import LocalStore
from rvbuild.stores.verify import Finding, verify


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "store"), durable=False)


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):o}"


def sound(store: LocalStore) -> bool:
    found: list[Finding] = []
    verify(store, found.append)
    return not found


def output(tmp_path: Path) -> Path:
    out = tmp_path / "out"
    (out / "d/deep").mkdir(parents=True)
    (out / "d/plain").write_bytes(b"text")
    (out / "d/plain").chmod(0o600)
    (out / "run").write_bytes(b"#!")
    (out / "run").chmod(0o6775)
    (out / "empty").touch()
    (out / "unreadable").write_bytes(b"no")
    (out / "unreadable").chmod(0)
    (out / "link").symlink_to("/etc/passwd")
    (out / "loop").symlink_to("loop")
    (out / "folder-link").symlink_to("d")
    return out


def unlimited(_entries: int, _size: int) -> None:
    """As much as there is may be taken."""


def captured() -> Tree:
    return Tree.of(
        {
            "d": {"deep": {}, "plain": File(Digest.of(b"text"))},
            "run": File(Digest.of(b"#!"), executable=True),
            "empty": File(EMPTY),
            "unreadable": File(Digest.of(b"no")),
            "link": Symlink("/etc/passwd"),
            "loop": Symlink("loop"),
            "folder-link": Symlink("d"),
        }
    )


def test_capture_takes_content_and_the_executable_bit(store: LocalStore, tmp_path: Path) -> None:
    out = output(tmp_path)
    root = store.capturer.capture(str(out), unlimited).root
    assert store.trees.tree(root) == captured()
    top = Path(store.mountable.path(root))
    assert mode(top / "run") == "555"
    assert mode(top / "d/plain") == "444"


def test_capture_as_a_person_who_took_away_their_own_rights() -> None:
    """As another user than root, whom modes do not stop."""
    if os.geteuid() != 0:
        pytest.skip("runs as root, to become nobody")
    code = (
        "import os, sys; from rvbuild.stores.local import LocalStore;"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534);"
        "store = LocalStore(sys.argv[1], durable=False);"
        "print(store.capturer.capture(sys.argv[2], lambda *_: None).root)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        out = output(Path(folder))
        (out / "d").chmod(0)
        for path in (Path(folder), out, *out.rglob("*")):
            os.chown(path, 65534, 65534, follow_symlinks=False)
        done = subprocess.run(
            [sys.executable, "-c", code, f"{folder}/store", out],
            capture_output=True,
            text=True,
            check=False,
        )
    assert (done.stdout.strip(), done.stderr) == (str(captured().root), "")


def test_capture_leaves_extended_attributes_behind(store: LocalStore, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").write_bytes(b"text")
    try:
        os.setxattr(out / "file", "user.note", b"from the step")
    except OSError:
        pytest.skip("no extended attributes on this file system")
    top = Path(store.mountable.path(store.capturer.capture(str(out), unlimited).root))
    assert os.listxattr(top / "file") == []


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, make_socket])
def test_capture_refuses_what_is_no_file(
    store: LocalStore,
    tmp_path: Path,
    make: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "out/d").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "out/d")  # the name of a socket is short
    make(Path("thing"))
    with pytest.raises(VerificationError, match="d/thing"):
        store.capturer.capture(str(tmp_path / "out"), unlimited)
    assert not list(Path(store.layout.tmp).iterdir())


def test_capture_does_not_follow_the_folder_itself(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    with pytest.raises(StoreError):
        store.capturer.capture(str(tmp_path / "out"), unlimited)


def test_a_name_that_is_not_utf8_is_refused(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/out/\xff")).touch()
    with pytest.raises(VerificationError, match="UTF-8"):
        store.capturer.capture(str(tmp_path / "out"), unlimited)


# ---- who holds a file of the output holds nothing of the store's

Holder = Callable[[Path], Iterator[None]]


def by_descriptor(file: Path) -> Iterator[None]:
    fd = os.open(file, os.O_RDWR)
    yield
    os.pwrite(fd, b"EVIL", 0)
    os.fchmod(fd, 0o6777)
    os.close(fd)


def by_mapping(file: Path) -> Iterator[None]:
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as mapped:
        yield
        mapped[:4] = b"EVIL"
        mapped.flush()


def by_another_name(file: Path) -> Iterator[None]:
    other = file.parent.parent / "elsewhere"
    other.hardlink_to(file)
    yield
    other.write_bytes(b"EVIL")


def by_nothing(file: Path) -> Iterator[None]:
    assert file.exists()
    yield


@pytest.mark.parametrize("hold", [by_nothing, by_descriptor, by_mapping, by_another_name])
@pytest.mark.parametrize("size", [4, PIECE - 1, PIECE, 5 * PIECE + 3])
@pytest.mark.parametrize("bits", [0o644, 0o755])
def test_who_holds_a_file_of_an_output_cannot_write_what_is_registered(
    store: LocalStore, tmp_path: Path, hold: Holder, size: int, bits: int
) -> None:
    out, data = tmp_path / "out", os.urandom(size)
    out.mkdir()
    (out / "file").write_bytes(data)
    (out / "file").chmod(bits)
    inode = (out / "file").stat().st_ino
    holding = contextmanager(hold)
    with holding(out / "file"):
        root = store.capturer.capture(str(out), unlimited).root
    top = Path(store.mountable.path(root))
    assert store.trees.tree(root) == Tree.of(
        {"file": File(Digest.of(data), executable=bits == 0o755)}
    )
    assert (top / "file").read_bytes() == data
    assert (top / "file").stat().st_ino != inode
    assert mode(top / "file") in {"444", "555"}
    assert sound(store)


def test_what_is_registered_is_what_was_read_while_somebody_wrote(
    store: LocalStore, tmp_path: Path
) -> None:
    """The digest is of what was written to the store, whatever the file holds by then."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "file").write_bytes(b"a" * (4 * PIECE))
    with (out / "file").open("r+b") as held:

        def write(_entries: int, size: int) -> None:
            if size:
                os.pwrite(held.fileno(), b"b" * (8 * PIECE), 0)

        root = store.capturer.capture(str(out), write).root
    found = Path(store.mountable.path(root), "file").read_bytes()
    assert found[:PIECE] == b"a" * PIECE
    assert store.trees.tree(root) == Tree.of({"file": File(Digest.of(found))})
    assert sound(store)


LAYOUTS = {
    "only a hole": [(0, b"", 3 * PIECE + 5)],
    "a hole first": [(2 * PIECE, b"x", 2 * PIECE + 1)],
    "a hole last": [(0, b"x" * 5000, 4 * PIECE)],
    "holes between": [
        (0, b"x", 0),
        (3 * PIECE + 7, b"y" * PIECE, 0),
        (9 * PIECE, b"z", 12 * PIECE),
    ],
    "small, and a hole": [(0, b"", PIECE - 1)],
    "no hole": [(0, b"x" * (2 * PIECE), 0)],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_holes_are_content_and_take_no_room(
    store: LocalStore, tmp_path: Path, layout: list[tuple[int, bytes, int]]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with (out / "file").open("wb") as file:
        for at, data, end in layout:
            file.seek(at)
            file.write(data)
            file.truncate(max(end, at + len(data)))
    room, data = (out / "file").stat().st_blocks, (out / "file").read_bytes()
    root = store.capturer.capture(str(out), unlimited).root
    assert store.trees.tree(root) == Tree.of({"file": File(Digest.of(data))})
    kept = Path(store.mountable.path(root), "file")
    assert kept.read_bytes() == data
    assert kept.stat().st_blocks * 512 <= room * 512 + PIECE


# ---- any depth, with few descriptors


@contextmanager
def few_files(most: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def nest(top: Path, depth: int) -> None:
    """Folders in each other, with a file in the first and the last, and beside each."""
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for level in range(depth):
        if level % 100 == 0:
            os.close(os.open(f"z{level}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


@pytest.mark.parametrize("depth", [1, 1020])
def test_an_output_may_be_as_deep_as_a_path_may_be_long(
    store: LocalStore, tmp_path: Path, depth: int
) -> None:
    nest(tmp_path / "out", depth)
    with few_files(100):
        root = store.capturer.capture(str(tmp_path / "out"), unlimited).root
    paths = [path for path, _ in store.trees.tree(root).walk()]
    assert "d/" * depth + "f" in paths
    assert len(paths) == 1 + (depth + 99) // 100
    assert sound(store)


def test_an_output_that_is_deeper_is_refused(store: LocalStore, tmp_path: Path) -> None:
    nest(tmp_path / "out", 3000)
    with few_files(100), pytest.raises(VerificationError, match="longer than 2048 bytes"):
        store.capturer.capture(str(tmp_path / "out"), unlimited)
    assert not list(Path(store.layout.tmp).iterdir())


def test_a_folder_that_is_moved_while_it_is_read_leads_nowhere_else(
    store: LocalStore, tmp_path: Path
) -> None:
    """Who holds a descriptor of a folder may move it; the way back must not be another one."""
    for name in ("out/a", "out/b", "secret"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "secret/b").mkdir()
    (tmp_path / "secret/b/key").write_bytes(b"secret")
    (tmp_path / "out/a/x").touch()
    seen: list[int] = []

    def move(entries: int, _size: int) -> None:
        seen.append(entries)
        if entries and sum(seen) == 3:  # inside of a
            (tmp_path / "out/a").rename(tmp_path / "secret/a")

    with pytest.raises(VerificationError, match="somebody moved a folder"):
        store.capturer.capture(str(tmp_path / "out"), move)


# ---- it can be ended, and has limits


def test_everything_is_counted(store: LocalStore, tmp_path: Path) -> None:
    out = output(tmp_path)
    (out / "large").write_bytes(b"x" * (3 * PIECE + 1))
    seen: list[tuple[int, int]] = []
    store.capturer.capture(str(out), lambda *count: seen.append(count))
    assert sum(entries for entries, _ in seen) == 10
    assert sum(size for _, size in seen) == 3 * PIECE + 1 + len(b"text#!no")
    assert max(size for _, size in seen) <= PIECE


class Ended(Exception):
    """What an end is told by."""


@pytest.mark.parametrize("hole", [False, True])
def test_taking_ends_wherever_nobody_wants_it_any_more(
    store: LocalStore, tmp_path: Path, *, hole: bool
) -> None:
    """At each call in turn, until there is none more: then it is taken."""
    for point in range(1000):
        out = tmp_path / f"out{point}"
        nest(out, 2)
        with (out / "big").open("wb") as file:
            file.write(b"" if hole else b"x" * (3 * PIECE))
            file.truncate(3 * PIECE)
        left = [point]

        def end(_entries: int, _size: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] < 0:
                raise Ended

        try:
            store.capturer.capture(str(out), end)
        except Ended:
            assert not list(Path(store.layout.tmp).iterdir())
        else:
            break
    assert point > 8
    assert sound(store)


@pytest.mark.parametrize(
    ("entries", "size", "seconds", "says"),
    [
        (3, 10, 60.0, None),
        (4, 10, 60.0, "more than 3 files and folders"),
        (3, 11, 60.0, "more than 10 bytes"),
        (3, 10, -1.0, "time limit"),
    ],
)
def test_an_allowance_is_used_up(entries: int, size: int, seconds: float, says: str | None) -> None:
    limits = Limits(output_entries=3, output_bytes=10)
    allowance = Allowance(limits, seconds, lambda: None)
    with pytest.raises(StepError, match=says) if says else nullcontext():
        for _ in range(entries):
            allowance(1, 0)
        for _ in range(size):
            allowance(0, 1)


def test_nothing_more_is_allowed_once_nobody_wants_it() -> None:
    def ended() -> None:
        raise Ended

    with pytest.raises(Ended):
        Allowance(Limits(), 60, ended)(0, 0)


def test_a_large_file_is_gone_once_it_was_taken(store: LocalStore, tmp_path: Path) -> None:
    """Another name of it is still to be taken, and a small file stays as it was."""
    top, shut = tmp_path / "top", tmp_path / "top/shut"
    shut.mkdir(parents=True)
    for folder in (top, shut):
        (folder / "large").write_bytes(bytes(1 << 20))
    (top / "again").hardlink_to(top / "large")
    small = top / "small"
    small.write_bytes(b"x" * 1000)
    small.chmod(0o640)
    (top / "other").hardlink_to(small)
    shut.chmod(0o555)
    tree = store.capturer.capture(str(top), unlimited)
    assert not [path for path in top.rglob("*") if path.is_file() and path.stat().st_size > 1000]
    assert (small.read_bytes(), mode(small)) == (b"x" * 1000, "640")
    assert (top / "other").samefile(small)
    large = File(Digest.of(bytes(1 << 20)))
    same = File(Digest.of(b"x" * 1000))
    expected: Nested = {
        "again": large, "large": large, "other": same, "shut": {"large": large}, "small": same,
    }  # fmt: skip
    assert tree.root == Tree.of(expected).root
    assert sound(store)
