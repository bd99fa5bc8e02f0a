"""Package indexes that a test serves, and what pip and uv do with several of them.

What uv does is from uv 0.13.9 itself: tests/long/indexes asks it, and pip, for every row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from attrs import field, frozen
from made_wheel import made_wheel
from site_of_bytes import CLOSED, Asked, head

from rvbuild.kinds.pypi.indexes import Strategy

SECOND = "tool-1.2-py3-none-any.whl"


@frozen
class Places:
    """A server with indexes ``/a``, ``/b``, ``/c``; each file has the index's name in it.

    ``listed`` are the files of each index, or the status that it has for the project; ``hashes``
    are the SHA-256 that it gives them.
    """

    listed: Mapping[str, list[str] | str]
    asked: list[str] = field(factory=list)
    hashes: Mapping[str, str] = field(factory=dict)

    def answer(self, asked: Asked, send: Callable[[bytes], None]) -> None:
        _, index, *rest = asked.path.split("/")
        listed = self.listed.get(index, "404 Not Found")
        status, kind, data = "200 OK", "application/octet-stream", b""
        if rest[0] == "files":
            data = made_wheel(rest[1], index)
        elif isinstance(listed, str):
            self.asked.append(index)
            status = listed
        else:
            self.asked.append(index)
            kind, data = (
                "application/vnd.pypi.simple.v1+json",
                page(index, listed, self.hashes.get(index)),
            )
        length = f"Content-Length: {len(data)}"
        send(head(status, length, f"Content-Type: {kind}", CLOSED) + data)


def page(index: str, names: list[str], sha256: str | None) -> bytes:
    hashes = {"sha256": sha256} if sha256 else {}
    rows = [{"filename": it, "url": f"/{index}/files/{it}", "hashes": hashes} for it in names]
    meta = {"meta": {"api-version": "1.0"}, "name": "tool", "files": rows}
    return json.dumps(meta).encode()


OLD, NEW, LINUX, WINDOWS = (
    ["tool-1.1-py3-none-any.whl"],
    ["tool-1.2-py3-none-any.whl"],
    ["tool-1.2-py3-none-manylinux1_x86_64.whl"],
    ["tool-1.2-cp39-cp39-win_amd64.whl"],
)
GONE, REFUSED, BUSY = "404 Not Found", "403 Forbidden", "503 Service Unavailable"
STRATEGIES = FIRST, MATCH, BEST, PIP = (
    Strategy.FIRST_INDEX,
    Strategy.FIRST_MATCH,
    Strategy.BEST_MATCH,
    Strategy.PIP,
)
TABLE: dict[str, tuple[list[list[str] | str], list[str]]] = {
    "all have it": ([NEW, NEW, NEW], ["a a", "a a", "a a", "c abc"]),
    "the public one has a better": ([NEW, NEW, LINUX], ["a a", "a a", "a a", "c abc"]),
    "the first has another version": ([OLD, NEW, GONE], ["- a", "b ab", "b ab", "b abc"]),
    "the first has none for a machine": ([WINDOWS, NEW, GONE], ["- a", "- a", "b ab", "b abc"]),
    "the first has an empty page": ([[], NEW, GONE], ["- a", "b ab", "b ab", "b abc"]),
    "the first does not know it": ([GONE, NEW, NEW], ["b ab", "b ab", "b ab", "c abc"]),
    "the first refuses": ([REFUSED, NEW, GONE], ["- a", "b! ab", "b! ab", "b! abc"]),
    "the first is down": ([BUSY, NEW, GONE], ["- a", "- a", "- a", "b! abc"]),
    "the last is down": ([NEW, GONE, BUSY], ["a a", "a a", "a a", "a! abc"]),
    "nobody has it": ([GONE, OLD, GONE], ["- ab", "- abc", "- abc", "- abc"]),
}
"""What the indexes list; and for uv's three strategies and pip, whose wheel is taken (``-``: none,
``!``: with a notice), and which were asked."""


DEFAULT = "https://default.example/simple"
T = "https://t.example"  # of uv's files
TABLES = f"""
[[index]]
url = "{T}/1"
[[index]]
name = "two"
url = "{T}/2"
explicit = true
[[index]]
url = "{T}/default"
default = true
[[index]]
url = "{T}/3"
"""
E = "https://e.example"  # of the environment
UV_ORDER: dict[str, tuple[dict[str, str], str, list[str]]] = {
    "a file": ({}, TABLES, [f"{T}/1", f"{T}/3", f"{T}/default"]),
    "all variables": (
        {
            "UV_INDEX": f"corp={E}/1 {E}/2",
            "UV_EXTRA_INDEX_URL": f"{E}/3",
            "UV_DEFAULT_INDEX": f"{E}/default",
            "UV_INDEX_URL": f"{E}/url",
        },
        TABLES,
        [f"{E}/1", f"{E}/2", f"{E}/3", f"{T}/1", f"{T}/3", f"{E}/default"],
    ),
    "the older names": (
        {"UV_EXTRA_INDEX_URL": f"{E}/1", "UV_INDEX_URL": f"{E}/url"},
        TABLES,
        [f"{E}/1", f"{T}/1", f"{T}/3", f"{E}/url"],
    ),
    "only an index": ({"UV_INDEX": f"{E}/1"}, "", [f"{E}/1", DEFAULT]),
    "the older names in a file": (
        {},
        f'index-url = "{T}/url"\nextra-index-url = ["{T}/x"]\n[[index]]\nurl = "{T}/1"\n',
        [f"{T}/1", f"{T}/x", f"{T}/url"],
    ),
    "a default beside an older name": (
        {},
        f'index-url = "{T}/url"\n[[index]]\nurl = "{T}/default"\ndefault = true\n',
        [f"{T}/default"],
    ),
    "what is for its pip": (
        {},
        (
            f'index-url = "{T}/url"\nextra-index-url = ["{T}/x"]\n'
            f'[pip]\nindex-url = "{T}/pip"\nextra-index-url = ["{T}/y"]\n'
        ),
        [f"{T}/y", f"{T}/x", f"{T}/pip"],
    ),
}
"""Variables, a file, and the indexes that uv 0.13.9 asked, in its order."""
