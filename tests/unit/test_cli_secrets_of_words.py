"""A command line with an address where none belongs: no part of its secret is told, or made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rvbuild.__main__ import main
from rvbuild.cli.commands import ROWS

SECRETS = {
    "a login": "https://al:s3cr@h.invalid/x",
    "a login, and no path": "http://al:s3cr@h.invalid",
    "a comma in a password": "https://al:s3,s3cr@h.invalid/x",
    "an = in a password": "https://al:s3=s3cr@h.invalid/x",
    "a slash in a password": "https://al:s3/s3cr@h.invalid/x",
    "a query": "https://h.invalid/x?token=s3cr",
    "a fragment": "https://h.invalid/x#s3cr",
}
ASKS_SERVERS = frozenset({"doctor"})


def command_lines(address: str) -> Iterator[list[str]]:
    """The address as a word of each command, and as a part of each of its options."""
    yield from ([address], [f"--{address}"], [f"--x={address}"], ["u", f"-j{address}"])
    yield from (["store", "import", address], ["lock", "--merge", address, address, address])
    yield from (["init", "x", address], ["build", "u", "-o", "a", "-o", address])
    for row in ROWS:
        if row.name in ASKS_SERVERS:
            continue
        yield from ([row.name, address], [row.name, address, address])
        yield [row.name, "u", "--nosuch", address]
        for option in (option for each in row.options for option in each.names):
            if option.startswith("-"):
                forms = (address, f"x={address}", f"{address}=x", f"{address}={address}")
                yield from ([row.name, "u", f"{option}={form}"] for form in forms)
                yield [row.name, "u", option, address]
                yield [row.name, "u", option, f"x={address}", option, f"x={address}/y"]


@pytest.mark.parametrize("address", SECRETS.values(), ids=SECRETS)
def test_no_usage_error_tells_a_secret(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
):
    (tmp_path / "recipes").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RVBUILD_STORE", raising=False)
    for words in command_lines(address):
        try:
            code: object = main(words)
        except SystemExit as end:
            code = end.code
        told = "".join(capsys.readouterr())
        assert "s3" not in told, (words, told)
        assert "--help" in words or code != 70, (words, told)
    made = [name for _, folders, files in os.walk(tmp_path) for name in (*folders, *files)]
    assert not [name for name in made if "s3" in name]


FOLDERS = (
    ["--store=ADDRESS", "show"],
    ["build", "u", "-o", "ADDRESS"],
    ["build", "u", "--output=ADDRESS"],
    ["store", "import", "ADDRESS"],
)


@pytest.mark.parametrize("words", FOLDERS, ids=" ".join)
def test_where_a_folder_is_wanted_an_address_is_refused(
    capsys: pytest.CaptureFixture[str], words: list[str]
):
    with pytest.raises(SystemExit) as end:
        main([word.replace("ADDRESS", "https://al:s3cr@h.invalid/x") for word in words])
    assert end.value.code == 2
    assert (
        "a folder of this machine belongs here, and not an address: https://h.invalid/x"
        in capsys.readouterr().err
    )


def test_a_mirror_whose_from_ends_in_a_query_is_to_be_set_in_a_file(
    capsys: pytest.CaptureFixture[str],
):
    """What is behind its = is a part of the query as likely as the place."""
    for start in ("https://h.invalid/?key", "https://h.invalid/#key", "https://al:word"):
        assert main(["show", "u", "--mirror", f"{start}=/srv"]) == 2
        assert "nobody can tell where its FROM ends" in capsys.readouterr().err
    for start in ("https://[::1]", "https://h.invalid:80", "git@h.invalid:x", "h.invalid:x"):
        main(["show", "u", "--mirror", f"{start}=https://h.invalid/y"])
        assert "its FROM" not in capsys.readouterr().err
