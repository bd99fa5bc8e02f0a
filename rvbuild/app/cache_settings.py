"""Sets a cache in a file of settings, or takes it out.

Knows: which file, and what may stand in it. Must not know: how a file's lines are changed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from attrs import frozen

from rvbuild.app.config import public_cache
from rvbuild.app.settings import PROJECT_FILE, user_file
from rvbuild.app.toml_entry import CannotEdit, drop_entry, entry_line, put_entry
from rvbuild.app.workspace import Workspace
from rvbuild.caches.cache_services import CacheServices
from rvbuild.caches.table import open_cache
from rvbuild.core.cache_text import OFF, CacheText, check_address, read_cache_text, split_mode
from rvbuild.core.errors import StoreError, UsageError, suggestion
from rvbuild.core.key_name import is_key_name
from rvbuild.core.login import SplitAddress
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.files.replacement import replace_file
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.fetch_services import NoTransport

_TABLE = "caches"


@frozen(kw_only=True)
class CacheChange:
    """A cache that was set, or is set no more.

    Attributes:
        name: Its name.
        file: The file that was changed.
        line: The line that was put there, without a login; empty if one was taken out.
        stronger: Where the same name is set more strongly: that is what holds; empty: nowhere.
    """

    name: str
    file: str
    line: str
    stronger: str = ""


def add_cache(
    workspace: Workspace, name: str, address: str, *, writes: bool = False, own: bool | None = None
) -> CacheChange:
    """Set a cache; nobody asks it yet.

    Args:
        workspace: The folders of the run.
        name: What it is to be called.
        address: Where it is, or `off`.
        writes: Whether results are brought there, too.
        own: Whether for this user alone, and not for the project; None: for the project, if there
            is one.

    Raises:
        UsageError: it cannot be called that, the file has one of that name already or must be
            edited by hand, or the project would get a password.
        CacheRefused: no cache has such an address.
    """
    if not is_key_name(name):
        msg = f"a cache cannot be called {name!r}"
        raise UsageError(msg, hint="at most 64 letters, digits, and . _ - within")
    file, is_own = _file(workspace, own)
    if address != OFF:
        _check(name, address)
        _refuse_login(address, file, is_own=is_own)
    before = _in_file(workspace, name, file)
    if before is not None:
        msg = f"there is a cache {name} already: {public_cache(before)}"
        raise UsageError(msg, where=file, hint="remove that first, or take another name")
    place = address if address == OFF else _from(os.path.dirname(file), address)
    mode = "read+write " if writes else ""
    line = entry_line(name, public_cache(mode + place))  # what people are shown
    _edit(file, lambda text: put_entry(text, _TABLE, name, mode + place), f"[caches], {line}")
    return CacheChange(name=name, file=file, line=line, stronger=_stronger(workspace, name, file))


def remove_cache(workspace: Workspace, name: str, *, own: bool | None = None) -> CacheChange:
    """Take a cache out of a file of settings; what is in the cache stays.

    Args:
        workspace: The folders of the run.
        name: What it is called.
        own: Out of the user's own file, and not out of the project's; None: out of the one that
            has it.

    Raises:
        UsageError: no file has it, or it must be edited by hand.
    """
    files = [_file(workspace, own)[0]]
    if own is None:
        files = [user_file(os.environ), *files]
    has_it = (each for each in files if _in_file(workspace, name, each) is not None)
    file = next(has_it, None)
    if file is None:
        names = (key.removeprefix("caches.") for key, _ in workspace.settings.origins(_TABLE))
        known = list(filter(is_key_name, names))  # another may be an address, with a login
        msg = f"there is no cache {name!r} in {' or '.join(dict.fromkeys(files))}"
        raise UsageError(msg, hint=suggestion(name, known))
    _edit(file, lambda text: drop_entry(text, _TABLE, name), f"[caches], no {name}")
    return CacheChange(name=name, file=file, line="", stronger=_stronger(workspace, name, file))


def _file(workspace: Workspace, own: bool | None) -> tuple[str, bool]:  # noqa: FBT001 - as `own`
    """The file that is meant, and whether it is the user's own."""
    if own is False and workspace.project is None:
        msg = "there is no project here"
        raise UsageError(msg, hint=f"make {PROJECT_FILE} in its folder, or set it for yourself")
    if workspace.project is None or own:
        return user_file(os.environ), True
    return os.path.join(workspace.project, PROJECT_FILE), False


def _refuse_login(address: str, file: str, *, is_own: bool) -> None:
    if not is_own and SplitAddress.of(address).login:
        msg = "an address with a login does not belong into a project's file"
        hint = "put the login into ~/.netrc, or set the cache for yourself"
        raise UsageError(msg, where=file, hint=hint)


def _in_file(workspace: Workspace, name: str, file: str) -> str | None:
    """What a file says of a cache, wrong as it may be; None if nothing."""
    layers = workspace.settings.layers(_TABLE)
    return next((table[name] for where, table in layers if where == file and name in table), None)


def _stronger(workspace: Workspace, name: str, file: str) -> str:
    """Where a cache is set more strongly than in a file."""
    weaker = {file}
    if file == user_file(os.environ):
        weaker.add(os.path.join(workspace.project or "", PROJECT_FILE))
    layers = workspace.settings.layers(_TABLE)
    return next((where for where, table in layers if name in table and where not in weaker), "")


def _check(name: str, address: str) -> None:
    """See that a cache can have an address; nobody is asked.

    Raises:
        UsageError: it cannot stand in a file.
        CacheRefused: no kind of cache has such an address.
    """
    try:
        check_address(address)
    except ValueError as error:
        msg = f"the cache {name} {error}"
        hint = "write the address alone: a mode is set apart"
        if not split_mode(address)[0]:
            hint = f"write the address of a cache, or {OFF!r}"
        raise UsageError(msg, hint=hint) from error
    plain = address if ":" in address else os.path.abspath(os.path.expanduser(address))
    nobody = NoTransport(Cancellation())
    open_cache(plain, CacheServices(transport=nobody, wait=lambda: 0.0, environment=os.environ))


def _from(folder: str, address: str) -> str:
    """An address as a file of a folder has it: a path that was not absolute is from there on."""
    if ":" in address or os.path.isabs(address) or address.startswith("~"):
        return address
    path = os.path.relpath(os.path.abspath(address), folder)
    with suppress(ValueError):
        if read_cache_text(path) == CacheText(path):
            return path
    return f"./{path}"  # it has a space, or would be read as another word


def _edit(file: str, edit: Callable[[str], str], by_hand: str) -> None:
    """Change a file's text; a link in its place leads to the one that is changed."""
    path = os.path.realpath(file)
    try:
        text, mode = _read(path)
        edited = edit(text)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        replace_file(path, edited.encode(), mode=mode)
    except CannotEdit as error:
        msg = f"the file has to be changed by hand: {error}"
        raise UsageError(msg, where=file, hint=f"let it say, in the table {by_hand}") from error
    except OSError as error:
        msg = f"the file of settings cannot be written: {error.strerror}"
        hint = hint_for(error.errno, Site.ELSEWHERE)
        raise StoreError(msg, where=file, hint=hint) from error


def _read(path: str) -> tuple[str, int | None]:
    """The text and the mode of a file; nothing, where there is none."""
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read(), os.fstat(file.fileno()).st_mode & 0o777
    except FileNotFoundError:
        return "", None
