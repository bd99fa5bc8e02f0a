"""What the user's pip is told of package indexes: its variables and its files.

Knows: where pip's settings stand, and which of two is stronger.
Must not know: what an index is, other clients.

Source: pip's "Configuration" topic guide. The rules, with `install` as the command:

1. A variable (`PIP_FIND_LINKS`) is stronger than every file.
2. `[install]` of any file is stronger than `[global]` of any file.
3. In one section the stronger file counts: `PIP_CONFIG_FILE`, the environment's (`pip.conf` in
   it), the user's, the machine's. Where `PIP_CONFIG_FILE` exists, the user's are not read.
4. What counts is not joined with the weaker ones. One that is empty counts as not there, and hides
   the weaker ones of its section.

For example, `[global] index-url` of the user's file loses to `[install] index-url` of the
machine's; `PIP_INDEX_URL` takes the place of both, and leaves `[global] find-links` as it is.
"""

from __future__ import annotations

import configparser
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief
from rvbuild.kinds.pypi.client_option import (
    ClientOption,
    ClientOptions,
    config_folder,
    home,
    unreadable,
)

_TRUTHS = {"y", "yes", "t", "true", "on", "1"}
_LIES = {"n", "no", "f", "false", "off", "0"}
_NAMES = ("index-url", "extra-index-url", "no-index", "find-links", "proxy", "cert")


def pip_options(environment: Mapping[str, str]) -> ClientOptions:
    """What pip is told: each setting by its strongest place.

    Raises:
        SourceError: a file cannot be read, or a value is none that its option can have.
    """
    return {**pip_files(environment), **pip_variables(environment)}


def pip_variables(environment: Mapping[str, str]) -> ClientOptions:
    """What the environment says.

    Raises:
        SourceError: a value is none that its option can have.
    """
    variables = {name: f"PIP_{name.upper().replace('-', '_')}" for name in _NAMES}
    return {
        name: _option(name, environment[variable], variable)
        for name, variable in variables.items()
        if environment.get(variable)
    }


def pip_files(environment: Mapping[str, str]) -> ClientOptions:
    """What the files say.

    Raises:
        SourceError: one cannot be read, or a value is none that its option can have.
    """
    entries: dict[tuple[str, str], tuple[str, str]] = {}
    for path in _paths(environment):
        for section, values in _sections(path).items():
            for key, text in values.items():
                name = key.lower().replace("_", "-").removeprefix("--")
                entries[section, name] = (text, f"{path} ([{section}] {name})")
    return {
        name: _option(name, *entries[section, name])
        for section in ("global", "install")
        for name in _NAMES
        if entries.get((section, name), ("", ""))[0]
    }


def _option(name: str, text: str, place: str) -> ClientOption:
    if name != "no-index":
        return ClientOption(tuple(text.split()), place)
    word = text.strip().lower()
    if word not in _TRUTHS | _LIES:
        msg = f"neither true nor false: {brief(text)!r}"
        raise SourceError(msg, where=place, hint="write yes, true, on, 1 or no, false, off, 0")
    return ClientOption(("true",) if word in _TRUTHS else (), place)


def _paths(environment: Mapping[str, str]) -> list[Path]:
    """The files, the weakest first."""
    file = environment.get("PIP_CONFIG_FILE")
    if file == os.devnull:
        return []
    machine = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    paths = [Path(folder) / "pip" / "pip.conf" for folder in machine if folder]
    paths.append(Path("/etc/pip.conf"))
    if not (file and os.path.exists(file)):
        paths.append(home(environment) / ".pip" / "pip.conf")
        paths.append(config_folder(environment) / "pip" / "pip.conf")
    paths.append(Path(environment.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf")
    return [*paths, Path(file)] if file else paths


def _sections(path: Path) -> Mapping[str, Mapping[str, str]]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        raise unreadable(path, error) from error
    return {section: dict(parser.items(section)) for section in parser.sections()}
