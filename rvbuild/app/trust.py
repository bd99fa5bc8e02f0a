"""Whose recipes, locks and stores are used.

Knows: who owns a file, and whom the user trusts. Must not know: what is in the files. Imports
nothing but os, stat and pwd: a build with nothing to do pays for this module every time.

The rules, as git has them for repositories (``safe.directory``):

1. The project of the working directory is the user's choice, whoever owns it.
2. A project above the working directory must belong to the user, to root, or to whoever called
   sudo: its folder, its lock, its recipes, its keys. Not everybody may write them.
3. A store must belong to one of them, too, or lie in the project and belong to its owner. Not
   everybody may write it; from an empty folder, like a new tmpfs, that right is taken.
4. Where one of these is a link, the rule holds for the link and for what it leads to.
5. A store's place is a store (it has `cas` and `locks`, whatever else lies there), an empty folder,
   or nothing yet: of anything else, `gc` would take what is called `tmp` or `locks`.
6. A store may be behind links. They are followed once, and each belongs to one of them, in a folder
   of one of them where nobody else can replace it. A link in the store's own place leads to a store
   or to an empty folder: a checkout can hold one that leads to `/`.
7. The user may name folders in the setting `trust`: projects and stores. Rule 5 holds for them.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Collection
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from rvbuild.core.advice import Hint

SETTING = "RVBUILD_TRUST"
"""The environment variable that names trusted folders, with colons between them, for hints."""


def refuse_foreign_project(
    project: str, names: Collection[str], trusted: Collection[str] = ()
) -> None:
    """Refuse a project above the working directory that others made, or can change.

    Args:
        project: Its folder.
        names: What is used in it, if it is there.
        trusted: Folders that the user trusts.

    Raises:
        UsageError: it is not to be trusted.
    """
    if _is_named(project, trusted):
        return
    own = _own()
    for path in (project, *(os.path.join(project, name) for name in names)):
        owner = _stranger(path, own)
        if owner is None and _open_to_all(path, sticky=path == project):
            owner = _ANYBODY
        if owner is not None:
            _refuse("the project above the working directory", project, path, owner)


def refuse_foreign_store(store: str, project: str | None, trusted: Collection[str] = ()) -> None:
    """Refuse a store that somebody else made, or can change.

    Args:
        store: Its folder, which need not be there.
        project: The project's folder, if there is one.
        trusted: Folders that the user trusts.

    Raises:
        UsageError: it is not to be trusted, or it is no store.
    """
    if not _is_named(store, trusted):
        _refuse_strangers(store, project)
    _refuse_no_store(store)
    everybody = _open_to_all(store, sticky=False) and not _is_named(store, trusted)
    if everybody and not _closed_while_empty(store):
        _refuse("the store", store, store, _ANYBODY)


def _refuse_strangers(store: str, project: str | None) -> None:
    """Refuse a store whose folder, or a link on the way to it, is somebody else's."""
    own = _own()
    if project is not None and store.startswith(os.path.join(project, "")):
        own.add(os.stat(project).st_uid)
    links = _links(store)
    owner = _stranger(store, own)
    for link in () if owner is not None else links:
        above = os.path.dirname(link)
        owner = _stranger(link, own)
        if owner is None:  # whoever has the folder replaces the link
            owner = _stranger(above, own)
        if owner is None and _open_to_all(above, sticky=True):
            owner = _ANYBODY
        if owner is not None:
            _refuse("the store", store, link, owner)
    if owner is not None:
        _refuse("the store", store, store, owner)


def _links(path: str) -> list[str]:
    """Each link on the way to a path, and on the way to where these lead, outermost first."""
    links: list[str] = []
    waiting, here = path.split("/")[::-1], "/"
    while waiting and len(links) < _MOST_LINKS:
        there = os.path.normpath(os.path.join(here, waiting.pop()))
        if os.path.islink(there):
            links.append(there)
            target = os.readlink(there)
            here = "/" if target.startswith("/") else here
            waiting += target.split("/")[::-1]
        else:
            here = there
    return links


def _refuse_no_store(store: str) -> None:
    """Refuse a store's place where there is something else: `gc` would take it for its own."""
    try:
        names = set(os.listdir(store))
    except OSError as error:
        why = "" if not os.path.lexists(store) else error.strerror
    else:
        if names >= _OF_A_STORE:  # what else lies there is for verify to name
            return
        why = _unlike_a_store(store, names)
    if not why:
        return
    from rvbuild.core.advice import Remedy, advise  # noqa: PLC0415 - only when it refuses
    from rvbuild.core.errors import UsageError  # noqa: PLC0415 - only when it refuses

    real = os.path.realpath(store)
    what: str = "the store's place"
    how: Hint = advise(Remedy.STORE.of("a new folder"))
    if os.path.islink(store):
        what = f"the store is a link to {real}, which"
        how = f"make an empty folder there, and let the link lead to that: ln -sfn DIR {store}"
    msg = f"{what} is neither a store nor an empty folder: {why}"
    raise UsageError(msg, where=store, hint=how)


def _unlike_a_store(store: str, names: set[str]) -> str:
    """What is wrong with a folder that is not wholly a store; nothing, if one can be made there."""
    from rvbuild.stores.top import (  # noqa: PLC0415 - only until there is one
        BESIDE,
        FOLDERS,
        VERSION_FILE,
    )

    more = sorted(names.difference(FOLDERS, BESIDE, {VERSION_FILE}))
    if more:
        return f"it has {more[0]!r} in it"
    if "cas" in names or names <= BESIDE:
        return ""
    begun = not os.path.islink(store) and not any(
        _has_something(store, name) for name in names - BESIDE
    )
    return "" if begun else "it lacks cas/"


def _has_something(store: str, name: str) -> bool:
    try:
        return bool(os.listdir(os.path.join(store, name)))
    except OSError:
        return True


def made_by_trusted(there: os.stat_result, folder: int) -> bool:
    """Whether a file in a folder that is used belongs to the folder's owner, or to one of ours."""
    return there.st_uid in _own() or there.st_uid == os.stat(folder).st_uid


_OF_A_STORE = {"cas", "locks"}
_MOST_LINKS = 40  # as the kernel follows
_ANYBODY = -1
_OF_ITS_OWN = "an empty rvbuild.lock makes a project of the working directory"


def _own() -> set[int]:
    """The user, root, and whom root works for."""
    user = os.geteuid()
    caller = os.environ.get("SUDO_UID", "") if user == 0 else ""
    return {0, user, int(caller)} if caller.isascii() and caller.isdecimal() else {0, user}


def _stranger(path: str, own: set[int]) -> int | None:
    """Who owns a file or the link to it, unless it is one of ``own``. None: nobody else."""
    for look in (os.lstat, os.stat):
        try:
            owner = look(path).st_uid
        except OSError:  # not there, or a link to nowhere
            continue
        if owner not in own:
            return owner
    return None


def _open_to_all(path: str, *, sticky: bool) -> bool:
    """Whether everybody may write it. With ``sticky``: and replace what others have there."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and not (sticky and mode & stat.S_ISVTX)


def _closed_while_empty(folder: str) -> bool:
    """Take everybody's right to write from an empty folder; False if that cannot be done."""
    try:
        if os.path.islink(folder) or os.listdir(folder):  # a checkout chose what it leads to
            return False
        os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) & ~stat.S_IWOTH)
        return not os.listdir(folder)  # nobody was faster
    except OSError:
        return False


def _is_named(folder: str, trusted: Collection[str]) -> bool:
    """Whether the folder is one of ``trusted``, under whatever path."""
    return bool(trusted) and os.path.realpath(folder) in map(os.path.realpath, trusted)


def _refuse(what: str, folder: str, path: str, owner: int) -> NoReturn:
    from rvbuild.core.advice import Remedy, advise  # noqa: PLC0415 - only when it refuses
    from rvbuild.core.errors import UsageError  # noqa: PLC0415 - only when it refuses

    why = f"it belongs to {_name(owner)}, and you are {_name(os.geteuid())}"
    if owner == _ANYBODY:
        why = "everybody may write it"
    elsewhere: Hint = advise(Remedy.STORE) if what == "the store" else _OF_ITS_OWN
    if what == "the store" and owner == _ANYBODY:
        elsewhere = f"if nobody else has written there: chmod -R o-w {folder}"
    trust = f"; or, if you trust whoever can write there: export {SETTING}={folder}"
    msg = f"{what} is somebody else's"
    raise UsageError(msg, where=path, details=(why,), hint=advise(elsewhere, trust))


def _name(user: int) -> str:
    try:
        return f"{pwd.getpwuid(user).pw_name} (user {user})"
    except KeyError:
        return f"user {user}"
