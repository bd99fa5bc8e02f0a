"""Settings in files: builds follow them, `config` tells them, and no memo outlives a change."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from world import HERE, World, repository

pytestmark = pytest.mark.privileged

GIT = """\
kind: source
summary: code
license: MIT
homepage: https://example.invalid/code
version: "1"
sources: {code: {git: "https://example.invalid/code.git", commit: COMMIT}}
"""


def test_an_option_in_the_projects_file_counts_at_once(world: World):
    world.step("root", 'echo plain > "$out/out.txt"')
    world.step("whole", 'echo whole > "$out/out.txt"')
    offered = "inputs: {target: [root]}\noptions:\n"
    offered += "  root: {input: root, choices: {plain: root, whole: whole}}\n"
    world.step("app", 'cp /in/root/out.txt "$out/out.txt"', offered)
    target, file = f"app-{HERE}", world.folder / "rvbuild.toml"
    result = world.folder / f"result/{target}/out.txt"
    for text, wanted in (
        ("", "plain\n"),
        ('[options]\nroot = "whole"\n', "whole\n"),
        ("", "plain\n"),
        ('[replace]\nroot = "whole"\n', "whole\n"),
    ):
        file.write_text(text)
        world.fine(target)
        world.fine(target)  # from the memo
        assert result.read_text() == wanted
    world.fine(target, "--replace", "root=root")
    assert result.read_text() == "plain\n"


def test_a_mirror_of_the_projects_file_is_used(world: World, tmp_path: Path):
    commit = repository(tmp_path / "mirror/code", {"a.txt": "here\n"})
    world.recipe("code", GIT.replace("COMMIT", commit))
    more = "sources: {code: {from: code}}\n"
    world.step("user", 'cp /src/code/a.txt "$out/out.txt"', more)
    place = os.path.relpath(tmp_path / "mirror/code/.git", world.folder)
    (world.folder / "rvbuild.toml").write_text(
        f'[mirrors]\n"https://example.invalid/code.git" = "{place}"\n'
    )
    world.fine("lock")
    world.fine(f"user-{HERE}")
    assert (world.folder / f"result/user-{HERE}/out.txt").read_text() == "here\n"


def test_config_tells_each_value_and_who_set_it(world: World):
    (world.folder / "rvbuild.toml").write_text('jobs = 3\n[mirrors]\n"https://a/" = "/b"\n')
    file = str(world.folder / "rvbuild.toml")
    told = world.with_environment(RVBUILD_KEEP_DAYS="7").fine("config", "--json").json
    values = {each["name"]: (each["value"], each["from"]) for each in told["settings"]}
    assert values["jobs"] == (3, file)
    assert values["keep-days"] == (7, "RVBUILD_KEEP_DAYS")
    assert values["mirrors.https://a/"] == (["/b"], file)
    assert values["store"] == (str(world.store), "RVBUILD_STORE")
    assert values["offline"] == (False, "default")
    assert file in told["files"]
    ran = world.fine("config")
    assert f"jobs = 3  ({file})\n" in ran.out
    ran.said("read: ", f"read: {file}\n")


def test_a_wrong_setting_stops_every_command_with_its_file(world: World):
    (world.folder / "rvbuild.toml").write_text("jbs = 3\n")
    for words in (("config",), (f"hello-{HERE}",), ("store", "path"), ("gc",)):
        ran = world.run(*words)
        assert (ran.code, ran.out) == (2, "")
        ran.said("error: there is no setting 'jbs'", "rvbuild.toml", "did you mean 'jobs'?")


def test_a_project_is_where_its_settings_are(world: World):
    """Also without a lock, as a project begins."""
    below = world.folder / "a/b"
    below.mkdir(parents=True)
    (world.folder / "rvbuild.lock").unlink(missing_ok=True)
    (world.folder / "rvbuild.toml").write_text("jobs = 3\n")
    told = world.at(below).fine("config", "--json").json["settings"]
    assert {"name": "jobs", "value": 3, "from": str(world.folder / "rvbuild.toml")} in told


@pytest.mark.parametrize("in_file", [False, True])
def test_gc_leaves_what_the_largest_size_allows_and_what_is_shown(world: World, *, in_file: bool):
    world.step("shown", 'echo 1 > "$out/out.txt"')
    world.step("hidden", 'echo 2 > "$out/out.txt"')
    world.fine(f"shown-{HERE}", f"hidden-{HERE}")
    (world.folder / f"result/hidden-{HERE}").unlink()
    assert world.fine("gc", "--json").json["results"] == 0, "it was used lately"
    if in_file:
        (world.folder / "rvbuild.toml").write_text('max-size = "1kB"\n')
        assert world.fine("gc", "--max-size", "1TiB", "--json").json["results"] == 0
    gone = world.fine("gc", "--json", *(() if in_file else ("--max-size", "1kB"))).json
    assert gone["results"] > 0
    assert world.run("store", "verify").code == 0
    assert (world.folder / f"result/shown-{HERE}/out.txt").read_text() == "1\n"


def test_a_builder_is_named_in_the_record_and_serves_itself_first(world: World):
    """Two builders, one derivation: each has its record, and nothing is built twice."""
    world.step("it", 'echo x > "$out/out.txt"')
    target = f"it-{HERE}"
    world.fine(target)
    assert world.with_environment(RVBUILD_BUILDER="ci").planned(target)["tasks"] == []
    fresh = world.with_environment(RVBUILD_BUILDER="ci", RVBUILD_STORE=f"{world.store}2")
    fresh.fine(target)
    names = {path.name for path in Path(f"{world.store}2/realisations").glob("*/*")}
    assert names
    assert all(name.endswith("@ci") for name in names)


def test_config_shows_no_login_and_no_query(bare: World):
    """Whoever asks for help puts its text into a report."""
    (bare.folder / "rvbuild.toml").write_text(
        '[mirrors]\n"http://u:secret1@a.example/" = ["http://u:secret2@127.0.0.1:1/git?x=secret6"]\n'
    )
    world = bare.with_environment(
        RVBUILD_DEBIAN_UNCHECKED="http://u:secret3@h.example/x",
        RVBUILD_DEBIAN_FROZEN="http://u:se/cret4@h.example/x http://h.example/y#secret7",
        RVBUILD_DEBIAN_MIRROR="http://u:secret5@h.example/debian",
    )
    for words in (("config",), ("config", "--json")):
        ran = world.fine(*words)
        assert "http://127.0.0.1:1/git" in ran.out
        assert "http://h.example/x" in ran.out
        assert not re.search("se/?cret|u:", ran.out + ran.err)
