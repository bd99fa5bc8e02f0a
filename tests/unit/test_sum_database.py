"""The checksum database: who is asked, what an answer must prove, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from attrs import define, field
from made_modules import module
from sum_log import NAME, SumLog, key_of, signed

from rvbuild.core.errors import SourceError, Unreachable, Untrusted, WrongContent
from rvbuild.core.events import Event, Noticed
from rvbuild.kinds.go.go_settings import GoSettings, parse_proxies
from rvbuild.kinds.go.sum_database import SumDatabase
from rvbuild.kinds.go.sum_settings import SumSettings
from rvbuild.transfers.faults import NotThere
from rvbuild.trust.ed25519 import is_signature

ONE, TWO = (
    module("e.org/One", "v1.0.0", "const A = 1"),
    module("e.org/two", "v1.0.0", "const B = 1"),
)
LINES = (*ONE.sums, *TWO.sums)
PLACE = f"http://proxy/sumdb/{NAME}"


def _pages(place: str = PLACE) -> dict[str, bytes]:
    """What a database has."""
    records = [f"e.org/n{n} v1.0.0 h1:x\n" for n in range(300)]
    records[7] = "".join(f"{line}\n" for line in ONE.sums)
    records[298] = "".join(f"{line}\n" for line in TWO.sums)
    return SumLog(records).pages(place)


@define
class World:
    """Addresses that have something; the others have nothing, or answer as ``errors`` say."""

    pages: Mapping[str, bytes]
    errors: Mapping[str, SourceError] = field(factory=dict)
    asked: list[str] = field(factory=list)
    told: list[Event] = field(factory=list)

    def get(self, url: str, limit: int) -> bytes:
        self.asked.append(url)
        for place, error in self.errors.items():
            if url.startswith(place):
                raise error
        if url not in self.pages:
            msg = "404"
            raise NotThere(msg, where=url)
        assert len(self.pages[url]) <= limit
        return self.pages[url]

    def database(self, proxies: str = "http://proxy,direct", **more: str) -> SumDatabase:
        environment = {"GOSUMDB": key_of(), "GOENV": "off", **more}
        return SumDatabase(
            proxies=lambda: GoSettings(proxies=parse_proxies(proxies)),
            settings=lambda: SumSettings.of(environment),
            get=self.get,
            is_signature=is_signature,
            report=self.told.append,
        )

    def notices(self) -> list[str]:
        notices = [each for each in self.told if isinstance(each, Noticed)]
        assert all(each.security for each in notices)
        return [each.text for each in notices]


def test_a_proxy_that_serves_the_database_is_asked():
    world = World(_pages())
    assert world.database("http://other,http://proxy").check(LINES) == ()
    assert world.notices() == []
    assert world.asked[:2] == [f"http://other/sumdb/{NAME}/supported", f"{PLACE}/supported"]
    assert all(url.startswith(f"{PLACE}/") for url in world.asked[2:])
    assert len([url for url in world.asked if "/tile/" in url]) == 3  # of both modules, once each


@pytest.mark.parametrize("proxies", ["direct", "off", "http://proxy"])
def test_else_the_database_itself_is_asked(proxies: str):
    world = World(_pages(f"https://{NAME}"))
    world.database(proxies).check(LINES)
    assert world.notices() == []


def test_an_address_of_its_own_is_asked_and_no_proxy():
    """As the go command has it: the proxy may be who is not believed."""
    world = World(_pages() | _pages("http://sums/x"))
    world.database("http://proxy", GOSUMDB=f"{key_of()}  http://sums/x/").check(LINES)
    assert world.notices() == []
    assert all(url.startswith("http://sums/x/") for url in world.asked)


def test_a_log_that_has_grown_since_has_whole_tiles_alone():
    pages = _pages()
    partial = f"{PLACE}/tile/8/0/001.p/44"
    pages[partial.partition(".p")[0]] = pages.pop(partial) + bytes(32 * (256 - 44))
    World(pages).database().check(LINES)


@pytest.mark.parametrize("cut", [b"", bytes(31), bytes(33)])
def test_a_tile_that_is_none_proves_nothing(cut: bytes):
    pages = _pages()
    pages = {path: cut if "/tile/" in path else page for path, page in pages.items()}
    with pytest.raises(Untrusted, match="the checksum database has no tile/8/0/000") as why:
        World(pages).database().check(LINES)
    assert why.value.where == PLACE
    assert "another GOPROXY" in str(why.value.hint)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"", b"", "that is no answer of a checksum database"),
        (b"7\n", b"x\n", "that is no answer of a checksum database"),
        (b"7\n", b"7" * 5000 + b"\n", "that is no answer of a checksum database"),
        (b"7\n", b"8\n", "the record 8 is not in the log"),
        (b"7\n", b"700\n", "the record 700 is not in the log"),
        (b" h1:", b" h1:B", "the record 7 is not in the log"),
        (b"go.sum database tree\n300", b"go.sum database tree\n301", "is not signed by the key"),
    ],
)
def test_an_answer_that_was_changed_on_the_way(old: bytes, new: bytes, message: str):
    pages, lookup = _pages(), f"{PLACE}/lookup/e.org/!one@v1.0.0"
    pages[lookup] = pages[lookup].replace(old, new, 1) if old else b""
    with pytest.raises(Untrusted, match=message) as why:
        World(pages).database().check(LINES)
    assert why.value.where == lookup
    assert "another GOPROXY" in str(why.value.hint)


def test_a_signed_text_that_is_no_head_of_a_log():
    pages, lookup = _pages(), f"{PLACE}/lookup/e.org/!one@v1.0.0"
    record, _, _ = pages[lookup].partition(b"\n\n")
    pages[lookup] = record + b"\n\n" + signed("a promise\n").encode()
    with pytest.raises(Untrusted, match="what is signed is no head of a log") as why:
        World(pages).database().check(LINES)
    assert "another GOPROXY" in str(why.value.hint)


def test_another_hash_is_refused_with_both():
    (zipped, go_mod), wrong = ONE.sums, "e.org/One v1.0.0 h1:" + "A" * 43 + "="
    with pytest.raises(WrongContent, match=r"another hash of e.org/One@v1.0.0") as why:
        World(_pages()).database().check((wrong, go_mod))
    assert why.value.details == (
        f"got:      {wrong}", f"database: {zipped}", f"database: {go_mod}",
    )  # fmt: skip


def test_a_module_that_the_database_does_not_know_is_refused():
    """Else whoever lies would say so."""
    with pytest.raises(NotThere) as why:
        World(_pages()).database().check(("e.org/x v1.0.0 h1:x",))
    assert why.value.message == "the checksum database does not know e.org/x@v1.0.0"
    assert "GONOSUMDB or GOPRIVATE" in str(why.value.hint)


@pytest.mark.parametrize("place", ["http://proxy", f"{PLACE}/lookup", f"{PLACE}/tile"])
def test_who_gives_no_answer_is_told_of(place: str):
    msg = "no route to host"
    world = World(_pages(), {place: Unreachable(msg)})
    assert world.database().check(LINES) == LINES
    (text,) = world.notices()
    assert "e.org/One@v1.0.0, e.org/two@v1.0.0" in text
    assert "cannot be asked: no route to host" in text


def test_what_was_proved_before_the_server_fell_silent_is_proved():
    world = World(_pages(), {f"{PLACE}/lookup/e.org/two": Unreachable("silent")})
    assert world.database().check(LINES) == TWO.sums
    (text,) = world.notices()
    assert "e.org/One" not in text
    assert "e.org/two@v1.0.0" in text


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        ({"GOSUMDB": "off"}, [("e.org/One@v1.0.0, e.org/two@v1.0.0", "GOSUMDB is off")]),
        (
            {"GOSUMDB": "", "PATH": "/nowhere"},  # no go command, whose default it would be
            [
                (
                    "e.org/One@v1.0.0, e.org/two@v1.0.0",
                    "GOSUMDB is not set: set GOSUMDB=sum.golang.org, or install Go",
                )
            ],
        ),
        ({"GONOSUMDB": "e.org/two"}, [("e.org/two@v1.0.0", "private: GONOSUMDB keeps it")]),
        (
            {"GOPRIVATE": "e.org"},
            [("e.org/One@v1.0.0, e.org/two@v1.0.0", "private: GONOSUMDB keeps it")],
        ),
        ({"GOPRIVATE": "e.org", "GONOSUMDB": "none"}, []),
    ],
)
def test_what_settings_keep_from_it_is_told(settings: dict[str, str], texts: list[tuple[str, str]]):
    world = World(_pages())
    unvouched = world.database(**settings).check(LINES)
    assert len(world.notices()) == len(texts)
    named = ", ".join(names for names, _ in texts)
    assert unvouched == tuple(line for line in LINES if line.split()[0] in named)
    for text, (names, why) in zip(world.notices(), texts, strict=True):
        assert f": {names} (" in text
        assert why in text


def test_nothing_new_is_nothing_to_ask():
    world = World({})
    world.database().check(())
    assert (world.asked, world.told) == ([], [])


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("sum.golang.org", ""),
        ("sum.golang.google.cn", "https://sum.golang.google.cn"),
        ("sum.golang.org http://sums", "http://sums"),
    ],
)
def test_the_database_of_the_go_command_is_known_by_its_names(name: str, address: str):
    settings = SumSettings.of({"GOSUMDB": name, "GOENV": "off"})
    assert settings.key is not None
    assert (settings.key.name, settings.key.id.hex()) == ("sum.golang.org", "033de0ae")
    assert settings.address == address


def test_settings_are_those_of_the_users_go_command(tmp_path: Path):
    file = tmp_path / "env"
    file.write_text(f"GOSUMDB={key_of()}\nGONOSUMDB=e.org\n")
    settings = SumSettings.of({"GOENV": str(file)})
    assert settings.key is not None
    assert settings.key.name == NAME
    assert settings.is_excluded("e.org/x")
    assert SumSettings.of({"GOENV": "off", "PATH": str(tmp_path)}).key is None


@pytest.mark.parametrize(
    "text",
    [
        "sums.example.org",
        "sums.example.org+1+x",
        "a b c",
        " ",
        "off http://sums",
        "sum.golang.google.cn http://sums",
        "sum.golang.org http://sums http://more",
    ],
)
def test_a_database_without_a_key_is_none(text: str):
    with pytest.raises(SourceError, match="GOSUMDB cannot be read"):
        SumSettings.of({"GOSUMDB": text, "GOENV": "off"})
