"""What machines and people do to a build: ^C, full disks, no sandbox, a store to read only."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import evolve
from namespaces import codes, namespaced
from world import HERE, Ran, World

HELLO_HERE = f"hello-{HERE}"

pytestmark = pytest.mark.privileged


def alive(mark: str) -> list[str]:
    """Processes that have ``mark`` in their command line."""
    found = []
    for name in os.listdir("/proc"):
        try:
            line = Path("/proc", name, "cmdline").read_bytes() if name.isdecimal() else b""
        except OSError:
            continue
        if mark.encode() in line and int(name) != os.getpid():
            found.append(f"{name} {line!r}")
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_step_leaves_nothing(world: World, number: int):
    """Exit code 128 + N; no process, no result, no temporary file; the next run converges."""
    mark = f"gate-{os.getpid()}-{number}"
    world.step("slow", f"mkfifo {mark}; (cat {mark} &); echo ready; read x < {mark}")
    before = world.records()
    program = world.start(f"slow-{HERE}", "-v")
    program.until("ready")
    assert alive(mark)
    os.killpg(program.process.pid, number)
    ran = program.wait()
    assert (ran.code, ran.out) == (128 + number, "")
    ran.said("interrupted; what was finished is kept")
    assert "Traceback" not in ran.err
    assert alive(mark) == []
    assert world.records() == before
    world.sound()
    world.step("slow", "echo done > $out/out.txt")
    world.fine(f"slow-{HERE}")


def test_one_sigint_to_the_program_alone_is_enough(world: World):
    """As `kill -INT` sends it: no terminal tells the step."""
    world.step("slow", "mkfifo gate; echo ready; read x < gate")
    program = world.start(f"slow-{HERE}", "-v")
    program.until("ready")
    program.process.send_signal(signal.SIGINT)
    assert program.wait().code == 130


def test_a_full_disk_while_fetching(bare: World):
    """A typed error and a sound store; with more room the same command works."""
    folder = bare.folder / "big"
    folder.mkdir()
    (folder / "noise").write_bytes(os.urandom(12 << 20))
    bare.recipe("big", "summary: big\nlicense: MIT\nhomepage: https://example.invalid\n"
                "kind: source\nversion: '1'\nsources: {it: {path: ../../big}}\n")  # fmt: skip
    bare.fine("lock")
    ran = namespaced(bare, """
        mkdir -p $STORE
        mount -t tmpfs -o size=8m none $STORE
        rvbuild fetch big
        rvbuild store verify
        test -z "$(ls $STORE/tmp)"
        mount -o remount,size=100m $STORE
        rvbuild fetch big
        rvbuild store verify
    """)  # fmt: skip
    assert codes(ran) == [1, 0, 0, 0], str(ran)
    ran.said("error: cannot write the store: No space left on device", "hint: free some space")
    assert ran.code == 0


def test_a_full_disk_while_building(world: World):
    """The step fails, or its output cannot be stored: nothing of it is registered."""
    world.step("big", "head -c 30000000 /dev/urandom > $out/out.txt\necho written")
    before = world.records()
    shutil.rmtree(world.store / "views")  # copies, for which the disk below has no room
    os.rename(world.store, world.store.with_name("kept"))
    ran = namespaced(world, f"""
        mkdir $STORE
        mount -t tmpfs -o size=64m none $STORE
        cp -a {world.store}/../kept/. $STORE
        rvbuild big-{HERE}
        rvbuild store verify
        test -z "$(ls $STORE/tmp)"
        find $STORE/realisations $STORE/ac -type f -printf '%f\n' | sort > found
        mount -o remount,size=200m $STORE
        rvbuild big-{HERE}
        rvbuild store verify
    """)  # fmt: skip
    assert codes(ran) == [1, 0, 0, 0], str(ran)
    assert "No space left on device" in ran.err or "almost full" in ran.err  # who is first
    found = (world.folder / "found").read_text().split()
    assert sorted(found) == sorted(name.rpartition("/")[2] for name in before)


def test_without_user_namespaces_nothing_is_built(world: World):
    """No fallback: exit code 6, and `doctor` says the same."""
    before = world.records()
    ran = namespaced(world, """
        echo 0 > /proc/sys/user/max_user_namespaces
        rvbuild $TARGET --no-check
        rvbuild doctor
    """)  # fmt: skip
    assert codes(ran) == [6, 6], str(ran)
    ran.said("error: ", "hint: ", "user.max_user_namespaces is 0: sudo sysctl -w")
    assert re.search(
        r"^FAIL user namespaces: .*\n +user.max_user_namespaces is 0", ran.out, re.MULTILINE
    )
    assert world.records() == before
    assert not (world.folder / "result").exists()
    world.sound()


def test_a_store_that_can_only_be_read(world: World):
    """What is there is found; anything new is a typed error."""
    world.fine(HELLO_HERE)
    world.step("new", ": > $out/out.txt")
    ran = namespaced(world, f"""
        mount --bind $STORE $STORE
        mount -o remount,bind,ro $STORE
        rvbuild $TARGET
        rvbuild plan $TARGET
        rvbuild log $TARGET
        rvbuild show $TARGET
        rvbuild store verify
        rvbuild new-{HERE}
        rvbuild gc
    """)  # fmt: skip
    assert codes(ran) == [0, 0, 0, 0, 0, 1, 1], str(ran)
    ran.said("error: ", "Read-only file system", "hint: ", "--store")
    assert "2 to keep" in ran.out


@pytest.mark.parametrize(("size", "mark"), [("64m", "FAIL"), ("2g", "warn"), ("16g", "ok  ")])
def test_doctor_says_how_much_room_there_is(world: World, size: str, mark: str):
    """Little room is a failure; too little for K3s, but enough for much else, is a warning."""
    ran = namespaced(world, f"""
        mkdir -p $STORE && mount -t tmpfs -o size={size} none $STORE
        rvbuild doctor
    """)  # fmt: skip
    assert codes(ran) == [6 if mark == "FAIL" else 0], str(ran)
    assert re.search(rf"^{mark} disk space: \d+\.\d GB free at ", ran.out, re.MULTILINE), str(ran)
    assert ("large builds want 10 GB: free some space" in ran.out) == (mark != "ok  ")


UNFIT = {
    "nothing": ("", 0, "", ""),
    "only to be read": ("remount,bind,ro", 6, "nothing can be written", "mount -o remount,rw "),
    "no programs": ("remount,bind,noexec", 6, "mounted noexec", "mount -o remount,exec "),
}


@pytest.mark.parametrize(("option", "code", "says", "hint"), UNFIT.values(), ids=UNFIT.keys())
def test_doctor_names_a_store_that_is_not_fit(
    world: World, option: str, code: int, says: str, hint: str
):
    world.fine(HELLO_HERE)
    ran = namespaced(world, f"""
        mount --bind $STORE $STORE
        {f"mount -o {option} $STORE" if option else ":"}
        rvbuild doctor
        rvbuild $TARGET
    """)  # fmt: skip
    assert codes(ran) == [code, 0], str(ran)
    place = re.escape(str(world.store)) if hint else ""
    found = re.search(rf"^FAIL store: .*{says}.*\n +.*{hint}{place}`", ran.out, re.MULTILINE)
    assert bool(found) == bool(code), str(ran)
    assert ("ok   store: " in ran.out) == (not code)


def test_no_step_begins_where_no_program_runs(world: World):
    """Else it would end with 127, as if the recipe called what is not there."""
    world.step("new", ": > $out/out.txt")
    ran = namespaced(world, f"""
        mount --bind $STORE $STORE
        mount -o remount,bind,noexec $STORE
        rvbuild new-{HERE}
        rvbuild plan new-{HERE}
        rvbuild log new-{HERE}
        mount -o remount,bind,exec $STORE
        rvbuild new-{HERE}
    """)  # fmt: skip
    assert codes(ran) == [6, 0, 2, 0], str(ran)
    ran.said("error: the store is on a file system that runs no programs", str(world.store))
    ran.said(f"new-{HERE} was not started", f"hint: `mount -o remount,exec {world.store}`")


def test_doctor_without_proc(world: World):
    ran = namespaced(world, """
        mount -t tmpfs none /proc
        rvbuild doctor
        rvbuild doctor --json
    """)  # fmt: skip
    assert codes(ran) == [6, 6], str(ran)
    assert re.search(r"^FAIL /proc: not mounted\n +mount it: `mount -t proc", ran.out, re.MULTILINE)
    assert "bug in rvbuild" not in ran.err


def test_a_working_directory_that_can_only_be_read(world: World):
    ran = namespaced(world, """
        mount --bind . .
        mount -o remount,bind,ro .
        cd "$PWD"
        rvbuild $TARGET
        rvbuild lock
        rvbuild $TARGET -o $STORE/../out
    """)  # fmt: skip
    assert codes(ran) == [2, 1, 0], str(ran)
    ran.said("error: results cannot be linked here", "hint: ", "with -o")
    ran.said("error: the lock cannot be written: Read-only file system")
    assert (world.store.parent / "out" / HELLO_HERE / "share/hello.txt").exists()


def test_a_reader_that_goes_away(world: World):
    """`rvbuild show | head -1` is no error."""
    read, write = os.pipe()
    os.close(read)
    program = subprocess.run(
        world.words("show"), cwd=world.folder, env=dict(world.environment), stdout=write,
        stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(write)
    assert (program.returncode, program.stderr) == (141, b"")


def test_a_step_without_an_end_is_ended(world: World):
    world.step("slow", "mkfifo gate; echo waits; read x < gate", "limits: {timeout: 1}\n")
    ran = world.run(f"slow-{HERE}")
    assert (ran.code, ran.out) == (1, "")
    ran.said("error: the step failed: not done after 1 s", f"slow-{HERE}", "waits", "rvbuild log")


# ---- taking an output in


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("mkfifo $out/f", "the output holds a FIFO: 'f'"),
        ("printf x > \"$out/$(printf 'caf\\351')\"", "file name is not UTF-8"),
        ("cd $out; i=0; while [ $i -lt 1100 ]; do mkdir d; cd d; i=$((i+1)); done",
         "the path is longer than 2048 bytes"),
        ("ln -s \"$(printf 'caf\\351')\" $out/l", "not the target of a symlink"),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be_taken_names_its_step(world: World, script: str, says: str):
    world.step("odd", f"echo what I did\n{script}")
    ran = world.run(f"odd-{HERE}")
    assert (ran.code, ran.out) == (5, "")
    ran.said(f"error: {says}", f"--> odd-{HERE}", f"`rvbuild log odd-{HERE}`")
    assert world.fine("log", f"odd-{HERE}").out == "what I did\n"
    world.sound()


@pytest.mark.parametrize(("size", "ends", "code"), [(4 << 20, False, 0), (60 << 30, True, 143)])
def test_taking_a_large_output_in_can_be_ended(world: World, size: int, code: int, *, ends: bool):
    """Stopped at the first byte; the small one shows that going on would end well."""
    world.step("big", f"truncate -s {size} $out/big; : > $out/out.txt")
    script = STOPPING.format(event="fcntl.ioctl", part=str(0x40049409), place=1)  # FICLONE
    program = evolve(world, program=(sys.executable, "-c", script)).start(f"big-{HERE}")
    _, status = os.waitpid(program.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    if ends:
        os.kill(program.process.pid, signal.SIGTERM)
    os.kill(program.process.pid, signal.SIGCONT)
    ran = program.wait()
    assert ran.code == code, str(ran)
    world.sound()


# ---- collecting garbage at the worst moment

STOPPING = """\
import os, signal, sys

first = [True]
def hook(event, args):
    if event == "{event}" and "{part}" in str(args[{place}]) and first and first.pop():
        os.kill(os.getpid(), signal.SIGSTOP)

sys.addaudithook(hook)
from rvbuild.__main__ import main
sys.exit(main())
"""
"""The program, stopped as it is about to do something for the first time, then let go on."""


def gc_while_stopped(world: World, *words: str, event: str, part: str, place: int) -> Ran:
    """What gc says while the program is stopped; the program must end well."""
    script = STOPPING.format(event=event, part=part, place=place)
    program = evolve(world, program=(sys.executable, "-c", script)).start(*words)
    _, status = os.waitpid(program.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    said = world.run("gc", "--keep", "0")
    os.kill(program.process.pid, signal.SIGCONT)
    ran = program.wait()
    assert ran.code == 0, str(ran)
    return said


@pytest.mark.parametrize("came", [False, True])
def test_what_somebody_makes_at_a_results_place_during_the_build_stays(world: World, *, came: bool):
    """The program is stopped as it is about to link; then a file is there, or is not."""
    script = STOPPING.format(event="os.symlink", part="/result/", place=1)
    program = evolve(world, program=(sys.executable, "-c", script)).start(HELLO_HERE)
    _, status = os.waitpid(program.process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    place = world.folder / "result" / HELLO_HERE
    if came:
        place.write_text("my notes")
    os.kill(program.process.pid, signal.SIGCONT)
    ran = program.wait()
    assert ran.code == (2 if came else 0), str(ran)
    if came:
        ran.said("error: something was put here", str(place), str(world.store / "views"))
        assert place.read_text() == "my notes"
    else:
        assert (place / "share/hello.txt").exists()
    assert os.listdir(place.parent) == [HELLO_HERE]


def test_four_at_once_copy_one_target_to_one_place(world: World):
    """Each is the first process of its own container, and finds what a killed one left."""
    world.fine(HELLO_HERE)
    (world.folder / "out" / f".rvbuild-{'0' * 16}" / "copy").mkdir(parents=True)
    ran = namespaced(world, """
        for i in 1 2 3 4; do (unshare -pf --kill-child true; rvbuild $TARGET -o out) & done; wait
        ls -A out
    """)  # fmt: skip
    assert codes(ran) == [0, 0, 0, 0], str(ran)
    assert ran.out.splitlines()[-1] == HELLO_HERE
    assert (world.folder / "out" / HELLO_HERE / "share/hello.txt").exists()


def test_gc_takes_no_result_that_is_about_to_be_linked(world: World):
    said = gc_while_stopped(world, HELLO_HERE, event="os.symlink", part="/result/", place=1)
    assert said.code == 1
    said.said("another rvbuild is using the store")
    assert (world.folder / "result" / HELLO_HERE / "share/hello.txt").exists()


def test_gc_takes_no_source_that_lock_is_about_to_read(world: World):
    (world.folder / "words").mkdir()
    (world.folder / "words/version").write_text("1.2\n")
    world.recipe("words", "summary: words\nlicense: MIT\nhomepage: https://example.invalid\n"
                 "kind: source\nversion: '1'\nsources: {it: {path: ../../words}}\n")  # fmt: skip
    world.step("user", ": > $out/out.txt", "pins: {x: {from: words, line: 1, file: version}}\n")
    said = gc_while_stopped(world, "lock", event="open", part=".tree", place=0)
    assert said.code == 1
    said.said("another rvbuild is using the store")
