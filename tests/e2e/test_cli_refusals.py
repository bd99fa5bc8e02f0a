"""What the program refuses, and what it says: recipes, command lines, folders."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest
from world import HELLO, HERE, ROOT, World, repository

HELLO_HERE = f"hello-{HERE}"


# ---- recipes


def bomb() -> str:
    lines = ["a: &a [x, x]"]
    lines += [
        f"{name}: &{name} [*{last}, *{last}]"
        for last, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(lines) + "\n"


BAD_RECIPES = [
    ("a typo in a key", HELLO.replace("license", "licence"), "2:1",
     ["'licence'"], "license"),
    ("a typo in a nested key", HELLO.replace("expect", "expects"), "13:5",
     ["'expects'"], "expect"),
    ("a duplicate key", HELLO + 'version: "2"\n', "14:1",
     ["version", "4:1"], None),
    ("an alias bomb", bomb(), "1:4",
     ["anchor", "not allowed"], "write the value out"),
    ("a tab", HELLO.replace("  text", "\ttext"), "10:1",
     [], "tabs"),
    ("no mapping", "- a\n- b\n", "1:1",
     ["a mapping (key: value) is expected"], "`key: value`"),
    ("an empty file", "", "",
     [], "`rvbuild init NAME`"),
    ("an open list", HELLO + "architectures: [riscv64, arm64\n", "14:16",
     ["begins with '[' and has no ']'"], "close it"),
    ("a list without commas", HELLO + "architectures: [riscv64 arm64]\n", "14:1",
     ["cannot be 'riscv64 arm64'"], "','"),
    ("no list", HELLO + "architectures: riscv64\n", "14:16",
     ["'architectures' must be a list"], "architectures: [riscv64]"),
    ("inputs that are a list", HELLO + "inputs: [go]\n", "14:9",
     ["a mapping (key: value) is expected"], "inputs: {build: [go]"),
    ("a source that is text", HELLO + "sources: {x: https://e.org/x.tgz}\n", "14:14",
     ["a mapping (key: value) is expected"], "{url: "),
    ("an output that is text", HELLO.replace("{path: share/hello.txt, kind: file}", "x"), "10:9",
     ["a mapping (key: value) is expected"], "{path: "),
    ("pins that are text", HELLO + "pins: x\n", "14:7",
     ["a mapping (key: value) is expected"], "pins: {NAME: value}"),
    ("a git source without a pin", HELLO + "sources: {x: {git: https://e.org/x}}\n", "14:14",
     ["pinned to a 'commit' or a 'tag'"], "git rev-parse"),
    ("a wrong kind", HELLO + "kind: packages\n", "14:1",
     ["packages"], "package"),
    ("a missing input", HELLO + "inputs: {build: [base-tolbox]}\n", "14:18",
     ["there is no recipe called 'base-tolbox'"], "base-toolbox"),
    ("a wrong architecture", HELLO + "architectures: [riscv]\n", "14:1",
     ["riscv"], "riscv64"),
    ("an unknown name in ${}", HELLO.replace("share/hello.txt, kind", "'${nmae}', kind"), "10:",
     ["${nmae}"], "name"),
    ("a path that leaves", HELLO.replace("{path: share/hello.txt", "{path: ../hello.txt"), "10:",
     ["../hello.txt"], None),
]  # fmt: skip


def test_recipes_that_are_not_valid(bare: World):
    """The place with the line itself, and a way out; nothing is made, not even a store."""
    for number, (_, text, *_) in enumerate(BAD_RECIPES):
        bare.recipe(f"bad{number}", text)
    ran_each = bare.run_each([f"bad{number}-{HERE}"] for number in range(len(BAD_RECIPES)))
    for number, ((what, _, place, parts, hint), ran) in enumerate(
        zip(BAD_RECIPES, ran_each, strict=True)
    ):
        assert (ran.code, ran.out) == (3, ""), f"{what}: {ran}"
        file = f"recipes/bad{number}/recipe.yaml"
        ran.said("error: ", f"--> {file}:{place}" if place else file)
        ran.said(*parts)
        ran.said("hint: " if hint else "", hint or "")
        assert "Traceback" not in ran.err
    assert not (bare.folder / "result").exists()
    assert not bare.store.exists()


def test_bytes_that_are_no_text(bare: World):
    file = bare.recipe("hello", HELLO)
    file.write_bytes(HELLO.replace("says", "dit à").encode("latin-1"))
    ran = bare.run("plan", HELLO_HERE)
    assert (ran.code, ran.out) == (3, "")
    ran.said("error: not UTF-8", "recipes/hello/recipe.yaml:1:14", "hint: save the file as UTF-8")


def test_recipes_that_need_each_other(bare: World):
    for name, needed in (("one", "two"), ("two", "three"), ("three", "one")):
        bare.step(name, ": > $out/out.txt", f"inputs: {{target: [{needed}]}}\n")
    ran = bare.run(f"one-{HERE}")
    assert (ran.code, ran.out) == (3, "")
    ran.said("need each other in a circle: ", "→", "→", "→", "recipe.yaml:", "hint: ")
    for name in ("one", "two", "three"):
        ran.said(f"{name}-{HERE}")


def test_every_command_reads_recipes_as_strictly(bare: World):
    bare.recipe("hello", HELLO.replace("license", "licence"))
    lines = [["plan", HELLO_HERE], ["show", HELLO_HERE], ["log", HELLO_HERE],
             ["fetch", HELLO_HERE], ["lock"]]  # fmt: skip
    for words, ran in zip(lines, bare.run_each(lines), strict=True):
        assert (ran.code, ran.out) == (3, ""), f"{words} {ran}"
        ran.said("recipes/hello/recipe.yaml:2:1")


def test_recipes_that_cannot_be_read_hide_no_others(bare: World):
    """`show` lists the others, and tells of each; its exit code is that of a bad recipe."""
    bare.recipe("good", HELLO)
    usual, as_json = bare.fine("show"), bare.fine("show", "--json").json
    assert "good " in usual.out
    problems = {
        "fifo": "it is a FIFO",
        "folder": "directory",
        "typo": "licence",
        "bytes": "not UTF-8",
        "empty": "",
        "run": "cannot be called",
    }
    for name, says in problems.items():
        file = bare.recipe(name, HELLO.replace("license", "licence") if says == "licence" else "")
        if name == "bytes":
            file.write_bytes(b"\xff")
        if name in {"fifo", "folder"}:
            file.unlink()
            os.mkfifo(file) if name == "fifo" else file.mkdir()
        ran = bare.run("show")
        assert (ran.code, ran.out) == (3, usual.out), f"{name}: {ran}"
        ran.said("error: ", f"recipes/{name}/recipe.yaml")
        assert says in ran.err
        assert bare.run("show", "--json").json == as_json
        shutil.rmtree(file.parent)
    for name in ("bad1", "bad2"):
        bare.recipe(name, "- a\n")
    ran = bare.run("show")
    assert (ran.code, ran.out) == (3, usual.out), str(ran)
    ran.said("error: ", "bad1/recipe.yaml", "error: ", "bad2/recipe.yaml", "error: 2 failures")


# ---- outputs


OTHER_MACHINE = "\\177ELF\\002\\001\\001" + "\\000" * 9 + "\\002\\000\\363\\000\\001" + "\\000" * 60
BAD_OUTPUTS = [
    ("missing", ": > $out/other", "{path: bin/it, kind: file}",
     ["bin/it: it was declared and is not there"], "other"),
    ("nothing", "rm -r $out", "{path: bin/it, kind: file}",
     [], "leave the folder itself"),
    ("a file for all", "rm -r $out; echo x > $out", "{path: it, kind: file}",
     [], "leave the folder itself"),
    ("a link for all", "mv $out /tmp/x; ln -s /tmp/x $out", "{path: it, kind: file}",
     [], "leave the folder itself"),
    ("a folder", "mkdir $out/it", "{path: it, kind: file}",
     ["it: it is a folder"], "kind: file"),
    ("not executable", "cp /bin/true $out/it; chmod -x $out/it", "{path: it, kind: executable}",
     ["it: it is not executable"], "chmod"),
    ("no program", "echo x > $out/it; chmod +x $out/it", "{path: it, kind: executable}",
     ["it: it is neither an ELF file nor a script"], "script"),
    ("the build path", "echo see /build/src/x.c > $out/it", "{path: it, kind: file}",
     ["it: ", "/build/"], "take it out"),
    ("dynamic where static", "cp /bin/true $out/it",
     "{path: it, kind: executable, static: true}",
     ["it is not static: it wants the interpreter", "it needs libc.so.6"], "-static"),
    ("the wrong machine", f"printf '{OTHER_MACHINE}' > $out/it; chmod +x $out/it",
     "{path: it, kind: executable}",
     ["it is for riscv64, not"], "GOARCH"),
]  # fmt: skip


@pytest.mark.privileged
def test_outputs_that_are_not_what_the_recipe_says(world: World):
    """Verified before a result is registered: nobody can build on them.

    What their actions gave may be recorded: whoever takes it audits it.
    """
    for number, (_, script, rule, *_) in enumerate(BAD_OUTPUTS):
        file = world.step(f"bad{number}", f"echo was here\n{script}")
        file.write_text(file.read_text().replace("{path: out.txt, kind: file}", rule))
    before = world.records()
    targets = [f"bad{number}-{HERE}" for number in range(len(BAD_OUTPUTS))]
    ran_each = world.run_each([target] for target in targets)
    for target, (what, _, _, parts, hint), ran in zip(targets, BAD_OUTPUTS, ran_each, strict=True):
        assert (ran.code, ran.out) == (5 if parts else 1, ""), f"{what}: {ran}"
        ran.said("error: ", f"--> {target}", *parts)
        ran.said("hint: " if hint else "", hint or "")
    assert {name for name in world.records() - before if not name.startswith("ac/")} == set()
    for log in world.run_each(["log", target] for target in targets):
        assert (log.code, log.out) == (0, "was here\n")
    world.sound()


@pytest.mark.privileged
def test_what_a_step_writes_never_steers_the_terminal(world: World):
    """Neither on a terminal nor in a pipe; `log` gives the bytes to a pipe, not to a terminal."""
    evil = "\\033]0;owned\\007\\033[31mred\\r\\302\\233x\\342\\200\\256"
    world.step("bad", f"printf '{evil}\\n'; exit 1")
    target = f"bad-{HERE}"
    raw = ["\x1b]0;", "\x07", "\x1b[31mred", "\x9b", "\u202e"]
    ran = world.run(target, "-v")
    shown = on_terminal(world, target, "-v"), on_terminal(world, "log", target), ran.err
    for text in shown:
        assert "\\x1b]0;owned\\x07" in text
        assert not [code for code in raw if code in text]
    assert world.fine("log", target).out.startswith("\x1b]0;owned\x07\x1b[31mred")


def on_terminal(world: World, *words: str) -> str:
    """What the program writes to a terminal."""
    screen, terminal = pty.openpty()
    with open(screen, "rb", closefd=True) as reader:
        process = subprocess.Popen(
            world.words(*words),
            cwd=world.folder,
            env={**world.environment, "TERM": "xterm-256color"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        written = b""
        try:
            while data := reader.raw.read(4096):
                written += data
        except OSError:  # EIO: nobody has the terminal open any more
            pass
        process.wait()
    return written.decode()


# ---- command lines


BAD_WORDS = [
    ([f"helo-{HERE}"], ["there is no recipe called 'helo'", "hint: ", "hello"]),
    (["hello"], ["architecture is missing", "hello", "hint: one of: ", HELLO_HERE]),
    (["hello-sparc"], ["hello-sparc", "hint: ", "hello"]),
    (["hello-riscv63"], ["no architecture 'riscv63'", "did you mean `hello-riscv64`?"]),
    (["./recipes/hello"], ["not a path", "hint: for example"]),
    (["lgo", HELLO_HERE], ["no recipe called 'lgo'", "the command `rvbuild log`?"]),
    (["--jobs=1", "fetch", HELLO_HERE], ["called 'fetch'", "`rvbuild fetch …`"]),
    (["buld", HELLO_HERE], ["no recipe called 'buld'", "the command `rvbuild build`?"]),
    ([HELLO_HERE, "--relase"], ["not known here: --relase", "did you mean --release?"]),
    ([HELLO_HERE, "-o", ""], ["it is no folder", "hint: use another DIR"]),
    ([HELLO_HERE, "-o", "recipes/hello/recipe.yaml"], ["it is no folder", "recipe.yaml"]),
    ([HELLO_HERE, "--mirror", "here=/there"], ["--mirror here", "beginning of a URL"]),
    (
        [HELLO_HERE, "--mirror", "https://example.invalid/=/no/such"],
        ["the mirror of https://example.invalid/ is not there", "--> /no/such\n", "hint: a mirror"],
    ),
    ([HELLO_HERE, "--mirror", "https://a/=ftp://b/"], ["--> ftp://b/\n", "hint: a mirror"]),
    ([f"misnamed-{HERE}"], ["no recipe called 'misnamed'", "has no file recipe.yaml"]),
    (["gc", "--keep", "long"], ["--keep", "'long' is not a whole number"]),
    (["gc", "--max-size", "much"], ["'max-size' must be a size", "command line"]),
    (["store"], ["verify|repair|path"]),
    ([f"base-toolbox-{HERE}"], ["same for every architecture", "hint: say `base-toolbox`"]),
    ([HELLO_HERE, "-j", "-1"], ["-j -1", "at least one"]),
    ([HELLO_HERE, "-j", "0"], ["-j 0", "at least one"]),
    ([HELLO_HERE, "-j", "many"], ["-j", "many"]),
    ([HELLO_HERE, "--mirror", "https://example.invalid/x"], ["--mirror", "FROM=TO"]),
    ([HELLO_HERE, "--override", "it"], ["--override it", "NAME=PATH"]),
    (["gc", "--keep", "-1"], ["--keep -1"]),
    (["store", "wash"], ["wash", "verify"]),
    (["frobnicate"], ["no recipe called 'frobnicate'", "`rvbuild show` lists"]),
    (["store", "verify"], ["there is no store", "--store"]),
    (["gc"], ["there is no store", "--store"]),
    (["build"], ["wants a TARGET"]),
    (["lock", "--override", "a=b"], ["--override"]),
    (["lock", "helo"], ["there is no recipe called 'helo'", "hello"]),
    (["--frobnicate"], ["--frobnicate"]),
]


def test_wrong_words(bare: World):
    """Exit code 2, what is wrong and what would be right; nothing is made."""
    bare.recipe("hello", HELLO)
    bare.recipe("misnamed", HELLO).rename(bare.folder / "recipes/misnamed/recipe.yml")
    for (words, parts), ran in zip(
        BAD_WORDS, bare.run_each(words for words, _ in BAD_WORDS), strict=True
    ):
        assert (ran.code, ran.out) == (2, ""), f"{words}: {ran}"
        ran.said("error: ")
        for part in parts:
            ran.said(part)
    assert not (bare.folder / "result").exists()
    assert not bare.store.exists()


def test_a_release_of_a_folder_is_refused_before_anything_is_made(bare: World):
    (bare.folder / "words").mkdir()
    bare.recipe("words", "summary: words\nlicense: MIT\nhomepage: https://example.invalid\n"
                "kind: source\nversion: '1'\nsources: {it: {path: ../../words}}\n")  # fmt: skip
    bare.fine("lock")
    shutil.rmtree(bare.store)
    ran = bare.run("words", "--release")
    assert (ran.code, ran.out) == (2, ""), str(ran)
    ran.said("a release is made of pinned sources, and this is a folder", "words")
    assert not bare.store.exists()


def test_who_only_looks_makes_no_store(bare: World):
    bare.recipe("hello", HELLO)
    plan, show, recipes, log = bare.run_each(
        [["plan", HELLO_HERE], ["show", HELLO_HERE], ["show"], ["log", HELLO_HERE]]
    )
    assert (plan.code, show.code, recipes.code, log.code) == (0, 0, 0, 2)
    assert f"build  {HELLO_HERE}: no result" in plan.out
    log.said("no step of it has run here", HELLO_HERE)
    assert not bare.store.exists()


def test_without_words_it_explains_itself(bare: World):
    ran = bare.run()
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == bare.run("--help").out
    assert bare.run("--version").out.startswith("rvbuild ")
    for command in ("build", "lock", "fetch", "plan", "show", "log", "doctor", "store", "gc"):
        assert f"\n    {command} " in ran.out


# ---- folders


@pytest.mark.parametrize("name", ["sp ace", "ünïcode", "new\nline", "-dash", "$(x)'\""])
def test_folders_with_odd_names(world: World, tmp_path: Path, name: str):
    odd = tmp_path / name
    world.folder.rename(odd)
    link = tmp_path / "link"
    link.symlink_to(odd)
    ran = world.at(link).fine(HELLO_HERE)
    assert ran.out == f"result/{HELLO_HERE}  share/hello.txt\n"
    assert (odd / "result" / HELLO_HERE / "share/hello.txt").exists()


def test_a_folder_below_the_project_is_in_the_project(world: World):
    below = world.folder / "recipes" / "hello"
    world.at(below).fine(HELLO_HERE)
    assert (below / "result" / HELLO_HERE).is_symlink()


def test_results_do_not_replace_what_a_person_made(bare: World):
    """JsonNode before anything is fetched or built."""
    bare.recipe("hello", HELLO)
    mine = bare.folder / "result" / HELLO_HERE / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    ran = bare.run(HELLO_HERE)
    assert (ran.code, ran.out) == (2, "")
    ran.said("there is something that rvbuild did not make", str(mine.parent), "hint: ", "with -o")
    assert mine.read_text() == "mine"
    assert bare.records() == set()


TAKEN = [
    ("the store", "../store", HELLO_HERE, "the place of the store"),
    ("in the store", "../store/cas/new", HELLO_HERE, "the place of the store"),
    ("a link into the store", "way", HELLO_HERE, "the place of the store"),
    ("the recipes", "recipes", HELLO_HERE, "the place of recipes"),
    ("in a recipe", "recipes/hello/new/new", HELLO_HERE, "the place of recipes"),
    ("in a recipe, by dots", "new/../recipes/hello", HELLO_HERE, "the place of recipes"),
    ("the results", "result", HELLO_HERE, "the place of links", "by themselves"),
    ("in a result", f"result/{HELLO_HERE}/share", HELLO_HERE, "the place of links"),
    ("over the recipes", ".", "recipes", "recipes would have to go"),
    ("over the results", ".", "result", "links would have to go"),
    ("over the lock", ".", "rvbuild.lock", "the project's lock would have to go"),
    ("over the store", "..", "store", "the store would have to go"),
    ("over the project", "..", "project", "would have to go"),
    ("a link to nowhere", "nowhere", HELLO_HERE, "a link to ../no/where, which is not there"),
    ("behind a link to nowhere", "nowhere/a/b", HELLO_HERE, "a link to ../no/where", "make that"),
]


def test_copies_are_put_nowhere_where_rvbuild_reads(bare: World):
    """JsonNode before anything is fetched or built; all is as it was."""
    bare.recipe("hello", HELLO)
    for name in ("recipes", "result", "rvbuild.lock", "store", "project"):
        bare.recipe(name, "summary: s\nlicense: MIT\nhomepage: https://example.invalid\n"
                    "kind: source\nversion: '1'\nsources: {it: {path: .}}\n")  # fmt: skip
    (bare.folder / "way").symlink_to("../store")
    (bare.folder / "nowhere").symlink_to("../no/where")
    bare.store.mkdir()
    before = sorted(path for path in bare.folder.parent.rglob("*"))
    ran_each = bare.run_each(("build", target, "-o", place) for _, place, target, *_ in TAKEN)
    for (what, _, _, *parts), ran in zip(TAKEN, ran_each, strict=True):
        assert (ran.code, ran.out) == (2, ""), f"{what}: {ran}"
        ran.said("error: results cannot be copied there: ", *parts[:1])
        ran.said("hint: ", *parts[1:], "use another DIR with -o" if not parts[1:] else "")
    assert sorted(path for path in bare.folder.parent.rglob("*")) == before


def test_one_place_for_copies(bare: World):
    bare.recipe("hello", HELLO)
    ran = bare.run(HELLO_HERE, "-o", "a", "-o", "b")
    assert (ran.code, ran.out) == (2, "")
    ran.said("error: ", "-o is said twice, as a and as b: say one place", "hint: ")
    assert not list(bare.folder.glob("[ab]"))


def test_a_link_of_a_persons_own_is_said_before_the_build(bare: World):
    bare.recipe("hello", HELLO)
    mine = bare.folder / "result" / HELLO_HERE
    mine.parent.mkdir()
    mine.symlink_to("../../my-data")
    ran = bare.run(HELLO_HERE)
    assert (ran.code, ran.out) == (2, ""), str(ran)
    ran.said("there is something that rvbuild did not make", str(mine), "hint: ", "with -o")
    assert os.readlink(mine) == "../../my-data"
    assert not bare.store.exists()


def test_a_store_that_is_a_file(bare: World):
    bare.recipe("hello", HELLO)
    bare.store.write_text("a file")
    ran = bare.run(HELLO_HERE)
    assert (ran.code, ran.out) == (2, "")
    ran.said("error: the store's place is neither", "Not a directory", str(bare.store), "--store")
    assert bare.run("store", "verify").code == 2
    assert bare.store.read_text() == "a file"


def test_a_mirror_that_lacks_the_commit(bare: World, tmp_path: Path):
    """Each way that was tried is listed with why it failed."""
    repository(tmp_path / "upstream", {"a": "1"})
    url = "https://example.invalid/up"
    bare.recipe("up", f"""\
summary: up
license: MIT
homepage: https://example.invalid
kind: source
version: "1"
sources:
  it: {{git: {url}, commit: {"1" * 40}}}
""")  # fmt: skip
    mirror = f"{url}={tmp_path / 'upstream'}"
    before = (bare.folder / "rvbuild.lock").read_bytes()
    for more in ((), ("--offline",)):
        ran = bare.run("lock", "--mirror", mirror, *more)
        assert (ran.code, ran.out) == (4, ""), str(ran)
        ran.said("error: ", "1" * 40)
        ran.said(str(tmp_path / "upstream"))
        ran.said("recipes/up/recipe.yaml:7:")
    assert (bare.folder / "rvbuild.lock").read_bytes() == before
    assert not list((ROOT / "recipes").glob("up"))
