"""An update as a change log: values that follow, and why, as `diff` has them."""

from __future__ import annotations

from itertools import product

import pytest
from attrs import evolve

from rvbuild.app.update_view import UpdateView
from rvbuild.cli.diff_sections import DiffLine, pin_line
from rvbuild.cli.diff_text import markdown_lines
from rvbuild.cli.update_text import update_lines, update_sections, update_title
from rvbuild.core.lock_diff import LockDiff, PinChange, PinOrigin, PinOverride
from rvbuild.core.names import PinRef
from rvbuild.core.override import Override
from rvbuild.core.pin_step import FactChange, PinStep
from rvbuild.core.place import Place

STEP = PinStep(pin=PinRef("tree", "commit"), place=Place("r.yaml", 1, 1), old="1", new="2")
PLACE = PinOrigin(source="tree", revision="v1", file="deps", line=3)


def _override(why: str, until: str = "") -> PinOverride:
    return PinOverride("1.0", Override(value="1.5", because=(why,), upstream="1.0", until=until))


def _change(
    old: PinOverride | str | None, new: PinOverride | str | None, place: PinOrigin | None = PLACE
) -> PinChange:
    """A value of `app` on two sides: upstream's, or another instead."""
    sides = [
        ("1.5", each) if isinstance(each, PinOverride) else (each, None) for each in (old, new)
    ]
    return PinChange(
        pin=PinRef("app", "version"),
        old=sides[0][0],
        new=sides[1][0],
        old_origin=None if old is None else place,
        origin=None if new is None else place,
        old_override=sides[0][1],
        override=sides[1][1],
    )


def _view(change: PinChange) -> UpdateView:
    return UpdateView(
        steps=(STEP,),
        diff=LockDiff(pins=(change,), sources=(), sets=(), overall=()),
        origins={"app": 0},
        files={"r.yaml": (b"1", b"2")},
        project="/p",
    )


def _line(change: PinChange) -> str:
    """The one line that follows from the move."""
    _, line, _ = update_lines(_view(change))
    return line


ONE, TWO = _override("CVE-1"), _override("CVE-2", "2031-01-01")
SAYS = "deps:3 of tree v1"
LINES = {
    "another": (_change("1.0", "2.0"), f"app 1.0 -> 2.0, because {SAYS} says so"),
    "it came": (_change(None, "2.0"), f"+ app 2.0, because {SAYS} says so"),
    "it went": (_change("2.0", None), f"- app 2.0, because {SAYS} said so"),
    "a decision": (
        _change("1.0", ONE), f"app 1.0 -> 1.5 instead of 1.0 ({SAYS}), because CVE-1",
    ),
    "another decision": (
        _change(ONE, TWO),
        f"app 1.5 instead of 1.0 -> 1.5 instead of 1.0 ({SAYS}), because CVE-2, until 2031-01-01",
    ),
    "no decision": (
        _change(ONE, "1.0"), f"app 1.5 instead of 1.0 -> 1.0, because {SAYS} says so",
    ),
    "no decision, and what was decided": (
        _change(ONE, "1.5"), f"app 1.5 instead of 1.0 -> 1.5, because {SAYS} says so",
    ),
    "of what came": (_change(None, ONE), f"+ app 1.5 instead of 1.0 ({SAYS}), because CVE-1"),
    "of what went": (_change(ONE, None), f"- app 1.5 instead of 1.0 ({SAYS}), because CVE-1"),
    "of a literal": (_change("1.0", ONE, None), "app 1.0 -> 1.5 instead of 1.0, because CVE-1"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINES)
def test_a_value_that_follows_and_why(name: str):
    change, line = LINES[name]
    assert _line(change) == line


@pytest.mark.parametrize(
    ("new", "series", "text"),
    [
        ("2", "1", "tree: 1 -> 2"),
        ("1", "1", "tree: 1, as before"),
        ("1", "3", "tree@1 -> tree@3: 1"),
        ("2", "3", "tree@1 -> tree@3: 1 -> 2"),
        ("", "1", "tree: a series goes"),
    ],
)
def test_the_move_itself(new: str, series: str, text: str):
    """What is said of a value that stays is no change of it."""
    step = evolve(STEP, new=new, old_series="1", series=series)
    view = evolve(_view(_change("1.0", "2.0")), steps=(step,))
    assert next(update_lines(view)) == update_title(view) == text


SIDES = (None, "1.0", "1.5", ONE, TWO)


@pytest.mark.parametrize(("old", "new"), [(a, b) for a, b in product(SIDES, SIDES) if a != b])
@pytest.mark.parametrize("place", [PLACE, None])
def test_it_is_what_diff_says(
    old: PinOverride | str | None, new: PinOverride | str | None, place: PinOrigin | None
):
    """Values, marks and reasons are the same, in each form; no change reads as none."""
    change = _change(old, new, place)
    said: DiffLine = pin_line(change)
    (section,) = [each for each in update_sections(_view(change)) if each.title == "Versions"]
    (line,) = section.lines
    facts = ("subject", "old", "new", "mark", "reason")
    assert [getattr(line, each) for each in facts] == [getattr(said, each) for each in facts]
    assert said.note in line.note
    text = _line(change)
    assert all(each in text for each in (said.old, said.new, said.note, said.reason))
    before, arrow, after = text.partition(",")[0].removeprefix("app ").partition(" -> ")
    assert not arrow or before != after or said.reason
    (item,) = [each for each in markdown_lines("t", [section]) if each.startswith("- ")]
    assert said.reason in item


FACTS = {
    "patches": (
        FactChange(name="patches", old="a,b,c", new="c,a,d"),
        [
            "- b, because you asked",
            "+ d, because you asked",
            "patches c, a, d, in this order, because you asked",
        ],
    ),
    "of a source": (
        FactChange(name="user.x.patches", old="a", new=""),
        ["- a of user.x, because you asked"],
    ),
    "a day": (
        FactChange(name="end-of-support", old="2027-01-01", new="2028-01-01"),
        ["end-of-support 2027-01-01 -> 2028-01-01, because you asked"],
    ),
    "what came": (
        FactChange(name="release", old="", new="v1"),
        ["+ release v1, because you asked"],
    ),
    "what went": (
        FactChange(name="release", old="v1", new="", is_said=False),
        ["- release v1, because a commit is no release"],
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_a_fact_that_changes_and_why(name: str):
    fact, expected = FACTS[name]
    view = UpdateView(
        steps=(evolve(STEP, facts=(fact,)),),
        files={"r.yaml": (b"1", b"2")},
        unused=("b",),
        project="/p",
    )
    _, *lines, file, unused = update_lines(view)
    assert (lines, file) == (expected, "r.yaml")
    assert unused == "b: no patch of its recipe any more; the file stays"
    sections = {section.title: section.lines for section in update_sections(view)}
    assert len(sections["Patches" if "patches" in fact.name else "Facts"]) == len(expected)
    assert sections.keys() - {"Patches", "Facts"} == {"Files", "Unused files"}
