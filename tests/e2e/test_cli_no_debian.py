"""Debian's packages on a machine that is not Debian: no apt, no gpgv, no keyring."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import no_debian
import pytest
from attrs import evolve
from namespaces import codes, namespaced
from signed_archive import MadePackage, SignedArchive, Signer
from site_of_bytes import Served, serve_pages
from world import HERE, Ran, World

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(HERE != "amd64", reason="the packages of this test are for amd64"),
]

TOOL, LIBRARY = MadePackage("tool", needs="library"), MadePackage("library")
SIGNER = Signer()
AGO = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=3)
OLD = evolve(
    SignedArchive.of(TOOL, LIBRARY, date=AGO),
    more=f"Valid-Until: {AGO + dt.timedelta(days=1):%a, %d %b %Y %H:%M:%S} UTC\n",
)
ORIG = b"a source package's file"
USER = f"""\
sources:
  debs: {{debian: [tool], suite: bookworm}}
  orig:
    url: ""
    unpack: false
    sha256: {hashlib.sha256(ORIG).hexdigest()}
    debian-source: {{package: tool, file: tool_1.orig.tar}}
"""


class AnyMoment(dict[str, bytes]):
    """Pages of a snapshot archive that has the same at every moment."""

    def __contains__(self, path: object) -> bool:
        return super().__contains__(re.sub(r"\A/archive/[0-9TZ]{16}", "", str(path)))

    def get(self, path: str, default: bytes = b"") -> bytes:  # type: ignore[override]
        return super().get(re.sub(r"\A/archive/[0-9TZ]{16}", "", path), default)

    __getitem__ = get


@pytest.fixture
def pages() -> AnyMoment:
    orig = {"/pool/main/t/tool/tool_1.orig.tar": ORIG}
    return AnyMoment(OLD.pages(SIGNER.clear(OLD.index)) | orig)


@pytest.fixture
def snapshots(pages: AnyMoment) -> Iterator[Served]:
    with serve_pages(pages) as served:
        yield served


@pytest.fixture
def machine(world: World, snapshots: Served, tmp_path: Path) -> World:
    """It knows the snapshot archive, and trusts the key of the test."""
    (tmp_path / "tester.asc").write_bytes(SIGNER.keyring)
    world.step("user", "cat /src/debs/share/* /src/orig/* > $out/out.txt", USER)
    return world.with_environment(
        RVBUILD_DEBIAN_SNAPSHOT=f"{snapshots.url}/archive",
        RVBUILD_DEBIAN_KEYS=str(tmp_path / "tester.asc"),
        TARGET=f"user-{HERE}",
    )


def on_fedora(machine: World, script: str) -> Ran:
    return namespaced(machine, no_debian.SCRIPT + script.replace("$TARGET", f"user-{HERE}"))


def built(world: World) -> str:
    return (world.folder / f"result/user-{HERE}/out.txt").read_text()


def test_packages_come_from_the_snapshot_archive(machine: World, snapshots: Served):
    """Index and packages; the index has expired, as the last one of a snapshot archive may have."""
    ran = on_fedora(machine, """
        rvbuild doctor
        rvbuild lock user
        rvbuild $TARGET
    """)  # fmt: skip
    assert codes(ran) == [0, 0, 0], str(ran)
    assert f"ok   Debian archives: {snapshots.url}/archive (snapshot archive)\n" in ran.out
    assert built(machine) == f"librarytool{ORIG.decode()}"
    day = f"{AGO + dt.timedelta(days=1):%Y%m%dT%H%M%SZ}"
    assert f"/archive/{day}/{LIBRARY.pool}" in [each.path for each in snapshots.asked]


def test_a_mirror_that_dropped_a_package(machine: World, snapshots: Served):
    """The others come from the mirror, that one from the snapshot archive."""
    mirror = OLD.files() | {"/dists/bookworm/InRelease": SIGNER.clear(evolve(OLD, more="").index)}
    del mirror[f"/{LIBRARY.pool}"]
    with serve_pages(mirror) as served:
        near = machine.with_environment(RVBUILD_DEBIAN_MIRROR=served.url)
        ran = on_fedora(near, """
            rvbuild lock user
            rvbuild $TARGET
        """)  # fmt: skip
        assert codes(ran) == [0, 0], str(ran)
        assert built(machine) == f"librarytool{ORIG.decode()}"
        asked = [each.path for each in served.asked]
    assert f"/{TOOL.pool}" in asked
    assert f"/{LIBRARY.pool}" in asked
    files = {each.path.rpartition("/")[2] for each in snapshots.asked}
    assert files == {"library_1_amd64.deb", "tool_1.orig.tar"}


@pytest.mark.parametrize("fault", ["foreign", "unsigned", "forged"])
def test_an_index_that_nobody_here_trusts(machine: World, pages: AnyMoment, fault: str):
    """It is refused there as anywhere, and `-q` shows what the user believes all the same."""
    index = SIGNER.clear(OLD.index)
    other = {"foreign": Signer().clear(OLD.index), "unsigned": OLD.index.encode()}
    pages["/dists/bookworm/InRelease"] = other.get(fault, index.replace(b"main", b"evil"))
    ran = on_fedora(machine, """
        rvbuild lock user -q
        export RVBUILD_DEBIAN_UNCHECKED=$RVBUILD_DEBIAN_SNAPSHOT
        rvbuild lock user -q
    """)  # fmt: skip
    assert codes(ran) == ([5, 4] if fault == "forged" else [5, 0]), str(ran)
    ran.said("error: the archive's index", "hint: ")
    ran.said("warning", "Debian bookworm", "is taken without proof", "`debian-unchecked` lists")


def test_where_there_is_no_archive_at_all(machine: World):
    """The error says what to set."""
    alone = machine.with_environment(RVBUILD_DEBIAN_SNAPSHOT="off")
    ran = on_fedora(alone, """
        rvbuild doctor
        rvbuild lock user
    """)  # fmt: skip
    assert codes(ran) == [6, 4], str(ran)
    assert "FAIL Debian archives: none: apt knows no release of Debian" in ran.out
    ran.said(
        "error: apt on this machine knows no archive of Debian", "hint: set RVBUILD_DEBIAN_MIRROR"
    )
