"""Git and proxies: whom it goes by is known, one that cannot be read is refused, no login shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest
from attrs import define
from misbehaviour import listening, says
from refused_commits import refused
from site_of_bytes import Asked, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError
from rvbuild.git.git_proxy import git_proxy
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.transport import Transport

CANNOT = "a proxy that cannot be used"


@define
class User:
    """Somebody with a configuration of git and variables."""

    home: Path

    def refused(
        self, url: str, config: str = "", mirrors: tuple[tuple[str, str], ...] = (), **more: str
    ) -> SourceError:
        """The error of a commit that nobody has."""
        return refused(self.home, url, config, mirrors, **more)


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path)


def told(error: SourceError) -> str:
    """All that a person is told, and an answer in JSON has."""
    return "\n".join([str(error), str(error.where), hint_text(error.hint), *error.details])


# ---- logins

LOGINS = {
    "a slash": "alice:S3cret/Word",
    "a hash": "alice:S3cret#Word",
    "a question mark": "alice:S3cret?Word",
    "digits and a slash": "alice:12/S3cretWord",
    "a slash in the name": "al/ice:S3cretWord",
    "nothing before a slash": "/alice:S3cretWord",
    "two at signs": "alice:S3cret@Word",
    "an address for a name": "alice@corp.com:S3cretWord",
    "an address for a name, escaped": "alice%40corp.com:S3cretWord",
    "two at signs, no colon": "alice@S3cretWord",
    "a slash and an at sign": "alice:S3c/ret@Word",
    "a colon": "alice:S3cret:Word",
    "a space": "alice:S3cret Word",
    "a bracket": "alice:S3cret[Word",
    "quotes": "alice:S3cret'\"Word",
    "escaped": "alice:S3cret%2FWord",
    "a bad escape": "alice:S3cret%zzWord",
    "a line": "alice:S3cret%0AWord",
    "a backslash": "alice:S3cret\\Word",
    "two at signs, and what git encodes": "alice@corp.com:S3cret!Word",
    "no name": ":S3cretWord",
    "plain": "alice:S3cretWord",
}
SHOWN_NEVER = ("alice", "corp.com", "S3c", "Word", "ret@", "al/")
READ_IN_TWO_WAYS = ("/", "#", "?", "@")

Setting = Callable[[str, str, str], tuple[str, dict[str, str]]]
"""Scheme, URL and proxy, to git's configuration and variables."""


def variable(name: str) -> Setting:
    return lambda _scheme, _url, proxy: ("", {name: proxy})


def config(section: str, key: str = "proxy") -> Setting:
    def make(_scheme: str, url: str, proxy: str) -> tuple[str, dict[str, str]]:
        return f"[{section.format(url=url)}]\n\t{key} = {json.dumps(proxy)}\n", {}

    return make


def scheme_variable(scheme: str, _url: str, proxy: str) -> tuple[str, dict[str, str]]:
    return "", {f"{scheme}_proxy": proxy}


def of_git_by_variable(_scheme: str, _url: str, proxy: str) -> tuple[str, dict[str, str]]:
    pairs = {"GIT_CONFIG_KEY_0": "http.proxy", "GIT_CONFIG_VALUE_0": proxy}
    return "", {"GIT_CONFIG_COUNT": "1", **pairs}


SETTINGS: dict[str, tuple[Setting, str]] = {
    "http_proxy, https_proxy": (scheme_variable, "{scheme}_proxy"),
    "all_proxy": (variable("all_proxy"), "all_proxy"),
    "ALL_PROXY": (variable("ALL_PROXY"), "ALL_PROXY"),
    "http.proxy": (config("http"), "http.proxy of git"),
    "http.<url>.proxy": (config('http "{url}"'), "http.{url}.proxy of git"),
    "remote.<url>.proxy": (config('remote "{url}"'), "remote.{url}.proxy of git"),
    "GIT_CONFIG": (of_git_by_variable, "http.proxy of git"),
}


FORMS = (
    "http://{}@127.0.0.1:1",
    "{}@127.0.0.1:1",
    "https://{}@[::1]:1",
    "socks5://{}@127.0.0.1:1",
    "http://{}@127.0.0.1:1/",
)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(("setting", "name"), SETTINGS.values(), ids=SETTINGS)
def test_no_part_of_a_login_is_shown(user: User, setting: Setting, name: str, scheme: str):
    """A dead proxy whose address can be read is named; another one is refused, as by our client."""
    url = f"{scheme}://files.example/r"
    for login, form in zip(LOGINS.values(), cycle(FORMS), strict=False):
        text, more = setting(scheme, url, form.format(login))
        error = user.refused(url, text, **more)
        all_of_it = told(error)
        assert not [part for part in SHOWN_NEVER if part in all_of_it], (login, all_of_it)
        variable_of_it = name.format(scheme=scheme, url=url)
        line = f"{url}: {variable_of_it}: {CANNOT}"
        refused = any(letter in login for letter in READ_IN_TWO_WAYS)
        assert (error.details == (line,)) is refused, (login, all_of_it)
        assert variable_of_it in all_of_it or "newline" in all_of_it, (login, all_of_it)


def test_https_proxy_in_upper_case(user: User):
    error = user.refused("https://files.example/r", HTTPS_PROXY="alice:S3cret/Word@127.0.0.1:1")
    assert error.details == (f"https://files.example/r: HTTPS_PROXY: {CANNOT}",)


@pytest.mark.parametrize("login", LOGINS.values(), ids=LOGINS)
def test_after_a_redirect_curl_reads_another_variable(user: User, login: str):
    """Git is asked for http, and is led to https, whose variable only curl looks at."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        send(head("302 X", f"Location: https://files.example{asked.path}", "Content-Length: 0"))

    with serve(answer) as server:
        error = user.refused(f"{server.url}/r", https_proxy=f"http://{login}@127.0.0.1:1")
    assert not [part for part in SHOWN_NEVER if part in told(error)], told(error)


@pytest.mark.parametrize(
    "proxy",
    ["alice:S3cret", "alice:S3cretWord@127.0.0.1:x", "http://", "a b"]
    + [
        f"http://alice:S3c{letter}retWord@127.0.0.1:1{end}"
        for letter in "@/"
        for end in ("@x", "/@x")
    ],
)
def test_an_address_that_is_none(user: User, proxy: str):
    error = user.refused("http://files.example/r", http_proxy=proxy)
    assert error.details == (f"http://files.example/r: http_proxy: {CANNOT}",)
    assert "%XX" in hint_text(error.hint)
    assert "S3cret" not in told(error)


def test_what_no_url_goes_by_is_no_matter(user: User):
    """No server of `no_proxy` is asked by way of it."""
    with listening(says("404 Not Found")) as at:
        error = user.refused(f"http://{at}/r", http_proxy="a:b/c@d", no_proxy="127.0.0.1")
        assert CANNOT not in told(error)
        error = user.refused(f"http://{at}/r", "[http]\n\tproxy =\n", http_proxy="a:b/c@d")
        assert CANNOT not in told(error)


# ---- which setting

AMONG_SEVERAL = """
[http "https://alice:S3c/retWord@other.example"]
  proxy = {proxy}
[http]
  proxy = {proxy}
[http "https://alice:12/S3cretWord@another.example"]
  proxy = {proxy}
"""


def test_git_does_not_tell_which_of_several_settings_it_is(user: User):
    """So the address is named for which it holds, and no other one."""
    url = "http://files.example/r"
    error = user.refused(url, AMONG_SEVERAL.format(proxy="http://127.0.0.1:1"))
    assert f"correct http.proxy of git for {url}" in told(error)
    assert "other" not in told(error)
    assert "S3c" not in told(error)


@pytest.mark.parametrize("login", ["al:S3c/retWord", "al:12/S3cretWord", "al@corp:S3cretWord"])
def test_a_login_in_the_name_of_a_setting_is_not_shown(login: str):
    """Git takes it for the path of an address, so it fits that address alone."""
    proxy, key = "http://127.0.0.1:2", f"http.http://{login}@127.0.0.1:1.proxy"

    def config(*arguments: str) -> str:
        return f"{key}\n{proxy}\0" if "--get-regexp" in arguments else proxy

    url = "http://127.0.0.1:1/r"
    assert git_proxy(url, url, config, {}).named_by == "http.http://…@127.0.0.1:1.proxy of git"


# ---- whom it goes by

A, B, NONE = "A", "B", ""
CHOICES: dict[str, tuple[str, str, dict[str, str], str]] = {
    "none": ("http", "", {}, NONE),
    "http_proxy": ("http", "", {"http_proxy": A}, A),
    "HTTP_PROXY is not read": ("http", "", {"HTTP_PROXY": A}, NONE),
    "https_proxy": ("https", "", {"https_proxy": A, "HTTPS_PROXY": B}, A),
    "HTTPS_PROXY": ("https", "", {"HTTPS_PROXY": A, "all_proxy": B}, A),
    "all_proxy": ("http", "", {"all_proxy": A, "ALL_PROXY": B}, A),
    "ALL_PROXY": ("https", "", {"ALL_PROXY": A}, A),
    "an empty variable": ("http", "", {"http_proxy": "", "all_proxy": A}, NONE),
    "an empty variable before a larger": ("https", "", {"https_proxy": "", "HTTPS_PROXY": A}, NONE),
    "http.proxy": ("http", "[http]\n proxy = {B}\n", {"http_proxy": A}, B),
    "an empty http.proxy": ("http", "[http]\n proxy =\n", {"http_proxy": A}, NONE),
    "the better URL": (
        "http",
        '[http "http://files.example"]\n proxy = {A}\n[http]\n proxy = {B}\n',
        {},
        A,
    ),
    "an empty one of a URL": (
        "http",
        '[http "http://files.example"]\n proxy =\n[http]\n proxy = {B}\n',
        {},
        NONE,
    ),
    "the remote": (
        "http",
        '[remote "http://files.example/r"]\n proxy = {A}\n[http]\n proxy = {B}\n',
        {},
        A,
    ),
    "an empty one of the remote": (
        "http",
        '[remote "http://files.example/r"]\n proxy =\n[http]\n proxy = {B}\n',
        {},
        NONE,
    ),
    "after insteadOf": (
        "https",
        '[url "http://files.example/"]\n insteadOf = https://files.example/\n',
        {"http_proxy": A, "https_proxy": B},
        A,
    ),
    "http.<url>.proxy after insteadOf": (
        "https",
        """
[url "http://else.example/"]
  insteadOf = https://files.example/
[http]
  proxy = {B}
[http "http://else.example"]
  proxy = {A}
""",
        {},
        A,
    ),
    "no_proxy": ("http", "[http]\n proxy = {A}\n", {"no_proxy": "files.example"}, NONE),
}


@pytest.mark.parametrize(("scheme", "text", "variables", "proxy"), CHOICES.values(), ids=CHOICES)
def test_the_proxy_that_git_goes_by_is_the_one_that_is_named(
    user: User, scheme: str, text: str, variables: dict[str, str], proxy: str
):
    """Two proxies that note who comes; the names end in `.example`, which is nobody's."""
    with serve(refusing) as a, serve(refusing) as b:
        urls = {A: a.url, B: b.url}
        more = {name: urls.get(value, value) for name, value in variables.items()}
        error = user.refused(f"{scheme}://files.example/r", text.format(**urls), **more)
        came = {name for name, server in ((A, a), (B, b)) if server.asked}
    assert came == ({proxy} if proxy else set())
    names = {name for name, url in urls.items() if f"by the proxy {url}" in told(error)}
    assert names == came


def refusing(_asked: Asked, send: Callable[[bytes], None]) -> None:
    send(head("503 X", "Content-Length: 0", "Connection: close"))


# ---- whom it goes to by none

COVERED = {
    "localhost:PORT": "localhost",
    "localhost:1": "localhost",
    "localhost": "localhost",
    ".localhost:PORT": "a.localhost",
    "*.localhost": "a.localhost",
    "*.localhost:1": "a.localhost",
    "ocalhost:PORT": "localhost",
    "other.example,*": "localhost",
    "127.0.0.1:PORT": "127.0.0.1",
    "127.0.0.1:1": "127.0.0.1",
    "127.0.0.0/8": "127.0.0.1",
    "127.0.0.0/8:PORT": "127.0.0.1",
    "10.0.0.0/8 LOCALHOST.:PORT": "localhost",
}
"""Entries of `no_proxy`, with the port of the server, and a name of this machine."""


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
@pytest.mark.parametrize("config", ["", "[http]\n\tproxy = {}\n"], ids=["variable", "config"])
@pytest.mark.parametrize(("entries", "host"), COVERED.items(), ids=COVERED)
def test_git_goes_by_no_proxy_where_our_own_client_does(
    user: User, entries: str, host: str, variable: str, config: str
):
    """Curl in git knows no ports in `no_proxy`, nor `*` among others."""
    with serve(refusing) as proxy, serve(refusing) as server:
        port = server.url.rpartition(":")[2]
        more = {"no_proxy": "", variable: entries.replace("PORT", port)}
        of_proxy = {"http_proxy": proxy.url, **more}
        url = f"http://{host}:{port}/r"
        ours = bool(Proxies.of_environment(of_proxy).of(url))
        error = user.refused(url, config.format(proxy.url), **(more if config else of_proxy))
        assert (bool(proxy.asked), bool(server.asked)) == (ours, not ours)
        assert ("by the proxy" in told(error)) is ours


def test_both_ways_are_among_the_entries():
    """So that the test above sees an entry for another port, too."""
    covered = {
        entries: not Proxies.of_environment({"http_proxy": A, "no_proxy": entries}).of(
            f"http://{host}:80/"
        )
        for entries, host in ((each.replace("PORT", "80"), host) for each, host in COVERED.items())
    }
    assert [entries for entries, is_covered in covered.items() if not is_covered] == [
        "localhost:1", "*.localhost:1", "ocalhost:80", "127.0.0.1:1"
    ]  # fmt: skip


# ---- characters that steer a terminal

CONTROLS = ("\x1b[31m", "\r", "\n", "\t", "\x7f", "\x9b31m", "\x01", "\u2028")
PLACES = ("http://127.0.0.1{}:1", "http://al{}ice:S3cretWord@127.0.0.1:1", "ht{}tp://127.0.0.1:1")


@pytest.mark.parametrize(("setting", "name"), SETTINGS.values(), ids=SETTINGS)
def test_a_control_character_reaches_nobody(user: User, setting: Setting, name: str):
    """The address is refused before git is asked, and its setting named."""
    url = "https://files.example/r"
    for control, place in zip(CONTROLS, cycle(PLACES), strict=False):
        proxy = place.format(control)
        text, more = setting("https", url, proxy)
        of_git = proxy.replace("\n", "\\n")  # which has fewer escapes than JSON
        text = text.replace(json.dumps(proxy), f'"{of_git}"')
        error = user.refused(url, text, **more)
        line = f"{url}: {name.format(scheme='https', url=url)}: {CANNOT}"
        assert error.details == (f"{line}: the character {control[0]!r} is in its address",)
        assert told(error).replace("\n", "").isprintable()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("control", CONTROLS, ids=map(repr, CONTROLS))
def test_a_control_character_reaches_no_other_proxy(control: str, place: str):
    environment = {"https_proxy": place.format(control)}
    with (
        Transport(environment=environment) as transport,
        pytest.raises(SourceError, match=f"https_proxy: {CANNOT}") as caught,
    ):
        transport.get("https://files.example/r")
    assert repr(control[0]) in str(caught.value)
    assert told(caught.value).replace("\n", "").isprintable()


def test_space_around_a_proxy_is_none_of_it(user: User):
    """As for our own client: a file of another system may have it at the end of a line."""
    with serve(refusing) as proxy:
        user.refused("http://files.example/r", http_proxy=f" {proxy.url}\r\n")
        assert proxy.asked
