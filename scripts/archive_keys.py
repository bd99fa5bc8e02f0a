"""Writes rvbuild's copy of Debian's archive keys; see docs/debian-keys.md.

Usage: archive_keys.py KEYRINGS FOLDER, where KEYRINGS is usr/share/keyrings of the package
debian-archive-keyring.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pysequoia import ArmorKind, armor

RELEASES = ("bookworm", "trixie")


def main(keyrings: Path, folder: Path) -> None:
    """Write an armored file for each key."""
    for release in RELEASES:
        for role in ("automatic", "stable"):
            name = f"debian-archive-{release}-{role}"
            data = (keyrings / f"{name}.pgp").read_bytes()
            (folder / f"{name}.asc").write_text(armor(data, ArmorKind.PublicKey))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
