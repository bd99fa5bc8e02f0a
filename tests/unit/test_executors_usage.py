"""What a look at a step's folder sees, whatever the step does to hide it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve

from rvbuild.executors.free_space import FreeSpace
from rvbuild.executors.usage import Usage
from rvbuild.files.descent import Descent
from rvbuild.files.folder import open_folder

AS_NOBODY = """\
import os, sys
from rvbuild.executors.usage import Usage
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
os.chdir(sys.argv[1])
os.makedirs("top/closed/inner")
for name in ("closed/file", "closed/inner/file"):
    with open(f"top/{name}", "wb") as file:
        file.write(bytes(3 << 20))
os.chmod("top/closed/inner", 0o700)
os.chmod("top/closed", int(sys.argv[2], 8))
usage = Usage("top")
for _ in usage.whole(everywhere=sys.argv[3] == "everywhere"):
    pass
print(usage.bytes >> 20, usage.entries, oct(os.stat("top/closed").st_mode & 0o777))
"""


def looked(mode: str, how: str) -> str:
    """What somebody sees whom modes stop: root is let in everywhere."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        Path(folder).chmod(0o777)
        command = [sys.executable, "-c", AS_NOBODY, folder, mode, how]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("mode", ["755", "000", "100", "300", "400", "500"])
def test_a_closed_folder_hides_nothing(mode: str) -> None:
    assert looked(mode, "everywhere").startswith("6 4 ")


@pytest.mark.parametrize(("mode", "seen"), [("755", "6 4"), ("500", "6 4"), ("000", "0 1")])
def test_a_running_step_keeps_its_modes(mode: str, seen: str) -> None:
    """It would see that they change; so at leisure nothing is looked at that is closed."""
    assert looked(mode, "at leisure") == f"{seen} {oct(int(mode, 8))}"


def filled(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / str(number)).write_bytes(bytes(4096))


def entered(top: Path) -> Path:
    """The folder that is being looked at."""
    opened = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    return next(Path(path) for path in opened if path.startswith(f"{top}/"))


def interrupted(folder: Path, change: Callable[[], object]) -> Usage:
    """A look during which something changes, when the deepest folder has been seen in part."""
    usage = Usage(str(folder))
    look = usage.whole()
    next(look)
    change()
    for _ in look:
        pass
    return usage


def test_what_lies_beside_a_folder_that_moves_is_seen(tmp_path: Path) -> None:
    """A step can move a decoy on and on; the folders beside it are looked at nevertheless."""
    top = tmp_path / "top"
    for name in ("a", "b", "c"):
        filled(top / name / "inner", 200)
    quiet = interrupted(top, lambda: None)
    assert quiet.entries == 606
    usage = interrupted(top, lambda: entered(top).rename(tmp_path / "aside"))
    assert usage.entries == 606


def test_a_look_that_was_not_whole_takes_nothing_back(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for name in ("a", "b", "c"):
        filled(top / "x" / name, 200)
    usage = Usage(str(top))
    list(usage.whole())
    assert usage.entries == 604
    look = usage.whole()
    next(look)
    entered(top / "x").rename(tmp_path / "aside")
    (top / "x").rename(tmp_path / "all")  # and with it what was still to be looked at
    list(look)
    assert usage.entries == 604
    list(usage.whole())
    assert usage.entries == 0, "a whole one does"


def test_a_look_that_is_given_up_leaves_nothing_open(tmp_path: Path) -> None:
    filled(tmp_path / "top", 400)
    before = set(os.listdir("/proc/self/fd"))
    usage = Usage(str(tmp_path / "top"))
    usage.advance(0, everywhere=True)
    assert set(os.listdir("/proc/self/fd")) - before, "it is under way"
    usage.close()
    assert set(os.listdir("/proc/self/fd")) - before == set()


def test_a_trail_is_followed_again_as_far_as_it_leads(tmp_path: Path) -> None:
    (tmp_path / "a/b/c/d").mkdir(parents=True)
    top = open_folder(str(tmp_path))
    descent = Descent(top)
    try:
        descent.pending.append("still to do")
        for name in "abcd":
            descent.down(name)
        (tmp_path / "a/b/c").rename(tmp_path / "c")
        descent.up()
        with pytest.raises(OSError, match="moved meanwhile"):
            descent.up()
        descent.again(top)
        assert os.path.samestat(os.fstat(descent.here), (tmp_path / "a/b").stat())
        assert [descent.up(), descent.up()] == ["b", "a"]
        assert descent.is_at_top
        assert descent.pending == ["still to do"]
    finally:
        descent.close()
        os.close(top)


FEW_INODES = """\
import os, subprocess, sys
from rvbuild.executors.usage import Usage
subprocess.run(["mount", "-t", "tmpfs", "-o", sys.argv[2], "tmpfs", sys.argv[1]], check=True)
os.chdir(sys.argv[1])
usage, made = Usage("."), 0
while not usage.lack():
    if sys.argv[3] == "files":
        open(str(made), "x").close()
    else:
        with open(str(made), "wb") as file:
            file.write(bytes(1 << 16))
    made += 1
print(usage.lack(), made, Usage(".").lack() or "it was so when it began")
"""


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("what", "size", "most"),
    [("files", "size=16m,nr_inodes=2000", 1985), ("bytes", "size=16m,nr_inodes=2000", 256)],
)
def test_a_disk_runs_out_of_either(tmp_path: Path, what: str, size: str, most: int) -> None:
    """It is said while there is still some left."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    command = [*own, sys.executable, "-c", FEW_INODES, str(tmp_path), size, what]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lack, made, later = said.split(maxsplit=2)
    assert lack == ("inodes" if what == "files" else "bytes")
    assert most * 0.9 < int(made) < most
    assert later == "it was so when it began\n"


def chunks(usage: Usage, size: int) -> int:
    """How many parts of a look it takes to see so many bytes, in a hurry."""
    for count in range(1, 1000):
        usage.advance(0, everywhere=True)
        if usage.bytes > size:
            return count
    return 1000


def test_a_hurried_look_is_a_new_one(tmp_path: Path) -> None:
    """The one under way has passed by, or counted before, what is there now."""
    filled(tmp_path / "top/many", 2000)
    usage = Usage(str(tmp_path / "top"))
    usage._next = 0
    for _ in range(8):
        usage.advance(0)
    assert 1000 < usage.entries < 2000, "in the middle of it"
    with open(tmp_path / "top/new", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 20 << 20)
    assert chunks(usage, 20 << 20) == 1


def test_what_a_whole_look_saw_needs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others use the disk, too: after a look, only what it loses since may be the step's."""
    free = FreeSpace(bytes=100 << 20, files=1000, bytes_to_stay=0, files_to_stay=0)
    monkeypatch.setattr(FreeSpace, "of", lambda _folder: free)
    filled(tmp_path / "top", 10)
    usage = Usage(str(tmp_path / "top"))
    assert not usage.may_hold(60 << 20, 500)
    free = evolve(free, bytes=30 << 20)
    assert usage.may_hold(60 << 20, 500)
    assert list(usage.whole()) == []
    assert not usage.may_hold(60 << 20, 500)
    free = evolve(free, files=505)
    assert not usage.may_hold(60 << 20, 505)
    assert usage.may_hold(60 << 20, 504)
