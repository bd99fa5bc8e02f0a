"""One move of `update`: whose word counts for each source that a value chooses."""

from __future__ import annotations

import json
import subprocess
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define, field
from workspaces import workspace

from rvbuild.app.choices import Choices
from rvbuild.app.lock import lock
from rvbuild.app.lock_gaps import lock_gaps
from rvbuild.app.session import Session
from rvbuild.app.update import update
from rvbuild.app.update_view import UpdateRequest, UpdateView
from rvbuild.core.errors import (
    Absent,
    LockError,
    OverrideEnded,
    RecipeError,
    SourceError,
    UsageError,
    WrongContent,
)
from rvbuild.core.events import Event, Noticed
from rvbuild.core.pin_step import FactStep
from rvbuild.core.place import UnwrittenPlace

VERSIONS = ("1.0", "1.1", "2.0")
TOOLBOX = """\
kind: tool
toolbox: none
sources: {box: {git: "https://example.invalid/names", tag: v1.0}}
"""
REPOSITORIES = ("one", "two", "names")


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=n@example.invalid")
    command = ["git", *who, *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _repository(folder: Path) -> dict[str, str]:
    """A repository with a tag for each version; their commits."""
    folder.mkdir()
    _git(folder, "init", "-q")
    commits = {}
    for version in VERSIONS:
        (folder / "VERSION").write_text(f"{folder.name} {version}\n")
        (folder / "NAME").write_text("one\n")
        (folder / "same").write_text("same\n")
        (folder / "fix").write_text("one\ntwo\n" + "fixed\n" * (version != "1.0"))
        _git(folder, "add", ".")
        _git(folder, "commit", "-q", "-m", version)
        _git(folder, "tag", f"v{version}")
        commits[version] = _git(folder, "rev-parse", "HEAD")
    return commits


@define
class World:
    """A project with repositories on this machine; no network, no sandbox."""

    folder: Path
    commits: dict[str, dict[str, str]]
    events: list[Event] = field(factory=list)

    def recipe(self, name: str, text: str) -> Path:
        path = self.folder / "recipes" / name / "recipe.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def session(self) -> Session:
        return Session(
            workspace(str(self.folder)), self.events.append, Choices(), today="2026-11-30"
        )

    def lock(self) -> None:
        with closing(self.session()) as session:
            result = lock(session, ())
            result.refuse_failures()
            result.write()

    def update(self, *names: str, **request: object) -> UpdateView:
        with closing(self.session()) as session:
            return update(session, UpdateRequest(names=names, **request))  # type: ignore[arg-type]

    def text(self, view: UpdateView, name: str) -> str:
        """A recipe as an update leaves it."""
        return (view.files[f"recipes/{name}/recipe.yaml"][1] or b"").decode()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = tmp_path / "project"
    (folder / "recipes").mkdir(parents=True)
    commits = {name: _repository(tmp_path / name) for name in REPOSITORIES}
    lines = (f"'https://example.invalid/{n}' = '{tmp_path / n}'\n" for n in REPOSITORIES)
    (folder / "rvbuild.toml").write_text("[mirrors]\n" + "".join(lines))
    monkeypatch.chdir(folder)
    monkeypatch.setattr("rvbuild.app.workspace.shipped_recipes", lambda: str(folder))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    for name in ("RVBUILD_STORE", "RVBUILD_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    world = World(folder, commits)
    world.recipe("base-toolbox", TOOLBOX)
    return world


DERIVED = """\
kind: source
version: "1.0"
pins: {repo: {from: names, line: 1, file: NAME}}
sources: {r: {git: "https://example.invalid/${repo}", tag: "v${version}"}}
"""
NAMES = 'kind: source\nsources: {names: {git: "https://example.invalid/names", tag: v1.0}}\n'


def test_a_repository_whose_address_is_derived_is_the_one_that_is_asked(world: World):
    world.recipe("names", NAMES)
    world.recipe("r", DERIVED)
    with pytest.raises(LockError, match="does not have r/repo"):
        world.update("r", to="2.0")
    world.lock()
    view = world.update("r", to="2.0")
    assert world.text(view, "r") == DERIVED.replace("1.0", "2.0")


@pytest.mark.parametrize("name", ["r", "r/version", "r/r"])
@pytest.mark.parametrize("to", ["2.0", ""])
def test_so_it_is_where_the_series_comes_from_below(world: World, name: str, to: str):
    """The recipe says its version for all series, and what it is read from says which there are."""
    commits = (world.commits["names"][version] for version in ("1.0", "1.1"))
    text = "".join(f'  "{n}": {{commit: {c}}}\n' for n, c in enumerate(commits))
    first = (
        'kind: source\nsources: {s: {git: "https://example.invalid/names", commit: "${commit}"}}\n'
    )
    world.recipe("names", f"{first}per-series:\n{text}")
    recipe = DERIVED.replace("kind: source", "kind: source\nupdate: major")
    world.recipe("r", recipe)
    (world.folder / "recipes/series.yaml").write_text('default: ["0"]\n')
    world.lock()
    view = world.update(name, to=to)
    assert view.failures == ()
    assert world.text(view, "r") == recipe.replace("1.0", "2.0")
    assert view.lock is not None
    sources = {str(ref): source.parts[0] for ref, source in view.lock.new.sources.items()}
    for series in "01":
        assert getattr(sources[f"r@{series}/r"], "commit", "") == world.commits["one"]["2.0"]
    with pytest.raises(WrongContent, match=r"upstream moved the tag v1\.0"):
        _move_tag(world, name)


def _move_tag(world: World, name: str) -> None:
    _git(world.folder.parent / "one", "tag", "-f", "v1.0", "v1.1")
    world.update(name, to="1.0")


def _both(one: str, two: str) -> str:
    return f"""\
kind: tool
version: "1.0"
build: ": > $out/out"
outputs: {{out: {{path: out}}}}
sources:
  a: {{git: "https://example.invalid/one", tag: "v${{version}}", commit: {one}}}
  b: {{git: "https://example.invalid/two", tag: "v${{version}}", commit: {two}}}
"""


@pytest.mark.parametrize("to", ["2.0", ""])
def test_each_repository_says_its_own_commit(world: World, to: str):
    old, new = ([world.commits[name][v] for name in ("one", "two")] for v in ("1.0", "2.0"))
    text = _both(*old)
    world.recipe("r", text.replace('"1.0"', '"1.0"\nupdate: major'))
    world.lock()
    view = world.update("r", to=to)
    assert view.failures == ()
    assert world.text(view, "r").replace("\nupdate: major", "") == _both(*new).replace(
        '"1.0"', '"2.0"'
    )


FAMILY = """\
kind: source
sources: {{{name}: {{git: "https://example.invalid/{repository}", commit: "${{commit}}"}}}}
per-series:
  "1": {{commit: {commit}{patches}}}
"""
APP = """\
kind: tool
version: "1"
sources: {a: {from: a-source}, b: {from: b-source}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


def _patch(old: str, name: str = "VERSION") -> str:
    return f"Origin: me\n\n--- a/{name}\n+++ b/{name}\n@@ -1 +1 @@\n-{old}\n+other\n"


def test_patches_of_each_recipe_are_tried_on_its_own_source(world: World):
    for name, repository, patches in (
        ("a-source", "one", ""),
        ("b-source", "two", ", patches: [old.patch, same.patch]"),
    ):
        commit = world.commits[repository]["1.0"]
        text = FAMILY.format(name=name, repository=repository, commit=commit, patches=patches)
        folder = world.recipe(name, text).parent
    (folder / "old.patch").write_text(_patch("two 1.0"))
    (folder / "same.patch").write_text(_patch("same", "same"))
    world.recipe("app", APP)
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    values = {"b-source.commit": world.commits["two"]["2.0"]}
    with pytest.raises(UsageError) as caught:
        world.update("a-source", to="v2.0", series="2", values=values)
    (detail,) = caught.value.details
    problem = "it does not apply: VERSION: line 1"
    assert f"b-source.patches: patches without old.patch, or with another: {problem}" in detail
    values["b-source.patches"] = ""
    view = world.update("a-source", to="v2.0", series="2", values=values)
    assert f'"2": {{commit: {values["b-source.commit"]}}}' in world.text(view, "b-source")


TAGGED = """\
kind: source
sources:
  {name}:
    {{git: "https://example.invalid/{repository}", tag: "${{tag}}", commit: "${{commit}}"}}
per-series:
  "1": {{tag: v1.0, commit: {commit}, release: v1.0}}
"""


@pytest.mark.parametrize(
    ("form", "said", "new"),
    [
        (FAMILY, "commit=v2.0", "{{commit: {}, release: v2.0}}"),
        (FAMILY, "commit=2.0", "{{commit: {}}}"),
        (TAGGED, "tag=v2.0", "{{tag: v2.0, commit: {}, release: v2.0}}"),
    ],
    ids=["a tag for a commit", "a commit", "a tag"],
)
def test_another_source_of_the_family_follows_the_same_rules(
    world: World, form: str, said: str, new: str
):
    """Its release, and the commit of its tag, are known as those of the first."""
    commits = {name: world.commits[name] for name in ("one", "two")}
    fields = {"commit": commits["two"]["1.0"], "patches": ", release: v1.0"}
    world.recipe("a-source", FAMILY.format(
        name="a-source", repository="one", commit=commits["one"]["1.0"], patches=""
    ))  # fmt: skip
    world.recipe("b-source", form.format(name="b-source", repository="two", **fields))
    world.recipe("app", APP)
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    name, _, value = said.partition("=")
    value = commits["two"].get(value, value)
    view = world.update("a-source", to="v2.0", series="2", values={f"b-source.{name}": value})
    text = new.format(commits["two"]["2.0"])
    assert f'  "2": {text}\n' in world.text(view, "b-source")


def test_where_nobody_knows_whether_upstream_has_a_patch_it_is_asked_for(world: World):
    """It applies, and stands there as well; whatever it says of upstream."""
    old, new = (world.commits["names"][version] for version in ("1.0", "2.0"))
    facts = ", patches: [may.patch]"
    text = FAMILY.format(name="a-source", repository="names", commit=old, patches=facts)
    folder = world.recipe("a-source", text).parent
    patch = "Applied-Upstream: 2.0\nOrigin: me\n\n--- a/same\n+++ b/same\n@@ -1 +1,2 @@\n{}"
    (folder / "may.patch").write_text(patch.format("+same\n same\n"))
    with pytest.raises(UsageError) as caught:
        world.update("a-source", to=new)
    (detail,) = caught.value.details
    assert "patches without may.patch, or with another: upstream may have it" in detail
    view = world.update("a-source", to=new, values={"patches": "may.patch"})
    assert world.text(view, "a-source") == text.replace(old, new)


@pytest.mark.parametrize(
    ("named", "locked", "left_out"),
    [
        ("1.1", "1.0", ("p.patch",)),
        ("2.0", "1.0", ("p.patch",)),
        ("1.0", "1.0", ()),
        ("1.1", "", ()),
        ("", "1.0", ()),
    ],
    ids=["one between", "the new commit", "the old one", "nothing locked", "none"],
)
def test_a_patch_whose_commit_came_with_the_move_is_left_out(
    world: World, named: str, locked: str, left_out: tuple[str, ...]
):
    """Upstream has its line elsewhere; it names the commit that it is from."""
    commits = world.commits["names"]
    text = FAMILY.format(
        name="a-source", repository="names", commit=commits["1.0"], patches=", patches: [p.patch]"
    )
    folder = world.recipe("a-source", text).parent
    origin = f"backport, https://example.invalid/commit/{commits.get(named, 'unknown')}"
    (folder / "p.patch").write_text(
        f"Origin: {origin}\nApplied-Upstream: 2.0\n\n"
        "--- a/fix\n+++ b/fix\n@@ -1,2 +1,3 @@\n one\n+fixed\n two\n"
    )
    world.recipe("app", APP.replace(", b: {from: b-source}", ""))
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    if locked:
        world.lock()
    if left_out:
        view = world.update("a-source", to=commits["2.0"])
        assert view.steps[0].left_out == left_out
        assert "patches" not in world.text(view, "a-source")
    else:
        asked = "patches: patches without p.patch, or with another: upstream may have it"
        assert asked in _details(world, "a-source", to=commits["2.0"])[0]


BOTH = """\
kind: tool
version: "1.0"
sources:
  one: {git: "https://example.invalid/one", tag: "v${version}", patches: [a.patch]}
  other: {git: "https://example.invalid/one", tag: v1.0, patches: [a.patch]}
build: ": > $out/out"
outputs: {out: {path: out}}
"""
LENDER = """\
kind: source
version: "1.0"
sources: {r: {git: "https://example.invalid/one", tag: "v${version}"}}
"""
BORROWER = """\
kind: tool
version: "1"
sources:
  one: {from: r, patches: [a.patch]}
  other: {git: "https://example.invalid/one", tag: v1.0, patches: [a.patch]}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


@pytest.mark.parametrize(("having", "mover"), [(BOTH, "p"), (BORROWER, "r")])
def test_a_patch_goes_from_the_source_that_took_it_alone(world: World, having: str, mover: str):
    """Not from another source of the same recipe, which has it under the same name."""
    recipe = world.recipe("p", having)
    world.recipe("r", LENDER)
    patch = _patch("one 1.0").replace("+other", "+one 2.0")
    (recipe.parent / "a.patch").write_text("Applied-Upstream: 2.0\n" + patch)
    world.lock()
    view = world.update(mover, to="2.0")
    assert view.steps[0].left_out == ("a.patch",)
    expected = having.replace('"1.0"', '"2.0"').replace(", patches: [a.patch]", "", 1)
    assert world.text(view, "p") == expected


OF_ALL = """\
kind: source
version: "1.0"
sources: {r: {git: "https://example.invalid/one", tag: "v${version}"}}
per-series:
  "1": {patches: [taken.patch, same.patch]}
  "2": {patches: [old.patch]}
"""


def test_patches_of_each_series_are_tried_where_one_value_is_for_all(world: World):
    recipe = world.recipe("r", OF_ALL)
    taken = "Applied-Upstream: 2.0\n" + _patch("one 1.0").replace("+other", "+one 2.0")
    patches = {"taken": taken, "same": _patch("same", "same"), "old": _patch("one 1.0")}
    for name, text in patches.items():
        (recipe.parent / f"{name}.patch").write_text(text)
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    world.lock()
    name = "per-series.2.patches"
    asked = (
        f"{name}: patches without old.patch, or with another: it does not apply: VERSION: line 1"
    )
    assert _details(world, "r", to="2.0") == (asked,)
    view = world.update("r", to="2.0", values={name: "same.patch"})
    assert world.text(view, "r") == OF_ALL.replace('version: "1.0"', 'version: "2.0"').replace(
        "taken.patch, ", ""
    ).replace("old.patch", "same.patch")


PATCHED = """\
kind: source
update: major
version: "1.0"
sources: {r: {git: "https://example.invalid/one", tag: "v${version}", patches: [first.patch]}}
"""
USER = """\
kind: tool
version: "1"
sources: {x: {from: r, patches: [on-it.patch]}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""


def _details(world: World, name: str, **request: object) -> tuple[str, ...]:
    """What is asked for, without the places."""
    with pytest.raises(UsageError) as caught:
        world.update(name, **request)
    return tuple(each.partition(": ")[2] for each in caught.value.details)


def test_a_patch_of_the_source_itself_is_tried_and_asked_for(world: World):
    recipe = world.recipe("r", PATCHED)
    (recipe.parent / "first.patch").write_text(_patch("one 1.0"))
    asked = (
        "r.patches: patches without first.patch, or with another: "
        "it does not apply: VERSION: line 1"
    )
    assert _details(world, "r", to="2.0") == (asked,)
    (failure,) = world.update("r").failures
    assert isinstance(failure, UsageError)
    assert asked in failure.details[0]
    view = world.update("r", to="2.0", values={"r.patches": ""})
    assert world.text(view, "r") == PATCHED.replace("1.0", "2.0").replace(
        ", patches: [first.patch]", ""
    )


def test_a_patch_of_the_source_itself_that_upstream_took_is_left_out(world: World):
    recipe = world.recipe("r", PATCHED)
    patch = _patch("one 1.0").replace("+other", "+one 2.0")
    (recipe.parent / "first.patch").write_text("Applied-Upstream: 2.0\n" + patch)
    world.lock()
    view = world.update("r", to="2.0")
    assert view.steps[0].left_out == ("first.patch",)
    assert "patches" not in world.text(view, "r")


def test_a_value_in_the_source_itself_moves_before_patches_are_tried(world: World):
    text = PATCHED.replace('version: "1.0"\n', "").replace("v${version}", "v1.0")
    recipe = world.recipe("r", text)
    (recipe.parent / "first.patch").write_text(_patch("one 2.0"))
    view = world.update("r", to="v2.0")
    assert world.text(view, "r") == text.replace("v1.0", "v2.0")


def test_each_patch_is_tried_on_what_those_before_it_give(world: World):
    """Of the source, of its series, of a recipe that uses it."""
    old, new = (world.commits["one"][version] for version in ("1.0", "2.0"))
    text = FAMILY.format(
        name="r", repository="one", commit=old, patches=", patches: [second.patch]"
    ).replace('"${commit}"', '"${commit}", patches: [first.patch]')
    recipe = world.recipe("r", text)
    (recipe.parent / "first.patch").write_text(_patch("same", "same"))
    (recipe.parent / "second.patch").write_text(
        _patch("other", "same").replace("+other", "+another")
    )
    user = world.recipe("user", USER)
    (user.parent / "on-it.patch").write_text(
        _patch("another", "same").replace("+other", "+the last")
    )
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    assert world.text(world.update("r", to=new), "r") == text.replace(old, new)
    (user.parent / "on-it.patch").write_text(_patch("same", "same"))
    asked = (
        "user.x.patches: patches without on-it.patch, or with another: "
        "it does not apply: same: line 1; all series have it"
    )
    assert _details(world, "r", to=new) == (asked,)
    values = {"patches": "", "user.x.patches": ""}
    view = world.update("r", to=new, values=values)
    assert world.text(view, "user") == USER.replace(", patches: [on-it.patch]", "")


LISTED = {
    "in its series": """\
kind: source
sources: {r: {git: "https://example.invalid/one", tag: "${tag}"}}
per-series:
  "1":
    tag: v1.0
    # of 1
    patches:
      - first.patch  # from upstream
      # ours
      - second.patch  # ticket 18
    # about it
    release: v1.0
""",
    "in the source": """\
kind: source
version: "1.0"
sources:
  r:
    git: https://example.invalid/one
    # of all
    patches: [first.patch,  # from upstream
              second.patch]  # ticket 18
    tag: v${version}
""",
}


@pytest.mark.parametrize("form", LISTED)
@pytest.mark.parametrize("gone", ["", "second.patch", "first.patch,second.patch"])
def test_a_patch_leaves_a_list_and_all_else_stays(world: World, form: str, gone: str):
    """Upstream took the first; or a person says which stay."""
    text = LISTED[form]
    recipe = world.recipe("r", text)
    patch = _patch("one 1.0").replace("+other", "+one 2.0")
    (recipe.parent / "first.patch").write_text("Applied-Upstream: 2.0\n" + patch)
    (recipe.parent / "second.patch").write_text(_patch("same", "same"))
    if form == "in its series":
        (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    world.lock()
    stay = [each for each in ("first.patch", "second.patch") if gone and each not in gone]
    name = "patches" if form == "in its series" else "r.patches"
    values = {name: ",".join(stay)} if gone else {}
    after = world.text(world.update("r", to="v2.0", values=values), "r")
    first = "[first.patch,  # from upstream\n              ", "["
    second = ",  # from upstream\n              second.patch]", "  # from upstream\n              ]"
    expected = text.replace("1.0", "2.0")
    if form == "in its series":
        first = "      - first.patch  # from upstream\n", ""
        second = "      # ours\n      - second.patch  # ticket 18\n", ""
    if gone == "first.patch,second.patch":
        lines = expected.splitlines(keepends=True)
        begin = next(at for at, line in enumerate(lines) if "# of " in line)
        end = next(at for at, line in enumerate(lines) if "ticket 18" in line)
        assert after == "".join(lines[:begin] + lines[end + 1 :])
    else:
        assert after == expected.replace(*(second if gone else first))


FACTS: dict[str, tuple[dict[str, object], tuple[FactStep, ...]]] = {
    "patches go, and change their order": (
        {"to": "v2.0", "values": {"patches": "c.patch,a.patch"}},
        (FactStep(name="patches", old="a.patch,b.patch,c.patch", new="c.patch,a.patch"),),
    ),
    "days": (
        {"to": "v1.0", "values": {"end-of-support": "2030-01-01", "min-age": "1d"}},
        (
            FactStep(name="end-of-support", old="2027-02-28", new="2030-01-01"),
            FactStep(name="min-age", old="", new="1d"),
        ),
    ),
    "no release": (
        {"to": "v1.0", "values": {"release": ""}},
        (FactStep(name="release", old="v1.0", new=""),),
    ),
    "a commit is no release": (
        {"to": "2.0"},
        (FactStep(name="release", old="v1.0", new="", is_said=False),),
    ),
    "the tag is the release": ({"to": "v2.0"}, ()),
    "the same": ({"to": "v2.0", "values": {"end-of-support": "2027-02-28"}}, ()),
    "a new series": (
        {"to": "2.0", "series": "2", "values": {"end-of-support": "", "patches": "a.patch"}},
        (
            FactStep(name="patches", old="a.patch,b.patch,c.patch", new="a.patch"),
            FactStep(name="end-of-support", old="2027-02-28", new=""),
        ),
    ),
}


@pytest.mark.parametrize("name", FACTS)
def test_what_changes_beside_the_value_is_told(world: World, name: str):
    request, facts = FACTS[name]
    commits = world.commits["one"]
    patches = "abc"
    listed = ", ".join(f"{each}.patch" for each in patches)
    text = FAMILY.format(name="r", repository="one", commit=commits["1.0"], patches=(
        f", release: v1.0, end-of-support: 2027-02-28, patches: [{listed}]"
    ))  # fmt: skip
    folder = world.recipe("r", text).parent
    for each in patches:
        (folder / f"{each}.patch").write_text(
            f"Origin: me\n\n--- /dev/null\n+++ b/{each}\n@@ -0,0 +1 @@\n+x\n"
        )
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    to = str(request["to"])
    view = world.update("r", **{**request, "to": commits.get(to, to)})
    assert view.steps[0].facts == facts
    gone = ("recipes/r/b.patch",) if name.startswith("patches go") else ()
    assert view.unused == gone, "other series need the others"


def test_what_changes_beside_other_values_is_told_by_their_names(world: World):
    recipe = world.recipe("r", PATCHED)
    (recipe.parent / "first.patch").write_text(_patch("same", "same"))
    user = world.recipe("user", USER)
    (user.parent / "on-it.patch").write_text(_patch("other", "same"))
    values = {"r.patches": "", "user.x.patches": ""}
    view = world.update("r", to="2.0", values=values)
    assert [(each.name, each.old, each.new) for each in view.steps[0].facts] == [
        ("r.patches", "first.patch", ""), ("user.x.patches", "on-it.patch", ""),
    ]  # fmt: skip
    assert view.unused == ("recipes/r/first.patch", "recipes/user/on-it.patch")


DATED = """\
kind: source
sources: {r: {git: "https://example.invalid/one", tag: "${tag}"}}
per-series:
  "1":
    tag: v1.0
    end-of-support: 2027-02-28
"""


@pytest.mark.parametrize(
    ("request_", "place", "line"),
    [
        ({"to": "v1.0", "values": {"end-of-support": "1.2.28"}}, "6:5", "end-of-support: 1.2.28"),
        (
            {"to": "v2.0", "series": "2", "values": {"end-of-support": "1.2.28"}},
            "6:5",
            "end-of-support: 1.2.28",
        ),
        ({"to": "v2.0", "values": {"min-age": "long"}}, "7:5", "min-age: long"),
        (
            {"to": "v2.0", "series": "2;x", "values": {"end-of-support": ""}},
            "5:5",
            "tag: v2.0",
        ),
    ],
    ids=["a day", "a day of a new series", "an age", "a name"],
)
def test_an_error_in_what_is_not_written_has_its_own_line(
    world: World, request_: dict[str, object], place: str, line: str
):
    world.recipe("r", DATED.replace("28\n", "28\n    min-age: 7d\n"))
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    with pytest.raises(RecipeError) as caught:
        world.update("r", **request_)
    where = caught.value.where
    assert isinstance(where, UnwrittenPlace)
    assert str(where) == f"recipes/r/recipe.yaml:{place} (not written)"
    assert where.text.strip() == line


@pytest.mark.parametrize("to", ["v2.0", ""])
def test_one_in_a_line_that_stays_has_the_place_where_it_stands(world: World, to: str):
    """The decision is for another value than the new source has; a line above it went."""
    text = DATED + PINNED.replace("kind: source\n", "update: major\n")
    world.recipe("r", text)
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    world.lock()
    at = next(n for n, line in enumerate(text.splitlines(), 1) if "instead:" in line)
    place = f"recipes/r/recipe.yaml:{at}:14"
    if to:
        with pytest.raises(UsageError) as caught:
            world.update("r", to=to, values={"end-of-support": ""})
        assert caught.value.details[0].startswith(f"{place}: r/it.while: upstream has")
    else:
        (error,) = world.update("r").failures
        assert isinstance(error, OverrideEnded)
        assert str(error.where) == place


PINNED = """\
kind: source
pins:
  it:
    {from: r, line: 1, file: VERSION,
    instead: {value: own, because: [x], while: one 1.0}}
"""


@pytest.mark.parametrize("name", ["r.patches", "user.x.patches"])
def test_a_patch_that_is_no_file_is_refused_where_it_is_said(world: World, name: str):
    recipe = world.recipe("r", PATCHED)
    (recipe.parent / "first.patch").write_text(_patch("same", "same"))
    user = world.recipe("user", USER)
    (user.parent / "on-it.patch").write_text(_patch("other", "same"))
    with pytest.raises(UsageError, match=r"has no patch 'nope'") as caught:
        world.update("r", to="2.0", values={name: "nope"})
    assert caught.value.where == name
    assert caught.value.hint == "put its file beside recipe.yaml first"


@pytest.mark.parametrize("series", ["1", "2"])
def test_a_patch_that_other_series_need_is_not_left_out_by_itself(world: World, series: str):
    old, new = (world.commits["one"][version] for version in ("1.0", "2.0"))
    text = FAMILY.format(name="r", repository="one", commit=old, patches="").replace(
        '"${commit}"', '"${commit}", patches: [first.patch]'
    )
    recipe = world.recipe("r", text)
    patch = _patch("one 1.0").replace("+other", "+one 2.0")
    (recipe.parent / "first.patch").write_text("Applied-Upstream: 2.0\n" + patch)
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    request = {"to": new, "series": series}
    asked = (
        "r.patches: patches without first.patch, or with another: upstream has it; "
        "all series have it"
    )
    world.lock()
    assert _details(world, "r", **request) == (asked,)
    view = world.update("r", **request, values={"r.patches": "first.patch"})
    assert "patches: [first.patch]" in world.text(view, "r")


IN_SERIES = """\
kind: source
update: major
sources: {r: {git: "https://example.invalid/one", tag: "${tag}"}}
per-series:
  "2": {tag: v2.0}
  "1": {tag: v1.0}
"""


@pytest.mark.parametrize("to", ["v1.1", ""])
@pytest.mark.parametrize("name", ["r@2", "@2"])
def test_two_series_are_refused_whichever_way_it_moves(world: World, name: str, to: str):
    world.recipe("r", IN_SERIES)
    with pytest.raises(UsageError, match="two series are named: 2 and 1"):
        world.update(name, to=to, series="1")


def test_a_value_that_nothing_takes_is_refused_where_nothing_moves(world: World):
    text = _both(*(world.commits[name]["2.0"] for name in ("one", "two"))).replace("1.0", "2.0")
    world.recipe("r", text.replace('"2.0"', '"2.0"\nupdate: major'))
    world.lock()
    with pytest.raises(UsageError, match=r"nothing moves that takes a value: a\.commit"):
        world.update("r", values={"a.commit": "1" * 40})
    assert world.update("r").files == {}


TAG = """\
kind: source
version: "1.0"
sources: {r: {git: "https://example.invalid/one", tag: "v${version}"}}
"""


@pytest.mark.parametrize(
    ("text", "to", "series", "hint"),
    [
        (TAG, "1.0", "", "leave it out: nothing else is to be said"),
        (TAG, "2.0", "", "leave it out: nothing else is to be said"),
        (IN_SERIES, "v1.1", "1", "known: end-of-support, min-age, patches, release, update"),
        (IN_SERIES, "v1.0", "1", "known: end-of-support, min-age, patches, release, update"),
        (
            IN_SERIES,
            "v1.1",
            "3",
            "known: end-of-support, min-age, patches, release, update",
        ),
    ],
    ids=["the same", "another", "in a series", "the same there", "a new series"],
)
def test_who_says_a_value_in_vain_hears_which_there_are(
    world: World, text: str, to: str, series: str, hint: str
):
    world.recipe("r", text)
    former = "1" if series == "3" else ""
    with pytest.raises(UsageError, match="nothing here takes a value called x") as caught:
        world.update("r", to=to, series=series, former=former, values={"x": "y"})
    assert caught.value.hint == hint


def test_a_series_may_be_said_twice_if_it_is_one(world: World):
    world.recipe("r", IN_SERIES)
    world.lock()
    alone = world.update("@1")
    assert [step.series for step in alone.steps] == ["1"]
    for name in ("@1", "r@1", "r"):
        assert world.update(name, series="1").steps == alone.steps


COMPILER = """\
kind: source
version: {from: a-source, line: 1, file: NAME}
sources: {c: {git: "https://example.invalid/one", tag: "${version}"}}
"""
INSTEAD = """\
,
    instead: {pins: {compiler/version: {value: v1.1, because: [CVE-1], while: one}}}"""


def test_a_version_that_stays_while_its_source_moves_is_told_with_its_place(world: World):
    old, new = (world.commits["names"][version] for version in ("1.0", "2.0"))
    text = FAMILY.format(name="a-source", repository="names", commit=old, patches=INSTEAD)
    world.recipe("a-source", text)
    world.recipe("compiler", COMPILER)
    world.lock()
    for name, told in (("a-source", 0), ("compiler@1", 1), ("compiler", 1)):
        world.events.clear()
        assert world.text(world.update(name, to=new), "a-source") == text.replace(old, new)
        notes = [e for e in world.events if isinstance(e, Noticed) and "stays" in e.text]
        assert [each.label for each in notes] == ["compiler@1/version"] * told
        assert all("recipes/a-source/recipe.yaml:5" in each.text for each in notes)


LITERAL = """\
kind: source
version: {literal: "1.0", instead: {value: "1.1", because: [CVE-1], while: "1.0"}}
sources: {r: {git: "https://example.invalid/one", tag: "v${version}"}}
"""


def test_an_upstreams_value_that_a_recipe_says_itself_is_what_moves(world: World):
    """Then the override has ended, which is asked for."""
    world.recipe("r", LITERAL)
    world.lock()
    with pytest.raises(UsageError, match=r"a person has to say r/version\.while"):
        world.update("r", to="v2.0")
    (note,) = [e.text for e in world.events if isinstance(e, Noticed) and "stays" in e.text]
    assert "stays 1.1 instead of upstream's: what moves is upstream's value beside it" in note


MODULE = """\
kind: source
update: major
sources: {m: {go-module: example.org/m, version: "${module}"}}
per-series:
  "1": {module: v1.0.0, release: v1.0.0}
"""


def _publish(folder: Path, version: str) -> None:
    """Put a version of a module into a proxy that is a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "list").open("a") as names:
        names.write(f"{version}\n")
    (folder / f"{version}.mod").write_text("module example.org/m\n")
    facts = {"Version": version, "Time": "2024-01-01T00:00:00Z"}
    (folder / f"{version}.info").write_text(json.dumps(facts))
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
        archive.writestr(f"example.org/m@{version}/go.mod", "module example.org/m\n")


@pytest.mark.parametrize("to", ["v1.1.0", ""])
def test_a_release_moves_where_no_repository_has_tags(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str
):
    for version in ("v1.0.0", "v1.1.0"):
        _publish(tmp_path / "proxy/example.org/m/@v", version)
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    for name, value in (("GOENV", "off"), ("GOSUMDB", "off"), ("GONOSUMDB", "*")):
        monkeypatch.setenv(name, value)
    world.recipe("m", MODULE)
    world.lock()
    view = world.update("m", to=to)
    assert view.failures == ()
    assert world.text(view, "m") == MODULE.replace("v1.0.0", "v1.1.0")


AT_COMMIT = """\
kind: source
sources: {{r: {{git: "https://example.invalid/one", commit: {}}}}}
"""


@pytest.mark.parametrize(
    ("to", "message", "hint"),
    [
        ("1.1", "no tag 1.1", "did you mean 'v1.1'?; a tag or a commit is meant, and no branch"),
        ("v1.11", "no tag v1.11", "did you mean 'v1.1'?"),
        ("main", "no tag main", "a tag or a commit is meant, and no branch"),
        ("20261130", "no tag 20261130", "did you mean '20261131'?"),
    ],
)
def test_who_names_no_tag_where_a_commit_stands_hears_of_one(
    world: World, to: str, message: str, hint: str
):
    """The repository answered: nothing is said of networks."""
    _git(world.folder.parent / "one", "tag", "20261131", "v1.0")
    world.recipe("r", AT_COMMIT.format(world.commits["one"]["1.0"]))
    with pytest.raises(SourceError, match=f"upstream has {message}") as caught:
        world.update("r", to=to)
    assert hint in str(caught.value.hint)
    assert "proxy" not in str(caught.value.hint)


def test_what_may_be_a_commit_is_looked_for_as_one(world: World):
    world.recipe("r", AT_COMMIT.format(world.commits["one"]["1.0"]))
    with pytest.raises(SourceError, match="the commit could not be had"):
        world.update("r", to="abcdef012")


READER = """\
kind: tool
version: "1"
pins: {reads: {from: names, line: 1, file: NAME}, other: "x"}
sources: {s: {git: "https://example.invalid/two", tag: v1.0}}
build: ": > $out/out"
outputs: {out: {path: out}}
"""
EDITS = {
    "nothing": ("", "", ()),
    "a summary": ("kind:", "summary: s\nkind:", ()),
    "a literal pin": ('"x"', '"y"', ()),
    "a pin renamed": ("reads:", "called:", ("reader",)),
    "a pin taken away": ("reads: {from: names, line: 1, file: NAME}, ", "", ("reader",)),
    "a pin added": ("other:", "also: {from: names, line: 1, file: VERSION}, other:", ("reader",)),
    "a pin of another file": ("file: NAME", "file: VERSION", ("reader",)),
    "a source of another tag": ("tag: v1.0", "tag: v2.0", ("reader",)),
    "a source taken away": (
        'sources: {s: {git: "https://example.invalid/two", tag: v1.0}}\n',
        "",
        ("reader",),
    ),
    "a name that nothing has": ("from: names", "from: nobody", ("reader",)),
    "no recipe any more": ("kind: tool", "kind", ("reader",)),
}


@pytest.mark.parametrize("when", ["before", "meanwhile"])
@pytest.mark.parametrize("name", EDITS)
def test_what_was_edited_and_not_locked_is_known_after_an_update(
    world: World, name: str, when: str
):
    """It is just what `lock --check` refuses, and nobody outside is asked for it."""
    world.recipe("r", TAG)
    world.recipe("names", NAMES)
    path = world.recipe("reader", READER)
    world.lock()
    old, new, gaps = EDITS[name]
    edited = READER.replace(old, new) if old else READER
    if when == "before":
        path.write_text(edited)
    view = world.update("r", to="2.0")
    path.write_text(edited)
    view.write()
    with closing(world.session()) as session:
        assert lock_gaps(session) == gaps
        result = lock(session)
    assert bool(result.failures) or any(result.differences()) == bool(gaps)


def test_of_a_lock_that_cannot_be_read_nothing_is_known(world: World):
    world.recipe("r", TAG)
    world.lock()
    (world.folder / "rvbuild.lock").write_text("no lock")
    with closing(world.session()) as session:
        assert lock_gaps(session) == ()


COMPILED = """\
kind: tool
version: {from: a-source, line: 1, file: VERSION}
build: ": > $out/out"
outputs: {out: {path: out}}
"""
ENDS = "{value: v9, because: [CVE-1], while: names 1.0}"
AGAIN = ENDS.replace("1.0", "2.0")
SERIES = """\
kind: source
sources: {{s: {{git: "https://example.invalid/names", commit: "${{commit}}", patches: [p.patch]}}}}
per-series:
  "2":
    commit: {old}
    instead: {two}
  "1":
    commit: {old}  # ours
    instead: {one}
"""
OTHER_PIN = "compiler/other: {value: x, because: [CVE-2], while: one}"
OVERRIDES: dict[str, tuple[str, str, str, str]] = {
    # of the compiler, of series 1; the same if it is decided again; and if it is dropped
    "alone": ("", f"{{pins: {{compiler/version: {ENDS}}}}}", "", ""),
    "beside another": (
        "pins: {other: {from: a-source, line: 1, file: NAME}}\n",
        f"{{pins: {{{OTHER_PIN}, compiler/version: {ENDS}}}}}",
        "",
        f"{{pins: {{{OTHER_PIN}}}}}",
    ),
}


def _series(world: World, name: str) -> tuple[str, str]:
    """A series with an override; its file, and the commit to move to."""
    more, one, _, _ = OVERRIDES[name]
    old, new = (world.commits["names"][version] for version in ("1.0", "2.0"))
    text = SERIES.format(old=old, one=one, two=f"{{pins: {{compiler/version: {ENDS}}}}}")
    recipe = world.recipe("a-source", text)
    (recipe.parent / "p.patch").write_text(_patch("same", "same"))
    world.recipe("compiler", COMPILED + more)
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    world.lock()
    return text, new


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_that_upstream_leaves_is_asked_for_with_all_else(world: World, name: str):
    """Whether it is decided again, or goes; that of another series stays."""
    text, new = _series(world, name)
    (world.folder / "recipes/a-source/p.patch").write_text(_patch("other", "same"))
    patches, override = _details(world, "a-source", to=new)
    assert patches.startswith("s.patches: ")
    assert override == (
        "compiler/version.while: upstream has names 2.0 now, and v9 is for names 1.0 "
        "(because CVE-1): names 2.0 to keep it, empty to drop it"
    )
    said = {"s.patches": "p.patch"}
    assert _details(world, "a-source", to=new, values=said) == (override,)
    view = world.update("a-source", to=new, values=said | {"compiler/version.while": "names 2.0"})
    head, tail = text[: text.index('  "1":')], text[text.index('  "1":') :]
    old = world.commits["names"]["1.0"]
    moved = tail.replace(old, new)
    assert world.text(view, "a-source") == head + moved.replace(ENDS, AGAIN)
    view = world.update("a-source", to=new, values=said | {"compiler/version.while": ""})
    one, left = OVERRIDES[name][1], OVERRIDES[name][3]
    expected = moved.replace(one, left) if left else moved.replace(f"    instead: {one}\n", "")
    assert world.text(view, "a-source") == head + expected


def test_so_it_is_in_a_new_series(world: World):
    """Where the series comes from another that has it, the place is that one's."""
    text, new = _series(world, "alone")
    request = {"to": new, "series": "3", "former": "1"}
    assert "instead: what 3 has" in _details(world, "a-source", **request)[0]
    (override,) = _details(world, "a-source", **request, values={"instead": "1"})
    assert override.startswith("compiler/version.while: upstream has names 2.0 now")
    values = {"instead": "1", "compiler/version.while": "names 2.0"}
    view = world.update("a-source", **request, values=values)
    begin, _, end = world.text(view, "a-source").partition(AGAIN)
    assert begin.endswith("    instead: {pins: {compiler/version: ")
    assert end.count(ENDS) == text.count(ENDS)


@pytest.mark.parametrize("said", ["2.0", "", "3.0"])
@pytest.mark.parametrize("to", ["v2.0", ""])
def test_an_override_beside_its_value_is_decided_again(world: World, said: str, to: str):
    """By a person's word or by the policy; with a wrong word it is asked for again."""
    text = LITERAL.replace("kind: source", "kind: source\nupdate: major")
    world.recipe("r", text)
    world.lock()
    values = {"r/version.while": said}
    if said == "3.0" and to:
        assert (
            "upstream has 2.0 now, and 1.1 is for 3.0"
            in (_details(world, "r", to=to, values=values)[0])
        )
        return
    world.events.clear()
    view = world.update("r", to=to, values=values)
    stays = [each for each in world.events if isinstance(each, Noticed) and "stays" in each.text]
    assert bool(stays) == bool(said)
    if said == "3.0":
        (stay,) = view.stayed
        (problem,) = stay.problems
        assert isinstance(problem, OverrideEnded)
        assert "upstream has 2.0 now" in problem.message
        assert str(problem.hint).endswith(
            ", or with the move: say it with the update: r/version.while=2.0"
        )
    elif said:
        assert world.text(view, "r") == text.replace('"1.0"', '"2.0"')
    else:
        assert 'version: {literal: "2.0"}\n' in world.text(view, "r")
        (fact,) = view.steps[0].facts
        assert fact == FactStep(name="instead of r/version", old="1.1", new="")


def test_a_move_of_one_series_does_not_decide_what_stands_for_all(world: World):
    """It is told as what it is; what a person says of it is refused, and nothing lost."""
    old, new = (world.commits["names"][version] for version in ("1.0", "2.0"))
    text = FAMILY.format(name="a-source", repository="names", commit=old, patches="")
    world.recipe("a-source", f'{text}  "2": {{commit: {old}}}\n')
    world.recipe("compiler", COMPILED.replace("VERSION}", f"VERSION, instead: {ENDS}}}"))
    (world.folder / "recipes/series.yaml").write_text('default: ["1"]\n')
    world.lock()
    with pytest.raises(OverrideEnded):
        world.update("a-source", to=new)
    for said in ("names 2.0", ""):
        with pytest.raises(UsageError, match=r"nothing here takes .* compiler/version\.while"):
            world.update("a-source", to=new, values={"compiler/version.while": said})


def test_a_word_for_an_override_that_is_not_there_is_vain(world: World):
    _, new = _series(world, "alone")
    with pytest.raises(UsageError, match=r"nothing here takes a value called compiler/x\.while"):
        world.update("a-source", to=new, values={"compiler/x.while": "1"})


def test_what_cannot_be_edited_is_told_where_it_stands_in_the_project(world: World):
    world.recipe("r", MODULE)
    with pytest.raises(RecipeError, match=r"^recipes/r/recipe\.yaml:5:3: '1' is the only entry"):
        world.update("r", series="1", drop=True)


def test_a_recipe_that_cannot_be_locked_is_named_once(world: World):
    """Where an override may end, the lock is looked at before anything is asked for, too."""
    _, new = _series(world, "alone")
    world.recipe("compiler", COMPILED.replace("line: 1", "line: 9"))
    with pytest.raises(Absent) as caught:
        world.update("a-source", to=new)
    assert caught.value.__notes__ == ["not locked: compiler@1"]
