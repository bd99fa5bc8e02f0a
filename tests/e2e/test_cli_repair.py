"""A result that somebody changed in their hands: it is not handed out, and can be made anew."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from world import HELLO, HERE, World

HELLO_HERE = f"hello-{HERE}"


def edited(world: World, text: str) -> Path:
    """Write a result's file as a person would who may: its owner."""
    file = world.folder / "result" / HELLO_HERE / "share/hello.txt"
    file.chmod(0o644)
    file.write_text(text)
    return file


@pytest.mark.parametrize("forgets", [False, True])
def test_a_result_changed_by_hand_is_refused_and_made_anew(world: World, *, forgets: bool):
    """Also where the last answer is remembered; as long as it was, and as read-only."""
    world.fine(HELLO_HERE)
    world.fine(HELLO_HERE)  # remembers
    if forgets:
        world.forget_memo()
    right = (world.folder / "result" / HELLO_HERE / "share/hello.txt").read_text()
    file = edited(world, right.upper())
    file.chmod(0o444)
    for words in ((HELLO_HERE,), ("plan", HELLO_HERE)):
        ran = world.run(*words)
        assert (ran.code, ran.out) == (5, ""), str(ran)
        ran.said("error: a result was changed in the store", "share/hello.txt")
        ran.said("hint: run `rvbuild store repair`")
    assert world.run("store", "verify").code == 5

    ran = world.fine("store", "repair")
    assert "the store is whole: " in ran.out
    ran.said("what was set aside is in ", str(world.store / "damaged"), "build again")
    aside = list((world.store / "damaged").rglob("hello.txt"))
    assert [path.read_text() for path in aside] == [right.upper()]
    world.sound()
    world.fine(HELLO_HERE).said("built 1")
    assert (world.folder / "result" / HELLO_HERE / "share/hello.txt").read_text() == right


def test_what_was_made_of_it_before_is_kept_and_after_is_not_made(world: World):
    world.step("user", "cp /in/hello/share/hello.txt $out/out.txt",
               "inputs: {target: [hello]}\n")  # fmt: skip
    user = f"user-{HERE}"
    world.fine(HELLO_HERE, user)
    right = (world.folder / "result" / user / "out.txt").read_text()
    edited(world, "changed\n")
    world.step("user", "cat /in/hello/share/hello.txt > $out/out.txt",
               "inputs: {target: [hello]}\n")  # fmt: skip
    ran = world.run(user)
    assert (ran.code, ran.out) == (5, ""), str(ran)
    world.fine("store", "repair")
    world.fine(user)
    assert (world.folder / "result" / user / "out.txt").read_text() == right


def test_a_file_that_was_put_there_is_no_part_of_a_result(world: World):
    world.fine(HELLO_HERE)
    world.fine(HELLO_HERE)
    mine = world.folder / "result" / HELLO_HERE / "share/mine.txt"
    mine.write_text("mine")
    ran = world.run(HELLO_HERE)
    assert (ran.code, ran.out) == (5, ""), str(ran)
    ran.said("error: a result was changed in the store", "/share")
    world.fine("store", "repair")
    world.fine(HELLO_HERE)
    assert not mine.exists()
    assert [file.read_text() for file in (world.store / "damaged").rglob("mine.txt")] == ["mine"]


@pytest.mark.parametrize("count", [101, 1001])
def test_no_file_of_many_is_changed_unseen(world: World, count: int):
    script = 'mkdir -p "$out/a/b/empty"; touch "$out/a/b/1"\n'
    script += f'for i in $(seq {count}); do echo "$i" > "$out/f$i"; done'
    world.step("many", script, output="f1")
    many = f"many-{HERE}"
    world.fine(many)
    world.fine(many)  # remembers, if it does
    top = world.folder / "result" / many
    for place in ("a", "a/b/empty"):
        (top / place / "mine").touch()
        assert world.run(many).code == 5, place
        world.fine("store", "repair")
        world.fine(many)
        world.fine(many)
    for file in (top / "f1", top / f"f{count}", top / "f99"):
        file.chmod(0o644)
        file.write_text("mine")
        assert world.run(many).code == 5, file
        world.fine("store", "repair")
        world.fine(many)
        world.fine(many)


def test_the_log_of_what_a_repair_has_set_aside(world: World):
    world.fine(HELLO_HERE)
    edited(world, "mine")
    world.fine("store", "repair")
    ran = world.run("log", HELLO_HERE)
    assert (ran.code, ran.out) == (2, "")
    ran.said("no step of it has run here, or `rvbuild store repair` has set its result aside")
    ran.said(f"`rvbuild {HELLO_HERE}` builds it")


def test_a_repair_for_programs(world: World):
    world.fine(HELLO_HERE)
    assert json.loads(world.fine("store", "repair", "--json").out) == {"repairs": []}
    edited(world, "mine")
    repairs = world.fine("store", "repair", "--json").json["repairs"]
    assert {each["done"] for each in repairs} == {"set aside", "dropped"}
    assert all(os.path.exists(each["kept"]) for each in repairs if each["done"] == "set aside")


def test_the_log_of_a_lost_blob_is_told(world: World):
    world.recipe("hello", HELLO.replace("mkdir", 'echo "no more"; exit 4; mkdir'))
    assert world.run(HELLO_HERE).code == 1
    (note,) = world.store.glob("failed/*/*")
    name = note.read_text().partition("/")[0]
    (world.store / "cas" / name[:2] / name).unlink()
    ran = world.run("log", HELLO_HERE)
    assert (ran.code, ran.out) == (2, "")
    ran.said("the log is not in the store any more", HELLO_HERE, "hint: ")
