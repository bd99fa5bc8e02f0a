"""Caches with the real program: what one machine built, another takes, and when it does not."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import threading
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from team_world import LIB, TARGET, TOP, Team, counted, result
from web_caches import free_port
from world import HERE, World

from rvbuild.caches.lease import VOID

SAID = f"hello 1 for {HERE}\n"


@pytest.fixture(scope="module")
def former(tmp_path_factory: pytest.TempPathFactory, seed: Path) -> tuple[Team, World]:
    """A team whose CI built, and so filled the cache; nobody changes anything of it."""
    team = Team(tmp_path_factory.mktemp("team"), seed)
    ci = team.signing(team.machine("ci", tools=True), "ci")
    ci.fine(TARGET).said("brought into team: 2 results, ")
    return team, ci


@pytest.fixture
def team(tmp_path: Path, former: tuple[Team, World]) -> Team:
    """The same cache, to be changed."""
    shutil.copytree(former[0].cache, tmp_path / "cache")
    return Team(tmp_path, former[0].seed)


@pytest.fixture
def ci(former: tuple[Team, World]) -> World:
    return former[1]


def laptop(team: Team, ci: World, **options: object) -> World:
    """A machine that trusts CI's key, and signs nothing."""
    return team.trusting(team.machine("laptop", **options), ci)  # type: ignore[arg-type]


def tree(world: World, *words: str) -> str:
    (one,) = world.fine(*words, TARGET, "--json").json["results"]
    assert result(world) == SAID
    return str(one["tree"])


# ---- taking


@pytest.mark.parametrize("command", ["pull", "build"])
def test_from_an_empty_store_another_has_the_same_tree(team: Team, ci: World, command: str):
    world = laptop(team, ci)
    assert tree(world, command) == tree(ci, "build")
    world.sound()
    made = {path.name for path in (world.store / "ac").glob("*/*")}
    assert made == set(), "no step ran"


def test_what_came_is_told(team: Team, ci: World):
    world = laptop(team, ci)
    world.fine(TARGET).said("plan", "pull", "pulled", TARGET, "cache", "team: ", "pulled 2")


def test_what_was_pulled_can_be_compared_without_a_cache(team: Team, ci: World):
    """Also after a collection: what a link shows was made of something, which stays known."""
    world = laptop(team, ci)
    world.fine("pull", TARGET)
    world.recipe("words", LIB.replace('echo "words"', 'echo "other words"'))
    for _ in range(2):
        why = world.fine("why", TARGET, "--cache", "team=off", "--json").json
        (cause,) = why["causes"]
        assert (cause["kind"], [each["label"] for each in cause["places"]]) == ("script", ["words"])
        assert [each["label"] for each in cause["followers"]] == [TARGET]
        world.fine("gc", "--keep", "0")


def test_a_static_server_is_asked_once_for_a_plan(team: Team, ci: World):
    """A hit is one request; after an edit of the top the target's closure is a second one."""
    with counted(team.cache) as (address, paths):
        world = laptop(team, ci, cache=address)
        plan = world.planned(TARGET)["tasks"]
        assert {each["phase"] for each in plan} == {"pull"}
        assert [path.split("/")[3] for path in paths] == ["realisations"]
        paths.clear()
        assert tree(world, "pull") == tree(ci, "build")
        assert len([path for path in paths if "records" in path]) == 1
        other = team.trusting(team.machine("other", tools=True, cache=address), ci)
        other.recipe("hello", TOP.replace("hello $version", "hullo $version"))
        paths.clear()
        phases = {each["label"]: each["phase"] for each in other.planned(TARGET)["tasks"]}
        assert (phases[TARGET], phases["words"]) == ("build", "pull")
        assert [path.split("/")[3] for path in paths] == ["realisations", "targets"]


def test_a_result_that_is_here_asks_nobody(team: Team, ci: World):
    with counted(team.cache) as (address, paths):
        world = laptop(team, ci, cache=address)
        for _ in range(2):  # what is as young as this is looked at once more
            world.fine(TARGET)
        paths.clear()
        assert world.fine(TARGET).err == ""
        world.forget_memo()
        world.fine(TARGET).said("kept 2")
        assert paths == []


def test_offline_a_folder_is_asked_and_no_server(team: Team, ci: World):
    world = laptop(team, ci)
    world.fine("pull", TARGET, "--offline")
    assert result(world) == SAID
    with counted(team.cache) as (address, paths):
        other = team.trusting(team.machine("other", cache=address), ci)
        assert other.run("pull", TARGET, "--offline").code == 4
        assert paths == []


def test_a_preference_for_building_asks_nobody(team: Team, ci: World):
    with counted(team.cache) as (address, paths):
        world = laptop(team, ci, tools=True, cache=address)
        world.fine(TARGET, "--prefer", "build").said("built 2, checked 1")
        assert paths == []
    # who only pulls makes nothing, whatever is preferred
    other = team.trusting(team.machine("other"), ci).with_environment(RVBUILD_PREFER="build")
    other.fine("pull", TARGET).said("pulled 2")


def test_a_cache_of_this_run_alone(team: Team, ci: World):
    world = laptop(team, ci, cache="off")
    assert world.run("pull", TARGET).code == 4
    world.fine("pull", TARGET, "--cache", f"stick={team.cache}").said("cache", "stick: ")


# ---- not taking


def _edit(envelope: dict[str, object]) -> None:
    payload = json.loads(b64decode(str(envelope["payload"])))
    payload["milliseconds"] += 1
    text = json.dumps(payload, separators=(",", ":"), sort_keys=True)
    envelope["payload"] = b64encode(text.encode()).decode()


def _unsign(envelope: dict[str, object]) -> None:
    envelope["signatures"] = []


FORGERIES = {"edited": _edit, "unsigned": _unsign}


def _record(team: Team, label: str) -> Path:
    """The record of a step."""
    for file in team.cache.glob("records/ci/realisations/*/*"):
        payload = json.loads(b64decode(json.loads(file.read_text())["payload"]))
        if payload["label"] == label:
            return file
    raise AssertionError(label)


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_record_is_no_result(team: Team, ci: World, name: str):
    file = _record(team, TARGET)
    envelope = json.loads(file.read_text())
    FORGERIES[name](envelope)
    file.chmod(0o644)
    file.write_text(json.dumps(envelope))
    shutil.rmtree(team.cache / "records/ci/targets")
    ran = laptop(team, ci).run("pull", TARGET)
    assert ran.code == 4
    ran.said("warning", "team: not believed", "signed this", "error: no cache has it")


def test_the_record_of_another_step_is_no_result(team: Team, ci: World):
    """It is signed and true, and says nothing of what was asked for."""
    top, below = _record(team, TARGET), _record(team, "words")
    top.unlink()
    shutil.copy(below, top)
    shutil.rmtree(team.cache / "records/ci/targets")
    ran = laptop(team, ci).run("pull", TARGET)
    assert ran.code == 4
    ran.said("team: not believed: a record of another derivation")


def test_a_pull_says_why_nobody_has_it(team: Team, ci: World):
    """That no cache has it is only said where one was asked; and of what is long, that it is."""
    dead = f"http://127.0.0.1:{free_port()}"
    for text, words, said in (
        (dead, ("--offline",), "error: no cache is asked: the run is offline, and"),
        (f"write {team.cache}", (), "none is set to be read (team: only to be written)"),
        ("off", (), "error: no cache is asked: none is set"),
        (dead, ("-q",), "error: no cache that answers has it as it would be built now"),
        (dead, ("-q",), " | team was left out: "),
    ):
        world = laptop(team, ci, cache=text)
        ran = world.run("pull", TARGET, *words)
        assert ran.code == 4
        ran.said(said, f"whose keys are trusted; or run `rvbuild {TARGET}`")
        shutil.rmtree(world.folder.parent)


def test_a_check_of_what_builders_do_not_agree_on_is_run(team: Team):
    """In a release, which both would have to say: what they checked is not what is delivered."""
    changing = TOP.replace("hello.txt", 'hello.txt"; date +%N >> "$out/share/hello.txt', 1)
    signers = [team.signing(team.machine(name, tools=True), name) for name in ("k1", "k2")]
    release = team.trusting(team.machine("release", tools=True), *signers)
    accept = "accept.release = '2 of [k1, k2]'\n"
    team.name_cache(release, f"read+write {team.cache}", accept)
    for world in (*signers, release):
        world.recipe("hello", changing)
    for signer in signers:
        signer.fine(TARGET, "--prefer", "build").said("brought into team: 2 results, ")
    ran = release.fine(TARGET, "--release")
    ran.said("builders do not agree", "pulled 1, built 1, checked 1")
    assert ran.err.count("builders do not agree") == 1


def test_a_result_whose_check_nobody_ran_can_be_had_without_it(team: Team):
    (team.folder / "unchecked").mkdir()
    place = f"read+write {team.folder}/unchecked"
    lab = team.signing(team.machine("lab", tools=True, cache=place), "lab")
    lab.fine(TARGET, "--no-check").said("brought into team: 2 results, ")
    world = laptop(team, lab, cache=place)
    ran = world.run("pull", TARGET)
    assert ran.code == 4
    ran.said(
        "error: no cache says that its check passed", "pushed with its checks; or give --no-ch"
    )
    world.fine("pull", TARGET, "--no-check")


def test_without_trust_nobody_is_asked(team: Team, ci: World):
    with counted(team.cache) as (address, paths):
        world = team.machine("stranger", cache=address)
        ran = world.run("pull", TARGET)
        assert ran.code == 4
        ran.said("team: not asked: of the keys that it takes, 1 of all keys, 0 are trusted here")
        other = team.signing(world, "other")
        assert other.run("pull", TARGET).code == 4
        assert [path for path in paths if not path.startswith("/records/other/")] == []
    assert not (world.folder / "result").exists()
    other.fine("keys", "revoke", "other", "--why", "it was a test")
    other.run("pull", TARGET).said(
        "0 are trusted here (revoked: other)", "error: no cache is asked"
    )
    del ci


def test_a_key_that_was_revoked_takes_back_what_it_signed(team: Team, ci: World):
    world = laptop(team, ci, tools=True)
    for _ in range(2):
        world.fine(TARGET)
    assert world.planned(TARGET)["tasks"] == []
    world.fine("keys", "revoke", "ci", "--why", "it was stolen")
    ran = world.fine(TARGET)
    ran.said("built 2, checked 1")
    assert result(world) == SAID


def test_what_was_built_on_a_result_falls_with_it(team: Team, ci: World):
    """A laptop took a library from CI, and built another program on top; the same comes out again.

    The first build after that remembers its answer, which falls with the key, too.
    """
    world = laptop(team, ci, tools=True)
    world.recipe("hello", TOP.replace("echo", "echo again;echo", 1))
    world.fine(TARGET).said("pulled 1", "built 1")
    for _ in range(2):
        world.fine(TARGET)
    assert world.planned(TARGET)["tasks"] == []
    world.fine("keys", "revoke", "ci", "--why", "it was stolen")
    world.fine(TARGET).said("built 1", "reused")
    assert world.planned(TARGET)["tasks"] == []


def test_a_repeated_word_falls_with_its_source(team: Team, ci: World):
    """A laptop took CI's result and brought it into another cache, under its own key."""
    second = str(team.folder / "second")
    os.mkdir(second)
    laptop = team.signing(team.trusting(team.machine("laptop"), ci), "laptop")
    laptop.fine("pull", TARGET)
    team.name_cache(laptop, f"read+write {second}")
    laptop.fine("push", TARGET)
    world = team.trusting(team.machine("office", tools=True, cache=second), laptop)
    world.fine(TARGET).said("pulled 2")
    world.fine(TARGET)
    assert world.planned(TARGET)["tasks"] == []
    world.fine("keys", "revoke", "ci", "--why", "it was stolen")
    ran = world.fine(TARGET)
    ran.said("caches: 1 result has the word of no key that counts; 1 is needed", "the word of ci:")
    ran.said("built 2, checked 1")
    assert "pulled" not in ran.err
    assert result(world) == SAID
    laptop.fine("keys", "revoke", "ci", "--why", "it was stolen")
    assert laptop.run("push", TARGET).code == 2


def test_two_must_agree(team: Team, ci: World):
    """Who took a result from a cache repeats what another said; who built it counts."""
    world = laptop(team, ci)
    team.name_cache(world, str(team.cache), "accept.build = '2 of [ci, lab]'\n")
    lab = team.signing(team.machine("lab", tools=True), "lab")
    team.trusting(world, lab)
    ran = world.run("pull", TARGET)
    assert ran.code == 4
    ran.said("note", "caches: 2 results have the word of 1 key; 2 are needed\n")
    team.trusting(lab, ci).fine("pull", TARGET)
    lab.fine("push", TARGET)
    assert world.run("pull", TARGET).code == 4
    lab.fine("keys", "revoke", "ci", "--why", "to build here")
    lab.fine(TARGET, "--prefer", "build").said("built 2")
    lab.fine("push", TARGET)
    world.fine("pull", TARGET)
    assert result(world) == SAID


# ---- caches that fail


def test_a_dead_cache_is_named_and_the_build_goes_on(team: Team, ci: World):
    world = laptop(team, ci, tools=True, cache=f"http://127.0.0.1:{free_port()}/team")
    ran = world.fine(TARGET)
    ran.said("cache", "team was left out: ", "built 2, checked 1")
    assert result(world) == SAID


def test_a_silent_cache_costs_its_budget(team: Team, ci: World):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        world = laptop(team, ci, cache=f"http://127.0.0.1:{port}/team")
        world = world.with_environment(RVBUILD_STALL_BUDGET="1")
        ran = world.run("pull", TARGET)
        assert ran.code == 4
        (seconds,) = re.findall(r"team was left out: .* \((.*) s of waiting\)", ran.err)
        assert 1 <= float(seconds) < 4


def test_who_pushes_reads_that_a_silent_cache_is_waited_for(team: Team, ci: World):
    """The cache is silent for 6 s, and then gone."""
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def leave() -> None:
            connection, _ = silent.accept()
            silent.close()
            with connection, suppress(TimeoutError):
                connection.settimeout(6)
                while connection.recv(1 << 16):
                    pass

        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        threading.Thread(target=leave, daemon=True).start()
        ran = ci.run("push", TARGET, "--to", "new", "--cache", f"new={address}")
    assert ran.code == 4
    ran.said("warning", "new: no answer so far; 60 s at most", "error: ")
    del team


def test_a_second_cache_has_what_the_first_lacks(team: Team, ci: World):
    world = laptop(team, ci)
    text = f"[caches]\ndead = 'http://127.0.0.1:{free_port()}'\nteam = '{team.cache}'\n"
    (world.folder / "rvbuild.toml").write_text(text)
    world.fine("pull", TARGET).said("team: 2 results")


def test_a_lost_pack_is_made_after_all(team: Team, ci: World):
    """A miss, and no error: whatever a cache evicted is built; pushing again heals."""
    shutil.rmtree(team.cache / "objects")
    world = laptop(team, ci, tools=True)
    world.fine(TARGET).said("built 2, checked 1")
    assert result(world) == SAID
    healed = ci.with_environment(RVBUILD_CACHES=f"team=read+write {team.cache}")
    ran = healed.fine("push", TARGET)
    ran.said("pushed", "words")
    assert ", 0 B there before" in ran.out
    other = team.trusting(team.machine("other"), ci)
    other.fine("pull", TARGET)


# ---- bringing


def test_pushing_again_sends_nothing(team: Team, ci: World):
    again = ci.with_environment(RVBUILD_CACHES=f"team=read+write {team.cache}").fine("push", TARGET)
    assert again.out.startswith("team  2 results: 0 B sent, ")


def test_a_damaged_object_is_removed_and_pushed_again(team: Team, ci: World):
    """Its size is right: a push alone would take it to be there."""
    pack = max(team.cache.glob("objects/*/*"), key=lambda path: path.stat().st_size)
    sound = pack.read_bytes()
    pack.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    pushing = ci.with_environment(RVBUILD_CACHES=f"team=read+write {team.cache}")
    pushing.fine("push", TARGET)
    assert pack.read_bytes() != sound
    assert pushing.run("caches", "verify", "team", "--remove").code == 5
    assert not pack.exists()
    pushing.fine("push", TARGET)
    assert pack.read_bytes() == sound
    pushing.fine("caches", "verify", "team")


def test_another_key_of_a_name_keeps_its_records(team: Team, ci: World):
    """Two projects in one cache, and both call their key `ci`: no push writes over the other's."""
    other = team.signing(team.machine("other", tools=True), "ci")
    before = {file: file.read_bytes() for file in team.cache.glob("records/**/*") if file.is_file()}
    ran = other.run(TARGET)
    assert ran.code == 0
    ran.said("not brought into team", "another key of that name")
    ran = other.run("push", TARGET)
    assert ran.code == 4
    ran.said("is signed by ci:", "another key of that name", "the key that signs here: ci:")
    ran.said("hint: let each project have a place of its own, or sign with a key of another name")
    ran = other.run("push", TARGET, "--check")
    assert ran.code == 5
    assert ran.out.count("its record does not count: signed by ci:") == 3, ran.out
    ran.said("hint: let each project have a place of its own, or sign with a key of another name")
    assert before == {file: file.read_bytes() for file in before}
    del ci


def test_what_a_push_needs(team: Team, ci: World):
    world = laptop(team, ci)
    ran = world.run("push", TARGET)
    assert ran.code == 2
    ran.said("error: nobody signs", "signing-key", "rvbuild keys new")
    signer = team.signing(world, "laptop")
    ran = signer.run("push", TARGET)
    assert ran.code == 2
    ran.said("error: it has not been built here", TARGET, f"rvbuild {TARGET}")
    team.name_cache(world, str(team.cache))
    ran = signer.run("push", TARGET)
    assert ran.code == 2
    ran.said("error: no cache is set to be written")
    assert signer.run("push", TARGET, "--to", "nobody").code == 2


def test_what_a_compile_cache_helped_to_make_is_not_pushed(team: Team):
    world = team.signing(team.machine("fast", tools=True), "fast")
    world.step("fast", ": > $out/out.txt", "accelerators: [go]\n")
    target = f"fast-{HERE}"
    world.fine(target)
    ran = world.run("push", target)
    assert ran.code == 2
    ran.said("error: a compile cache helped to make it", target, "share-accelerated")
    world.with_environment(RVBUILD_SHARE_ACCELERATED="1").fine("push", target)
    other = team.trusting(team.machine("other"), world)
    other.step("fast", ": > $out/out.txt", "accelerators: [go]\n")
    assert other.run("pull", target).code == 4
    sharing = other.with_environment(RVBUILD_SHARE_ACCELERATED="1")
    assert sharing.run("pull", target, "--release").code == 4
    sharing.fine("pull", target)


def test_a_push_can_be_checked(team: Team, ci: World):
    """Blobs are asked for, not records; nothing is sent."""
    pushing = ci.with_environment(RVBUILD_CACHES=f"team=read+write {team.cache}")
    assert pushing.fine("push", TARGET, "--check").out == (
        "team  has 3 records and all that they name\n"
    )
    (pack, *_) = sorted(team.cache.glob("objects/*/*"))
    pack.unlink()
    _record(team, "words").unlink()
    before = sorted(team.cache.rglob("*"))
    ran = pushing.run("push", TARGET, "--check")
    assert ran.code == 5
    assert "team  lacks words: no record of it\n" in ran.out
    assert "packs are not there" in ran.out
    assert sorted(team.cache.rglob("*")) == before
    pushing.fine("push", TARGET)
    pushing.fine("push", TARGET, "--check")


def test_all_that_was_built_here_is_pushed(team: Team, ci: World):
    shutil.rmtree(team.cache)
    team.cache.mkdir()
    ci.recipe("gone", TOP.replace("$name", "gone"))
    ci.fine(f"gone-{HERE}", "--no-check")
    shutil.rmtree(ci.folder / "recipes/gone")
    pushing = ci.with_environment(RVBUILD_CACHES=f"team=read+write {team.cache}")
    ran = pushing.fine("push", "--all")
    assert ran.out.startswith("team  2 results: ")
    ran.said(f"not pushed: gone-{HERE}: it would be built otherwise now")
    pushing.fine("push", TARGET, "--check")
    assert pushing.fine("push", "--built-since", "0").out.startswith("team  0 results: ")
    assert pushing.fine("push", "--built-since", "1").out.startswith("team  2 results: 0 B sent")


def test_what_a_cache_gave_is_known_afterwards(team: Team, ci: World):
    world = laptop(team, ci)
    world.fine("pull", TARGET)
    (row,) = world.fine("caches", "--json").json["caches"]
    totals = row["totals"]
    assert (row["state"], totals["runs"], totals["hits"], totals["pulled"]) == ("answers", 1, 2, 2)
    assert totals["bytes_received"] > 0
    world.sound()


# ---- beside a build


def test_who_signs_brings_what_is_built(team: Team):
    shutil.rmtree(team.cache)
    lab = team.signing(team.machine("lab", tools=True), "lab")
    ran = lab.fine(TARGET)
    ran.said("built 2, checked 1", "brought into team: 2 results, ")
    assert "brought" not in lab.fine(TARGET, "--no-check").err, "nothing was made"
    lab.fine("push", TARGET, "--check")
    team.trusting(team.machine("laptop"), lab).fine("pull", TARGET)
    lab.sound()


def test_a_lost_object_heals_by_the_build_that_misses_it(team: Team, ci: World):
    """Nothing but what is pulled was planned; what is made after all is brought."""
    for path in (team.cache / "objects").glob("*/*"):
        path.unlink()
    lab = team.signing(laptop(team, ci, tools=True), "lab")
    ran = lab.fine(TARGET)
    ran.said("lost", "built 2, checked 1", "brought into team: 2 results, ")
    team.trusting(team.machine("other"), lab).fine("pull", TARGET)


def test_what_was_not_brought_is_owed(team: Team):
    disk = team.folder / "disk"  # not plugged in
    lab = team.signing(team.machine("lab", tools=True, cache=f"read+write {disk}/cache"), "lab")
    ran = lab.fine(TARGET)
    ran.said("built 2, checked 1", "not brought into team: there is no such folder", TARGET)
    assert result(lab) == SAID
    (row,) = lab.fine("caches", "--json").json["caches"]
    assert row["totals"]["owed"] == [TARGET]
    (disk / "cache").mkdir(parents=True)
    lab.fine("words").said("brought into team: 2 results, ")
    lab.fine("push", TARGET, "--check")
    (row,) = lab.fine("caches", "--json").json["caches"]
    assert row["totals"]["owed"] == []


def begin_collection(team: Team) -> Path:
    """The lease of a collection."""
    now = int(time.time())
    collection = team.cache / "leases/collection"
    collection.parent.mkdir(exist_ok=True)
    collection.write_text(f"{now} {now - 60} {'ab' * 8} ci\n")
    return collection


def test_an_upload_that_is_required_waits_for_a_collection(team: Team):
    """The build begins beside it; here its lease is void some seconds later."""
    lab = team.signing(team.machine("lab", tools=True), "lab")
    soon = time.time() - VOID + 8
    os.utime(begin_collection(team), (soon, soon))
    ran = lab.fine(TARGET, "--push-required")
    ran.said("team: it is being collected by ci since 20", "; what is made here is brought there")
    ran.said("team: waits: it is being collected by ci since 20", "brought into team: 2 results, ")
    lab.fine("push", TARGET, "--check")


def test_a_cache_that_is_collected_is_owed(team: Team):
    """No error of the build; the lease of one who was killed ends."""
    lab = team.signing(team.machine("lab", tools=True), "lab")
    now = int(time.time())
    collection = begin_collection(team)
    ran = lab.fine(TARGET)
    ran.said("not brought into team: it is being collected by ci since 20", " UTC (ends 20")
    ran.said(f"the next build or push brings {TARGET}")
    refused = lab.run("push", TARGET)
    assert refused.code == 4
    refused.said("error: it is being collected by ci since 20")
    os.utime(collection, (now - VOID, now - VOID))
    lab.fine("words").said("brought into team: 2 results, ")
    lab.fine("push", TARGET, "--check")


def test_an_upload_can_be_required(team: Team):
    disk = team.folder / "disk"
    world = team.machine("lab", tools=True, cache=f"read+write {disk}/cache")
    ran = world.run(TARGET, "--push-required")
    assert ran.code == 2
    ran.said("error: nobody signs")
    assert not (world.folder / "result").exists()
    lab = team.signing(world, "lab")
    ran = lab.run(TARGET, "--push-required")
    assert ran.code == 4
    ran.said("error: there is no such folder")
    assert "built" not in ran.err, "a cache that takes nothing is known before an hour of building"
    assert not (lab.folder / "result").exists()
    (disk / "cache").mkdir(parents=True)
    lab.fine(TARGET, "--push-required").said("brought into team: 2 results, ")


# ---- serve


def test_a_machine_serves_what_it_built(team: Team, ci: World):
    """Read-only, signed when it is asked for, and nothing of it is left in the store."""
    server = ci.start("serve", "--port", "0", "--cache", "team=off")
    try:
        assert server.process.stdout
        address = server.process.stdout.readline().strip()
        server.until("no TLS, no login, no writing")
        world = laptop(team, ci, cache=address)
        assert tree(world, "pull") == tree(ci, "build")
        other = team.trusting(team.machine("other", tools=True, cache=address), ci)
        other.recipe("hello", TOP.replace("hello $version", "hullo $version"))
        phases = {each["label"]: each["phase"] for each in other.planned(TARGET)["tasks"]}
        assert (phases[TARGET], phases["words"]) == ("build", "pull")
        assert world.run("caches", "stat", "team").code == 4
    finally:
        server.process.terminate()
        assert server.wait().code == 0
    ci.sound()


def test_who_signs_nothing_serves_nothing(team: Team, ci: World):
    ran = laptop(team, ci).run("serve", "--port", "0")
    assert ran.code == 2
    ran.said("error: nobody signs")


def test_who_only_pulled_takes_nothing_out_of_a_closure(team: Team, ci: World):
    """A CI whose store is new each time has the target, and not the steps below it."""
    record = team.cache / "records/ci/targets" / TARGET
    key = (ci.folder.parent / "config/rvbuild/keys/ci.key").read_text()
    again = laptop(team, ci).with_environment(RVBUILD_SIGNING_KEY=key)
    before = said(record)
    again.fine("pull", TARGET)
    again.fine("push", TARGET)
    assert said(record) == before == {TARGET, "words"}
    team.cache.joinpath(object_of(record, "words")).unlink()
    again.fine("push", TARGET)
    assert said(record) == {TARGET}


def said(record: Path) -> set[str]:
    """The labels of the statements of a closure."""
    return {str(each["label"]) for each in body(record)["statements"]}


def object_of(record: Path, label: str) -> str:
    """The file of the first pack that a closure names of a result."""
    (statement,) = (each for each in body(record)["statements"] if each["label"] == label)
    name = statement["outputs"]["out"]["packs"][0][0].partition("/")[0]
    return f"objects/{name[:2]}/{name}"


def body(record: Path) -> dict[str, Any]:
    """What a record says."""
    return json.loads(b64decode(json.loads(record.read_text())["payload"]))  # type: ignore[no-any-return]
