"""An image from its recipe to its archive, packed in a real sandbox."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path

import pytest
from attrs import evolve
from made_elf import Made
from world import HERE, OTHER, World

from rvbuild.core.architecture import ARCHITECTURES

IMAGE = """\
summary: a shell as an image
license: MIT
homepage: https://example.invalid/pod
kind: image
version: "1"
image:
  name: example.invalid/team/pod
  tag: "${{version}}"
  entrypoint: [/bin/run]
build: |
  mkdir "$root/bin"
  {script}
"""
SCRIPT = 'install -m 755 /in/recipe/run "$root/bin/run"'
TARGET = f"pod-{OTHER}"


@pytest.mark.privileged
def test_an_image_is_packed_the_same_in_every_store(world: World, seed: Path):
    archive = built(world)
    other = evolve(
        world.with_environment(RVBUILD_STORE=f"{world.store}2"),
        store=world.store.with_name("store2"),
        folder=world.folder.with_name("another project"),
    )
    other.clone(seed)
    other.folder.mkdir()
    (other.folder / "rvbuild.lock").touch()
    assert built(other) == archive


def built(world: World) -> str:
    """Build the image; what its archive hashes to."""
    program = world.recipe("pod", IMAGE.format(script=SCRIPT)).with_name("run")
    program.write_bytes(Made(machine=ARCHITECTURES[OTHER].elf.number, flags=0).write())
    world.fine(TARGET, "--release")
    result = world.folder / "result" / TARGET
    with tarfile.open(result / f"pod-{OTHER}.tar") as tar:
        index = json.load(tar.extractfile("index.json") or pytest.fail("no index"))
    (told,) = index["manifests"]
    assert told["annotations"]["io.containerd.image.name"] == "example.invalid/team/pod:1"
    assert told["platform"]["architecture"] == OTHER
    assert json.loads((result / "image/index.json").read_text()) == index
    return hashlib.sha256((result / f"pod-{OTHER}.tar").read_bytes()).hexdigest()


@pytest.mark.privileged
def test_a_program_of_the_build_machine_does_not_get_into_an_image(world: World):
    world.recipe("pod", IMAGE.format(script='cp /bin/sh "$root/bin/run"'))
    world.run(TARGET).said(
        "its outputs are not what they must be",
        f"image (example.invalid/team/pod:1): /bin/run: it is for {HERE}, not {OTHER}",
        "which is not in the image",
    )
    assert world.run(TARGET).code == 5


@pytest.mark.privileged
def test_a_script_that_exits_is_told_that_nothing_was_packed(world: World):
    world.recipe("pod", IMAGE.format(script="exit 0"))
    world.run(TARGET).said(
        "image: it was declared and is not there",
        "The script of an image must not `exit`: what packs comes after it",
    )
    assert world.run(TARGET).code == 5
