"""Which settings there are, and what a value of each can be.

Knows: names, kinds of values, defaults. Must not know: where a value comes from. Imports
little: a build with nothing to do pays for this module every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rvbuild.core.key_name import is_key_name

Texts = tuple[str, ...]
Table = Mapping[str, str | Texts]
Value = str | int | bool | Texts | Table | None


class Setting(NamedTuple):
    """One setting.

    Attributes:
        name: As in a file.
        form: What a value is, one of `FORMS`.
        default: Its value where nobody set it.
        variable: The environment's name for it; empty for tables.
        summary: What it is for.
        personal: Whether a project's file cannot set it.
    """

    name: str
    form: str
    default: Value
    variable: str
    summary: str
    personal: bool = False


SETTINGS = (
    Setting("store", "path", None, "RVBUILD_STORE", "the folder of the store"),
    Setting("jobs", "count", None, "RVBUILD_JOBS", "steps at once; as many as cores"),
    Setting("offline", "flag", False, "RVBUILD_OFFLINE", "reach nothing but the store"),
    Setting("keep-days", "days", 14, "RVBUILD_KEEP_DAYS", "what gc keeps: used in so many days"),
    Setting("max-size", "size", None, "RVBUILD_MAX_SIZE", "what gc leaves of the store; any size"),
    Setting("mirrors", "mirrors", {}, "", "where URLs that begin so are taken from"),
    Setting("options", "table", {}, "", "variants of recipes, as root = nft"),
    Setting("replace", "table", {}, "", "recipes that stand for a target input"),
    Setting("builder", "name", "", "RVBUILD_BUILDER", "who is said to have made results", True),
    Setting(
        *("signing-key", "name", "", "RVBUILD_SIGNING_NAME"),
        "the name of the key that signs what is shared",
        personal=True,
    ),
    Setting(
        *("signing-command", "command", None, "RVBUILD_SIGNING_COMMAND"),
        "a program that signs with that key, with its arguments",
        personal=True,
    ),
    Setting(
        *("caches", "caches", {}, "RVBUILD_CACHES"),
        "caches of results, as team = 'read+write https://cache.example/team'",
    ),
    Setting(
        *("stall-budget", "count", 5, "RVBUILD_STALL_BUDGET"),
        "seconds of waiting that a cache may cost a run",
    ),
    Setting(
        *("prefer", "preference", "auto", "RVBUILD_PREFER"),
        "fetch or build what a cache has; auto: what takes less time",
    ),
    Setting(
        *("share-accelerated", "flag", False, "RVBUILD_SHARE_ACCELERATED"),
        "share and take what compile caches helped to make",
    ),
    Setting(
        *("update", "policy", {}, ""),
        "what pins may move to by themselves, as policy = 'minor', min-age = '7d'",
    ),
    Setting("accept", "acceptance", {}, "", "whose results are taken, as build = '2 of [ci, lab]'"),
    Setting("trust", "paths", (), "RVBUILD_TRUST", "projects and stores of others to use", True),
    Setting("debian-keys", "paths", (), "RVBUILD_DEBIAN_KEYS", "keyrings of Debian archives", True),
    Setting(
        *("debian-frozen", "places", (), "RVBUILD_DEBIAN_FROZEN"),
        "Debian archives that are copies of the past on purpose",
        personal=True,
    ),
    Setting(
        *("debian-unchecked", "places", (), "RVBUILD_DEBIAN_UNCHECKED"),
        "Debian archives whose index is taken without proof",
        personal=True,
    ),
)

BY_NAME = {setting.name: setting for setting in SETTINGS}


def texts(value: Value) -> Texts:
    """A list's texts, or the one text that stands for a list."""
    return value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()


_MOST_DIGITS = 18
PATH_MAX = 4096
"""Bytes of a path that a system call takes, with the NUL at its end: Linux' own limit."""

_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}  # fmt: skip


def bytes_in(text: str) -> int | None:
    """How many bytes a size is, as ``500M``, ``20 GiB`` or ``1000``; None if it is none.

    ``k``, ``M``, ``G`` and ``T`` are powers of 1000, with an ``i`` of 1024; a ``B`` may follow.
    """
    digits = text.rstrip("kKMGTiB")
    unit = text[len(digits) :].removesuffix("B")
    number = digits.rstrip(" ")
    return int(number) * _UNITS[unit] if is_number(number) and unit in _UNITS else None


def is_number(text: str) -> bool:
    """Whether it is a whole number that can count anything; Python reads none of any length."""
    return text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS


def has_url(text: str) -> bool:
    """Whether a URL is in what should be a path: folders made for it would have its password."""
    return "://" in text


def _is_path(value: Value) -> bool:
    """Of a length that a system call takes."""
    if not isinstance(value, str) or has_url(value):
        return False
    return 0 < len(value.encode(errors="surrogateescape")) < PATH_MAX


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_name(value: Value) -> bool:
    return isinstance(value, str) and is_key_name(value)


def _is_number(value: Value, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_table(value: Value) -> bool:
    return isinstance(value, dict)


def _text_problem(_: str, entry: object) -> str:
    return "" if _is_text(entry) else "must be a text, and not an empty one"


def _is_command(value: Value) -> bool:
    return isinstance(value, str) and bool(words_in(value))


def words_in(command: str) -> Texts:
    """The words of a command, with a shell's quotes; none, if a quote does not end."""
    from shlex import split  # noqa: PLC0415 - only where a command is set

    try:
        return tuple(split(command))
    except ValueError:
        return ()


def _acceptance_problem(name: str, entry: object) -> str:
    """An entry is for a kind of build, and says something that can be fulfilled."""
    if name not in ACCEPTING:
        return f"is none: there are {' and '.join(sorted(ACCEPTING))}"
    from rvbuild.core.policy_text import read_policy  # noqa: PLC0415 - only where it is set

    try:
        read_policy(entry if isinstance(entry, str) else "")
    except ValueError as error:
        return f"does not say whose results are taken: {error}"
    return ""


def _policy_problem(name: str, entry: object) -> str:
    """An entry is a word of a recipe, and a value that a recipe could have."""
    from rvbuild.core.update_policy import REACHES, policy_of  # noqa: PLC0415 - only where it is set

    texts = {"policy": "", "min-age": ""}
    if name not in texts:
        return f"is none: there are {' and '.join(texts)}"
    texts[name] = entry if isinstance(entry, str) and entry else "?"
    try:
        policy_of(texts["policy"], texts["min-age"])
    except ValueError as error:
        return str(error) if name == "min-age" else f"must be one of {', '.join(REACHES)}"
    return ""


def _cache_problem(name: str, entry: object) -> str:
    """A name that a cache can have, and a text; `cache_problem` looks at the text."""
    if not is_key_name(name):
        return "is no name of a cache: at most 64 letters, digits, and . _ - within"
    return _text_problem(name, entry)


def cache_problem(name: str, text: Value, *, shared: bool) -> tuple[str, str]:
    """What is wrong with what somebody set as a cache, and what helps; empty if nothing is.

    It is asked for caches that count only: so a wrong one of a file can be removed or switched off.

    Args:
        name: What it is called.
        text: See `core.cache_text`; a file may have another kind of value there.
        shared: Whether it stands in a project's file, where no login belongs.
    """
    from rvbuild.core.cache_text import read_cache_text  # noqa: PLC0415 - only where it is set

    problem = _cache_problem(name, text)
    if problem and not is_key_name(name):
        return problem, "give it another name, or take it out"
    try:
        cache = None if problem else read_cache_text(str(text))
    except ValueError as error:
        problem = str(error)
    if problem:
        return problem, "write an address, 'read+write ADDRESS' or 'off'"
    if shared and cache and "@" in cache.address and "://" in cache.address:
        from rvbuild.core.login import SplitAddress  # noqa: PLC0415 - an @ is rare

        if SplitAddress.of(cache.address).login:
            problem = "has a login, which does not belong into a project's file"
            return problem, "put the login into ~/.netrc, or set the cache for yourself"
    return "", ""


def public_entry(name: str) -> str:
    """An entry's name, which of a mirror is an address; a `=` may have cut it in a password."""
    from rvbuild.core.login import SplitAddress  # noqa: PLC0415 - only when it refuses

    scheme, slashes, rest = SplitAddress.of(name).public.rpartition("://")
    host, colon, _ = rest.partition(":")
    return scheme + slashes + (f"{host}:…" if colon else rest)


def _mirror_problem(start: str, entry: Value) -> str:
    if ":" not in start:
        return "is not the beginning of a URL"
    is_right = all(map(_is_text, texts(entry) or [None]))
    return "" if is_right else "must be a place or a list of places"


PREFERENCES = ("auto", "fetch", "build")

ACCEPTING = frozenset(("build", "release"))
"""The entries of `accept`: a build for development, and one with `release`."""

FORMS: dict[str, tuple[str, Callable[[Value], bool]]] = {
    "path": (f"a path of this machine, of less than {PATH_MAX} bytes", _is_path),
    "paths": (
        f"a list of paths of this machine, each of less than {PATH_MAX} bytes",
        lambda value: isinstance(value, tuple) and all(map(_is_path, value)),
    ),
    "places": (
        "a list of addresses or paths",
        lambda value: isinstance(value, tuple) and all(map(_is_text, value)),
    ),
    "count": ("a whole number from 1 on", lambda value: _is_number(value, 1)),
    "days": ("a whole number of days", lambda value: _is_number(value, 0)),
    "size": (
        "a size, as 500M or 20GiB",
        lambda value: isinstance(value, str) and bytes_in(value) is not None,
    ),
    "name": ("a name of at most 64 letters, digits, and . _ - within", _is_name),
    "flag": ("true or false", lambda value: isinstance(value, bool)),
    "table": ("a table of texts", _is_table),
    "command": ("a program and its arguments, as a shell has them", _is_command),
    "acceptance": (
        "a table of build and release, each the name of a key, or as '2 of [ci, lab, office]'",
        _is_table,
    ),
    "caches": (
        "a table: a cache's name, and its address, or as 'read+write ADDRESS', or 'off'",
        _is_table,
    ),
    "policy": ("a table of policy and min-age", _is_table),
    "preference": ("auto, fetch or build", lambda value: value in PREFERENCES),
    "mirrors": ("a table: the beginning of a URL, and a place or a list of places", _is_table),
}

ENTRY_PROBLEMS: dict[str, Callable[[str, Value], str]] = {
    "table": _text_problem,
    "acceptance": _acceptance_problem,
    "caches": _cache_problem,
    "policy": _policy_problem,
    "mirrors": _mirror_problem,
}
"""What is wrong with an entry of a table, by the form: words that follow its name, or nothing."""
