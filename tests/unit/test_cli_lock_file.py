"""The lock gets there whole, or what was there stays, alone."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from rvbuild.cli.lock_file import put_lock


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
