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


def in_store(world: World, text: str) -> Path:
    """Write the same file where builds read it, as nobody is led to do."""
    shown = os.readlink(world.folder / "result" / HELLO_HERE)
    file = Path(shown.replace("/views/", "/trees/"), "share/hello.txt")
    file.chmod(0o644)
    file.write_text(text)
    return file


def copied_over(file: Path, text: str) -> None:
    """As `cp -a` of another result does: size, mode and time are the same."""
    before = file.stat()
    file.unlink()
    file.write_text(text)
    file.chmod(0o444)
    os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("over", [False, True])
def test_a_result_changed_by_hand_is_kept_and_shown_anew(
    world: World, *, forgets: bool, over: bool
):
    """Also where the last answer is remembered; as long as it was, as read-only, as old."""
    world.fine(HELLO_HERE)
    world.fine(HELLO_HERE)  # remembers
    if forgets:
        world.forget_memo()
    file = world.folder / "result" / HELLO_HERE / "share/hello.txt"
    right = file.read_text()
    if over:
        copied_over(file, right.upper())
    else:
        edited(world, right.upper())
    assert world.run("store", "verify").code == 5
    ran = world.fine(HELLO_HERE)
    ran.said(HELLO_HERE, "what was made of it is at", str(world.store / "damaged"), "kept 2")
    assert file.read_text() == right
    aside = list((world.store / "damaged").rglob("hello.txt"))
    assert [path.read_text() for path in aside] == [right.upper()]
    world.sound()
    assert "made of it" not in world.fine(HELLO_HERE).err


def test_an_edit_reaches_no_other_build(world: World):
    """Neither as that result, nor as the same content of a source or of another result."""
    script, more = "cp /in/hello/share/hello.txt $out/out.txt", "inputs: {target: [hello]}\n"
    world.fine(HELLO_HERE)
    right = (world.folder / "result" / HELLO_HERE / "share/hello.txt").read_text()
    edited(world, "changed\n")
    world.step("user", script, more)
    world.step("same", f"printf %s '{right}' > $out/out.txt")
    for name in ("user", "same"):
        world.fine(f"{name}-{HERE}")
        assert (world.folder / f"result/{name}-{HERE}/out.txt").read_text() == right


def test_a_result_changed_in_the_store_is_refused_and_made_anew(world: World):
    world.fine(HELLO_HERE)
    right = (world.folder / "result" / HELLO_HERE / "share/hello.txt").read_text()
    in_store(world, "changed\n")
    world.forget_memo()
    for words in ((HELLO_HERE,), ("plan", HELLO_HERE)):
        ran = world.run(*words)
        assert (ran.code, ran.out) == (5, ""), str(ran)
        ran.said("error: a result was changed in the store", "share/hello.txt")
        ran.said("hint: run `rvbuild store repair`")
    world.fine("store", "repair").said("what was set aside is in ", "build again")
    world.fine(HELLO_HERE).said("built 1")
    assert (world.folder / "result" / HELLO_HERE / "share/hello.txt").read_text() == right
    world.sound()


def test_a_result_whose_blob_is_gone_is_the_stores_damage(world: World):
    """Whoever reads the blob alone, and not the tree, says which one, and what to do."""
    world.fine(HELLO_HERE)
    shown = os.readlink(world.folder / "result" / HELLO_HERE)
    file = Path(shown.replace("/views/", "/trees/"), "share/hello.txt")
    (blob,) = (path for path in world.store.glob("cas/*/*") if path.samefile(file))
    blob.unlink()
    ran = world.run("audit", HELLO_HERE)
    assert ran.code == 5, str(ran)
    ran.said("error: the store lacks a blob that it should have", f"--> {blob}")
    ran.said("hint: run `rvbuild store repair`")
    world.fine("store", "repair")
    world.fine(HELLO_HERE)
    world.fine("audit", HELLO_HERE)
    world.sound()


def test_what_was_built_of_a_poisoned_tree_is_made_anew(world: World):
    """The content is in a result whose own bytes are consistent; repair names it."""
    (world.folder / "words").mkdir()
    (world.folder / "words/text").write_text("right\n")
    world.step("user", "cp /src/it/text $out/out.txt", "sources: {it: {path: ../../words}}\n")
    world.step("other", "echo other > $out/out.txt")
    made = f"user-{HERE}"
    world.fine("lock")
    world.fine("fetch", made)
    (path,) = world.store.glob("trees/*/*/text")
    path.chmod(0o644)
    path.write_text("wrong\n")
    path.chmod(0o444)
    world.fine(made, f"other-{HERE}")
    result = world.folder / f"result/{made}/out.txt"
    assert result.read_text() == "wrong\n"
    ran = world.fine("store", "repair")
    ran.said(f"build again: what ./result shows of these cannot be trusted: `rvbuild {made}`")
    assert f"its step read {path.parent}, which was damaged" in ran.out
    world.fine(made).said("built 1")
    assert result.read_text() == "right\n"
    assert world.planned(f"other-{HERE}")["tasks"] == []
    world.sound()


@pytest.mark.parametrize("count", [101, 1001])
def test_no_file_of_many_is_changed_unseen(world: World, count: int):
    script = 'mkdir -p "$out/a/b/empty"; touch "$out/a/b/1"\n'
    script += f'for i in $(seq {count}); do echo "$i" > "$out/f$i"; done'
    world.step("many", script, output="f1")
    many = f"many-{HERE}"
    world.fine(many)
    world.fine(many)  # remembers, if it does
    top = world.folder / "result" / many
    for name in ("a/mine", "a/b/empty/mine", "f1", f"f{count}", "f99"):
        (top / name).unlink(missing_ok=True)
        (top / name).write_text("mine")
        world.fine(many)
        assert not (top / name).exists() or (top / name).read_text() != "mine"
        kept = list((world.store / "damaged").glob(f"*/views/*/*/{name}"))
        assert [path.read_text() for path in kept].count("mine") == 1
        assert world.fine(many).out


def test_the_log_of_what_a_repair_has_set_aside(world: World):
    world.fine(HELLO_HERE)
    in_store(world, "mine")
    world.fine("store", "repair")
    ran = world.run("log", HELLO_HERE)
    assert (ran.code, ran.out) == (2, "")
    ran.said("no step of it has run here, or a repair of the store has set its result aside")
    ran.said(f"run `rvbuild {HELLO_HERE}`")


def test_a_repair_for_programs(world: World):
    world.fine(HELLO_HERE)
    assert json.loads(world.fine("store", "repair", "--json").out)["repairs"] == []
    in_store(world, "mine")
    repairs = world.fine("store", "repair", "--json").json["repairs"]
    assert {each["done"] for each in repairs} == {"set aside", "dropped"}
    assert all(os.path.exists(each["kept"]) for each in repairs if each["done"] == "set aside")


def test_the_log_of_a_lost_blob_is_told(world: World):
    world.recipe("hello", HELLO.replace("mkdir", 'echo "no more"; exit 4; mkdir'))
    assert world.run(HELLO_HERE).code == 1
    (note,) = world.store.glob("failed/*/*")
    name = json.loads(note.read_text())["body"]["log"].partition("/")[0]
    (world.store / "cas" / name[:2] / name).unlink()
    ran = world.run("log", HELLO_HERE)
    assert (ran.code, ran.out) == (2, "")
    ran.said("the log is not in the store any more", HELLO_HERE, "hint: ")
