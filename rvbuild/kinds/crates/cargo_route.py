"""How the user's cargo reaches its registry.

Knows: cargo's options ``http.proxy`` and ``http.cainfo`` ("Configuration" of cargo's reference).
Must not know: which registry there is. The ``http.proxy`` of git, which cargo takes as well, is not
read.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve

from rvbuild.core.errors import SourceError
from rvbuild.kinds.crates.cargo_home import read_home
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.proxies import Proxies


def cargo_route(environment: Mapping[str, str]) -> Route:
    """Cargo's proxy and authorities; what its configuration does not say is the environment's.

    ``no_proxy`` holds for its proxy, too.

    Raises:
        SourceError: a configuration file is not valid.
    """
    tables, file = read_home(environment)
    proxies = Proxies.of_environment(environment)
    proxy, place = _option(tables, file, environment, "proxy")
    if proxy:
        proxies = evolve(proxies, schemes={"all": proxy}, names={}, named_by=place)
    authorities, place = _option(tables, file, environment, "cainfo")
    return Route(proxies=proxies, authorities=authorities, authorities_named_by=place)


def _option(
    tables: Mapping[str, object], file: str, environment: Mapping[str, str], name: str
) -> tuple[str, str]:
    """A value of ``[http]``, empty for none, and who says so; the variable is stronger."""
    variable = f"CARGO_HTTP_{name.upper()}"
    if text := environment.get(variable, ""):
        return text, variable
    table = tables.get("http", {})
    value = table.get(name, "") if isinstance(table, dict) else None
    if not isinstance(value, str):
        msg = f"http.{name} must be text"
        raise SourceError(msg, where=file, hint="correct [http] in that file")
    return value, f"{file} (http.{name})"
