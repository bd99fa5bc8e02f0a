"""A locale changes nothing that a store holds: people with others share it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from world import World

SOURCE = """\
summary: s
license: MIT
homepage: https://example.invalid
version: "1"
kind: source
sources: {k: {path: f}}
"""

LOCALES = ({"PYTHONUTF8": "1"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "de_DE.ISO-8859-1"})


@pytest.mark.parametrize("name", ["é.txt", "日本"])
def test_names_have_the_same_bytes_in_every_locale(bare: World, name: str):
    folder = bare.recipe("s", SOURCE).parent / "f"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name.encode())).touch()
    bare.fine("lock", "s")
    seen = []
    for more in LOCALES:  # one that the machine lacks is POSIX
        environment = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", **more}
        ran = bare.with_environment(**environment).fine("build", "s", "--json")
        link = os.fsencode(bare.folder / "result/s")
        seen.append((ran.json["results"][0]["tree"], os.listdir(link)))
        shutil.rmtree(bare.folder / "result")
        shutil.rmtree(bare.store)
    assert seen[0][1] == [name.encode()]
    assert seen == [seen[0]] * len(LOCALES)
