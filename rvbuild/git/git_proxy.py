"""Which proxy git goes by, and what of git's words a person may see.

Knows: git's settings of proxies, and the variables that git reads. Must not know: repositories,
what is fetched.

Sources: git's http.c (get_curl_handle, http_init) and remote-curl.c; git-config(1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from attrs import field, frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.login import LOGIN_HINT, MALFORMED, TWO_WAYS, SplitAddress
from rvbuild.core.printable import printable_line
from rvbuild.transfers.addresses import is_http
from rvbuild.transfers.proxies import Proxies, bypass_of
from rvbuild.transfers.proxy_addresses import check_proxy, proxy_name, without_secrets
from rvbuild.transfers.urls import origin, shown

Config = Callable[..., str | None]
"""What `git config` with these arguments writes; None if it knows nothing."""

_BY_SCHEME = {
    "http": ("http_proxy", "all_proxy", "ALL_PROXY"),
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
"""The first that is set counts, also if it is empty. ``HTTP_PROXY`` is not read."""
_VARIABLES = sorted({name for names in _BY_SCHEME.values() for name in names})
_KEYS = r"^(http|remote)\..*proxy$"


@frozen
class GitProxy:
    """The proxy between git and one address.

    Attributes:
        address: Its URL; empty for none.
        named_by: The variable, or the key of git's configuration, that has it.
        known: All that git, or curl in it, may read for a proxy's address.
        variables: With them, git goes by this proxy, also where curl reads ``no_proxy`` otherwise.
    """

    address: str = field(repr=False)
    named_by: str
    known: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] = field(factory=dict, repr=False)

    @property
    def name(self) -> str:
        """For messages, and for `Servers`; empty for none."""
        return proxy_name(self.address)

    def check(self) -> None:
        """See that it can be used.

        Raises:
            SourceError: it cannot.
        """
        if self.address:
            check_proxy(self.address, self.named_by)

    def plain(self, text: str) -> str:
        """What git says, without any login, query or fragment of an address."""
        return without_secrets(text, self.known)


def git_proxy(
    url: str, effective_url: str, config: Config, environment: Mapping[str, str]
) -> GitProxy:
    """The proxy that git goes by.

    Rules, the first that fits holds. What is set and empty is no proxy.

    1. ``remote.URL.proxy`` of git's configuration.
    2. The ``http.proxy`` or ``http.<url>.proxy`` that fits the effective URL best.
    3. The first variable of its scheme that is set.

    ``no_proxy`` is stronger than all of them, and is read as `Proxies` reads it. Curl knows no
    ports in it, so git gets one that has the URL's host, if that is covered.

    Example: with ``http.proxy=`` and ``https_proxy=http://p:3128``, git goes by no proxy.

    Args:
        url: As git is given it.
        effective_url: The same after ``insteadOf``.
        config: The user's configuration.
        environment: The user's.

    Raises:
        SourceError: nobody can take the effective URL apart, or it begins as one of HTTP, and is
            none; or it can be read in two ways: git may ask a part of its login, and prints it.
    """
    _check_effective(url, effective_url)
    keys = dict(_keys(config))
    known = (*keys.values(), *(environment.get(name, "") for name in _VARIABLES))
    scheme = effective_url.partition("://")[0].lower()
    if scheme not in _BY_SCHEME:
        return GitProxy("", "", known)
    variables = _proxy_variables(environment)
    address, named_by = _of_config(url, effective_url, config, keys) or next(
        ((variables[name], name) for name in _BY_SCHEME[scheme] if name in variables), ("", "")
    )
    proxies = Proxies(schemes={scheme: address}, bypass=bypass_of(environment), named_by=named_by)
    variables |= _no_proxy(proxies, effective_url)
    return GitProxy(*proxies.choice(effective_url), known, variables)


def _check_effective(url: str, effective_url: str) -> None:
    """See that ``insteadOf`` leads to what can be read, and in one way only."""
    split = SplitAddress.of(effective_url)
    if split.is_ambiguous:
        msg = f"insteadOf of git leads to {TWO_WAYS}"
        raise SourceError(msg, hint=LOGIN_HINT)
    is_of_http = split.scheme.lower().removesuffix("://") in _BY_SCHEME
    is_usable = is_http(effective_url) if is_of_http else not split.is_malformed
    if effective_url != url and not is_usable:
        msg = f"insteadOf of git leads to {MALFORMED}: {shown(effective_url)}"
        hint = "correct url.<base>.insteadOf of git's configuration: <base> begins the address"
        raise SourceError(msg, hint=hint)


def _proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables with a proxy's address, without space around it, which curl would not take."""
    return {name: environment[name].strip() for name in _VARIABLES if name in environment}


def _no_proxy(proxies: Proxies, url: str) -> dict[str, str]:
    """The variable by which curl decides about a URL as `Proxies` does.

    Curl takes ``*`` only alone, and neither ports nor ``*.example.org``.
    """
    own = [origin(url)[1]] if proxies.bypasses(url) else []
    entries = ["*"] if "*" in proxies.bypass else [*proxies.bypass, *own]
    return {"no_proxy": ",".join(entries)} if entries else {}


def _of_config(
    url: str, effective_url: str, config: Config, keys: Mapping[str, str]
) -> tuple[str, str] | None:
    """What git's configuration says, and the key; None if it says nothing.

    Git does not tell which of several keys ``http.<url>.proxy`` fitted, so the address stands for
    it.
    """
    remote = f"remote.{url}.proxy"
    if remote in keys:
        return keys[remote], _shown(remote)
    address = config("--get-urlmatch", "http.proxy", effective_url)
    if address is None:
        return None
    own = [key for key in keys if key.startswith("http.")]
    if len(own) == 1:
        return address, _shown(own[0])
    return address, f"http.proxy of git for {shown(effective_url)}"


def configured_proxies(config: Config) -> Iterator[tuple[str, str]]:
    """Each address of git's configuration, and the key that has it; not those that mean none."""
    return ((address, _shown(key)) for key, address in _keys(config) if address)


def _keys(config: Config) -> Iterator[tuple[str, str]]:
    """Every proxy of the configuration, by its key."""
    for entry in (config("--null", "--get-regexp", _KEYS) or "").split("\0"):
        key, newline, value = entry.partition("\n")
        if newline:
            yield key, value


def _shown(key: str) -> str:
    """A key, which has an address in its middle, or none."""
    section, _, rest = key.partition(".")
    address, dot, name = rest.rpartition(".")
    return printable_line(f"{section}.{SplitAddress.of(address).public}{dot}{name} of git")
