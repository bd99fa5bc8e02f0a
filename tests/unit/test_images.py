"""Images as `oci-pack` packs them, and what the audit finds in images that were not left alone."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import subprocess
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from made_elf import Made
from packed_image import PACK, PROGRAM, filled, image, pack, plant

from rvbuild.core.derivation import OutputRule
from rvbuild.images.image_audit import audit_image

FOREIGN = Made(machine=62, flags=0).write()
AUTHORITY = "-----BEGIN CERTIFICATE-----\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The root file system of an image that can run."""
    return filled(tmp_path / "root")


def findings(layout: Path, *, tls: bool = False, forbidden: tuple[bytes, ...] = ()) -> list[str]:
    rule = OutputRule(name="image", path="image", kind="image", architecture="riscv64", tls=tls)
    return [f"{one.path}: {one.what}" for one in audit_image(rule, str(layout), forbidden)]


def read(layout: Path, path: str) -> Any:  # noqa: ANN401 - what JSON holds
    return json.loads((layout / path).read_text())


def blob(layout: Path, digest: str) -> Path:
    return layout / "blobs/sha256" / digest.removeprefix("sha256:")


def manifest_of(layout: Path) -> Any:  # noqa: ANN401
    return read(layout, f"blobs/sha256/{read(layout, 'index.json')['manifests'][0]['digest'][7:]}")


# ---- what oci-pack makes


def test_a_packed_image_is_sound(root: Path):
    layout = image(root)
    assert findings(layout) == []
    (told,) = read(layout, "index.json")["manifests"]
    assert told["annotations"]["org.opencontainers.image.ref.name"] == "example.org/app:1"
    assert told["platform"] == {"architecture": "riscv64", "os": "linux"}
    (docker,) = read(layout, "manifest.json")
    assert docker["RepoTags"] == ["example.org/app:1"]


def test_its_documents_are_canonical(root: Path):
    layout = image(root)
    for path in [*layout.glob("*.json"), layout / "oci-layout", *layout.glob("blobs/sha256/*")]:
        data = path.read_bytes()
        if data.startswith((b"{", b"[")):
            again = json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"))
            assert data.decode() == again


def test_its_layer_holds_the_root_and_nothing_of_this_machine(root: Path):
    layout = image(root)
    with tarfile.open(blob(layout, manifest_of(layout)["layers"][0]["digest"])) as tar:
        members = tar.getmembers()
    assert [(one.name, oct(one.mode), one.linkname) for one in members] == [
        (".", "0o755", ""),
        ("bin", "0o755", ""),
        ("bin/app", "0o755", ""),
        ("bin/link", "0o777", "./app"),
        ("etc", "0o755", ""),
        ("etc/passwd", "0o644", ""),
        ("tmp", "0o1777", ""),
    ]
    assert {(one.uid, one.gid, one.uname, one.gname, one.mtime) for one in members} == {
        (0, 0, "", "", 0)
    }


def test_the_same_root_gives_the_same_bytes(root: Path, tmp_path: Path):
    first = image(root)
    other = tmp_path / "elsewhere/with a space/root"
    other.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", str(root), str(other)], check=True)
    (other / "bin/app").chmod(0o555)  # as the store has it
    os.utime(other / "bin/app", (1, 1))
    (other / "tmp").chmod(0o1777)
    archives = [tmp_path / "a.tar", tmp_path / "b.tar"]
    for file, layout in zip(archives, (first, image(other)), strict=True):
        assert pack("--archive", file, layout) == ""
    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_an_archive_holds_several_images_and_what_they_share_once(root: Path, tmp_path: Path):
    first = image(root)
    second = image(root, name="example.org/other:2")
    plant(root, "etc/more", "more")
    third = image(root, name="example.org/third:3")
    assert pack("--archive", tmp_path / "all.tar", first, second, third) == ""
    together = tmp_path / "together"
    with tarfile.open(tmp_path / "all.tar") as tar:
        tar.extractall(together, filter="data")
    assert findings(together) == []
    names = [
        told["annotations"]["io.containerd.image.name"]
        for told in read(together, "index.json")["manifests"]
    ]
    assert names == ["example.org/app:1", "example.org/other:2", "example.org/third:3"]
    # two layers, two configurations, two manifests: the first and the second differ in name only
    assert len(list(together.glob("blobs/sha256/*"))) == 6
    assert not (tmp_path / "all.tar.layout").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "usage"),
        (("--image", "x"), "usage"),
        (("--archive", "x"), "usage: oci-pack --archive FILE LAYOUT..."),
        (("--image", "EMPTY", "x"), "the root file system is empty: EMPTY"),
        (("--archive", "x.tar", "OTHER"), "not a layout that oci-pack made: OTHER"),
    ],
)
def test_what_cannot_be_packed(tmp_path: Path, words: tuple[str, ...], says: str):
    (tmp_path / "EMPTY").mkdir()
    plant(tmp_path, "OTHER/index.json", '{"schemaVersion":2,"manifests":[]}')
    ran = subprocess.run(
        ["sh", PACK, *words], check=False, cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 1
    assert says in ran.stderr


# ---- what the audit finds in a root


def test_a_program_for_another_machine_is_caught(root: Path):
    plant(root, "usr/lib/helper", FOREIGN, 0o755)
    (found,) = findings(image(root))
    assert found == "image (example.org/app:1): /usr/lib/helper: it is for amd64, not riscv64"


def test_a_program_beyond_the_baseline_is_caught(root: Path):
    plant(root, "bin/app", Made(arch="rv64i2p1_m2p0_v1p0").write(), 0o755)
    (found,) = findings(image(root))
    assert "extensions beyond rv64gc: v" in found


def test_a_missing_ca_bundle_is_caught(root: Path):
    (found,) = findings(image(root), tls=True)
    assert "etc/ssl/certs/ca-certificates.crt: the recipe says `tls`" in found
    plant(root, "etc/ssl/certs/ca-certificates.crt", AUTHORITY)
    assert findings(image(root), tls=True) == []


def test_a_dynamic_program_without_its_loader_is_caught(root: Path):
    made = Made(interpreter="/lib/ld-musl-riscv64.so.1", needed=("libc.so",))
    plant(root, "bin/app", made.write(), 0o755)
    assert [one.partition(": ")[2] for one in findings(image(root))] == [
        "bin/app: it wants the interpreter /lib/ld-musl-riscv64.so.1, which is not in the image",
        "bin/app: it needs libc.so, which is not in the image",
    ]
    plant(root, "lib/ld-musl-riscv64.so.1", Made(kind=3).write(), 0o755)
    (root / "lib/libc.so").symlink_to("ld-musl-riscv64.so.1")
    assert findings(image(root)) == []


def test_a_damaged_program_is_caught(root: Path):
    plant(root, "bin/app", PROGRAM[:70], 0o755)
    (found,) = findings(image(root))
    assert "/bin/app: ELF file has no room for " in found


def test_what_is_to_start_is_looked_for(root: Path):
    (found,) = findings(image(root, config={"Entrypoint": ["/bin/gone"]}))
    assert found.endswith("/bin/gone: it is to be started, and is not there")
    (found,) = findings(image(root, config={"Cmd": ["app"], "Env": ["PATH=/sbin"]}))
    assert found.endswith("app: it is to be started, and is not there")
    assert findings(image(root, config={"Cmd": ["app"], "Env": ["A=b", "PATH=/sbin:/bin"]})) == []
    assert findings(image(root, config={"Cmd": ["app"]})) == [], "PATH has a default"
    (found,) = findings(image(root, config={}))
    assert found.endswith("its configuration: it does not say what to start")


def test_a_script_needs_its_interpreter(root: Path):
    plant(root, "bin/run", "#!/bin/sh\n", 0o755)
    (found,) = findings(image(root, config={"Cmd": ["/bin/run"]}))
    assert "its interpreter '/bin/sh' is not in the image" in found


def test_modes_are_those_of_the_layer(root: Path):
    by = {"Cmd": ["/bin/app"], "User": "1:1"}
    assert findings(image(root, config=by)) == []
    for path in ("", "bin", "bin/app"):
        (root / path).chmod(0o700)
        (found,) = findings(image(root, config=by))
        assert found.endswith(f"whom the mode of /{path} keeps out")
        (root / path).chmod(0o755)


def test_accounts_and_authorities_may_lie_elsewhere(root: Path):
    (root / "etc").rename(root / "conf")
    (root / "etc").symlink_to("conf")
    plant(root, "usr/share/ca", AUTHORITY)
    (root / "conf/ssl").mkdir()
    (root / "conf/ssl/cert.pem").symlink_to("/usr/share/ca")
    assert findings(image(root), tls=True) == []


def test_files_inside_are_searched_for_this_machine(root: Path):
    plant(root, "etc/motd", "built in /home/builder/x")
    (found,) = findings(image(root), forbidden=(b"/home/builder",))
    assert "/etc/motd: /home/builder is inside" in found


def test_an_image_for_another_platform_is_caught(root: Path):
    (found,) = findings(image(root, architecture="arm64"))
    assert found.endswith("it is for linux/arm64 and linux/riscv64, not linux/riscv64")


def test_a_whiteout_is_refused(root: Path):
    plant(root, "etc/.wh.passwd", "")
    (found,) = findings(image(root))
    assert "a whiteout: an image here has one layer" in found


def test_a_device_is_refused(root: Path):
    os.mkfifo(root / "pipe")
    (found,) = findings(image(root))
    assert "a named pipe" in found


def test_inodes_do_not_decide_the_bytes(root: Path):
    """Two equal files give the same image whether they are hard links or not."""
    plant(root, "bin/twin", PROGRAM, 0o755)
    apart = image(root)
    (root / "bin/twin").unlink()
    os.link(root / "bin/app", root / "bin/twin")
    linked = image(root)
    assert read(apart, "index.json") == read(linked, "index.json")
    assert findings(linked) == []


def test_the_time_of_packing_does_not_decide_the_bytes(root: Path):
    """Left alone, gzip would write the time into the layer's header, or a file's name."""
    layout = image(root)
    header = blob(layout, manifest_of(layout)["layers"][0]["digest"]).read_bytes()[:10]
    assert header[:3] == b"\x1f\x8b\x08"
    assert header[3] == 0, "no name"
    assert header[4:8] == b"\0\0\0\0", "no time"


# ---- what the audit finds in a layout


def rewrite(layout: Path, path: str, change: Callable[[Any], None]) -> None:
    """Change a document in place."""
    document = read(layout, path)
    change(document)
    (layout / path).unlink()
    (layout / path).write_text(json.dumps(document))


def replace(layout: Path, data: bytes) -> dict[str, Any]:
    """Add a blob; what a descriptor says of it."""
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def change_blob(layout: Path, key: str, change: Callable[[Any], None]) -> None:
    """Change the manifest (``key`` is empty) or its configuration, and all that names it."""
    (told,) = read(layout, "index.json")["manifests"]
    manifest = json.loads(blob(layout, told["digest"]).read_text())
    blob(layout, told["digest"]).unlink()
    if key:
        old = blob(layout, manifest[key]["digest"])
        document = json.loads(old.read_text())
        old.unlink()
        change(document)
        manifest[key] |= replace(layout, json.dumps(document).encode())
        config = f"blobs/sha256/{manifest[key]['digest'][7:]}"
        rewrite(layout, "manifest.json", lambda docker: docker[0].update(Config=config))
    else:
        change(manifest)
    facts = replace(layout, json.dumps(manifest).encode())
    rewrite(layout, "index.json", lambda index: index["manifests"][0].update(facts))


def put(*keys: str | int, value: object) -> Callable[[Any], None]:
    """A change of one value of a document."""

    def change(document: Any) -> None:  # noqa: ANN401
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("path", "change", "says"),
    [
        ("oci-layout", put("imageLayoutVersion", value="2"), "must be '1.0.0', not '2'"),
        ("index.json", put("schemaVersion", value=1), "must be of schema version 2"),
        ("index.json", put("mediaType", value="x"), "must be of schema version 2"),
        ("index.json", put("manifests", value=[]), "it names no image"),
        ("index.json", put("manifests", value=None), "it names no image"),
        ("index.json", put("manifests", value={}), "must be a list"),
        ("index.json", put("manifests", value=[1]), "must be an object"),
        ("index.json", put("manifests", 0, "digest", value=1), "must be a string"),
        ("index.json", put("manifests", 0, "digest", value="md5:1"), "sha256: and 64 hex"),
        (
            "index.json",
            put("manifests", 0, "digest", value="sha256:" + "0" * 64),
            "it is not there",
        ),
        ("index.json", put("manifests", 0, "size", value=1), "the blob has"),
        ("index.json", put("manifests", 0, "size", value="1"), "must be a number"),
        ("index.json", put("manifests", 0, "mediaType", value="x"), "it must be one of"),
        ("index.json", put("manifests", 0, "platform", value=None), "must be an object"),
        ("index.json", put("manifests", 0, "annotations", value={}), "must be a string"),
        (
            "index.json",
            put("manifests", 0, "annotations", "org.opencontainers.image.ref.name", value="1"),
            "it must be 'example.org/app:1', as io.containerd.image.name",
        ),
        ("manifest.json", put(0, "RepoTags", value=[]), "does not name the images of index.json"),
        ("manifest.json", put(0, "Layers", value=[]), "does not name the images of index.json"),
    ],
)
def test_a_layout_that_contradicts_itself(
    root: Path, path: str, change: Callable[[Any], None], says: str
):
    layout = image(root)
    rewrite(layout, path, change)
    (found,) = findings(layout)
    assert found.startswith((f"image/{path}", "image/blobs/sha256/"))
    assert says in found


@pytest.mark.parametrize(
    ("key", "change", "says"),
    [
        ("", put("mediaType", value="x"), "must be of schema version 2"),
        ("", put("layers", 0, "mediaType", value="x"), "it must be one of"),
        ("", put("layers", value=[]), "it must have one layer, not 0"),
        ("config", put("rootfs", "diff_ids", value=[]), "it has 0 diff_ids for 1 layers"),
        ("config", put("os", value="plan9"), "it is for linux/riscv64 and plan9/riscv64"),
        ("config", put("rootfs", "diff_ids", value=["sha256:0"]), "not to its diff_id sha256:0"),
        ("config", put("config", "Env", value="PATH"), "must be a list"),
        ("config", put("config", "User", value="\ud800"), "config: User: it cannot be UTF-8"),
        ("config", put("config", "Entrypoint", value=["\udfff"]), "[0]: it cannot be UTF-8"),
    ],
)
def test_a_manifest_or_configuration_that_is_wrong(
    root: Path, key: str, change: Callable[[Any], None], says: str
):
    layout = image(root)
    change_blob(layout, key, change)
    (found,) = findings(layout)
    assert says in found


def test_every_blob_is_hashed(root: Path):
    """One bit of any file, and the audit says so."""
    pristine = image(root)
    for path in sorted(pristine.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            assert findings(pristine) != [], path
            path.write_bytes(data)
    assert findings(pristine) == []


def test_nothing_travels_along_unseen(root: Path):
    layout = image(root)
    replace(layout, b"more")
    (found,) = findings(layout)
    assert found.endswith("nothing refers to it")


@pytest.mark.parametrize("path", ["index.json", "blobs", "more"])
def test_a_link_is_refused_before_it_is_followed(root: Path, path: str):
    layout = image(root)
    if (layout / path).exists():
        (layout / path).rename(root.parent / "outside")
    (layout / path).symlink_to("/dev/zero" if path == "more" else root.parent / "outside")
    assert findings(layout) == [f"image/{path}: it is a symbolic link, which no layout has"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "it is not there"),
        ("{", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ('"' + "x" * (4 << 20) + '"', "it is larger than"),
    ],
)
def test_a_document_that_cannot_be_read(root: Path, data: str | None, says: str):
    layout = image(root)
    (layout / "index.json").unlink()
    if data is not None:
        (layout / "index.json").write_text(data)
    (found,) = findings(layout)
    assert found.startswith("image/index.json: ")
    assert says in found


def with_layers(
    layout: Path, *layers: bytes, compress: Callable[[bytes], bytes] = gzip.compress
) -> None:
    """Give the image other layers, in which all else is right."""
    (old,) = manifest_of(layout)["layers"]
    blob(layout, old["digest"]).unlink()
    told = [{"mediaType": old["mediaType"], **replace(layout, compress(one))} for one in layers]
    contents = [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]
    change_blob(layout, "config", put("rootfs", "diff_ids", value=contents))
    change_blob(layout, "", put("layers", value=told))
    paths = [f"blobs/sha256/{one['digest'][7:]}" for one in told]
    rewrite(layout, "manifest.json", put(0, "Layers", value=paths))


def layer(**files: bytes) -> bytes:
    """A layer without folders; in names, ``__`` is a slash."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def with_folders(*folders: tuple[str, int]) -> bytes:
    """A layer with one program, and with folders."""
    made = io.BytesIO(layer(bin__app=PROGRAM, etc__passwd=b"app:x:1:1::/:\n"))
    with tarfile.open(fileobj=made, mode="a") as tar:
        for name, mode in folders:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, mode
            tar.addfile(member)
    return made.getvalue()


@pytest.mark.parametrize(
    ("folders", "barred"),
    [
        ([("bin", 0o755), ("bin", 0o700)], "/bin"),
        ([("bin", 0o700), ("./bin/", 0o755)], None),
        ([("./", 0o700)], "/"),
        ([(".", 0o700), ("./", 0o755)], None),
        ([("...", 0o700)], None),
        ([("./bin/../..", 0o755)], "'..'"),
    ],
)
def test_the_last_mode_of_a_folder_is_its_mode(
    root: Path, folders: list[tuple[str, int]], barred: str | None
):
    layout = image(root)
    with_layers(layout, with_folders(*folders))
    found = findings(layout)
    assert len(found) == (barred is not None)
    assert not barred or barred in found[0]


def test_a_file_of_dots_is_not_the_root(root: Path):
    plant(root, "...", "", 0o600)
    assert findings(image(root)) == []


def test_more_than_one_layer_is_refused(root: Path):
    """What a later layer does to an earlier one is not looked at, so it must not be there."""
    layout = image(root)
    with_layers(layout, layer(bin__app=PROGRAM), layer(etc__more=b"more"))
    (found,) = findings(layout)
    assert found.endswith("layers: it must have one layer, not 2")


@pytest.mark.parametrize(
    ("compress", "says"),
    [
        (bytes, "it is not compressed, its media type says gzip"),
        (bz2.compress, "it is bzip2, its media type says gzip"),
        (lzma.compress, "it is xz, its media type says gzip"),
    ],
)
def test_a_layer_is_compressed_as_its_media_type_says(
    root: Path, compress: Callable[[bytes], bytes], says: str
):
    """Runtimes go by the media type, so a reader that finds out by itself must not."""
    layout = image(root, config={"Cmd": ["/bin/app"]})
    with_layers(layout, layer(bin__app=PROGRAM), compress=compress)
    (found,) = findings(layout)
    assert says in found


def test_a_layer_need_not_be_compressed(root: Path):
    layout = image(root, config={"Cmd": ["/bin/app"]})
    with_layers(layout, layer(bin__app=PROGRAM), compress=bytes)
    plain = "application/vnd.oci.image.layer.v1.tar"
    change_blob(layout, "", put("layers", 0, "mediaType", value=plain))
    assert findings(layout) == []


def test_a_layer_that_is_damaged_or_leaves_the_root_is_refused(root: Path):
    layout = image(root)
    with_layers(layout, layer(bin__app=PROGRAM)[:700])
    (found,) = findings(layout)
    assert "truncated" in found
    layout = image(root)
    with_layers(layout, layer(**{".__..__etc__passwd": b"x"}))
    (found,) = findings(layout)
    assert "could leave the root" in found


# ---- what the audit finds in an archive, which is what people import


def archive(root: Path, *layouts: Path, compress: Callable[[bytes], bytes] = bytes) -> Path:
    made = root.parent / "images.tar"
    assert pack("--archive", made, *layouts) == ""
    made.write_bytes(compress(made.read_bytes()))
    return made


@pytest.mark.parametrize("compress", [bytes, zstandard.compress, gzip.compress])
def test_an_archive_is_looked_into_as_its_folder_is(root: Path, compress: Any):  # noqa: ANN401
    sound = image(root)
    assert findings(archive(root, sound, compress=compress)) == []
    plant(root, "bin/app", FOREIGN, 0o755)
    broken = archive(root, sound, image(root, name="example.org/b:1"), compress=compress)
    assert findings(broken) == ["image (example.org/b:1): /bin/app: it is for amd64, not riscv64"]


def test_what_images_of_an_archive_share_is_told_once(root: Path):
    plant(root, "usr/lib/helper", FOREIGN, 0o755)
    both = (image(root), image(root, name="example.org/b:1", config={"Cmd": ["/bin/gone"]}))
    assert findings(archive(root, *both)) == [
        "image (example.org/app:1): /usr/lib/helper: it is for amd64, not riscv64",
        "image (example.org/b:1): /bin/gone: it is to be started, and is not there",
    ]


def test_every_bit_of_an_archive_is_looked_at(root: Path):
    """One bit of anything that is in it, and the audit says so."""
    whole = archive(root, image(root))
    data = whole.read_bytes()
    with tarfile.open(whole) as tar:
        inside = [one.offset_data + one.size - 1 for one in tar.getmembers() if one.isfile()]
    assert len(inside) == 6
    for at in inside:
        whole.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert findings(whole) != [], at


def test_an_archive_with_more_than_a_layout_is_refused(root: Path):
    whole = archive(root, image(root))
    with tarfile.open(whole, "a") as tar:
        tar.addfile(tarfile.TarInfo("more"))
    assert findings(whole) == ["image/more: nothing refers to it"]
    whole = archive(root, image(root))
    with tarfile.open(whole, "a") as tar:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "index.json"
        tar.addfile(link)
    (found,) = findings(whole)
    assert found == "image: entry link: a link, where only files and directories may be"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[:2100], "image: the archive is truncated"),
        (lambda _: b"no archive", "image: neither a tar nor"),
        (lambda _: bytes(1024), "image/oci-layout: it is not there"),
    ],
)
def test_what_is_no_archive_of_a_layout(root: Path, change: Callable[[bytes], bytes], says: str):
    (found,) = findings(archive(root, image(root), compress=change))
    assert found.startswith(says)


def test_documents_without_end_are_refused(root: Path):
    layout = image(root)
    for number in range(17):
        replace(layout, b"{" + b"%02d" % number + bytes(4 << 20))
    (found,) = findings(layout)
    assert found == f"image: its documents have more than {64 << 20} bytes together"


def test_a_large_file_is_looked_through_and_never_held_in_memory(root: Path):
    layout = image(root, config={"Cmd": ["/bin/app"]})
    word = b"/home/builder/"
    large = bytes(32 << 20) + word
    with_layers(layout, layer(bin__app=PROGRAM, var__large=large), compress=bytes)
    plain = "application/vnd.oci.image.layer.v1.tar"
    change_blob(layout, "", put("layers", 0, "mediaType", value=plain))
    tracemalloc.start()
    (found,) = findings(layout, forbidden=(word,))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert f"/var/large: /home/builder/ is inside, at byte {32 << 20}" in found
    assert peak < 32 << 20
