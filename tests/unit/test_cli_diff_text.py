"""A change log as text and as Markdown: logs, long lists, what is not known, and odd names."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from rvbuild.app.diff import DiffView
from rvbuild.cli.diff_sections import DiffSection, sections_of
from rvbuild.cli.diff_text import markdown_lines, text_lines
from rvbuild.core.component import ComponentChange, Move
from rvbuild.core.errors import LockError, SourceError
from rvbuild.core.lock_diff import (
    FactChange,
    LockDiff,
    PinChange,
    PinOrigin,
    PinOverride,
    SourceChange,
)
from rvbuild.core.names import PinRef, SourceRef
from rvbuild.core.override import Override
from rvbuild.core.rebuild import Rebuild, RebuiltTarget
from rvbuild.core.recipe_diff import RecipeDiff
from rvbuild.core.upstream_log import UpstreamCommit, UpstreamLog

SOURCE = SourceRef("a", "tree")
SAME = DiffView(
    old="v1",
    new="",
    lock=LockDiff(pins=(), sources=(), sets=(), overall=()),
    replaced=(),
    recipes=RecipeDiff(),
    rebuild=None,
    logs=None,
    failures=(),
)


def text(view: DiffView) -> str:
    return "\n".join(text_lines("t", sections_of(view)))


def markdown(view: DiffView) -> str:
    return "\n".join(markdown_lines("t", sections_of(view)))


def section(view: DiffView, title: str) -> DiffSection:
    (found,) = (each for each in sections_of(view) if each.title == title)
    return found


def test_nothing_differs():
    assert text(SAME) == "t: nothing differs"
    assert markdown(SAME) == "## `t`\n\nNothing differs."


def commit(name: str, subject: str, *, is_gone: bool = False) -> UpstreamCommit:
    return UpstreamCommit(
        commit=name * 40, date=1_770_821_971, subject=subject, files=("a",), is_gone=is_gone
    )


LOG = UpstreamLog(
    source=SOURCE,
    old="0" * 40,
    new="2" * 40,
    commits=(commit("2", "Mend"), commit("1", "Break", is_gone=True)),
    others=1,
)


def test_the_log_of_a_source():
    assert text(evolve(SAME, logs=(LOG,))).splitlines()[2:] == [
        "Commits of a/tree",
        "    222222222222  2026-02-11  Mend",
        "  - 111111111111  2026-02-11  Break",
        "    1 other commit touches nothing that a step reads",
    ]
    assert "- gone: `111111111111` `2026-02-11  Break`" in markdown(evolve(SAME, logs=(LOG,)))
    undated = evolve(LOG, commits=(evolve(commit("2", "Mend"), date=None),))
    assert "  222222222222  Mend" in text(evolve(SAME, logs=(undated,))).splitlines()
    many = evolve(LOG, commits=(), others=2)
    assert "2 other commits touch nothing" in text(evolve(SAME, logs=(many,)))


def test_a_log_that_cannot_be_had_says_why():
    log = evolve(LOG, commits=(), others=0, problem=SourceError("no way", where="there"))
    assert "not known:  there: no way" in text(evolve(SAME, logs=(log,)))


def test_targets_that_are_not_known_stand_together():
    error = LockError("no answer")
    rebuild = Rebuild(
        unlinked=(("a-arm64", error), ("a-amd64", error), ("b-arm64", LockError("x")))
    )
    lines = section(evolve(SAME, rebuild=rebuild), "Not known").lines
    assert [(line.subject, line.note) for line in lines] == [
        ("a-arm64 and 1 more", "no answer"),
        ("b-arm64", "x"),
    ]


def components(*changes: tuple[str, Move]) -> DiffView:
    overall = tuple(
        ComponentChange(
            kind="go-module",
            name=name,
            old=() if move is Move.ADDED else ("v1",),
            new=() if move is Move.REMOVED else ("v1",),
            move=move,
        )
        for name, move in changes
    )
    return evolve(SAME, lock=evolve(SAME.lock, overall=overall))


def test_each_move_has_its_mark_or_its_word():
    view = components(*((move.value, move) for move in Move))
    assert text(view).splitlines()[3:] == [
        "  + added  v1",
        "  - removed  v1",
        "    up  v1 -> v1",
        "    down  v1 -> v1  (down)",
        "    replaced  v1 -> v1  (replaced)",
    ]


def test_a_long_list_is_folded_in_markdown_alone():
    short, long = (components(*((f"m{at}", Move.UP) for at in range(n))) for n in (15, 16))
    assert "<details>" not in markdown(short)
    assert "<summary>16 changes</summary>" in markdown(long)
    assert text(long).count("\n") == 18


def source(**facts: tuple[str | None, str | None]) -> DiffView:
    change = SourceChange(
        source=SOURCE,
        kind="url",
        move=Move.REPLACED,
        facts=tuple(FactChange(name, *values) for name, values in facts.items()),
        is_same_content=False,
    )
    return evolve(SAME, lock=evolve(SAME.lock, sources=(change,)))


def test_a_source_shows_what_people_compare_and_else_the_beginning_of_its_content():
    view = source(tree=("0" * 40, "1" * 40), tag=(None, "v2"), commit=("a" * 40, "b" * 40))
    assert f"{'a' * 12} -> v2, {'b' * 12}" in text(view)
    assert f"{'0' * 12} -> {'1' * 12}" in text(source(sha256=("0" * 64, "1" * 64)))
    assert "AAAAAAAAAAAA ->" in text(source(h1=(f"h1:{'A' * 43}=", "h1:B")))


def test_what_is_from_outside_steers_neither_a_terminal_nor_markdown():
    hostile = "a\x1b[31m`\n# b ](c) <script>"
    view = evolve(SAME, logs=(evolve(LOG, commits=(commit("2", hostile),)),))
    assert not {"\x1b", "`"} & {*text(view).replace("`", "", 1)}
    (line,) = (line for line in markdown(view).splitlines() if "script" in line)
    assert line == "- `222222222222` `2026-02-11  a\\x1b[31m'\\n# b ](c) <script>`"


VERSION = PinRef("app", "version")
CVE = PinOverride("1`.0", Override(value="2.0", because=("CVE-1", "a`b"), upstream="1`.0"))
PLACE = PinOrigin(source="a", revision="v1", file="deps", line=3)


def pinned(**change: Any) -> DiffView:  # noqa: ANN401 - the change's
    values = {"pin": VERSION, "old": None, "new": None, "old_origin": None, "origin": None}
    return evolve(SAME, lock=evolve(SAME.lock, pins=(PinChange(**{**values, **change}),)))


def test_a_value_that_a_person_decided():
    """A reason is text from outside, too."""
    view = pinned(old="1.0", new="2.0", origin=PLACE, override=CVE)
    assert "  app  1.0 -> 2.0 instead of 1`.0  (deps:3 of a v1), because CVE-1, a`b" in text(view)
    line = "- `app` `1.0` → `2.0 instead of 1'.0` (`deps:3 of a v1`), `because CVE-1, a'b`"
    assert line in markdown(view)


def test_a_value_that_went_with_its_reason():
    view = pinned(old="2.0", old_origin=PLACE, old_override=CVE)
    assert "- app  2.0 instead of 1`.0  (deps:3 of a v1), because CVE-1, a`b" in text(view)


def test_a_fact_of_a_commit_stands_in_no_line():
    view = pinned(old="1", new="2", origin=evolve(PLACE, file="", line=0))
    assert "  app  1 -> 2  (a v1)" in text(view)


def test_targets_that_are_the_same():
    """Those that were asked about are named, and others counted."""
    rebuilt = RebuiltTarget(target="a-riscv64", old="1", new="2", causes=())
    broken = (("c", LockError("no answer")),)
    view = evolve(SAME, rebuild=Rebuild(targets=(rebuilt,), same=1, unlinked=broken))
    assert "1 other target is the same" in text(view)
    asked = evolve(view, targets=("a-riscv64", "b", "c"))
    assert "The same\n  b\n" in text(asked)
    assert "other" not in text(asked)
