"""One setting of a client of Python package indexes, whichever client that is.

Knows: the form in which pip's and uv's settings meet. Must not know: where each has its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen

from rvbuild.core.errors import SourceError

HINT = "set PIP_INDEX_URL, or index-url in pip.conf, to the address of your package index"


@frozen
class ClientOption:
    """What somebody set, and in which setting: ``PIP_NO_INDEX``, ``FILE ([install] no-index)``.

    Of a flag, ``texts`` is empty where it is false.
    """

    texts: tuple[str, ...]
    place: str


ClientOptions = Mapping[str, ClientOption]
"""By pip's names: ``index-url`` (one text), ``extra-index-url``, ``no-index``, ``find-links``,
``proxy`` and ``cert`` (one text each); by uv's ``index-strategy`` (one text)."""


def home(environment: Mapping[str, str]) -> Path:
    """The user's folder."""
    return Path(environment.get("HOME") or os.path.expanduser("~"))


def config_folder(environment: Mapping[str, str]) -> Path:
    """The folder of the user's configuration."""
    return Path(environment.get("XDG_CONFIG_HOME") or home(environment) / ".config")


def unreadable(path: Path, error: Exception) -> SourceError:
    """What is wrong, and in which line: a parser's own message may quote a password."""
    if isinstance(error, OSError):
        cause = error.strerror or type(error).__name__
    else:
        line = re.search(r"line:? +(\d+)", str(error))
        cause = f"not valid in line {line[1]}" if line else "not valid"
    return SourceError(f"not a readable configuration file: {cause}", where=str(path), hint=HINT)
