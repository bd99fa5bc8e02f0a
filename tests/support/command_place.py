"""A project and its user's configuration, in which one command runs within the test's process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

import pytest
from attrs import define

from rvbuild.__main__ import main


@define
class CommandPlace:
    """Runs a command, and keeps what it wrote last.

    The project is ``folder/project``, the user's configuration ``folder/config``, the store
    ``folder/store``; nothing of this environment counts.
    """

    command: ClassVar[str]
    folder: Path
    capture: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    @property
    def project(self) -> Path:
        return self.folder / "project"

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make the project, and work in it."""
        for name in [name for name in os.environ if name.startswith("RVBUILD_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(self.folder / "config"))
        monkeypatch.setenv("RVBUILD_STORE", str(self.folder / "store"))
        self.project.mkdir()
        self.settings("")
        monkeypatch.chdir(self.project)

    def settings(self, text: str) -> None:
        (self.project / "rvbuild.toml").write_text(text)

    def run(self, *words: str) -> int:
        code = main([self.command, *words])
        self.out, self.err = self.capture.readouterr()
        return code

    def fine(self, *words: str) -> str:
        assert self.run(*words) == 0, self.err
        return self.out

    def refused(self, *words: str) -> str:
        assert self.run(*words) == 2, self.out
        return self.err

    def json(self, *words: str) -> Any:  # noqa: ANN401 - what JSON holds
        return json.loads(self.fine(*words, "--json"))
