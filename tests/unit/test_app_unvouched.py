"""A release that is built from sums of Go modules for which nobody vouches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve
from instead_world import INSTEAD, REF, SUMS, TARGETS, InsteadWorld, toolbox
from workspaces import workspace

from rvbuild.app.build import BuildView, build_targets
from rvbuild.app.choices import Choices
from rvbuild.app.memo import Memo
from rvbuild.app.remember import remember
from rvbuild.app.session import Session
from rvbuild.core.errors import SourceError
from rvbuild.core.events import Event, Noticed
from rvbuild.core.go_mod_changes import sum_name
from rvbuild.recipes_yaml.lock import write_lock


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def session(
    tmp_path: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Session]:
    """A project whose sources nobody has, and whose lock was made without a database."""
    world = InsteadWorld(instead=INSTEAD.replace(", until: 2027-03-01", ""))
    for name, text in world.texts.items():
        (tmp_path / "recipes" / name).mkdir(parents=True)
        (tmp_path / "recipes" / name / "recipe.yaml").write_text(text)
    lock = world.lock()
    entry = evolve(lock.go_modules[REF], unvouched=tuple(map(sum_name, SUMS)))
    sources = {**lock.sources, **toolbox()}
    marked = evolve(lock, sources=sources, go_modules={REF: entry})
    (tmp_path / "rvbuild.lock").write_text(write_lock(marked))
    for name, value in {"GOPROXY": "off", "GONOPROXY": "none", "GOENV": "off"}.items():
        monkeypatch.setenv(name, value)  # a go command that is asked keeps writing for a while
    monkeypatch.setenv("RVBUILD_OFFLINE", "1")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    with closing(Session(workspace(str(tmp_path)), events.append)) as session:
        yield session


@pytest.mark.parametrize("release", [True, False])
def test_a_release_goes_on_and_tells(session: Session, events: list[Event], *, release: bool):
    """As the go command does, which asks when it writes a go.sum and believes it from then on."""
    session.choices = Choices(release=release)
    built = build_targets(session, TARGETS, checks=False)
    assert {type(each) for each in built.failures} == {SourceError}  # it went as far as fetching
    texts = [each.text for each in events if isinstance(each, Noticed) and each.security]
    named = [
        text for text in texts if "nobody vouches for what the lock has of e.org/lib@v1.3.0" in text
    ]
    assert len(named) == release


class _Kept(Memo):
    """A memo that notes what it is to keep."""

    answers: list[str]

    def keep(self, answer: str, *_rest: object) -> None:
        self.answers.append(answer)


@pytest.mark.parametrize(
    ("recipe", "release", "kept"), [("app", True, 0), ("app", False, 1), ("upstream", True, 1)]
)
def test_a_release_with_nothing_to_do_tells_too(
    session: Session, tmp_path: Path, recipe: str, kept: int, *, release: bool
):
    """An answer that was remembered would say nothing."""
    session.choices = Choices(release=release)
    memo = _Kept(str(tmp_path / "memo"), [recipe])
    memo.answers = []
    remember(memo, "answer", session, BuildView(results=(), recipes=(recipe,)))
    assert len(memo.answers) == kept
