"""What the user's uv is told of package indexes: its variables and its files.

Knows: where uv's settings stand, and which of two is stronger.
Must not know: what an index is, other clients.

Sources: uv's "Settings" and "Environment variables"; uv 0.13.9 itself. The rules:

1. A variable is stronger than every file, the user's file than the machine's. The file that
   `UV_CONFIG_FILE` names takes the place of both.
2. Indexes and places of `find-links` are joined, the stronger ones first. Of other settings the
   stronger one counts.
3. `UV_INDEX` comes before `UV_EXTRA_INDEX_URL`, `[[index]]` before `extra-index-url`.
4. The default index is `UV_DEFAULT_INDEX`, else `UV_INDEX_URL`; in a file the `[[index]]` with
   `default`, else `index-url`. What the table `[pip]` has is stronger than the same outside of it.
5. An index with `explicit` is for packages that a project assigns to it: it is not here.

For example, with `UV_INDEX=https://a` and an `[[index]]` of `https://b`, the indexes are `https://a`,
`https://b`, and then uv's default.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rvbuild.kinds.pypi.client_option import ClientOption, ClientOptions, config_folder, unreadable
from rvbuild.transfers.addresses import local_path

_LISTS = frozenset(("extra-index-url", "find-links"))
_TRUTHS = {"y", "yes", "t", "true", "on", "1"}


def joined(strong: ClientOptions, weak: ClientOptions) -> ClientOptions:
    """Both; see rule 2."""
    options = {**weak, **strong}
    for name in _LISTS & strong.keys() & weak.keys():
        texts = dict.fromkeys((*strong[name].texts, *weak[name].texts))
        options[name] = ClientOption(tuple(texts), strong[name].place)
    return options


def uv_variables(environment: Mapping[str, str]) -> ClientOptions:
    """What the environment says."""
    options: dict[str, ClientOption] = {}
    get = environment.get
    for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX"):
        if get(name):
            options["index-url"] = ClientOption((_after_name(get(name, "")),), name)
    extras = [_after_name(text) for text in get("UV_INDEX", "").split()]
    extras += get("UV_EXTRA_INDEX_URL", "").split()
    if extras:
        name = "UV_INDEX" if get("UV_INDEX") else "UV_EXTRA_INDEX_URL"
        options["extra-index-url"] = ClientOption(tuple(extras), name)
    if get("UV_INDEX_STRATEGY"):
        options["index-strategy"] = ClientOption(
            (get("UV_INDEX_STRATEGY", ""),), "UV_INDEX_STRATEGY"
        )
    links = tuple(text.strip() for text in get("UV_FIND_LINKS", "").split(",") if text.strip())
    if links:
        options["find-links"] = ClientOption(links, "UV_FIND_LINKS")
    if get("UV_NO_INDEX"):
        is_true = get("UV_NO_INDEX", "").strip().lower() in _TRUTHS
        options["no-index"] = ClientOption(("true",) if is_true else (), "UV_NO_INDEX")
    return options


def _after_name(text: str) -> str:
    """The URL of uv's ``name=URL``."""
    name, equals, url = text.partition("=")
    return url if equals and re.fullmatch(r"[\w.-]+", name) else text


def uv_files(environment: Mapping[str, str]) -> ClientOptions:
    """What the files say; see the module.

    Raises:
        SourceError: one cannot be read.
    """
    file = environment.get("UV_CONFIG_FILE")
    user = config_folder(environment) / "uv" / "uv.toml"
    options: ClientOptions = {}
    for path in [Path(file)] if file else [user, Path("/etc/uv/uv.toml")]:
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise unreadable(path, error) from error
        options = joined(options, _of_tables(path, tables))
    return options


def _of_tables(path: Path, tables: dict[str, Any]) -> ClientOptions:
    pip = tables.get("pip")
    both = [pip, tables] if isinstance(pip, dict) else [tables]
    rows = [row for row in _list(tables, "index") if isinstance(row, dict) and "url" in row]
    flat = [str(row["url"]) for row in rows if row.get("format") == "flat"]
    simple = [row for row in rows if row.get("format") != "flat" and not row.get("explicit")]
    base = [str(row["url"]) for row in simple if row.get("default")]
    base += [str(table["index-url"]) for table in both if "index-url" in table]
    extras = [str(row["url"]) for row in simple if not row.get("default")]
    extras += [str(url) for table in both for url in _list(table, "extra-index-url")]
    links = flat + [str(link) for table in both for link in _list(table, "find-links")]
    texts = {
        "index-url": base[:1],
        "extra-index-url": extras,
        "find-links": [_rooted(link, path.parent) for link in links],
        "index-strategy": [str(t["index-strategy"]) for t in both if "index-strategy" in t][:1],
    }
    options = {name: ClientOption(tuple(t), f"{path} ({name})") for name, t in texts.items() if t}
    for table in reversed(both):
        if "no-index" in table:
            is_true = table["no-index"] is True
            options["no-index"] = ClientOption(("true",) if is_true else (), f"{path} (no-index)")
    return options


def _list(table: dict[str, Any], name: str) -> list[Any]:
    value = table.get(name)
    return value if isinstance(value, list) else []


def _rooted(link: str, folder: Path) -> str:
    """A relative path is meant from the file's folder."""
    is_path = local_path(link) is not None and not link.startswith(("file:", "~"))
    return str(folder / link) if is_path else link
