"""Archives beside Debian's in apt's sources: whose index counts, and which archive comes next."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve, frozen
from signed_archive import NOW, MadePackage, SignedArchive, Signer
from site_of_bytes import CLOSED, Answer, Asked, Served, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import RvbuildError, SourceError
from rvbuild.core.events import Noticed
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.snapshot import Snapshot
from rvbuild.kinds.debian.archive_keys import ArchiveKeys
from rvbuild.kinds.debian.debian_release import Releases
from rvbuild.kinds.debian.fetch import DebianFetcher
from rvbuild.kinds.debian.index_policy import IndexPolicy
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.transfers.apt_config import find_archives
from rvbuild.transfers.apt_lists import list_name
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

DEBIAN, VENDOR = Signer(), Signer()
TOOL, HELPER = MadePackage("tool"), MadePackage("helper")
OURS = SignedArchive.of(TOOL)


def theirs(archive: SignedArchive) -> SignedArchive:
    """The archive with other bytes in its package: the lock shows which one was read."""
    sha256 = TOOL.paragraph.split("SHA256: ")[1][:64]
    return evolve(archive, packages=archive.packages.replace(sha256, "f" * 64))


@frozen
class Machine:
    """A machine with an apt, whose user trusts Debian's key for every archive."""

    folder: Path
    files: PinnedFiles
    notices: list[Noticed]

    def archive(self, name: str, archive: SignedArchive, signer: Signer = DEBIAN) -> str:
        """The address of an archive in a folder."""
        self.write(name, archive.pages(signer.clear(archive.index)))
        return f"file://{self.folder}/{name}"

    def write(self, name: str, pages: Mapping[str, bytes]) -> None:
        for path, data in pages.items():
            file = self.folder / name / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def fetcher(self, *lines: str, **environment: str) -> DebianFetcher:
        """What locks, with these lines in apt's sources."""
        apt = self.folder / "apt"
        apt.mkdir(exist_ok=True)
        (apt / "sources.list").write_text("\n".join([*lines, ""]))
        (apt / "vendor.asc").write_bytes(VENDOR.keyring)
        (self.folder / "keyring").write_bytes(DEBIAN.keyring)
        policy = IndexPolicy(
            keys=ArchiveKeys([self.folder / "keyring"], installed=()),
            report=self.notices.append,  # type: ignore[arg-type]
            clock=lambda: NOW,
        )
        own = {"RVBUILD_DEBIAN_SNAPSHOT": "off", "PATH": ""} | environment
        return DebianFetcher(
            files=self.files,
            releases=Releases(files=self.files, policy=policy),
            archives=lambda: find_archives(own, apt),
            mirrors=Mirrors(),
        )

    def entry(self, base: str, rest: str = "bookworm main", options: str = "") -> str:
        """A line of apt's sources, of a vendor with a key of its own."""
        return f"deb [signed-by={self.folder}/apt/vendor.asc {options}] {base} {rest}"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Transport(
        environment={}, patience=Patience(tries=1), credentials=Credentials({})
    ) as transport:
        yield Machine(tmp_path, PinnedFiles(transport=transport, temp=tmp_path / "temp"), [])


def lock(fetcher: DebianFetcher, earlier: Snapshot | None = None) -> DebianPackage:
    (package,) = fetcher.resolve(("tool",), "bookworm", "amd64", earlier=earlier)
    return package


def is_ours(package: DebianPackage) -> bool:
    return package.sha256 != "f" * 64


@pytest.mark.parametrize(
    ("origin", "is_debian"),
    [
        ("Debian", True),
        ("Debian Backports", True),
        ("Debian Ports", False),
        ("debian", False),
        ("Docker", False),
        ("Google LLC", False),
        ("Artifactory", False),
        ("Ubuntu", False),
        ("Raspbian", False),
        ("Raspberry Pi Foundation", False),
        ("Kali", False),
        ("PureOS", False),
        ("Devuan", False),
        ("", False),
    ],
)
def test_whose_archive_counts(machine: Machine, origin: str, is_debian: bool):  # noqa: FBT001
    """Each has the suite, `main`, the package, and a good signature by the key that apt has."""
    vendor = machine.archive("vendor", evolve(theirs(OURS), origin=origin), VENDOR)
    debian = machine.archive("debian", OURS)
    both = [machine.entry(vendor), f"deb {debian} bookworm main"]
    assert is_ours(lock(machine.fetcher(*both))) is not is_debian
    assert is_ours(lock(machine.fetcher(both[1], both[0])))
    alone = machine.fetcher(both[0])
    if is_debian:
        assert not is_ours(lock(alone))
        return
    with pytest.raises(SourceError, match="no address had it") as caught:
        lock(alone)
    (line,) = caught.value.details
    assert f"origin is '{origin}'" in line or "names no origin" in line
    assert "RVBUILD_DEBIAN_MIRROR" in hint_text(caught.value.hint)
    assert is_ours(lock(machine.fetcher(both[0], RVBUILD_DEBIAN_MIRROR=debian)))
    named = machine.fetcher(*both, RVBUILD_DEBIAN_MIRROR=vendor)
    assert not is_ours(lock(named))
    assert machine.notices == []


@pytest.mark.parametrize("vendor", ["unsigned", "unknown key", "key gone", "forged"])
def test_what_is_wrong_with_a_vendors_index_is_no_matter_of_debians(machine: Machine, vendor: str):
    """The same of an archive that says that it is Debian's is an error at once."""
    for origin in ("Docker", "Debian"):
        archive = evolve(OURS, origin=origin)
        base = machine.archive("vendor", archive, DEBIAN if vendor == "key gone" else VENDOR)
        if vendor == "unsigned":
            machine.write("vendor", {"dists/bookworm/InRelease": archive.index.encode()})
        if vendor == "forged":
            text = VENDOR.clear(archive.index).replace(b"SHA256:", b"Label: evil\nSHA256:")
            machine.write("vendor", {"dists/bookworm/InRelease": text})
        entry = machine.entry(base)
        if vendor == "unknown key":
            entry = f"deb {base} bookworm main"
        if vendor == "key gone":
            entry = f"deb [signed-by=/gone.gpg] {base} bookworm main"
        fetcher = machine.fetcher(entry, f"deb {machine.archive('debian', OURS)} bookworm main")
        if origin == "Docker":
            assert is_ours(lock(fetcher))
        else:
            with pytest.raises(RvbuildError):
                lock(fetcher)


LACKING: dict[str, tuple[SignedArchive, tuple[str, ...]]] = {
    "the suite": (evolve(OURS, suite="trixie"), ()),
    "the architecture": (OURS, ()),
    "the package": (SignedArchive.of(HELPER), ()),
    "a package that it needs": (SignedArchive.of(MadePackage("tool", needs="helper")), ()),
    "the list": (OURS, ("dists/bookworm/main/binary-amd64/Packages.xz",)),
    "all": (OURS, ("dists",)),
}
"""What an archive does not have, with the paths that are removed from it."""


@pytest.mark.parametrize("what", LACKING)
@pytest.mark.parametrize("after", ["apt", "the snapshot archive"])
def test_what_an_archive_lacks_leads_to_the_next(machine: Machine, what: str, after: str):
    archive, paths = LACKING[what]
    if what == "the architecture":
        text = archive.index.replace("binary-amd64", "binary-armel")
        base = machine.archive("first", archive)
        machine.write("first", {"dists/bookworm/InRelease": DEBIAN.clear(text)})
    else:
        base = machine.archive("first", archive)
    for path in paths:
        gone = machine.folder / "first" / path
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    first = f"deb {base} bookworm main"
    if after == "apt":
        fetcher = machine.fetcher(first, f"deb {machine.archive('next', OURS)} bookworm main")
    else:
        machine.archive("snapshots/20260101T000000Z", OURS)
        fetcher = machine.fetcher(first, RVBUILD_DEBIAN_SNAPSHOT=f"{machine.folder}/snapshots")
    assert is_ours(lock(fetcher))
    with pytest.raises(SourceError) as caught:
        lock(machine.fetcher(first))
    assert caught.value.details
    assert caught.value.hint


def test_no_archive_is_asked_after_the_one_that_has_it(machine: Machine):
    """Control of the table: the first one has all of it."""
    first = machine.archive("first", theirs(OURS))
    fetcher = machine.fetcher(
        f"deb {first} bookworm main", RVBUILD_DEBIAN_SNAPSHOT="http://127.0.0.1:1/archive"
    )
    assert not is_ours(lock(fetcher))


def test_a_misspelled_package_is_named_by_the_first_archive(machine: Machine):
    """With a line for each archive, also when two entries of a recipe ask for it."""
    bases = [machine.archive(name, OURS) for name in ("one", "two")]
    fetcher = machine.fetcher(*(f"deb {base} bookworm main" for base in bases))
    for _ in range(2):
        with pytest.raises(SourceError, match="bookworm has no package tol") as caught:
            fetcher.resolve(("tol",), "bookworm", "amd64")
        assert hint_text(caught.value.hint) == "did you mean tool?"
        assert [line.partition(": ")[0] for line in caught.value.details] == bases
        with pytest.raises(SourceError, match="no packages for riscv64") as caught:
            fetcher.resolve(("tool",), "bookworm", "riscv64")
        assert len(caught.value.details) == 2


# ---- a signature that cannot be had


def signed_apart(answer: str) -> Answer:
    """An archive without ``InRelease``, whose ``Release.gpg`` gets an answer of its own."""
    signature = DEBIAN.apart(OURS.index)
    pages = OURS.files() | {"/dists/bookworm/Release": OURS.index.encode()}

    def send_page(asked: Asked, send: Callable[[bytes], None]) -> None:
        status, data = "404 Not Found", b""
        if asked.path.endswith("Release.gpg"):
            status, data = answer, signature if answer == "200 OK" else b""
        elif asked.path in pages:
            status, data = "200 OK", pages[asked.path]
        send(head(status, f"Content-Length: {len(data)}", CLOSED) + data)

    return send_page


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("200 OK", 0),
        ("404 Not Found", 5),
        ("410 Gone", 5),
        ("403 Forbidden", 4),
        ("500 Internal Server Error", 4),
        ("503 Service Unavailable", 4),
    ],
)
def test_what_is_not_answered_is_not_unsigned(machine: Machine, answer: str, code: int):
    """That there is no signature is said by the archive alone; another fault leads on."""
    with serve(signed_apart(answer)) as site:
        alone = machine.fetcher(RVBUILD_DEBIAN_MIRROR=site.url)
        if not code:
            assert is_ours(lock(alone))
            return
        with pytest.raises(RvbuildError) as caught:
            lock(alone)
        assert caught.value.exit_code == code
        assert ("is not signed" in caught.value.message) is (code == 5)
        if code == 4:
            (line,) = [
                line
                for line in caught.value.details
                if line.startswith(f"{site.url}/dists/bookworm/Release.gpg")
            ]
            assert answer[:3] in line
            debian = machine.archive("debian", OURS)
            both = machine.fetcher(RVBUILD_DEBIAN_MIRROR=f"{site.url} {debian}")
            assert is_ours(lock(both))


# ---- what apt's own lists say


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://m.example/debian/dists/sid/InRelease", "m.example_debian_dists_sid_InRelease"),
        ("https://u:p@m.example:81/d/dists/sid/Release", "m.example:81_d_dists_sid_Release"),
        ("file:///srv/a_b~c/dists/sid/Release", "_srv_a%5fb%7ec_dists_sid_Release"),
        ("http://m.example/a%20b/dists/sid/Release", "m.example_a%2520b_dists_sid_Release"),
    ],
)
def test_how_apt_names_the_files_of_its_lists(url: str, name: str):
    assert list_name(url) == name


def test_apts_lists_say_whose_an_archive_is(machine: Machine):
    """Then nobody asks another vendor's archive for Debian's packages."""
    program = machine.folder / "bin/apt-config"
    program.parent.mkdir()
    lines = [f'Dir "{machine.folder}/";', 'Dir::State "state";', 'Dir::State::lists "lists/";']
    program.write_text("\n".join(["#!/bin/sh", *(f"echo '{line}'" for line in lines), ""]))
    program.chmod(0o755)
    lists = machine.folder / "state/lists"
    lists.mkdir(parents=True)
    origins = {"docker": "Docker", "debian": "Debian", "backports": "Debian Backports", "odd": ""}
    for name, origin in origins.items():
        index = evolve(OURS, origin=origin).index
        file = lists / f"{name}.example_d_dists_bookworm_InRelease"
        file.write_bytes(VENDOR.clear(index))
    (lists / "chrome.example_d_dists_stable_Release").write_text("Origin: Google LLC\n")
    hosts = [*origins, "unknown"]
    entries = [f"deb http://{name}.example/d bookworm main" for name in hosts]
    entries += [
        "deb http://chrome.example/d stable main",
        "deb http://other.example/d bookworm stable contrib",
    ]
    apt = machine.folder / "apt"
    machine.fetcher(*entries)
    path = f"{program.parent}:/usr/bin:/bin"
    bases = find_archives({"PATH": path}, apt).bases
    expected = ["debian", "backports", "odd", "unknown"]
    assert bases == tuple(f"http://{name}.example/d" for name in expected)
    named = {"PATH": path, "RVBUILD_DEBIAN_MIRROR": "http://docker.example/d"}
    assert find_archives(named, apt).bases[0] == "http://docker.example/d"


# ---- which archive a build asks


PACKAGE = DebianPackage(
    name=TOOL.name,
    version="1",
    architecture="amd64",
    pool=TOOL.pool,
    sha256=hashlib.sha256(TOOL.data).hexdigest(),
    size=len(TOOL.data),
)


@contextmanager
def served(pages: Mapping[str, bytes]) -> Iterator[Served]:
    """An archive on a loopback server, which notes what it is asked for."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        data = pages.get(asked.path)
        status = "404 Not Found" if data is None else "200 OK"
        send(head(status, CLOSED, f"Content-Length: {len(data or b'')}") + (data or b""))

    with serve(answer) as site:
        yield site


def fetched(fetcher: DebianFetcher) -> bool:
    sink = DigestSink()
    fetcher.fetch(PACKAGE, sink, no_progress)
    return "share" in sink.nested


ORIGINS = {
    "another vendor": (evolve(OURS, origin="Docker"), False),
    "Debian": (OURS, True),
    "without an origin": (evolve(OURS, origin=""), False),
    "without an index": (None, False),
}
"""What is served as an archive of apt's, and whether a build asks it for a package."""


@pytest.mark.parametrize("case", ORIGINS)
@pytest.mark.parametrize("lines", ["deb {} bookworm main", "deb {} stable bookworm main contrib"])
def test_a_build_asks_only_archives_that_say_to_be_debians(machine: Machine, case: str, lines: str):
    """Apt has no lists yet, as in a slim container: the archive's own index says whose it is."""
    archive, is_asked = ORIGINS[case]
    pages = archive.pages(VENDOR.clear(archive.index)) if archive else {}
    pages = {**pages, f"/{TOOL.pool}": TOOL.data}
    pages |= {path.replace("bookworm", "stable"): data for path, data in pages.items()}
    debian = f"file://{machine.folder}/debian"
    machine.write("debian", {f"/{TOOL.pool}": TOOL.data, **OURS.pages(DEBIAN.clear(OURS.index))})
    with served(pages) as site:
        fetcher = machine.fetcher(lines.format(site.url), f"deb {debian} bookworm main")
        assert fetched(fetcher)
        assert fetched(fetcher)
        paths = [asked.path for asked in site.asked]
        assert paths.count(f"/{TOOL.pool}") == (2 if is_asked else 0)
        indexes = [path for path in paths if path.startswith("/dists/")]
        assert len(indexes) == len(set(indexes)) <= 2  # once in a run


SUITES: dict[str, tuple[tuple[str, ...], bool]] = {
    "the first is not there": (("gone", "ours"), True),
    "only the last is there": (("gone", "gone", "ours"), True),
    "the first is damaged": (("damaged", "ours"), True),
    "the first is a portal's page": (("page", "ours"), True),
    "the first is another vendor's": (("theirs", "ours"), False),
    "the first that is there is another vendor's": (("gone", "theirs", "ours"), False),
    "the first that is there is Debian's": (("gone", "ours", "theirs"), True),
    "none is there": (("gone", "gone"), False),
    "one is damaged and none is there": (("gone", "damaged", "gone"), False),
}
"""What an archive has of its suites, in the order of apt's sources; whether it is asked."""


@pytest.mark.parametrize("case", SUITES)
@pytest.mark.parametrize("as_lines", [True, False], ids=["a line each", "one entry"])
def test_the_first_suite_that_is_there_says_whose_an_archive_is(
    machine: Machine,
    case: str,
    as_lines: bool,  # noqa: FBT001
):
    answers, is_asked = SUITES[case]
    suites = ("bookworm-backports", "bookworm", "trixie")[: len(answers)]
    indexes = {
        "ours": VENDOR.clear(OURS.index),
        "theirs": VENDOR.clear(evolve(OURS, origin="Docker").index),
        "damaged": VENDOR.clear(OURS.index) + b"more",
        "page": b"<html>log in</html>",
    }
    pages = {f"/{TOOL.pool}": TOOL.data} | {
        f"/dists/{suite}/InRelease": indexes[answer]
        for suite, answer in zip(suites, answers, strict=True)
        if answer in indexes
    }
    with served(pages) as site:
        lines = [f"deb {site.url} {suite} main" for suite in suites]
        apt = machine.fetcher(*lines)
        if not as_lines:
            apt = machine.fetcher()
            entry = f"Types: deb\nURIs: {site.url}\nSuites: {' '.join(suites)}\nComponents: main\n"
            (machine.folder / "apt/sources.list.d").mkdir()
            (machine.folder / "apt/sources.list.d/debian.sources").write_text(entry)
        if is_asked:
            assert fetched(apt)
            return
        with pytest.raises(SourceError) as caught:
            fetched(apt)
        assert f"/{TOOL.pool}" not in [asked.path for asked in site.asked]
        if set(answers) == {"gone"}:
            for suite in suites:  # a person sees each address that was asked
                assert any(f"/dists/{suite}/InRelease" in line for line in caught.value.details)


def test_who_has_the_last_word_on_an_archive(machine: Machine):
    """The user, by name to rvbuild; then apt's lists. Nobody reads an index for that."""
    pages = {f"/{TOOL.pool}": TOOL.data}
    with served(pages) as site:
        line = f"deb {site.url} bookworm main"
        with pytest.raises(SourceError) as caught:
            fetched(machine.fetcher(line))
        assert any("404" in detail for detail in caught.value.details)
        for named in ("RVBUILD_DEBIAN_MIRROR", "RVBUILD_DEBIAN_UNCHECKED"):
            del site.asked[:]
            own = machine.fetcher(line, **{named: site.url})
            if named == "RVBUILD_DEBIAN_UNCHECKED":
                policy = evolve(own.releases.policy, unchecked=lambda: (site.url,))
                own = evolve(own, releases=evolve(own.releases, policy=policy))
            assert fetched(own)
            assert [asked.path for asked in site.asked] == [f"/{TOOL.pool}"]
        del site.asked[:]
        program = machine.folder / "bin/apt-config"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho 'Dir::State::lists \"{machine.folder}/lists/\";'\n")
        program.chmod(0o755)
        (machine.folder / "lists").mkdir()
        name = list_name(f"{site.url}/dists/bookworm/InRelease")
        (machine.folder / "lists" / name).write_text("Origin: Debian\n")
        assert fetched(machine.fetcher(line, PATH=f"{program.parent}:/usr/bin:/bin"))
        assert [asked.path for asked in site.asked] == [f"/{TOOL.pool}"]


def test_a_mirror_of_the_users_is_asked_whatever_the_archive_says(machine: Machine):
    """`--mirror` names it; the archive itself, which gives no index, is not asked."""
    machine.write("near", {f"/{TOOL.pool}": TOOL.data})
    with served({}) as site:
        fetcher = machine.fetcher(f"deb {site.url} bookworm main")
        near = Mirrors(((site.url, f"file://{machine.folder}/near"),))
        assert fetched(evolve(fetcher, mirrors=near))
        assert site.asked == []


def test_what_to_do_is_said_once(machine: Machine):
    """No archive is known, and what is locked is in no snapshot: both say to name a mirror."""
    package = lock(machine.fetcher(f"deb {machine.archive('debian', OURS)} bookworm main"))
    snapshots = machine.folder / "snapshots"
    snapshots.mkdir()
    fetcher = machine.fetcher(RVBUILD_DEBIAN_SNAPSHOT=str(snapshots))
    with pytest.raises(SourceError) as caught:
        fetcher.fetch(package, DigestSink(), no_progress)
    hint = hint_text(caught.value.hint)
    assert hint.count("set RVBUILD_DEBIAN_MIRROR to") == 1
    assert "archives drop superseded versions" in hint
