"""The folder of a step: what it may hold while others write, and how it comes and goes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from attrs import evolve, frozen
from world import HERE as ARCH
from world import World

from rvbuild.cli.remedies import hint_text
from rvbuild.core.action import Mount
from rvbuild.core.errors import Interrupted, RvbuildError, SandboxError, StoreError
from rvbuild.executors import doctor, identity, local_executor, sandbox, step_folder
from rvbuild.executors.identity import Identity
from rvbuild.executors.inputs import InputTrees
from rvbuild.executors.limits import Limits
from rvbuild.executors.local_executor import LocalExecutor, _Step
from rvbuild.executors.sandbox import Sandbox
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.watch import Ended, Watch
from rvbuild.files.removal import remove_tree

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import PYTHON, Bench

pytestmark = pytest.mark.privileged

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root has ids to give")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.at(tmp_path)


# ---- a step that writes faster than it is looked at

MANY_FILES = """if True:
    import os, signal
    for folder in range(10):
        os.mkdir(f"/build/{folder}")
        for name in range(400):
            os.close(os.open(f"/build/{folder}/{name}", os.O_CREAT | os.O_WRONLY))
    os.mkdir("/build/z"); os.mkdir("/build/z/y")
    inner = os.open("/build/z/y", os.O_RDONLY)
    os.chmod("/build/z", MODE)
    print("begins", flush=True)
    for number in range(600):
        file = os.open(str(number), os.O_CREAT | os.O_WRONLY, dir_fd=inner)
        os.posix_fallocate(file, 0, 1 << 20)
        os.close(file)
    while True:
        signal.pause()"""


@pytest.mark.parametrize("mode", ["0o755", "0"])
def test_a_step_does_not_outrun_the_look(tmp_path: Path, mode: str):
    """Also where a look at leisure does not go: the disk says to hurry.

    The step does not end by itself, so neither a quick disk nor a busy machine decides this.
    """
    bench = Bench.at(tmp_path, Limits(disk_bytes=60 << 20, disk_entries=100_000))
    outcome = bench.python(MANY_FILES.replace("MODE", mode), timeout=300)
    assert outcome.exit_code == 153
    assert "rvbuild: stopped the step: it wrote more than" in bench.log(outcome)
    assert bench.lines[0] == "begins"
    for folder in bench.kept:
        remove_tree(folder)


# ---- an interrupt


@frozen
class Patience:
    """Raises when it was asked so often."""

    most: int
    asked: list[None]

    def __call__(self) -> None:
        self.asked.append(None)
        if len(self.asked) > self.most:
            msg = "nobody wants it"
            raise Interrupted(msg)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Folders with 1,000 files."""
    for number in range(1000):
        at = tmp_path / f"many/{number % 10}"
        at.mkdir(parents=True, exist_ok=True)
        (at / str(number)).write_bytes(b"x")
    return tmp_path / "many"


def count(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))


def removal(folder: Path, wanted: Callable[[], None]) -> None:
    remove_tree(str(folder), wanted=wanted)


def copying(folder: Path, wanted: Callable[[], None]) -> None:
    step_folder.copy(str(folder), str(folder.with_name("copy")), None, wanted)


@pytest.mark.parametrize("work", [removal, copying])
def test_long_work_at_the_ends_of_a_step_can_be_ended(
    many: Path, work: Callable[[Path, Callable[[], None]], None]
):
    with pytest.raises(Interrupted):
        work(many, Patience(500, []))
    left = count(many) if work is removal else 1000 - count(many.with_name("copy"))
    assert 300 < left < 1000, "in the middle of it"
    remove_tree(str(many.with_name("copy")))
    patient = Patience(10_000, [])
    work(many, patient)
    assert len(patient.asked) > left
    assert (count(many) == 0) if work is removal else (count(many.with_name("copy")) == 1000)


def test_a_copy_of_one_large_file_can_be_ended(tmp_path: Path):
    (tmp_path / "tree").mkdir()
    with open(tmp_path / "tree/file", "wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(Interrupted):
        copying(tmp_path / "tree", Patience(3, []))


def test_a_look_at_what_a_step_left_can_be_ended(bench: Bench, tmp_path: Path):
    """The step has ended long ago; what it left takes as long as it takes."""
    script = "import os\nfor n in range(3000): open(f'/build/{n}', 'w').close()"
    ended = []
    for most in (10_000, 5):
        step = _Step(
            action=bench.action((PYTHON, "-I", "-c", script)),
            label="step",
            folder=step_folder.make(str(tmp_path)),
            owner=None,
        )
        trees = InputTrees.of(step.action.mounts, bench.store.mountable.path)
        sandbox = Sandbox(bench.executor._keeper, bench.executor._launch(step, trees, {}))
        patience = Patience(most, [])
        log = StepLog(lambda _: None, 1000)
        with ExitStack() as stack:
            if most == 5:
                stack.enter_context(pytest.raises(Interrupted))
            ended.append(Watch(sandbox, log, Limits(), 60, step.folder.reach, patience).follow())
        assert len(patience.asked) > 5
        step.folder.remove(lambda: None)
    assert ended == [Ended(0, True)]


@pytest.mark.parametrize(("seconds", "stays"), [(60.0, 0), (-1.0, 1)])
def test_what_takes_long_to_remove_stays_after_an_interrupt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, seconds: float, stays: int
):
    """Only then; and it is said where it is."""
    monkeypatch.setattr(local_executor, "_LAST_SECONDS", seconds)
    stopper = threading.Thread(target=bench.executor.stop)
    action = bench.action(("/bin/sh", "-c", "echo go; sleep 600"))
    with pytest.raises(Interrupted) as caught:
        bench.executor.run(action, "step", lambda _: stopper.start(), {})
    stopper.join()
    notes = getattr(caught.value, "__notes__", [])
    assert len(bench.left_over()) == len(notes) == stays
    for note in notes:
        assert note.startswith(
            f"{bench.tmp}/{bench.left_over()[0]} stays until garbage is collected"
        )


# ---- what is lost when a folder cannot be removed


def endings(bench: Bench) -> Iterator[tuple[str, Callable[[Bench], object]]]:
    yield "success", lambda it: it.sh("echo x > $out/x").output is not None
    yield "failure", lambda it: it.sh("exit 7").exit_code == 7
    yield (
        "no such tree",
        lambda it: it.run("/bin/true", mounts=(Mount("x", bench.store.cas.write(b"no tree")),)),
    )


@pytest.mark.parametrize("kind", ["success", "failure", "no such tree"])
def test_a_folder_that_stays_hides_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str
):
    """What the step came to counts; that its folder is still there is told beside it."""
    told: list[str] = []
    executor = LocalExecutor(bench.store, str(bench.tmp), notice=told.append)
    bench = evolve(bench, executor=executor)
    act = dict(endings(bench))[kind]

    def outcome() -> tuple[object, list[str]]:
        try:
            return act(bench), []
        except (RvbuildError, OSError) as error:
            return str(error), getattr(error, "__notes__", [])

    plain, _ = outcome()
    assert told == []

    with monkeypatch.context() as patch:
        patch.setattr(step_folder, "remove_tree", fault(errno.EIO))
        found, notes = outcome()
    assert found == plain
    (said,) = notes or told
    assert "stays until garbage is collected: [Errno 5] Input/output error" in said
    assert bool(notes) == (kind == "no such tree")


def fault(number: int) -> Callable[..., NoReturn]:
    def broken(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return broken


def test_a_folder_that_is_half_made_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Or it stays, and the first error is told nevertheless."""
    for stays in (False, True):
        with monkeypatch.context() as patch:
            patch.setattr(step_folder, "give", fault(errno.ENOSPC))
            if stays:
                patch.setattr(step_folder, "remove_tree", fault(errno.EIO))
            with pytest.raises(StoreError, match="No space left on device") as caught:
                step_folder.make(str(tmp_path))
        assert len(os.listdir(tmp_path)) == stays
        assert len(caught.value.details) == stays
    step_folder.make(str(tmp_path)).close()


# ---- whoever has a folder above it


@pytest.mark.parametrize("swapped", ["step", "above", "nothing"])
def test_root_writes_into_the_folder_that_it_made(tmp_path: Path, swapped: str):
    """Its parent may belong to another user, who puts a link in the place of a folder."""
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner/file").touch()
    victim = tmp_path / "victim"
    (victim / "build/src").mkdir(parents=True)
    (victim / "step/build/src").mkdir(parents=True)
    owner = Identity(os.geteuid(), os.getegid())
    folder = step_folder.make(str(tmp_path / "store/tmp"), owner)
    name = os.path.basename(folder.path)
    place = {"step": Path(folder.path), "above": tmp_path / "store/tmp"}.get(swapped)
    if place:
        place.rename(tmp_path / "moved")
        place.symlink_to(victim)
        (victim / name).symlink_to("step")
    before = sorted(victim.rglob("*"))
    step_folder.copy(str(tmp_path / "tree"), f"{folder.reach}/build/src/copy", owner)
    moved = {"step": tmp_path / "moved", "above": tmp_path / "moved" / name}
    there = moved.get(swapped, Path(folder.path))
    assert (there / "build/src/copy/inner/file").exists()
    folder.remove(lambda: None)
    assert sorted(victim.rglob("*")) == before


def test_a_folder_that_somebody_put_in_its_place_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = os.geteuid() + 1
    with monkeypatch.context() as patch:
        patch.setattr(step_folder.os, "geteuid", lambda: other)
        with pytest.raises(StoreError, match="somebody put another folder in its place"):
            step_folder.make(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 1, "it is not ours to remove"


def test_a_machine_that_is_out_of_descriptors_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr(sandbox.os, "pipe2", fault(errno.EMFILE))
        with pytest.raises(SandboxError, match="Too many open files") as caught:
            bench.sh(":")
    assert "ulimit" in hint_text(caught.value.hint)
    assert bench.sh(":").exit_code == 0


COUNTED = """\
import os, subprocess
from rvbuild.core.errors import SandboxError
from rvbuild.executors.sandbox import processes_of
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
gone = subprocess.Popen(["true"])
gone.wait()
print(processes_of(gone.pid), processes_of(os.getpid()))
try:
    processes_of(1)
except SandboxError as error:
    print(error)
"""


def test_a_process_that_is_gone_is_no_refusal():
    """Of a process of somebody else the kernel says nothing, which is not that there is none."""
    command = [sys.executable, "-c", COUNTED]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    counts, refusal = said.splitlines()
    assert counts == "0 0"
    assert "cannot be counted: /proc/1/root/proc: Permission denied" in refusal


def test_a_step_that_cannot_be_counted_is_ended(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Nothing would hold it to its limit: it is an error of this machine."""

    def refusal(_: int) -> NoReturn:
        msg = "the processes of the step cannot be counted"
        raise SandboxError(msg)

    with monkeypatch.context() as patch:
        patch.setattr(sandbox, "processes_of", refusal)
        with pytest.raises(SandboxError, match="cannot be counted"):
            bench.sh("sleep 600")
    assert bench.left_over() == []


# ---- a root that may not be somebody else

ONE_ID = """\
import os, sys
from rvbuild.core.errors import RvbuildError
from rvbuild.executors import step_folder
from rvbuild.executors.identity import Identity
for owner in (Identity(0, 0), Identity(1, 1)):
    try:
        step_folder.make(sys.argv[1], owner).close()
    except RvbuildError as error:
        print(type(error).__name__, error.exit_code, error, "-", error.hint)
print(len(os.listdir(sys.argv[1])))
"""


def test_a_file_system_that_gives_nothing_away_is_no_full_disk(tmp_path: Path):
    """Here the kernel knows one id only."""
    own = ["unshare", "--user", "--map-root-user"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    command = [*own, sys.executable, "-c", ONE_ID, str(tmp_path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    refusal, left = said.splitlines()
    assert refusal.startswith(f"SandboxError 6 {tmp_path}/step-")
    assert (
        "files cannot be given to it: chown to 1: Invalid argument - use another store: " in refusal
    )
    assert left == "1"


@AS_ROOT
@pytest.mark.parametrize("name", ["chown", "setuid", "setgid", "sys_admin"])
def test_a_root_without_a_capability_is_told_by_doctor_first(world: World, name: str):
    """Its steps do not run as root instead; it is not said that the disk is full."""
    without = ["setpriv", "--inh-caps", f"-{name}", "--bounding-set", f"-{name}"]
    world.fine("plan", f"hello-{ARCH}")
    doctored = world.run("doctor", wrapper=without)
    assert doctored.code == 6
    assert f"FAIL ids of steps: root's steps run under an id without rights, and this root has no CAP_{name.upper()}" in doctored.out  # fmt: skip  # noqa: E501
    ran = world.run(f"hello-{ARCH}", wrapper=without)
    assert ran.code == 6, str(ran)
    ran.said("error: ", f"this root has no CAP_{name.upper()}", "hint: give it to the container")
    world.fine(f"hello-{ARCH}")


def test_doctor_sees_a_folder_that_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As a network file system does, whose server knows no such ids."""

    def refused(*_: object) -> str:
        msg = "chown to 1: Operation not permitted"
        raise SandboxError(msg, hint="use another store")

    named = {check.name: check for check in doctor.checks(str(tmp_path))}
    assert named["ids of steps"].ok
    if identity.pool():
        monkeypatch.setattr(step_folder, "make", refused)
        named = {check.name: check for check in doctor.checks(str(tmp_path))}
        assert not named["ids of steps"].ok
        assert named["ids of steps"].hint == "use another store"
