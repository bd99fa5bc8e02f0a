"""Which Python package indexes the user's clients ask.

Knows: the configuration of pip and uv, and how to learn their own default.
Must not know: what an index answers. No index is named here: without any configuration it is
the default of the client that is installed.

Sources: pip's "Configuration" topic guide, uv's "Settings" and "Environment variables".
"""

from __future__ import annotations

import configparser
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.transfers.addresses import http_address
from rvbuild.transfers.client_output import client_output

_HINT = "set PIP_INDEX_URL, or index-url in pip.conf, to the address of your package index"


@frozen
class Indexes:
    """Addresses of simple indexes, in the order to ask; ``named_by`` says who named them."""

    urls: tuple[str, ...]
    named_by: str
    folders: tuple[Path, ...] = ()


def find_indexes(
    environment: Mapping[str, str], default: Callable[[Mapping[str, str]], str] | None = None
) -> Indexes:
    """The user's indexes: pip's environment, uv's, pip's files, uv's files, a client's default.

    The first of them that names a base index is taken, with the extra indexes beside it.
    Extra indexes without a base stand after the default one, as in pip.

    Args:
        environment: The user's.
        default: Finds the default; by default `clients_default`.

    Raises:
        SourceError: nothing names one; or a configuration file is not valid.
    """
    extras: list[str] = []
    folders = tuple(Path(f) for f in environment.get("PIP_FIND_LINKS", "").split() if f[:1] == "/")
    for place, base, extra, no_index in _places(environment):
        if no_index:
            return Indexes((), place, folders)
        if base:
            return Indexes(_clean([base, *extra, *extras], place), place, folders)
        extras += extra
    url, place = (default or clients_default)(environment), "the client's own default"
    return Indexes(_clean([url, *extras], place), place, folders)


def _clean(urls: Sequence[str], named_by: str) -> tuple[str, ...]:
    addresses = [http_address(u, of="a package index", where=named_by, hint=_HINT) for u in urls]
    return tuple(dict.fromkeys(url.rstrip("/") for url in addresses))


_Place = tuple[str, str, list[str], bool]
"""The variable or file; its base index or ``""``; its extra indexes; whether it forbids indexes."""


def _places(environment: Mapping[str, str]) -> Iterator[_Place]:
    get = environment.get
    extra = get("PIP_EXTRA_INDEX_URL", "").split()
    yield "PIP_INDEX_URL", get("PIP_INDEX_URL", ""), extra, _true(get("PIP_NO_INDEX", ""))
    uv_indexes = [_after_name(text) for text in get("UV_INDEX", "").split()]
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL"):
        if get(name):
            yield name, _after_name(get(name, "")), uv_indexes, False
    yield "UV_INDEX", "", uv_indexes + get("UV_EXTRA_INDEX_URL", "").split(), False
    yield from _pip_files(environment)
    yield from _uv_files(environment)


def _true(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes", "on", "y", "t"}


def _after_name(text: str) -> str:
    """The URL of uv's ``name=URL``."""
    name, equals, url = text.partition("=")
    return url if equals and re.fullmatch(r"[\w.-]+", name) else text


def pip_files(environment: Mapping[str, str]) -> list[Path]:
    """Where pip looks for its configuration, the most important file first."""
    file = environment.get("PIP_CONFIG_FILE")
    if file == os.devnull:
        return []
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    folders = (environment.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
    return [
        *([Path(file)] if file else []),
        Path(environment.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf",
        config / "pip" / "pip.conf",
        home / ".pip" / "pip.conf",
        Path("/etc/pip.conf"),
        *(Path(folder) / "pip" / "pip.conf" for folder in reversed(folders) if folder),
    ]


def _pip_files(environment: Mapping[str, str]) -> Iterator[_Place]:
    for place, value in _pip_values(environment):
        extra = value("extra-index-url").split()
        yield place, value("index-url"), extra, _true(value("no-index"))


def _pip_values(environment: Mapping[str, str]) -> Iterator[tuple[str, Callable[[str], str]]]:
    """Each of pip's files that is there, with what gives its options; an empty text for none."""
    for path in pip_files(environment):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise _unreadable(path, error) from error
        yield str(path), partial(_value, parser)


def _value(config: configparser.RawConfigParser, name: str) -> str:
    sections = ("install", "global")
    return next((config[s][name] for s in sections if config.has_option(s, name)), "").strip()


def pip_setting(environment: Mapping[str, str], name: str) -> tuple[str, str]:
    """Who sets an option of pip's, and to what; empty if nobody does.

    Raises:
        SourceError: a configuration file is not valid.
    """
    variable = f"PIP_{name.upper().replace('-', '_')}"
    if environment.get(variable):
        return variable, environment[variable].strip()
    values = ((place, value(name)) for place, value in _pip_values(environment))
    return next((each for each in values if each[1]), ("", ""))


def _uv_files(environment: Mapping[str, str]) -> Iterator[_Place]:
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    file = environment.get("UV_CONFIG_FILE")
    files = [Path(file)] if file else [config / "uv" / "uv.toml", Path("/etc/uv/uv.toml")]
    for path in files:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise _unreadable(path, error) from error
        yield from _uv_tables(str(path), tables)


def _uv_tables(path: str, tables: dict[str, Any]) -> Iterator[_Place]:
    rows = [row for row in tables.get("index", []) if isinstance(row, dict) and "url" in row]
    extra = [str(row["url"]) for row in rows if not row.get("default")]
    base = [str(row["url"]) for row in rows if row.get("default")]
    pip = tables.get("pip", {})
    base += [str(t["index-url"]) for t in (tables, pip) if isinstance(t.get("index-url"), str)]
    for table in (tables, pip):
        extra += [str(url) for url in table.get("extra-index-url", [])]
    yield path, base[0] if base else "", extra, bool(tables.get("no-index"))


def _unreadable(path: Path, error: Exception) -> SourceError:
    """What is wrong, and in which line: a parser's own message may quote a password."""
    if isinstance(error, OSError):
        cause = error.strerror or type(error).__name__
    else:
        line = re.search(r"line:? +(\d+)", str(error))
        cause = f"not valid in line {line[1]}" if line else "not valid"
    return SourceError(f"not a readable configuration file: {cause}", where=str(path), hint=_HINT)


_ASK_PIP = """
import glob, os, sys
try:
    import pip
except ImportError:
    import ensurepip
    bundled = os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    sys.path += glob.glob(os.path.join(bundled, "pip-*.whl"))
from pip._internal.models.index import PyPI
print(PyPI.simple_url)
"""
_ADDRESS = re.compile(r"default\W[^<(]*[<(]?(?:default )?(https?://[^\s<>()\"']+)", re.IGNORECASE)


def clients_default(environment: Mapping[str, str]) -> str:
    """The default index of an installed client: pip (also the one bundled in Python), or uv.

    pip has no other way to say it than its own module; should that move, its help text has it.

    Raises:
        SourceError: no client is installed.
    """
    path = environment.get("PATH")
    pythons = [sys.executable, *filter(None, (shutil.which(p, path=path) for p in ("python3",)))]
    commands = [[python, "-I", "-c", _ASK_PIP] for python in dict.fromkeys(pythons)]
    commands += [[python, "-I", "-m", "pip", "help", "install"] for python in pythons]
    uv = shutil.which("uv", path=path)
    commands += [[uv, "pip", "install", "--help"]] if uv else []
    for command in commands:
        answer = _answer(command, environment)
        address = re.fullmatch(r"https?://\S+", answer) or _ADDRESS.search(answer)
        if address:
            return address[address.lastindex or 0]
    msg = "no package index is configured, and neither pip nor uv is here to name its default"
    raise SourceError(msg, hint=_HINT)


def _answer(command: list[str], environment: Mapping[str, str]) -> str:
    own = {"PIP_CONFIG_FILE": os.devnull, "NO_COLOR": "1"}
    output = client_output(command, {**environment, **own})
    return output.stdout.strip() if output.success else ""
