"""^C, QUIT, TERM and HUP at any moment: 128 + N, `interrupted`, and never a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from attrs import evolve
from git_server import serving, smart_http
from told_fifo import ToldFifo
from world import HERE, World, repository

ENDING = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP)

AT_IMPORT = """\
import os, sys
sys.argv[0] = "rvbuild"
class Look:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Look())
from rvbuild.__main__ import main
sys.exit(main())
"""
"""The program, sent a signal as it is about to import a module."""

MODULES = (
    "argparse",
    "rvbuild.app.memo",
    "rvbuild.cli.run",
    "attr",
    "google.protobuf",
    "networkx",
    "yaml",
    "rvbuild.cli.show",
    "rvbuild.cli.closure",
)


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
@pytest.mark.parametrize("name", MODULES)
def test_while_modules_are_imported(bare: World, name: str, number: signal.Signals):
    """A handler of Python's own would write where in the module it was."""
    script = AT_IMPORT.format(name=name, number=int(number))
    ran = evolve(bare, program=(sys.executable, "-c", script)).run("show", "no-such-recipe")
    assert (ran.code, ran.out, ran.err) == (128 + number, "", "interrupted\n")


def test_nothing_is_imported_before_the_signals_are_set(bare: World):
    """Whatever is imported before is a time in which ^C is a traceback."""
    script = "import sys; before = set(sys.modules); import rvbuild.cli.interrupts; "
    script += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=dict(bare.environment), capture_output=True, check=True
    )
    ours = {"rvbuild", "rvbuild.cli", "rvbuild.cli.interrupts", "__future__"}
    assert set(done.stdout.decode().split()) - ours <= {"_signal"}


SLOW = "mkfifo gate; echo ready; read x < gate"


@pytest.mark.privileged
def test_each_signal_ends_a_build_and_the_folder_of_its_step(world: World):
    world.step("slow", SLOW)
    for number in ENDING:
        program = world.start(f"slow-{HERE}", "-v")
        program.until("ready")
        program.process.send_signal(number)
        ran = program.wait()
        assert ran.code == 128 + number, number
        ran.said("interrupted; what was finished is kept")
        world.sound()


@pytest.mark.privileged
def test_a_signal_when_nobody_hears_the_word(world: World):
    """The terminal is gone, which is what a hang-up tells."""
    world.step("slow", SLOW)
    program = world.start(f"slow-{HERE}", "-v", wrapper=("sh", "-c", 'exec "$@" 2>&1', "sh"))
    assert program.process.stdout
    while "ready" not in program.process.stdout.readline():
        """It has begun."""
    program.process.stdout.close()
    assert program.process.stderr
    program.process.stderr.close()
    program.process.send_signal(signal.SIGHUP)
    assert program.process.wait(60) == 128 + signal.SIGHUP
    world.sound()


@pytest.mark.privileged
def test_what_nohup_ignores_stays_ignored(world: World):
    """The step goes on after the hang-up, and the build ends well."""
    world.step(
        "slow", "echo ready; read x < /proc/self/fd/0 || true; sleep 1; echo y > $out/out.txt"
    )
    program = world.start(f"slow-{HERE}", "-v", wrapper=("nohup",))
    program.until("ready")
    program.process.send_signal(signal.SIGHUP)
    ran = program.wait()
    assert ran.code == 0, str(ran)
    assert (world.folder / f"result/slow-{HERE}/out.txt").read_text() == "y\n"


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
@pytest.mark.parametrize("command", ["fetch", "lock"])
def test_a_silent_server_holds_nobody(world: World, command: str, number: signal.Signals):
    """It took the connection and says nothing: four tries of a minute each would be left."""
    with silent_server() as (url, met):
        world.step("user", "true", f"sources: {{s: {{url: '{url}'}}}}\n")
        words = ["lock", "user"]
        if command == "fetch":
            archive = world.folder / "s.tar"
            tarfile.open(archive, "w").close()
            world.fine("lock", "user", "--mirror", f"{url}={archive}")
            words = ["fetch", f"user-{HERE}"]
        # a signal that comes just as a connection was made leaves that to the end of the process
        program = world.with_environment(PYTHONWARNINGS="ignore::ResourceWarning").start(*words)
        assert met.wait(60)
        program.process.send_signal(number)
        ran = program.wait()
    assert ran.code == 128 + number
    ran.said("interrupted")
    assert "Traceback" not in ran.err
    world.sound()


@contextmanager
def silent_server() -> Iterator[tuple[str, threading.Event]]:
    """The URL of a server that takes connections and never answers; set when one was made."""
    met = threading.Event()
    peers: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    peers.append(server.accept()[0])
                    met.set()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/s.tar", met
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for peer in peers:
                peer.close()


HANGING_GIT = """\
#!/bin/sh
case " $* " in *" cat-file --batch "*) exec 3>{alive}; echo reading >&3; exec sleep 60;; esac
exec {git} "$@"
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT], ids=lambda each: each.name)
def test_a_key_while_git_reads_costs_no_clone(world: World, tmp_path: Path, number: signal.Signals):
    """A terminal sends the signal to the whole group, and nobody can clone again offline."""
    commit = repository(tmp_path / "r", {"a": "x\n"})
    with serving(smart_http(tmp_path)) as address:
        world.step("user", "true", f"sources: {{s: {{git: '{address}/r', commit: {commit}}}}}\n")
        world.fine("lock", "user")
    (clone,) = (world.store / "tmp/git").iterdir()
    (world.folder / "rvbuild.lock").unlink()
    alive, git = ToldFifo.at(tmp_path / "alive"), tmp_path / "git"
    git.write_text(HANGING_GIT.format(alive=alive.path, git=shutil.which("git")))
    git.chmod(0o755)
    words = ("lock", "user", "--offline")
    program = world.with_environment(PATH=f"{tmp_path}:{os.environ['PATH']}").start(*words)
    assert alive.line() == "reading"
    os.killpg(program.process.pid, number)
    ran = program.wait()
    alive.wait_for_the_end()
    assert ran.code == 128 + number
    ran.said("interrupted")
    assert (clone / "HEAD").exists()
    world.fine(*words)


LOST = """\
import os, signal
from rvbuild.cli.interrupts import Interruptible
class Busy:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000): pass
try:
    with Interruptible():
        Busy()
        while True: pass
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_in_a_destructor_is_not_lost(bare: World, tmp_path: Path):
    """Python writes that it ignores it; then nothing would end."""
    done = subprocess.run(
        [sys.executable, "-c", LOST], cwd=tmp_path, env=dict(bare.environment),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.parametrize("number", ENDING, ids=lambda number: number.name)
def test_twice_is_as_once(bare: World, number: signal.Signals):
    """The second one comes while the first one's message is made."""
    script = AT_IMPORT.format(name="rvbuild.cli.show", number=int(number))
    script = script.replace("os.kill(", f"os.kill(os.getpid(), {int(number)}); os.kill(")
    ran = evolve(bare, program=(sys.executable, "-c", script)).run("show", "no-such-recipe")
    assert (ran.code, ran.err) == (128 + number, "interrupted\n")
    assert os.path.isdir(bare.folder)
