"""`config`: draws what is set, and who set it.

Knows: how a setting is shown. Must not know: where settings come from.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from rvbuild.app.config import SettingsView, view_settings
from rvbuild.app.memo import Memo
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import print_answer
from rvbuild.core.printable import printable_line


def config_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild config`."""
    view = view_settings(workspace)
    if arguments.json:
        print_answer(_document(view))
        return 0
    for each in view.values:
        text = json.dumps(each.value, ensure_ascii=False)
        sys.stdout.write(printable_line(f"{each.name} = {text}  ({each.origin})") + "\n")
    for file in view.files:
        absence = "" if os.path.lexists(file) else ", which is not there"
        sys.stderr.write(printable_line(f"read: {file}{absence}") + "\n")
    return 0


def _document(view: SettingsView) -> dict[str, object]:
    rows = [{"name": each.name, "value": each.value, "from": each.origin} for each in view.values]
    return {"settings": rows, "files": list(view.files)}
