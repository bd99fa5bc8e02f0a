"""Which proxy a URL has: rule by rule, and as a table of ``no_proxy``."""

from __future__ import annotations

import pytest

from rvbuild.core.errors import SourceError
from rvbuild.transfers.proxies import Proxies

P, Q = "http://p.example:3128", "http://q.example:3128"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "http://a.example/", ""),
        ({"http_proxy": P}, "http://a.example/", P),
        ({"http_proxy": P}, "https://a.example/", ""),
        ({"https_proxy": P}, "https://a.example/", P),
        ({"HTTPS_PROXY": P}, "https://a.example/", P),
        ({"HTTP_PROXY": P}, "http://a.example/", P),
        ({"HTTP_PROXY": P, "REQUEST_METHOD": "GET"}, "http://a.example/", ""),
        ({"http_proxy": P, "HTTP_PROXY": Q}, "http://a.example/", P),
        ({"all_proxy": P}, "https://a.example/", P),
        ({"all_proxy": P, "https_proxy": Q}, "https://a.example/", Q),
        ({"http_proxy": "p.example:3128"}, "http://a.example/", P),
        ({"http_proxy": P, "no_proxy": "b.example"}, "http://a.example/", P),
    ],
)
def test_the_variables(environment: dict[str, str], url: str, proxy: str):
    assert Proxies.of_environment(environment).of(url) == proxy


@pytest.mark.parametrize(
    ("entry", "direct", "proxied"),
    [
        ("*", "http://a.example/", None),
        ("a.example", "http://a.example/", "http://ba.example/"),
        ("a.example", "http://x.a.example:81/", "http://example/"),
        (".a.example", "http://a.example/", "http://ba.example/"),
        ("*.a.example", "http://x.a.example/", "http://ba.example/"),
        ("A.Example.", "http://a.example/", "http://b.example/"),
        ("a.example:81", "http://a.example:81/", "http://a.example/"),
        ("a.example:80", "http://a.example/", "https://a.example/"),
        ("10.1.2.3", "http://10.1.2.3/", "http://10.1.2.4/"),
        ("10.1.2.3:81", "http://10.1.2.3:81/", "http://10.1.2.3/"),
        ("10.0.0.0/8", "http://10.200.3.4:8080/", "http://11.0.0.1/"),
        ("10.1.2.3/8", "http://10.200.3.4/", "http://a10.example/"),
        ("::1", "http://[::1]/", "http://[::2]/"),
        ("[::1]:81", "http://[::1]:81/", "http://[::1]/"),
        ("fd00::/8", "http://[fd12::1]/", "http://[fe80::1]/"),
        ("b.example, a.example", "http://a.example/", "http://c.example/"),
        ("b.example a.example", "http://a.example/", "http://c.example/"),
    ],
)
def test_what_needs_no_proxy(entry: str, direct: str, proxied: str | None):
    proxies = Proxies.of_environment({"all_proxy": P, "NO_PROXY": entry})
    assert proxies.of(direct) == ""
    if proxied is not None:
        assert proxies.of(proxied) == P


def test_a_host_of_its_own_is_stronger():
    proxies = Proxies(
        schemes={"http": P}, hosts={"a.example": Q, "b.example": ""}, bypass=("a.example",)
    )
    urls = ("http://a.example/", "http://b.example/", "http://c.example/")
    assert [proxies.of(url) for url in urls] == [Q, "", P]


def test_no_url_has_no_proxy():
    with pytest.raises(SourceError, match="not an http or https URL"):
        Proxies().of("ftp://a.example/")
