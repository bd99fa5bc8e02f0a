"""What an image's root begins with: the commands, the inputs, and what none can be."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rvbuild.core.errors import RecipeError
from rvbuild.core.image import ROOT
from rvbuild.core.recipe import Recipe
from rvbuild.recipes_yaml.recipe import read_recipe

IMAGE = """\
kind: image
version: "1"
inputs: {build: [tool], target: [lib]}
image:
  name: localhost/it
  tag: a
  command: [x]
  from: [base, tool]
  copy:
    /: app/bin/app
    /usr/sbin: [app/sbin/*, recipe/x.conf]
  folders: {/data: 1777, /run/it: 750}
  users: {it: {id: 7}, other: {id: 8, group: 9, home: /data, shell: /bin/sh}}
"""


def read(text: str) -> Recipe:
    return read_recipe(text.encode(), "it", "it.yaml", (("x.conf", b"x", False),))


def test_what_lies_in_the_root_is_an_input():
    recipe = read(IMAGE)
    assert recipe.build_inputs == ("tool", "oci-pack")
    assert recipe.target_inputs == ("lib", "base", "app")


def test_the_commands_are_on_the_scripts_first_line():
    script = read(IMAGE + "build: |\n  first\n  second\n").build or ""
    lines = script.splitlines()
    assert lines[0].endswith("; first")
    assert lines[1] == "second"
    alone = read(IMAGE).build or ""
    assert alone.splitlines()[0] == lines[0].removesuffix("first")


def test_what_is_copied_can_be_written_by_what_follows():
    """Also by a user who is not root, as in a sandbox: what inputs have is read-only."""
    commands = (read(IMAGE).build or "").splitlines()[0].split("; ")
    copied = [n for n, command in enumerate(commands) if command.startswith("cp ")]
    assert len(copied) == 4
    for n in copied:
        folder = commands[n].rsplit(" ", 1)[1]
        assert commands[n + 1] == f"chmod -R u+w {folder}"


def test_they_make_the_root(tmp_path: Path):
    """By a shell, with what the inputs have: folders and files that nobody may write."""
    given = tmp_path / "in"
    for path, text in {
        "base/etc/passwd": "root:x:0:0::/:/bin/sh\n",
        "tool/etc/more": "more",
        "app/bin/app": "app",
        "app/sbin/one": "one",
        "app/sbin/two": "two",
        "recipe/x.conf": "x",
    }.items():
        (given / path).parent.mkdir(parents=True, exist_ok=True)
        (given / path).write_text(text)
    (given / "app/sbin/link").symlink_to("one")
    for path in given.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() else 0o444)
    root = tmp_path / "root"
    script = (read(IMAGE).build or "").splitlines()[0]
    script = script.replace(ROOT, str(root)).replace("/in/", f"{given}/")
    subprocess.run(["sh", "-euc", script], check=True)
    for path in given.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    assert (root / "etc/passwd").read_text().splitlines() == [
        "root:x:0:0::/:/bin/sh",
        "it:x:7:7::/:/bin/false",
        "other:x:8:9::/data:/bin/sh",
    ]
    assert (root / "etc/group").read_text().splitlines() == ["it:x:7:", "other:x:9:"]
    assert (root / "etc/more").read_text() == "more"
    assert (root / "app").read_text() == "app"
    assert sorted(each.name for each in (root / "usr/sbin").iterdir()) == [
        *("link", "one", "two", "x.conf")
    ]
    assert (root / "usr/sbin/link").is_symlink()
    assert (root / "data").stat().st_mode & 0o7777 == 0o1777
    assert (root / "run/it").stat().st_mode & 0o7777 == 0o750


@pytest.mark.parametrize(
    ("was", "becomes", "line"),
    [
        ("/usr/sbin:", "usr/sbin:", 11),
        ("/usr/sbin:", "/usr/../sbin:", 11),
        ("/usr/sbin:", "/usr/sbin/:", 11),
        ("/usr/sbin:", "'/usr/s bin':", 11),
        ("app/bin/app", "app", 10),
        ("app/bin/app", "/app/x", 10),
        ("app/bin/app", "app/../x", 10),
        ("app/bin/app", "app/$x", 10),
        ("recipe/x.conf", "'recipe/x;y'", 11),
        ("/data: 1777", "/data: rwx", 12),
        ("/data: 1777", "data: 1777", 12),
        ("/data: 1777", "/data: '8'", 12),
        ("{id: 7}", "{id: me}", 13),
        ("users: {it:", "users: {'i t':", 13),
        ("home: /data", "home: '/a:b'", 13),
        ("shell: /bin/sh", "shell: sh", 13),
        ("group: 9", "group: nine", 13),
        ("group: 9", "group: 4294967295", 13),
        ("{id: 7}", "{id: 4294967295}", 13),
    ],
)
def test_what_can_be_no_word_of_a_command_is_refused(was: str, becomes: str, line: int):
    assert was in IMAGE
    with pytest.raises(RecipeError, match="cannot be here") as caught:
        read(IMAGE.replace(was, becomes))
    assert str(caught.value.where).startswith(f"it.yaml:{line}:")


def test_two_users_have_two_numbers():
    """Also where one is written with zeros before it."""
    with pytest.raises(RecipeError, match="'it' and 'other' have the same number") as caught:
        read(IMAGE.replace("{id: 8,", "{id: 007,"))
    assert str(caught.value.where).startswith("it.yaml:13:32")
    read(IMAGE.replace("group: 9", "group: 7").replace("{id: 8", "{id: 4294967294"))


@pytest.mark.parametrize(
    ("name", "line"), [("base", 8), ("app", 10), ("lib", 3), ("tool", 3), ("oci-pack", 4)]
)
def test_what_the_root_is_made_of_has_the_place_that_names_it(name: str, line: int):
    recipe = read(IMAGE)
    kind = "target" if name in recipe.target_inputs else "build"
    assert recipe.at(f"inputs.{kind}.{name}").line == line


BESIDE = ("x.conf", "d/e/f", ".hidden", "fix.patch")
PATCH = b"Origin: e\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
COPIES = """\
kind: image
sources: {s: {url: u, patches: [fix.patch]}}
image:
  name: localhost/it
  tag: a
  command: [x]
  copy: {/y: recipe/%s}
"""


@pytest.mark.parametrize(
    ("path", "is_there"),
    [
        ("x.conf", True),
        ("*.conf", True),
        ("d", True),
        ("d/e", True),
        ("*/e/f", True),
        (".hid*", True),
        ("nothere", False),
        ("x.con", False),
        ("d/*/f/*", False),
        ("d*f", False),
        ("*hidden", False),
        ("fix.patch", False),
    ],
)
def test_what_is_copied_from_beside_the_recipe_is_there(
    tmp_path: Path, path: str, *, is_there: bool
):
    """What fits is what a shell would find; a patch of a source is in no step."""
    for file in BESIDE[:-1]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("x")
    listed = subprocess.run(["sh", "-c", f"ls -d {path}"], cwd=tmp_path, check=False)
    assert (listed.returncode == 0) is is_there
    files = tuple((file, PATCH, False) for file in BESIDE)
    if is_there:
        read_recipe((COPIES % path).encode(), "it", "it.yaml", files)
        return
    with pytest.raises(RecipeError, match="nothing beside the recipe is") as caught:
        read_recipe((COPIES % path).encode(), "it", "it.yaml", files)
    assert str(caught.value.where).startswith("it.yaml:7:")
    assert caught.value.hint == "there are: x.conf, d/e/f, .hidden"


def test_the_first_file_beside_a_recipe_has_to_be_put_there():
    with pytest.raises(RecipeError) as caught:
        read_recipe((COPIES % "x").replace(", patches: [fix.patch]", "").encode(), "it", "it.yaml")
    assert caught.value.hint == "put the file there"


@pytest.mark.parametrize("key", ["from: base", "copy: {/: base/x}"])
def test_an_image_needs_no_script_if_something_is_in_it(key: str):
    text = "kind: image\nimage: {name: localhost/it, tag: a, command: [x], %s}\n"
    assert read(text % key).target_inputs == ("base",)
    with pytest.raises(RecipeError, match="or 'from' or 'copy' under 'image'"):
        read(text % "folders: {/data: 755}")
