"""The same lock gives the same bytes: two stores, two folders, two kinds of people."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from world import HERE, World

TARGET = f"nosy-{HERE}"
SCRIPT = """\
{ umask; date +%Z; pwd; id -u; id -g; uname -n; env | sort; } > $out/out.txt
stat -c '%a %u %g' /bin/sh /in/recipe/* /build $out >> $out/out.txt
stat -c '%Y' /bin/sh /in/recipe/* >> $out/out.txt
{ ls -A / /tmp /dev /build; ls /in/recipe; } >> $out/out.txt
mkdir $out/folder
touch $out/folder/b $out/folder/a
ln -s ../out.txt $out/folder/link
echo '#!/bin/sh' > $out/run
chmod 700 $out/run
chmod 600 $out/folder/a
tar -cf $out/all.tar -C / --sort=name --mtime=@0 in/recipe
"""


@pytest.mark.privileged
def test_nothing_of_the_person_or_the_place_is_in_the_output(world: World, seed: Path):
    """What `reprotest` varies and a test can: umask, zone, home, language, user, folders, path."""
    first = made(world, SCRIPT, umask=0o022)
    elsewhere = world.folder.parent / "a much longer way, with sp ace" / "p"
    elsewhere.mkdir(parents=True)
    (world.folder.parent / "home").mkdir()
    other = evolve(
        world.with_environment(
            HOME=str(world.folder.parent / "home"), TZ="Pacific/Kiritimati", LANG="tr_TR.UTF-8",
            LC_ALL="tr_TR.UTF-8", USER="somebody", LOGNAME="somebody", HOSTNAME="other",
            SOURCE_DATE_EPOCH="1", CFLAGS="-O9", PYTHONHASHSEED="7", TMPDIR=str(elsewhere),
            RVBUILD_STORE=str(elsewhere / "store"), OUT="x", out="y", version="9",
        ),
        folder=elsewhere, store=elsewhere / "store",
    )  # fmt: skip
    other.clone(seed)
    (elsewhere / "rvbuild.lock").touch()
    second = made(other, SCRIPT, umask=0o077)
    text = (elsewhere / "result" / TARGET / "out.txt").read_text()
    assert text == (world.folder / "result" / TARGET / "out.txt").read_text()
    assert first == second
    assert "somebody" not in text


def made(world: World, script: str, umask: int) -> str:
    world.step("nosy", script)
    beside = world.folder / "recipes/nosy"
    for name in ("z", "a", "m"):
        (beside / name).write_text(name)
    ran = world.start(TARGET, "--release", "--json", umask=umask).wait()
    assert ran.code == 0, str(ran)
    (result,) = ran.json["results"]
    tree: str = result["tree"]
    return tree


@pytest.mark.privileged
def test_a_step_that_depends_on_more_is_told_apart(world: World, seed: Path):
    """The test above can fail: this step's output is another one each time."""
    script = "head -c 16 /dev/urandom > $out/out.txt"
    first = made(world, script, umask=0o022)
    other = evolve(world.with_environment(RVBUILD_STORE=f"{world.store}2"),
                   store=world.store.with_name("store2"))  # fmt: skip
    other.clone(seed)
    assert made(other, script, umask=0o022) != first
