"""What every campaign has: a seed, trials, a place where it may do damage, one last line.

Knows: numbers and processes. Must not know: what a trial tries.

Trial K of seed N draws all that it chooses from a generator of its own, so that
``--seed N --only K`` repeats it alone, whatever ran before it.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from attrs import frozen

ROOT = Path(__file__).resolve().parents[3]
_SUBREAPER = 36
_MOST = 3000  # characters of a fault: a line in a pipe is whole up to a page
_ALONE = """
mount --make-rprivate /
mount --bind "$1" "$1"
mount -o remount,bind,ro /
shift
exec "$@"
"""


class FaultError(Exception):
    """What a campaign looks for: something that must hold did not."""


def hold(condition: object, *what: object) -> None:
    """Raise a FaultError that says ``what`` was found, unless ``condition`` holds."""
    if not condition:
        raise FaultError(": ".join(map(str, what)))


class Ground(Protocol):
    """A prepared folder in which one worker does its trials.

    ``doing`` says what the trial does, as ``KIND: DETAILS``; kinds are counted. A trial that
    leaves it empty had nothing to try, and does not count.
    """

    doing: str

    def trials(self) -> int:
        """How many trials there are, where ``--count 0`` asks for all."""
        ...

    def trial(self, rng: random.Random, number: int) -> None:
        """Try one thing, chosen by ``rng`` or by ``number``.

        Raises:
            FaultError: something that must hold did not.
        """
        ...


@frozen(kw_only=True)
class Options:
    """The command line of a campaign; ``more`` has what only one campaign knows."""

    name: str
    seed: int
    count: int
    only: int | None
    workers: int
    verbose: bool
    record: str | None
    inside: str | None
    more: argparse.Namespace


@frozen
class Tally:
    """What a campaign did; ``kinds`` counts its trials by kind."""

    tried: int
    failed: int
    kinds: dict[str, int]


Prepare = Callable[[Path, Options], Ground]
More = Callable[[argparse.ArgumentParser], object]


def main(name: str, about: str | None, prepare: Prepare, count: int, more: More = repr) -> int:
    """Run a campaign of independent trials; its exit code.

    Args:
        name: Of the campaign.
        about: Its module's docstring.
        prepare: Prepares a folder for one worker.
        count: How many trials there are, unless ``--count`` says otherwise.
        more: Adds what only this campaign takes.
    """
    options = parsed(name, about, count, more)
    return campaign(options, lambda folder: tried(folder, options, prepare))


def parsed(name: str, about: str | None, count: int, more: More = repr) -> Options:
    """Read the command line."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=about, formatter_class=form, allow_abbrev=False)
    add = parser.add_argument
    add("--seed", type=int, default=1, metavar="N", help="what is tried follows from it (1)")
    add("--count", type=int, default=count, help=f"how many trials ({count}; 0: all there are)")
    add("--only", type=int, metavar="K", help="only trial K")
    add("--workers", type=int, default=1, help="how many trials at once (1)")
    add("-v", "--verbose", action="store_true", help="a line for each trial")
    add("--record", metavar="FILE", help="append the figures, for docs/safety.md")
    add("--inside", metavar="FOLDER", help=argparse.SUPPRESS)
    more(parser)
    given = parser.parse_args()
    own = ("seed", "count", "only", "workers", "verbose", "record", "inside")
    return Options(name=name, more=given, **{key: getattr(given, key) for key in own})


def campaign(options: Options, work: Callable[[Path], Tally]) -> int:
    """Do the work in a folder beside which nothing can be written; print and keep the figures."""
    if options.inside:
        tally = work(Path(options.inside))
        text = json.dumps([tally.tried, tally.failed, tally.kinds])
        Path(options.inside, "tally.json").write_text(text)
        return 0
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as ^C does
    began = time.monotonic()
    folder = tempfile.mkdtemp(prefix=f"rvbuild-{options.name}-")
    try:
        Path(folder).chmod(0o755)  # steps may run under another id
        subprocess.run(_apart(folder), check=True)
        tally = Tally(*json.loads(Path(folder, "tally.json").read_text()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _conclude(options, tally, round(time.monotonic() - began))
    return 1 if tally.failed or not tally.tried else 0


def _apart(folder: str) -> list[str]:
    """This command again, where nothing of the disk but ``folder`` can be written.

    Who is not root stays who they are: in a second user namespace, inside the one that
    may mount.
    """
    again = [sys.executable, *sys.argv, "--inside", folder]
    alone = ["sh", "-euc", _ALONE, "sh", folder]
    if os.geteuid() == 0:
        return ["unshare", "-m", *alone, *again]
    me = [f"--map-user={os.geteuid()}", f"--map-group={os.getegid()}"]
    return ["unshare", "-Urm", *alone, "unshare", "-U", *me, *again]


def _conclude(options: Options, tally: Tally, seconds: int) -> None:
    """The last line, and the line of the record."""
    kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(tally.kinds.items()))
    figures = f"{tally.tried} tried, {tally.failed} failed"
    end = f"seed {options.seed}, {seconds} s, commit {commit()}"
    sys.stdout.write(f"{options.name}: {figures} ({kinds}; {end})\n")
    if options.record:
        line = {
            "campaign": options.name,
            "command": " ".join([os.path.relpath(sys.argv[0], ROOT), *_own_words()]),
            "tried": tally.tried,
            "failed": tally.failed,
            "kinds": tally.kinds,
            "date": time.strftime("%Y-%m-%d"),
            "commit": commit(),
        }
        with Path(options.record).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, sort_keys=True) + "\n")


def _own_words() -> list[str]:
    """The command line without what does not change what is tried."""
    words, kept = iter(sys.argv[1:]), []
    for word in words:
        if word in {"--record", "--workers"}:
            next(words, None)
        elif word not in {"-v", "--verbose"}:
            kept.append(word)
    return kept


def commit() -> str:
    """The commit of this checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def tried(folder: Path, options: Options, prepare: Prepare) -> Tally:
    """Do the trials, spread over the workers; what came of them."""
    reader, writer = os.pipe()
    workers = []
    for worker in range(options.workers):
        workers.append(os.fork())
        if workers[-1] == 0:
            os.close(reader)
            _work(worker, folder, options, prepare, writer)
            os._exit(0)
    os.close(writer)
    kinds, failed = Counter[str](), 0
    with os.fdopen(reader, encoding="utf-8") as lines:
        for number, doing, fault in map(json.loads, lines):
            if doing or fault:
                kinds[doing.partition(":")[0]] += number is not None
                failed += fault is not None
                tell(options, number, doing, fault)
    for worker in workers:
        os.waitpid(worker, 0)
    return Tally(sum(kinds.values()), failed, dict(+kinds))


def tell(options: Options, number: int | None, doing: str, fault: str | None) -> None:
    """A line for a trial that failed; for each, where more is asked for."""
    if fault is not None:
        sys.stdout.write(f"FAILED {number}: {doing}: {fault}\n")
        sys.stdout.write(f"  again: --seed {options.seed} --only {number}\n")
    elif options.verbose:
        sys.stdout.write(f"{number}: {doing}\n")
    sys.stdout.flush()


def _work(worker: int, folder: Path, options: Options, prepare: Prepare, writer: int) -> None:
    """One worker: its trials, and a line of JSON for each."""

    def note(number: int | None, doing: str, fault: str | None) -> None:
        line = json.dumps([number, doing, fault and fault[-_MOST:]])
        os.write(writer, line.encode() + b"\n")

    try:
        adopt_orphans()
        own = folder / f"w{worker}"
        own.mkdir()
        ground = prepare(own, options)
        for number in _numbers(options, ground)[worker :: options.workers]:
            ground.doing = ""
            fault = _fault(ground, options, number)
            note(number, ground.doing, fault)
    except BaseException:  # noqa: BLE001 - told to the process that counts
        note(None, f"worker {worker}", traceback.format_exc())


def _numbers(options: Options, ground: Ground) -> range:
    if options.only is not None:
        return range(options.only, options.only + 1)
    return range(options.count or ground.trials())


def _fault(ground: Ground, options: Options, number: int) -> str | None:
    try:
        ground.trial(generator(options.seed, number), number)
    except FaultError as fault:
        told = str(fault)
    except Exception:  # noqa: BLE001 - a trial that breaks has found something
        told = traceback.format_exc()
    else:
        return None
    _end_children()
    return told


def generator(seed: int, number: int) -> random.Random:
    """What trial ``number`` chooses by."""
    return random.Random(f"{seed}/{number}")  # noqa: S311 - no secret


def one_processor() -> None:
    """Let threads take turns: with more than one processor, their order is chance."""
    processors = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {processors[os.getpid() % len(processors)]})


def adopt_orphans() -> None:
    """Become the parent of every process whose own parent ends, so that none is overlooked."""
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def reap(seconds: int = 20) -> None:
    """Wait for every process that is left.

    Raises:
        FaultError: some did not end; they are killed.
    """

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        return
    except TimeoutError:
        msg = f"processes are left: {_end_children()}"
        raise FaultError(msg) from None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _end_children() -> list[str]:
    """Kill what is left below this process; the command lines."""
    lines = []
    for pid in map(int, Path("/proc/thread-self/children").read_text().split()):
        lines.append(Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")[:200])
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return lines
