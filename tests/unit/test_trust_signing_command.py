"""A command that signs: what it is asked, that its answer is verified, and what is told of it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from signing import private_key

from rvbuild.core.errors import UsageError
from rvbuild.trust.ed25519 import is_signature
from rvbuild.trust.signing_command import SigningCommand

CI = private_key("ci")
CANARY = "s3cr3t-pin"
AGENT = """\
import base64, sys
from signing import private_key
data = sys.stdin.buffer.read()
print(base64.b64encode(private_key(sys.argv[1]).sign(data)).decode())
"""
SUPPORT = Path(__file__).parents[1] / "support"


def agent(tmp_path: Path, name: str) -> tuple[str, ...]:
    """A program with the key of that name."""
    (tmp_path / "agent.py").write_text(f"import sys; sys.path.insert(0, {str(SUPPORT)!r})\n{AGENT}")
    return (sys.executable, str(tmp_path / "agent.py"), name, CANARY)


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_it_signs(tmp_path: Path, size: int):
    command = SigningCommand(CI.public, agent(tmp_path, "ci"))
    assert is_signature(CI.public.raw, command.sign(b"x" * size), b"x" * size)
    assert CANARY not in f"{command!r} {command}"


def shell(text: str) -> tuple[str, ...]:
    return ("sh", "-c", text, CANARY)


FAILING = {
    "not there": (("/nowhere/agent", CANARY), "No such file"),
    "not to be run": (("/dev/null", CANARY), "cannot be run"),
    "exit code": (shell("exit 3"), "exit code 3"),
    "killed": (shell("kill -9 $$"), "exit code -9"),
    "silent": (shell("cat > /dev/null"), "no signature by the key ci:"),
    "without reading": (shell("echo"), "no signature by the key ci:"),
    "no base64": (shell("echo 'pin: ' $0"), "no base64"),
    "short": (shell("echo AAAA"), "no signature by the key ci:"),
    "zeros": (shell(f"echo {'A' * 86}=="), "no signature by the key ci:"),
    "endless": (shell("yes | head -c 10000000"), "no base64"),
    "not ASCII": (shell("printf '\\377'"), "no base64"),
}


@pytest.mark.parametrize(("words", "why"), FAILING.values(), ids=FAILING)
def test_one_that_does_not_sign_is_told_without_its_words(words: tuple[str, ...], why: str):
    with pytest.raises(UsageError, match=shlex.quote(why).strip("'")) as caught:
        SigningCommand(CI.public, words).sign(b"x")
    error = caught.value
    assert error.where == "signing-command"
    assert CANARY not in f"{error!r} {error} {error.hint} {error.details} {error.__cause__!r}"
    assert error.__suppress_context__


def test_another_keys_signature_is_none(tmp_path: Path):
    with pytest.raises(UsageError, match="no signature by the key ci:"):
        SigningCommand(CI.public, agent(tmp_path, "lab")).sign(b"x")


def test_one_that_is_too_slow_ends_whatever_it_started():
    """A process that it leaves has its standard output, which nobody waits for."""
    command = SigningCommand(CI.public, shell("sleep 5 & sleep 5"), 0.2)
    with pytest.raises(UsageError, match=r"not sign within 0.2 s") as caught:
        command.sign(b"x")
    assert caught.value.__context__ is None
