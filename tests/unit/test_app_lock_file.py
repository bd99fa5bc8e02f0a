"""The lock gets there whole, or what was there stays, alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rvbuild.app.lock_file import put_lock
from rvbuild.core.errors import StoreError

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
