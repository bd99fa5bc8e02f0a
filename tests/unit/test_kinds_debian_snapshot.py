"""Debian's snapshot archive: what the lock says of it, and when it is asked."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import lzma
import re
import tarfile
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from functools import partial
from pathlib import Path

import pytest
import refs
from attrs import evolve
from signed_archive import NOW, SignedArchive, Signer, policy_of
from site_of_bytes import CLOSED, Answer, Asked, Served, head, serve

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import SourceError, VerificationError
from rvbuild.core.events import Event
from rvbuild.core.lock import Lock, LockedSource
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.snapshot import Snapshot
from rvbuild.core.tree import File, Tree
from rvbuild.kinds.debian.debian_release import Release, Releases
from rvbuild.kinds.debian.fetch import DebianFetcher
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.recipes_yaml.lock import read_lock, write_lock
from rvbuild.transfers.apt_config import SNAPSHOTS, find_archives
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

DATE, NEXT_DAY = "20260830T142311Z", "20260831T142311Z"
BEFORE, FIRST, AFTER = "20260830T083300Z", "20260830T204015Z", "20260903T023000Z"
POOL = "pool/main/t/tool/tool_1_amd64.deb"
TREE = Tree.of({"tool": File(Digest.of(b"program"), executable=True)}).root


def deb() -> bytes:
    """A binary package with one program."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w") as tar:
        info = tarfile.TarInfo("./tool")
        info.size, info.mode = 7, 0o755
        tar.addfile(info, io.BytesIO(b"program"))
    members = {"debian-binary": b"2.0\n", "control.tar": b"", "data.tar": to.getvalue()}
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


DEB = deb()
PACKAGES = lzma.compress(
    f"Package: tool\nVersion: 1\nArchitecture: amd64\nFilename: {POOL}\n"
    f"SHA256: {hashlib.sha256(DEB).hexdigest()}\nSize: {len(DEB)}\n".encode()
)
SIGNER, DAY = Signer(), dt.timedelta(days=1)
INDEX = (
    "Suite: bookworm\nDate: Sun, 30 Aug 2026 14:23:11 UTC\nSHA256:\n"
    f" {hashlib.sha256(PACKAGES).hexdigest()} {len(PACKAGES)} main/binary-amd64/Packages.xz\n"
)
DISTS = {
    "dists/bookworm/InRelease": SIGNER.clear(INDEX),
    "dists/bookworm/main/binary-amd64/Packages.xz": PACKAGES,
}


def pages(files: dict[str, bytes]) -> Answer:
    """A server of files."""

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        data = files.get(asked.path)
        if data is None:
            send(head("404 Not Found", "Content-Length: 0", CLOSED))
            return
        send(head("200 OK", f"Content-Length: {len(data)}", CLOSED) + data)

    return answer


def archive_of(runs: dict[str, dict[str, bytes]]) -> Answer:
    """A snapshot archive: it sends whoever asks for a moment to its last run until then."""
    files = {f"/{run}/{path}": data for run, kept in runs.items() for path, data in kept.items()}

    def answer(asked: Asked, send: Callable[[bytes], None]) -> None:
        _, moment, path = asked.path.split("/", 2)
        run = max((run for run in runs if run <= moment), default=moment)
        if run != moment:
            send(head("302 Found", f"Location: /{run}/{path}", "Content-Length: 0", CLOSED))
            return
        pages(files)(asked, send)

    return answer


@pytest.fixture
def archive() -> Iterator[Served]:
    """An archive that has an index, and dropped the package that it names."""
    with serve(pages({f"/{path}": data for path, data in DISTS.items()})) as served:
        yield served


@pytest.fixture
def snapshots() -> Iterator[Served]:
    """It has the package from the run after the index's date on, for some days."""
    with serve(archive_of({BEFORE: {}, FIRST: {POOL: DEB}, AFTER: {}})) as served:
        yield served


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Callable[..., DebianFetcher]]:
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as transport:

        def make(
            archive: str, snapshots: str, *mirrors: tuple[str, str], offline: bool = False
        ) -> DebianFetcher:
            environment = {"RVBUILD_DEBIAN_MIRROR": archive, "RVBUILD_DEBIAN_SNAPSHOT": snapshots}
            client = NoTransport() if offline else transport
            files = PinnedFiles(transport=client, temp=tmp_path / "temp")
            return DebianFetcher(
                files=files,
                releases=Releases(files=files, policy=policy_of(SIGNER, tmp_path / "keys")),
                archives=partial(find_archives, environment, tmp_path / "no-apt"),
                mirrors=Mirrors(mirrors),
            )

        yield make


def fetched(fetcher: DebianFetcher, source: DebianPackage) -> Digest:
    sink = DigestSink()
    fetcher.fetch(source, sink, no_progress)
    return sink.tree.root


def locked(fetcher: DebianFetcher) -> DebianPackage:
    """The package as it comes out of a lock that was written."""
    parts = fetcher.resolve(("tool",), "bookworm", "amd64")
    lock = Lock(sources={refs.source("box/debian@amd64"): LockedSource(spec="s", parts=parts)})
    text = write_lock(lock)
    assert f"\n    snapshot: {DATE}\n" in text
    again = read_lock(text.encode(), "rvbuild.lock")
    assert again == lock
    (package,) = again.sources[refs.source("box/debian@amd64")].parts
    assert isinstance(package, DebianPackage)
    return package


def test_a_package_that_its_archive_dropped(
    archive: Served, snapshots: Served, fetcher: Callable[..., DebianFetcher]
):
    """The run before the index's date lacks it: the next day's is the first to be sure of."""
    mine = fetcher(archive.url, snapshots.url)
    package = locked(mine)
    assert snapshots.asked == []
    assert fetched(mine, package) == TREE
    assert archive.asked[-1].path == f"/{POOL}"
    assert [asked.path for asked in snapshots.asked] == [f"/{NEXT_DAY}/{POOL}", f"/{FIRST}/{POOL}"]


def status(line: str) -> Answer:
    """A server that says the same to everybody."""
    return lambda _, send: send(head(line, "Content-Length: 0", CLOSED))


def sends(data: bytes) -> Answer:
    """A server that has one file under every name."""
    return lambda _, send: send(head("200 OK", f"Content-Length: {len(data)}", CLOSED) + data)


NEXT: dict[str, Answer] = {
    "absent": status("404 Not Found"),
    "gone": status("410 Gone"),
    "a password is wanted": status("401 Unauthorized"),
    "refused": status("403 Forbidden"),
    "broken": status("500 Internal Server Error"),
    "busy": status("503 Service Unavailable"),
    "cut": lambda _, send: send(head("200 OK", f"Content-Length: {len(DEB)}", CLOSED) + DEB[:9]),
    "no HTTP": lambda _, send: send(b"?\r\n\r\n"),
    "no answer": lambda *_: None,
}
OTHER: dict[str, Answer] = {
    "other bytes": sends(DEB[:-1] + b"?"),
    "another size": sends(DEB + b"?"),
    "a portal": sends(b"<html>please log in"),
}


@pytest.mark.parametrize("answer", [*NEXT, *OTHER, "closed port"])
def test_which_answers_lead_to_the_next_address(
    answer: str, snapshots: Served, fetcher: Callable[..., DebianFetcher]
):
    """The table of ADR 23, for a locked package."""
    with serve((NEXT | OTHER).get(answer, status("404 Not Found"))) as first:
        base = "http://127.0.0.1:1" if answer == "closed port" else first.url
        assert fetched(fetcher(base, snapshots.url), PACKAGE) == TREE
        error = VerificationError if answer in OTHER else SourceError
        with pytest.raises(error):
            fetched(fetcher(base, "off"), PACKAGE)


@pytest.mark.parametrize("answer", [*NEXT, "a portal", "closed port"])
def test_which_answers_lead_to_the_next_index(
    answer: str, archive: Served, fetcher: Callable[..., DebianFetcher]
):
    """The same for an index; a page that is none is no index, not a wrong one."""
    with serve((NEXT | OTHER).get(answer, status("404 Not Found"))) as first:
        base = "http://127.0.0.1:1" if answer == "closed port" else first.url
        assert locked(fetcher(f"{base} {archive.url}", "off")) == PACKAGE
        with pytest.raises(SourceError, match="no address had it") as caught:
            fetcher(base, "off").resolve(("tool",), "bookworm", "amd64")
    assert f"{base}/dists/bookworm/InRelease: " in caught.value.details[0]


PACKAGE = DebianPackage(
    name="tool",
    version="1",
    architecture="amd64",
    pool=POOL,
    sha256=hashlib.sha256(DEB).hexdigest(),
    size=len(DEB),
    snapshot=Snapshot.parse(DATE),
)
UBUNTU = "Types: deb\nURIs: http://127.0.0.1:1/ubuntu\nSuites: noble noble-updates\n"


@pytest.mark.parametrize(
    "apt",
    [
        {},  # Fedora, Arch: no /etc/apt, no gpgv, no keyring
        {"sources.list": ""},
        {"sources.list.d/ubuntu.sources": UBUNTU},
        {"sources.list": "deb http://127.0.0.1:1/ubuntu noble main\n"},
    ],
)
def test_a_machine_that_knows_nothing_of_debian(
    tmp_path: Path, snapshots: Served, apt: dict[str, str]
):
    """A locked package has a SHA-256: neither an archive nor an index nor a key is needed."""
    for name, text in apt.items():
        file = tmp_path / "apt" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    notices: list[Event] = []
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as transport:
        files = PinnedFiles(transport=transport, temp=tmp_path / "temp", report=notices.append)
        environment = {"RVBUILD_DEBIAN_SNAPSHOT": snapshots.url, "PATH": ""}
        machine = DebianFetcher(
            files=files,
            releases=Releases(files=files, policy=policy_of(SIGNER, tmp_path / "keys")),
            archives=partial(find_archives, environment, tmp_path / "apt"),
            mirrors=Mirrors(()),
        )
        assert fetched(machine, PACKAGE) == TREE
    assert notices == []
    assert snapshots.asked[0].path == f"/{NEXT_DAY}/{POOL}"


def test_locking_on_a_machine_that_knows_nothing_of_debian(tmp_path: Path):
    """The newest of the snapshot archive; its index may have expired, and must be signed well."""
    old = SignedArchive(packages=lzma.decompress(PACKAGES).decode(), date=NOW - 99 * DAY)
    old.more = f"Valid-Until: {format_datetime(NOW - 92 * DAY)}\n"
    for text, is_good in ((old.index, True), (old.index + " x", False)):
        signed = SIGNER.clear(old.index)
        index = {
            path.lstrip("/"): data
            for path, data in old.pages(signed.replace(old.index.encode(), text.encode())).items()
        }
        with serve(archive_of({f"{NOW - DAY:%Y%m%dT%H%M%SZ}": index})) as archive:
            mine = a_machine(tmp_path, archive.url)
            if not is_good:
                with pytest.raises(VerificationError, match="is not one of this text"):
                    mine.resolve(("tool",), "bookworm", "amd64")
                continue
            (package,) = mine.resolve(("tool",), "bookworm", "amd64")
            assert package.snapshot
            assert package.snapshot.moment == old.date
            first = r"/\d{8}T\d{6}Z/dists/bookworm/InRelease"
            assert re.fullmatch(first, archive.asked[0].path)


def a_machine(folder: Path, snapshots: str, **more: str) -> DebianFetcher:
    """One without apt, where a snapshot archive is known."""
    environment = {"RVBUILD_DEBIAN_SNAPSHOT": snapshots, "PATH": "", **more}
    transport = Transport(patience=Patience(tries=1), credentials=Credentials({}))
    files = PinnedFiles(transport=transport, temp=folder / "temp")
    return DebianFetcher(
        files=files,
        releases=Releases(files=files, policy=policy_of(SIGNER, folder / "keys")),
        archives=partial(find_archives, environment, folder / "no-apt"),
        mirrors=Mirrors(()),
    )


def test_where_nothing_has_a_package_the_missing_archive_is_named(
    fetcher: Callable[..., DebianFetcher],
):
    with pytest.raises(SourceError) as caught:
        fetched(fetcher("", "off"), PACKAGE)
    assert caught.value.details == ("/etc/apt: apt on this machine knows no archive of Debian",)
    assert "RVBUILD_DEBIAN_MIRROR" in hint_text(caught.value.hint)


def test_the_users_own_archives_come_first(
    archive: Served, snapshots: Served, fetcher: Callable[..., DebianFetcher]
):
    package = locked(fetcher(archive.url, snapshots.url))
    with serve(pages({f"/{POOL}": DEB})) as full:
        assert fetched(fetcher(f"{archive.url} {full.url}", snapshots.url), package) == TREE
    assert snapshots.asked == []


def test_every_address_that_was_asked_is_named(
    archive: Served, fetcher: Callable[..., DebianFetcher]
):
    with serve(archive_of({BEFORE: {}, AFTER: {}})) as empty:
        mine = fetcher(archive.url, empty.url)
        with pytest.raises(SourceError) as caught:
            fetched(mine, locked(mine))
    asked = [line.rpartition(": ")[0] for line in caught.value.details if "http" in line]
    assert [address.split("//", 1)[1].partition("/")[2] for address in asked] == [
        POOL,
        f"{NEXT_DAY}/{POOL}",
        f"{DATE}/{POOL}",
    ]


def test_other_bytes_are_refused(archive: Served, fetcher: Callable[..., DebianFetcher]):
    with serve(archive_of({FIRST: {POOL: DEB[:-1] + b"?"}})) as wrong:
        mine = fetcher(archive.url, wrong.url)
        with pytest.raises(VerificationError):
            fetched(mine, locked(mine))


def test_a_lock_without_the_moment_asks_for_what_the_snapshot_archive_has_now(
    archive: Served, snapshots: Served, fetcher: Callable[..., DebianFetcher]
):
    mine = fetcher(archive.url, snapshots.url)
    with pytest.raises(SourceError, match="no address had it"):
        fetched(mine, evolve(locked(mine), snapshot=None))
    assert re.fullmatch(rf"/\d{{8}}T\d{{6}}Z/{POOL}", snapshots.asked[0].path)
    assert snapshots.asked[1].path == f"/{AFTER}/{POOL}"  # the last run, which has it no more


def test_offline_asks_nobody(
    archive: Served, snapshots: Served, fetcher: Callable[..., DebianFetcher]
):
    package = locked(fetcher(archive.url, snapshots.url))
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(archive.url, snapshots.url, offline=True), package)
    assert all("this run is offline" in line for line in caught.value.details)
    assert snapshots.asked == []


def test_a_mirror_of_the_snapshot_archive(
    archive: Served, tmp_path: Path, fetcher: Callable[..., DebianFetcher]
):
    """Also a folder of this machine, with one for the very moment."""
    dead = "http://127.0.0.1:1/archive"
    package = locked(fetcher(archive.url, dead))
    path = tmp_path / "copy" / DATE / POOL
    path.parent.mkdir(parents=True)
    path.write_bytes(DEB)
    mine = fetcher(archive.url, dead, (dead, str(tmp_path / "copy")))
    assert fetched(mine, package) == TREE


def write_runs(folder: Path, runs: dict[str, dict[str, bytes]]) -> None:
    """A snapshot archive in a folder of this machine."""
    for run, files in runs.items():
        for path, data in files.items():
            file = folder / run / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def signed_files(*, days_ago: int) -> dict[str, bytes]:
    """An archive with the package, and an index that has expired."""
    made = SignedArchive(packages=lzma.decompress(PACKAGES).decode(), date=NOW - days_ago * DAY)
    made.more = f"Valid-Until: {format_datetime(NOW - (days_ago - 1) * DAY)}\n"
    return {
        path.lstrip("/"): data for path, data in made.pages(SIGNER.clear(made.index)).items()
    } | {POOL: DEB}


def test_a_folder_as_the_snapshot_archive(tmp_path: Path):
    """Its last run is the newest, and the last before a moment has what an index named then."""
    copy = tmp_path / "a copy, 100%"
    new, old = (f"{NOW - days * DAY:%Y%m%dT%H%M%SZ}" for days in (2, 9))
    write_runs(copy, {new: signed_files(days_ago=3), old: signed_files(days_ago=10)})
    (copy / "20990101T000000Z").mkdir()  # nobody has what will be
    (copy / "a-file").touch()
    link = (
        tmp_path / "link%20"
    )  # a path, and no URL: its escape is none; and the variable can hold no space
    link.symlink_to(copy)
    mine = a_machine(tmp_path, str(link))
    (package,) = mine.resolve(("tool",), "bookworm", "amd64")
    assert package.snapshot
    assert package.snapshot.moment == NOW - 3 * DAY
    assert fetched(mine, package) == TREE
    (copy / new).rename(copy / "gone")
    assert fetched(mine, package) == TREE
    (copy / old).rename(copy / "gone-too")
    with pytest.raises(SourceError, match="no address had it") as caught:
        fetched(mine, package)
    assert any("no such file" in line for line in caught.value.details)


def test_a_folder_of_the_past_is_frozen_if_the_user_says_so(tmp_path: Path):
    """The lock is of today, and the folder has one old run."""
    copy = tmp_path / "copy"
    write_runs(copy, {f"{NOW - 9 * DAY:%Y%m%dT%H%M%SZ}": signed_files(days_ago=10)})
    earlier = Snapshot(NOW)
    with pytest.raises(VerificationError, match="older than the one of") as caught:
        a_machine(tmp_path, str(copy)).resolve(("tool",), "bookworm", "amd64", earlier=earlier)
    assert "`debian-frozen`" in hint_text(caught.value.hint)
    mine = a_machine(tmp_path, str(copy), RVBUILD_DEBIAN_FROZEN=str(copy))
    (package,) = mine.resolve(("tool",), "bookworm", "amd64", earlier=earlier)
    assert package.name == "tool"


@pytest.mark.parametrize(
    ("value", "bases"),
    [
        ("", (SNAPSHOTS,)),
        ("off", ()),
        ("http://a.example/debian/ /srv/s", ("http://a.example/debian", "file:///srv/s")),
    ],
)
def test_where_the_snapshot_archive_is(tmp_path: Path, value: str, bases: tuple[str, ...]):
    environment = {"RVBUILD_DEBIAN_MIRROR": "http://x.example", "RVBUILD_DEBIAN_SNAPSHOT": value}
    assert find_archives(environment, tmp_path).snapshots == bases


@pytest.mark.parametrize("variable", ["RVBUILD_DEBIAN_MIRROR", "RVBUILD_DEBIAN_SNAPSHOT"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (" ", "' '"),
        ("snapshot.example", "'snapshot.example'"),
        ("ftp://a.example/debian", "'ftp://a.example/debian'"),
        ("https://a.example/my debian", "'debian'"),
        ("https://a.example:port/debian", "'https://a.example:port/debian'"),
        ("https:///debian", "'https:///debian'"),
        ("http://[::1/debian", "'http://[::1/debian'"),
        ("file://host/debian", "'file://host/debian'"),
        ("file:debian", "'file:debian'"),
        ("~/debian", "'~/debian'"),
        ("mirror+file:/etc/mirrors", "'mirror+file:/etc/mirrors'"),
        ("https://a.example/debian off", "'off'"),
        ("user:secret@a.example/debian", "'a.example/debian'"),
    ],
)
def test_a_variable_that_holds_no_address(tmp_path: Path, variable: str, value: str, shown: str):
    """An empty one is none, as everywhere: a default or apt's archives are taken."""
    with pytest.raises(SourceError, match="not the address of an archive of Debian") as caught:
        find_archives({variable: value}, tmp_path)
    assert caught.value.where == variable
    assert shown in caught.value.message
    assert f"set {variable} to the address" in hint_text(caught.value.hint)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("date", "moment"),
    [
        ("Sun, 30 Aug 2026 14:23:11 UTC", DATE),
        ("Sun, 30 Aug 2026 14:23:11 +0000", DATE),
        ("Sun, 30 Aug 2026 16:23:11 +0200", None),
        ("Sun, 30 Aug 2026", None),
        ("Sun, 30 Aug 2026 25:23:11 UTC", None),
        ("Sat, 01 Jan 2000 00:00:00 UTC", None),
        ("Fri, 31 Dec 9999 23:59:59 UTC", None),
        (f"Sun, 30 Aug {'9' * 40} 14:23:11 UTC", None),
        (f"Sun, 30 Aug 2026 14:23:11 +{'9' * 40}", None),
        ("?", None),
        ("", None),
    ],
)
def test_the_date_of_an_index(date: str, moment: str | None):
    """One that cannot be is none: the packages are right all the same."""
    release = Release(base="b", suite="s", fields={"date": date})
    assert release.snapshot == (Snapshot.parse(moment) if moment else None)
    assert Release(base="b", suite="s", fields={}).snapshot is None
