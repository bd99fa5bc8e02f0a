"""Which servers are given up, and for how long."""

from __future__ import annotations

from attrs import define

from rvbuild.transfers.servers import PAUSE, Servers


@define
class Clock:
    """Seconds that grow when told to."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_server_is_given_up_for_a_while_then_for_twice_as_long():
    clock = Clock()
    servers = Servers(clock)
    assert servers.cause("a:80") == ""
    servers.give_up("a:80", "refused")
    servers.give_up("a:80", "somebody found it out at the same time")
    assert (servers.cause("a:80"), servers.cause("b:80")) == ("refused", "")
    clock.now += PAUSE
    assert servers.cause("a:80") == ""
    servers.give_up("a:80", "still refused")
    clock.now += PAUSE * 2 - 1
    assert servers.cause("a:80") == "still refused"
    clock.now += 1
    assert servers.cause("a:80") == ""


def test_an_answer_makes_it_forgotten():
    clock = Clock()
    servers = Servers(clock)
    servers.give_up("a:80", "refused")
    servers.answered("a:80")
    assert servers.cause("a:80") == ""
    servers.give_up("a:80", "refused")
    clock.now += PAUSE
    assert servers.cause("a:80") == ""


def test_doubt_stays():
    servers = Servers(Clock())
    servers.doubt("a:80")
    servers.answered("a:80")
    assert (servers.doubted("a:80"), servers.doubted("b:80")) == (True, False)
