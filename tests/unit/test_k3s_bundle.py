"""What the bundle adds to K3s' installer: it installs what lies beside it, or says what is wrong.

Upstream's installer is played by a short one with its functions and their order.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from attrs import field, frozen

ADDED = Path(__file__).parents[2] / "recipes/k3s-bundle"
IMAGES = "k3s-airgap-images-riscv64.tar.zst"
UPSTREAM = r"""#!/bin/sh
set -e
set -o noglob

fatal() { echo '[ERROR] ' "$@" >&2; exit 1; }
warn() { echo '[WARN] ' "$@" >&2; }
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

MACHINE = ("/etc/rancher", "/etc/default", "/etc/sysconfig", "/usr/sbin", "/sys/fs/cgroup")
"""Folders that the installer looks at; those of the machine that runs the tests do not count."""


@frozen
class Board:
    """A bundle in a folder with a blank in its name, and a machine's root folder."""

    bundle: Path
    root: Path
    shell: tuple[str, ...] = field(default=("sh",))

    def pack(self, **files: bytes) -> None:
        names = {"k3s": "k3s", "images": IMAGES, "programs": "k3s-programs.txt"}
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
        return self.run(
            [*self.shell, str(self.bundle / "install.sh"), *words], machine=machine, **environment
        )

    def run(
        self,
        command: Sequence[str],
        *,
        machine: str = "riscv64",
        cwd: Path | str = "/",
        given: bytes | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        path = f"{self.root}/tools:/usr/bin:/bin"
        ran = subprocess.run(
            command,
            env={"PATH": path, "ROOT": str(self.root), "ARCH": machine, **environment},
            cwd=cwd,
            input=b"" if given is None else given,
            capture_output=True,
            check=False,
        )
        out, err = ran.stdout.decode(), ran.stderr.decode()
        return subprocess.CompletedProcess(ran.args, ran.returncode, out, err)

    def holds(self) -> set[str]:
        """Files below the root that were not there before."""
        found = (file for file in self.root.rglob("*") if file.is_file())
        names = {str(file.relative_to(self.root)) for file in found}
        return {
            name for name in names if name != "init" and not name.startswith(("tools/", "etc/"))
        }


SHELLS = {name: words for name, words in {
    "dash": ("dash",), "bash": ("bash",), "busybox": ("busybox", "sh"),
}.items() if shutil.which(words[0])}  # fmt: skip


@pytest.fixture(params=SHELLS.values(), ids=SHELLS)
def board(request: pytest.FixtureRequest, tmp_path: Path) -> Board:
    made = Board(tmp_path / "a bundle", tmp_path / "root", request.param)
    made.bundle.mkdir()
    (made.root / "tools").mkdir(parents=True)
    (made.root / "init").touch()
    upstream = tmp_path / "upstream"
    upstream.write_text(UPSTREAM)
    script = made.bundle / "install.sh"
    subprocess.run([ADDED / "installer", upstream, script], check=True)
    for folder in MACHINE:
        script.write_text(script.read_text().replace(folder, f"$ROOT{folder}"))
    if request.param[0] == "busybox":
        _busybox(made.root / "tools")
    made.pack(k3s=b"program 1", images=b"images 1", programs=b"ip\nipset\n")
    return made


def _busybox(tools: Path) -> None:
    """What a small board has of each program."""
    busybox = shutil.which("busybox")
    for name in ("awk", "sed", "grep", "readlink", "dirname", "tail", "head", "sort", "ls", "tar",
                 "sha256sum", "mktemp"):  # fmt: skip
        (tools / name).write_text(f'#!/bin/sh\nexec {busybox} {name} "$@"\n')
        (tools / name).chmod(0o755)


def data(board: Board) -> str:
    return str(board.root / "data")


def configured(board: Board, name: str = "config.yaml", **more: str) -> Path:
    """A file of K3s' configuration that names the folder `data`."""
    file = board.root / "etc/rancher/k3s" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(more.get("text", f"data-dir: {data(board)}\n"))
    return file


def images(folder: str = "data") -> set[str]:
    """What an install leaves."""
    return {"bin/k3s", f"{folder}/agent/images/{IMAGES}"}


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
    if board.shell[0] == "busybox":
        pytest.skip("its shell takes its own mv, which does not fail")
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


def test_a_link_a_pipe_and_another_folder(board: Board, tmp_path: Path):
    """Also a link to a link, one that is relative, and the script as standard input."""
    script = board.bundle / "install.sh"
    (tmp_path / "links").mkdir()
    (tmp_path / "links/first").symlink_to("second")
    (tmp_path / "links/second").symlink_to(script)
    (tmp_path / "links/folder").symlink_to(board.bundle)
    link = str(tmp_path / "links/first")
    text = script.read_bytes()
    where = {"K3S_DATA_DIR": data(board)}
    redirected = ["sh", "-c", f'exec {" ".join(board.shell)} -s - server < "$0"', str(script)]
    links = tmp_path / "links"
    ways: list[tuple[list[str], Path, bytes | None]] = [
        ([*board.shell, link], tmp_path, None),
        ([*board.shell, "./first"], links, None),
        ([*board.shell, "install.sh"], links / "folder", None),
        ([*board.shell, "-s", "-", "server"], board.bundle, text),
        ([*board.shell], board.bundle, text),
        (redirected, tmp_path, None),
    ]
    for command, cwd, given in ways:
        ran = board.run(command, cwd=cwd, given=given, **where)
        assert (ran.returncode, ran.stdout) == (0, "restart=true\n"), ran.stderr
        assert board.holds() == images()
        shutil.rmtree(board.root / "bin")


def test_a_bundle_that_is_named(board: Board, tmp_path: Path):
    """Its folder, or its archive, of which nothing stays behind."""
    text = (board.bundle / "install.sh").read_bytes()
    archive = tmp_path / "k3s-bundle-riscv64.tar"
    command = ["tar", "-C", str(tmp_path), "-cf", str(archive), board.bundle.name]
    subprocess.run(command, check=True)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    where = {"K3S_DATA_DIR": data(board), "TMPDIR": str(temporary)}
    for named in (board.bundle, archive):
        ran = board.run(board.shell, given=text, INSTALL_K3S_BUNDLE=str(named), **where)
        assert ran.returncode == 0, ran.stderr
        assert board.holds() == images()
        assert os.listdir(temporary) == []
    archive.write_bytes(archive.read_bytes()[:700])
    ran = board.run(board.shell, given=text, INSTALL_K3S_BUNDLE=str(archive), **where)
    assert (ran.returncode, "copy it again" in ran.stderr) == (1, True), ran.stderr
    assert os.listdir(temporary) == []
    ran = board.run(board.shell, given=text, INSTALL_K3S_BUNDLE="/nowhere", **where)
    assert (ran.returncode, "no bundle in /nowhere" in ran.stderr) == (1, True)


def test_no_bundle_is_not_one_for_another_board(board: Board, tmp_path: Path):
    (tmp_path / "alone").mkdir()
    script = shutil.copy(board.bundle / "install.sh", tmp_path / "alone")
    ran = board.run([*board.shell, str(script)], K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "not for" not in ran.stderr
    assert "INSTALL_K3S_BUNDLE=" in ran.stderr
    assert board.holds() == set()


def test_the_configuration_says_where_images_go(board: Board):
    """Its file, one that is named, and what lies beside it; the later one decides."""
    configured(board, text='# data-dir: /no\ntoken: x\n"data-dir": "/no"\n')
    configured(board, "config.yaml.d/10-mine.yml")
    configured(board, "config.yaml.d/20-notes.txt", text="data-dir: /no\n")
    configured(board, "config.yaml.d/05-site.yaml", text="data-dir: /no\n")
    ran = board.install()
    assert ran.returncode == 0, ran.stderr
    assert board.holds() == images()


@pytest.mark.parametrize("how", ["--config {}", "--config={}", "-c {}", "K3S_CONFIG_FILE"])
def test_a_configuration_that_is_named(board: Board, how: str):
    configured(board, text="data-dir: /no\n")
    file = str(configured(board, "mine"))
    if how == "K3S_CONFIG_FILE":
        ran = board.install("server", "--config", "/nowhere", K3S_CONFIG_FILE=file)
    else:
        ran = board.install("server", *how.format(file).split(" "), "--disable", "traefik")
    assert ran.returncode == 0, ran.stderr
    assert board.holds() == images()


def test_what_decides(board: Board):
    """The flag, then the configuration, then the variable, also of the service's own files."""
    other = str(board.root / "other")
    service = board.root / "etc/default/k3s"
    service.parent.mkdir(parents=True)
    service.write_text(f'# K3S_DATA_DIR=/no\nK3S_DATA_DIR="{data(board)}"\nFOO=bar\n')
    assert board.install(SYSTEM_NAME="k3s").returncode == 0
    assert board.holds() == images()
    shutil.rmtree(board.root / "data")
    assert board.install(SYSTEM_NAME="k3s", K3S_DATA_DIR=other).returncode == 0
    assert board.holds() == images("other")
    shutil.rmtree(other)
    configured(board)
    assert board.install(K3S_DATA_DIR=other).returncode == 0
    assert board.holds() == images()
    shutil.rmtree(board.root / "data")
    assert board.install("server", "-d", other, K3S_DATA_DIR="/no").returncode == 0
    assert board.holds() == images("other")


UNSURE = {
    "an anchor": "x: &a /x\ndata-dir: *a\n",
    "a list": "data-dir:\n- /x\n",
    "a block": "data-dir: |\n  /x\n",
    "two lines": "data-dir: /x\n  y\n",
    "an escape": 'data-dir: "/\\x41"\n',
    "a tag": "data-dir: !!str /x\n",
    "the short name": "d: /x\n",
    "braces": "{data-dir: /x}\n",
    "braces over lines": '--- {"token": "t",\n  "data-dir": "/x"}\n',
    "a home": "data-dir: ~/k3s\n",
    "a variable": "data-dir: /x/$HOME\n",
}


@pytest.mark.parametrize("text", UNSURE.values(), ids=UNSURE)
def test_what_cannot_be_told_is_said(board: Board, text: str):
    """Nothing is installed; a flag makes it sure."""
    configured(board, text=text)
    ran = board.install()
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "say --data-dir" in ran.stderr
    assert board.holds() == set()
    ran = board.install("server", "--data-dir", data(board))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_empty_braces_say_nothing(board: Board):
    configured(board, text="{} # data-dir: /x\n")
    ran = board.install(K3S_DATA_DIR=data(board))
    assert (ran.returncode, board.holds()) == (0, images())


@pytest.mark.parametrize("text", ["? {data-dir: /x}\n: y\n", "x:\n  data-dir: /x\n"])
def test_what_may_be_meant_is_said(board: Board, text: str):
    configured(board, text=text)
    ran = board.install(K3S_DATA_DIR=data(board))
    assert ran.returncode == 0
    assert "not sure of" in ran.stderr
    assert board.holds() == images()


def test_a_configuration_elsewhere_is_said(board: Board):
    ran = board.install("--config", "https://example.invalid/c", K3S_DATA_DIR=data(board))
    assert ran.returncode == 0
    assert "K3s reads https://example.invalid/c, which is not read here" in ran.stderr


def test_policies_that_nobody_can_enforce_are_said(board: Board):
    """K3s' own ipset will do, and the machine's; who wants no policies is told nothing."""

    def says(*words: str) -> bool:
        ran = board.install(*words, K3S_DATA_DIR=data(board))
        assert (ran.returncode, board.holds()) == (0, images())
        return "No NetworkPolicy will be enforced" in ran.stderr

    assert not says()
    board.pack(programs=b"ip\nipset-like\n")
    assert says()
    assert says("server", "--disable", "traefik", "--disable-network-policy=false")
    assert not says("server", "--disable-network-policy", "--disable", "traefik")
    assert not says("server", "--disable-network-policy=true")
    ipset = board.root / "usr/sbin/ipset"
    ipset.parent.mkdir(parents=True)
    ipset.write_text("#!/bin/sh\n")
    ipset.chmod(0o755)
    ran = board.install(K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_cgroups_that_the_kubelet_refuses_are_said(board: Board):
    """The folder holds cgroup.controllers where the cgroups are those of version 2."""
    folder = board.root / "sys/fs/cgroup"
    (folder / "memory").mkdir(parents=True)
    assert "cgroups of version 1" in board.install(K3S_DATA_DIR=data(board)).stderr
    (folder / "cgroup.controllers").touch()
    ran = board.install(K3S_DATA_DIR=data(board))
    assert (ran.returncode, ran.stderr) == (0, "")


def test_images_are_imported_once_where_that_is_asked_for(board: Board):
    """An update is another archive: what K3s noted of the one before does not count."""
    board.install(K3S_DATA_DIR=data(board))
    note = board.root / "data/agent/images/.cache.json"
    assert not note.exists()
    board.install(K3S_DATA_DIR=data(board), INSTALL_K3S_IMPORT_ONCE="true")
    assert (note.read_bytes(), note.stat().st_mode & 0o777) == (b"", 0o644)
    note.write_text('{"k3s-airgap-images-riscv64.tar.zst":{"size":8}}')
    board.install(K3S_DATA_DIR=data(board))
    assert note.read_bytes() == b""


@pytest.mark.parametrize("enabled", [True, False])
def test_labels_where_selinux_is_on(board: Board, enabled: bool):  # noqa: FBT001 - a parameter
    log = board.root / "tools/log"
    (board.root / "tools/selinuxenabled").write_text(f"#!/bin/sh\nexit {0 if enabled else 1}\n")
    (board.root / "tools/restorecon").write_text(f'#!/bin/sh\necho "$@" >> {log}\n')
    for name in ("selinuxenabled", "restorecon"):
        (board.root / "tools" / name).chmod(0o755)
    assert board.install(K3S_DATA_DIR=data(board)).returncode == 0
    labelled = log.read_text().split("\n") if log.exists() else []
    places = [f"{data(board)}/agent/images/{IMAGES}", f"{board.root}/bin/k3s", ""]
    assert labelled == ([f"-R {place}" if place else "" for place in places] if enabled else [])
    if enabled:
        (board.root / "tools/restorecon").write_text("#!/bin/sh\nexit 1\n")
        ran = board.install(K3S_DATA_DIR=data(board))
        assert (ran.returncode, "SELinux is on" in ran.stderr) == (0, True)
