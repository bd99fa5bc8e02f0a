"""What a person has set: in the project, for themselves, in the environment, for one run.

Knows: which settings there are, where they stand, and which of two is stronger.
Must not know: what anybody does with them. Imports little: a build with nothing to do pays for
this module every time, and for a TOML parser only where there is a file.

The rules:

1. Weakest first: the default, the project's `rvbuild.toml`, the user's file, the environment,
   the options of the command line. A stronger one replaces a weaker one.
2. Tables and lists are joined: an entry replaces the weaker one of the same name, and the
   stronger entries come first.
3. A path in a file is relative to the file's folder, any other to the working directory.
4. A checkout says neither whose folders to trust nor who somebody is: `trust`, `builder`,
   `signing-…` and `debian-…` in a project's file are errors.
5. An unknown name is an error, and so is a value of another kind; a cache that a file sets wrongly
   is one where it counts, so that it can be switched off or taken out.

For example, with `jobs = 2` in the project, `jobs = 8` in the user's file and `RVBUILD_JOBS=4`,
four steps run at once, and `-j 1` makes it one.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from rvbuild.app.setting import (
    BY_NAME,
    ENTRY_PROBLEMS,
    FORMS,
    SETTINGS,
    Setting,
    Texts,
    Value,
    bytes_in,
    cache_problem,
    is_number,
    public_entry,
    texts,
    words_in,
)
from rvbuild.core.key_name import is_key_name

if TYPE_CHECKING:
    from rvbuild.core.advice import Hint

PROJECT_FILE = "rvbuild.toml"
DEFAULT = "default"
OPTION = "command line"
NO_TEXT = "…"
"""What is shown of a value that should be a text and is none."""

_MOST_BYTES = 1 << 20
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class ValueOrigin(NamedTuple):
    """A value, and who set it: a file, a variable, the command line, or nobody."""

    value: Value
    where: str


class Settings:
    """The value of each setting, with its origin.

    Args:
        layers: What was set, the strongest first: the origin's name, and values by setting.
        project_file: Which of the origins is the project's file; empty: none.

    Attributes:
        store: The store's folder; None: the usual place.
        jobs: How many steps run at once; None: as many as there are cores.
        offline: Whether nothing but the store is reached.
        keep_days: For how many days gc keeps what was used.
        max_size: How many bytes gc leaves in the store; None: any number.
        mirrors: Beginnings of URLs, each with a place that is taken instead; tried in this order.
        options: Variants that recipes declare, by the option's name.
        replace: Recipes that stand for a target input, by its name.
        builder: The name under which results are registered; empty: none.
        signing_key: The name of the key that signs; empty: none.
        signing_command: The words of a command that signs with it; none: its file is here.
        stall_budget: Seconds of waiting that a cache may cost a run.
        prefer: ``auto``, ``fetch`` or ``build``.
        share_accelerated: Whether what compile caches helped to make is shared and taken.
        update: What pins may move to by themselves: ``policy`` and ``min-age``, see
            `core.update_policy`.
        accept: Whose results are taken, for ``build`` and ``release``: see `core.acceptance`.
        trust: Folders of others that the user trusts.
        debian_keys: Keyrings that are trusted for every archive of Debian.
        debian_frozen: Archives of Debian that are copies of the past on purpose.
        debian_unchecked: Archives of Debian whose index is taken without proof.
    """

    def __init__(
        self, layers: tuple[tuple[str, Mapping[str, Value]], ...], project_file: str = ""
    ) -> None:
        self._layers = layers
        self.project_file = project_file
        self.store = self._text("store")
        self.jobs = self._count("jobs")
        self.offline = bool(self._value("offline"))
        self.keep_days = self._count("keep-days") or 0
        self.max_size = bytes_in(self._text("max-size") or "")
        self.mirrors = tuple(self._mirrors())
        self.options = self._table("options")
        self.replace = self._table("replace")
        self.builder = self._text("builder") or ""
        self.signing_key = self._text("signing-key") or ""
        self.signing_command = words_in(self._text("signing-command") or "")
        self.stall_budget = self._count("stall-budget") or 0
        self.prefer = self._text("prefer") or ""
        self.share_accelerated = bool(self._value("share-accelerated"))
        self.update = self._table("update")
        self.accept = self._table("accept")
        self.trust = self._list("trust")
        self.debian_keys = self._list("debian-keys")
        self.debian_frozen = self._list("debian-frozen")
        self.debian_unchecked = self._list("debian-unchecked")

    @classmethod
    def of_user(cls, environment: Mapping[str, str], options: Mapping[str, Value]) -> Settings:
        """What the user said: with options, in the environment, in a file.

        Args:
            environment: The variables of the process.
            options: Values by setting, of the command line or of a program that calls.

        Raises:
            UsageError: a value is of the wrong kind, or the file is not to be read.
        """
        for name, value in options.items():
            _refuse_unlike(BY_NAME[name], value, OPTION)
        variables = (setting for setting in SETTINGS if environment.get(setting.variable))
        layers = [(OPTION, options)]
        for setting in variables:
            text = environment[setting.variable]
            layers.append((setting.variable, {setting.name: _variable_value(setting, text)}))
        file = user_file(environment)
        if os.path.lexists(file):
            layers.append((file, _read(file)))
        return cls(tuple(layers))

    def with_project(self, project: str | None) -> Settings:
        """These settings, over those of the project's file.

        Raises:
            UsageError: the file is not to be read, or sets what only a user may set.
        """
        file = os.path.join(project or "", PROJECT_FILE)
        if project is None or not os.path.lexists(file):
            return self
        values = _read(file)
        for name in values:
            if BY_NAME[name].personal:
                from rvbuild.core.advice import Remedy, advise  # noqa: PLC0415 - seldom

                hint = advise(f"set {name!r} in your own file; ", Remedy.SETTINGS)
                _refuse(file, f"{name!r} may not be set in a project's file", hint)
        return Settings((*self._layers, (file, values)), file)

    @property
    def caches(self) -> dict[str, str]:
        """Caches by name, the stronger first; see `core.cache_text`.

        Raises:
            UsageError: one that counts is none. One that a stronger origin replaces may be.
        """
        for name, (text, where) in self.origins("caches"):
            entry = name.removeprefix("caches.")
            problem, hint = cache_problem(entry, text, shared=where == self.project_file)
            if problem:
                _refuse(where, f"'caches.{public_entry(entry)}' {problem}", hint)
        return self._table("caches")

    def debian_variables(self) -> dict[str, str]:
        """What is set for Debian's archives, as the environment has it."""
        return {
            "RVBUILD_DEBIAN_FROZEN": " ".join(self.debian_frozen),
            "RVBUILD_DEBIAN_KEYS": os.pathsep.join(self.debian_keys),
            "RVBUILD_DEBIAN_UNCHECKED": " ".join(self.debian_unchecked),
        }

    def origins(self, name: str) -> list[tuple[str, ValueOrigin]]:
        """The parts of a setting that hold: one, or one an entry, named like `mirrors.NAME`."""
        setting = BY_NAME[name]
        layers = [(where, values[name]) for where, values in self._layers if name in values]
        if isinstance(setting.default, dict):
            entries: dict[str, ValueOrigin] = {}
            for where, table in layers:
                for key, entry in table.items() if isinstance(table, dict) else ():
                    entries.setdefault(f"{name}.{key}", ValueOrigin(entry, where))
            return list(entries.items())
        if isinstance(setting.default, tuple):
            return [(name, ValueOrigin(value, where)) for where, value in layers]
        where, value = layers[0] if layers else (DEFAULT, setting.default)
        return [(name, ValueOrigin(value, where))]

    def layers(self, name: str) -> list[tuple[str, Mapping[str, str]]]:
        """What each origin says of a setting that is a table of texts, the strongest first.

        Of a file's caches, one may be no text: it is `NO_TEXT` here, as it may hold a password.
        """
        tables = ((where, values.get(name)) for where, values in self._layers)
        return [
            (
                where,
                {key: value if isinstance(value, str) else NO_TEXT for key, value in table.items()},
            )
            for where, table in tables
            if isinstance(table, dict)
        ]

    def _value(self, name: str) -> Value:
        return self.origins(name)[0][1].value

    def _text(self, name: str) -> str | None:
        value = self._value(name)
        return None if value is None else str(value)

    def _count(self, name: str) -> int | None:
        value = self._value(name)
        return None if value is None else int(str(value))

    def _table(self, name: str) -> dict[str, str]:
        begin = len(name) + 1
        return {key[begin:]: str(origin.value) for key, origin in self.origins(name)}

    def _list(self, name: str) -> tuple[str, ...]:
        return tuple(it for _, (listed, _) in self.origins(name) for it in texts(listed))

    def _mirrors(self) -> Iterator[tuple[str, str]]:
        for key, (places, _) in self.origins("mirrors"):
            start = key.removeprefix("mirrors.")
            yield from ((start, place) for place in texts(places))


def user_file(environment: Mapping[str, str]) -> str:
    """The user's own file of settings."""
    return os.path.join(user_folder(environment), "config.toml")


def user_folder(environment: Mapping[str, str]) -> str:
    """The user's folder of settings and keys; an XDG_CONFIG_HOME that is not absolute is none."""
    base = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(home_folder(environment), ".config")
    return os.path.join(base, "rvbuild")


def home_folder(environment: Mapping[str, str]) -> str:
    """The user's folder. An empty HOME is as none: it does not mean `/`."""
    try:
        return environment.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # a user without a name, as containers have them
        return os.getcwd()


def _read(file: str) -> dict[str, Value]:
    import tomllib  # noqa: PLC0415 - see the module's docstring

    try:
        if not stat.S_ISREG(os.stat(file).st_mode):  # opening a device may do something already
            _refuse(file, "is no regular file", "put a plain file there, or nothing")
        with open(file, "rb", opener=_open_plain) as stream:
            data = tomllib.loads(stream.read(_MOST_BYTES).decode())
    except OSError as error:
        _refuse(file, f"cannot be read: {error.strerror}", "see what is there (`ls -l`)")
    except (ValueError, RecursionError) as error:
        _refuse(file, f"is not TOML in UTF-8: {error}", "see https://toml.io")
    folder = os.path.dirname(os.path.abspath(file))
    return {name: _file_value(name, value, file, folder) for name, value in data.items()}


def _open_plain(path: str, flags: int) -> int:
    """Open a file without waiting for whoever may be behind a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _file_value(name: str, value: object, file: str, folder: str) -> Value:
    """A value of a file, in the form that its setting has."""
    setting = BY_NAME.get(name)
    if setting is None:
        from rvbuild.core.errors import closest  # noqa: PLC0415 - only when it is needed

        near = closest(name, BY_NAME)
        also = f"did you mean {near!r}?" if near else f"there are: {', '.join(BY_NAME)}"
        _refuse(file, f"there is no setting {name!r}", also)
    plain = _plain(value)
    if setting.form == "caches" and isinstance(plain, dict):  # see `Settings.caches`
        return {
            entry: _cache_place(text, folder) if isinstance(text, str) else text
            for entry, text in plain.items()
        }
    _refuse_unlike(setting, plain, file)
    if setting.form == "path":
        return _path(str(plain), folder)
    if isinstance(plain, tuple):
        return tuple(
            _place(it, folder) if setting.form == "places" else _path(it, folder) for it in plain
        )
    if setting.form == "mirrors" and isinstance(plain, dict):
        return {
            start: tuple(_place(it, folder) for it in texts(places))
            for start, places in plain.items()
        }
    return plain


def _plain(value: object) -> Value:
    """What TOML knows and a setting can be; anything else, as a date, is None."""
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {
            name: tuple(each) if isinstance(each, list) else each for name, each in value.items()
        }
    return value if isinstance(value, (str, int, bool)) else None


def _cache_place(text: str, folder: str) -> str:
    """A cache's text, with a path from the file's folder on."""
    from rvbuild.core.cache_text import read_cache_text, split_mode  # noqa: PLC0415 - seldom

    try:
        is_off = read_cache_text(text) is None
    except ValueError:  # `Settings.caches` refuses it, if it counts
        return text
    mode, address = split_mode(text)
    return text if is_off else f"{mode} {_place(address, folder)}".lstrip(" ")


def _place(text: str, folder: str) -> str:
    """An address, or a path."""
    return text if ":" in text else _path(text, folder)


def _path(text: str, folder: str) -> str:
    return os.path.normpath(os.path.join(folder, os.path.expanduser(text)))


def _variable_value(setting: Setting, text: str) -> Value:
    """A variable's value."""
    value: Value = text
    if setting.form == "paths":
        value = tuple(path for path in text.split(os.pathsep) if path)
    elif setting.form == "places":
        value = tuple(text.split())
    elif setting.form == "caches":
        value = dict(_entry(part) for part in text.split(";") if part.strip())
        _refuse_spaces_between(value, setting.variable)
    elif setting.form == "flag":
        value = _TRUTHS.get(text.lower(), text)
    elif setting.form in {"count", "days"} and is_number(text):
        value = int(text)
    _refuse_unlike(setting, value, setting.variable)
    return value


def _entry(text: str) -> tuple[str, str]:
    """An entry of a table, as a variable and an option have it: ``NAME=TEXT``."""
    name, _, value = text.strip().partition("=")
    return name, value


def _refuse_spaces_between(entries: Mapping[str, str | Texts], where: str) -> None:
    """See that no entry of a variable has another one within, as in ``a=/x b=/y``.

    Raises:
        UsageError: one has: it is a folder with a space, or somebody wrote no semicolon.
    """
    for name, text in entries.items():
        for word in texts(text)[0].split(" ")[1:]:
            other, equals, _ = word.partition("=")
            if equals and is_key_name(other):
                _refuse(where, f"'caches.{name}' has {other}= within", "write ; between two caches")


def _refuse_unlike(setting: Setting, value: Value, where: str) -> None:
    """See that a value is of the setting's form.

    Raises:
        UsageError: it is not.
    """
    words, fits = FORMS[setting.form]
    if not fits(value):
        _refuse(where, f"{setting.name!r} must be {words}", setting.summary)
    if isinstance(value, dict):
        problem = ENTRY_PROBLEMS[setting.form]
        for name, entry in value.items():
            if words := problem(name, entry):
                _refuse(where, f"'{setting.name}.{public_entry(name)}' {words}", setting.summary)


def _refuse(where: str, what: str, hint: Hint) -> NoReturn:
    from rvbuild.core.errors import UsageError  # noqa: PLC0415 - only when it refuses

    raise UsageError(what, where=where, hint=hint)
