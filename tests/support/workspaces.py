"""Workspaces as a command has them: with the settings of the environment."""

from __future__ import annotations

import os

from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace


def workspace(start: str, store: str | None = None) -> Workspace:
    """The workspace of a working directory; ``store`` is what the command line says."""
    options = {} if store is None else {"store": store}
    return Workspace(start, Settings.of_user(os.environ, options))
