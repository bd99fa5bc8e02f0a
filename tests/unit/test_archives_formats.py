"""Archives made by the usual programs come out as the tree that went in."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from rvbuild.archives import Links, UnpackLimits
from rvbuild.archives.deb import read_deb
from rvbuild.archives.zipfile import Zip, read_zip
from rvbuild.cli.remedies import hint_text
from rvbuild.core.digest import EMPTY, Digest
from rvbuild.core.errors import VerificationError

Unpacked = Callable[..., dict[str, Any]]
OnDisk = Callable[[Path], dict[str, Any]]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder ``top`` with all that an archive may hold; nothing is longer than ustar's 100."""
    top = tmp_path / "in" / "top"
    (top / "deep/er").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "plain").write_bytes(b"text\n")
    (top / "nothing").write_bytes(b"")
    (top / "deep/er/block").write_bytes(b"x" * 512)
    (top / "deep/er/more").write_bytes(bytes(range(256)) * 2 + b"!")
    (top / "deep/big").write_bytes(os.urandom(4096) * 300)
    (top / "run").write_bytes(b"#!/bin/sh\n")
    (top / "run").chmod(0o4755)
    (top / "group-runs").write_bytes(b"#!/bin/sh\n")
    (top / "group-runs").chmod(0o650)
    (top / "link").symlink_to("deep/er/../big")
    (top / "deep/up").symlink_to("../plain")
    (top / "dangling").symlink_to("not/there")
    os.link(top / "run", top / "twin")
    return top


def expected(tree: Path, seen_on_disk: OnDisk) -> dict[str, Any]:
    (tree / "group-runs").chmod(0o750)  # any of the three bits becomes the owner's
    return seen_on_disk(tree)


def tarred(tree: Path, *options: str, program: str = "tar") -> bytes:
    command = [program, "-C", str(tree.parent), *options, "-cf", "-", tree.name]
    return subprocess.run(command, check=True, capture_output=True).stdout


@pytest.mark.parametrize("form", ["v7", "oldgnu", "gnu", "ustar", "posix"])
def test_gnu_tar(form: str, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    data = tarred(tree, f"--format={form}")
    assert unpacked(data, strip=1) == expected(tree, seen_on_disk)


@pytest.mark.skipif(not shutil.which("bsdtar"), reason="bsdtar is not installed")
@pytest.mark.parametrize("form", ["ustar", "pax", "gnutar", "v7tar"])
def test_bsdtar(form: str, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    data = tarred(tree, f"--format={form}", program="bsdtar")
    assert unpacked(data, strip=1) == expected(tree, seen_on_disk)


HOLES: dict[str, list[tuple[int, bytes]]] = {
    "a hole at the start": [(1 << 20, b"end\n")],
    "a hole at the end": [(0, b"start\n"), (1 << 20, b"")],
    "nothing but a hole": [(1 << 20, b"")],
    "holes in between": [(at << 18, bytes([at]) * 4096) for at in range(1, 60, 2)],
}
SPARSE = {
    f"{program} {' '.join(options)}": (program, options)
    for program, options in (
        *(("tar", ["-S", f"--format={form}"]) for form in ("gnu", "oldgnu")),
        *(
            ("tar", ["-S", "--format=posix", f"--sparse-version={version}"])
            for version in ("0.0", "0.1", "1.0")
        ),
        ("bsdtar", ["--format=pax"]),
        ("bsdtar", ["--format=gnutar"]),
    )
}


@pytest.mark.parametrize("pieces", HOLES.values(), ids=HOLES)
@pytest.mark.parametrize("how", SPARSE)
def test_sparse_files(
    how: str,
    pieces: list[tuple[int, bytes]],
    tree: Path,
    unpacked: Unpacked,
    seen_on_disk: OnDisk,
) -> None:
    """Also below a name too long for one header, and with something after them."""
    program, options = SPARSE[how]
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    for path in (tree / "a-sparse", tree / "deep" / ("n" * 120)):
        with path.open("wb") as file:
            for offset, content in pieces:
                file.seek(offset)
                file.write(content)
                file.truncate()
    (tree / "a-sparse").chmod(0o755)
    data = tarred(tree, *options, program=program)
    if program == "tar":
        assert len(data) < 3 << 20, "no sparse file in it"
    assert unpacked(data, strip=1) == expected(tree, seen_on_disk)


def test_a_sparse_file_that_is_stripped_away(tree: Path, unpacked: Unpacked) -> None:
    (tree / "sparse").write_bytes(b"")
    os.truncate(tree / "sparse", 3 << 20)
    data = tarred(tree, "-S", "--format=posix", "--exclude=top/deep/up")
    assert "er/more" in unpacked(data, strip=2)


def test_names_given_twice_to_gnu_tar(tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    """It writes a hard link to itself for a file with two names, and a file again."""
    names = ["top", "top/plain", "top/twin", "top/link", "top/run"]
    command = ["tar", "-C", str(tree.parent), "-cf", "-", *names]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    listing = subprocess.run(["tar", "-tvf", "-"], input=data, check=True, capture_output=True)
    assert any(
        line.split()[-4] == line.split()[-1]
        for line in listing.stdout.decode().splitlines()
        if " link to " in line
    )
    assert unpacked(data, strip=1) == expected(tree, seen_on_disk)


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "posix"])
def test_long_names_of_files_and_targets(
    form: str, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    long = "/".join(["n" * 120] * 4)
    (tree / long).mkdir(parents=True)
    (tree / long / "änderung").write_bytes(b"1")
    (tree / "to-long").symlink_to(f"{long}/änderung")
    os.link(tree / long / "änderung", tree / "ünter")
    assert unpacked(tarred(tree, f"--format={form}"), strip=1) == expected(tree, seen_on_disk)


def test_ustar_prefix(tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    """Names of 101 to 255 bytes are kept in two fields."""
    (tree / ("p" * 90) / ("q" * 50)).mkdir(parents=True)
    (tree / ("p" * 90) / ("q" * 50) / ("r" * 90)).write_bytes(b"1")
    assert unpacked(tarred(tree, "--format=ustar"), strip=1) == expected(tree, seen_on_disk)


def test_unknown_pax_records_are_passed_over(
    tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    options = ["--format=posix", "--pax-option=comment=hello,SOME.thing:=9,globexthdr.name=/g"]
    assert unpacked(tarred(tree, *options), strip=1) == expected(tree, seen_on_disk)


COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": lambda data: gzip.compress(data, 6),
    "xz": lambda data: lzma.compress(data, preset=0),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
    "bzip2": lambda data: bz2.compress(data, 1),
    "zstd": lambda data: zstandard.ZstdCompressor(level=1, write_checksum=True).compress(data),
}
MEMBERED = [name for name in COMPRESSORS if name != "none"]
SUMMED = [name for name in MEMBERED if name != "lzma"]
"""Those with a checksum of the content."""


@pytest.mark.parametrize("how", COMPRESSORS)
def test_compressed(how: str, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk) -> None:
    data = COMPRESSORS[how](tarred(tree))
    assert unpacked(data, strip=1) == expected(tree, seen_on_disk)


@pytest.mark.parametrize("how", MEMBERED)
def test_members_follow_each_other(
    how: str, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    data, pack = tarred(tree), COMPRESSORS[how]
    parts = [pack(data[at : at + 700_000]) for at in range(0, len(data), 700_000)]
    assert unpacked(b"".join([*parts, pack(b""), bytes(64)]), strip=1) == expected(
        tree, seen_on_disk
    )


@pytest.mark.parametrize("how", MEMBERED)
@pytest.mark.parametrize("garbage", [b"x", bytes(1000) + b"x", b"\x1f", b"\x28\xb5\x2f"])
def test_garbage_after_compressed_data_is_refused(
    how: str, garbage: bytes, tree: Path, unpacked: Unpacked
) -> None:
    with pytest.raises(VerificationError, match="bytes after the"):
        unpacked(COMPRESSORS[how](tarred(tree)) + garbage)


@pytest.mark.parametrize("how", SUMMED)
def test_checksums_at_the_very_end_count(how: str, tree: Path, unpacked: Unpacked) -> None:
    """The tar archive is whole before the last bytes come; they are still looked at."""
    data = bytearray(COMPRESSORS[how](tarred(tree) + bytes(1 << 20)))
    data[-6 if how == "gzip" else -4] ^= 1
    with pytest.raises(VerificationError, match="damaged"):
        unpacked(bytes(data))


def test_zstd_with_skippable_frames_and_a_content_size(
    tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    data = zstandard.ZstdCompressor(write_content_size=True).compress(tarred(tree))
    skippable = b"\x53\x2a\x4d\x18\x05\0\0\0hello"
    assert unpacked(skippable + data + skippable, strip=1) == expected(tree, seen_on_disk)


@pytest.mark.parametrize("blocks", [0, 1, 17])
def test_what_follows_the_end_of_a_tar_archive_is_padding(
    blocks: int, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    data = tarred(tree) + b"garbage" * 512 * blocks
    assert unpacked(data, strip=1) == expected(tree, seen_on_disk)


@pytest.mark.parametrize("how", MEMBERED)
def test_no_zeros_at_the_end_of_what_was_packed(
    how: str, tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    """Some programs leave them out. Only a plain archive could be cut there, and is refused."""
    data = tarred(tree, "-b", "1")
    assert data.endswith(bytes(1024))
    assert unpacked(COMPRESSORS[how](data[:-1024]), strip=1) == expected(tree, seen_on_disk)
    with pytest.raises(VerificationError, match="truncated"):
        unpacked(COMPRESSORS[how](data[:-1025]))
    with pytest.raises(VerificationError, match="truncated"):
        unpacked(data[:-1024])


def test_the_same_directory_may_come_again(tree: Path, unpacked: Unpacked) -> None:
    command = ["tar", "-C", str(tree), "--no-recursion", "-cf", "-", "deep", "./deep/", "deep/er"]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    assert unpacked(data) == {"deep": None, "deep/er": None}


def test_strip_drops_what_has_no_more_components(tree: Path, unpacked: Unpacked) -> None:
    (tree / "deep/up").unlink()
    assert set(unpacked(tarred(tree), strip=2)) == {"er", "er/block", "er/more", "big"}


def test_strip_may_not_take_all_away(tree: Path, unpacked: Unpacked) -> None:
    """The files lie at the top; without `strip` they are all there."""
    shutil.rmtree(tree / "deep")
    (tree / "empty").rename(tree.parent / "empty")
    command = ["tar", "-C", str(tree), "-cf", "-", *sorted(os.listdir(tree))]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(unpacked(data)) == 7
    with pytest.raises(VerificationError, match="nothing is left of its 7 files") as caught:
        unpacked(data, strip=1)
    assert "strip: 0" in hint_text(caught.value.hint)
    with pytest.raises(VerificationError, match="without their first 3 components"):
        unpacked(zipped({"a/b/c": b"1"}, into=io.BytesIO()), strip=3)
    assert unpacked(zipped({"a/b/c": b"1", "d": b""}, into=io.BytesIO()), strip=2)
    assert unpacked(tarred(tree.parent / "empty"), strip=1) == {}


def test_strip_counts_for_where_links_lead(tree: Path, unpacked: Unpacked) -> None:
    """deep/up -> ../plain is inside the archive, and outside of what is left of it."""
    with pytest.raises(VerificationError, match="entry up: a symbolic link that leads out"):
        unpacked(tarred(tree), strip=2)


@pytest.mark.parametrize("options", [["-0"], ["-9"], ["-fz"]], ids=["stored", "deflated", "zip64"])
def test_zip_program(
    options: list[str], tree: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    file = tree.parent / "made.zip"
    command = ["zip", "-qry", *options, str(file), tree.name]
    subprocess.run(command, cwd=tree.parent, check=True)
    assert unpacked(file.read_bytes(), strip=1) == expected(tree, seen_on_disk)


class Pipe(io.BytesIO):
    """What cannot seek: zipfile then writes data descriptors, and `unpack` has to copy."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation

    def tell(self) -> int:
        raise io.UnsupportedOperation


def zipped(files: dict[str, bytes], *, into: io.BytesIO, method: int = 8) -> bytes:
    with zipfile.ZipFile(into, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return into.getvalue()


FILES = {"m@v1/go.mod": b"module m\n", "m@v1/a/b.go": b"package a\n" * 300_000, "m@v1/ä": b""}


@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("into", [io.BytesIO, Pipe])
def test_zip_prefix_and_hashes(method: int, into: type[io.BytesIO], unpacked: Unpacked) -> None:
    """The hashes are by full name, as Go's h1 wants them."""
    data = zipped(FILES, into=into(), method=method)
    assert unpacked(data, strip=1) == {
        "go.mod": (FILES["m@v1/go.mod"], False),
        "a": None,
        "a/b.go": (FILES["m@v1/a/b.go"], False),
        "ä": (b"", False),
    }


def test_read_zip_returns_hashes_by_name(tmp_path: Path, blind_sink: Any) -> None:  # noqa: ANN401
    data = zipped({**FILES, "m@v1/dir/": b""}, into=io.BytesIO())
    sink = blind_sink(str(tmp_path))
    runs = {"m@v1/go.mod"}.__contains__
    found = read_zip(io.BytesIO(data), sink, name="m", prefix="m@v1/", executable=runs)
    assert found == {name: Digest.of(content).hash for name, content in FILES.items()} | {
        "m@v1/dir/": EMPTY.hash
    }
    assert os.access(tmp_path / "go.mod", os.X_OK)
    assert not os.access(tmp_path / "a/b.go", os.X_OK)
    assert (tmp_path / "dir").is_dir()


def test_zip_entries_can_be_read_one_by_one() -> None:
    archive = Zip(io.BytesIO(zipped(FILES, into=Pipe())), "m")
    assert [entry.name for entry in archive.entries] == list(FILES)
    for entry in archive.entries:
        chunks = list(archive.chunks(entry))
        assert b"".join(chunks) == archive.read(entry) == FILES[entry.name]
        assert max(map(len, chunks)) <= 1 << 20


def test_a_zip_from_a_pipe(unpacked: Unpacked) -> None:
    data = zipped({"a": b"1"}, into=io.BytesIO())
    assert unpacked(data) == {"a": (b"1", False)}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["a"]


def test_a_zip_with_a_large_zip64_entry(unpacked: Unpacked) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("a", "w", force_zip64=True) as file:
        file.write(b"1" * 70_000)
    assert unpacked(buffer.getvalue()) == {"a": (b"1" * 70_000, False)}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The folder of a Debian package with an absolute symlink."""
    root = tmp_path / "package"
    (root / "DEBIAN").mkdir(parents=True)
    control = "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: m <m@example.org>\n"
    (root / "DEBIAN/control").write_text(f"{control}Description: p\n")
    (root / "usr/bin").mkdir(parents=True)
    (root / "usr/bin/p").write_bytes(b"#!/bin/sh\n")
    (root / "usr/bin/p").chmod(0o755)
    (root / "usr/bin/absolute").symlink_to("/etc/alternatives/p")
    return root


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")
@pytest.mark.parametrize("how", ["none", "gzip", "xz", "zstd"])
def test_debian_package(
    how: str, package: Path, tmp_path: Path, unpacked: Unpacked, seen_on_disk: OnDisk
) -> None:
    file = tmp_path / "p.deb"
    command = ["dpkg-deb", "--root-owner-group", f"-Z{how}", "--build", str(package), str(file)]
    subprocess.run(command, check=True, capture_output=True)
    data = file.read_bytes()
    shutil.rmtree(package / "DEBIAN")
    assert unpacked(data, links=Links.ROOTED) == seen_on_disk(package)
    with pytest.raises(VerificationError, match="leads out of the root"):
        unpacked(data)


def test_absolute_links_are_a_debian_packages_default(tmp_path: Path, blind_sink: Any) -> None:  # noqa: ANN401
    """`read_deb` on its own takes the package for a part of a root file system."""
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr/sh").symlink_to("/bin/sh")
    data = tarred(tmp_path / "usr")
    members = [("debian-binary", b"2.0\n"), ("control.tar", b"odd"), ("data.tar", data)]
    archive = b"!<arch>\n" + b"".join(
        f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode()
        + body
        + b"\n" * (len(body) % 2)
        for name, body in members
    )
    read_deb(io.BytesIO(archive), blind_sink(str(tmp_path / "out")), name="p.deb")
    assert os.readlink(tmp_path / "out/usr/sh") == "/bin/sh"


@pytest.mark.parametrize("how", [name for name in COMPRESSORS if name != "bzip2"])
def test_a_bomb_is_refused_while_it_unpacks(how: str, unpacked: Unpacked) -> None:
    data = tarred_zeros(40 << 20)
    with pytest.raises(VerificationError, match="unpacks to more than 10000000 bytes"):
        unpacked(COMPRESSORS[how](data), limits=UnpackLimits(total=10_000_000))


def tarred_zeros(size: int) -> bytes:
    header = bytearray(512)
    header[:4] = b"zero"
    header[124:136] = b"%011o\0" % size
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + bytes(size + 1024)


@pytest.mark.parametrize("how", ["gzip", "xz", "zstd"])
def test_a_bomb_is_refused_by_its_ratio(how: str, unpacked: Unpacked) -> None:
    with pytest.raises(VerificationError, match="more than 250 times its own size"):
        unpacked(COMPRESSORS[how](tarred_zeros(70 << 20)))
