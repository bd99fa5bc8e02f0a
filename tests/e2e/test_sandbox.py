"""Steps that misbehave, fail, hang or flood; and what is left of them: nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rvbuild.cli.remedies import hint_text
from rvbuild.core.action import Mount, Outcome
from rvbuild.core.architecture import ARCHITECTURES
from rvbuild.core.errors import Interrupted, SandboxError, StepError, VerificationError
from rvbuild.core.tree import File, Symlink
from rvbuild.executors import bwrap, doctor, identity, kernel_settings, seccomp, step_folder
from rvbuild.executors.inputs import InputTrees
from rvbuild.executors.limits import Limits
from rvbuild.executors.local_executor import _Step
from rvbuild.executors.machine_code import Call, program
from rvbuild.executors.porter import Porter
from rvbuild.executors.sandbox import Sandbox
from rvbuild.executors.step_log import StepLog
from rvbuild.executors.threshold import Threshold
from rvbuild.executors.usage import Usage
from rvbuild.executors.watch import Ended, Watch
from rvbuild.files.removal import remove_tree

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import HERE, PYTHON, Bench

pytestmark = pytest.mark.privileged

SMALL = Limits(log_bytes=100_000, processes=40, open_files=64, file_bytes=1 << 20)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.at(tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Bench:
    return Bench.at(tmp_path, SMALL)


def output(bench: Bench, outcome: Outcome):
    assert outcome.output is not None, bench.log(outcome)
    return dict(bench.store.trees.tree(outcome.output).walk())


def processes_with(mark: str) -> list[str]:
    """Processes of this machine that have ``mark`` in their command line."""
    found = []
    for name in os.listdir("/proc"):
        try:
            line = Path("/proc", name, "cmdline").read_bytes() if name.isdecimal() else b""
        except OSError:
            continue
        if mark.encode() in line and int(name) != os.getpid():
            found.append(f"{name} {line!r}")
    return found


def eventually_gone(mark: str) -> None:
    deadline = time.monotonic() + 10
    while processes_with(mark):
        assert time.monotonic() < deadline, processes_with(mark)
        os.sched_yield()


# ---- what a step sees, and what is kept of it


def test_output_and_log_are_kept(bench: Bench):
    script = "echo hello; echo oops >&2; mkdir $out/bin; echo x > $out/bin/x; chmod +x $out/bin/x"
    outcome = bench.sh(script + "; ln -s x $out/bin/y")
    assert outcome.exit_code == 0
    assert bench.log(outcome) == "hello\noops\n"
    assert bench.lines == ["hello", "oops"]
    files = output(bench, outcome)
    assert isinstance(files["bin/x"], File)
    assert files["bin/x"].executable
    assert files["bin/y"] == Symlink("x")
    assert outcome.tree is not None
    assert len(bench.store.cas.read(outcome.tree)) == outcome.tree.size
    assert bench.left_over() == []


def test_same_everywhere(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    """Identity, mask, folder, names, limits and environment do not depend on who runs it."""
    script = """if True:
        import json, os, resource, signal, socket
        kinds = ("CORE", "NOFILE", "STACK", "NPROC")
        print(json.dumps([
            os.getuid(), os.getgid(), socket.gethostname(), os.getcwd(), os.umask(0),
            sorted(os.environ.items()), sorted(os.listdir("/proc/self/fd"))[:3],
            [resource.getrlimit(getattr(resource, "RLIMIT_" + one))[0] for one in kinds],
            os.getpid(), os.getsid(0) > 0, os.isatty(0), os.read(0, 10).decode(),
        ]))"""
    before = os.umask(0o077)
    try:
        monkeypatch.setenv("LANG", "xx_XX")
        outcome = bench.python(script, environment={"ZED": "a b\n'\"$x", "A": ""})
    finally:
        os.umask(before)
    told = json.loads(bench.log(outcome))
    environment = {
        "A": "",
        "PATH": "/usr/bin:/bin",
        "PLACE": "/build",
        "PWD": "/build",
        "ZED": "a b\n'\"$x",
        "out": "/build/out",
    }
    # Python itself adds LC_CTYPE; how many jobs there are is for the machine to say.
    assert {k: v for k, v in told[5] if k not in {"LC_CTYPE", "jobs"}} == environment
    assert told[:5] == [1000, 1000, "rvbuild", "/build", 0o022]
    assert told[6:] == [
        ["0", "1", "2"],
        [0, Limits().open_files, Limits().stack_bytes, Limits().tasks],
        2,
        True,
        False,
        "",
    ]


def test_inputs_are_read_only_and_writable_sources_are_copies(bench: Bench):
    with bench.store.trees.new_tree() as tree:
        tree.file("sub/a.txt", [b"original"])
        tree.file("run", [b"#!/bin/sh\necho ran"], executable=True)
        tree.symlink("link", "sub/a.txt")
        source = tree.commit().root
    script = """
        cd src/own
        ./run
        stat -c '%a %Y' run sub sub/a.txt . > $out/seen
        echo changed > sub/a.txt; rm run; mkdir new; readlink link
        ! echo x > /src/given/sub/a.txt
        ! rm -rf /src/given/run
    """
    mounts = (Mount("src/given", source), Mount("build/src/own", source, writable=True))
    outcome = bench.sh(script, mounts=mounts)
    assert outcome.exit_code == 0, bench.log(outcome)
    assert bench.lines[:2] == ["ran", "sub/a.txt"]
    assert outcome.output
    seen = Path(bench.store.mountable.path(outcome.output), "seen").read_text()
    assert seen.split("\n")[:4] == [
        "755 315532800",
        "755 315532800",
        "644 315532800",
        "755 315532800",
    ]
    assert Path(bench.store.mountable.path(source), "sub/a.txt").read_bytes() == b"original"


def test_two_runs_see_nothing_of_each_other(bench: Bench):
    assert bench.sh("echo x > /tmp/x; echo y > /build/y; echo z > /dev/shm/z").exit_code == 0
    assert bench.sh("! test -e /tmp/x; ! test -e /build/y; ! test -e /dev/shm/z").exit_code == 0


# ---- failures


def test_failure_is_an_outcome_and_its_folder_is_kept(bench: Bench):
    outcome = bench.sh("echo partial > note; echo why; exit 7")
    assert (outcome.exit_code, outcome.output, bench.log(outcome)) == (7, None, "why\n")
    (folder,) = bench.kept
    assert Path(folder, "build/note").read_text() == "partial\n"


@pytest.mark.parametrize(("script", "code"), [("kill -9 $$", 137), ("kill -SEGV $$", 139)])
def test_death_by_signal(bench: Bench, script: str, code: int):
    assert bench.sh(script).exit_code == code


def test_missing_command(bench: Bench):
    outcome = bench.run("/bin/no-such-thing")
    assert outcome.exit_code == 127
    assert "no-such-thing" in bench.log(outcome)


def test_command_that_cannot_be_run(bench: Bench):
    outcome = bench.run("/in/probes")
    assert outcome.exit_code == 127
    assert bench.log(outcome) == "rvbuild: /in/probes could not be started: Permission denied\n"


def test_threshold_that_fails_is_an_error_and_never_a_fallback(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """Whatever it cannot hide, it does not go on; what fits goes on (the control)."""
    whole = Threshold.to("/build").calls
    namespaces = Call("unshare", (0x20000,))  # at the end it has no capability for it
    for number, call, said in (
        (1, Call("chdir", (b"/nowhere\0",)), "chdir /nowhere was refused in the sandbox: No such"),
        (len(whole), namespaces, "unshare - was refused in the sandbox: Operation not"),
    ):
        calls = (*whole[:number], call, *whole[number:])
        threshold = Threshold(calls, program(calls, 3, os.uname().machine))
        monkeypatch.setattr(bench.executor, "_threshold", threshold)
        with pytest.raises(SandboxError, match=said):
            bench.sh("touch $out/ran")
    monkeypatch.setattr(bench.executor, "_threshold", Threshold.to("/build"))
    assert bench.sh("true").exit_code == 0


@pytest.mark.privileged
@pytest.mark.skipif(identity.pool() is None, reason="only root's steps have a porter")
def test_porter_that_fails_is_an_error_and_never_a_fallback(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    """At its first call, after it has left root, and where there is no bwrap; then the control."""
    whole = Porter.to
    gone, namespaces = Call("chdir", (b"/nowhere\0",)), Call("unshare", (0x20000,))
    for place, call, said in (
        (0, gone, "chdir /nowhere was refused in the sandbox: No such file"),
        (None, namespaces, "unshare - was refused in the sandbox: Operation not permitted"),
        (None, Call("chroot", (b"/proc\0",)), "chroot /proc was refused"),
    ):

        def broken(*of: object, at: int | None = place, call: Call = call) -> Porter:
            calls = list(whole(*of).calls)  # type: ignore[arg-type]
            calls.insert(len(calls) if at is None else at, call)
            return Porter.of(calls, 0)

        monkeypatch.setattr(Porter, "to", broken)
        with pytest.raises(SandboxError, match=said):
            bench.sh("touch $out/ran")
    monkeypatch.setattr(Porter, "to", lambda owner, sources, _: whole(owner, sources, ()))
    with pytest.raises(SandboxError, match="bubblewrap could not be started: No such file"):
        bench.sh("touch $out/ran")
    monkeypatch.setattr(Porter, "to", whole)
    assert bench.sh("true").exit_code == 0


@pytest.mark.parametrize("words", [
    "rvbuild: unshare - was refused in the sandbox: Operation not permitted",
    "rvbuild: /bin/sh could not be started: No such file or directory",
])  # fmt: skip
def test_command_that_fails_like_a_threshold(bench: Bench, words: str):
    outcome = bench.sh(f"echo '{words}'; exit 127")
    assert (outcome.exit_code, bench.log(outcome)) == (127, words + "\n")


def test_command_that_fails_like_a_missing_sandbox(bench: Bench):
    """A step that exits 1 with bwrap's words on its lips has still failed by itself."""
    outcome = bench.sh("echo 'bwrap: Creating new namespace failed' >&2; exit 1")
    assert outcome.exit_code == 1


def test_command_too_long(bench: Bench):
    with pytest.raises(StepError, match="longer than the kernel takes"):
        bench.sh(":" + " " * 200_000)
    assert bench.left_over() == []


def test_no_sandbox_is_an_error_and_never_a_fallback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bench = Bench.at(tmp_path)
    refusing = tmp_path / "bwrap"
    for words in ("exit 1", "echo 'bwrap: No permissions to create new namespace' >&2; exit 1"):
        refusing.write_text(f"#!/bin/sh\n{words}\n")
        refusing.chmod(0o755)
        monkeypatch.setattr(bench.executor, "_program", str(refusing))
        with pytest.raises(SandboxError, match="could not be made") as caught:
            bench.sh("touch $out/ran")
        assert hint_text(caught.value.hint)
    monkeypatch.setattr(bench.executor, "_program", str(tmp_path / "gone"))
    with pytest.raises(SandboxError, match="could not be started"):
        bench.sh("touch $out/ran")
    assert bench.left_over() == []


def test_setup_that_fails_half_way(bench: Bench, tmp_path: Path):
    """An input for which there is no place: bwrap fails after it made its namespaces."""
    (tmp_path / "input").mkdir()
    lent = bench.store.mountable.lend(str(tmp_path / "input"))
    with pytest.raises(SandboxError, match="nowhere"):
        bench.sh("true", mounts=(Mount("usr/nowhere/in", lent),))
    assert bench.left_over() == []


# ---- too much of something


def test_time_limit(bench: Bench):
    began = time.monotonic()
    outcome = bench.sh("echo started; sleep 600 & sleep 600", timeout=1)
    assert outcome.exit_code == 124
    assert bench.log(outcome).endswith("rvbuild: stopped the step: not done after 1 s\n")
    assert time.monotonic() - began < 20


def test_time_limit_of_a_step_that_closed_its_output(bench: Bench):
    assert bench.sh("exec >&- 2>&-; sleep 600", timeout=1).exit_code == 124


def test_endless_log(small: Bench):
    outcome = small.sh("while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done")
    assert outcome.exit_code == 153
    log = small.log(outcome)
    assert SMALL.log_bytes <= len(log) < SMALL.log_bytes + 200
    assert log.endswith("rvbuild: stopped the step: its log went over 100,000 bytes\n")
    assert outcome.limit == "its log went over 100,000 bytes"


def test_log_without_line_ends_and_with_any_byte(bench: Bench):
    """All bytes are kept; lines are told with replacement, the longest in pieces."""
    outcome = bench.python(
        "import os; os.write(1, b'\\xff\\xc3'); os.write(1, b'\\xa9' + b'y' * 40000)"
    )
    assert bench.store.cas.read(outcome.log) == b"\xff\xc3\xa9" + b"y" * 40000
    assert "".join(bench.lines) == "\ufffd\u00e9" + "y" * 40000
    assert max(map(len, bench.lines)) <= 16384


def test_too_many_processes(small: Bench):
    """Counted from outside, as the kernel exempts root's processes from its own limit."""
    script = """if True:
        import os, time
        for _ in range(300):  # a bomb with a bottom: it does not hurt where it is not stopped
            if os.fork() == 0:
                time.sleep(600)
        time.sleep(600)"""
    outcome = small.python(script)
    assert outcome.exit_code == 153
    assert "more than 40 processes" in small.log(outcome)
    assert small.left_over() == [os.path.basename(small.kept[0])]


def test_kernel_limits_the_processes_too(tmp_path: Path):
    """It does not limit root's, whose steps have another id outside where there is one."""
    bench = Bench.at(tmp_path, Limits(tasks=30))
    outcome = bench.python("import os\nfor _ in range(100): os.fork() or os.read(os.pipe()[0], 1)")
    refused = "Resource temporarily unavailable" in bench.log(outcome)
    assert refused == (os.geteuid() != 0 or identity.pool() is not None)


def test_file_and_descriptor_limits(small: Bench):
    outcome = small.python("open('/build/x', 'wb').truncate(2 << 20)")
    assert "File too large" in small.log(outcome) or outcome.exit_code == 153
    outcome = small.python("import os; [os.open('/dev/null', 0) for _ in range(100)]")
    assert "Too many open files" in small.log(outcome)


FILL = {
    # script of a step that has to be stopped, a script that needs not be, and why
    "bytes": (
        "n=$((n+1)); head -c 1000000 /dev/zero > f$n",
        "head -c 9000000 /dev/zero > f",
        "wrote",
    ),
    "sparse": ("n=$((n+1)); head -c 1000000 /dev/zero > f$n", "truncate -s 200M f", "wrote"),
    "files": ("n=$((n+1)); : > f$n", "for i in 1 2 3 4 5 6 7 8 9; do : > f$i; done", "made"),
    "folders": ("mkdir d; cd d", "mkdir d; cd d; mkdir e", "made"),
    "links": ("n=$((n+1)); ln -s x l$n", "ln -s x l; ln l m || :", "made"),
}
TIGHT = Limits(disk_bytes=20_000_000, disk_entries=200)


@pytest.mark.parametrize("place", ["/build", "/build/out", "/tmp"])  # noqa: S108 - inside
@pytest.mark.parametrize("kind", FILL)
def test_too_much_on_the_disk(tmp_path: Path, kind: str, place: str):
    """It is stopped while it goes on, and what is within the limits is not."""
    bench = Bench.at(tmp_path, TIGHT)
    too_much, enough, why = FILL[kind]
    outcome = bench.sh(f"cd {place}; n=0; while :; do {too_much}; done")
    assert outcome.exit_code == 153
    assert f"rvbuild: stopped the step: it {why} more than" in bench.log(outcome)
    assert bench.sh(f"cd {place}; {enough}").exit_code == 0


def test_too_much_at_the_last_moment(tmp_path: Path):
    """What a step leaves is measured, however fast it was."""
    bench = Bench.at(tmp_path, TIGHT)
    assert bench.sh("cd $out; head -c 21000000 /dev/zero > f").exit_code == 153
    outcome = bench.sh("cd $out; head -c 15000000 /dev/zero > f; ln f g")
    assert outcome.exit_code == 0, "two names of one file count once"


def test_a_look_takes_any_depth_and_follows_nothing(tmp_path: Path):
    descent = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d" * 100, dir_fd=descent)
        inner = os.open("d" * 100, os.O_RDONLY, dir_fd=descent)
        os.close(descent)
        descent = inner
    os.symlink("/usr", "link", dir_fd=descent)
    os.close(descent)
    usage = Usage(str(tmp_path))
    assert len(list(usage.whole())) == 3001 // 128
    assert usage.entries == 3001
    remove_tree(str(tmp_path))


# ---- what must not survive


def test_daemon_does_not_outlive_its_step(bench: Bench):
    """Gone before the output is taken: it cannot write to it afterwards."""
    mark = f"daemon-{os.getpid()}-{time.monotonic_ns()}"
    script = f"""if True:
        import os, signal, time
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 13, 15)]
                os.closerange(0, 3)
                os.write(writer, b'x')
                while True:  # {mark}
                    open('/build/out/late', 'a').write('x')
            os._exit(0)
        os.read(reader, 1)"""
    outcome = bench.python(script)
    assert outcome.exit_code == 0
    assert processes_with(mark) == []


def test_waiting_ends_after_the_last_process(bench: Bench, tmp_path: Path):
    """Many daemons take a moment to die; who waited must not see one of them."""
    mark = f"last-{os.getpid()}-{time.monotonic_ns()}"
    script = f"""if True:
        import os, time
        memory = bytearray(b"x") * (16 << 20)
        for _ in range(100):  # {mark}
            if os.fork() == 0:
                os.closerange(0, 3)
                time.sleep(600)"""
    action = bench.action((PYTHON, "-I", "-c", script))
    step = _Step(action=action, label="step", folder=step_folder.make(str(tmp_path)), owner=None)
    trees = InputTrees.of(action.mounts, bench.store.mountable.path)
    sandbox = Sandbox(bench.executor._keeper, bench.executor._launch(step, trees, {}))
    log = StepLog(lambda _: None, 1000)
    assert Watch(sandbox, log, Limits(), 60, step.folder.reach).follow() == Ended(0, True)
    step.folder.close()
    assert processes_with(mark) == []


def test_stop_kills_all_and_waits(bench: Bench):
    mark = f"stopped-{os.getpid()}-{time.monotonic_ns()}"
    started = threading.Semaphore(0)
    errors: list[BaseException] = []

    def run() -> None:
        action = bench.action(("/bin/sh", "-c", f"echo go; sleep 600; : {mark}"))
        try:
            bench.executor.run(action, mark, lambda _: started.release(), {})
        except Interrupted as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert started.acquire(timeout=30)
    bench.executor.stop()
    assert processes_with(mark) == []
    assert bench.left_over() == []
    for thread in threads:
        thread.join()
    assert [str(error) for error in errors] == [f"{mark}: stopped before it was done"] * 3
    with pytest.raises(Interrupted):
        bench.sh("true")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_program_leaves_no_process(tmp_path: Path, how: signal.Signals):
    """After ^C nothing is left at all; after kill -9 the folder stays for gc to find."""
    mark = f"interrupted-{os.getpid()}-{time.monotonic_ns()}"
    program = f"""if True:
        import sys
        sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}
        from pathlib import Path
        from sandboxes import Bench
        bench = Bench.at(Path({str(tmp_path)!r}))
        action = bench.action(("/bin/sh", "-c", "echo go; sleep 600; : {mark}"))
        bench.executor.run(action, "step", lambda line: print(line, flush=True), {{}})"""
    child = subprocess.Popen(
        [PYTHON, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert child.stdout
    assert child.stdout.readline() == b"go\n"
    child.send_signal(how)
    child.stdout.close()
    assert child.wait(30) != 0
    eventually_gone(mark)
    if how == signal.SIGINT:
        assert os.listdir(tmp_path / "tmp") == []


def test_killed_at_any_moment_of_its_set_up_leaves_no_process(tmp_path: Path):
    """At each seventh call from the first to the moment when the step runs: about 620."""
    moments = [str(number) for number in range(0, 700, 7)]
    program = [PYTHON, str(HERE / "killed_runs.py"), str(tmp_path), *moments]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        program, env=environment, stdout=subprocess.PIPE, check=True, text=True, timeout=600
    )
    assert ended.stdout.split() == []
    assert os.listdir(tmp_path / moments[0]) == ["store"]
    assert os.listdir(tmp_path / moments[-1] / "tmp"), "the last one was killed in the step"


# ---- outputs that are traps


def test_output_that_is_a_link_to_the_host_is_not_followed(bench: Bench, tmp_path: Path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("secret")
    outcome = bench.sh(f"rmdir out; ln -s {tmp_path}/secret out")
    assert (outcome.exit_code, outcome.output) == (0, None)
    assert bench.sh("rmdir out").output is None
    assert bench.sh("rmdir out; echo x > out").output is None


def test_links_inside_the_output_stay_links(bench: Bench):
    files = output(bench, bench.sh("ln -s /etc/passwd $out/p; echo x > $out/a; ln $out/a $out/b"))
    assert files["p"] == Symlink("/etc/passwd")
    assert files["a"] == files["b"]


def test_setuid_is_not_kept_and_the_folder_is_closed_to_others(bench: Bench):
    script = "cp /bin/sh $out/sh; chmod 6755 $out/sh; stat -c %a $out/sh; exit $1"
    outcome = bench.run("/bin/sh", "-euc", script, "sh", "0")
    assert outcome.output
    kept = Path(bench.store.mountable.path(outcome.output), "sh").stat().st_mode
    assert kept & 0o7000 == 0
    bench.run("/bin/sh", "-euc", script, "sh", "1")
    assert Path(bench.kept[0]).stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("script", [
    "mkfifo $out/fifo",
    f"{PYTHON} -c \"import socket; socket.socket(1).bind('/build/out/socket')\"",
])  # fmt: skip
def test_output_with_what_a_tree_cannot_hold(bench: Bench, script: str):
    """It is the step's own failure: its log is there, and its output is not."""
    outcome = bench.sh(f"echo before; {script}")
    assert (outcome.exit_code, outcome.output) == (0, None)
    assert isinstance(outcome.refusal, VerificationError)
    assert bench.log(outcome) == "before\n"
    assert bench.left_over() == []


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("touch $out/1 $out/2 $out/3", None),
        ("touch $out/1 $out/2 $out/3 $out/4", "more than 3 files and folders"),
        ("truncate -s 1000000 $out/1", None),
        ("truncate -s 1000001 $out/1", "more than 1,000,000 bytes"),
    ],
)
def test_output_has_limits(tmp_path: Path, script: str, says: str | None):
    limited = Bench.at(tmp_path, Limits(output_entries=3, output_bytes=1_000_000))
    outcome = limited.sh(script)
    assert (outcome.output is None, outcome.refusal is None) == (says is not None, says is None)
    if says:
        assert says in str(outcome.refusal)


def test_folders_that_resist_removal(bench: Bench):
    script = """if True:
        import os
        for i in range(300):  # deeper than descriptors are held, longer than PATH_MAX
            os.mkdir('d' * 100)
            os.mkdir('side')
            open('side/f', 'w').close()
            os.chdir('d' * 100)
        os.chdir('/build')
        os.makedirs('/tmp/a/b/c')
        open('/tmp/a/b/f', 'w').close()
        os.symlink('/', '/tmp/a/root')
        os.mkdir(b'/tmp/\\xff\\xfe')
        for one in ('/tmp/a/b/c', '/tmp/a/b', '/tmp/a', '/tmp'):
            os.chmod(one, 0)"""
    outcome = bench.python(script)
    assert outcome.exit_code == 0, bench.log(outcome)
    assert bench.left_over() == []


# ---- what the machine has


def test_doctor_finds_this_machine_fit(tmp_path: Path):
    found = {check.name: check for check in doctor.checks(str(tmp_path / "not/there"))}
    assert set(found) == {
        "bubblewrap", "/proc", "user namespaces", "ids of steps", "compile caches", "kernel",
        "store", "disk space", "git",
    }  # fmt: skip
    assert found["compile caches"].found == "steps can have a layer of their own over them"
    assert found["bubblewrap"].ok
    assert found["user namespaces"].ok, found["user namespaces"]
    assert found["kernel"].ok


def test_doctor_without_bubblewrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(bwrap.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SandboxError, match="never run without it"):
        bwrap.find()
    found = {check.name: check for check in doctor.checks(str(tmp_path))}
    assert not found["bubblewrap"].ok
    assert not found["user namespaces"].ok
    assert not found["git"].ok
    assert all(hint_text(check.hint) for check in found.values() if not check.ok)


@pytest.mark.parametrize(("path", "value", "word"), [
    ("kernel/unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
    ("kernel/apparmor_restrict_unprivileged_userns", "1", "apparmor_restrict"),
    ("user/max_user_namespaces", "0", "user.max_user_namespaces=15000"),
])  # fmt: skip
def test_forbidding_knobs_are_named(tmp_path: Path, path: str, value: str, word: str):
    knob = tmp_path / "proc/sys" / path
    knob.parent.mkdir(parents=True)
    knob.write_text(value + "\n")
    (hint,) = kernel_settings.forbidding(str(tmp_path))
    assert word in hint
    knob.write_text("2\n")
    assert word not in kernel_settings.forbidding(str(tmp_path))[0]


def test_container_is_named(tmp_path: Path):
    (tmp_path / ".dockerenv").touch()
    assert "--security-opt" in kernel_settings.forbidding(str(tmp_path))[0]


def test_filter_is_whole_for_each_machine():
    for row in ARCHITECTURES.values():
        program = seccomp.program(row.machine)
        assert len(program) % 8 == 0
        assert len(program) < 4096  # goes through a pipe in one write
    with pytest.raises(SandboxError, match="kind 'vax'"):
        seccomp.program("vax")


def test_environment_with_a_nul_is_refused(bench: Bench):
    """Options are separated by NUL: a value could smuggle one in."""
    with pytest.raises(StepError, match="NUL"):
        bench.run("/bin/true", environment={"A": "x\0--share-net"})
