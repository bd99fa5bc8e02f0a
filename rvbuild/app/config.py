"""What is set, and who set it.

Knows: the value that a run uses where nobody set one. Must not know: how a setting is shown.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from attrs import frozen

from rvbuild.app.setting import SETTINGS, Value, words_in
from rvbuild.app.settings import DEFAULT, NO_TEXT, PROJECT_FILE, user_file
from rvbuild.app.workspace import Workspace
from rvbuild.core.cache_text import split_mode
from rvbuild.core.login import SplitAddress


@frozen(kw_only=True)
class SettingValue:
    """A setting, or an entry of one that is a table.

    Attributes:
        name: ``jobs``, or ``mirrors.https://github.com/`` for an entry.
        value: What a run uses.
        origin: The file, the variable, ``command line`` or ``default``.
    """

    name: str
    value: Value
    origin: str


@frozen(kw_only=True)
class SettingsView:
    """Each setting, and the files that were looked for, the stronger first.

    What people paste into a report has no secret: a login or a query of an address is left out.
    """

    values: tuple[SettingValue, ...]
    files: tuple[str, ...]


def view_settings(workspace: Workspace) -> SettingsView:
    """What holds in a workspace."""
    return SettingsView(values=tuple(_values(workspace)), files=tuple(_files(workspace)))


def _values(workspace: Workspace) -> Iterator[SettingValue]:
    """Each setting; of a table each entry, or the table if it is empty."""
    for setting in SETTINGS:
        parts = workspace.settings.origins(setting.name)
        if not parts:
            yield SettingValue(name=setting.name, value=setting.default, origin=DEFAULT)
        for name, (value, origin) in parts:
            effective = _default(name, workspace) if value is None else value
            shown = _SHOWN.get(setting.form, _public)(effective)
            yield SettingValue(name=_public_name(name), value=shown, origin=origin)


def _public(value: Value) -> Value:
    """The value without logins and queries: each text of it may be an address."""
    if isinstance(value, str):
        return SplitAddress.of(value).public
    if isinstance(value, tuple):
        return tuple(SplitAddress.of(text).public for text in value)
    return value


def public_cache(text: str) -> str:
    """What is set as a cache, without a login: its mode stays."""
    mode, address = split_mode(text)
    return f"{mode} {SplitAddress.of(address).public}".lstrip(" ")


def _program(command: Value) -> Value:
    """The program of a command, whose arguments may hold a secret."""
    words = words_in(str(command or ""))
    return " ".join((*words[:1], *("…" for _ in words[1:2]))) or None


_SHOWN: dict[str, Callable[[Value], Value]] = {
    "command": _program,
    "caches": lambda value: public_cache(value) if isinstance(value, str) else NO_TEXT,
}
"""How a value is shown by its setting's form, where `_public` is not enough."""


def _public_name(name: str) -> str:
    """The same of a name, where an address may follow the first dot."""
    table, dot, entry = name.partition(".")
    return table + dot + SplitAddress.of(entry).public


def _default(name: str, workspace: Workspace) -> Value:
    """The value that a run uses where nobody set one."""
    if name == "store":
        return workspace.store
    return len(os.sched_getaffinity(0)) if name == "jobs" else None


def _files(workspace: Workspace) -> Iterator[str]:
    yield user_file(os.environ)
    if workspace.project:
        yield os.path.join(workspace.project, PROJECT_FILE)
