"""How the user's apt reaches its archives.

Knows: what apt's settings say of proxies (apt.conf(5), apt-transport-http(1)).
Must not know: which archives there are, where apt's settings are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from attrs import evolve

from rvbuild.transfers.addresses import Route
from rvbuild.transfers.proxies import Proxies

_NAME = re.compile(r"acquire::(?P<scheme>https?)::proxy(?:::(?P<host>\S+))?")


def apt_route(settings: Mapping[str, str], environment: Mapping[str, str]) -> Route:
    """The proxies of apt's configuration; what it does not say is the environment's.

    As in apt, ``DIRECT`` is no proxy, https has the proxy of http if it has none of its own, and
    ``no_proxy`` of the environment holds for both.

    Args:
        settings: Apt's, by name in lower case (`apt_config.apt_settings`).
        environment: The user's.
    """
    proxies = Proxies.of_environment(environment)
    schemes: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for name, value in settings.items():
        match = _NAME.fullmatch(name)
        if match is None or not value:
            continue
        proxy = "" if value.upper() == "DIRECT" else value
        if match["host"]:
            hosts[match["host"]] = proxy
        else:
            schemes[match["scheme"]] = proxy
    if not schemes and not hosts:
        return Route(proxies=proxies)
    if "http" in schemes:
        schemes.setdefault("https", schemes["http"])
    merged = {**proxies.schemes, **schemes}
    named_by = "Acquire::http::Proxy of apt's configuration"
    return Route(proxies=evolve(proxies, schemes=merged, hosts=hosts, named_by=named_by))
