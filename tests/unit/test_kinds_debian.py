"""Debian: which archives are asked, what a package needs, and what is believed."""

from __future__ import annotations

import hashlib
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from signed_archive import SignedArchive, Signer, policy_of

from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import Digest
from rvbuild.core.errors import RecipeError, SourceError, VerificationError
from rvbuild.core.events import Event
from rvbuild.core.ports.callbacks import no_progress
from rvbuild.core.tree import File, Nested, Tree
from rvbuild.kinds.debian.debian_index import PackageIndex, parse_relations
from rvbuild.kinds.debian.debian_release import Releases
from rvbuild.kinds.debian.fetch import DebianFetcher
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.version_order import version_key
from rvbuild.transfers.apt_config import Archives, find_archives, source_path
from rvbuild.transfers.fetch_services import NoTransport
from rvbuild.transfers.mirrors import Mirrors
from rvbuild.transfers.pinned_files import PinnedFiles
from rvbuild.transfers.sinks import DigestSink
from rvbuild.transfers.transport import Patience, Transport
from rvbuild.transfers.urls import Credentials

Site = Any  # conftest.py has it; a test file imports no other
NewSite = Callable[[], Site]

# ---- where apt finds it


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("file", "text", "bases"),
    [
        (
            "sources.list",
            "deb http://m.example/debian/ bookworm main\n",
            ["http://m.example/debian"],
        ),
        (
            "sources.list",
            (
                "# deb http://no.example bookworm main\n"
                "deb [arch=amd64 signed-by=/k.gpg] https://a.example/d bookworm main # why\n"
                "deb-src https://a.example/d bookworm main\n"
                "deb http://b.example/d trixie-updates main contrib\n"
                "deb http://sec.example/s bookworm-security main\n"
                "deb http://vendor.example/apt cloud-sdk-bookworm main\n"
                "deb cdrom:[Debian]/ bookworm main\n"
                "nonsense\n"
            ),
            ["https://a.example/d", "http://b.example/d"],
        ),
        (
            "sources.list.d/debian.sources",
            (
                "Types: deb deb-src\n# a comment\nURIs: http://a.example/d http://b.example/d\n"
                "Suites: bookworm bookworm-updates\nComponents: main\n\n"
                "Types: deb\nURIs: http://off.example/d\nSuites: bookworm\nEnabled: no\n\n"
                "Types: deb\nURIs: http://vendor.example\nSuites: nodistro\n"
            ),
            ["http://a.example/d", "http://b.example/d"],
        ),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs:\n http://a.example/d\n file:/srv/debian\nSuites: sid\n",
            ["http://a.example/d", "file:///srv/debian"],
        ),
    ],
)
def test_apt_sources(tmp_path: Path, file: str, text: str, bases: list[str]):
    write(tmp_path / file, text)
    assert list(find_archives({}, tmp_path).bases) == bases


def test_a_list_of_mirrors_is_read(tmp_path: Path):
    write(tmp_path / "mirrors", "# ours\nhttp://a.example/d\tpriority:1\nhttp://b.example/d\n")
    write(tmp_path / "sources.list", f"deb mirror+file:{tmp_path}/mirrors bookworm main\n")
    found = find_archives({}, tmp_path).bases
    assert found == ("http://a.example/d", "http://b.example/d")


def test_the_variable_comes_before_apt(tmp_path: Path):
    write(tmp_path / "sources.list", "deb http://a.example/d bookworm main\n")
    environment = {"RVBUILD_DEBIAN_MIRROR": "http://x.example/d/ /srv/debian http://a.example/d"}
    found = find_archives(environment, tmp_path).bases
    assert found == ("http://x.example/d", "file:///srv/debian", "http://a.example/d")


def test_a_folder_that_cannot_be_read_names_no_archive(tmp_path: Path):
    """For `stat` as well: a name that is too long stands for any refusal, also as root."""
    assert find_archives({}, tmp_path / ("x" * 300)).bases == ()


def test_locking_without_an_archive_says_what_to_set(tmp_path: Path):
    with Transport(credentials=Credentials({})) as transport:
        files = PinnedFiles(transport=transport, temp=tmp_path / "temp")
        machine = DebianFetcher(
            files=files,
            releases=Releases(files=files, policy=policy_of(SIGNER, tmp_path / "keys")),
            archives=lambda: find_archives({"RVBUILD_DEBIAN_SNAPSHOT": "off"}, tmp_path),
            mirrors=Mirrors(),
        )
        with pytest.raises(SourceError, match="apt on this machine knows no archive") as caught:
            machine.resolve(("tool",), "bookworm", "amd64")
    assert "RVBUILD_DEBIAN_MIRROR" in hint_text(caught.value.hint)
    assert "snapshot" in hint_text(caught.value.hint)


def test_where_a_source_packages_file_is():
    path = source_path("libseccomp", "libseccomp_2.6.0.orig.tar.gz")
    assert path == "pool/main/libs/libseccomp/libseccomp_2.6.0.orig.tar.gz"
    assert source_path("busybox", "b.tar.xz") == "pool/main/b/busybox/b.tar.xz"
    for package, file in (("../x", "f"), ("x", "f"), ("libx", "../f"), ("libx", "-f/g")):
        with pytest.raises(RecipeError):
            source_path(package, file)


# ---- what a package needs


def paragraph(name: str, **more: str) -> str:
    fields = {
        "Package": name,
        "Version": "1",
        "Architecture": "amd64",
        "Filename": f"pool/main/{name[0]}/{name}/{name}_1_amd64.deb",
        "SHA256": hashlib.sha256(name.encode()).hexdigest(),
        "Size": "10",
        "Description": "text\n with lines",
    } | {key.replace("_", "-"): value for key, value in more.items()}
    return "".join(f"{key}: {value}\n" for key, value in fields.items())


def index(*paragraphs: str) -> PackageIndex:
    return PackageIndex.read("bookworm", "\n".join(paragraphs).encode(), "Packages")


def names(found: tuple[DebianPackage, ...]) -> list[str]:
    return [package.name for package in found]


def test_all_that_is_needed_and_no_more():
    listed = index(
        paragraph("aa", Depends="bb (>= 1), cc:any | dd", Recommends="ee"),
        paragraph("bb", Pre_Depends="ff [amd64]", Suggests="ee"),
        *(paragraph(name) for name in ("cc", "dd", "ee", "ff")),
    )
    assert names(listed.closure(["aa"])) == ["aa", "bb", "cc", "ff"]


def test_circles_end():
    listed = index(paragraph("aa", Depends="bb"), paragraph("bb", Depends="aa"))
    assert names(listed.closure(["aa"])) == ["aa", "bb"]


def test_an_alternative_that_is_there_is_enough():
    listed = index(
        paragraph("aa", Depends="bb | cc"), paragraph("bb"), paragraph("cc"), paragraph("zz")
    )
    assert names(listed.closure(["aa", "cc"])) == ["aa", "cc"]
    assert names(listed.closure(["zz", "aa"])) == ["aa", "bb", "zz"]


def test_the_first_alternative_that_exists():
    listed = index(paragraph("aa", Depends="gone | cc"), paragraph("cc"))
    assert names(listed.closure(["aa"])) == ["aa", "cc"]


def test_virtual_packages_by_name():
    listed = index(
        paragraph("aa", Depends="awk"),
        paragraph("mawk", Provides="awk"),
        paragraph("gawk", Provides="awk (= 1), other"),
    )
    assert names(listed.closure(["aa"])) == ["aa", "gawk"]
    assert names(listed.closure(["aa", "mawk"])) == ["aa", "mawk"]


def test_without_prunes_what_only_it_needs():
    """Nor is another alternative, or a provider, taken instead."""
    listed = index(
        paragraph("aa", Depends="debconf | debconf-2, awk, bb"),
        paragraph("debconf", Depends="perl"),
        paragraph("cdebconf", Provides="debconf-2"),
        paragraph("gawk", Provides="awk"),
        paragraph("bb"),
        paragraph("perl"),
    )
    assert names(listed.closure(["aa"], ["debconf", "gawk"])) == ["aa", "bb"]
    turned = index(
        paragraph("aa", Depends="debconf-2 | debconf"),
        paragraph("cdebconf", Provides="debconf-2"),
    )
    assert names(turned.closure(["aa"], ["debconf"])) == ["aa"]


def test_what_does_not_exist_is_named_with_a_hint():
    listed = index(paragraph("busybox-static", Depends="nothing | none"))
    with pytest.raises(SourceError) as caught:
        listed.closure(["busybox-statik"])
    assert hint_text(caught.value.hint) == "did you mean busybox-static?"
    with pytest.raises(SourceError, match=r"nothing \| none, which bookworm does not have"):
        listed.closure(["busybox-static"])


def test_the_highest_of_several_versions():
    listed = index(*(paragraph("aa", Version=v) for v in ("1.9", "1.10", "1.10~rc1")))
    assert listed.closure(["aa"])[0].version == "1.10"


def test_versions_are_ordered_as_dpkg_does():
    """deb-version(7): tilde before the end, letters before others, numbers as numbers."""
    order = [
        "1~~",
        "1~~a",
        "1~",
        "1",
        "1-1~b",
        "1-1",
        "1a",
        "1+b1",
        "1.2",
        "1.10",
        "1.10-2",
        "2",
        "1:0",
    ]
    assert sorted(set(order), key=version_key) == order


def test_relations():
    """Names alone; and one letter is no package's name."""
    found = parse_relations("aa, bb (>= 1:2) | cc [!amd64], dd:any <!nocheck>,, x")
    assert found == (("aa",), ("bb", "cc"), ("dd",))


@pytest.mark.parametrize(
    "more",
    [
        {"Filename": "../../etc/passwd.deb"},
        {"Filename": "/etc/x.deb"},
        {"Filename": "pool/main/a/../x.deb"},
        {"Filename": "pool/x.deb?y"},
        {"SHA256": "00"},
        {"Size": "-1"},
        {"Version": ""},
    ],
)
def test_impossible_paragraphs_are_refused(more: dict[str, str]):
    listed = index(paragraph("aa", **more))
    with pytest.raises(VerificationError, match="paragraph"):
        listed.closure(["aa"])


# ---- an archive


def package_bytes(content: bytes) -> bytes:
    """A binary package with one file."""
    to = io.BytesIO()
    with tarfile.open(fileobj=to, mode="w:xz") as tar:
        info = tarfile.TarInfo("./usr/bin/tool")
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content))
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": lzma.compress(b""),
        "data.tar.xz": to.getvalue(),
    }
    out = b"!<arch>\n"
    for name, data in members.items():
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n".encode() + data
        out += b"\n" * (len(data) % 2)
    return out


DEB = package_bytes(b"program")
TREE: Nested = {"usr": {"bin": {"tool": File(Digest.of(b"program"), executable=True)}}}


SIGNER = Signer()


def suite_pages(base: str = "") -> dict[str, bytes]:
    """The pages of an archive with one suite and one package."""
    deb = paragraph("tool", SHA256=hashlib.sha256(DEB).hexdigest(), Size=str(len(DEB)))
    archive = SignedArchive(packages=deb, pool={"pool/main/t/tool/tool_1_amd64.deb": DEB})
    return archive.pages(SIGNER.clear(archive.index), base)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(patience=Patience(tries=1), credentials=Credentials({})) as client:
        yield client


@pytest.fixture
def fetcher(
    tmp_path: Path, transport: Transport, told: list[Event]
) -> Callable[..., DebianFetcher]:
    def make(*bases: str, offline: bool = False) -> DebianFetcher:
        client = NoTransport() if offline else transport
        files = PinnedFiles(transport=client, temp=tmp_path / "temp", report=told.append)
        archives = Archives(bases)
        releases = Releases(files=files, policy=policy_of(SIGNER, tmp_path / "keys"))
        return DebianFetcher(
            files=files, releases=releases, archives=lambda: archives, mirrors=Mirrors()
        )

    return make


def fetched(fetcher: DebianFetcher, source: DebianPackage) -> Digest:
    sink = DigestSink()
    fetcher.fetch(source, sink, no_progress)
    return sink.tree.root


def test_a_package_is_resolved_and_fetched(
    site: Site, fetcher: Callable[..., DebianFetcher], told: list[Event]
):
    site.pages = suite_pages("/debian")
    mine = fetcher(f"{site.address}/debian")
    (package,) = mine.resolve(("tool",), "bookworm", "amd64")
    assert package.pool == "pool/main/t/tool/tool_1_amd64.deb"
    assert told == []
    assert fetched(mine, package) == Tree.of(TREE).root
    asked = len(site.requests)
    mine.resolve(("tool",), "bookworm", "amd64")
    assert len(site.requests) == asked


def test_a_mirror_on_this_machine(tmp_path: Path, fetcher: Callable[..., DebianFetcher]):
    for path, data in suite_pages().items():
        target = tmp_path / "mirror" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    mine = fetcher(f"file://{tmp_path}/mirror", offline=True)
    (package,) = mine.resolve(("tool",), "bookworm", "amd64")
    assert fetched(mine, package) == Tree.of(TREE).root


def test_the_next_archive_is_asked(new_site: NewSite, fetcher: Callable[..., DebianFetcher]):
    empty, full = new_site(), new_site()
    full.pages = suite_pages()
    mine = fetcher(empty.address, full.address)
    (package,) = mine.resolve(("tool",), "bookworm", "amd64")
    assert fetched(mine, package) == Tree.of(TREE).root
    with pytest.raises(SourceError) as caught:
        fetched(fetcher(empty.address), package)
    assert "404" in caught.value.details[0]
    assert "snapshot" in hint_text(caught.value.hint)


def test_changed_bytes_are_refused(site: Site, fetcher: Callable[..., DebianFetcher]):
    site.pages = suite_pages()
    mine = fetcher(site.address)
    (package,) = mine.resolve(("tool",), "bookworm", "amd64")
    for bad in (DEB[:-1], DEB + b"\n", DEB[:-3] + b"???"):
        site.pages["/pool/main/t/tool/tool_1_amd64.deb"] = bad
        with pytest.raises(VerificationError):
            fetched(mine, package)


def test_an_index_with_another_hash_is_refused(site: Site, fetcher: Callable[..., DebianFetcher]):
    site.pages = suite_pages()
    packages = "/dists/bookworm/main/binary-amd64/Packages.xz"
    site.pages[packages] = site.pages[packages][:-1] + b"?"
    with pytest.raises(VerificationError):
        fetcher(site.address).resolve(("tool",), "bookworm", "amd64")


def test_an_index_is_found_by_its_hash_first(site: Site, fetcher: Callable[..., DebianFetcher]):
    """The name may already lead to the next index; the hash does not."""
    site.pages = suite_pages()
    data = site.pages.pop("/dists/bookworm/main/binary-amd64/Packages.xz")
    by_hash = f"/dists/bookworm/main/binary-amd64/by-hash/SHA256/{hashlib.sha256(data).hexdigest()}"
    site.pages[by_hash] = data
    assert names(fetcher(site.address).resolve(("tool",), "bookworm", "amd64")) == ["tool"]


def test_suites_and_architectures_that_are_not_there(
    site: Site, fetcher: Callable[..., DebianFetcher]
):
    site.pages = suite_pages()
    mine = fetcher(site.address)
    with pytest.raises(SourceError, match="no packages for riscv64"):
        mine.resolve(("tool",), "bookworm", "riscv64")
    with pytest.raises(SourceError):
        mine.resolve(("tool",), "trixie", "amd64")
    for suite in ("../x", "-x", "a b", ""):
        with pytest.raises(RecipeError):
            mine.resolve(("tool",), suite, "amd64")


def test_offline_says_so(fetcher: Callable[..., DebianFetcher]):
    with pytest.raises(SourceError) as caught:
        fetcher("http://127.0.0.1:1", offline=True).resolve(("tool",), "bookworm", "amd64")
    assert "not asked: this run is offline" in caught.value.details[0]
    assert (
        hint_text(caught.value.hint)
        == "run `rvbuild lock` online (without --offline and the setting `offline`)"
    )
