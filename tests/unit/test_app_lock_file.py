"""The lock gets there whole, or what was there stays, alone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path

import pytest

from rvbuild.app.lock_file import put_lock
from rvbuild.app.project_files import put_project, put_project_lock, settle_project
from rvbuild.core.errors import StoreError
from rvbuild.files.journal import NewContent

LINKED = [("other/x", "lock: 1\n", True), ("project/x", "", True), ("other/x", "", False)]


@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_an_interrupt_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    lock = tmp_path / "rvbuild.lock"
    lock.write_text("old")
    with monkeypatch.context() as context:
        context.setattr(os, call, lambda *_: os.kill(os.getpid(), signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            put_lock(str(lock), "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(lock.name, "old")]
    put_lock(str(lock), "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(lock.name, "new")]


@pytest.mark.parametrize(("place", "text", "right"), LINKED)
def test_a_link_is_written_through_to_a_lock(
    tmp_path: Path, place: str, text: str, *, right: bool
) -> None:
    """An empty file elsewhere may be anything of the user's; in the project it is the project's."""
    (tmp_path / "project").mkdir()
    (tmp_path / "other").mkdir()
    real, link = tmp_path / place, tmp_path / "project/rvbuild.lock"
    real.write_text(text)
    link.symlink_to(real)
    if right:
        put_lock(str(link), "new")
    else:
        with pytest.raises(StoreError, match="an empty file outside of the project"):
            put_lock(str(link), "new")
    assert real.read_text() == ("new" if right else text)


@pytest.mark.parametrize("there", [None, b"theirs"])
def test_what_somebody_else_wrote_meanwhile_stays(tmp_path: Path, there: bytes | None) -> None:
    lock = tmp_path / "rvbuild.lock"
    if there is not None:
        lock.write_bytes(there)
    with pytest.raises(StoreError, match="it was changed by somebody else meanwhile"):
        put_project_lock(str(lock), b"mine", "new")
    put_project_lock(str(lock), there, "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(lock.name, "new")]


def test_a_project_that_cannot_change_says_why(tmp_path: Path) -> None:
    (tmp_path / "rvbuild.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError) as caught:
        put_project(str(tmp_path), [NewContent("rvbuild.lock", None, b"new")])
    assert "a symbolic link, where a regular file must be" in caught.value.message
    assert "goes through no link" in str(caught.value.hint)
    with pytest.raises(StoreError, match="No such file") as caught:
        put_project(str(tmp_path), [NewContent("recipes/a", None, b"new")])
    (tmp_path / ".rvbuild-update").mkdir()
    (tmp_path / ".rvbuild-update/record").write_text("{}")
    (tmp_path / ".rvbuild-update/record").write_text('[["../up", null, "0"]]')
    with pytest.raises(StoreError, match="this is no record of one") as caught:
        settle_project(str(tmp_path))
    assert "remove .rvbuild-update/" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("there", "way"),
    [
        (b"mine", "undo what was done to recipes/a, and any command ends it; or remove"),
        (None, "undo what was done to recipes/a, and any command ends it; or remove"),
        (b"new", "remove"),
    ],
)
def test_a_change_that_cannot_be_ended_says_what_ends_it(
    tmp_path: Path, there: bytes | None, way: str
) -> None:
    """An edit or a removal can be undone; a file that was new, and is old again, is nobody's."""
    old, new = (hashlib.sha256(each).hexdigest() for each in (b"old", b"new"))
    (tmp_path / ".rvbuild-update").mkdir()
    record = [["recipes/a", old, new], ["rvbuild.lock", old, new], ["recipes/b", old, new]]
    (tmp_path / ".rvbuild-update/record").write_text(json.dumps(record))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "rvbuild.lock").write_bytes(b"new" if there != b"new" else b"old")
    if there is not None:
        (tmp_path / "recipes/a").write_bytes(there)
    (tmp_path / "recipes/b").write_bytes(b"old")
    for name in ("0", "2") if there != b"new" else "2":
        (tmp_path / ".rvbuild-update" / name).write_bytes(b"new")
    with pytest.raises(StoreError, match="cannot be ended") as caught:
        settle_project(str(tmp_path))
    assert str(caught.value.hint).startswith(way)
    assert caught.value.details[0].startswith("still old: ")
    assert caught.value.details[0].endswith("recipes/b")
    assert caught.value.details[1].startswith("new: ")
