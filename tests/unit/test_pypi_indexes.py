"""Whose package index is asked: the settings of pip and uv, and the default of a client."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from index_table import DEFAULT, TABLES, UV_ORDER, E, T

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError
from rvbuild.kinds.pypi.default_index import clients_default
from rvbuild.kinds.pypi.indexes import Indexes, Strategy, find_indexes
from rvbuild.kinds.pypi.pip_config import pip_files, pip_variables


def no_default(_: object) -> str:
    return DEFAULT


def indexes(environment: Mapping[str, str]) -> Indexes:
    return find_indexes(environment, no_default)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def user(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without any configuration."""
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_DIRS": str(tmp_path / "xdg"),
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "PATH": os.environ["PATH"],
    }


def test_without_configuration_it_is_the_clients_default(user: dict[str, str]):
    assert indexes(user).urls == (DEFAULT,)
    assert "PIP_INDEX_URL" in indexes(user).named_by[0]


def test_the_environment_of_pip_comes_first(tmp_path: Path, user: dict[str, str]):
    write(tmp_path / ".config/pip/pip.conf", "[global]\nindex-url = https://file.example/s\n")
    user |= {
        "PIP_INDEX_URL": "https://a.example/s/",
        "PIP_EXTRA_INDEX_URL": "https://b.example/s c",
    }
    with pytest.raises(SourceError, match="'c'") as caught:
        indexes(user)
    assert caught.value.where == "PIP_EXTRA_INDEX_URL"
    user["PIP_EXTRA_INDEX_URL"] = "https://b.example/s https://c.example"
    assert indexes(user) == Indexes(
        urls=("https://a.example/s", "https://b.example/s", "https://c.example"),
        named_by=("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"),
    )


def test_extra_indexes_stand_beside_a_base_from_elsewhere(tmp_path: Path, user: dict[str, str]):
    user["PIP_EXTRA_INDEX_URL"] = "https://extra.example"
    assert indexes(user).urls[1] == "https://extra.example"
    write(tmp_path / ".config/pip/pip.conf", "[global]\nindex-url = https://file.example/s\n")
    assert indexes(user).urls == ("https://file.example/s", "https://extra.example")


PLACES = ["xdg/pip/pip.conf", ".pip/pip.conf", ".config/pip/pip.conf", "venv/pip.conf"]
"""Files of pip below a user's folder, the weakest first."""


def test_files_of_pip_in_their_order(tmp_path: Path, user: dict[str, str]):
    """The machine's, the user's, the environment's, the one that PIP_CONFIG_FILE names."""
    for number, place in enumerate([*PLACES, "named.conf"]):
        write(tmp_path / place, f"[global]\nindex-url = https://{number}.example\n")
        user["PIP_CONFIG_FILE"] = str(tmp_path / "named.conf")
        assert indexes(user).urls == (f"https://{number}.example",)
        assert indexes(user).named_by == (f"{tmp_path / place} ([global] index-url)",)
    user["PIP_CONFIG_FILE"] = os.devnull
    assert indexes(user).urls == (DEFAULT,)


KEYS = ("index-url", "extra-index-url", "no-index", "find-links")
ASK_PIP = """
import json, os, sys
from pip._internal.commands import create_command
for case in map(json.loads, sys.stdin):
    os.environ.clear()
    os.environ.update(case)
    sys.prefix = case["VIRTUAL_ENV"]
    values = create_command("install").parser.get_default_values()
    wanted = ("index_url", "extra_index_urls", "no_index", "find_links")
    print(json.dumps([getattr(values, name) for name in wanted]))
"""


def a_users_settings(home: Path, choose: random.Random) -> dict[str, str]:
    """A random set-up of pip's files and variables, as an environment."""

    def value(key: str) -> str:
        if key == "no-index":
            return choose.choice(["yes", "0", "TRUE", "off", ""])
        words = [f"https://{choose.randrange(99)}.example" for _ in range(choose.randrange(3))]
        return " ".join(words[:1] if key == "index-url" else words)

    def spelled(key: str) -> str:
        return choose.choice([key, key.upper(), key.replace("-", "_"), f"--{key}"])

    def some_keys(share: float) -> list[str]:
        return [key for key in KEYS if choose.random() < share]

    for place in [*PLACES, "named.conf"]:
        text = ""
        for section in ("global", "install", "download"):
            lines = [f"{spelled(key)} = {value(key)}" for key in some_keys(0.3)]
            text += "\n".join([f"[{section}]", *lines, ""])
        if choose.random() < 0.6:
            write(home / place, text)
    variables = {f"PIP_{key.upper().replace('-', '_')}": value(key) for key in some_keys(0.2)}
    if choose.random() < 0.3:
        variables["PIP_CONFIG_FILE"] = str(home / "named.conf")
    own = {"HOME": str(home), "XDG_CONFIG_DIRS": f"{home}/xdg", "VIRTUAL_ENV": f"{home}/venv"}
    return variables | own


def test_settings_mean_what_they_mean_to_pip(tmp_path: Path):
    """Random set-ups, each read by pip itself and by rvbuild."""
    seeds = map(random.Random, range(200))
    cases = [a_users_settings(tmp_path / str(n), choose) for n, choose in enumerate(seeds)]
    ask = subprocess.run(
        [sys.executable, "-c", ASK_PIP],
        input="\n".join(map(json.dumps, cases)),
        capture_output=True,
        check=True,
        text=True,
    )
    answers = [json.loads(line) for line in ask.stdout.splitlines()]
    for case, (base, extras, ban, links) in zip(cases, answers, strict=True):
        options = {**pip_files(case), **pip_variables(case)}
        texts = {key: list(options[key].texts) if key in options else [] for key in KEYS}
        assert texts["index-url"] == ([base] if ".example" in base else []), case
        assert (texts["extra-index-url"], texts["find-links"]) == (extras, links), case
        assert bool(texts["no-index"]) == bool(ban), case
    assert sum(bool(ban) for _, _, ban, _ in answers) > 20  # the generator makes what it is for
    assert sum(bool(links) for *_, links in answers) > 20


def test_several_extra_indexes_in_a_file(tmp_path: Path, user: dict[str, str]):
    text = "[global]\nindex-url = https://a.example\nextra-index-url =\n  https://b.example\n  https://c.example\n"
    write(tmp_path / ".pip/pip.conf", text)
    assert indexes(user).urls == ("https://a.example", "https://b.example", "https://c.example")


@pytest.mark.parametrize("case", UV_ORDER)
def test_the_order_of_uv(tmp_path: Path, user: dict[str, str], case: str):
    """Its default comes last, so that it can shadow nothing."""
    environment, text, expected = UV_ORDER[case]
    write(tmp_path / ".config/uv/uv.toml", text)
    asked = indexes(user | environment)
    assert list(asked.urls) == expected
    assert asked.strategy is Strategy.FIRST_INDEX


@pytest.mark.parametrize(
    ("environment", "pip", "uv", "urls", "strategy"),
    [
        ({}, "", "", [DEFAULT], "PIP"),
        ({}, "index-url = https://p", f'index-url = "{T}"', ["https://p"], "PIP"),
        (
            {},
            "extra-index-url = https://p",
            f'index-url = "{T}"',
            [DEFAULT, "https://p"],
            "PIP",
        ),
        ({"UV_INDEX": E}, "index-url = https://p", f'index-url = "{T}"', [E, T], "FIRST_INDEX"),
        ({"PIP_INDEX_URL": E}, "", TABLES, [E], "PIP"),
        ({"PIP_FIND_LINKS": "/w"}, "", f'index-url = "{T}"', [T], "FIRST_INDEX"),
        ({"PIP_NO_INDEX": "0"}, "", f'index-url = "{T}"', [T], "FIRST_INDEX"),
        ({"PIP_INDEX_URL": E, "UV_INDEX": T}, "", "", [E], "PIP"),
        ({"UV_INDEX_STRATEGY": "unsafe-best-match"}, "", f'index-url = "{T}"', [T], "BEST_MATCH"),
        ({}, "", f'index-strategy = "unsafe-first-match"\nindex-url = "{T}"', [T], "FIRST_MATCH"),
        ({"UV_INDEX_STRATEGY": "unsafe-best-match"}, "", "", [DEFAULT], "PIP"),
    ],
)
def test_one_client_decides(  # noqa: PLR0913, PLR0917 - two of them are fixtures
    tmp_path: Path,
    user: dict[str, str],
    environment: dict[str, str],
    pip: str,
    uv: str,
    urls: list[str],
    strategy: str,
):
    """The one that has the strongest setting of an index; the other one's take no part."""
    write(tmp_path / ".config/pip/pip.conf", f"[global]\n{pip}\n")
    write(tmp_path / ".config/uv/uv.toml", uv)
    asked = indexes(user | environment)
    assert list(asked.urls) == urls
    assert asked.strategy is Strategy[strategy]


def test_a_strategy_that_uv_does_not_have(user: dict[str, str]):
    user |= {"UV_INDEX": E, "UV_INDEX_STRATEGY": "first"}
    with pytest.raises(SourceError, match="not a strategy of uv: 'first'") as caught:
        indexes(user)
    assert caught.value.where == "UV_INDEX_STRATEGY"
    assert "first-index" in hint_text(caught.value.hint)


def forbidden(by: object, *links: str, links_by: object = "") -> Indexes:
    named_by = (str(by), str(links_by)) if links else (str(by),)
    return Indexes(links=links, named_by=named_by, forbidden_by=str(by))


SETTINGS: dict[str, tuple[dict[str, str], dict[str, str], Callable[[Path], Indexes]]] = {
    "pip's variables": (
        {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/a http://b.example/w"},
        {},
        lambda _: forbidden("PIP_NO_INDEX", "/a", "http://b.example/w", links_by="PIP_FIND_LINKS"),
    ),
    "pip's file": (
        {},
        {".pip/pip.conf": "[global]\nno-index = true\n[install]\nfind-links =\n  /a\n  w\n"},
        lambda home: forbidden(
            f"{home}/.pip/pip.conf ([global] no-index)",
            *("/a", "w"),
            links_by=f"{home}/.pip/pip.conf ([install] find-links)",
        ),
    ),
    "uv's variables": (
        {"UV_NO_INDEX": "true", "UV_FIND_LINKS": "/my wheels, http://b.example/w"},
        {},
        lambda _: forbidden(
            "UV_NO_INDEX", "/my wheels", "http://b.example/w", links_by="UV_FIND_LINKS"
        ),
    ),
    "uv's file": (
        {},
        {".config/uv/uv.toml": 'no-index = true\nfind-links = ["w", "/a", "https://b.example"]\n'},
        lambda home: forbidden(
            f"{home}/.config/uv/uv.toml (no-index)",
            *(f"{home}/.config/uv/w", "/a", "https://b.example"),
            links_by=f"{home}/.config/uv/uv.toml (find-links)",
        ),
    ),
    "uv's file for pip": (
        {},
        {".config/uv/uv.toml": '[pip]\nno-index = true\n[[index]]\nurl="/f"\nformat="flat"\n'},
        lambda home: forbidden(
            f"{home}/.config/uv/uv.toml (no-index)",
            "/f",
            links_by=f"{home}/.config/uv/uv.toml (find-links)",
        ),
    ),
    "a variable that allows again": (
        {"PIP_NO_INDEX": "0"},
        {".pip/pip.conf": "[global]\nno-index = 1\nindex-url = http://i.example\n"},
        lambda home: Indexes(
            urls=("http://i.example",), named_by=(f"{home}/.pip/pip.conf ([global] index-url)",)
        ),
    ),
    "links beside an index": (
        {"PIP_FIND_LINKS": "/a", "PIP_INDEX_URL": "http://i.example"},
        {},
        lambda _: Indexes(
            links=("/a",), urls=("http://i.example",), named_by=("PIP_FIND_LINKS", "PIP_INDEX_URL")
        ),
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_folders_and_the_ban_of_indexes(tmp_path: Path, user: dict[str, str], case: str):
    environment, files, expected = SETTINGS[case]
    for name, text in files.items():
        write(tmp_path / name, text)
    assert indexes(user | environment) == expected(tmp_path)


def test_a_ban_that_is_neither_true_nor_false(user: dict[str, str]):
    user["PIP_NO_INDEX"] = "perhaps"
    with pytest.raises(SourceError, match="'perhaps'") as caught:
        indexes(user)
    assert caught.value.where == "PIP_NO_INDEX"


@pytest.mark.parametrize("place", [".pip/pip.conf", ".config/uv/uv.toml"])
def test_a_broken_configuration_is_named(tmp_path: Path, user: dict[str, str], place: str):
    write(tmp_path / place, "no section\n")
    with pytest.raises(SourceError) as caught:
        indexes(user)
    assert str(caught.value.where) == str(tmp_path / place)


@pytest.mark.parametrize(
    "url", ["near.example", "https://", "https://a b", "ftp://a.example", "https://u:secret@a:x/s"]
)
def test_what_is_no_address_is_refused(url: str):
    with pytest.raises(SourceError, match="not the address of a package index") as caught:
        find_indexes({"PIP_INDEX_URL": url})
    assert caught.value.where == "PIP_INDEX_URL"
    assert "secret" not in caught.value.message


def test_an_index_may_be_a_folder(tmp_path: Path, user: dict[str, str]):
    for text in (str(tmp_path), tmp_path.as_uri()):
        user["PIP_INDEX_URL"] = text
        assert indexes(user).urls == (tmp_path.as_uri(),)


def test_the_default_is_what_pip_itself_says(user: dict[str, str]):
    """The same that pip shows in its help."""
    default = clients_default(user)
    shown = subprocess.run(
        ["python3", "-m", "pip", "help", "install"], capture_output=True, check=True, text=True
    ).stdout
    assert f"(default {default})" in " ".join(shown.replace("(default\n", "(default ").split())


def test_without_any_client_the_error_says_what_to_set(
    user: dict[str, str], monkeypatch: pytest.MonkeyPatch
):
    user["PATH"] = "/nowhere"
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    with pytest.raises(SourceError) as caught:
        clients_default(user)
    assert "PIP_INDEX_URL" in hint_text(caught.value.hint)
