"""How the user's apt reaches its archives.

Knows: what apt's settings say of proxies and authorities (apt.conf(5), apt-transport-http(1),
apt-transport-https(1)).
Must not know: which archives there are, where apt's settings are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache

from attrs import evolve

from rvbuild.core.errors import SourceError
from rvbuild.transfers.addresses import Route
from rvbuild.transfers.client_output import client_output
from rvbuild.transfers.proxies import Proxies

_PROXY = re.compile(r"acquire::(?P<scheme>https?)::proxy(?:::(?P<host>\S+))?")
_DETECT = re.compile(r"acquire::(?P<scheme>https?)::proxy-?auto-?detect")
_AUTHORITIES = re.compile(
    r"acquire::https::(?:(?P<before>[^:\s]+)::)?cainfo(?:::(?P<after>[^:\s]+))?"
)
_DETECT_TIMEOUT = 20
_AUTHORITIES_NAMED_BY = "Acquire::https::CAInfo of apt's configuration"
NAMED_BY = "Acquire::http::Proxy of apt's configuration"


def apt_route(settings: Mapping[str, str], environment: Mapping[str, str]) -> Route:
    """The proxies and authorities of apt; what it does not say is the environment's.

    As in apt, ``DIRECT`` is no proxy, https has the proxy of http if it has none of its own, and
    ``no_proxy`` of the environment holds for both. The command of ``Proxy-Auto-Detect`` is asked
    for each server once, when something is to be had from it.

    Args:
        settings: Apt's, by name in lower case (`apt_config.apt_settings`).
        environment: The user's.
    """
    proxies = Proxies.of_environment(environment)
    schemes: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for match, value in _matching(_PROXY, settings):
        proxy = "" if value.upper() == "DIRECT" else value
        if match["host"]:
            hosts[match["host"]] = proxy
        else:
            schemes[match["scheme"]] = proxy
    detectors = {
        match["scheme"]: _detector(command, environment)
        for match, command in _matching(_DETECT, settings)
    }
    files = {
        match["before"] or match["after"] or "": file
        for match, file in _matching(_AUTHORITIES, settings)
    }
    if schemes or hosts or detectors:
        if "http" in schemes:
            schemes.setdefault("https", schemes["http"])
        proxies = evolve(
            proxies,
            schemes={**proxies.schemes, **schemes},
            names={**proxies.names, **dict.fromkeys(schemes, NAMED_BY)},
            hosts=hosts,
            detectors=detectors,
            named_by=NAMED_BY,
        )
    return Route(
        proxies=proxies,
        authorities=files.pop("", ""),
        authorities_by_host=files,
        authorities_named_by=_AUTHORITIES_NAMED_BY,
    )


def _matching(
    pattern: re.Pattern[str], settings: Mapping[str, str]
) -> list[tuple[re.Match[str], str]]:
    """The settings with such a name and a value."""
    matches = ((pattern.fullmatch(name), value) for name, value in settings.items())
    return [(match, value) for match, value in matches if match and value]


def _detector(command: str, environment: Mapping[str, str]) -> Callable[[str], str | None]:
    """What asks the command of ``Proxy-Auto-Detect``: one line, DIRECT for none."""
    ask = cache(lambda url: client_output([command, url], environment, _DETECT_TIMEOUT))

    def detect(url: str) -> str | None:
        output = ask(url)
        if not output.success:
            msg = "the command that apt's configuration names to find a proxy fails"
            hint = "correct Acquire::http::Proxy-Auto-Detect of apt's configuration"
            raise SourceError(msg, where=command, hint=hint, details=output.complaint(command))
        answer = output.stdout.strip().partition("\n")[0].strip()
        return "" if answer == "DIRECT" else answer or None

    return detect
