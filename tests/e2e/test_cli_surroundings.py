"""Odd surroundings: the same answer as ever, or an error that says what is wrong; no traceback.

Each is tried on a build that a memo answers, on one that looks for itself, on a build of one
small step, and on `show`. The control is the same without the odd thing.
"""

from __future__ import annotations

import re
import resource
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import field, frozen
from world import HELLO, HERE, Ran, World, clean_environment

TARGET = f"hello-{HERE}"
NEW = f"new-{HERE}"

pytestmark = pytest.mark.privileged


@frozen(kw_only=True)
class Odd:
    """What is odd: variables (None: unset), a shell's words before the program, a limit."""

    environment: dict[str, str | None] = field(factory=dict)
    before: str = ""
    limits: dict[int, int] = field(factory=dict)

    def run(self, world: World, *words: str) -> Ran:
        known = {**world.environment, **self.environment}
        environment = {name: value for name, value in known.items() if value is not None}
        program = shlex.join([*world.program, *words])
        done = subprocess.run(
            ["sh", "-c", f"{self.before or ':'}\n{program}"],
            cwd=world.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            preexec_fn=self._limit,
            timeout=120,
        )
        out, err = (text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr))
        return Ran(done.returncode, out, err)

    def _limit(self) -> None:
        for number, value in self.limits.items():
            resource.setrlimit(number, (value, value))


CLOCKS = {"1970": 0, "1980": 315_532_800, "2038": 1 << 31, "2106": 1 << 32, "2200": 7_258_118_400}
CLOCK = str(Path(__file__).parents[1] / "support/clock")


def at(seconds: int) -> Odd:
    """The clock says so, whatever time files have."""
    return Odd(environment={"PYTHONPATH": CLOCK, "CLOCK": str(seconds)})


LOCALE = {"LC_ALL": None, "LANG": None, "LC_CTYPE": None}
SAME = {
    "nothing odd": Odd(),
    "locale C": Odd(environment={"LC_ALL": "C"}),
    "locale POSIX, no UTF-8 of Python's": Odd(
        environment={"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ),
    "an unknown locale": Odd(environment={"LC_ALL": "xx_YY.nothing"}),
    "no locale": Odd(environment=LOCALE),
    "latin-1": Odd(environment={"PYTHONIOENCODING": "latin-1"}),
    "ASCII": Odd(environment={"PYTHONIOENCODING": "ascii"}),
    "TERM=dumb": Odd(environment={"TERM": "dumb"}),
    "TERM of nothing": Odd(environment={"TERM": ""}),
    "COLUMNS=0": Odd(environment={"COLUMNS": "0", "LINES": "0"}),
    "COLUMNS=1": Odd(environment={"COLUMNS": "1", "LINES": "1"}),
    "COLUMNS huge": Odd(environment={"COLUMNS": "9" * 18, "LINES": "9" * 18}),
    "COLUMNS is a word": Odd(environment={"COLUMNS": "wide"}),
    "FORCE_COLOR": Odd(environment={"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1"}),
    "no HOME": Odd(environment={"HOME": None}),
    "HOME of nothing": Odd(environment={"HOME": ""}),
    "HOME is nowhere": Odd(environment={"HOME": "/nowhere/at/all"}),
    "HOME is a file": Odd(environment={"HOME": "/dev/null"}),
    "no PATH": Odd(environment={"PATH": None}),
    "nothing but the store": Odd(environment={"HOME": None, "PATH": None, "USER": None, **LOCALE}),
    "TMPDIR is nowhere": Odd(environment={"TMPDIR": "/nowhere/at/all"}),
    "TMPDIR of nothing": Odd(environment={"TMPDIR": ""}),
    "TZ is a word": Odd(environment={"TZ": "Mars/Olympus"}),
    "SOURCE_DATE_EPOCH": Odd(environment={"SOURCE_DATE_EPOCH": "no number"}),
    "GIT_DIR": Odd(environment={"GIT_DIR": "/nowhere", "GIT_CONFIG_GLOBAL": "/nowhere"}),
    "CDPATH, BASH_ENV": Odd(environment={"CDPATH": "/", "BASH_ENV": "/nowhere", "ENV": "/x"}),
    "LD_LIBRARY_PATH": Odd(environment={"LD_LIBRARY_PATH": "/nowhere"}),
    "variables that are no UTF-8": Odd(environment={"CANARY": "\udcff\udcfe"}),
    "umask 0777": Odd(before="umask 0777"),
    "umask 0": Odd(before="umask 0"),
    "umask 0077": Odd(before="umask 0077"),
    "standard input closed": Odd(before="exec <&-"),
    "standard error closed": Odd(before="exec 2>&-"),
    "standard error full": Odd(before="exec 2>/dev/full"),
    "standard error only to be read": Odd(before="exec 2</dev/null"),
    "more descriptors": Odd(before="exec 3</dev/null 4>/dev/null 9>&1"),
    "hang-up is ignored": Odd(before="trap '' HUP INT TERM"),
    "child signals are ignored": Odd(before="trap '' CHLD PIPE ALRM"),
    "nice": Odd(before="renice -n 19 $$ >/dev/null"),
    "no core, no locked memory": Odd(limits={resource.RLIMIT_CORE: 0, resource.RLIMIT_MEMLOCK: 0}),
    "256 files": Odd(limits={resource.RLIMIT_NOFILE: 256}),
    "1 GiB of addresses": Odd(limits={resource.RLIMIT_AS: 1 << 30}),
    **{f"the clock says {year}": at(seconds) for year, seconds in CLOCKS.items()},
}
"""Nothing of it is a reason for another answer, or for an error."""

ERROR = {
    "16 files": Odd(limits={resource.RLIMIT_NOFILE: 16}),
    "8 files": Odd(limits={resource.RLIMIT_NOFILE: 8}),
    "64 MiB of addresses": Odd(limits={resource.RLIMIT_AS: 64 << 20}),
    "96 MiB of addresses": Odd(limits={resource.RLIMIT_AS: 96 << 20}),
    "160 MiB of addresses": Odd(limits={resource.RLIMIT_AS: 160 << 20}),
    "no file may be written": Odd(limits={resource.RLIMIT_FSIZE: 0}),
    "small files": Odd(limits={resource.RLIMIT_FSIZE: 4096}),
    "a small stack": Odd(limits={resource.RLIMIT_STACK: 256 << 10}),
    "standard output full": Odd(before="exec >/dev/full"),
    "standard output closed": Odd(before="exec >&-"),
    "all closed": Odd(before="exec <&- >&- 2>&-"),
    "standard output only to be read": Odd(before="exec </dev/null >&0"),
    "HOME may not be entered": Odd(environment={"HOME": "/proc/1/root/x", "XDG_CACHE_HOME": None}),
}
"""Each may be an error, and then one that says so."""


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, seed: Path) -> Iterator[World]:
    """A project that is built, with a memo, and a recipe that changes with each run."""
    folder = tmp_path_factory.mktemp("calm")
    store = folder / "store"
    environment = {**clean_environment(folder), "RVBUILD_STORE": str(store)}
    world = World(folder=folder / "project", store=store, environment=environment)
    world.folder.mkdir()
    (world.folder / "rvbuild.lock").touch()
    world.clone(seed)
    world.recipe("hello", HELLO)
    world.fine(TARGET)
    yield world
    subprocess.run(["rm", "-rf", str(folder)], check=True)


COUNT = iter(range(10**6))


def change(world: World) -> str:
    """Make the small step a new one; what it writes."""
    text = f"number {next(COUNT)}"
    world.step("new", f"echo {text} > $out/out.txt; umask >> $out/out.txt")
    return text


def answers(world: World, run: Callable[..., Ran]) -> dict[str, Ran]:
    """What the program answers to each question of the table."""
    world.fine(TARGET)
    found = {"memo": run(world, TARGET)}
    world.forget_memo()
    found["keep"] = run(world, TARGET)
    found["show"] = run(world, "show", "--json", TARGET)
    change(world)
    found["new"] = run(world, NEW)
    return found


def no_crash(ran: Ran) -> None:
    assert "Traceback" not in ran.err, str(ran)
    assert "Exception ignored" not in ran.err, str(ran)
    assert "bug in rvbuild" not in ran.err, str(ran)
    assert ran.code != 70, str(ran)


@pytest.fixture(scope="module")
def usual(calm: World) -> dict[str, str]:
    return {name: ran.out for name, ran in answers(calm, Odd().run).items()}


@pytest.mark.parametrize("odd", SAME.values(), ids=SAME.keys())
def test_what_changes_nothing(calm: World, usual: dict[str, str], odd: Odd):
    for name, ran in answers(calm, odd.run).items():
        no_crash(ran)
        assert (ran.code, ran.out) == (0, usual[name]), f"{name}: {ran}"
    made = (calm.folder / "result" / NEW / "out.txt").read_text()
    assert re.fullmatch(r"number \d+\n0022\n", made)


@pytest.mark.parametrize("where", ["/dev/full"])
def test_an_answer_that_cannot_be_written(calm: World, where: str):
    """What was built is kept, where something was."""
    odd = Odd(before=f"exec >{where}")
    for words in ("--help",), ("show",), ("plan", TARGET):
        ran = odd.run(calm, *words)
        assert (ran.code, "what was built" in ran.err) == (1, False), str(ran)
        ran.said("error: the answer cannot be written", "hint: run it again")
    change(calm)
    ran = odd.run(calm, NEW)
    assert ran.code == 1
    ran.said("error: the answer cannot be written", "what was built is kept", "hint: run it")
    assert "built 1" not in calm.fine(NEW).err


@pytest.mark.parametrize("odd", ERROR.values(), ids=ERROR.keys())
def test_what_may_be_an_error(calm: World, usual: dict[str, str], odd: Odd):
    """Whatever it is: what is right is right, and what is wrong has a hint or a reason."""
    for name, ran in answers(calm, odd.run).items():
        no_crash(ran)
        if ran.code == 0 and "exec" not in odd.before:
            assert ran.out == usual[name], f"{name}: {ran}"
        elif ran.code and "2>&-" not in odd.before:
            assert re.search("^error: .*^hint: ", ran.err, re.MULTILINE | re.DOTALL), (
                f"{name}: {ran}"
            )
    calm.fine(NEW)
    calm.fine("store", "verify")


@pytest.mark.parametrize("seconds", CLOCKS.values(), ids=CLOCKS.keys())
def test_gc_keeps_what_is_shown_whatever_the_clock_says(calm: World, seconds: int):
    """The sources of it may go, if they seem not to have been used for long."""
    calm.fine(TARGET)
    ran = at(seconds).run(calm, "gc")
    no_crash(ran)
    assert ran.code == 0, str(ran)
    for clock in (at(seconds), Odd()):
        calm.forget_memo()
        again = clock.run(calm, "build", TARGET, "--no-check", "--offline")
        assert re.match("kept 1 ", again.err), str(again)
    calm.fine("store", "verify")
