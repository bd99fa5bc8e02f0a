"""Whose project and whose store are used: every part of them, owned by somebody else in turn."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from workspaces import workspace

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import UsageError
from rvbuild.stores.local import LocalStore

STRANGER = 54321
OTHER = 54322

Give = Callable[[Path, int], None]


@pytest.fixture
def give() -> Give:
    """Gives a file, or a link itself, to another user: only root can."""
    if os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("only root can give files away")
        pytest.skip("only root can give files away")
    return lambda path, user: os.chown(path, user, -1, follow_symlinks=False)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with recipes and a store, and a folder below it."""
    monkeypatch.delenv("RVBUILD_TRUST", raising=False)
    monkeypatch.delenv("SUDO_UID", raising=False)
    made = tmp_path / "project"
    for name in ("recipes", "cache/cas", "below"):
        (made / name).mkdir(parents=True)
    (made / "rvbuild.lock").touch()
    return made


def refusal(start: Path, store: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        workspace(str(start), store)
    return caught.value


def test_what_is_ones_own_is_used(project: Path):
    assert workspace(str(project / "below")).project == str(project)
    assert workspace(str(project)).store == str(project / "cache")


@pytest.mark.parametrize("part", ["", "rvbuild.lock", "recipes", "cache", "cache/keys"])
def test_no_part_of_a_project_above_may_be_a_strangers(project: Path, give: Give, part: str):
    """Each refusal names the part, whose it is, and the setting; the setting does what it says."""
    (project / "cache/keys").mkdir()
    give(project / part, STRANGER)
    error = refusal(project / "below")
    assert error.exit_code == 2
    assert str(error.where) == str(project / part).rstrip("/")
    assert f"user {STRANGER}" in error.details[0]
    assert "RVBUILD_TRUST=" in hint_text(error.hint)


def test_a_stranger_may_not_give_keys_to_a_project_whose_store_is_elsewhere(
    project: Path, give: Give
):
    """Who has the folder above can replace that of the keys."""
    (project / "cache/keys").mkdir()
    give(project / "cache", STRANGER)
    error = refusal(project / "below", str(project.parent / "store"))
    assert str(error.where) == str(project / "cache")


def test_the_setting_of_the_refusal(project: Path, give: Give, monkeypatch: pytest.MonkeyPatch):
    """It is for the project with all its parts, by any name that it has; for no other."""
    for path in (project, *project.iterdir()):
        give(path, STRANGER)
    setting = str(refusal(project / "below").hint).rpartition("RVBUILD_TRUST=")[2]
    assert setting == str(project)
    link = project.parent / "link"
    link.symlink_to(project)
    for said in (setting, f"/nowhere:{setting}/", str(link)):
        monkeypatch.setenv("RVBUILD_TRUST", said)
        assert workspace(str(project / "below")).store == str(project / "cache")
    for said in ("", ":", str(project.parent), str(project / "below"), f"{project}x"):
        monkeypatch.setenv("RVBUILD_TRUST", said)
        refusal(project / "below")


def test_the_project_of_the_working_directory_is_the_users_choice(project: Path, give: Give):
    """As root over the checkout of another user, in a container."""
    for path in (project, *project.iterdir()):
        give(path, STRANGER)
    assert workspace(str(project)).store == str(project / "cache")


def test_its_store_must_belong_to_the_project(project: Path, give: Give):
    """A third one's store in it, or behind a link in it, was not chosen."""
    give(project, STRANGER)
    give(project / "cache", OTHER)
    assert refusal(project).where == str(project / "cache")
    (project / "cache").rename(project.parent / "elsewhere")
    (project / "cache").symlink_to(project.parent / "elsewhere")
    give(project / "cache", STRANGER)
    assert refusal(project).where == str(project / "cache")
    give(project.parent / "elsewhere", STRANGER)
    assert workspace(str(project)).store == str(project.parent / "elsewhere")


@pytest.mark.parametrize("part", ["rvbuild.lock", "recipes"])
def test_a_strangers_link_to_what_is_ones_own(project: Path, give: Give, part: str):
    """He chose which of the user's files it is."""
    (project / part).rename(project.parent / "mine")
    (project / part).symlink_to(project.parent / "mine")
    workspace(str(project / "below"))
    give(project / part, STRANGER)
    assert refusal(project / "below").where == str(project / part)


@pytest.mark.parametrize("part", ["", "rvbuild.lock", "recipes"])
def test_what_everybody_may_write_is_nobodys(project: Path, part: str):
    """In a folder like /tmp nobody can replace what is another's: that is as good as closed."""
    (project / part).chmod(0o777)
    error = refusal(project / "below")
    assert (error.where, error.details) == (
        str(project / part).rstrip("/"),
        ("everybody may write it",),
    )
    workspace(str(project))  # the project of the working directory
    (project / part).chmod(0o1777)
    if part:
        refusal(project / "below")
    else:
        workspace(str(project / "below"))


def test_a_store_that_everybody_may_write(project: Path, monkeypatch: pytest.MonkeyPatch):
    """Others can have put there what is built from, unless it is empty."""
    for store in (project / "own", project.parent / "store"):
        store.mkdir(exist_ok=True)
        for mode in (0o777, 0o1777):  # the second is a new tmpfs' own
            store.chmod(mode)
            workspace(str(project), str(store))
            assert stat.S_IMODE(store.stat().st_mode) == mode & ~0o002
        (store / "ac").mkdir()
        store.chmod(0o777)
        error = refusal(project, str(store))
        assert error.details == ("everybody may write it",)
        assert f"chmod -R o-w {store}" in hint_text(error.hint)
        with monkeypatch.context() as context:
            context.setenv("RVBUILD_TRUST", str(store))
            workspace(str(project), str(store))
        store.chmod(0o755)


def test_a_store_that_was_asked_for(project: Path, give: Give, monkeypatch: pytest.MonkeyPatch):
    """Anybody's but a stranger's; none yet is as good."""
    store = project.parent / "store"
    workspace(str(project), str(store))
    store.mkdir()
    workspace(str(project), str(store))
    give(store, STRANGER)
    error = refusal(project, str(store))
    assert str(error.where) == str(store)
    assert f"RVBUILD_TRUST={store}" in hint_text(error.hint)
    monkeypatch.setenv("RVBUILD_TRUST", str(store))
    workspace(str(project), str(store))


def test_whoever_called_sudo_is_trusted_by_root_alone(
    project: Path, give: Give, monkeypatch: pytest.MonkeyPatch
):
    give(project / "rvbuild.lock", STRANGER)
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    workspace(str(project / "below"))
    for said in ("", "-1", "²", f"{STRANGER}x", str(OTHER)):
        monkeypatch.setenv("SUDO_UID", said)
        refusal(project / "below")
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    refusal(project / "below")


def test_what_is_roots_is_trusted_by_all(project: Path, monkeypatch: pytest.MonkeyPatch):
    if os.geteuid() != 0:
        pytest.skip("only root makes what is root's")
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    assert workspace(str(project / "below")).project == str(project)


# ---- a store behind links


@pytest.fixture
def disk(project: Path) -> Path:
    """A folder elsewhere, such as one of a larger disk."""
    made = project.parent / "disk/rvbuild"
    made.mkdir(parents=True)
    return made


def test_a_store_behind_links_is_used_where_it_is(project: Path, disk: Path):
    """By one link or more, in its own place or above, relative or not; empty, or a store."""
    (disk / "lost+found").mkdir()
    (project.parent / "far").symlink_to("disk")
    links = {"a": str(disk), "b": "disk/rvbuild", "c": "a", "d": "far/rvbuild", "e": "./x/../b"}
    (project.parent / "x").mkdir()
    for name, target in links.items():
        (project.parent / name).symlink_to(target)
    ways = [project.parent / name for name in (*links, "far/rvbuild", "disk/rvbuild")]
    for way in ways:
        assert workspace(str(project), str(way)).store == str(disk)
        LocalStore(workspace(str(project), str(way)).store).cas.write(str(way).encode())
    assert len(list((disk / "cas").glob("*/*"))) == len(ways)


def test_a_project_with_its_store_on_another_disk(project: Path, disk: Path):
    (project / "cache/cas").rmdir()
    (project / "cache").rmdir()
    (project / "cache").symlink_to(disk)
    assert workspace(str(project)).store == str(disk)


@pytest.mark.parametrize("what", ["tmp", "notes", "cas-and-notes", "gone"])
def test_a_link_to_what_is_no_store(project: Path, disk: Path, what: str):
    """A checkout may hold `cache -> /`, of which gc would empty `tmp`."""
    for name in {"cas-and-notes": ("cas", "notes"), "gone": ()}.get(what, (what,)):
        (disk / name).mkdir()
    link = project.parent / "link"
    link.symlink_to(disk / "gone" if what == "gone" else disk)
    error = refusal(project, str(link))
    assert (error.exit_code, error.where) == (2, str(link))
    assert "neither a store nor an empty folder" in error.message
    assert str(disk) in error.message
    assert "let the link lead to that" in hint_text(error.hint)


SOMETHING_ELSE: dict[str, Callable[[Path], object]] = {
    "what is called as ours": lambda path: (path / "tmp/mine").mkdir(parents=True),
    "a file called as ours": lambda path: (path.mkdir(), (path / "locks").touch()),
    "somebody's files": lambda path: (path / "notes").mkdir(parents=True),
    "a folder like ours beside them": lambda path: ((path / "cas").mkdir(parents=True),
                                                    (path / "notes").mkdir()),
    "what everybody may write": lambda path: ((path / "notes").mkdir(parents=True),
                                              path.chmod(0o1777)),
    "a file": lambda path: path.touch(),
    "a FIFO": os.mkfifo,
}  # fmt: skip


@pytest.mark.parametrize("make", SOMETHING_ELSE.values(), ids=SOMETHING_ELSE.keys())
@pytest.mark.parametrize("trusted", [False, True])
def test_what_is_no_store_becomes_none(
    project: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch, *, trusted: bool
):
    """`gc` would empty what is called `tmp`, and `repair` set aside what it does not know."""
    place = project.parent / "something"
    make(place)
    monkeypatch.setenv("RVBUILD_TRUST", str(place) if trusted else "")
    error = refusal(project, str(place))
    assert (error.exit_code, error.where) == (2, str(place))
    assert "neither a store nor an empty folder" in error.message
    assert hint_text(error.hint) == "use a new folder with --store"


@pytest.mark.parametrize("names", [(), ("README.md", ".gitignore"), ("tmp", "locks", "keys")])
def test_where_a_store_can_be_made(project: Path, names: tuple[str, ...]):
    """Nothing is lost there; the last is what a run left that was killed at its beginning."""
    place = project.parent / "something"
    place.mkdir()
    for name in names:
        (place / name).mkdir()
    assert workspace(str(project), str(place)).store == str(place)


@pytest.mark.parametrize("more", ["damaged.0123456789abcdef", "notes.txt", ".DS_Store"])
def test_a_link_to_a_store_with_something_else_in_it(project: Path, disk: Path, more: str):
    """A repair that was killed leaves such a name, and only a repair mends it."""
    link = project.parent / "link"
    link.symlink_to(disk)
    LocalStore(workspace(str(project), str(link)).store)
    (disk / more).mkdir()
    assert workspace(str(project), str(link)).store == str(disk)


def test_whoever_has_the_folder_of_a_link_chooses_the_store(project: Path, disk: Path, give: Give):
    above = project.parent / "theirs"
    above.mkdir()
    link = above / "link"
    link.symlink_to(disk)
    assert workspace(str(project), str(link)).store == str(disk)
    give(above, STRANGER)
    error = refusal(project, str(link))
    assert str(error.where) == str(link)
    assert f"user {STRANGER}" in error.details[0]


def test_each_link_on_the_way_is_looked_at(
    project: Path, disk: Path, give: Give, monkeypatch: pytest.MonkeyPatch
):
    """Whoever owns one, or can replace it, chooses the store."""
    way = project.parent
    (way / "first").symlink_to("open/second")
    (way / "open").mkdir()
    (way / "open/second").symlink_to("../far")
    (way / "far").symlink_to(disk)
    store = str(way / "first")
    assert workspace(str(project), store).store == str(disk)
    for link in (way / "first", way / "open/second", way / "far"):
        give(link, STRANGER)
        error = refusal(project, store)
        assert (error.where, error.exit_code) in {(str(link), 2), (store, 2)}
        assert f"user {STRANGER}" in error.details[0]
        give(link, os.getuid())
    (way / "open").chmod(0o777)
    assert refusal(project, store).details == ("everybody may write it",)
    monkeypatch.setenv("RVBUILD_TRUST", store)
    assert workspace(str(project), store).store == str(disk)
    monkeypatch.delenv("RVBUILD_TRUST")
    (way / "open").chmod(0o1777)
    assert workspace(str(project), store).store == str(disk)


def test_links_in_a_circle(project: Path):
    (project.parent / "one").symlink_to("two")
    (project.parent / "two").symlink_to("one")
    assert "neither a store" in refusal(project, str(project.parent / "one")).message


def test_no_right_is_taken_from_what_a_link_leads_to(project: Path, disk: Path):
    """It may be an empty /dev/shm; a folder that was named itself is closed."""
    disk.chmod(0o1777)
    link = project.parent / "link"
    link.symlink_to(disk)
    assert refusal(project, str(link)).details == ("everybody may write it",)
    assert disk.stat().st_mode & 0o7777 == 0o1777
    assert workspace(str(project), str(disk)).store == str(disk)
    assert disk.stat().st_mode & 0o7777 == 0o1775
