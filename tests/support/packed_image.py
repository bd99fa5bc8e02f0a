"""A small root file system, and images of it as `oci-pack` packs them on this machine."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from made_elf import Made

PACK = Path(__file__).parents[2] / "recipes/oci-pack/oci-pack"
CONFIG = {
    "architecture": "riscv64",
    "config": {"Entrypoint": ["/bin/app"], "User": "app"},
    "os": "linux",
}
PROGRAM = Made().write()


def pack(*words: str | Path, **environment: str) -> str:
    """Run `oci-pack`; what it complains of."""
    ran = subprocess.run(
        ["sh", PACK, *words],
        env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **environment},
        check=False,
        capture_output=True,
        text=True,
    )
    assert (ran.returncode == 0) == (ran.stderr == ""), ran.stderr
    return ran.stderr


def plant(root: Path, path: str, data: bytes | str, mode: int = 0o644) -> None:
    """Put a file into a root."""
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    file.chmod(mode)


def filled(root: Path) -> Path:
    """Make a root from which an image can run."""
    plant(root, "bin/app", PROGRAM, 0o755)
    plant(root, "etc/passwd", "app:x:1:1::/:/bin/app\n")
    (root / "bin/link").symlink_to("./app")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    return root


def image(root: Path, name: str = "example.org/app:1", **changed: object) -> Path:
    """Pack the root; the layout."""
    layout = root.parent / f"image{len(list(root.parent.iterdir()))}"
    config = {**CONFIG, **changed}
    said = pack(
        *("--image", root, layout),
        image_name=name,
        arch="riscv64",
        image_config=json.dumps(config, sort_keys=True, separators=(",", ":")),
    )
    assert said == ""
    return layout
