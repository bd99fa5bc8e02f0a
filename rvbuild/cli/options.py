"""Options of the command line that are settings, and options of the form LEFT=RIGHT.

Knows: their names and forms. Must not know: other places where something is set. Imports
little: a build with nothing to do pays for this module every time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from rvbuild.app.setting import Table, Value

if TYPE_CHECKING:
    from rvbuild.core.advice import Hint


def settings_in(arguments: argparse.Namespace) -> dict[str, Value]:
    """What a command line sets, by the setting's name.

    Raises:
        UsageError: an option has another form than it must have.
    """
    options = vars(arguments)
    values: dict[str, Value] = {
        "store": options.get("store"),
        "jobs": options.get("jobs"),
        "offline": options.get("offline"),
        "keep-days": options.get("keep"),
        "max-size": options.get("max_size"),
        "mirrors": mirrors(options.get("mirror", ())),
        "options": table(options.get("option", ()), "--option", "NAME=VALUE"),
        "replace": table(options.get("replace", ()), "--replace", "NAME=RECIPE"),
        "caches": caches(options.get("cache", ())),
        "prefer": options.get("prefer"),
    }
    return {name: value for name, value in values.items() if value not in (None, {})}


def store_in(words: Sequence[str]) -> str | None:
    """The store that the words of a command line name, whatever else is wrong with them."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        option, equals, value = word.partition("=")
        if option == "--store":
            return value if equals else following
    return None


def table(words: Iterable[str], option: str, form: str) -> dict[str, str]:
    """Read options of the form ``LEFT=RIGHT``, each LEFT with one RIGHT.

    Raises:
        UsageError: a word has another form, or two disagree.
    """
    entries: dict[str, str] = {}
    for left, right in _pairs(words, option, form):
        if "://" in left:  # an = of its query, or of a password, would be taken for this one
            _refuse_form(f"{left}={right}", option, form)
        if entries.setdefault(left, right) != right:
            what = f"{option} {left} is said twice, as {entries[left]} and as {right}"
            _refuse(what, "say one of them")
    return entries


def caches(words: Iterable[str]) -> dict[str, str]:
    """Read words of the form ``NAME=ADDRESS``, or as a setting has it; the last of a NAME holds.

    Raises:
        UsageError: a word has another form.
    """
    return dict(_pairs(words, "--cache", "NAME=ADDRESS"))


def _pairs(words: Iterable[str], option: str, form: str) -> Iterator[tuple[str, str]]:
    for word in words:
        left, equals, right = word.partition("=")
        if not (left and equals and right):
            _refuse_form(word, option, form)
        yield left, right


def _refuse_form(word: str, option: str, form: str) -> NoReturn:
    hint = f"`rvbuild build --help` explains {option}"
    _refuse(f"{option} {word}: not of the form {form}", hint)


def mirrors(words: Iterable[str]) -> Table:
    """Read words of the form ``FROM=TO``: the places of each FROM, which may have several.

    Raises:
        UsageError: a word has another form.
    """
    places: dict[str, tuple[str, ...]] = {}
    for start, place in _pairs(words, "--mirror", "FROM=TO"):
        if ":" not in start:
            hint = "for example --mirror https://github.com/=/srv/mirror/"
            _refuse(f"--mirror {start}: FROM is the beginning of a URL", hint)
        if _is_cut_off(start):
            _refuse_cut_off(start, place)
        places[start] = (*places.get(start, ()), place)
    return places


def _is_cut_off(start: str) -> bool:
    """Whether the = that ended it may be one of a query, or of a password."""
    if "?" in start or "#" in start:
        return True
    _, colon, port = start.partition("://")[2].rpartition(":")
    return bool(colon and port) and not (port.isdecimal() or set(port) & set("/@]"))


def _refuse_cut_off(start: str, place: str) -> NoReturn:
    from rvbuild.core.advice import Remedy, advise  # noqa: PLC0415 - only when it refuses

    hint = advise("set such a mirror in a file; ", Remedy.SETTINGS)
    _refuse(f"--mirror {start}={place}: nobody can tell where its FROM ends", hint)


def _refuse(what: str, hint: Hint) -> NoReturn:
    from rvbuild.core.errors import UsageError  # noqa: PLC0415 - only when it refuses

    raise UsageError(what, hint=hint)
