"""Which proxy is between this machine and a server.

Knows: the environment's variables, and the rules by which a host needs no proxy.
Must not know: connections, the configuration of package clients.

Sources: curl(1) and Go's net/http (``httpproxy``) for the variables; wget and Go for networks in
``no_proxy``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

from rvbuild.transfers.urls import origin

_PORT = re.compile(r"[0-9]{1,5}")
_SCHEMES = ("http", "https", "all")


@frozen(kw_only=True)
class Proxies:
    """The proxy of each URL.

    Rules, the first that fits holds:

    1. A host that ``hosts`` names has the proxy that stands there; none if that is empty. So has
       one for which the detector of the URL's scheme names a proxy.
    2. A host that an entry of ``bypass`` covers has none. An entry is ``*``, a name that covers
       itself and all below it (``example.org`` and ``.example.org`` are the same), an address, or a
       network (``10.0.0.0/8``); with ``:PORT`` it is for that port alone. A network covers hosts
       that are written as addresses: no name is looked up.
    3. Else it is that of the URL's scheme, none if that is empty; or the one of ``all``.

    Example: with ``http_proxy=http://p:3128`` and ``no_proxy=.corp,10.0.0.0/8``, http://a.org/ has
    that proxy; http://git.corp/ and http://10.1.2.3/ have none.

    Attributes:
        schemes: The proxy's URL by ``http``, ``https`` and ``all``.
        hosts: The same by host.
        detectors: By scheme: gives the proxy for a server's URL, empty for none, None if it does
            not know.
        bypass: Entries of rule 2.
        names: Who says so by scheme, where that is not ``named_by``.
        named_by: Who says so, for messages.
    """

    schemes: Mapping[str, str] = field(factory=dict)
    hosts: Mapping[str, str] = field(factory=dict)
    detectors: Mapping[str, Callable[[str], str | None]] = field(factory=dict, eq=False)
    bypass: tuple[str, ...] = ()
    names: Mapping[str, str] = field(factory=dict)
    named_by: str = "http_proxy, https_proxy or all_proxy"

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Proxies:
        """Those of ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``.

        Names in lower case are stronger. ``HTTP_PROXY`` counts for nothing where a server set
        it from a request's header (``REQUEST_METHOD`` is set there).
        """
        names = {
            scheme: name
            for scheme in _SCHEMES
            if (name := _variable(environment, f"{scheme}_proxy"))
        }
        schemes = {scheme: environment[name].strip() for scheme, name in names.items()}
        return cls(schemes=schemes, names=names, bypass=bypass_of(environment))

    def of(self, url: str) -> str:
        """The URL of the proxy, with a scheme; empty for none.

        Raises:
            SourceError: ``url`` is none that HTTP can be asked for, or a detector fails.
        """
        return self.choice(url)[0]

    def choice(self, url: str) -> tuple[str, str]:
        """The proxy of a URL, and who says so; see `of`."""
        scheme, host, _ = origin(url)
        if host in self.hosts:
            return _with_scheme(self.hosts[host]), self.named_by
        if (detect := self.detectors.get(scheme)) is not None:
            detected = detect(f"{scheme}://{urlsplit(url).netloc.rpartition('@')[2]}/")
            if detected is not None:
                return _with_scheme(detected), self.named_by
        if self.bypasses(url):
            return "", self.named_by
        key = scheme if scheme in self.schemes else "all"
        return _with_scheme(self.schemes.get(key, "")), self.names.get(key, self.named_by)

    def addresses(self) -> Iterator[tuple[str, str]]:
        """Each proxy that may be between, with a scheme, and who says so."""
        for scheme, proxy in self.schemes.items():
            yield _with_scheme(proxy), self.names.get(scheme, self.named_by)
        for proxy in self.hosts.values():
            yield _with_scheme(proxy), self.named_by

    def bypasses(self, url: str) -> bool:
        """Whether rule 2 covers a URL's host; see `of`."""
        _, host, port = origin(url)
        return any(_covers(entry, host, port) for entry in self.bypass)


def bypass_of(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The entries of ``no_proxy``; the name in lower case is stronger."""
    text = environment.get(_variable(environment, "no_proxy"), "")
    return tuple(text.replace(",", " ").split())


def _variable(environment: Mapping[str, str], name: str) -> str:
    """The variable that has a value under a name, in lower or in upper case; empty for none."""
    names = (
        [name] if name == "http_proxy" and "REQUEST_METHOD" in environment else [name, name.upper()]
    )
    return next((each for each in names if environment.get(each, "").strip()), "")


def _with_scheme(proxy: str) -> str:
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _covers(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        return _is_in(host, network)
    name, of_port = _split_port(entry)
    if of_port and of_port != port:
        return False
    network = _network(name)
    if network is not None:
        return _is_in(host, network)
    name = name.lower().removeprefix("*").strip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _split_port(entry: str) -> tuple[str, int]:
    """``host:80``, ``[::1]:80`` or ``host``, and the port or 0."""
    name, colon, port = entry.rpartition(":")
    if colon and _PORT.fullmatch(port) and ("]" in name or ":" not in name):
        return name.strip("[]"), int(port)
    return entry.strip("[]"), 0


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _is_in(host: str, network: _Network) -> bool:
    """Whether a host is written as an address of a network."""
    try:
        return ipaddress.ip_address(host) in network
    except ValueError:
        return False
