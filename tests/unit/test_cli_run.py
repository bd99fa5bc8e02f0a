"""Commands are rows: each has a function, and imports only what it needs."""

from __future__ import annotations

import argparse
import inspect
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from rvbuild.cli.arguments import parse
from rvbuild.cli.commands import COMMANDS, ROWS, CommandRow


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_has_its_function(row: CommandRow):
    module, _, name = row.handler.partition(":")
    function = getattr(import_module(f"rvbuild.cli.{module}"), name)
    assert len(inspect.signature(function).parameters) == 3
    assert f"`rvbuild {row.name}" in function.__doc__


def test_names_of_commands_are_different():
    assert list(COMMANDS) == [row.name for row in ROWS]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_command_has_a_help(row: CommandRow, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as caught:
        parse([row.name, "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: rvbuild {row.name} ")
    assert " ".join(row.summary.split())[1:] in " ".join(out.split())


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        parse(["--help"])
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    for row in ROWS:
        assert [row.name, row.summary] in lines


def test_no_namespace_reaches_an_operation():
    """Only the command line knows argparse."""
    modules = Path(inspect.getfile(parse)).parents[1].joinpath("app").glob("*.py")
    texts = {path.name: path.read_text() for path in modules}
    assert "session.py" in texts
    assert [name for name, text in texts.items() if argparse.__name__ in text] == []


@pytest.mark.parametrize(
    ("words", "unneeded"),
    [
        (
            "config",
            {"networkx", "yaml", "httpx", "google.protobuf", "packaging", "rich", "rvbuild.engine"}
            | {"rvbuild.trust"},
        ),
        (
            "init my-tool",
            {"networkx", "httpx", "packaging", "rich", "rvbuild.engine", "rvbuild.executors"},
        ),
        ("show", {"httpx", "rich", "rvbuild.trust"}),
        ("keys list", {"networkx", "yaml", "httpx", "rich", "rvbuild.engine", "rvbuild.executors"}),
    ],
)
def test_a_command_imports_only_what_it_needs(tmp_path: Path, words: str, unneeded: set[str]):
    script = (
        "import sys; from rvbuild.__main__ import main; "
        f"code = main({words.split()}); print(*sys.modules, file=sys.stderr); sys.exit(code)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert unneeded.isdisjoint(ran.stderr.split())


def test_a_build_with_nothing_to_do_reads_settings_of_keys_without_cryptography(tmp_path: Path):
    """Up to the memo, which answers such a build, with every setting that is about keys."""
    (tmp_path / "rvbuild.toml").write_text("accept.build = '2 of [ci, lab]'\n")
    script = (
        "import os, sys\n"
        "from rvbuild.__main__ import Settings, Workspace, _memo_of, parse\n"
        "workspace = Workspace(os.getcwd(), Settings.of_user(os.environ, {}))\n"
        "_memo_of(parse(['build', 'runc-riscv64']), workspace).recall()\n"
        "assert workspace.settings.accept\n"
        "print(*sys.modules)\n"
    )
    environment = {
        **os.environ,
        "RVBUILD_SIGNING_KEY": "x",
        "RVBUILD_SIGNING_NAME": "ci",
        "RVBUILD_SIGNING_COMMAND": "agent",
    }
    command = [sys.executable, "-c", script]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert {"cryptography", "rvbuild.trust", "attrs"}.isdisjoint(ran.stdout.split())


def test_the_version_is_told_without_cryptography():
    command = [sys.executable, "-X", "importtime", "-m", "rvbuild", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "rvbuild.cli.arguments" in ran.stderr
    assert not {"cryptography", "rvbuild.trust"} & set(ran.stderr.split())
