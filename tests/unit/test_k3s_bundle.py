"""What the bundle adds to K3s' installer: it installs what lies beside it, or says what is wrong.

Upstream's installer is played by a short one with its functions and their order.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from attrs import frozen

ADDED = Path(__file__).parents[2] / "recipes/k3s-bundle"
IMAGES = "k3s-airgap-images-riscv64.tar.zst"
UPSTREAM = r"""#!/bin/sh
set -e
set -o noglob

fatal() { echo '[ERROR] ' "$@" >&2; exit 1; }
info() { :; }
verify_system() { [ -e "$ROOT/init" ] || fatal 'no process supervisor'; }
setup_env() { SUDO=; BIN_DIR=$ROOT/bin; }
setup_verify_arch() {
    if [ -z "$ARCH" ]; then
        ARCH=$(uname -m)
    fi
    case $ARCH in
        x86_64)
            ARCH=amd64
            SUFFIX=
            ;;
        aarch64)
            ARCH=arm64
            SUFFIX=-${ARCH}
            ;;
        *)
            fatal "Unsupported architecture $ARCH"
    esac
}
download_and_verify() { [ "$INSTALL_K3S_SKIP_DOWNLOAD" = true ] || fatal 'it would download'; }
service_enable_and_start() { echo "restart=$INSTALL_K3S_FORCE_RESTART"; }

{
    verify_system
    setup_env "$@"
    download_and_verify
    service_enable_and_start
}
"""


@frozen
class Board:
    """A bundle in a folder with a blank in its name, and a machine's root folder."""

    bundle: Path
    root: Path

    def pack(self, **files: bytes) -> None:
        names = {"k3s": "k3s", "images": IMAGES}
        for name, data in files.items():
            (self.bundle / names[name]).write_bytes(data)
        rows = [
            f"{hashlib.sha256((self.bundle / name).read_bytes()).hexdigest()}  {name}\n"
            for name in names.values()
        ]
        (self.bundle / "SHA256SUMS").write_text("".join(rows))

    def install(
        self, *words: str, machine: str = "riscv64", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self.root}/tools:/usr/bin:/bin"
        return subprocess.run(
            ["sh", str(self.bundle / "install.sh"), *words],
            env={"PATH": path, "ROOT": str(self.root), "ARCH": machine, **environment},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    def holds(self) -> set[str]:
        """Files below the root that were not there before."""
        found = (file for file in self.root.rglob("*") if file.is_file())
        return {str(file.relative_to(self.root)) for file in found} - {"init", "tools/mv"}


@pytest.fixture
def board(tmp_path: Path) -> Board:
    made = Board(tmp_path / "a bundle", tmp_path / "root")
    made.bundle.mkdir()
    (made.root / "tools").mkdir(parents=True)
    (made.root / "init").touch()
    upstream = tmp_path / "upstream"
    upstream.write_text(UPSTREAM)
    subprocess.run([ADDED / "installer", upstream, made.bundle / "install.sh"], check=True)
    made.pack(k3s=b"program 1", images=b"images 1")
    return made


def data(board: Board) -> str:
    return str(board.root / "data")


def test_an_install_and_an_update(board: Board):
    """The program is replaced, not written over: it may be running."""
    ran = board.install(K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stdout) == (0, "restart=true\n"), ran.stderr
    assert board.holds() == {"bin/k3s", f"data/agent/images/{IMAGES}"}
    program = board.root / "bin/k3s"
    assert (program.read_bytes(), program.stat().st_mode & 0o777) == (b"program 1", 0o755)

    board.pack(k3s=b"program 2", images=b"images 2")
    with program.open("rb") as running:
        assert board.install(K3S_DATA_DIR=data(board)).stdout == "restart=true\n"
        assert running.read() == b"program 1"
    assert program.read_bytes() == b"program 2"
    assert (board.root / "data/agent/images" / IMAGES).read_bytes() == b"images 2"


@pytest.mark.parametrize("form", ["--data-dir {}", "-d {}", "--data-dir={}"])
def test_images_go_where_k3s_will_look(board: Board, form: str):
    ran = board.install("server", *form.format(data(board)).split(" "))
    assert ran.returncode == 0, ran.stderr
    assert f"data/agent/images/{IMAGES}" in board.holds()


def test_an_update_that_was_cut_short_restarts_k3s_next_time(board: Board):
    """The program was placed, and what should have been started was not."""
    move = board.root / "tools/mv"
    move.write_text('#!/bin/sh\n/bin/mv "$@"\ncase $* in */bin/k3s) exit 1;; esac\n')
    move.chmod(0o755)
    assert board.install(K3S_DATA_DIR=data(board)).returncode == 1
    move.unlink()
    assert board.install(K3S_DATA_DIR=data(board)).stdout == "restart=true\n"


@pytest.mark.parametrize("name", ["k3s", IMAGES])
def test_a_damaged_bundle_is_not_installed(board: Board, name: str):
    (board.bundle / name).write_bytes(b"cut")
    ran = board.install(K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "damaged: copy it again" in ran.stderr
    assert board.holds() == set()


@pytest.mark.parametrize(
    ("machine", "says"),
    [("aarch64", "This bundle is not for arm64"), ("sparc", "Unsupported architecture sparc")],
)
def test_another_board_is_left_as_it_is(board: Board, machine: str, says: str):
    ran = board.install(machine=machine, K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert says in ran.stderr
    assert board.holds() == set()


def test_what_upstream_refuses_changes_nothing(board: Board):
    (board.root / "init").unlink()
    ran = board.install(K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stderr) == (1, "[ERROR]  no process supervisor\n")
    assert board.holds() == set()


def test_another_upstream_is_noticed(tmp_path: Path):
    """What does not find its place is not left out in silence."""
    (tmp_path / "upstream").write_text(UPSTREAM.replace('setup_env "$@"', "setup_env"))
    ran = subprocess.run(
        [ADDED / "installer", tmp_path / "upstream", tmp_path / "to"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "upstream's install.sh has changed" in ran.stderr
