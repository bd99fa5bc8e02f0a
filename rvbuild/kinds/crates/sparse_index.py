"""A sparse index of crates: its configuration, and the checksums that it has.

Knows: https://doc.rust-lang.org/cargo/reference/registry-index.html. Must not know: where an
index is, how bytes travel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.moment import read_moment
from rvbuild.core.printable import brief
from rvbuild.kinds.crates.source import Crate, VendoredCrate
from rvbuild.transfers.addresses import is_http
from rvbuild.transfers.urls import shown

CONFIG = "config.json"
_MARKER = re.compile(r"\{(crate|version|prefix|lowerprefix|sha256-checksum)\}")


@frozen(kw_only=True)
class IndexConfig:
    """What ``config.json`` says.

    Attributes:
        downloads: ``dl``: the address of crates, with markers or without.
        needs_token: ``auth-required``: all requests must have a token.
    """

    downloads: str
    needs_token: bool = False

    def address(self, crate: Crate | VendoredCrate) -> str:
        """Where a crate's file is."""
        values = {
            "crate": crate.name,
            "version": crate.version,
            "prefix": prefix(crate.name),
            "lowerprefix": prefix(crate.name.lower()),
            "sha256-checksum": crate.sha256,
        }
        if not _MARKER.search(self.downloads):
            return f"{self.downloads}/{crate.name}/{crate.version}/download"
        return _MARKER.sub(lambda marker: values[marker[1]], self.downloads)


def parse_config(data: bytes, page: str) -> IndexConfig:
    """The configuration of the index whose ``config.json`` is at ``page``.

    Raises:
        SourceError: it is none.
    """
    config = _object(data, page)
    downloads, needs_token = config.get("dl"), config.get("auth-required", False)
    if not isinstance(downloads, str) or not is_http(downloads):
        msg = "the index says no address of its crates ('dl')"
        raise SourceError(msg, where=shown(page))
    return IndexConfig(downloads=downloads, needs_token=needs_token is True)


def index_path(name: str) -> str:
    """Where an index has the versions of a crate, below its address: ``se/rd/serde``."""
    return f"{prefix(name.lower())}/{name.lower()}"


def prefix(name: str) -> str:
    """The folders of a name: ``1``, ``2``, ``3/s``, ``se/rd``."""
    if len(name) < 3:
        return str(len(name))
    return f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"


def checksum(data: bytes, name: str, version: str, page: str) -> str:
    """The checksum that the index has for a version of a crate: one line of JSON for each.

    A page is found by a name in lower case, and a crate has one spelling: a line of another name
    is not the crate's.

    Raises:
        SourceError: it does not have the version, or is no index.
    """
    names = set()
    for row in _rows(data, page):
        if (row.get("name"), row.get("vers")) == (name, version):
            return str(row.get("cksum", ""))
        names.add(brief(str(row.get("name")), 80))
    if names and name not in names:
        msg = f"the index has the crate {min(names)} here, not {name}"
        raise SourceError(msg, where=shown(page), hint=f"if it is the one, call it {min(names)}")
    msg = f"the index does not have the version {version}"
    raise SourceError(msg, where=shown(page))


def published(data: bytes, name: str, page: str) -> dict[str, int | None]:
    """The versions of a crate that were not yanked, each with its time in Unix seconds, if told.

    Raises:
        SourceError: it is no index.
    """
    rows = (row for row in _rows(data, page) if row.get("name") == name)
    return {str(row.get("vers")): _moment(row) for row in rows if row.get("yanked") is not True}


def _moment(row: dict[str, Any]) -> int | None:
    """``pubtime``: a time in UTC such as ``2025-11-12T19:30:12Z``, which older lines lack."""
    return read_moment(str(row.get("pubtime", "")))


def _rows(data: bytes, page: str) -> Iterator[dict[str, Any]]:
    for line in filter(bytes.strip, data.splitlines()):
        yield _object(line, page)


def _object(data: bytes, page: str) -> dict[str, Any]:
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        msg = "the registry gave an answer that is no index of crates"
        raise SourceError(msg, where=shown(page)) from error
    if not isinstance(value, dict):
        msg = "the registry gave an answer that is no index of crates"
        raise SourceError(msg, where=shown(page))
    return value
