"""Removal takes away what there is, and nothing behind it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rvbuild.files.descent import Descent
from rvbuild.files.folder import WrongKind, open_file, open_folder, set_mode
from rvbuild.files.removal import remove_tree


def deep(top: Path, levels: int, name: str = "deep") -> None:
    """Folders in folders, more than a path or the descriptors of a process can reach."""
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(os.open("file", os.O_CREAT, dir_fd=inner))
        os.mkdir("beside", dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_any_depth_with_few_descriptors(tmp_path: Path) -> None:
    deep(tmp_path / "top", 3000)
    code = (
        "import resource, sys; from rvbuild.files.removal import remove_tree;"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16)); remove_tree(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "top"], check=True)
    assert not (tmp_path / "top").exists()


def test_links_go_and_what_they_lead_to_stays(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "inner").mkdir(parents=True)
    (kept / "file").touch()
    top = tmp_path / "top"
    (top / "a/b").mkdir(parents=True)
    for link in (top / "link", top / "a/link", top / "a/b/link"):
        link.symlink_to(kept)
    (top / "a/file").symlink_to(kept / "file")
    os.mkfifo(top / "a/fifo")
    remove_tree(str(top))
    assert not top.exists()
    assert sorted(path.name for path in kept.iterdir()) == ["file", "inner"]


def test_one_link_one_file_and_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")
    (tmp_path / "file").touch()
    for name in ("link", "file", "nothing"):
        remove_tree(str(tmp_path / name))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_folders_without_rights() -> None:
    """As somebody whom modes stop: root is let in everywhere."""
    code = (
        "import os, sys; from rvbuild.files.removal import remove_tree\n"
        "if os.geteuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "os.chdir(sys.argv[1]); os.makedirs('top/a/b'); open('top/a/b/file', 'w').close()\n"
        "os.chmod('top/a/b', 0o000); os.chmod('top/a', 0o500); os.chmod('top', 0o000)\n"
        "remove_tree('top')"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        Path(folder).chmod(0o777)
        subprocess.run([sys.executable, "-c", code, folder], check=True)
        assert list(Path(folder).iterdir()) == []


MOUNTED = """\
mkdir "$1/top/inner"; mount --bind "$1/kept" "$1/top/inner"
"$2" -c 'import sys; from rvbuild.files.removal import remove_tree; remove_tree(sys.argv[1])' \\
  "$1/top" 2>"$1/said" && exit 9
grep -q "something is mounted there" "$1/said"
umount "$1/top/inner"
"""


@pytest.mark.privileged
def test_what_is_mounted_is_left_alone(tmp_path: Path) -> None:
    """Also of the same disk, where the device's number does not tell."""
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if not os.environ.get("CI") and subprocess.run([*own, "true"], check=False).returncode:
        pytest.skip("no unprivileged user namespaces")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "top").mkdir()
    subprocess.run([*own, "sh", "-eu", "-c", MOUNTED, "sh", tmp_path, sys.executable], check=True)
    assert (tmp_path / "kept/file").exists()
    remove_tree(str(tmp_path / "top"))
    assert not (tmp_path / "top").exists()


def test_a_descent_ends_where_its_folder_was_moved(tmp_path: Path) -> None:
    (tmp_path / "top/a/b").mkdir(parents=True)
    (tmp_path / "kept").mkdir()
    top = open_folder(str(tmp_path / "top"))
    descent = Descent(top)
    try:
        descent.down("a")
        descent.down("b")
        (tmp_path / "top/a/b").rename(tmp_path / "kept/b")
        with pytest.raises(OSError, match="moved meanwhile"):
            descent.up()
    finally:
        descent.close()
        os.close(top)


def test_only_what_is_wanted_is_opened(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder-link").symlink_to("folder")
    os.mkfifo(tmp_path / "fifo")
    for name in ("folder", "link", "folder-link", "fifo"):
        with pytest.raises(WrongKind, match="where a regular file must be"):
            open_file(str(tmp_path / name))
    for name in ("file", "link", "folder-link", "fifo"):
        with pytest.raises(WrongKind, match="where a folder must be"):
            open_folder(str(tmp_path / name))
    os.close(open_file(str(tmp_path / "file")))
    os.close(open_folder(str(tmp_path / "folder")))


def test_a_mode_is_not_set_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0o600)
    (tmp_path / "link").symlink_to("file")
    with pytest.raises(WrongKind):
        set_mode(str(tmp_path / "link"), 0o777)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    set_mode(str(tmp_path / "file"), 0o444)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o444
