"""The images that K3s would pull each have a recipe, under K3s' own name and tag."""

from __future__ import annotations

from pathlib import Path

from rvbuild.core.locked import Locked
from rvbuild.core.names import PinRef
from rvbuild.core.pinned import Values
from rvbuild.core.recipe import Recipe, substitute
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import read_lock

ROOT = Path(__file__).parents[2]
LIST = "scripts/airgap/image-list.txt"
FOLDER = RecipeCollection((str(ROOT / "recipes"),))
WANTED = {
    "docker.io/rancher/klipper-helm:v0.9.4-build20250113",
    "docker.io/rancher/klipper-lb:v0.4.13",
    "docker.io/rancher/local-path-provisioner:v0.0.31",
    "docker.io/rancher/mirrored-coredns-coredns:1.12.0",
    "docker.io/rancher/mirrored-library-busybox:1.36.1",
    "docker.io/rancher/mirrored-library-traefik:3.3.2",
    "docker.io/rancher/mirrored-metrics-server:v0.7.2",
    "docker.io/rancher/mirrored-pause:3.6",
}
"""The list of K3s 1.32.3, looked at by hand."""


class _Recipes:
    def recipe(self, name: str, asked_at: str | None = None, _series: str = "") -> Recipe:
        return FOLDER.load(name, asked_at)


def test_each_image_of_the_list_is_built_under_its_name():
    lock = read_lock((ROOT / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    pinned = Locked(lock, _Recipes(), "amd64")
    names = []
    for name in FOLDER.names():
        recipe = FOLDER.load(name, None)
        held = lock.pins.get(PinRef(name, "version"))
        if recipe.image is not None and held is not None and held.file == LIST:
            values = Values(recipe, pinned, {"name": name, "arch": "riscv64"})
            parts = (recipe.image.name, recipe.image.tag)
            names.append(":".join(substitute(part, values, name) for part in parts))
    assert sorted(names) == sorted(WANTED)
