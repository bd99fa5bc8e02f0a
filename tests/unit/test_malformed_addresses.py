"""Addresses that nobody can take apart: every place says so, none fails of Python's own error."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest
from refused_commits import refused

from rvbuild.app.refusals import refuse_unfit_mirrors
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError, RvbuildError, UsageError
from rvbuild.core.login import MALFORMED, SplitAddress
from rvbuild.git.clone_urls import check_url, is_git_url
from rvbuild.kinds.git.forges import archive_url
from rvbuild.kinds.url.source import file_name
from rvbuild.recipes_yaml.recipe import read_recipe
from rvbuild.transfers.addresses import Address, http_address, is_http, server_of
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.proxy_addresses import check_proxy, proxy_name
from rvbuild.transfers.urls import origin, refuse_ambiguous, shown

SERVERS = ("[::1", "::1]", "[x]", "a]b", "h:99999", "h:port", "h:-1", "\u2100.example", "[::1]x")
MALFORMED_ONES = [
    f"{scheme}://{login}{server}/team/x.tgz{query}"
    for scheme, login, server, query in product(
        ("http", "https", "ssh", "git"), ("", "al:ce@"), SERVERS, ("", "?key=hush", "#hush")
    )
]


def in_a_recipe(url: str) -> object:
    text = f"build: x\nsources:\n  lib:\n    url: {json.dumps(url)}\n"
    return read_recipe(text.encode(), "runc", "recipe.yaml")


READERS: dict[str, Callable[[str], object]] = {
    "a recipe": in_a_recipe,
    "a file's name": file_name,
    "a repository": check_url,
    "whether a repository": is_git_url,
    "a forge": lambda url: archive_url(url, "1" * 40),
    "an origin": origin,
    "a server": server_of,
    "whether HTTP": is_http,
    "a setting": lambda url: http_address(url, of="an index", where="INDEX", hint=""),
    "an address": lambda url: Address(url).server,
    "readings": refuse_ambiguous,
    "a message": shown,
    "a proxy": lambda url: check_proxy(url, "http_proxy"),
    "a proxy's name": proxy_name,
    "what goes by a proxy": Proxies().of,
    "a mirror": lambda url: refuse_unfit_mirrors([("https://git.example/", url)]),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_no_reader_fails_of_an_address_that_nobody_can_take_apart(
    reader: Callable[[str], object],
):
    for url in MALFORMED_ONES:
        try:
            answer = str(reader(url))
        except RvbuildError as error:
            answer = f"{error} {getattr(error, 'where', '')} {getattr(error, 'details', '')}"
        assert "hush" not in answer.replace(url, "")
        assert "al:ce" not in answer.replace(url, "")


def test_what_nobody_can_take_apart_is_malformed():
    assert all(SplitAddress.of(url).is_malformed for url in MALFORMED_ONES)
    sound = ("https://[::1]:80/x", "git@host:team/x", "ssh://git@h:22/x", "/srv/[x", "", "h:x")
    assert not any(SplitAddress.of(url).is_malformed for url in sound)


SAID = {
    "https://al:ce@[::1/x.tgz?key=hush": "https://[::1/x.tgz",
    "https://h:99999/x.tgz": "https://h:99999/x.tgz",
    "https://[al:ce": "(a malformed URL)",
}


@pytest.mark.parametrize(("url", "said"), SAID.items(), ids=SAID)
def test_a_malformed_address_is_said_without_what_may_be_a_secret(url: str, said: str):
    with pytest.raises(RecipeError, match=MALFORMED) as caught:
        file_name(url)
    assert caught.value.where == said
    assert caught.value.hint


def test_a_recipe_names_the_place_of_a_malformed_address():
    with pytest.raises(RecipeError, match=rf"'url' is {MALFORMED}: https://\[::1/x.tgz") as caught:
        in_a_recipe("https://[::1/x.tgz?key=hush")
    assert str(caught.value.where).startswith("recipe.yaml:4:")
    assert "write https://HOST:PORT/PATH" in str(caught.value.hint)
    in_a_recipe("https://h:${port}/x.tgz")


# ---- insteadOf

LEADS_TO = {
    "brackets": "http://al:s3cr@[::1/",
    "no port": "http://h:99999/",
    "brackets of ssh": "ssh://[::1/",
    "no host": "https:///",
    "a space": "http://h x/",
}


@pytest.mark.parametrize("base", LEADS_TO.values(), ids=LEADS_TO)
@pytest.mark.parametrize("url", ["https://github.com/google/uuid", "http://127.0.0.1:1/lib.git"])
def test_an_insteadof_that_leads_to_a_malformed_address_is_named(
    tmp_path: Path, url: str, base: str
):
    server = url.partition("//")[0] + "//" + url.split("/")[2] + "/"
    error = refused(tmp_path, url, f'[url "{base}"]\n insteadOf = {server}\n')
    told = "\n".join([str(error), *error.details, hint_text(error.hint)])
    assert f"insteadOf of git leads to {MALFORMED}: " in told
    assert "correct url.<base>.insteadOf" in told
    assert "s3cr" not in told


# ---- mirrors

UNFIT = {
    "brackets": "http://[::1",
    "brackets of ssh": "ssh://git@[::1/x",
    "no port": "https://h:99999/x",
    "a blank": "https://h/a b",
    "a blank in git's form": "git@h:a b",
    "no host": "https:///x",
    "brackets of a file": "file://[::1/x",
}


@pytest.mark.parametrize("place", UNFIT.values(), ids=UNFIT)
def test_a_mirror_that_can_never_answer_is_refused(place: str):
    with pytest.raises(UsageError, match=rf"the mirror of https://git.example/ has {MALFORMED}"):
        refuse_unfit_mirrors([("https://git.example/", place)])


@pytest.mark.parametrize("start", ["https://git.example/", "https://git.example", "https://h/a/"])
def test_a_file_is_no_mirror_of_what_many_addresses_begin_with(tmp_path: Path, start: str):
    file = tmp_path / "file"
    file.touch()
    refuse_unfit_mirrors([("https://git.example/x.tgz", str(file)), (start, str(tmp_path))])
    with pytest.raises(UsageError, match="is a file, and many addresses begin so"):
        refuse_unfit_mirrors([(start, str(file))])
