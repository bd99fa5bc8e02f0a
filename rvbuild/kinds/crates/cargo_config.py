"""Which registry the user's cargo takes crates from.

Knows: the parts of cargo's configuration that say it, and how to learn cargo's own default.
Must not know: what a registry answers. No registry is named here: without any configuration it
is the default of the cargo that is installed.

Sources: "Configuration" and "Source Replacement" of cargo's reference
(https://doc.rust-lang.org/cargo/reference/). ``[source]`` has no environment variables there.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief
from rvbuild.kinds.crates.cargo_home import read_home
from rvbuild.transfers.addresses import http_address
from rvbuild.transfers.client_output import ClientOutput, client_output

CRATES_IO = "crates-io"
"""The name of the default registry in cargo's configuration."""

_HINT = (
    "let [source.crates-io] in $CARGO_HOME/config.toml have replace-with = NAME, and "
    '[source.NAME] registry = "sparse+https://…/" (or local-registry = FOLDER)'
)
_LOCATIONS = ("registry", "local-registry", "directory", "git")
_SPARSE = "sparse+"


@frozen(kw_only=True)
class Registry:
    """Where crates come from: a sparse index, or the folder of a local registry.

    Attributes:
        index: The address of the index, with a ``/`` at its end; empty for a folder.
        folder: A local registry: ``NAME-VERSION.crate`` files, and ``index/``.
        named_by: Who says so, for messages.
    """

    named_by: str
    index: str = ""
    folder: Path | None = None


def find_registry(
    environment: Mapping[str, str], default: Callable[[Mapping[str, str]], str] | None = None
) -> Registry:
    """The registry that stands for the default one.

    Args:
        environment: The user's.
        default: Finds the address of the default index; by default `clients_default`.

    Raises:
        SourceError: nothing names one; a configuration file is not valid; or it is a source
            whose crates cannot be checked (a directory), or of another kind (git).
    """
    tables, file = read_home(environment)
    config = _Config(tables=tables, file=file, environment=environment)
    name, names = CRATES_IO, [CRATES_IO]
    while replacement := config.text("source", name, "replace-with"):
        name = replacement
        if name in names:
            msg = f"sources replace each other in a circle: {' → '.join([*names, name])}"
            raise config.error(msg)
        names.append(name)
    registry = config.registry(name)
    if registry is None:
        index = (default or clients_default)(environment)
        return Registry(index=_slashed(index), named_by="cargo's own default")
    return registry


@frozen(kw_only=True)
class _Config:
    """What is configured; ``file`` is empty if there is no file."""

    tables: Mapping[str, Any]
    file: str
    environment: Mapping[str, str]

    def error(self, message: str) -> SourceError:
        return SourceError(message, where=self.file or None, hint=_HINT)

    def table(self, kind: str, name: str) -> Mapping[str, Any]:
        """``[source.NAME]`` or ``[registries.NAME]``; empty if it is not there."""
        tables = self.tables.get(kind, {})
        table = tables.get(name, {}) if isinstance(tables, dict) else None
        if not isinstance(table, dict):
            msg = f"[{kind}.{brief(name, 80)}] must be a table"
            raise self.error(msg)
        return table

    def text(self, kind: str, name: str, key: str) -> str:
        """A value of a table, or nothing."""
        value = self.table(kind, name).get(key, "")
        if not isinstance(value, str):
            msg = f"{kind}.{brief(name, 80)}.{key} must be text"
            raise self.error(msg)
        return value

    def registry(self, name: str) -> Registry | None:
        """What a source is that nothing replaces; None is cargo's own default."""
        locations = [key for key in _LOCATIONS if self.text("source", name, key)]
        if len(locations) > 1:
            msg = f"[source.{brief(name, 80)}] has more than one location: {', '.join(locations)}"
            raise self.error(msg)
        if locations:
            return self._located(name, locations[0], self.text("source", name, locations[0]))
        if name == CRATES_IO:
            return None
        index = self._index(name)
        if not index:
            msg = f"no source or registry is called {brief(name, 80)!r}, and one is replaced by it"
            raise self.error(msg)
        return self._located(name, "registry", index)

    def _index(self, name: str) -> str:
        """The index of ``[registries.NAME]``; its environment variable is stronger."""
        variable = f"CARGO_REGISTRIES_{re.sub('[-.]', '_', name).upper()}_INDEX"
        return self.environment.get(variable, "") or self.text("registries", name, "index")

    def _located(self, name: str, location: str, value: str) -> Registry:
        shown_name = brief(name, 80)
        if location == "local-registry":
            return Registry(folder=Path(value), named_by=self.file)
        if location == "directory":
            msg = f"{shown_name!r} is a directory source: it has no .crate files to check"
            raise self.error(msg)
        if location == "git" or not value.startswith(_SPARSE):
            msg = f"{shown_name!r} has its index in git: only sparse ones are read"
            raise self.error(msg)
        where = self.file or "CARGO_REGISTRIES_…_INDEX"
        purpose = f"the index of {shown_name!r}"
        index = http_address(value.removeprefix(_SPARSE), of=purpose, where=where, hint=_HINT)
        return Registry(index=_slashed(index), named_by=where)


def _slashed(url: str) -> str:
    return url.rstrip("/") + "/"


_NOWHERE = "http://127.0.0.1:1"
_ADDRESS = re.compile(r"`(https://[^`\s]+/)config\.json`")


def clients_default(environment: Mapping[str, str]) -> str:
    """The default index of an installed cargo.

    cargo has no command that says it. So it is asked to search, without any configuration and
    through a proxy that is a closed port of this machine: nothing is asked of the network, and
    its message says which address it could not reach.

    Raises:
        SourceError: cargo is not installed, or does not say it.
    """
    cargo = shutil.which("cargo", path=environment.get("PATH"))
    if cargo is None:
        msg = "no registry of crates is configured, and no cargo is here to name its default"
        raise SourceError(msg, hint=_HINT)
    output = _search(cargo, environment)
    address = _ADDRESS.search(output.stderr)
    if address is None:
        msg = "no registry of crates is configured, and the cargo here does not name its default"
        raise SourceError(msg, where=cargo, hint=_HINT, details=output.complaint("cargo"))
    return address[1]


def _search(cargo: str, environment: Mapping[str, str]) -> ClientOutput:
    with tempfile.TemporaryDirectory() as home:
        own = {
            "CARGO_HOME": home,
            "CARGO_HTTP_PROXY": _NOWHERE,
            "CARGO_NET_RETRY": "0",
            "CARGO_REGISTRIES_CRATES_IO_PROTOCOL": "sparse",
        }
        others = {
            name: value
            for name, value in environment.items()
            if not name.startswith("CARGO_") and not name.lower().endswith("_proxy")
        }
        search = [cargo, "search", "--limit=1", "a"]
        return client_output(search, {**others, **own})
