"""`config`: what is set, and who set it.

Knows: how a setting is shown. Must not know: where settings come from.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator

from rvbuild.app.memo import Memo
from rvbuild.app.setting import SETTINGS, Value
from rvbuild.app.settings import DEFAULT, PROJECT_FILE, user_file
from rvbuild.app.workspace import Workspace
from rvbuild.core.printable import printable_line


def config_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild config`."""
    entries, files = [*_entries(workspace)], _files(workspace)
    if arguments.json:
        listed = [{"name": name, "value": value, "from": where} for name, value, where in entries]
        sys.stdout.write(json.dumps({"settings": listed, "files": files}, indent=2) + "\n")
        return 0
    for name, value, where in entries:
        text = json.dumps(value, ensure_ascii=False)
        sys.stdout.write(printable_line(f"{name} = {text}  ({where})") + "\n")
    for file in files:
        there = "" if os.path.lexists(file) else ", which is not there"
        sys.stderr.write(printable_line(f"read: {file}{there}") + "\n")
    return 0


def _entries(workspace: Workspace) -> Iterator[tuple[str, Value, str]]:
    """Each setting's name, value and origin; of a table each entry, or the table if it is empty."""
    for setting in SETTINGS:
        parts = workspace.settings.origins(setting.name)
        if not parts:
            yield setting.name, setting.default, DEFAULT
        for name, (value, where) in parts:
            yield name, _effective(name, value, workspace), where


def _effective(name: str, value: Value, workspace: Workspace) -> Value:
    """The value that a run uses where nobody set one."""
    if value is not None:
        return value
    if name == "store":
        return workspace.store
    return len(os.sched_getaffinity(0)) if name == "jobs" else None


def _files(workspace: Workspace) -> list[str]:
    """The files that settings are read from, whether they are there or not, the stronger first."""
    own = [os.path.join(workspace.project, PROJECT_FILE)] if workspace.project else []
    return [user_file(os.environ), *own]
