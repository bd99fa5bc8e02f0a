"""Where a login ends: what has two readings, and that no part of a login is printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import cycle, product
from json import dumps
from pathlib import Path

import pytest
from error_words import words

from rvbuild.app.config import view_settings
from rvbuild.app.refusals import refuse_unfit_mirrors
from rvbuild.app.settings import Settings
from rvbuild.app.workspace import Workspace
from rvbuild.cli.excerpt import excerpt
from rvbuild.cli.messages import render_error
from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RecipeError, StepError, UsageError
from rvbuild.core.login import TWO_WAYS, SplitAddress, without_logins, without_secrets
from rvbuild.core.place import Place
from rvbuild.git.clone_urls import check_url, host_of
from rvbuild.transfers.urls import shown

# ---- the rule

ONE_WAY = {
    "https://files.example/pool/foo@1": "https://files.example/pool/foo@1",
    "https://host:8080/pool/foo@1": "https://host:8080/pool/foo@1",
    "https://host:8080/pool/foo@v1.2-rc.1/x": "https://host:8080/pool/foo@v1.2-rc.1/x",
    "http://127.0.0.1:80/example.org/m/@v/v1.0.0.zip": "http://127.0.0.1:80/example.org/m/@v/v1.0.0.zip",
    "http://al:ce@[::1]:80/example.org/m/@latest": "http://[::1]:80/example.org/m/@latest",
    "https://host/pool/foo@bar.example": "https://host/pool/foo@bar.example",
    "https://[::1]/pool/foo@bar": "https://[::1]/pool/foo@bar",
    "https://host:/a@sha256:ff": "https://host:/a@sha256:ff",
    "https://host:80/foo@1.2.tar.gz?a=b": "https://host:80/foo@1.2.tar.gz?a=b",
    "https://host:80/foo@bar.deb": "https://host:80/foo@bar.deb",
    "https://host:80/a@/b": "https://host:80/a@/b",
    "https://host:80/@scope/pkg/-/pkg-1.0.tgz": "https://host:80/@scope/pkg/-/pkg-1.0.tgz",
    "https://host:80/npm/@scope/pkg": "https://host:80/npm/@scope/pkg",
    "https://al:ce@npm.example/@scope/pkg.tgz": "https://npm.example/@scope/pkg.tgz",
    "https://host:80/x?user=me@b.example&key=y": "https://host:80/x?user=me@b.example&key=y",
    "https://al:ce@host:80/x?y#z": "https://host:80/x?y#z",
    "https://al:c'\"<e@host": "https://host",
    "https://al%40b.example:c%2F@host": "https://host",
    "ssh://git@host:22/x": "ssh://host:22/x",
    "https://…@host/x": "https://…@host/x",
    "file:///srv/a:b/c@d.example": "file:///srv/a:b/c@d.example",
    "/srv/a:b/c@work": "/srv/a:b/c@work",
    "sftp/host:box/al@work": "sftp/host:box/al@work",
    "git@host:team/x": "git@host:team/x",
    "git@host:team/x@v1.git": "git@host:…@v1.git",
    "host:team/x": "host:team/x",
    "me@host": "me@host",
    "": "",
}
TWO = {
    "https://al@b.example:ce@host/x": "https://…@host/x",
    "https://al:12/ce@host/x": "https://…@host/x",
    "https://al:12/ce@host:80": "https://…@host:80",
    "https://al:12/ce@127.0.0.1/x@1": "https://…@127.0.0.1/x@1",
    "https://al:12/ce@[::1]:1/x": "https://…@[::1]:1/x",
    "https://al:c/e@1": "https://…@1",
    "https://al:ce@more/of@host/x": "https://…@host/x",
    "https://al:12/ce@nexus.zip/x": "https://…@nexus.zip/x",
    "https://al:12/ce@nexus.zip/x@1": "https://…@nexus.zip/x@1",
    "https://al:12/ce/@b.example": "https://…@b.example",
    "https://al:12/ce/@host:80": "https://…@host:80",
    "https://al:c/e@host/x?key=y": "https://…@host/x",
    "https://al:12?ce@host": "https://…",
    "https://al:12#ce@host": "https://…",
    "https://al:c?user=me@b.example&key=y": "https://…",
    "https://a/l:ce@host": "https://…@host",
    "https:///al:ce@host": "https://…@host",
    "https://[al:12/]ce@host": "https://…@host",
    "al:12/ce@host": "…@host",
    "al:ce@host:team/x": "…@host:team/x",
}


@pytest.mark.parametrize(("address", "bare"), ONE_WAY.items(), ids=ONE_WAY)
def test_an_address_that_has_one_reading(address: str, bare: str):
    split = SplitAddress.of(address)
    assert (split.bare, split.is_ambiguous) == (bare, False)


@pytest.mark.parametrize(("address", "bare"), TWO.items(), ids=TWO)
def test_an_address_that_has_two(address: str, bare: str):
    split = SplitAddress.of(address)
    assert (split.bare, split.is_ambiguous) == (bare, True)
    assert "ce" not in repr(split)


def test_a_name_without_a_dot_after_a_slash_is_a_scope_and_no_server():
    """Nobody can tell it from a password that begins with a port and ends with a slash."""
    assert not SplitAddress.of("https://al:12/ce/@host/x").is_ambiguous


def test_a_proxy_has_no_path():
    assert SplitAddress.of_proxy("http://al/ce@1").is_ambiguous
    assert not SplitAddress.of_proxy("al:ce@p:1").is_ambiguous


TEXTS = {
    "get 'https://al:1/ce@h/x' or \"http://al@b:ce@h/\": see a@b.example": (
        "get 'https://…@h/x' or \"http://…@h/\": see a@b.example"
    ),
    "https://a:b@h1,https://c:d@h2|direct": "https://h1,https://h2|direct",
    '{"a":"https://h:1/x","b":"https://al:ce@h/y"}': '{"a":"https://h:1/x","b":"https://h/y"}',
    "at http://h:8080/pool/foo@bar/x.": "at http://…@bar/x.",
    "<https://al:12?ce@host>: no": "<https://…>: no",
    "1https://al:ce@h": "1https://h",
    "mirrors.https://al:it's@h/": "mirrors.https://h/",
    "file:///srv/a:b/c@d.example": "file:///srv/a:b/c@d.example",
    "sha256:ff me@b.example ://": "sha256:ff me@b.example ://",
}


@pytest.mark.parametrize(("text", "bare"), TEXTS.items(), ids=TEXTS)
def test_each_url_of_a_text_is_cut(text: str, bare: str):
    assert without_logins(text) == bare


# ---- every letter in every part

LETTERS = "!$&'()*+,;=\"<>`|{}[]~^.-_%\\:é/?#@"
ENDS_HOST = frozenset("/?#@")
SCHEMES = ("http://", "https://", "HTTPS://", "ssh://", "git://", "sparse+https://", "HTTP://")
HOSTS = ("b.example", "127.0.0.1", "[::1]", "localhost", "bücher.example", "b.example:80")
PATHS = ("", "/", "/x/y.tgz", "/pool/foo@1", "/m/@v/v1.zip", "/@scope/x")
QUERIES = ("", "?key=T0P", "#T0P", "?user=me@b.example&key=T0P", "?me@b.example")
PARTS = ("Al1", "Ic3", "S3c", "R3t", "T0P")


def made_logins() -> Iterator[str]:
    """Logins with one letter, and with two, in the name, in the password, and at its end."""
    yield "Al1:S3c"
    for letter in LETTERS:
        yield f"Al1{letter}Ic3:S3cR3t"
        yield f"Al1:S3c{letter}R3t"
        yield f"Al1:12{letter}R3t"
        yield f"Al1:S3cR3t{letter}"
        yield from (f"Al1:12{letter}S3c{end}R3t" for end in "/?#@'\"<,")
        yield from (f"Al1:S3c{end}12{letter}" for end in "/?#@'\"<,")


def made_tails(login: str) -> Iterator[str]:
    """What may stand after a login; not the scope that a login with a slash at its end makes."""
    for host, path in product(HOSTS, PATHS):
        if not (host == "localhost" and login.endswith("/")):
            yield host + path


def made() -> Iterator[tuple[str, str, str]]:
    """Scheme, login, and all behind the @; schemes and queries go round in another step each."""
    schemes, queries = cycle(SCHEMES), cycle(QUERIES)
    for login in made_logins():
        for tail in made_tails(login):
            yield next(schemes), login, tail + next(queries)


def test_no_part_of_a_login_is_shown_whatever_its_letters_are():
    for scheme, login, tail in made():
        address = f"{scheme}{login}@{tail}"
        split = SplitAddress.of(address)
        assert SplitAddress.of(split.bare).bare == split.bare, address
        assert not any(part in shown(address) for part in PARTS), address
        assert not any(part in f"{split} {split.bare}" for part in PARTS[:4]), address
        assert not (split.is_ambiguous and "T0P" in split.bare), address


def test_an_address_has_two_readings_where_a_letter_of_its_login_ends_hosts():
    for scheme, login, tail in made():
        split = SplitAddress.of(f"{scheme}{login}@{tail}")
        if ENDS_HOST & set(login):
            assert split.is_ambiguous, (login, tail)
        elif not tail.endswith("?me@b.example"):
            assert (split.is_ambiguous, split.bare) == (False, scheme + tail), (login, tail)


def test_the_text_around_a_url_stays():
    for scheme, login, tail in made():
        address = f"{scheme}{login}@{tail}"
        bare = without_logins(
            f"get '{address}', <{address}>: me@b.example:1 or {address},http://x:1/"
        )
        assert not any(part in bare for part in PARTS[:4]), address
        assert bare.startswith(f"get '{scheme}"), address
        assert f"', <{scheme}" in bare, address
        assert f">: me@b.example:1 or {scheme}" in bare, address
        assert bare.endswith(",http://x:1/"), address


def test_no_query_is_shown_whatever_is_before_it():
    for scheme, login, tail in made():
        address = f"{scheme}{login}@{tail}"
        split = SplitAddress.of(address)
        text = without_secrets(f"get '{address}': 404, or {address},http://x:1/?T0P it")
        assert not any(part in f"{split.public} {text}" for part in PARTS), address
        assert SplitAddress.of(split.public).public == split.public, address
        assert without_secrets(text) == text, address
        assert text.endswith(",http://x:1/?… it"), address


PUBLIC = {
    "https://h/x?key=T0P": "https://h/x?…",
    "https://h/x#T0P": "https://h/x#…",
    "https://al:ce@h/x?a#b": "https://h/x?…",
    "https://h/x?": "https://h/x?",
    "https://h/x": "https://h/x",
    "https://al:c?e@h/x": "https://…",
    "/srv/what?/c#": "/srv/what?/c#",
    "git@host:c#/x": "git@host:c#/x",
    "file:///srv/c#": "file:///srv/c#",
}


@pytest.mark.parametrize(("address", "public"), PUBLIC.items(), ids=PUBLIC)
def test_of_a_url_the_query_and_the_fragment_are_cut(address: str, public: str):
    assert SplitAddress.of(address).public == public
    assert without_secrets(f"it ({address}), so") == f"it ({public}), so"


LONG = ("a", "a.", "1.", ",a", "@", ":", "[", "://", ",://", "x:@", "@b/", "x://a:b@", "/b@1.2-")


@pytest.mark.parametrize("piece", LONG)
def test_a_long_line_is_read_in_a_time_that_grows_with_its_length(piece: str):
    """With the square of it, each of these would take minutes."""
    text = piece * ((1 << 18) // len(piece))
    for line in (text, f"https://h:1/{text}", f"https://h:x/{text}"):
        assert without_logins(f"{line} me@b.example").endswith(" me@b.example")
        assert SplitAddress.of(line).scheme in line


def test_a_long_line_of_a_log_becomes_a_line_of_an_error():
    secret = f"https://al:{'x' * 2000}@b.example/y"
    error = StepError("failed", details=("b" * (1 << 20), secret))
    lines = render_error(error, color=False).splitlines()
    assert max(map(len, lines)) < 1100
    assert "https://b.example/y" in lines[3]


# ---- what is written for this machine, and for git


def test_a_folder_is_no_address(tmp_path: Path):
    """As the desktop mounts what is elsewhere."""
    folder = tmp_path / "sftp:host=box,user=al" / "src@corp"
    folder.mkdir(parents=True)
    refuse_unfit_mirrors([("https://git.invalid/", str(folder))])
    assert shown(str(folder)) == str(folder)


@pytest.mark.parametrize(
    "start", ["https://al:c'e@files.example/", "https://al:c e@files.example/"]
)
def test_no_part_of_a_mirror_that_is_none_is_shown(start: str):
    for place in ("ftp://al:c'e@b.example/", "ftp://al:c e@b.example/", "/no/such/folder"):
        with pytest.raises(UsageError) as caught:
            refuse_unfit_mirrors([(start, place)])
        assert not re.search("al:|e@", words(caught.value))


def test_the_first_colon_ends_the_host_of_ssh():
    assert check_url("git@git.invalid:team/x@v1.git") == "git@git.invalid:team/x@v1.git"
    assert host_of("git@git.invalid:team/x@v1.git") == "git.invalid"


@pytest.mark.parametrize("url", ["al:S3c@git.invalid/x.git", "al:S3c/R3t@git.invalid:team/x.git"])
def test_a_login_whose_scheme_was_forgotten(url: str, tmp_path: Path):
    with pytest.raises(RecipeError, match=TWO_WAYS) as caught:
        check_url(url)
    (tmp_path / "recipe.yaml").write_text(f'git: "{url}"\ncommit: x\n')
    caught.value.where = Place(str(tmp_path / "recipe.yaml"), 1, 6)
    said = words(caught.value)
    assert "S3c" not in said
    assert "R3t" not in said
    assert "git.invalid" in said
    assert "https://" in hint_text(caught.value.hint)


LINES = {
    "url: https://Al1:S3c@b.example/x": False,
    "url: https://Al1:S3c R3t@b.example/x": False,
    "url: https://Al1@b.example/x": False,
    'git: "Al1:S3c R3t@b.example/x"': False,
    "go-module: github.com/a/b@${version}": True,
    "url: https://files.example/foo?key=T0P": False,
    "url: https://files.example/foo@1": True,
    "git: git@git.invalid:team/x": True,
}


@pytest.mark.parametrize(("line", "is_shown"), LINES.items(), ids=LINES)
def test_a_line_of_a_recipe_with_a_login_is_not_shown(tmp_path: Path, line: str, *, is_shown: bool):
    (tmp_path / "recipe.yaml").write_text(line)
    assert (excerpt(Place(str(tmp_path / "recipe.yaml"), 1, 6)) is not None) is is_shown


VALUES = ("al:c'e@", 'al:c"e@', "al:c<e@", "al:c e@", "al:c/e@", "al@corp:c'e@")


@pytest.mark.parametrize("query", ["", "?key=T0P", "#T0P"])
@pytest.mark.parametrize("login", VALUES)
def test_the_view_of_settings_has_no_secret(tmp_path: Path, login: str, query: str):
    """Of an entry of a file, which is a list, and of an option, which is one text."""
    start, place = f"https://{login}f.example/", f"https://{login}b.example/{query}"
    (tmp_path / "rvbuild.toml").write_text(f"[mirrors]\n{dumps(start)} = {dumps(place)}\n")
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "none")}
    options = {"mirrors": {f"{start}more/": place}}
    workspace = Workspace(str(tmp_path), Settings.of_user(environment, options))
    rows = [value for value in view_settings(workspace).values if "mirrors" in value.name]
    assert {type(row.value) for row in rows} == {str, tuple}
    for row in rows:
        assert "b.example" in str(row.value)
        assert not re.search("al[:@]|e@|corp|T0P", f"{row.name} {row.value}".replace("…@", ""))
