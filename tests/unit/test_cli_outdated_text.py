"""The table of `outdated`: columns, what is said of each state, and 80 columns."""

from __future__ import annotations

import pytest
from attrs import evolve

from rvbuild.cli.outdated_text import outdated_lines
from rvbuild.core.candidate import Candidate, Choice, HeldBack, Hold
from rvbuild.core.component import ComponentChange, Move
from rvbuild.core.errors import SourceError
from rvbuild.core.lock_diff import PinOrigin
from rvbuild.core.names import PinRef
from rvbuild.core.override import Override, OverrideEnd
from rvbuild.core.pin_status import PinState, PinStatus, Unasked
from rvbuild.core.update_policy import Reach, UpdatePolicy
from rvbuild.core.version_listing import CommitsBehind

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def pin(name: str, current: str, state: PinState, **more: object) -> PinStatus:
    recipe, _, called = name.partition("/")
    made = PinStatus(
        pin=PinRef(recipe, called or "version"),
        place=None,
        current=current,
        state=state,
        policy=UpdatePolicy(reach=Reach.PATCH),
    )
    return evolve(made, **more)


def moved(version: str, held: HeldBack | None = None) -> Choice:
    return Choice(allowed=Candidate(version=version), held=held)


def held(version: str, hold: Hold, free: int | None = None) -> HeldBack:
    return HeldBack(candidate=Candidate(version=version), hold=hold, free=free)


def instead(value: str, *because: str, until: str = "") -> Override:
    return Override(value=value, because=because, upstream="1.0", until=until)


def packages(*names: str) -> tuple[ComponentChange, ...]:
    return tuple(
        ComponentChange(kind="debian", name=f"{name} amd64", old=("1",), new=("2",), move=Move.UP)
        for name in names
    )


MOVABLE, HELD, CURRENT, DERIVED, UNASKED = PinState
PINS = [
    pin("a", "1.0", MOVABLE, choice=moved("1.1")),
    pin("b", "v1", MOVABLE, choice=moved("v2", held("v3", Hold.POLICY))),
    pin("c", "v1", MOVABLE, choice=moved("v2", held("v3", Hold.MIN_AGE, 1_700_000_000))),
    pin("d", "v1", MOVABLE, choice=moved("v2", held(f"v3-{'x' * 60}", Hold.NO_MOMENT))),
    pin(
        "toolbox/sources.debian.suite",
        "20260711T101637Z",
        MOVABLE,
        choice=moved("20260801T000000Z"),
        packages=packages("libc6", "bash", "sed", "awk", "tar"),
    ),
    pin(
        "box/sources.box.suite",
        "20260711T101637Z",
        MOVABLE,
        choice=moved("20260801T000000Z"),
        packages=packages("sed"),
    ),
    pin("e", "1", HELD, choice=Choice(held=held("2-rc1", Hold.PRERELEASE))),
    pin("k@1/commit", COMMIT, HELD, behind=CommitsBehind(branch="main", count=1)),
    pin("k@2/commit", COMMIT, HELD, label="v2", behind=CommitsBehind(branch="main", count=2)),
    pin("f", "1", CURRENT, behind=CommitsBehind(branch="main", count=0)),
    pin("g/go", "1", DERIVED, origin=PinOrigin(source="k@1", revision="r", file="f", line=3)),
    pin("g/date", "9", DERIVED, origin=PinOrigin(source="k@1", revision="r", file="", line=0)),
    pin("h", "", DERIVED, unasked=Unasked.NOT_LOCKED, instead=instead("1.5", "CVE-1")),
    pin(
        "m@1",
        "1.1",
        CURRENT,
        instead=instead("1.5", "CVE-1", "CVE-2", until="2027-03-01"),
        ended_by=OverrideEnd.UPSTREAM,
    ),
    pin(
        "n",
        "1.0",
        CURRENT,
        instead=instead("1.5", "CVE-1", until="2026-03-01"),
        ended_by=OverrideEnd.DAY,
    ),
    pin("o/go", "1.0", DERIVED, instead=instead("1.5", "CVE-1", until="2027-03-01")),
    pin("i", "1", UNASKED, unasked=Unasked.OFFLINE),
    pin("j/sources.z.url", "https://e.org/z-1.tar", UNASKED, unasked=Unasked.NO_LISTING),
    pin(
        "l",
        "1",
        UNASKED,
        unasked=Unasked.UNREACHABLE,
        problem=SourceError("no answer", where="e.org", details=("a: 500", "b: 503")),
    ),
]
TABLE = """\
May be moved
  a               1.0 -> 1.1
  b               v1 -> v2                  v3: update is patch
  c               v1 -> v2                  v3: from 2023-11-14 on
  d               v1 -> v2
      v3-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx: nobody says its age
  toolbox debian  2026-07-11 -> 2026-08-01  libc6, bash, sed and 2 more
  box             2026-07-11 -> 2026-08-01  sed

Held back
  e    1             2-rc1 is a pre-release
  k@1  0123456789ab  1 commit behind main
  k@2  v2            2 commits behind main

Overrides
  h     1.5 while 1.0       not locked; CVE-1
  m@1   1.5 instead of 1.1  ended: it is for 1.0; CVE-1, CVE-2
  n     1.5 instead of 1.0  ended: it was until 2026-03-01; CVE-1
  o go  1.5 instead of 1.0  until 2027-03-01; CVE-1

Up to date: 3

Derived: 4

Not asked
  offline: 1
    i 1
  an address has no list of versions: 1
    j z z-1.tar
  no answer: 1
    l 1
      e.org: no answer
        a: 500
        b: 503
"""
ALL = """\
Up to date
  f    1
  m@1  1.1
  n    1.0

Derived
  g go    1    k@1 f:3
  g date  9    k@1
  h            not locked
  o go    1.0  not locked
"""


def test_the_table():
    assert "\n".join(outdated_lines(PINS)) == TABLE


def test_all_of_it():
    lines = "\n".join(outdated_lines(PINS, every=True))
    assert ALL in lines
    assert lines.replace(ALL, "Up to date: 3\n\nDerived: 4\n") == TABLE


def test_many_names_are_wrapped():
    pins = [pin(f"recipe-{n}", "1.0", UNASKED, unasked=Unasked.OFFLINE) for n in range(30)]
    lines = [*outdated_lines(pins)]
    assert max(map(len, lines)) <= 80
    assert len(lines) > 5


@pytest.mark.parametrize("every", [True, False])
def test_nothing_is_there(*, every: bool):
    assert [*outdated_lines([], every=every)] == ["no pin is there"]
