"""Wheels that a test makes."""

from __future__ import annotations

import io
import zipfile


def made_wheel(filename: str, note: str) -> bytes:
    """A wheel that pip and uv take; ``note`` is in it."""
    name, version, *_, tag = filename.removesuffix(".whl").split("-", 2)
    folder = f"{name}-{version}.dist-info"
    files = {
        f"{name}.txt": note,
        f"{folder}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{folder}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{folder}/RECORD": "",
    }
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return to.getvalue()
