"""How the user's apt reaches its archives.

Knows: what ``apt-config dump`` says of proxies (apt.conf(5), apt-transport-http(1)).
Must not know: which archives there are.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping

from attrs import evolve

from rvbuild.transfers.addresses import Route
from rvbuild.transfers.client_output import client_output
from rvbuild.transfers.proxies import Proxies

_LINE = re.compile(
    r'Acquire::(?P<scheme>https?)::Proxy(?:::(?P<host>[^\s"]+))? "(?P<proxy>[^"]*)";', re.IGNORECASE
)
_TIMEOUT = 20


def apt_route(environment: Mapping[str, str]) -> Route:
    """The proxies of apt's configuration; what it does not say is the environment's.

    As in apt, ``DIRECT`` is no proxy, https has the proxy of http if it has none of its own, and
    ``no_proxy`` of the environment holds for both.
    """
    proxies = Proxies.of_environment(environment)
    schemes: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for line in _dump(environment).splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None or not match["proxy"]:
            continue
        proxy = "" if match["proxy"].upper() == "DIRECT" else match["proxy"]
        if match["host"]:
            hosts[match["host"].lower()] = proxy
        else:
            schemes[match["scheme"].lower()] = proxy
    if not schemes and not hosts:
        return Route(proxies=proxies)
    if "http" in schemes:
        schemes.setdefault("https", schemes["http"])
    merged = {**proxies.schemes, **schemes}
    named_by = "Acquire::http::Proxy of apt's configuration"
    return Route(proxies=evolve(proxies, schemes=merged, hosts=hosts, named_by=named_by))


def _dump(environment: Mapping[str, str]) -> str:
    """Apt's configuration, as apt reads it from its files; nothing without apt."""
    program = shutil.which("apt-config", path=environment.get("PATH"))
    return client_output([program, "dump"], environment, _TIMEOUT).stdout if program else ""
