"""What the user's go command is configured to do about modules.

Knows: where the go command keeps its settings, and the syntax of GOPROXY
(https://go.dev/ref/mod#environment-variables). Must not know: how a proxy is asked.

No proxy's address is written here: it is the user's, or the go command's own default.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.login import ESCAPES, LOGIN_HINT, TWO_WAYS, SplitAddress, may_have_login
from rvbuild.kinds.go.module_patterns import covers
from rvbuild.transfers.addresses import is_http
from rvbuild.transfers.client_output import client_output

_HINT = "set GOPROXY to the address of one, or install Go (its default is used then)"
_TIMEOUT = 20
_SETTINGS = ("GOPROXY", "GOPRIVATE", "GONOPROXY")
OFF, DIRECT = "off", "direct"


@frozen
class Proxy:
    """One entry of GOPROXY: a URL, ``off`` or ``direct``.

    ``on_any_error``: the next one is asked after any error, not only where this one has not got it.
    """

    url: str
    on_any_error: bool


@frozen(kw_only=True)
class GoSettings:
    """``proxies`` in their order; ``private``, patterns of modules that they are not asked for."""

    proxies: tuple[Proxy, ...]
    private: str = ""

    def is_private(self, module: str) -> bool:
        """Whether GONOPROXY keeps ``module`` from the proxies."""
        return covers(self.private, module)

    def proxies_of(self, module: str) -> tuple[Proxy, ...]:
        """Who is asked for ``module``: a private one is made from its repository."""
        return (Proxy(DIRECT, on_any_error=False),) if self.is_private(module) else self.proxies


def go_settings(environment: Mapping[str, str]) -> GoSettings:
    """The settings of the environment, else of ``go env``'s file, else the defaults.

    The defaults are those of an installed go command.

    Args:
        environment: Where a variable is set.

    Raises:
        SourceError: no proxy is configured, or a file cannot be read.
    """
    settings = go_variables(environment, _SETTINGS)
    return GoSettings(
        proxies=parse_proxies(settings.get("GOPROXY", "")),
        private=settings.get("GONOPROXY", settings.get("GOPRIVATE", "")),
    )


def go_variables(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """What variables of the go command are set to: in the environment, else by ``go env -w``.

    If the first is set in neither, an installed go command says its defaults.

    Raises:
        SourceError: a file cannot be read, or the go command does not answer.
    """
    settings = {name: value for name in names if (value := environment.get(name, ""))}
    settings = _user_file(environment, names) | settings
    if names[0] not in settings:
        settings = _installed(environment, names) | settings
    return settings


def _user_file(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """What ``go env -w`` wrote."""
    path = environment.get("GOENV", "")
    if path == OFF:
        return {}
    if not path:
        home = environment.get("HOME", "")
        config = environment.get("XDG_CONFIG_HOME") or (home and f"{home}/.config")
        path = config and f"{config}/go/env"
    try:
        with open(path, encoding="utf-8") as file:
            return parse_env(file.read(), names)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        msg = "cannot read the go command's settings"
        hint = "correct the file, or name another one with GOENV (GOENV=off for none)"
        raise SourceError(msg, where=path, hint=hint) from exc


def parse_env(text: str, names: tuple[str, ...] = _SETTINGS) -> dict[str, str]:
    """The settings in a ``go env`` file: ``NAME=VALUE`` lines, and comments."""
    lines = (line.strip() for line in text.splitlines())
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name: value for name, _, value in pairs if name in names and value}


def _installed(environment: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """The settings as an installed go command gives them; none if there is no such command.

    Raises:
        SourceError: there is one, and it does not answer.
    """
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        return {}
    own = {"GOTOOLCHAIN": "local"}  # else it may download the toolchain that it is told to use
    output = client_output([go, "env", *names], {**environment, **own}, _TIMEOUT)
    if not output.success:
        msg = "no Go module proxy is configured, and the go command here does not name its default"
        raise SourceError(msg, where=go, hint=_HINT, details=output.complaint("go"))
    values = zip(names, output.stdout.splitlines(), strict=False)
    return {name: value for name, value in values if value}


def parse_proxies(text: str) -> tuple[Proxy, ...]:
    """The entries of GOPROXY; what follows ``off`` or ``direct`` is never reached.

    Raises:
        SourceError: there is none.
    """
    proxies = tuple(_entries(text))
    if not proxies:
        msg = "no Go module proxy is configured"
        raise SourceError(msg, where="GOPROXY", hint=_HINT)
    return proxies


def _entries(text: str) -> Iterator[Proxy]:
    for entry, separator in re.findall(r"([^,|]*)([,|]?)", text):
        url = entry.strip().rstrip("/")
        if not url:
            continue
        if url not in {OFF, DIRECT} and "://" not in url:
            url = f"https://{url}" if re.search(r"[.:/]", url) else ""
        if SplitAddress.of(url).is_ambiguous:
            msg = f"GOPROXY has {TWO_WAYS}"
            raise SourceError(msg, where="GOPROXY", hint=LOGIN_HINT)
        if url not in {OFF, DIRECT} and not url.startswith("file:///") and not is_http(url):
            msg = "GOPROXY has an entry that is no URL"  # not shown: it may have a password
            hint = "set GOPROXY to addresses such as https://proxy.example, off or direct"
            hint = f"{hint}; {ESCAPES}" if may_have_login(url) else hint
            raise SourceError(msg, where="GOPROXY", hint=hint)
        yield Proxy(url, on_any_error=separator == "|")
        if url in {OFF, DIRECT}:
            return
