"""Which servers are given up, and for how long."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import define
from site_of_bytes import Asked, client, head, serve

from rvbuild.core.errors import Unreachable
from rvbuild.transfers.servers import PAUSE, Servers, Silence

OK = head("200 OK", "Content-Length: 2") + b"ok"


@define
class Clock:
    """Seconds that grow when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def cause(servers: Servers, server: str) -> str:
    """Why nothing is asked of a server; empty if it may be asked."""
    return refused_by(servers, server)


def refused_by(servers: Servers, *way: str) -> str:
    """Why nothing is asked on a way; empty if it may be."""
    silence = servers.refusal(*way)
    return silence.cause if silence else ""


def test_a_server_is_given_up_for_a_while_then_for_twice_as_long():
    clock = Clock()
    servers = Servers(clock)
    assert cause(servers, "a:80") == ""
    servers.give_up("a:80", Silence("refused"))
    assert (cause(servers, "a:80"), cause(servers, "b:80")) == ("refused", "")
    for pause in (PAUSE, PAUSE * 2, PAUSE * 4):
        clock.now += pause - 1
        assert cause(servers, "a:80") == "refused"
        clock.now += 1
        assert cause(servers, "a:80") == ""


def test_afterwards_one_transfer_asks_it_once():
    """The next ones, and its own next try, are refused at once: also if it tells nothing."""
    clock = Clock()
    servers = Servers(clock)
    servers.give_up("a:80", Silence("refused"))
    servers.give_up("a:80", Silence("silent"))  # another transfer, which began before
    clock.now += PAUSE
    assert [cause(servers, "a:80") for _ in range(3)] == ["", "silent", "silent"]
    servers.give_up("a:80", Silence("still silent"))
    clock.now += PAUSE * 2
    assert [cause(servers, "a:80") for _ in range(2)] == ["", "still silent"]


def test_an_answer_makes_it_forgotten():
    clock = Clock()
    servers = Servers(clock)
    for _ in range(2):
        servers.give_up("a:80", Silence("refused"))
        assert cause(servers, "a:80") == "refused"
        clock.now += PAUSE
        assert cause(servers, "a:80") == ""
        servers.answered("a:80")
        assert cause(servers, "a:80") == ""


def test_the_remedy_stays_with_the_cause():
    servers = Servers(Clock())
    servers.give_up("a:80", Silence("refused", "see that it runs"))
    assert servers.refusal("a:80") == Silence("refused", "see that it runs")


@pytest.mark.parametrize(
    ("events", "given_up"),
    [
        (["a", "a"], False),
        (["a", "b"], True),
        (["a", "p", "b"], False),
        (["a", "b", "p"], False),
        (["a", "b", "p", "b"], False),
        (["a", "b", "p", "b", "c"], True),
    ],
)
def test_a_proxy_is_given_up_with_the_second_silent_server(events: list[str], *, given_up: bool):
    """``p``: the proxy answers somebody; else no answer came of that server by way of it."""
    servers = Servers(Clock())
    for event in events:
        if event == "p":
            servers.answered("p")
        else:
            servers.give_up(event, Silence("silent"), behind="p")
    assert (cause(servers, "p") == "silent") is given_up
    assert cause(servers, "a") == "silent"


@pytest.mark.parametrize("way", [("a:80", "p"), ("p", "a:80")])
@pytest.mark.parametrize("late", ["a:80", "p"])
def test_who_may_ask_one_of_two_spends_the_try_of_neither(way: tuple[str, str], late: str):
    """A server and its proxy were given up at different times; when both may be asked, they are."""
    clock = Clock()
    servers = Servers(clock)
    early = next(each for each in way if each != late)
    servers.give_up(early, Silence(f"{early} refused"))
    clock.now += PAUSE / 2
    servers.give_up(late, Silence(f"{late} refused"))
    clock.now += PAUSE / 2
    for _ in range(3):
        assert refused_by(servers, *way) == f"{late} refused"
    clock.now += PAUSE / 2
    assert refused_by(servers, *way) == ""
    assert refused_by(servers, *way) == f"{way[0]} refused"
    clock.now += PAUSE * 2
    assert [refused_by(servers, each) for each in way] == ["", ""]


def test_no_proxy_is_no_server():
    servers = Servers(Clock())
    assert servers.refusal("a:80", "") is None


def test_doubt_stays():
    servers = Servers(Clock())
    servers.doubt("a:80")
    servers.answered("a:80")
    assert (servers.doubted("a:80"), servers.doubted("b:80")) == (True, False)


def replies(*silent: bytes) -> Callable[[Asked, Callable[[bytes], None]], None]:
    """First these, then good answers for ever."""
    remaining = list(silent)

    def answer(_asked: Asked, send: Callable[[bytes], None]) -> None:
        send(remaining.pop() if remaining else OK)

    return answer


def test_after_its_pause_a_server_is_asked_once_and_its_answer_brings_it_back():
    """It hangs up without a word, five times."""
    clock = Clock()
    with serve(replies(*[b""] * 5)) as server, client(clock=clock) as http:
        for pause, asked in ((0, 4), (0, 4), (PAUSE, 5), (0, 5), (2 * PAUSE - 1, 5)):
            clock.now += pause
            with pytest.raises(Unreachable):
                http.get(server.url)
            assert len(server.asked) == asked
        clock.now += 1
        assert [http.get(server.url) for _ in range(2)] == [b"ok", b"ok"]


def test_an_answer_through_a_proxy_brings_the_proxy_back():
    clock = Clock()
    with serve(replies()) as server:
        environment = {"http_proxy": server.url}
        with client(clock=clock, environment=environment) as http:
            http.servers.give_up(f"the proxy {server.url}", Silence("it was restarted"))
            with pytest.raises(Unreachable, match="it was restarted"):
                http.get("http://a.example/")
            clock.now += PAUSE
            assert [http.get("http://a.example/") for _ in range(2)] == [b"ok", b"ok"]


def test_a_proxy_that_runs_again_is_used_when_its_own_pause_is_over():
    """Meanwhile somebody asked for a server behind it again and again, whose pause was over."""
    clock = Clock()
    with (
        serve(replies()) as proxy,
        client(clock=clock, environment={"http_proxy": proxy.url}) as http,
    ):
        name = f"the proxy {proxy.url}"
        http.servers.give_up("a.example:80", Silence("silent"), behind=name)
        clock.now += PAUSE / 2
        http.servers.give_up("b.example:80", Silence("silent"), behind=name)
        clock.now += PAUSE / 2
        for _ in range(3):
            with pytest.raises(Unreachable, match="not asked again: silent"):
                http.get("http://a.example/")
        clock.now += PAUSE / 2
        assert http.get("http://a.example/") == b"ok"
        assert http.get("http://c.example/") == b"ok"
