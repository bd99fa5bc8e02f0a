"""Building with the real program: results, what is done again and what is not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from attrs import evolve
from world import HELLO, HERE, OTHER, World, repository

HELLO_HERE = f"hello-{HERE}"


def test_build_leaves_a_link_and_tells_what_was_made(world: World):
    ran = world.fine(HELLO_HERE)
    ran.said("plan", "build 1, check 1", "built", HELLO_HERE)
    ran.said("checked", f"check 1 of {HELLO_HERE}", "built 1, checked 1")
    assert ran.out == f"result/{HELLO_HERE}  share/hello.txt\n"
    link = world.folder / "result" / HELLO_HERE
    assert link.is_symlink()
    assert (link / "share/hello.txt").read_text() == f"hello 1 for {HERE}\n"


def test_results_for_programs_are_one_document(world: World):
    found = world.fine("build", HELLO_HERE, f"hello-{OTHER}", "--no-check", "--json").json
    assert found["version"] == 1
    assert [each["target"] for each in found["results"]] == [HELLO_HERE, f"hello-{OTHER}"]
    one = found["results"][0]
    assert one["path"] == str(world.folder / "result" / HELLO_HERE)
    assert one["files"] == ["share/hello.txt"]
    assert re.fullmatch(r"[0-9a-f]{64}/\d+", one["tree"])
    assert re.fullmatch(r"[0-9a-f]{64}", one["derivation"])


def test_copies_replace_older_copies_and_can_be_changed(world: World):
    out = world.folder / "o ut"
    assert world.fine(HELLO_HERE, "-o", "o ut").out == f"o ut/{HELLO_HERE}  share/hello.txt\n"
    file = out / HELLO_HERE / "share/hello.txt"
    world.fine(HELLO_HERE, "-o", str(out))
    assert os.listdir(out) == [HELLO_HERE]
    file.write_text("changed\n")
    aside = f"{HELLO_HERE}.old-"
    world.fine(HELLO_HERE, "-o", str(out)).said(aside)
    assert file.read_text() == f"hello 1 for {HERE}\n"
    (edited,) = out.glob(f"{aside}*")
    assert (edited / "share/hello.txt").read_text() == "changed\n"
    assert not (world.folder / "result").exists()


def test_a_second_run_does_nothing_and_answers_the_same(world: World):
    first = world.fine(HELLO_HERE)
    world.fine(HELLO_HERE)  # recipes as young as these are looked at once more
    again = world.fine(HELLO_HERE)
    assert (again.out, again.err) == (first.out, "")
    world.forget_memo()
    looked = world.fine(HELLO_HERE)
    assert looked.out == first.out
    looked.said("kept 2")
    assert world.planned(HELLO_HERE) == {"version": 1, "keep": 2, "tasks": []}
    assert world.fine("plan", HELLO_HERE).out == "2 to keep\n"


def test_a_removed_or_turned_link_is_made_again(world: World):
    world.fine(HELLO_HERE)
    link = world.folder / "result" / HELLO_HERE
    right = os.readlink(link)
    other = f"{os.path.dirname(os.path.dirname(right))}/00/{64 * '0'}"
    for spoil in (link.unlink, lambda: (link.unlink(), link.symlink_to(other))):
        spoil()
        world.fine(HELLO_HERE)
        assert os.readlink(link) == right


def test_a_changed_recipe_is_built_again_and_the_plan_says_why(world: World):
    first = world.plan(HELLO_HERE)
    assert first[HELLO_HERE] == "no result for this recipe, its pins and its inputs"
    world.fine(HELLO_HERE)
    world.recipe("hello", HELLO.replace("hello $version for", "hello $version at"))
    reasons = world.plan(HELLO_HERE)
    assert reasons[HELLO_HERE].startswith('script: echo "hello $version for $arch"')
    assert reasons[HELLO_HERE].endswith(
        '-> echo "hello $version at $arch" > "$out/share/hello.txt"'
    )
    assert reasons[f"check 1 of {HELLO_HERE}"] == "not checked yet"
    world.fine("plan", HELLO_HERE).out.index(f"build  {HELLO_HERE}: script: echo")
    world.fine(HELLO_HERE)
    text = (world.folder / "result" / HELLO_HERE / "share/hello.txt").read_text()
    assert text == f"hello 1 at {HERE}\n"


def test_comments_and_words_for_people_rebuild_nothing(world: World):
    world.fine(HELLO_HERE)
    changed = HELLO.replace("says hello", "greets").replace("build:", "# why\nbuild:")
    world.recipe("hello", changed)
    assert world.planned(HELLO_HERE)["tasks"] == []
    world.fine(HELLO_HERE).said("kept 2")


def test_the_same_bytes_stop_a_rebuild_at_the_next_step(world: World):
    """Early cutoff: the user of a step whose output did not change is not run."""
    tool = "kind: tool\n"
    world.step("first", "echo one > $out/out.txt", tool)
    world.step("second", "cat /in/first/out.txt > $out/out.txt; echo 2 >> $out/out.txt",
               "inputs: {build: [first]}\n")  # fmt: skip
    world.fine(f"second-{HERE}").said("built 2")
    world.step("first", "echo one | cat > $out/out.txt", tool)
    assert set(world.plan(f"second-{HERE}")) == {"first", f"second-{HERE}"}
    world.fine(f"second-{HERE}").said(
        "built", "first", "reused", f"second-{HERE}", "built 1, reused 1"
    )
    world.step("first", "echo other > $out/out.txt", tool)
    world.fine(f"second-{HERE}").said("built 2")


def test_one_failure_stops_and_with_k_the_rest_is_built(world: World):
    world.step("bad", "echo before; echo broken >&2; exit 3")
    world.step("user", ": > $out/out.txt", "inputs: {build: [bad]}\n")
    targets = (f"user-{HERE}", HELLO_HERE)
    ran = world.run(*targets, "-k")
    assert ran.code == 1
    ran.said("error: the step failed: exit code 3", f"--> bad-{HERE}", "before", "broken")
    ran.said("hint", f"rvbuild log bad-{HERE}")
    ran.said(f"no result: user-{HERE}\n", "error: ")
    assert ran.out == f"result/{HELLO_HERE}  share/hello.txt\n"
    assert [path.name for path in (world.folder / "result").iterdir()] == [HELLO_HERE]
    assert f"user-{HERE}" in world.plan(*targets)
    world.sound()


def test_two_failures_are_both_told_with_k(world: World):
    for name in ("bad", "worse"):
        world.step(name, f"echo {name}; exit 1")
    ran = world.run(f"bad-{HERE}", f"worse-{HERE}", HELLO_HERE, "-k", "--json")
    assert ran.code == 1
    assert [each["target"] for each in ran.json["results"]] == [HELLO_HERE]
    assert [(each["place"], each["details"]) for each in ran.json["failures"]] == [
        (f"bad-{HERE}", ["bad"]),
        (f"worse-{HERE}", ["worse"]),
    ]
    assert ran.json["missing"] == [f"bad-{HERE}", f"worse-{HERE}"]
    ran.said("error: the step failed", f"--> bad-{HERE}", " | bad", f"rvbuild log bad-{HERE}")
    ran.said("error: the step failed", f"--> worse-{HERE}", " | worse", f"rvbuild log worse-{HERE}")
    ran.said("error: 2 failures; what went well is kept")


def test_a_failed_step_registers_nothing(world: World):
    before = world.records()
    world.step("bad", "echo half > $out/out.txt; exit 1")
    ran = world.run(f"bad-{HERE}")
    assert (ran.code, ran.out) == (1, "")
    assert world.records() == before
    world.sound()


def test_the_folder_of_a_failed_step_stays_for_who_asks(world: World):
    world.step("sick", "echo partial >> note; mkdir -p shut; chmod 0 shut; exit 9")
    steps = world.store / "tmp"
    world.run(f"sick-{HERE}")
    assert list(steps.rglob("note")) == []
    ran = world.run(f"sick-{HERE}", "--keep-failed")
    (note,) = steps.rglob("note")
    assert ran.code == 1
    assert note.read_text() == "partial\n"
    folder = note.parent.parent
    ran.said(f"its folder: {folder}", "`enter sh` to look around")
    again = subprocess.run([f"{folder}/enter"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (9, "")
    assert note.read_text() == "partial\n" * 2
    script = 'echo "$PWD $out"; id -u; cat note; grep -c : /proc/net/dev'
    shell = subprocess.run(
        [f"{folder}/enter", "sh", "-c", script], capture_output=True, text=True, check=False
    )
    assert shell.stdout == "/build /build/out\n1000\n" + "partial\n" * 2 + "1\n"  # lo alone
    world.fine("gc")
    assert not note.exists()


def test_a_second_build_says_that_it_waits(world: World):
    """And takes what the first one made."""
    world.step("slow", 'mkfifo gate; echo ready; read x < gate; echo y > "$out/out.txt"')
    first = world.start(f"slow-{HERE}", "-v")
    first.until("ready")
    second = world.start(f"slow-{HERE}")
    holder = f"process {first.process.pid} on {os.uname().nodename}"
    second.until(f"slow-{HERE}: {holder} works on it: waiting until that is done")
    (gate,) = (world.store / "tmp").glob("step-*/build/gate")
    gate.write_text("go\n")
    assert first.wait().code == 0
    ran = second.wait()
    assert ran.code == 0
    assert "built" not in ran.err.split("waiting until that is done", 1)[-1]
    world.sound()


def test_the_log_after_success_and_after_failure(world: World):
    none = world.run("log", HELLO_HERE)
    assert (none.code, none.out) == (2, "")
    none.said("no step of it has run here", HELLO_HERE, f"run `rvbuild {HELLO_HERE}`")
    world.fine(HELLO_HERE)
    assert world.fine("log", HELLO_HERE).out == f"making hello 1 for {HERE}\n"
    world.recipe("hello", HELLO.replace("mkdir", 'echo "no more"; exit 4; mkdir'))
    assert world.run(HELLO_HERE).code == 1
    assert world.fine("log", HELLO_HERE).out == f"making hello 1 for {HERE}\nno more\n"
    world.recipe("hello", HELLO)
    assert world.fine("log", HELLO_HERE).out == f"making hello 1 for {HERE}\n"


def test_a_failed_check_gives_no_result_and_has_a_log(world: World):
    world.recipe("hello", HELLO.replace("- run: cat", "- run: echo oh no; false; cat"))
    ran = world.run(HELLO_HERE)
    assert (ran.code, ran.out) == (1, "")
    ran.said("error: the check failed: exit code 1", f"check 1 of {HELLO_HERE}", "oh no")
    ran.said(f"`rvbuild log {HELLO_HERE}`")
    assert world.fine("log", HELLO_HERE).out == "oh no\n"
    assert not (world.folder / "result").exists()
    assert world.fine(HELLO_HERE, "--no-check").out
    world.sound()


def test_a_check_whose_expected_text_is_missing(world: World):
    world.recipe("hello", HELLO.replace('expect: "hello 1"', 'expect: "good bye"'))
    ran = world.run(HELLO_HERE)
    assert (ran.code, ran.out) == (1, "")
    ran.said("error: the check's output does not have 'good bye'", f"check 1 of {HELLO_HERE}",
             f"hello 1 for {HERE}", "hint")  # fmt: skip
    assert world.fine("log", HELLO_HERE).out == f"hello 1 for {HERE}\n"
    assert not (world.folder / "result").exists()


def test_show_tells_what_a_target_is(world: World):
    shown = world.fine("show", HELLO_HERE).out
    for part in (HELLO_HERE, "says hello", "MIT", "recipes/hello/recipe.yaml", "base-toolbox"):
        assert part in shown
    names = world.fine("show").out
    assert re.search(r"^hello +package +says hello$", names, re.MULTILINE)
    assert re.search(r"^k3s +package ", names, re.MULTILINE)
    listed = world.fine("show", "--json").json["recipes"]
    assert {"name": "hello", "kind": "package", "summary": "says hello", "license": "MIT"} in listed


def test_the_closure_lists_every_source(world: World):
    *lines, counts, last = world.fine("show", "--closure", HELLO_HERE).out.splitlines()
    assert (counts, last) == (
        f"{len(lines)} sources: {len(lines)} debian",
        f"nothing prebuilt for {HERE}",
    )
    dash = r"debian +dash_\S+\.deb  [0-9a-f]{12}  Debian: pool/main/d/dash/dash_\S+\.deb.*"
    assert any(re.fullmatch(dash, line) for line in lines)
    shown = world.fine("show", "--closure", "--json", HELLO_HERE).json
    found = shown["closure"]
    assert shown["prebuilt"] == {HERE: []}
    assert len(found) == len(lines)
    assert {each["kind"] for each in found} == {"debian"}


def test_fetch_then_build_without_a_network(bare: World, fetched: Path, tmp_path: Path):
    """What `fetch` brings is all that `--offline` needs; without it the error says so."""
    world = bare
    world.clone(fetched)
    folder = tmp_path / "sources"
    commit = repository(folder, {"word.txt": "from git\n"})
    url = "https://example.invalid/sources"
    world.recipe("taker", f"""\
summary: takes
license: MIT
homepage: https://example.invalid
version: "1"
sources:
  it: {{git: {url}, commit: {commit}}}
build: |
  cp /src/it/word.txt "$out/out.txt"
outputs:
  it: {{path: out.txt, kind: file}}
""")  # fmt: skip
    mirror = ("--mirror", f"{url}={folder}")
    world.fine("lock", *mirror)
    alone = world.at(world.folder).with_environment(RVBUILD_STORE=str(tmp_path / "other"))
    refused = alone.run(f"taker-{HERE}", "--offline")
    assert refused.code == 4
    refused.said("error: ", "offline")
    world.fine("fetch", f"taker-{HERE}", *mirror)
    os.rename(folder, tmp_path / "gone")
    world.fine(f"taker-{HERE}", "--offline")
    assert (world.folder / f"result/taker-{HERE}/out.txt").read_text() == "from git\n"


def test_an_edited_folder_stands_for_a_source(world: World, tmp_path: Path):
    """`--override`: edit, build, edit, build; a release refuses it."""
    folder, url = tmp_path / "sources", "https://example.invalid/sources"
    commit = repository(folder, {"word.txt": "pinned\n"})
    world.recipe("taker", TAKER.format(url=url, commit=commit))
    world.fine("lock", "--mirror", f"{url}={folder}")
    edited = tmp_path / "edited"
    edited.mkdir()
    target, result = f"taker-{HERE}", world.folder / f"result/taker-{HERE}/out.txt"
    override = ("--override", f"taker/it={edited}")
    for word in ("one\n", "two\n"):
        (edited / "word.txt").write_text(word)
        world.fine(target, *override)
        assert result.read_text() == word
    assert world.planned(target, *override)["tasks"] == []
    at_home = world.with_environment(HOME=str(tmp_path))
    assert at_home.planned(target, "--override", "taker/it=~/edited")["tasks"] == []
    (edited / "word.txt").write_text("three\n")
    assert target in world.plan(target, *override)
    refused, unused, unknown, gone = world.run_each(
        [
            (target, "--release", *override),
            (target, "--override", f"pigz={edited}"),
            (target, "--override", "nothing=/"),
            (target, "--override", "taker/it=/no/such"),
        ]
    )
    assert [r.code for r in (refused, unused, unknown, gone)] == [2, 2, 2, 4]
    refused.said("a release cannot have an override", "hint")
    unused.said("the override of pigz: no source of these targets is called so", "RECIPE/S")
    unknown.said("the override of nothing: there is no such recipe", "RECIPE/SOURCE")
    gone.said("the override of taker/it: there is no such folder", "/no/such", "name a folder")


TAKER = """\
summary: takes
license: MIT
homepage: https://example.invalid
version: "1"
sources:
  it: {{git: {url}, commit: {commit}}}
build: |
  cp /src/it/word.txt "$out/out.txt"
outputs:
  it: {{path: out.txt, kind: file}}
"""


def test_a_release_takes_no_accelerated_result(world: World):
    """Development builds share a compile cache with later ones; a release has none of it."""
    script = """\
        if [ -e /tmp/go-cache/seen ]; then echo again; else echo first; fi > $out/out.txt
        mkdir -p /tmp/go-cache; : > /tmp/go-cache/seen"""
    world.step("fast", script.replace(" " * 8, ""), "accelerators: [go]\n")
    target, result = f"fast-{HERE}", world.folder / f"result/fast-{HERE}/out.txt"
    world.fine(target)
    assert target in world.plan(target, "--release")
    (world.folder / "recipes/fast/note").write_text("another key")
    world.fine(target)
    assert result.read_text() == "again\n"
    world.fine(target, "--release")
    assert result.read_text() == "first\n"
    world.forget_memo()
    world.fine(target)
    assert result.read_text() == "first\n", "the pure result serves everybody"


@pytest.mark.privileged
def test_two_processes_build_a_target_once(world: World):
    world.step(
        "slow", "mkfifo /build/gate; echo ready; read go < /build/gate; echo $go > $out/out.txt"
    )
    target = f"slow-{HERE}"
    one = world.start(target, "-v")
    one.until("ready")
    two = world.start(target, "-v")
    two.until(f"build               {target}")
    (gate,) = world.store.glob("tmp/*/build/gate")
    gate.write_text("gone\n")
    first, second = one.wait(), two.wait()
    assert (first.code, second.code) == (0, 0), f"{first} {second}"
    first.said("built 1")
    second.said("reused 1")
    assert first.out == second.out
    world.sound()


def test_check_also_builds_what_a_target_is_checked_by(world: World):
    world.recipe("hello", HELLO + "checked-by: [proof]\n")
    world.step("proof", "cp /in/hello/share/hello.txt $out/out.txt",
               "inputs: {target: [hello]}\n")  # fmt: skip
    assert [line.split()[0] for line in world.fine(HELLO_HERE).out.splitlines()] == [
        f"result/{HELLO_HERE}"
    ]
    ran = world.fine("check", HELLO_HERE)
    assert [line.split()[0] for line in ran.out.splitlines()] == [
        f"result/{HELLO_HERE}",
        f"result/proof-{HERE}",
    ]
    assert world.run("check", HELLO_HERE, "--no-check").code == 2


def test_a_folder_that_was_edited_is_not_built_as_it_was(world: World):
    """Not even where the result of what was locked is there, and a memo could answer."""
    (world.folder / "words").mkdir()
    word = world.folder / "words/word"
    word.write_text("one\n")
    world.step("user", 'cp /src/w/word "$out/out.txt"', "sources: {w: {path: ../../words}}\n")
    world.fine("lock")
    out = world.folder / f"result/user-{HERE}/out.txt"
    for _ in range(3):
        world.fine(f"user-{HERE}")
    assert out.read_text() == "one\n"
    word.write_text("two and more\n")
    ran = world.run(f"user-{HERE}")
    assert ran.code == 3
    ran.said(
        "the folder is not what rvbuild.lock has of user/w: it was edited since", "rvbuild lock"
    )
    world.fine("log", f"user-{HERE}")  # somebody who edits wants to read why
    assert world.run("plan", f"user-{HERE}").code == 3
    world.fine(f"user-{HERE}", "--override", f"user/w={world.folder}/words")
    assert out.read_text() == "two and more\n"
    world.fine("lock")
    world.fine(f"user-{HERE}")
    assert out.read_text() == "two and more\n"
    (world.folder / "words").rename(world.folder / "gone")
    world.fine(f"user-{HERE}")


def test_a_copy_of_a_project_builds_from_its_own_folders(world: World, tmp_path: Path):
    """The lock goes with it, and says nothing of where the first one is."""
    words = world.folder / "words"
    words.mkdir()
    (words / "word").write_text("one\n")
    world.step("user", 'cp /src/w/word "$out/out.txt"', "sources: {w: {path: ../../words}}\n")
    world.fine("lock")
    assert str(world.folder) not in (world.folder / "rvbuild.lock").read_text()
    other = evolve(world, folder=tmp_path / "copy")
    shutil.copytree(world.folder, other.folder, symlinks=True)
    other.fine("lock", "--check")
    (words / "word").write_text("two and more\n")
    other.fine(f"user-{HERE}")
    assert (other.folder / f"result/user-{HERE}/out.txt").read_text() == "one\n"
    (other.folder / "words/word").write_text("three, at last\n")
    ran = other.run(f"user-{HERE}")
    assert ran.code == 3
    ran.said("the folder is not what rvbuild.lock has", "--> words\n")


def test_two_folders_of_one_content_are_each_looked_at(world: World):
    """They are one derivation until one of them is edited."""
    for name in ("one", "two"):
        (world.folder / name).mkdir()
        (world.folder / name / "word").write_text("same\n")
    sources = "sources: {a: {path: ../../one}, b: {path: ../../two}}\n"
    world.step("user", 'cat /src/a/word /src/b/word > "$out/out.txt"', sources)
    world.fine("lock")
    world.fine(f"user-{HERE}")
    for name in ("one", "two"):
        (world.folder / name / "word").write_text("another\n")
        ran = world.run(f"user-{HERE}")
        assert ran.code == 3
        ran.said("the folder is not what rvbuild.lock has", f"--> {name}\n")
        (world.folder / name / "word").write_text("same\n")
    world.fine(f"user-{HERE}")


def test_one_folder_of_two_recipes_is_looked_at_for_each(world: World):
    """Only one of them was locked again: the other's result is of the former content."""
    words = world.folder / "words"
    words.mkdir()
    (words / "word").write_text("one\n")
    for name in ("first", "second"):
        world.step(name, 'cp /src/w/word "$out/out.txt"', "sources: {w: {path: ../../words}}\n")
    world.fine("lock")
    targets = (f"first-{HERE}", f"second-{HERE}")
    world.fine(*targets)
    (words / "word").write_text("two and more\n")
    world.fine("lock", "second")
    for words_of_it in (targets, targets[::-1], targets[:1]):
        ran = world.run(*words_of_it)
        assert ran.code == 3
        ran.said("the folder is not what rvbuild.lock has of first/w", "--override first/w=words")
    world.fine(targets[1])
    world.fine("lock")
    world.fine(*targets)


def test_a_folder_that_a_pin_was_read_from_is_looked_at(world: World):
    for name in ("one", "two"):
        (world.folder / name).mkdir()
        (world.folder / name / "word").write_text(f"{name}\n")
    (world.folder / "versions").mkdir()
    version = world.folder / "versions/version"
    version.write_text("one\n")
    more = (
        "pins: {which: {from: v, file: version, line: 1}}\n"
        "sources:\n  v: {path: ../../versions}\n  w: {path: '../../${which}'}\n"
    )
    world.step("user", 'cp /src/w/word "$out/out.txt"', more)
    world.fine("lock")
    world.fine(f"user-{HERE}")
    version.write_text("two\n")
    ran = world.run(f"user-{HERE}")
    assert ran.code == 3
    ran.said("the folder is not what rvbuild.lock has of user/v", "--> versions\n")
    world.fine("lock")
    world.fine(f"user-{HERE}")
    assert (world.folder / f"result/user-{HERE}/out.txt").read_text() == "two\n"


def test_a_folder_whose_go_sum_was_locked_may_stand_for_itself(world: World):
    """The go.sum that was locked is read, and the folder's own files are built."""
    folder = world.folder / "program"
    folder.mkdir()
    (folder / "go.mod").write_text("module e.org/p\n\ngo 1.20\n")
    (folder / "go.sum").touch()
    (folder / "word").write_text("one\n")
    more = "sources: {p: {path: ../../program}}\ninputs: {go-modules: {from: p, packages: []}}\n"
    world.step("user", 'cp /src/p/word "$out/out.txt"', more)
    world.fine("lock")
    world.fine(f"user-{HERE}")
    (folder / "word").write_text("two and more\n")
    assert world.run(f"user-{HERE}").code == 3
    world.fine(f"user-{HERE}", "--override", f"user/p={folder}")
    assert (world.folder / f"result/user-{HERE}/out.txt").read_text() == "two and more\n"


GO = """\
if grep -q e.org/new /src/p/go.sum; then
  echo "main.go:3:8: e.org/new@v1.0.0: module lookup disabled by GOPROXY=off" >&2
  exit 1
fi
test "$(cat /src/p/word)" = good
echo done > "$out/out.txt"
"""
"""A build that says what the go command says of a module that is not in its cache."""


def test_a_folder_that_needs_modules_which_are_not_locked(world: World):
    """Its go.sum names more than the lock has; to lock again changes nothing of that."""
    for name in ("program", "edited", "bad"):
        (world.folder / name).mkdir()
        (world.folder / name / "go.mod").write_text("module e.org/p\n\ngo 1.20\n")
        (world.folder / name / "go.sum").touch()
        (world.folder / name / "word").write_text("bad\n" if name == "bad" else "good\n")
    (world.folder / "edited/go.sum").write_text("e.org/new v1.0.0 h1:" + "A" * 43 + "=\n")
    more = "sources: {p: {path: ../../program}}\ninputs: {go-modules: {from: p, packages: []}}\n"
    world.step("user", GO, more)
    target = f"user-{HERE}"
    way = "Go modules are the locked ones, also where a folder stands for their source"
    ran = world.run(target, "--override", "user/p=edited")
    assert ran.code == 3
    ran.said("does not have user/p", "hint: run `rvbuild lock user`: ", way, "path: FOLDER")
    world.fine("lock")
    ran = world.run(target, "--override", "user/p=edited")
    assert ran.code == 1
    ran.said("GOPROXY=off", "hint: ", way, "and run `rvbuild lock`; the whole log: `rvbuild log ")
    ran = world.run(target, "--override", "user/p=bad")
    assert ran.code == 1
    assert way not in ran.err
    world.fine(target)
