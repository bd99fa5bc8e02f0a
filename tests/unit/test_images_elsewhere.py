"""Other people's programs take the images that `oci-pack` makes, under their names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from packed_image import filled, image, pack, plant

FIRST, SECOND = "example.org/team/app:1", "example.org/team/other:2"


def run(*words: str | Path) -> str:
    ran = subprocess.run(words, check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def need(program: str) -> None:
    """Skip a test whose program is missing; where CI is set it fails, for want of it."""
    if not (shutil.which(program) or os.environ.get("CI")):
        pytest.skip(f"{program} is not installed")


@pytest.fixture
def layouts(tmp_path: Path) -> list[Path]:
    """Two images that share no layer."""
    root = filled(tmp_path / "root")
    first = image(root, name=FIRST)
    plant(root, "etc/more", "more")
    return [first, image(root, name=SECOND)]


@pytest.fixture
def archive(tmp_path: Path, layouts: list[Path]) -> Path:
    """One archive with both."""
    assert pack("--archive", tmp_path / "all.tar", *layouts) == ""
    return tmp_path / "all.tar"


def digest(layout: Path) -> str:
    (told,) = json.loads((layout / "index.json").read_text())["manifests"]
    found: str = told["digest"]
    return found


def test_skopeo_takes_them_by_name(tmp_path: Path, layouts: list[Path], archive: Path):
    need("skopeo")
    for layout, name in zip(layouts, (FIRST, SECOND), strict=True):
        copy = tmp_path / f"copy of {layout.name}"
        run("skopeo", "copy", f"oci-archive:{archive}:{name}", f"dir:{copy}")
        whole = (layout / "blobs/sha256" / digest(layout)[7:]).read_bytes()
        assert (copy / "manifest.json").read_bytes() == whole
        config = run("skopeo", "inspect", "--config", f"docker-archive:{archive}:{name}")
        assert json.loads(config)["architecture"] == "riscv64"


def test_umoci_unpacks_them(tmp_path: Path, layouts: list[Path]):
    need("umoci")
    for layout, name in zip(layouts, (FIRST, SECOND), strict=True):
        bundle = tmp_path / f"bundle of {layout.name}"
        run("umoci", "unpack", "--rootless", "--image", f"{layout}:{name}", bundle)
        assert (bundle / "rootfs/bin/app").stat().st_mode & 0o777 == 0o755
        assert (bundle / "rootfs/tmp").stat().st_mode & 0o7777 == 0o1777
        process = json.loads((bundle / "config.json").read_text())["process"]
        assert process["args"] == ["/bin/app"]
        assert process["user"]["uid"] == 1


def test_podman_loads_them(tmp_path: Path, layouts: list[Path], archive: Path):
    need("podman")
    with tempfile.TemporaryDirectory(prefix="run") as runs:  # its path must be short
        places = ("--root", str(tmp_path / "storage"), "--runroot", runs)
        storage = ("podman", "--storage-driver", "vfs", *places)
        said = run(*storage, "load", "--input", archive)
        listed = json.loads(run(*storage, "images", "--format", "json"))
    assert FIRST in said
    assert SECOND in said
    entries = [json.loads((layout / "manifest.json").read_text())[0] for layout in layouts]
    assert {one["Id"] for one in listed} == {one["Config"].rpartition("/")[2] for one in entries}
