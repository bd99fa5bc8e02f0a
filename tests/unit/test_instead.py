"""Values instead of upstream's: where a recipe says them, how long they hold, what a lock has."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
import refs
from answer_schemas import refuse_misfit
from attrs import define, evolve, field
from workspaces import workspace

from rvbuild.__main__ import main
from rvbuild.app.build import build_targets
from rvbuild.app.choices import Choices
from rvbuild.app.lock import LockResult, lock
from rvbuild.app.memo import Memo
from rvbuild.app.plan import plan_targets
from rvbuild.app.remember import remember
from rvbuild.app.session import Session
from rvbuild.app.show import view_targets
from rvbuild.app.targets import targets_of
from rvbuild.core.errors import LockError, OverrideEnded, RecipeError, RunFailed, RvbuildError
from rvbuild.core.events import Event, Noticed
from rvbuild.core.lock import Lock
from rvbuild.core.lock_merge import merge_locks
from rvbuild.core.override import Override
from rvbuild.core.recipe import Reading, SeriesValues
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.recipes_yaml.recipe import read_recipe

SOURCE = """\
kind: source
sources: {family: {git: "https://example.invalid/family", commit: "${commit}"}}
per-series:
  2: {commit: %(two)s}
  1:
    commit: %(one)s%(instead)s
"""
PART = """\
kind: source
version: {from: family-source, line: 1, file: VERSION}
sources: {part: {git: "https://example.invalid/part", tag: "${version}"}}
"""
INSTEAD = """
    instead:
      pins:
        part/version:
          value: v1.2.8
          because: [CVE-2025-31133, CVE-2025-52565]   # fixed there
          while: v1.2.5
          until: 2027-03-01
"""
BECAUSE = ("CVE-2025-31133", "CVE-2025-52565")


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.invalid")
    done = subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def _commit(folder: Path, text: str, tag: str = "") -> str:
    if not folder.exists():
        folder.mkdir()
        _git(folder, "init", "-q")
    (folder / "VERSION").write_text(f"{text}\n")
    _git(folder, "add", ".")
    _git(folder, "commit", "-q", "--allow-empty", "-m", text)
    if tag:
        _git(folder, "tag", tag)
    return _git(folder, "rev-parse", "HEAD")


@define
class World:
    """A family with two series, and a part that follows it by tags; no network, no sandbox."""

    folder: Path
    commits: dict[str, str]
    events: list[Event] = field(factory=list)
    today: str = "2026-11-30"

    def source(self, instead: str = INSTEAD, **commits: str) -> None:
        """Write the family's recipe."""
        text = SOURCE % {**self.commits, **commits, "instead": instead}
        (self.folder / "recipes/family-source/recipe.yaml").write_text(text)

    def session(self, choices: Choices | None = None) -> Session:
        workspace_of = workspace(str(self.folder))
        return Session(workspace_of, self.events.append, choices or Choices(), today=self.today)

    def lock(self, *names: str, check: bool = False) -> LockResult:
        with closing(self.session()) as session:
            result = lock(session, names, check=check)
            if check:
                result.refuse_failures(difference=True)
            else:
                result.write()
            return result

    @property
    def text(self) -> str:
        return (self.folder / "rvbuild.lock").read_text()

    def locked(self) -> Lock:
        return read_lock(self.text.encode(), "rvbuild.lock")

    def built(self, target: str, choices: Choices | None = None) -> str:
        with closing(self.session(choices)) as session:
            build_targets(session, targets_of(session, [target]))
        return (self.folder / "result" / target / "VERSION").read_text().strip()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = tmp_path / "project"
    for name in ("family-source", "part"):
        (folder / "recipes" / name).mkdir(parents=True)
    family, part = tmp_path / "family", tmp_path / "part"
    one, two = _commit(family, "v1.2.5"), _commit(family, "v1.4.0")
    later = _commit(family, "v1.2.6")
    for version in ("v1.2.5", "v1.2.6", "v1.2.8", "v1.4.0"):
        _commit(part, version, version)
    (folder / "recipes/part/recipe.yaml").write_text(PART)
    (folder / "recipes/series.yaml").write_text("default: [2]\n")
    mirrors = {name: tmp_path / name for name in ("family", "part")}
    lines = (f"'https://example.invalid/{n}' = '{path}'\n" for n, path in mirrors.items())
    (folder / "rvbuild.toml").write_text("[mirrors]\n" + "".join(lines))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    for name in ("RVBUILD_STORE", "RVBUILD_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    world = World(folder, {"one": one, "two": two, "later": later})
    world.source()
    return world


def _without_mirrors(world: World) -> None:
    """From now on nothing can be had from outside."""
    (world.folder / "rvbuild.toml").write_text("offline = true\n")


def test_one_series_has_another_value_and_the_lock_has_both(world: World):
    world.lock().refuse_failures()
    pins = world.locked().pins
    one, two = pins[refs.pin("part@1/version")], pins[refs.pin("part@2/version")]
    assert (one.value, one.upstream, one.line) == ("v1.2.8", "v1.2.5", 1)
    assert (one.origin, two.origin) == ("family-source@1 VERSION:1", "family-source@2 VERSION:1")
    assert one.instead == Override(
        value="v1.2.8", because=BECAUSE, upstream="v1.2.5", until="2027-03-01"
    )
    assert (two.value, two.upstream, two.instead) == ("v1.4.0", "", None)
    assert write_lock(world.locked()) == world.text
    assert world.built("part@1") == "v1.2.8"
    assert world.built("part") == "v1.4.0"


def test_a_lock_with_overrides_is_complete(world: World):
    """Nobody outside is asked again, by another lock, by a check, or by a lock of some recipes."""
    world.lock().refuse_failures()
    before = world.text
    _without_mirrors(world)
    for names in ((), ("part",), ("@1",), ("@2",)):
        world.lock(*names).refuse_failures()
        assert world.text == before
    world.lock(check=True)


def test_as_upstream_is_another_build_of_the_same_lock(world: World):
    world.lock().refuse_failures()
    (upstream,) = [world.locked().upstream]
    assert upstream is not None
    assert refs.texts({**upstream.pins, **upstream.sources}) == {"part@1/version", "part@1/part"}
    _without_mirrors(world)
    (world.folder / "rvbuild.toml").unlink()
    mirrors = "".join(
        f"'https://example.invalid/{n}' = '{world.folder.parent / n}'\n" for n in ("part",)
    )
    (world.folder / "rvbuild.toml").write_text(f"[mirrors]\n{mirrors}")
    assert world.built("part@1", Choices(as_upstream=True)) == "v1.2.5"
    assert world.built("part@1") == "v1.2.8"
    with closing(world.session(Choices(as_upstream=True))) as session:
        assert not plan_targets(session, targets_of(session, ["part@1"])).tasks
        view = view_targets(session, targets_of(session, ["part@1"]), pins=True)
        assert view.pins["part@1/version"].value == "v1.2.5"


def test_an_override_that_goes_leaves_nothing(world: World):
    world.source("")
    world.lock()
    plain = world.text
    world.source()
    world.lock()
    assert world.text != plain
    world.source("")
    world.lock()
    assert world.text == plain


def _refused(world: World, *names: str) -> OverrideEnded:
    """How locking stops; the old lock stands."""
    before = world.text
    with pytest.raises(OverrideEnded) as why:
        world.lock(*names).refuse_failures()
    assert world.text == before
    return why.value


def test_locking_stops_when_upstream_moves(world: World):
    world.lock()
    world.source(one=world.commits["later"])
    error = _refused(world, "part@1")
    assert error.exit_code == 3
    assert error.message == "part@1/version: upstream has v1.2.6 now, and v1.2.8 is for v1.2.5"
    assert str(error.where).endswith("family-source/recipe.yaml:10:11")
    assert error.details == (
        "upstream: v1.2.6  family-source@1 VERSION:1",
        "instead:  v1.2.8",
        "while:    v1.2.5, until 2027-03-01",
        "because:  CVE-2025-31133, CVE-2025-52565",
    )
    assert "while: v1.2.6" in str(error.hint)
    with pytest.raises(OverrideEnded):  # in a lock of everything, too; the rest is locked
        world.lock().refuse_failures()
    assert world.locked().pins[refs.pin("part@1/version")].value == "v1.2.8"
    with pytest.raises(RvbuildError, match="the lock is not what the recipes ask for"):
        world.lock(check=True)
    world.source(INSTEAD.replace("v1.2.8", "v1.2.6"), one=world.commits["later"])
    hint = "upstream has it now: remove it from 'instead'"
    assert _refused(world, "part@1").hint == hint
    world.source(INSTEAD.replace("v1.2.5", "v1.2.6"), one=world.commits["later"])
    world.lock().refuse_failures()
    assert world.locked().pins[refs.pin("part@1/version")].upstream == "v1.2.6"


def test_all_overrides_that_have_ended_are_told_at_once(world: World):
    """Two of one recipe, and one of another that the same move ends; named, or with all."""
    other = "more: {from: family-source, line: 1, file: VERSION}"
    text = PART.replace("sources:", f"pins: {{{other}}}\nsources:")
    (world.folder / "recipes/part/recipe.yaml").write_text(text)
    pin = INSTEAD.partition("pins:\n")[2]
    world.source(INSTEAD + pin.replace("part/version", "part/more"))
    world.lock().refuse_failures()
    world.source(INSTEAD + pin.replace("part/version", "part/more"), one=world.commits["later"])
    messages = [
        f"part@1/{name}: upstream has v1.2.6 now, and v1.2.8 is for v1.2.5"
        for name in ("more", "version")
    ]
    for names in ((), ("part@1",)):
        with pytest.raises(RunFailed) as why:
            world.lock(*names).refuse_failures()
        ends = [each for each in why.value.failures if isinstance(each, OverrideEnded)]
        assert sorted(each.message for each in ends) == messages
        assert len(ends) == len(why.value.failures)


def test_locking_stops_when_the_day_is_over_and_builds_go_on(world: World):
    world.lock()
    world.today = "2027-03-01"  # the last one
    world.lock(check=True)
    assert world.built("part@1") == "v1.2.8"
    assert not [each for each in world.events if isinstance(each, Noticed)]
    world.today = "2027-03-02"
    for names in ((), ("part@1",)):
        error = _refused(world, *names)
        assert error.message == "part@1/version: v1.2.8 instead of v1.2.5 was until 2027-03-01"
        assert "later `until`" in str(error.hint)
    with pytest.raises(OverrideEnded):
        world.lock(check=True)
    assert world.built("part@1") == "v1.2.8"
    (notice,) = [each for each in world.events if isinstance(each, Noticed)]
    assert notice.label == "part@1/version"
    assert "was until 2027-03-01 (because CVE-2025-31133, CVE-2025-52565)" in notice.text
    world.lock("part@2").refuse_failures()  # whose value is upstream's


def test_show_says_both_values_and_the_reason(world: World, capsys: pytest.CaptureFixture[str]):
    world.lock()
    assert main(["show", "part@1", "--pins"]) == 0
    assert capsys.readouterr().out == (
        "part@1/version = v1.2.8  instead of v1.2.5  (family-source@1 VERSION:1)\n"
        "  because CVE-2025-31133, CVE-2025-52565\n"
        "  until 2027-03-01\n"
    )
    assert main(["show", "part@1", "--pins", "--as-upstream"]) == 0
    assert capsys.readouterr().out == "part@1/version = v1.2.5  (family-source@1 VERSION:1)\n"
    assert main(["show", "part@1", "part@2", "--pins", "--json"]) == 0
    one, two = json.loads(capsys.readouterr().out)["pins"]
    assert (one["value"], one["upstream"]) == ("v1.2.8", "v1.2.5")
    assert one["instead"] == {
        "value": "v1.2.8", "because": [*BECAUSE], "while": "v1.2.5", "until": "2027-03-01",
    }  # fmt: skip
    assert (two["value"], two["upstream"], two["instead"]) == ("v1.4.0", None, None)


def test_outdated_says_what_stands_instead(world: World, capsys: pytest.CaptureFixture[str]):
    """Where its day is over that counts, though nothing may be moved."""
    text = INSTEAD.replace("2027-03-01", "9999-03-01")
    world.source(text)
    world.lock()
    assert main(["outdated", "part", "--exit-code", "-q"]) == 0
    line = "  part@1  v1.2.8 instead of v1.2.5"
    out = capsys.readouterr().out
    assert f"Overrides\n{line}\n      until 9999-03-01; CVE-2025-31133" in out
    assert main(["outdated", "part", "--all", "-q"]) == 0
    assert "  part@1  v1.2.5  family-source@1 VERSION:1\n" in capsys.readouterr().out
    world.source(text.replace("9999-03-01", "2001-03-01"))
    assert main(["outdated", "part", "--exit-code", "-q"]) == 1
    assert "ended: it was until 2001-03-01; CVE-2025-31133" in capsys.readouterr().out
    assert main(["outdated", "part", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    refuse_misfit("outdated", answer)
    (row,) = [each for each in answer["pins"] if each["recipe"] == "part@1"]
    assert (row["current"], row["origin"]["source"]) == ("v1.2.5", "family-source@1")
    assert row["instead"] == {
        "value": "v1.2.8", "because": [*BECAUSE], "while": "v1.2.5", "until": "2001-03-01",
        "ended": "day",
    }  # fmt: skip


class _Kept(Memo):
    """A memo that notes what it is to keep."""

    answers: list[str]

    def keep(self, answer: str, *_rest: object) -> None:
        self.answers.append(answer)


@pytest.mark.parametrize(("target", "kept"), [("part@1", []), ("part@2", ["answer"])])
def test_no_answer_is_remembered_beyond_a_day(world: World, target: str, kept: list[str]):
    """Else a build with nothing to do would not tell that the day is over."""
    world.lock()
    memo = _Kept(str(world.folder / "cache"), [target])
    memo.answers = []
    with closing(world.session()) as session:
        view = build_targets(session, targets_of(session, [target]))
        remember(memo, "answer", session, view)
    assert memo.answers == kept


def test_a_lock_edited_by_hand_is_no_answer(world: World):
    world.lock()
    lines = world.text
    for edited in (
        lines.replace("upstream: v1.2.5", "upstream: v1.2.7", 1),
        lines.replace("    value: v1.2.8\n    upstream: v1.2.5\n", "    value: v1.2.8\n", 1),
        lines.replace("value: v1.2.8\n    up", "value: v1.2.6\n    up", 1),
    ):
        assert edited != lines
        old = read_lock(_checked(edited).encode(), "rvbuild.lock")
        (world.folder / "rvbuild.lock").write_text(write_lock(old))
        with pytest.raises(LockError, match=r"part@1/version with another (upstream|value) than"):
            world.built("part@1")
    for edited in (
        lines.replace("because: [CVE-2025-31133, CVE-2025-52565], ", "", 1),
        lines.replace("as-upstream:", "as-upstreams:", 1),
    ):
        with pytest.raises(LockError, match=r"is missing|unknown key"):
            read_lock(edited.encode(), "rvbuild.lock")


def _checked(text: str) -> str:
    """As a lock without any check, which is taken as it is and gets them."""
    lines = [line for line in text.splitlines() if not line.strip().startswith("check:")]
    return write_lock(read_lock("\n".join(lines).encode(), "rvbuild.lock", mend=True))


def test_damage_of_what_is_for_comparison_hurts_nobody_else(world: World):
    world.lock()
    head, mark, tail = world.text.partition("as-upstream:")
    damaged = head + mark + tail.replace("value: v1.2.5", "value: v1.2.4", 1)
    lock = read_lock(damaged.encode(), "rvbuild.lock", partly=True)
    assert not lock.damaged
    assert refs.texts(lock.as_upstream.damaged) == {"part@1/version"}
    with pytest.raises(LockError, match="was changed by hand"):
        read_lock(damaged.encode(), "rvbuild.lock")


def test_upstreams_value_may_be_gone(world: World):
    """That is a reason to have another: it is told, and stops nothing."""
    _git(world.folder.parent / "part", "tag", "-d", "v1.2.5")
    world.lock().refuse_failures()
    assert world.built("part@1") == "v1.2.8"
    (notice,) = [each for each in world.events if isinstance(each, Noticed)]
    assert (notice.label, notice.text[:36]) == ("part@1", "cannot be locked as upstream has it:")
    with pytest.raises(LockError, match=r"part@1/version for another"):
        world.built("part@1", Choices(as_upstream=True))


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("part/version", "prat/version"), "there is no recipe called 'prat'", "'part'"),
        (("part/version", "part/versoin"), "part has no pin called 'versoin'", "'version'"),
        (("part/version", "part@1/version"), "'part@1/version' is no name as the", "RECIPE/PIN"),
        (("part/version", "part"), "'part' is no name as the lock has it", "RECIPE/PIN"),
        (("pins:", "go-modules:"), "a mapping (key: value) is expected here", None),
        (("pins:", "pin:"), "unknown key 'pin'", "'pins'"),
    ],
)
def test_an_override_of_nothing_is_refused(
    world: World, change: tuple[str, str], message: str, hint: str | None
):
    world.source(INSTEAD.replace(*change))
    with pytest.raises(RecipeError) as why:
        world.lock("family-source", "part@1")
    assert message in why.value.message
    assert hint is None or hint in str(why.value.hint)


def test_an_override_of_modules_that_are_not_there_is_refused(world: World):
    one = "{value: v1.0.1, because: [x], while: v1.0.0}"
    for name, message in (("part/prat", "part has no source called"), ("p/p", "no recipe called")):
        world.source(f"\n    instead: {{go-modules: {{{name}: {{e.org/a: {one}}}}}}}\n")
        with pytest.raises(RecipeError, match=message):
            world.lock("part@1")


def test_an_override_has_one_place(world: World):
    own = PART.replace("VERSION}", "VERSION, instead: {value: a, because: [x], while: v1.2.5}}")
    (world.folder / "recipes/part/recipe.yaml").write_text(own)
    with pytest.raises(RecipeError, match="part/version is said twice") as why:
        world.lock("part@1")
    assert "part/recipe.yaml:2:" in why.value.details[0]


def test_a_recipe_without_series_has_its_own(world: World):
    """A literal's upstream is the recipe itself: the override ends when somebody moves it."""
    recipe = world.folder / "recipes/part/recipe.yaml"
    text = """\
kind: source
version:
  literal: v1.2.5
  instead: {value: v1.2.8, because: ["https://example.invalid/42"], while: v1.2.5}
sources: {part: {git: "https://example.invalid/part", tag: "${version}"}}
"""
    recipe.write_text(text)
    world.source("")
    world.lock().refuse_failures()
    assert (world.built("part"), world.built("part", Choices(as_upstream=True))) == (
        "v1.2.8", "v1.2.5",
    )  # fmt: skip
    recipe.write_text(text.replace("literal: v1.2.5", "literal: v1.2.6"))
    error = _refused(world, "part")
    assert error.details[0] == "upstream: v1.2.6  part"
    assert error.details[2] == "while:    v1.2.5"


def test_two_branches_that_both_change_what_is_for_comparison(world: World):
    """One side's change stands; what both changed is found again."""
    world.source("")
    world.lock()
    base = world.locked()
    world.source()
    world.lock()
    ours = world.locked()
    assert merge_locks(base, ours, base).lock == ours
    assert merge_locks(base, base, ours).lock == ours
    assert merge_locks(base, ours, ours).lost == ()
    assert ours.upstream is not None
    other = evolve(ours, upstream=evolve(ours.upstream, sources={}))
    merged = merge_locks(base, ours, other)
    assert merged.lock == evolve(ours, upstream=None)
    assert merged.lost == ("as-upstream",)


def _pin(more: str = "") -> str:
    return f"{{from: k, shell: V, file: v.sh{more}}}"


BLOCK = """
  from: k
  shell: V
  file: v.sh
  instead:
    value: b
    because:
      - x
    while: a"""
GOOD = ", instead: {value: b, because: [x], while: a}"


@pytest.mark.parametrize(
    "pin",
    [
        _pin(GOOD),
        f"{{literal: a{GOOD}}}",
        f"{{first-of: [{_pin()}]{GOOD}}}",
        f"{{one-of: [{_pin()}]{GOOD}}}",
        BLOCK,
    ],
)
def test_a_pin_of_any_form_can_have_one(pin: str):
    recipe = read_recipe(f"version: {pin}\nbuild: x\n".encode(), "r", "r.yaml")
    assert not isinstance(recipe.version, str)
    override = Override(value="b", because=("x",), upstream="a")
    assert recipe.version.instead == override
    assert recipe.overrides == (("r/version", override),)


def test_a_rung_has_none():
    text = f"version: {{first-of: [{_pin(GOOD)}]}}\nbuild: x\n"
    with pytest.raises(RecipeError, match="unknown key 'instead'"):
        read_recipe(text.encode(), "r", "r.yaml")


@pytest.mark.parametrize(
    ("instead", "message"),
    [
        ("{value: b, while: a}", "'because' is missing"),
        ("{value: b, while: a, because: []}", "'because' is missing"),
        ("{value: b, while: a, because: ['']}", "'because' is missing"),
        ("{value: b, while: a, because: x}", "'because' must be a list"),
        ("{value: b, because: [x]}", "the key 'while' is missing"),
        ("{while: a, because: [x]}", "the key 'value' is missing"),
        ("{value: a, while: a, because: [x]}", "'value' and 'while' are the same: a"),
        ("{value: b, while: a, because: [x], until: soon}", "'until' must be a day, not 'soon'"),
        ("{value: b, while: a, because: [x], until: 20270301}", "'until' must be a day"),
        ("{value: b, while: a, because: [x], untill: 2027-03-01}", "unknown key 'untill'"),
        ("b", "a mapping (key: value) is expected here"),
    ],
)
def test_what_an_override_must_say(instead: str, message: str):
    text = f"version: {_pin(f', instead: {instead}')}\nbuild: x\n"
    with pytest.raises(RecipeError) as why:
        read_recipe(text.encode(), "r", "r.yaml")
    assert message in why.value.message


def test_a_fact_of_a_commit_has_none():
    text = f"version: {{from: k, git: short{GOOD}}}\nbuild: x\n"
    with pytest.raises(RecipeError, match="a fact of a commit") as why:
        read_recipe(text.encode(), "r", "r.yaml")
    assert str(why.value.where) == "r.yaml:1:32"


def test_no_override_changes_no_words_of_a_lock():
    """What locks of today have as `spec` stays."""
    recipe = read_recipe(b"version: {from: k, line: 1, file: V}\nbuild: x\n", "r", "r.yaml")
    assert isinstance(recipe.version, Reading)
    assert recipe.version.instead is None


def test_a_series_says_where_each_of_its_overrides_stands():
    """Of several modules of a set, too."""
    one = "{value: v1.1.0, because: [x], while: v1.0.0}"
    text = (
        "kind: source\nsources: {k: {git: 'https://e.org/k', commit: '${commit}'}}\n"
        f"per-series:\n  '1':\n    commit: {'1' * 40}\n    instead:\n"
        f"      pins:\n        part/version: {one}\n        part/other: {one}\n"
        f"      go-modules:\n        k/k:\n          e.org/a: {one}\n          e.org/b: {one}\n"
    )
    series = read_recipe(text.encode(), "k", "k.yaml").per_series["1"]
    assert {place.line for place in series.instead.wheres} == {8, 9, 12, 13}
    assert SeriesValues().instead.wheres == frozenset()
