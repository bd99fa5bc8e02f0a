"""Into which caches a build may bring what it made, without being asked to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from signing import private_key
from workspaces import workspace

from rvbuild.app.push import push_former
from rvbuild.app.session import Session
from rvbuild.app.uploads import uploads_of
from rvbuild.core.errors import UsageError
from rvbuild.core.events import Event, Noticed

ME = private_key("me")
SAID = "nothing is brought there unasked"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout, whose file says that results go to its cache; its user has a key."""
    folder = tmp_path / "project"
    (folder / "recipes").mkdir(parents=True)
    for cache in ("team", "own"):
        (tmp_path / cache).mkdir()
    (folder / "rvbuild.toml").write_text(f"[caches]\nteam = 'read+write {tmp_path}/team'\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    monkeypatch.setenv("RVBUILD_SIGNING_KEY", ME.text())
    monkeypatch.chdir(folder)
    return folder


def trust(folder: Path, name: str = "me") -> None:
    """Let a folder have the public key of a name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.pub").write_text(f"{private_key(name).public}\n")


Prepare = Callable[[Path, pytest.MonkeyPatch], None]


def _environment(project: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("RVBUILD_CACHES", f"team=write {project.parent}/team")


def _another_of_mine(project: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("RVBUILD_CACHES", f"own=write {project.parent}/own")


def _own_file(project: Path, _: pytest.MonkeyPatch) -> None:
    settings = project.parent / "settings/rvbuild"
    settings.mkdir(parents=True)
    (settings / "config.toml").write_text(f"[caches]\nteam = 'write {project.parent}/team'\n")


def _anothers_key_of_my_name(project: Path, _: pytest.MonkeyPatch) -> None:
    trust(project / "cache/keys", "other")
    line = f"{private_key('other').public}\n".replace("other", "me")
    (project / "cache/keys/other.pub").unlink()
    (project / "cache/keys/me.pub").write_text(line)


CASES: dict[str, tuple[Prepare, tuple[str, ...]]] = {
    "a stranger's project": (lambda *_: None, ()),
    "it trusts others": (lambda project, _: trust(project / "cache/keys", "ci"), ()),
    "it has another key of that name": (_anothers_key_of_my_name, ()),
    "the user trusts the key": (lambda at, _: trust(at.parent / "settings/rvbuild/keys"), ()),
    "the project trusts the key": (lambda project, _: trust(project / "cache/keys"), ("team",)),
    "the environment": (_environment, ("team",)),
    "the user's file": (_own_file, ("team",)),
    "another cache is the user's": (_another_of_mine, ("own",)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_project_alone_makes_nobody_upload(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    prepare, written = CASES[name]
    prepare(project, monkeypatch)
    events: list[Event] = []
    with (
        closing(Session(workspace(str(project)), events.append)) as session,
        uploads_of(session) as uploads,
    ):
        assert tuple(each.cache.name for each in (uploads._uploads if uploads else ())) == written
    said = [each.label for each in events if isinstance(each, Noticed) and SAID in each.text]
    assert said == ([] if "team" in written else ["team"])


def test_who_asks_for_it_uploads(project: Path):
    """By a word of the command line: for this build, or as a command of its own."""
    events: list[Event] = []
    with closing(Session(workspace(str(project)), events.append)) as session:
        with uploads_of(session, required=True) as uploads:
            assert uploads
        (push,) = push_former(session).pushes
    assert push.cache == "team"
    assert not [each for each in events if isinstance(each, Noticed) and SAID in each.text]


NOBODY = "is not trusted here: builds of this project take nothing that it signs"
TAKERS: dict[str, tuple[Prepare, str, str]] = {
    "nobody knows it": (lambda *_: None, "", NOBODY),
    "another has its name": (_anothers_key_of_my_name, "", NOBODY),
    "all that are trusted count": (lambda at, _: trust(at / "cache/keys"), "", ""),
    "it is one of those": (
        lambda at, _: trust(at / "cache/keys"),
        "build = 'me'\nrelease = '2 of [ci, me]'",
        "",
    ),
    "it is none of those": (
        lambda at, _: trust(at / "cache/keys"),
        "build = 'ci'\nrelease = '2 of [ci, lab]'",
        "signs, and is none of the keys that `accept` takes for build and release",
    ),
    "a release has others": (
        lambda at, _: trust(at / "cache/keys"),
        "release = 'ci'",
        "signs, and is none of the keys that `accept` takes for release",
    ),
}


@pytest.mark.parametrize("name", TAKERS)
def test_who_brings_what_nobody_here_takes_is_told(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """Once for a push, and once for a build; it is no error: others may take it."""
    prepare, accept, said = TAKERS[name]
    prepare(project, monkeypatch)
    with (project / "rvbuild.toml").open("a") as file:
        file.write(f"[accept]\n{accept}\n")
    events: list[Event] = []
    for act in (push_former, _upload):
        with closing(Session(workspace(str(project)), events.append)) as session:
            act(session)
        notices = [(each.label, each.text) for each in events if isinstance(each, Noticed)]
        assert notices == ([(f"key {ME.public.key_id}", said)] if said else [])
        events.clear()


def _upload(session: Session) -> None:
    with uploads_of(session, required=True):
        pass


@pytest.mark.parametrize(
    ("variable", "setting", "hint"),
    [
        ("", "", "set RVBUILD_SIGNING_KEY (it is empty) or `signing-key`"),
        (None, "", "set RVBUILD_SIGNING_KEY (it is not set) or `signing-key`"),
        ("", "ci", "or its text into RVBUILD_SIGNING_KEY (it is empty)"),
        (None, "ci", "or its text into RVBUILD_SIGNING_KEY (it is not set)"),
    ],
)
def test_a_missing_key_is_named_by_its_variable(
    project: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None, setting: str, hint: str
):
    """CI has no other place for it, and gives a secret that it lacks as an empty text."""
    monkeypatch.delenv("RVBUILD_SIGNING_KEY")
    monkeypatch.setenv("RVBUILD_SIGNING_NAME", setting)
    if variable is not None:
        monkeypatch.setenv("RVBUILD_SIGNING_KEY", variable)
    with (
        closing(Session(workspace(str(project)), lambda _: None)) as session,
        pytest.raises(UsageError) as caught,
    ):
        push_former(session)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("names", "text", "said"),
    [
        (("team",), "write https://cache.invalid", "the cache is not on this machine"),
        ((), "write https://cache.invalid", "the run is offline, and no cache that is set to be"),
        ((), "https://cache.invalid", "no cache is set to be written"),
        (("tame",), "write https://cache.invalid", "there is no cache 'tame'"),
    ],
)
def test_what_is_out_of_reach_is_said_to_be(
    project: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], text: str, said: str
):
    monkeypatch.setenv("RVBUILD_CACHES", f"team={text}")
    monkeypatch.setenv("RVBUILD_OFFLINE", "1")
    with (
        closing(Session(workspace(str(project)), lambda _: None)) as session,
        pytest.raises(UsageError, match=said),
    ):
        push_former(session, names=names)
