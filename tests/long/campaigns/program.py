"""The program, as a campaign runs it: as a process of its own, or as a copy of this one.

Knows: how to start it and how it ends. Must not know: why.

A copy (fork) has read the program's modules already, which is most of the time of a short
command; what runs is the same ``main``.
"""

from __future__ import annotations

import json
import os
import pkgutil
import select
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen
from campaign import ROOT, FaultError

PATIENCE = 120
REPORT = 3
TRAP = Path(__file__).with_name("trap.py")


@frozen
class Ran:
    """How a run ended.

    ``code`` is negative after a signal; ``report`` is the trap's count; ``cpu`` are seconds
    and ``peak`` MiB of the program itself.
    """

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    report: str
    cpu: float
    peak: int

    def __str__(self) -> str:
        return f"{' '.join(self.words)}: exit code {self.code}\n{self.out}---\n{self.err}"

    @property
    def json(self) -> Any:  # noqa: ANN401 - what JSON holds
        return json.loads(self.out)

    def fine(self) -> Ran:
        """The same.

        Raises:
            FaultError: it did not succeed.
        """
        if self.code != 0:
            raise FaultError(str(self))
        return self

    @property
    def typed(self) -> bool:
        """It ended with an error that says what happened."""
        return 0 < self.code < 8 and "error: " in self.err and "Traceback" not in self.err


class Hook(Protocol):
    """An audit hook that counts."""

    seen: int

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None: ...


@frozen
class Program:
    """The program in one folder with one environment."""

    folder: Path
    environment: Mapping[str, str]

    def run(self, *words: str, hook: Callable[[], Hook] | None = None) -> Ran:
        """Run it in a copy of this process, with the audit hook that ``hook`` makes there."""
        return _ran(words, lambda: self._main(words, hook))

    def execute(self, *words: str, before: Sequence[str] = (), until: str = "") -> Ran:
        """Run it as people start it; ``before`` are words that stand before its own.

        Where ``until`` is given, kill it as soon as it has written that.
        """
        start = before or (sys.executable, "-m", "rvbuild")
        return _ran(words, lambda: self._replaced([*start, *words]), until)

    def trapped(self, act: str, at: int, below: Path, *words: str) -> Ran:
        """Run it as people start it, in a trap (``trap.py``)."""
        return self.execute(*words, before=(sys.executable, str(TRAP), act, str(at), str(below)))

    def _replaced(self, command: Sequence[str]) -> int:
        os.chdir(self.folder)
        os.execvpe(command[0], list(command), dict(self.environment))  # noqa: S606

    def _main(self, words: Sequence[str], make_hook: Callable[[], Hook] | None) -> int:
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        hook = make_hook() if make_hook else None
        if hook:
            sys.addaudithook(hook)
        try:
            code = sys.modules["rvbuild.__main__"].main(words)
        except SystemExit as end:
            code = int(str(end.code or 0))
        if hook:
            os.write(REPORT, b"%d\n" % hook.seen)
        return int(code)


def read_modules() -> None:
    """Have every module of the program ready for copies."""
    sys.path.insert(0, str(ROOT))
    package = __import__("rvbuild")
    for found in pkgutil.walk_packages(package.__path__, "rvbuild."):
        if not found.name.startswith("rvbuild.app.starters"):
            __import__(found.name)
    __import__("httpx")


def environment(folder: Path) -> dict[str, str]:
    """All that the program gets; ``folder`` is its home."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "home/.cache"),
        "RVBUILD_STORE": str(folder / "store"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
    }


def _ran(words: Sequence[str], work: Callable[[], int], until: str = "") -> Ran:
    out, report = os.memfd_create("out"), os.memfd_create("report")
    reader, err = os.pipe()
    child = os.fork()
    if child == 0:
        _become(work, out, err, report)
    os.close(err)
    try:
        said = _heard(reader, child, until.encode())
        _, status, used = os.wait4(child, 0)
    finally:
        os.close(reader)
    return Ran(
        words=tuple(words),
        code=os.waitstatus_to_exitcode(status),
        out=_all(out),
        err=said.decode(errors="replace"),
        report=_all(report),
        cpu=used.ru_utime + used.ru_stime,
        peak=used.ru_maxrss >> 10,
    )


def _become(work: Callable[[], int], out: int, err: int, report: int) -> None:
    """The child's part: in a session of its own, with the given files."""
    code = 70
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        os.dup2(report, REPORT)
        os.closerange(REPORT + 1, 256)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - until the end
        sys.stderr = open(2, "w", 1, "utf-8", closefd=False)  # noqa: SIM115 - until the end
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException as error:  # noqa: BLE001 - the parent sees the code and the words
        sys.stderr.write(f"Traceback: {error!r}\n")
    os._exit(code)


def _heard(reader: int, child: int, until: bytes) -> bytes:
    """All that the child says, until it and what it started have ended."""
    said, poll = b"", select.poll()
    poll.register(reader, select.POLLIN)
    handle = os.pidfd_open(child)
    poll.register(handle, select.POLLIN)
    try:
        while ready := poll.poll(PATIENCE * 1000):
            files = {number for number, _ in ready}
            chunk = os.read(reader, 1 << 16) if reader in files else b""
            said += chunk
            if until and until in said:
                os.kill(child, signal.SIGKILL)
                until = b""
            if not chunk and (handle in files or reader in files):
                return said
    finally:
        os.close(handle)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    msg = f"it did not end in {PATIENCE} s: {said[-500:]!r}"
    raise FaultError(msg)


def _all(file: int) -> str:
    with os.fdopen(file, "rb") as stream:
        stream.seek(0)
        return stream.read().decode(errors="replace")
