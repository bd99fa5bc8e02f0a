"""Whoever is silent for long is named, once, before it is given up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from misbehaviour import is_silent, listening, says
from workshop import PATIENCE

from rvbuild.core.errors import RvbuildError, Unreachable
from rvbuild.core.events import Event, Noticed
from rvbuild.git.process import Failed, Git
from rvbuild.transfers.cancellation import Cancellation
from rvbuild.transfers.transport import Patience, Transport
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


MOST = {by_http: "6 min", by_git: "60 s"}
"""By HTTP, four tries of a connection (15 s) and an answer (60 s) each, and 7 s between them."""


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
    assert line.endswith(f"yet: waiting, at most {MOST[ask]}")
    assert "S3cret" not in line


@pytest.mark.parametrize("ask", [by_http, by_git])
def test_a_silent_server_is_named(tmp_path: Path, ask: Ask):
    notices = Notices()
    with listening(is_silent) as at, pytest.raises((RvbuildError, Failed)):
        ask(Waits(notices, long=0.05), notices.cancellation, f"http://{at}/r", {}, tmp_path)
    assert notices.lines == [f"{at}: no answer yet: waiting, at most {MOST[ask]}"]


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
        with waits.of(server, proxy, most=1):
            assert told.acquire(timeout=PATIENCE)
    for server, proxy in (("a", ""), ("d", "p")):
        with waits.of(server, proxy, most=1):
            pass
    with waits.of("e", most=1):
        assert told.acquire(timeout=PATIENCE)
    assert lines == ["a", "p", "c", "e"]


@pytest.mark.parametrize("tries", [1, 3])
def test_nobody_waits_longer_than_is_said(tries: int):
    """What is said has each try with all of its time, and the longest pauses between them."""
    pauses: list[float] = []
    patience = Patience(tries=tries, connect=0.25, read=0.125, first=2.0, longest=5.0)
    with (
        listening(is_silent) as at,
        Transport(
            patience=patience, environment={}, sleep=pauses.append, jitter=lambda: 1.0
        ) as transport,
        pytest.raises(Unreachable) as caught,
    ):
        transport.get(f"http://{at}/")
    assert (len(caught.value.details), len(pauses)) == (1, tries - 1)
    assert patience.most == tries * 0.375 + sum(pauses)
