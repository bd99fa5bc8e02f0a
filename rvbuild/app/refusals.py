"""Why results cannot appear where they are asked for: said before the build.

Knows: what is at a place, and what is rvbuild's or the project's own. Must not know: how results
get there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable

from rvbuild.app.result_place import is_our_link
from rvbuild.app.setting import PATH_MAX
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError
from rvbuild.core.login import MALFORMED, TWO_WAYS, SplitAddress, shown_malformed
from rvbuild.files.folder import is_below, nearest
from rvbuild.stores.top import RESULT

_ANOTHER = advise(Remedy.COPIES)
_MIRROR = (
    "a mirror is a URL (http, https; for git also ssh), a folder, a file, or a bare repository"
)
_SCHEMES = frozenset(("http", "https", "ssh", "git", "file"))
_OF_HTTP = frozenset(("http", "https"))
_PLAIN = re.compile(r"[^\s\x00-\x1f\x7f]+\Z")
_PREFIX = re.compile(r"[A-Za-z0-9+.-]+://[^/]*|.*/")
"""What is no whole address of anything: a server, or what ends as folders do."""


def refuse_occupied(places: Iterable[str]) -> None:
    """Say before the build what would go wrong after it.

    Raises:
        UsageError: a link cannot be made at one of the places.
    """
    for place in places:
        folder = os.path.dirname(place)
        if os.path.lexists(place) and not is_our_link(place):
            _refuse("there is something that rvbuild did not make", place, "move it away")
        if os.path.lexists(folder) and not os.path.isdir(folder):
            _refuse("the results' folder is something else", folder, "move it away")
        if not os.access(nearest(folder, os.path.lexists), os.W_OK):
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
    if len(os.fsencode(output)) >= PATH_MAX:
        msg = f"results cannot be copied there: a path has less than {PATH_MAX} bytes"
        raise UsageError(msg, where=output, hint=_ANOTHER)
    near = nearest(os.path.abspath(output), os.path.lexists) if output else ""
    if os.path.islink(near) and not os.path.exists(near):
        target = f"{os.readlink(near)}, which is not there"
        msg = f"results cannot be copied there: it is a link to {target}"
        raise UsageError(msg, where=near, hint=advise("make that folder, or ", _ANOTHER))
    if not os.path.isdir(near):
        msg = "results cannot be copied there: it is no folder"
        raise UsageError(msg, where=near or repr(output), hint=_ANOTHER)
    if not os.access(near, os.W_OK):
        msg = "results cannot be copied there: no right to write"
        raise UsageError(msg, where=near, hint=_ANOTHER)


def refuse_own(places: Iterable[str], store: str, recipes: Collection[str], lock: str) -> None:
    """Say before the build that copies are not put into, or in the place of, what rvbuild reads.

    A copy in `./result` would be in the way of the link that the next build makes there.

    Args:
        places: Where copies are to be.
        store: Its folder.
        recipes: Folders of recipes.
        lock: The project's lock.

    Raises:
        UsageError: one of the places is such a one, by whatever path.
    """
    own = {store: "the store", lock: "the project's lock", os.path.abspath(RESULT): "links"}
    own |= dict.fromkeys(recipes, "recipes")
    here = {os.getcwd(): "the working directory"}
    for place in places:
        for path, what in (own | here).items():
            if is_below(path, place):
                msg = f"results cannot be copied there: {what} would have to go"
                raise UsageError(msg, where=place, hint=_ANOTHER)
            if path in own and is_below(place, path):
                msg = f"results cannot be copied there: it is the place of {what}"
                also = f"; links appear in ./{RESULT} by themselves" if what == "links" else ""
                raise UsageError(msg, where=place, hint=advise(_ANOTHER, also))


def _refuse(message: str, where: str, hint: str) -> None:
    raise UsageError(message, where=where, hint=advise(f"{hint}, or ", _ANOTHER))


def refuse_unfit_mirrors(mirrors: Iterable[tuple[str, str]]) -> None:
    """See that each mirror can be one, and is there if it is a path of this machine.

    Raises:
        UsageError: one is not: a misspelling would only show in what is said of a source.
    """
    for start, place in mirrors:
        from rvbuild.transfers.addresses import is_http, local_path  # noqa: PLC0415 - few runs have a mirror

        split, begin = SplitAddress.of(place), SplitAddress.of(start).bare
        if split.is_ambiguous:
            msg = f"the mirror of {begin} is {TWO_WAYS}"
            raise UsageError(msg, where=split.bare, hint=split.hint)
        scheme, colon, _ = place.partition("://")
        path = local_path(place)
        if colon and scheme.lower() not in _SCHEMES:
            msg = f"the mirror of {begin} has an address that nothing can be taken from"
            raise UsageError(msg, where=split.bare, hint=_MIRROR)
        usable = is_http(place) if scheme.lower() in _OF_HTTP and colon else _PLAIN.match(place)
        if split.is_malformed or not (path or usable):
            msg = f"the mirror of {begin} has {MALFORMED}"
            raise UsageError(msg, where=shown_malformed(place), hint=_MIRROR)
        if path is not None and not os.path.exists(path):  # which raises nothing
            msg = f"the mirror of {begin} is not there"
            raise UsageError(msg, where=str(path), hint=_MIRROR)
        if path is not None and _PREFIX.fullmatch(start) and not os.path.isdir(path):
            msg = f"the mirror of {begin} is a file, and many addresses begin so"
            hint = "give the whole address of that file, or a folder with what is behind that"
            raise UsageError(msg, where=str(path), hint=hint)
