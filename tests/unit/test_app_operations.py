"""Each operation, as a Python program calls it: a typed value, and nothing on its streams."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import field, frozen
from store_parts import with_parts
from workspaces import workspace

from rvbuild.app.build import build_targets
from rvbuild.app.choices import Choices
from rvbuild.app.config import SettingValue, view_settings
from rvbuild.app.doctor import examine_machine, look_at_archives, look_at_proxies
from rvbuild.app.fetch import fetch_sources
from rvbuild.app.gc import collect_garbage
from rvbuild.app.import_store import import_store
from rvbuild.app.init import write_starter
from rvbuild.app.log import read_log
from rvbuild.app.memo import Memo
from rvbuild.app.pin_scope import own_recipes
from rvbuild.app.plan import plan_targets
from rvbuild.app.recipe_list import list_recipes
from rvbuild.app.remember import remember
from rvbuild.app.repair import repair_store
from rvbuild.app.session import Session
from rvbuild.app.show import view_targets
from rvbuild.app.targets import targets_of
from rvbuild.app.verify import verify_store
from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import LockError, RecipeError, RvbuildError, UsageError, VerificationError
from rvbuild.core.events import Event, Finished, Phase, Planned, silent
from rvbuild.core.graph import Target
from rvbuild.core.tree import Tree
from rvbuild.stores.trees import LocalTrees

NOTES = """\
summary: notes that somebody wrote
license: MIT
homepage: https://example.invalid/notes
kind: source
version: "1"
sources: {notes: {git: https://example.invalid/notes, commit: %s}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a source that nobody locked, and a folder that stands for it."""
    folder = tmp_path / "project"
    for each in ("recipes/notes", "clone/more"):
        (folder / each).mkdir(parents=True)
    (folder / "rvbuild.lock").touch()
    (folder / "recipes/notes/recipe.yaml").write_text(NOTES % ("a" * 40))
    (folder / "clone/more/note.txt").write_text("a note\n")
    monkeypatch.chdir(folder)
    for name in ("RVBUILD_STORE", "RVBUILD_JOBS", "RVBUILD_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return folder


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def session(
    project: Path, events: list[Event], capfd: pytest.CaptureFixture[str]
) -> Iterator[Session]:
    """A session; after the test, that nobody wrote to the process's streams."""
    choices = Choices(overrides={"notes": "clone"})
    with closing(Session(workspace(str(project)), events.append, choices)) as session:
        yield session
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def targets(session: Session) -> tuple[Target, ...]:
    return targets_of(session, ["notes", "notes"])


def test_targets_are_named_once(targets: tuple[Target, ...]):
    assert targets == (Target("notes", ""),)


def test_a_build_links_its_results(
    session: Session, targets: tuple[Target, ...], project: Path, events: list[Event]
):
    build = build_targets(session, targets)
    (result,) = build.results
    assert (result.target, result.place) == ("notes", str(project / "result/notes"))
    assert result.files == ("more/note.txt",)
    assert (project / "result/notes/more/note.txt").read_text() == "a note\n"
    assert "notes" in build.recipes
    assert [each.phase for each in events if isinstance(each, Finished)] == [Phase.FETCH]
    assert plan_targets(session, targets).tasks == {}


def test_a_build_copies_its_results(session: Session, targets: tuple[Target, ...], tmp_path: Path):
    (result,) = build_targets(session, targets, output=str(tmp_path / "out")).results
    assert result.place == str(tmp_path / "out/notes")
    assert not (tmp_path / "out/notes").is_symlink()
    assert (tmp_path / "out/notes/more/note.txt").read_text() == "a note\n"


@frozen
class CountedTrees:
    """Trees of a store, and how often each was read."""

    trees: LocalTrees
    reads: Counter[Digest] = field(factory=Counter)

    def tree(self, root: Digest) -> Tree:
        self.reads[root] += 1
        return self.trees.tree(root)

    def __getattr__(self, name: str) -> object:
        return getattr(self.trees, name)


@pytest.mark.parametrize("output", [None, "out"])
def test_the_tree_of_a_result_is_read_once(
    session: Session, targets: tuple[Target, ...], project: Path, output: str | None
):
    """Also where two targets have one tree."""
    other = project / "recipes/others/recipe.yaml"
    other.parent.mkdir()
    other.write_text((NOTES % ("b" * 40)).replace("{notes:", "{others:"))
    session.choices = Choices(overrides={"notes": "clone", "others": "clone"})
    trees = CountedTrees(session.store.trees)
    session.store = with_parts(session.store, trees=trees)
    both = (*targets, *targets_of(session, ["others"]))
    assert len(build_targets(session, both, output=output).results) == 2
    assert list(trees.reads.values()) == [1]


def test_a_failure_stands_beside_what_was_built(session: Session, project: Path):
    """A folder that changes between planning and fetching cannot be had."""

    def report(event: Event) -> None:
        if isinstance(event, Planned):
            (project / "pipes/more").touch()

    session.report = report
    bad = project / "recipes/pipes/recipe.yaml"
    bad.parent.mkdir()
    bad.write_text((NOTES % ("b" * 40)).replace("{notes:", "{pipes:"))
    (project / "pipes").mkdir()
    session.choices = Choices(overrides={"notes": "clone", "pipes": "pipes"})
    build = build_targets(session, targets_of(session, ["pipes", "notes"]), keep_going=True)
    assert [each.target for each in build.results] == ["notes"]
    assert (project / "result/notes/more/note.txt").read_text() == "a note\n"
    assert not (project / "result/pipes").exists()
    (failure,) = build.failures
    with pytest.raises(VerificationError) as caught:
        build.refuse_failures()
    assert caught.value is failure


def test_a_result_that_cannot_appear_is_a_failure_beside_the_others(
    session: Session, targets: tuple[Target, ...], project: Path
):
    """Somebody puts a file in its place while it is fetched."""

    def report(event: Event) -> None:
        if isinstance(event, Finished):
            (project / "result").mkdir()
            (project / "result/notes").write_text("mine")

    session.report = report
    build = build_targets(session, targets)
    assert (build.results, [type(each) for each in build.failures]) == ((), [UsageError])
    assert (project / "result/notes").read_text() == "mine"


def test_a_build_that_cannot_link_makes_nothing(
    session: Session, targets: tuple[Target, ...], project: Path
):
    (project / "result/notes").mkdir(parents=True)
    with pytest.raises(UsageError, match="rvbuild did not make"):
        build_targets(session, targets)
    assert not session.workspace.has_store


def test_an_answer_is_remembered_until_a_recipe_changes(
    session: Session, targets: tuple[Target, ...], project: Path
):
    for path in (project, *project.rglob("*")):  # older than what a memo distrusts
        os.utime(path, ns=(10**18, 10**18))
    build = build_targets(session, targets)
    memo = Memo(session.workspace.store, ["notes"])
    memo._began += 10**12  # files' change times are of just now
    remember(memo, "the answer", session, build)
    assert memo.recall() == "the answer"
    (project / "recipes/notes/new").touch()
    assert memo.recall() is None


def test_a_plan_says_what_and_why(session: Session, targets: tuple[Target, ...]):
    plan = plan_targets(session, targets)
    (task,) = plan.tasks.values()
    assert (task.phase, task.reason, plan.kept) == (Phase.FETCH, "not in the store", {})
    assert not session.workspace.has_store


def test_fetched_sources_are_told_by_derivation(session: Session, targets: tuple[Target, ...]):
    before = plan_targets(session, targets)
    outputs = fetch_sources(session, targets).trees
    assert outputs.keys() == before.tasks.keys()
    (root,) = outputs.values()
    assert [path for path, _ in session.store.trees.tree(root).walk()] == ["more/note.txt"]


def test_targets_are_described(session: Session, targets: tuple[Target, ...]):
    view = view_targets(session, targets, closure=True)
    (status,) = view.targets
    assert status.recipe.summary == "notes that somebody wrote"
    assert status.derivation in plan_targets(session, targets).tasks
    (source,) = view.sources
    assert (source.name, source.stored) == ("notes/notes", False)
    assert source.description.places == ("clone",)
    assert [each.description for each in view.closure.sources] == [source.description]
    assert (view.recipes, view.pins, view.options) == (("notes",), {}, ())


@pytest.mark.parametrize("broken", [False, True])
def test_what_a_file_says_holds_where_it_can(project: Path, *, broken: bool):
    """Other targets do not notice; what no recipe has is an error, unless one cannot be read."""
    (project / "rvbuild.toml").write_text('[options]\nroot = "nft"\n[replace]\nnotess = "x"\n')
    if broken:
        (project / "recipes/broken").mkdir()
        (project / "recipes/broken/recipe.yaml").write_text("kind: [\n")
    with closing(Session(workspace(str(project)), silent)) as session:
        targets = targets_of(session, ["notes"])
        if broken:
            assert session.graph(targets, checks=False).order() == list(targets)
            return
        with pytest.raises(UsageError, match="the replacement of notess") as caught:
            session.graph(targets, checks=False)
    assert caught.value.where == str(project / "rvbuild.toml")


@pytest.mark.parametrize(("today", "has_ended"), [("2027-02-28", False), ("2027-03-01", True)])
def test_a_series_is_supported_on_its_last_day(
    session: Session, project: Path, today: str, *, has_ended: bool
):
    said = "per-series:\n  2: {commit: %s, end-of-support: 2027-02-28}\n  1: {commit: %s}\n"
    text = NOTES % "'${commit}'" + said % ("2" * 40, "1" * 40)
    (project / "recipes/notes/recipe.yaml").write_text(text)
    targets = targets_of(session, ["notes@2", "notes@1"])
    view = view_targets(session, targets, today=dt.date.fromisoformat(today))
    supports = [each.series.upstream for each in view.targets if each.series]
    assert [each.has_ended for (each,) in supports] == [has_ended, False]
    assert [each.end_of_support for (each,) in supports] == ["2027-02-28", ""]


def test_recipes_are_listed_also_where_one_cannot_be_read(session: Session, project: Path):
    bad = project / "recipes/bad/recipe.yaml"
    bad.parent.mkdir()
    bad.write_text("summary: [\n")
    recipes = list_recipes(session)
    assert "notes" in {recipe.name for recipe in recipes.recipes}
    assert "notes" in recipes.unlocked
    with pytest.raises(RecipeError) as caught:
        recipes.refuse_errors()
    assert str(caught.value.where).startswith("recipes/bad/recipe.yaml:")
    assert list_recipes(session, locked=False).unlocked == frozenset()


def test_what_is_wrong_with_a_series_is_told_once(session: Session, project: Path):
    """Whether recipes are listed or held against upstream: each recipe of the series has it."""
    vain = "instead: {pins: {notes/date: {value: a, because: [x], while: b}}}"
    series = f"per-series: {{1: {{commit: {'1' * 40}, {vain}}}}}\n"
    (project / "recipes/notes/recipe.yaml").write_text(NOTES % "'${commit}'" + series)
    (project / "recipes/reader").mkdir()
    reader = "kind: tool\nsources: {notes: {from: notes}}\nbuild: x\n"
    (project / "recipes/reader/recipe.yaml").write_text(reader)
    failures: list[RvbuildError] = []
    assert {each.name for each in own_recipes(session, failures)} == set()
    for errors in (failures, list_recipes(session, locked=False).errors):
        assert [each.message for each in errors] == ["notes has no pin called 'date'"]


@pytest.mark.parametrize("subject", [Target("notes", ""), "d" * 64])
def test_what_ran_no_step_has_no_log(session: Session, subject: Target | str):
    fetch_sources(session, targets_of(session, ["notes"])).refuse_failures()
    with pytest.raises(UsageError, match="no step of it has run here"):
        read_log(session, subject)


def test_the_log_of_a_step_that_failed_is_its_bytes(session: Session):
    log = session.store.cas.write(b"it failed\n")
    session.store.failure_logs.record_failure("d" * 64, log)
    assert read_log(session, "d" * 64) == b"it failed\n"


def test_a_store_is_verified_repaired_and_collected(session: Session, targets: tuple[Target, ...]):
    fetch_sources(session, targets).refuse_failures()
    assert verify_store(session.workspace).findings == ()
    name = hashlib.sha256(b"a note\n").hexdigest()
    path = Path(session.workspace.store, "cas", name[:2], name)
    path.chmod(0o644)
    path.write_bytes(b"a dote\n")
    findings, repairs = [], []
    verified = verify_store(session.workspace, findings.append)
    assert verified.findings == tuple(findings)
    assert verified.counts.damaged == len(findings) > 0
    with pytest.raises(VerificationError, match="damaged"):
        verified.refuse_findings()
    repaired = repair_store(session.workspace, repairs.append)
    assert repaired.done == tuple(repairs)
    assert repaired.counts()["set aside"] > 0
    assert os.path.isdir(repaired.damaged)
    verify_store(session.workspace).refuse_findings()
    assert collect_garbage(session.workspace).unseen == ()
    assert plan_targets(session, targets).tasks  # what was set aside is fetched again


def test_no_store_is_made_to_be_looked_after(session: Session):
    for operation in (verify_store, repair_store, collect_garbage):
        with pytest.raises(UsageError, match="there is no store"):
            operation(session.workspace)
    assert not session.workspace.has_store


def test_an_import_says_which_store_is_none(session: Session, tmp_path: Path):
    with pytest.raises(UsageError, match="there is no store"):
        import_store(session, str(tmp_path / "old"), {})
    fetch_sources(session, targets_of(session, ["notes"])).refuse_failures()
    with pytest.raises(UsageError, match="into itself"):
        import_store(session, session.workspace.store, {})


def test_an_import_counts_what_it_takes_over(session: Session, tmp_path: Path):
    with closing(Session(workspace(".", str(tmp_path / "old")), silent, session.choices)) as other:
        fetch_sources(other, targets_of(other, ["notes"])).refuse_failures()
    done = import_store(session, str(tmp_path / "old"), {})
    assert done.store == str(tmp_path / "old")
    assert (done.counts.taken, done.counts.left_out) == (0, ())
    assert done.counts.absent > 0
    done.refuse_left_out()


def test_an_import_names_the_recipes_whose_sources_it_does_not_know(
    session: Session, project: Path, tmp_path: Path, events: list[Event]
):
    """A recipe that nobody locked is told; one that is not valid is an error at the end, too."""
    with closing(Session(workspace(".", str(tmp_path / "old")), silent, session.choices)) as other:
        fetch_sources(other, targets_of(other, ["notes"])).refuse_failures()
    done = import_store(session, str(tmp_path / "old"), {})
    (problem,) = done.problems
    assert (problem.recipe, type(problem.error)) == ("notes", LockError)
    done.refuse_left_out()
    bad = project / "recipes/bad/recipe.yaml"
    bad.parent.mkdir()
    bad.write_text("summary: [\n")
    done = import_store(session, str(tmp_path / "old"), {})
    assert [each.recipe for each in done.problems] == ["bad", "notes"]
    resolved = [
        each for each in events if isinstance(each, Finished) and each.phase is Phase.RESOLVE
    ]
    names = session.folder.names()
    assert Planned({Phase.RESOLVE: len(names)}, kept=0) in events
    assert [each.label for each in resolved[-len(names) :]] == list(names)
    assert {each.label for each in resolved if each.how == "unknown"} == {"bad", "notes"}
    with pytest.raises(RecipeError) as caught:
        done.refuse_left_out()
    assert str(caught.value.where).startswith("recipes/bad/recipe.yaml:")


def test_the_machine_is_looked_at(session: Session):
    machine = examine_machine(session.workspace)
    assert machine.is_fit == all(check.ok for check in machine.checks)
    assert "bubblewrap" in {check.name for check in machine.checks}


def test_settings_are_told_with_their_origin(session: Session, project: Path, tmp_path: Path):
    view = view_settings(session.workspace)
    assert SettingValue(name="keep-days", value=14, origin="default") in view.values
    assert SettingValue(name="store", value=str(project / "cache"), origin="default") in view.values
    assert view.files == (
        str(tmp_path / "settings/rvbuild/config.toml"),
        str(project / "rvbuild.toml"),
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "read+write https://al:secret@localhost:18443/team",
            "read+write https://localhost:18443/team",
        ),
        ("https://al:secret@h/team", "https://h/team"),
        ("write s3://bucket/p?region=eu", "write s3://bucket/p?…"),
        ("write /mnt/a b?c", "write /mnt/a b?c"),
        ("off", "off"),
    ],
)
def test_a_cache_is_shown_with_its_mode_and_without_its_login(
    monkeypatch: pytest.MonkeyPatch, project: Path, text: str, shown: str
):
    monkeypatch.setenv("RVBUILD_CACHES", f"team={text}")
    view = view_settings(workspace(str(project), str(project / "cache")))
    assert SettingValue(name="caches.team", value=shown, origin="RVBUILD_CACHES") in view.values


def test_a_recipe_is_written_once(session: Session, project: Path):
    place = write_starter(session.workspace, "mine", "go")
    assert place == str(project / "recipes/mine/recipe.yaml")
    assert session.folder.load("mine").base == "mine"
    with pytest.raises(UsageError, match="already"):
        write_starter(session.workspace, "mine", "go")
    with pytest.raises(UsageError, match="is a command"):
        write_starter(session.workspace, "build", "go", commands=["build"])


@pytest.mark.parametrize(
    ("environment", "ok", "words"),
    [
        (
            {"RVBUILD_DEBIAN_MIRROR": "http://me:secret@a.invalid/d /srv/d"},
            True,
            "http://a.invalid/d (RVBUILD_DEBIAN_MIRROR), then file:///srv/d (RVBUILD_DEBIAN_MIRR",
        ),
        (
            {"RVBUILD_DEBIAN_SNAPSHOT": "http://s.invalid"},
            True,
            "http://s.invalid (snapshot archive)",
        ),
        (
            {"RVBUILD_DEBIAN_MIRROR": "a.invalid"},
            False,
            "RVBUILD_DEBIAN_MIRROR: not the address of",
        ),
        ({"RVBUILD_DEBIAN_SNAPSHOT": "off"}, False, "none: apt knows no release of Debian"),
    ],
)
def test_which_archives_of_debian_are_asked(
    environment: dict[str, str], words: str, tmp_path: Path, *, ok: bool
):
    """Nobody is asked for that; and no password is shown. The machine's apt knows no archive."""
    check = look_at_archives(environment, tmp_path)
    assert (check.ok, bool(hint_text(check.hint))) == (ok, not ok)
    assert words in check.found
    assert "secret" not in check.found


BAD = "http://alice:S3c/ret@p.invalid:1"


@pytest.mark.parametrize(
    ("environment", "files", "words"),
    [
        ({"https_proxy": BAD}, {}, "https_proxy: a proxy that cannot"),
        ({"ALL_PROXY": "socks9://p.invalid"}, {}, "ALL_PROXY: a proxy that cannot"),
        ({"http_proxy": "http://p\x1b.invalid"}, {}, "http_proxy: a proxy that cannot"),
        ({"PIP_PROXY": BAD}, {}, "PIP_PROXY: a proxy that cannot"),
        ({}, {".config/pip/pip.conf": f"[global]\nproxy = {BAD}\n"}, "pip.conf"),
        ({}, {".cargo/config.toml": f"[http]\nproxy = '{BAD}'\n"}, "config.toml (http.proxy)"),
        ({}, {".cargo/config.toml": "http = 1"}, "config.toml"),
        ({}, {".gitconfig": f"[http]\n\tproxy = {BAD}\n"}, "http.proxy of git: a proxy that"),
        ({"PATH": "{home}"}, {"apt-config": BAD}, "Acquire::http::Proxy of apt's configuration: a"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_found(
    environment: dict[str, str], files: dict[str, str], words: str, tmp_path: Path
):
    """Nobody is asked, and no part of a login is shown."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        if name == "apt-config":
            text = f"#!/bin/sh\necho 'Acquire::http::Proxy \"{text}\";'\n"  # noqa: PLW2901
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    base = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    filled = {name: value.format(home=tmp_path) for name, value in environment.items()}
    check = look_at_proxies({**base, **filled})
    assert not check.ok
    assert words in check.found
    assert hint_text(check.hint)
    assert not [part for part in ("alice", "S3c", "ret@") if part in check.found]


def test_the_proxies_are_named(tmp_path: Path):
    base = {"HOME": str(tmp_path), "PATH": str(tmp_path)}
    check = look_at_proxies(base)
    assert (check.ok, check.found) == (True, "none")
    more = {"http_proxy": "alice:S3cret@p.invalid:1", "PIP_PROXY": "https://q.invalid:2"}
    check = look_at_proxies({**base, **more})
    assert (check.ok, check.found) == (
        True,
        "http://p.invalid:1 (http_proxy), https://q.invalid:2 (PIP_PROXY)",
    )
