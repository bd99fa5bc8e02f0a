"""What a gateway does to answers about objects, and how reading one may end then."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen
from faulty_gateway import Call, Fault, Gateway, Reply, Send, faithful

from rvbuild.core.errors import CacheDown, CacheMiss, CacheRefused, RvbuildError, WrongContent

FULL = "the right bytes"
SHORT = 2.0
Ending = type[RvbuildError] | str


@frozen
class Damage:
    """A fault, and the ways in which reading may end; `FULL` if all bytes may arrive.

    ``make`` has what a fault may need: the gateway, to wait; and the address of another host.
    ``seconds`` is how long all of it may last: little where it is waited for in vain.
    """

    make: Callable[[Gateway, str], Fault]
    endings: tuple[Ending, ...]
    seconds: float = 15.0


def of_reads(fault: Fault) -> Fault:
    """The same for GET of objects alone."""

    def only(call: Call, reply: Reply, send: Send) -> None:
        chosen = fault if call.method == "GET" and call.is_of_object else faithful
        chosen(call, reply, send)

    return only


def damage(fault: Fault, *endings: Ending) -> Damage:
    return Damage(lambda _gateway, _other: of_reads(fault), endings)


def waiting(
    fault: Callable[[Gateway, Call, Reply, Send], None], *endings: Ending, seconds: float = SHORT
) -> Damage:
    def make(gateway: Gateway, _other: str) -> Fault:
        return of_reads(lambda call, reply, send: fault(gateway, call, reply, send))

    return Damage(make, endings, seconds)


def changed(change: Callable[[Call, Reply], Reply], *endings: Ending) -> Damage:
    """A whole answer, that is another one."""
    return damage(lambda call, reply, send: send(bytes(change(call, reply))), *endings)


def flipped(at: float) -> Callable[[Call, Reply], Reply]:
    """One bit of the body; ``at`` says where, from 0 to 1."""

    def change(_call: Call, reply: Reply) -> Reply:
        body = bytearray(reply.body)
        body[int((len(body) - 1) * at)] ^= 1
        return evolve(reply, body=bytes(body))

    return change


def cut(size: int) -> Fault:
    """So many bytes of each body, then the line is dead."""
    return lambda _call, reply, send: send(reply.head() + reply.body[:size])


def whole(call: Call, reply: Reply) -> Reply:
    """What the server would say if it knew no ranges, as far as one can tell from a part."""
    if not call.begin:
        return reply
    filler = b"\xff" * call.begin
    return evolve(reply.sized(filler + reply.body).without("content-range"), status="200 OK")


def as_if_it_had_no_ranges(call: Call, reply: Reply, send: Send) -> None:
    """The first answer is cut; the others have all, whatever was asked for."""
    reply = whole(call, reply)
    send(bytes(reply) if call.begin else reply.head() + reply.body[: len(reply.body) // 2])


def other_range(call: Call, reply: Reply, send: Send) -> None:
    """The first answer is cut; what follows is of another place than it says, and begins there."""
    if not call.begin:
        send(reply.head() + reply.body[: len(reply.body) // 2])
        return
    total = call.begin + len(reply.body)
    moved = reply.sized(reply.body[1:])
    send(bytes(moved.having("Content-Range", f"bytes {call.begin + 1}-{total - 1}/{total}")))


def lying_range(call: Call, reply: Reply, send: Send) -> None:
    """The first answer is cut; what follows is of another place than it says."""
    if call.begin:
        send(bytes(evolve(reply, body=reply.body[1:] + b"!")))
    else:
        send(reply.head() + reply.body[: len(reply.body) // 2])


def status(text: str, *headers: tuple[str, str], body: bytes = b"") -> Callable[..., Reply]:
    return lambda _call, _reply: Reply(text, headers, b"").sized(body)


def silent(gateway: Gateway, _call: Call, _reply: Reply, _send: Send) -> None:
    gateway.paused()


def trickle(gateway: Gateway, data: bytes, send: Send) -> None:
    for byte in data:
        send(bytes([byte]))
        if not gateway.paused(0.1):
            return


def trickling_head(gateway: Gateway, _call: Call, reply: Reply, send: Send) -> None:
    trickle(gateway, reply.having("X", "y" * 10_000).head(), send)


def trickling_body(gateway: Gateway, _call: Call, reply: Reply, send: Send) -> None:
    send(reply.head())
    trickle(gateway, reply.body, send)


def stuck_body(gateway: Gateway, _call: Call, reply: Reply, send: Send) -> None:
    send(reply.head() + reply.body[: len(reply.body) // 2])
    gateway.paused()


def late(gateway: Gateway, _call: Call, reply: Reply, send: Send) -> None:
    """Slow, and within what anybody waits."""
    gateway.paused(0.3)
    send(bytes(reply))


def endless_body(gateway: Gateway, _call: Call, reply: Reply, send: Send) -> None:
    chunked = reply.without("content-length").having("Transfer-Encoding", "chunked")
    send(chunked.head())
    while not gateway.gone.is_set():
        send(b"10000\r\n" + bytes(1 << 16) + b"\r\n")


def right_and_endless(gateway: Gateway, _call: Call, reply: Reply, send: Send) -> None:
    """All bytes are right, and the answer does not end."""
    chunked = reply.without("content-length").having("Transfer-Encoding", "chunked")
    send(chunked.head() + b"%x\r\n" % len(reply.body) + reply.body + b"\r\n")
    gateway.paused()


def endless_head(gateway: Gateway, _call: Call, _reply: Reply, send: Send) -> None:
    send(b"HTTP/1.1 200 OK\r\n")
    while not gateway.gone.is_set():
        send(b"X: y\r\n" * 1000)


def endless_interim(gateway: Gateway, _call: Call, _reply: Reply, send: Send) -> None:
    while not gateway.gone.is_set():
        send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


def elsewhere(text: str) -> Damage:
    def make(_gateway: Gateway, other: str) -> Fault:
        def fault(call: Call, _reply: Reply, send: Send) -> None:
            send(bytes(Reply(text, (("Location", other + call.path),), b"").sized(b"")))

        return of_reads(fault)

    return Damage(make, (FULL, CacheRefused, CacheDown))  # that host has the right bytes


PAGE = b"<html>please log in</html>"
HTML = ("Content-Type", "text/html")
LATER = ("Retry-After", "7")

DAMAGES: dict[str, Damage] = {
    "nothing": damage(faithful, FULL),
    "the first bit": changed(flipped(0), WrongContent),
    "a bit in the middle": changed(flipped(0.5), WrongContent),
    "the last bit": changed(flipped(1), WrongContent),
    "all bytes": changed(lambda _c, r: r.sized(r.body[::-1]), WrongContent),
    "a byte less": changed(lambda _c, r: r.sized(r.body[:-1]), WrongContent),
    "half": changed(lambda _c, r: r.sized(r.body[: len(r.body) // 2]), WrongContent),
    "no byte": changed(lambda _c, r: r.sized(b""), WrongContent),
    "a byte more": changed(lambda _c, r: r.sized(r.body + b"!"), WrongContent),
    "twice": changed(lambda _c, r: r.sized(r.body * 2), WrongContent),
    "a length that is too small": changed(
        lambda _c, r: r.having("Content-Length", str(len(r.body) - 1)), WrongContent
    ),
    "a length that is too large": changed(
        lambda _c, r: r.having("Content-Length", str(len(r.body) + 1)), FULL, WrongContent
    ),
    "a length that is none": changed(lambda _c, r: r.having("Content-Length", "many"), CacheDown),
    "no length": changed(lambda _c, r: r.without("Content-Length"), FULL),
    "a wrong ETag": changed(lambda c, r: r.having("ETag", f'"{c.begin}"'), FULL),
    "cuts": damage(cut(100_000), FULL),
    "a cut soon": damage(cut(100), CacheDown),
    "a cut at once": damage(cut(0), CacheDown),
    "no answer but the end": damage(lambda *_: None, CacheDown),
    "no HTTP": damage(lambda _c, _r, send: send(b"\0" * 1000), CacheDown),
    "all for a range": damage(as_if_it_had_no_ranges, FULL),
    "another range": damage(other_range, CacheDown),
    "a lying range": damage(lying_range, WrongContent),
    "a range unasked": changed(
        lambda _c, r: evolve(r, status="206 Partial Content").sized(r.body[:1000]),
        *(CacheRefused, CacheDown, WrongContent),
    ),
    "an encoding": changed(lambda _c, r: r.having("Content-Encoding", "gzip"), CacheRefused),
    "a page to log in": changed(status("200 OK", HTML, body=PAGE), WrongContent),
    "a clock in the past": changed(
        lambda _c, r: r.having("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), FULL
    ),
    "a clock in the future": changed(
        lambda _c, r: r.having("Last-Modified", "Fri, 31 Dec 9999 23:59:59 GMT"), FULL
    ),
    "an evicted object": changed(status("404 Not Found"), CacheMiss),
    "too many requests": changed(status("429 Too Many Requests", LATER), CacheDown),
    "not available": changed(status("503 Service Unavailable", LATER), CacheDown),
    "a fault inside": changed(status("500 Internal Server Error"), CacheDown),
    "a bad gateway": changed(status("502 Bad Gateway", HTML, body=PAGE), CacheDown),
    "no login": changed(status("401 Unauthorized"), CacheRefused),
    "a teapot": changed(status("418 I'm a teapot"), CacheRefused),
    "silence": waiting(silent, CacheDown),
    "a head that trickles": waiting(trickling_head, CacheDown),
    "a body that trickles": waiting(trickling_body, CacheDown),
    "a body that is stuck": waiting(stuck_body, CacheDown),
    "a short delay": waiting(late, FULL, seconds=15.0),
    "a body without end": waiting(endless_body, WrongContent),
    "the right body without end": waiting(right_and_endless, FULL),
    "a head without end": waiting(endless_head, CacheDown),
    "interim answers without end": waiting(endless_interim, CacheDown),
    "another host, by 301": elsewhere("301 Moved Permanently"),
    "another host, by 302": elsewhere("302 Found"),
    "another host, by 307": elsewhere("307 Temporary Redirect"),
    "another host, by 308": elsewhere("308 Permanent Redirect"),
}


def of_writes(fault: Fault) -> Fault:
    """The same for whatever changes the cache."""

    def only(call: Call, reply: Reply, send: Send) -> None:
        chosen = faithful if call.method in {"GET", "HEAD"} else fault
        chosen(call, reply, send)

    return only


def write_damage(change: Callable[[Call, Reply], Reply], *endings: Ending) -> Damage:
    fault = of_writes(lambda call, reply, send: send(bytes(change(call, reply))))
    return Damage(lambda _gateway, _other: fault, endings)


def write_waiting(
    fault: Callable[[Gateway, Call, Reply, Send], None], *endings: Ending, seconds: float = SHORT
) -> Damage:
    def make(gateway: Gateway, _other: str) -> Fault:
        return of_writes(lambda call, reply, send: fault(gateway, call, reply, send))

    return Damage(make, endings, seconds)


def write_elsewhere(text: str) -> Damage:
    def make(_gateway: Gateway, other: str) -> Fault:
        def fault(call: Call, _reply: Reply, send: Send) -> None:
            send(bytes(Reply(text, (("Location", other + call.path),), b"").sized(b"")))

        return of_writes(fault)

    return Damage(make, (CacheRefused, CacheDown))


def hung_up(_gateway: Gateway, _call: Call, _reply: Reply, _send: Send) -> None:
    """It was done, and nobody is told."""


WRITE_DAMAGES: dict[str, Damage] = {
    "nothing": write_damage(lambda _c, r: r, FULL),
    "a short delay": write_waiting(late, FULL, seconds=15.0),
    "no login": write_damage(status("401 Unauthorized"), CacheRefused),
    "no right": write_damage(status("403 Forbidden"), CacheRefused),
    "not allowed": write_damage(status("405 Not Allowed"), CacheRefused),
    "too large": write_damage(status("413 Content Too Large"), CacheRefused),
    "too many requests": write_damage(status("429 Too Many Requests", LATER), CacheDown),
    "not available": write_damage(status("503 Service Unavailable", LATER), CacheDown),
    "not implemented": write_damage(status("501 Not Implemented"), CacheRefused, CacheDown),
    "full": write_damage(status("507 Insufficient Storage"), CacheRefused, CacheDown),
    "silence": write_waiting(silent, CacheDown),
    "a head that trickles": write_waiting(trickling_head, CacheDown),
    "a head without end": write_waiting(endless_head, CacheDown),
    "no answer but the end": write_waiting(hung_up, CacheDown),
    "another host, by 301": write_elsewhere("301 Moved Permanently"),
    "another host, by 307": write_elsewhere("307 Temporary Redirect"),
    "another host, by 308": write_elsewhere("308 Permanent Redirect"),
}
