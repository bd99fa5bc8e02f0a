"""What the bundle adds to K3s' installer: it installs what lies beside it."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

OFFLINE = Path(__file__).parents[2] / "recipes/k3s-bundle/offline.sh"
IMAGES = "k3s-airgap-images-riscv64.tar.zst"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle in a folder with a blank in its name; its installer ends after our part."""
    folder = tmp_path / "a bundle"
    folder.mkdir()
    tail = 'echo "skip=$INSTALL_K3S_SKIP_DOWNLOAD restart=${INSTALL_K3S_FORCE_RESTART:-}"\n'
    files = {
        "k3s": b"program 1",
        IMAGES: b"images",
        "install.sh": f"set -e\nset -o noglob\n{OFFLINE.read_text()}{tail}".encode(),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    sums(folder)
    return folder


def sums(folder: Path) -> None:
    rows = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ("k3s", IMAGES, "install.sh")
    ]
    (folder / "SHA256SUMS").write_text("".join(rows))


def install(bundle: Path, *, below: Path) -> subprocess.CompletedProcess[str]:
    """As root would, but below a folder."""
    places = {"INSTALL_K3S_BIN_DIR": str(below / "bin"), "K3S_DATA_DIR": str(below / "data")}
    as_root = bundle.parent / "tools"
    as_root.mkdir(exist_ok=True)
    sudo = as_root / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    return subprocess.run(
        ["sh", str(bundle / "install.sh")],
        env={**os.environ, **places, "PATH": f"{as_root}:{os.environ['PATH']}"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_first_install_and_an_update(bundle: Path, tmp_path: Path):
    """The program is replaced, not written over: it may be running."""
    ran = install(bundle, below=tmp_path)
    assert (ran.returncode, ran.stdout) == (0, "skip=true restart=true\n"), ran.stderr
    program = tmp_path / "bin/k3s"
    assert program.read_bytes() == b"program 1"
    assert program.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "data/agent/images" / IMAGES).read_bytes() == b"images"
    assert install(bundle, below=tmp_path).stdout == "skip=true restart=\n"  # nothing is new

    (bundle / "k3s").write_bytes(b"program 2")
    sums(bundle)
    with program.open("rb") as running:
        assert install(bundle, below=tmp_path).stdout == "skip=true restart=true\n"
        assert running.read() == b"program 1"
    assert program.read_bytes() == b"program 2"


@pytest.mark.parametrize("name", ["k3s", IMAGES])
def test_a_damaged_bundle_is_not_installed(bundle: Path, tmp_path: Path, name: str):
    (bundle / name).write_bytes(b"cut")
    ran = install(bundle, below=tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "damaged: copy it again" in ran.stderr
    assert not (tmp_path / "bin").exists()
    assert not (tmp_path / "data").exists()
