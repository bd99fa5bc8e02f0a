"""The command line: which word is the command."""

from __future__ import annotations

import pytest

from rvbuild.cli.arguments import parse


@pytest.mark.parametrize(
    ("line", "command", "targets", "store"),
    [
        ("it-arm64", "build", ["it-arm64"], None),
        ("plan it-arm64 --store x", "plan", ["it-arm64"], "x"),
        ("--store x plan it-arm64", "plan", ["it-arm64"], "x"),
        ("--store=x plan it-arm64", "plan", ["it-arm64"], "x"),
        ("--store plan it-arm64", "build", ["it-arm64"], "plan"),
        ("--store plan plan it-arm64", "plan", ["it-arm64"], "plan"),
        ("--store x it-arm64 plan", "build", ["it-arm64", "plan"], "x"),
        ("-k it-arm64", "build", ["it-arm64"], None),
        ("-q --store x -v fetch it-arm64", "fetch", ["it-arm64"], "x"),
        ("--quiet it-arm64 --store x", "build", ["it-arm64"], "x"),
    ],
)
def test_options_of_every_command_may_stand_before_it(
    monkeypatch: pytest.MonkeyPatch, line: str, command: str, targets: list[str], store: str | None
):
    monkeypatch.delenv("RVBUILD_STORE", raising=False)
    found = parse(line.split())
    assert (found.command, found.targets, found.store) == (command, targets, store)
    if "-q" in line:
        assert found.quiet
    if " -v" in line:
        assert found.verbose


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--store", "expected one argument"),
        ("--store x", "wants a TARGET"),
        ("-q gc", "not known here: -q"),
        ("lock --check --merge a b c", "--merge takes three files alone"),
        ("lock x --merge a b c", "--merge takes three files alone"),
        ("-j 0 it-arm64", "-j 0: at least one step"),
        ("--frob it-arm64", "not known here: --frob\nhint"),
        ("--ofline it-arm64", "not known here: --ofline; did you mean --offline?"),
        ("--option=a=b --overide a=b it-arm64", "did you mean --override?"),
        ("--store x build -j -1 it-arm64", "-j -1: at least one step"),
    ],
)
def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str], line: str, says: str):
    with pytest.raises(SystemExit) as caught:
        parse(line.split())
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "command"),
    [("-j 0 a-arm64", "build"), ("gc --keep -1", "gc"), ("plan", "plan"), ("fetch -x", "fetch")],
)
def test_the_help_that_is_named_is_that_of_the_command(
    capsys: pytest.CaptureFixture[str], line: str, command: str
):
    with pytest.raises(SystemExit):
        parse(line.split())
    assert capsys.readouterr().err.endswith(f"hint: see `rvbuild {command} --help`\n")


def test_help_comes_with_a_store_too(capsys: pytest.CaptureFixture[str]):
    for line in ("--help", "--store x --help", ""):
        with pytest.raises(SystemExit) as caught:
            parse(line.split())
        assert not caught.value.code
        assert "rvbuild TARGET..." in capsys.readouterr().out
