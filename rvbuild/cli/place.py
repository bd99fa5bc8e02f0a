"""Where results appear: links into the store, or copies.

Knows: `result/`, and what must not be overwritten. Must not know: how results are made.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable

from rvbuild.core.errors import StoreError, UsageError

RESULT = "result"


def link_place(target: str) -> str:
    """Where the link to a target's result is, below the working directory."""
    return os.path.abspath(os.path.join(RESULT, target))


def refuse_occupied(places: Iterable[str]) -> None:
    """Say before the build what would go wrong after it.

    Raises:
        UsageError: a link cannot be made at one of the places.
    """
    for place in places:
        folder = os.path.dirname(place)
        if os.path.lexists(place) and not os.path.islink(place):
            _refuse("there is something that rvbuild did not make", place, "move it away")
        if os.path.lexists(folder) and not os.path.isdir(folder):
            _refuse("the results' folder is something else", folder, "move it away")
        if not os.access(_nearest(folder), os.W_OK):
            _refuse("results cannot be linked here: no right to write", folder, "go elsewhere")
        try:
            place.encode()
        except UnicodeEncodeError:
            _refuse("results cannot be linked here: the path is not UTF-8", folder, "go elsewhere")


def refuse_no_folder(output: str) -> None:
    """Say before the build that copies cannot be put into ``output``.

    Raises:
        UsageError: it cannot be a folder that one may write.
    """
    near = _nearest(os.path.abspath(output)) if output else ""
    if not os.path.isdir(near):
        msg = "results cannot be copied there: it is no folder"
        raise UsageError(msg, where=near or f"-o {output!r}", hint="use another DIR with -o")
    if not os.access(near, os.W_OK):
        msg = "results cannot be copied there: no right to write"
        raise UsageError(msg, where=near, hint="use another DIR with -o")


def _refuse(message: str, where: str, hint: str) -> None:
    raise UsageError(message, where=where, hint=f"{hint}, or use -o DIR")


def _nearest(folder: str) -> str:
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return folder


def link(tree: str, place: str) -> None:
    """Let ``place`` be a link to ``tree``, instead of any other link.

    Raises:
        StoreError: it cannot be made.
    """
    mine = f"{place}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        os.symlink(tree, mine)
        os.replace(mine, place)
    except OSError as error:
        msg = f"the result cannot be linked: {error.strerror}"
        raise StoreError(msg, where=place, hint="build in a folder that you may write") from error


def copy(tree: str, place: str) -> None:
    """Let ``place`` be a copy of ``tree`` that its owner may change.

    Raises:
        StoreError: it cannot be made; what was there before is still there.
    """
    mine = f"{place}.{os.getpid()}"
    try:
        shutil.copytree(tree, mine, symlinks=True)
        for folder, _, files in os.walk(mine):
            for name in files:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    os.chmod(path, os.stat(path).st_mode | 0o200)
        _clear(place)
        os.rename(mine, place)
    except OSError as error:
        shutil.rmtree(mine, ignore_errors=True)
        msg = f"the result cannot be copied: {_why(error)}"
        raise StoreError(msg, where=place, hint="use another DIR with -o") from error


def _why(error: OSError) -> str:
    if isinstance(error, shutil.Error):  # a list of (from, to, why)
        return str(error.args[0][0][2])
    return error.strerror or str(error)


def _clear(place: str) -> None:
    if os.path.isdir(place) and not os.path.islink(place):
        shutil.rmtree(place)
    elif os.path.lexists(place):
        os.unlink(place)
