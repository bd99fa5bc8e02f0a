"""Whoever is silent for long is named, once, before it is given up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from misbehaviour import is_silent, listening, says
from workshop import PATIENCE

from rvbuild.core.errors import RvbuildError
from rvbuild.core.events import Event, Noticed
from rvbuild.git.process import Failed, Git
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.transport import Transport
from rvbuild.transfers.urls import Credentials
from rvbuild.transfers.waits import Waits

Ask = Callable[[Waits, Cancellation, str, dict[str, str], Path], None]


def by_http(
    waits: Waits, cancellation: Cancellation, url: str, environment: dict[str, str], _: Path
) -> None:
    with Transport(
        environment=environment,
        waits=waits,
        cancellation=cancellation,
        credentials=Credentials({}),
    ) as transport:
        transport.get(url)


def by_git(
    waits: Waits, cancellation: Cancellation, url: str, environment: dict[str, str], at: Path
) -> None:
    base = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1"}
    git = Git("git", {**base, **environment}, cancellation=cancellation, waits=waits)
    git.look(url)


class Notices:
    """What a person reads; the first line ends the wait."""

    def __init__(self) -> None:
        self.cancellation = Cancellation()
        self.lines: list[str] = []

    def __call__(self, event: Event) -> None:
        assert isinstance(event, Noticed)
        self.lines.append(f"{event.label}: {event.text}")
        self.cancellation.cancel()


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("ask", [by_http, by_git])
def test_a_silent_proxy_is_named(tmp_path: Path, ask: Ask, scheme: str):
    notices = Notices()
    waits, url = Waits(notices, long=0.05), f"{scheme}://files.example/r"
    with listening(is_silent) as at:
        environment = {f"{scheme}_proxy": f"http://al:S3cret@{at}"}
        with pytest.raises((RvbuildError, Failed)):
            ask(waits, notices.cancellation, url, environment, tmp_path)
    (line,) = notices.lines
    assert line.startswith(f"the proxy http://{at}: no answer for files.example")
    assert line.endswith("yet: waiting")
    assert "S3cret" not in line


@pytest.mark.parametrize("ask", [by_http, by_git])
def test_a_silent_server_is_named(tmp_path: Path, ask: Ask):
    notices = Notices()
    with listening(is_silent) as at, pytest.raises((RvbuildError, Failed)):
        ask(Waits(notices, long=0.05), notices.cancellation, f"http://{at}/r", {}, tmp_path)
    assert notices.lines == [f"{at}: no answer yet: waiting"]


@pytest.mark.parametrize("ask", [by_http, by_git])
def test_who_answers_is_not(tmp_path: Path, ask: Ask):
    notices = Notices()
    with listening(says("404 Not Found")) as at, pytest.raises((RvbuildError, Failed)):
        ask(Waits(notices, long=PATIENCE), notices.cancellation, f"http://{at}/r", {}, tmp_path)
    assert notices.lines == []


def test_each_is_named_once():
    """However many ask it, and whatever for; another one is named all the same."""
    told, lines = threading.Semaphore(0), list[str]()

    def report(event: Event) -> None:
        assert isinstance(event, Noticed)
        lines.append(event.label)
        told.release()

    waits = Waits(report, long=0.0)
    for server, proxy in (("a", ""), ("b", "p"), ("c", "")):
        with waits.of(server, proxy):
            assert told.acquire(timeout=PATIENCE)
    for server, proxy in (("a", ""), ("d", "p")):
        with waits.of(server, proxy):
            pass
    with waits.of("e"):
        assert told.acquire(timeout=PATIENCE)
    assert lines == ["a", "p", "c", "e"]
