"""A locale changes nothing that a store holds: people with others share it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from world import HERE, World

SOURCE = """\
summary: s
license: MIT
homepage: https://example.invalid
version: "1"
kind: source
sources: {k: {path: f}}
"""
CHARMAPS = {
    "de_DE.ISO-8859-1": ("de_DE", "ISO-8859-1"),
    "ru_RU.KOI8-R": ("ru_RU", "KOI8-R"),
    "ja_JP.EUC-JP": ("ja_JP", "EUC-JP"),
    "en_US.UTF-8": ("en_US", "UTF-8"),
}
NONE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
NAMES = {"é.txt": "de_DE.ISO-8859-1", "Привет": "ru_RU.KOI8-R", "日本": "ja_JP.EUC-JP"}
"""Names, and a locale that has other bytes for them than UTF-8."""


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The environment of each locale; they are made here, since hardly a machine has them."""
    folder = tmp_path_factory.mktemp("locales")
    if not shutil.which("localedef"):
        pytest.skip("localedef is not installed")
    for name, (source, charmap) in CHARMAPS.items():
        command = ["localedef", "-c", "-i", source, "-f", charmap, str(folder / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not (folder / name).is_dir():
            pytest.skip(f"localedef makes no {name}: {done.stderr}")
    made = {name: {**NONE, "LC_ALL": name, "LOCPATH": str(folder)} for name in CHARMAPS}
    return {"UTF-8 of Python's": {"PYTHONUTF8": "1"}, "C": {**NONE, "LC_ALL": "C"}, **made}


@pytest.mark.parametrize(("name", "locale"), NAMES.items())
def test_python_alone_would_write_other_bytes(
    name: str, locale: str, locales: dict[str, dict[str, str]], tmp_path: Path
):
    """The control: the locale is there, and has the letters."""
    script = f"open({name!a}, 'w').close()"
    environment = {**os.environ, **locales[locale]}
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    written = os.listdir(os.fsencode(tmp_path))
    assert written == [name.encode(locale.partition(".")[2])]
    assert written != [name.encode()]


@pytest.mark.parametrize("name", NAMES)
def test_names_have_the_same_bytes_in_every_locale(
    bare: World, name: str, locales: dict[str, dict[str, str]]
):
    folder = bare.recipe("s", SOURCE).parent / "f"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/" + name.encode())).touch()
    bare.fine("lock", "s")
    seen = []
    for environment in locales.values():
        ran = bare.with_environment(**environment).fine("build", "s", "--json")
        link = os.fsencode(bare.folder / "result/s")
        seen.append((ran.json["results"][0]["tree"], os.listdir(link)))
        shutil.rmtree(bare.folder / "result")
        shutil.rmtree(bare.store)
    assert seen[0][1] == [name.encode()]
    assert seen == [seen[0]] * len(locales)


@pytest.mark.privileged
def test_a_step_gets_and_gives_the_same_bytes_in_every_locale(
    world: World, locales: dict[str, dict[str, str]]
):
    """Its variables, its script, the files beside its recipe, what it writes, and its log."""
    word = "".join(NAMES)
    script = (
        f'ls /in/recipe > $out/{word}\necho "$A {word}" >> $out/{word}\necho "$A" ; cat "$out"/*'
    )
    file = world.step("s", script, f'env: {{A: "{word}"}}\n', output=word)
    beside = os.fsencode(file.parent) + b"/" + word.encode()
    Path(os.fsdecode(beside)).touch()
    seen = []
    for environment in locales.values():
        world = world.with_environment(**environment)
        ran = world.fine("build", f"s-{HERE}", "--json")
        link = os.fsencode(world.folder / f"result/s-{HERE}")
        (name,) = os.listdir(link)
        with open(link + b"/" + name, "rb") as written:
            content = written.read()
        log = world.fine("log", f"s-{HERE}").out.encode(errors="surrogateescape")
        seen.append((ran.json["results"][0]["tree"], name, content, log))
        shutil.rmtree(world.folder / "result")
        for kind in ("realisations", "ac", "memo"):  # so that the next one runs again
            shutil.rmtree(world.store / kind, ignore_errors=True)
    text = word.encode()
    assert seen[0][1:3] == (text, text + b"\n" + text + b" " + text + b"\n")
    assert text in seen[0][3]
    assert seen == [seen[0]] * len(locales)
