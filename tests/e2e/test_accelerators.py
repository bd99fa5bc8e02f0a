"""Compile caches: what steps may leave in one, what they may not, and who sees it when."""

from __future__ import annotations

import errno
import os
import socket
import stat
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest
from attrs import evolve

from rvbuild.core.action import Outcome
from rvbuild.core.errors import Interrupted, SandboxError, StoreError
from rvbuild.executors import accelerators, bwrap, identity, sandbox
from rvbuild.executors.accelerators import Accelerator
from rvbuild.executors.identity import Identity
from rvbuild.executors.local_executor import LocalExecutor

sys.path.insert(0, str(Path(__file__).parent))
from sandboxes import PYTHON, Bench

pytestmark = pytest.mark.privileged

AT = "tmp/go-cache"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.at(tmp_path)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "store/accelerators/go"


def run(bench: Bench, cache: Path, script: str) -> Outcome:
    return bench.sh(script, accelerators={AT: str(cache)})


def good(bench: Bench, cache: Path, script: str) -> Outcome:
    outcome = run(bench, cache, script)
    assert outcome.exit_code == 0, bench.log(outcome)
    return outcome


def base(cache: Path) -> Path:
    """The lowest layer, when all that steps left is in it."""
    with (
        tempfile.TemporaryDirectory() as over,
        Accelerator(str(cache), _owner()).mounted(f"{over}/x") as layer,
    ):
        assert layer.overlay.layers == ("base",), "nobody else has it mounted"
    return cache / "layers/base"


def kept(cache: Path) -> list[str]:
    files = base(cache)
    return sorted(str(path.relative_to(files)) for path in files.rglob("*"))


def _owner() -> Identity | None:
    pool = identity.pool()
    return pool.common if pool else None


def test_the_next_step_finds_what_one_compiled(bench: Bench, cache: Path):
    first = good(bench, cache, "cd /tmp/go-cache; mkdir 00; echo warm > 00/x; echo 1 > trim.txt")
    assert first.accelerated
    good(bench, cache, "cd /tmp/go-cache; grep warm 00/x; echo hot > 00/y; echo 2 > trim.txt")
    good(bench, cache, "cd /tmp/go-cache; grep warm 00/x; grep hot 00/y; grep 2 trim.txt; rm 00/x")
    good(bench, cache, "cd /tmp/go-cache; ! test -e 00/x; grep hot 00/y")
    assert kept(cache) == ["00", "00/y", "trim.txt"]


def test_a_step_that_fails_adds_nothing(bench: Bench, cache: Path):
    good(bench, cache, "echo right > /tmp/go-cache/x")
    outcome = run(bench, cache, "cd /tmp/go-cache; echo wrong > x; echo wrong > y; exit 1")
    assert outcome.exit_code == 1
    assert kept(cache) == ["x"]
    assert (base(cache) / "x").read_text() == "right\n"


def test_a_step_without_accelerators_sees_none(bench: Bench, cache: Path):
    good(bench, cache, "echo warm > /tmp/go-cache/x")
    outcome = bench.sh("! test -e /tmp/go-cache/x")
    assert outcome.exit_code == 0
    assert not outcome.accelerated


PYTHON_SAYS = f"{PYTHON} -I -c"
SET_ATTRIBUTE = 'import os; os.setxattr("odd", "user.a", b"1")'

UNFIT = {
    "set-uid": ("cp /bin/sh odd; chmod 6755 odd", 0o700),
    "open to all": ("echo x > odd; chmod 666 odd", 0o600),
    "closed": ("echo x > odd; chmod 0 odd", 0o600),
    "attributes": (f"echo x > odd; {PYTHON_SAYS} '{SET_ATTRIBUTE}'", 0o600),
    "socket": (f"{PYTHON_SAYS} 'import socket; socket.socket(1).bind(\"odd\")'", None),
    "fifo": ("mkfifo odd", None),
    "link": ("ln -s /etc/passwd odd", None),
    "dangling link": ("ln -s nowhere odd", None),
    "link to a folder": ("ln -s / odd", None),
    "two names": ("echo x > twin; ln twin odd", None),
    "a name in the output": ("echo x > odd; ln odd twin", None),
    "deep": ("n=0; while [ $n -lt 40 ]; do mkdir d; cd d; n=$((n+1)); done; echo x > odd", None),
}  # fmt: skip
"""What a step leaves as ``odd``, and the mode that it has in the cache (None: it is not there)."""


@pytest.mark.parametrize("kind", UNFIT)
def test_only_plain_files_enter(bench: Bench, cache: Path, kind: str):
    """Beside each stands a plain file, which does."""
    script, mode = UNFIT[kind]
    good(bench, cache, f"cd /tmp/go-cache; echo plain > control; mkdir here; cd here; {script}")
    assert (base(cache) / "control").read_text() == "plain\n"
    found = [path for path in cache.rglob("odd") if path.parent.name == "here"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in found] == ([mode] if mode else [])
    for path in cache.rglob("*"):
        status = path.lstat()
        assert stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode), path
        assert stat.S_IMODE(status.st_mode) in {0o600, 0o700}, path
        assert not os.listxattr(path), path


def test_a_file_of_the_cache_keeps_its_content_while_another_step_writes(bench: Bench, cache: Path):
    """The one opens it for writing, and keeps it open until the other has read it."""
    good(bench, cache, "echo good > /tmp/go-cache/x")
    reached, seen = threading.Event(), threading.Event()
    results: list[Outcome] = []

    def writer() -> None:
        def tell(_: str) -> None:
            reached.set()
            seen.wait(60)

        action = bench.action(
            ("/bin/sh", "-euc", "exec 3<>/tmp/go-cache/x; echo EVIL >&3; echo at")
        )
        results.append(bench.executor.run(action, "writer", tell, {AT: str(cache)}))

    thread = threading.Thread(target=writer)
    thread.start()
    assert reached.wait(60)
    outcome = run(bench, cache, "cat /tmp/go-cache/x")
    held = (cache / "layers/base/x").read_text()
    seen.set()
    thread.join()
    assert (bench.log(outcome), held) == ("good\n", "good\n")
    assert (base(cache) / "x").read_text() == "EVIL\n", "once it has ended, as the last one's"


def test_folders_are_closed_to_others(bench: Bench, cache: Path):
    cache.mkdir(parents=True, mode=0o777)
    cache.parent.chmod(0o755)
    good(bench, cache, "echo x > /tmp/go-cache/x")
    for folder in (cache.parent, cache, cache / "layers", cache / "layers/1"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_what_older_versions_left_is_cleared(bench: Bench, cache: Path):
    (cache / "00").mkdir(parents=True)
    (cache / "00/entry").write_text("x")
    (cache / "files").mkdir()
    (cache / "id").write_bytes(b"#!/bin/sh\n")
    (cache / "id").chmod(0o4755)
    (cache / "link").symlink_to("/etc")
    os.mkfifo(cache / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(cache / "sock"))
    good(bench, cache, "echo x > /tmp/go-cache/x")
    assert os.listdir(cache) == ["layers"]
    assert kept(cache) == ["x"]
    assert os.listdir("/etc")


@pytest.mark.parametrize("name", ["accelerators", "accelerators/go"])
def test_a_link_in_the_place_of_the_cache_is_not_followed(
    bench: Bench, cache: Path, name: str, tmp_path: Path
):
    """It is damage of the store: nothing is built there, and nothing is behind it touched."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("x")
    link = bench.store.layout.root + "/" + name
    os.makedirs(os.path.dirname(link), exist_ok=True)
    os.symlink(elsewhere, link)
    with pytest.raises(StoreError, match=f"{name}: the store is damaged: a symbolic link"):
        run(bench, cache, "echo x > /tmp/x")
    assert os.listdir(elsewhere) == ["mine"]
    os.unlink(link)
    good(bench, cache, "echo x > /tmp/go-cache/x")
    assert kept(cache) == ["x"]


def test_without_overlays_steps_run_and_say_once_that_they_are_slower(
    bench: Bench, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """As a bwrap of before 0.11 does: it does not know the option."""
    good(bench, cache, "echo warm > /tmp/go-cache/x")
    told: list[str] = []
    executor = LocalExecutor(bench.store, str(tmp_path / "tmp"), notice=told.append)
    monkeypatch.setattr(accelerators.Overlay, "arguments", lambda *_: ("--overlay-of-tomorrow",))
    for _ in range(2):
        script = "mkdir /tmp/go-cache; echo x > $out/x"
        outcome = good(evolve(bench, executor=executor), cache, script)
        assert outcome.output
        assert not outcome.accelerated
    assert len(told) == 1
    assert told[0].startswith("a step ran without its compile cache: ")
    assert told[0].endswith("Unknown option --overlay-of-tomorrow")
    assert bench.left_over() == []


def test_a_step_without_overlays_that_cannot_run_at_all_says_why(
    bench: Bench, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    """It is not the layers that hinder it, and nothing is said of them."""
    monkeypatch.setattr(bwrap.SandboxView, "arguments", lambda *_: ["--no-such-option-of-overlay"])
    told: list[str] = []
    executor = LocalExecutor(bench.store, str(bench.tmp), notice=told.append)
    with pytest.raises(SandboxError, match="Unknown option --no-such-option-of-overlay"):
        run(evolve(bench, executor=executor), cache, "echo x > $out/x")
    assert told == []
    assert bench.left_over() == []


PASSING = (errno.EMFILE, errno.ENOSPC, errno.EIO)


@pytest.mark.parametrize("number", PASSING, ids=errno.errorcode.get)
@pytest.mark.parametrize("stage", ["the folder", "the sandbox", "the mount"])
def test_a_passing_fault_costs_one_step_its_cache(
    bench: Bench, cache: Path, monkeypatch: pytest.MonkeyPatch, stage: str, number: int
):
    """The next step has it again. What a fault is called does not count."""
    told: list[str] = []
    executor = LocalExecutor(bench.store, str(bench.tmp), notice=told.append)
    bench = evolve(bench, executor=executor)
    good(bench, cache, "echo warm > /tmp/go-cache/x")

    def fail(*_: object, **__: object) -> NoReturn:
        monkeypatch.undo()
        raise OSError(number, os.strerror(number))

    def unknown(*_: object) -> tuple[str, ...]:
        monkeypatch.undo()
        return ("--symlink", "nowhere", "/usr")  # bwrap: File exists; no word of what it was for

    where, name, what = {
        "the folder": (accelerators.Accelerator, "_layer", fail),
        "the sandbox": (sandbox.os, "pipe2", fail),
        "the mount": (accelerators.Overlay, "arguments", unknown),
    }[stage]
    monkeypatch.setattr(where, name, what)
    outcome = good(bench, cache, "echo x > $out/x")
    assert not outcome.accelerated
    assert len(told) == 1
    assert good(bench, cache, "grep warm /tmp/go-cache/x").accelerated
    assert bench.left_over() == []


def test_nothing_below_a_step_changes_while_it_runs(bench: Bench, cache: Path):
    """Another ends meanwhile; a third, begun after that, sees what it compiled all the same."""
    good(bench, cache, "cd /tmp/go-cache; mkdir 00; echo old > 00/x; echo old > 00/y")
    reached, go_on = threading.Event(), threading.Event()
    results: list[Outcome] = []

    def first() -> None:
        def tell(_: str) -> None:
            reached.set()
            assert go_on.wait(60)

        script = "cd /tmp/go-cache; grep old 00/x; read _ < /proc/self/stat; cat 00/x 00/y"
        action = bench.action(("/bin/sh", "-euc", script))
        results.append(bench.executor.run(action, "first", tell, {AT: str(cache)}))

    thread = threading.Thread(target=first)
    thread.start()
    assert reached.wait(60)
    try:
        before = _inodes(cache / "layers")
        assert "base/00/x" in before
        good(bench, cache, "cd /tmp/go-cache; echo new > 00/x; rm 00/y; echo new > 00/z")
        good(bench, cache, "cd /tmp/go-cache; grep new 00/x; grep new 00/z; ! test -e 00/y")
        after = _inodes(cache / "layers")
        assert {path: after.get(path) for path in before} == before
        assert {path.partition("/")[0] for path in set(after) - set(before)} == {"1"}
    finally:
        go_on.set()
        thread.join()
    assert bench.log(results[0]) == "old\nold\nold\n"
    assert kept(cache) == ["00", "00/x", "00/z"]
    assert (base(cache) / "00/x").read_text() == "new\n"


def _inodes(folder: Path) -> dict[str, tuple[int, ...]]:
    """What there is below the folders of a folder; a change of any kind shows."""
    found = {}
    for path in folder.glob("*/**/*"):
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_ctime_ns, status.st_nlink)
    return found


def test_what_steps_left_becomes_one_layer(cache: Path, tmp_path: Path):
    """Many end at once, with other things under the same names: more than one mount takes."""
    cache.parent.parent.mkdir()
    accelerator = Accelerator(str(cache), None)
    count = 60
    with ExitStack() as stack:
        mounted = [accelerator.mounted(str(tmp_path / f"step-{i}")) for i in range(count)]
        layers = [stack.enter_context(one) for one in mounted]
        for number, layer in enumerate(layers):
            upper = Path(layer.overlay.over, "upper")
            for i in range(20):
                (upper / f"{i:02x}").mkdir()
                (upper / f"{i:02x}" / "common").write_text("common")
                (upper / f"{i:02x}" / f"own-{number}").write_text("own")
            odd = upper / "file-or-folder"
            odd.mkdir() if number % 2 else odd.write_text("")
        threads = [threading.Thread(target=layer.keep) for layer in layers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with accelerator.mounted(str(tmp_path / "late")) as late:
            words = ":".join(f"/oldroot{cache}/layers/{name}" for name in late.overlay.layers)
            assert 1 < len(late.overlay.layers) < count
            assert len(words) < 4096
    with accelerator.mounted(str(tmp_path / "last")) as last:
        assert last.overlay.layers == ("base",)
    own = {f"own-{number}" for number in range(count)}
    for i in range(20):
        assert set(os.listdir(cache / f"layers/base/{i:02x}")) == {"common", *own}
    assert os.path.lexists(cache / "layers/base/file-or-folder")
    assert os.listdir(cache / "layers") == ["base"]


def test_an_interrupt_while_layers_are_moved_loses_nothing(cache: Path, tmp_path: Path):
    """At whatever file: what a step left is kept whole or not at all, and settled later."""
    cache.parent.parent.mkdir()
    accelerator = Accelerator(str(cache), None)

    def stop_at(most: int) -> Callable[[], None]:
        asked: list[None] = []

        def wanted() -> None:
            asked.append(None)
            if len(asked) > most:
                msg = "nobody wants it"
                raise Interrupted(msg)

        return wanted

    for most in range(8):
        with accelerator.mounted(str(tmp_path / f"lost-{most}")) as layer:
            (Path(layer.overlay.over) / "upper/lost").write_text("lost")
            fill(Path(layer.overlay.over) / "upper", "lost-")
            with pytest.raises(Interrupted):
                layer.keep(stop_at(most))
        with accelerator.mounted(str(tmp_path / f"kept-{most}")) as layer:
            fill(Path(layer.overlay.over) / "upper", f"{most}-")
            layer.keep()
        with pytest.raises(Interrupted):
            accelerator.mounted(str(tmp_path / f"cut-{most}"), stop_at(most)).__enter__()
    expected = {f"{most}-{n}" for most in range(8) for n in range(9)}
    with accelerator.mounted(str(tmp_path / "last")) as layer:
        assert layer.overlay.layers == ("base",)
    assert set(os.listdir(cache / "layers/base/00")) == expected


def fill(upper: Path, prefix: str) -> None:
    (upper / "00").mkdir()
    for number in range(9):
        (upper / "00" / f"{prefix}{number}").write_text("x")
