"""The images that K3s would pull each have a recipe, under K3s' own name and tag."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.core.locked import Locked
from rvbuild.core.names import PinRef
from rvbuild.core.pinned import Values
from rvbuild.core.place import Place
from rvbuild.core.recipe import Recipe, substitute
from rvbuild.recipes_yaml.collection import RecipeCollection
from rvbuild.recipes_yaml.lock import read_lock

ROOT = Path(__file__).parents[2]
LIST = "scripts/airgap/image-list.txt"
FOLDER = RecipeCollection((str(ROOT / "recipes"),))
WANTED = {
    "1.35": """\
docker.io/rancher/klipper-helm:v0.9.14-build20260210
docker.io/rancher/klipper-lb:v0.4.14
docker.io/rancher/local-path-provisioner:v0.0.34
docker.io/rancher/mirrored-coredns-coredns:1.14.1
docker.io/rancher/mirrored-library-busybox:1.37.0
docker.io/rancher/mirrored-library-traefik:3.6.7
docker.io/rancher/mirrored-metrics-server:v0.8.1
docker.io/rancher/mirrored-pause:3.6
""",
    "1.34": """\
docker.io/rancher/klipper-helm:v0.9.10-build20251111
docker.io/rancher/klipper-lb:v0.4.13
docker.io/rancher/local-path-provisioner:v0.0.32
docker.io/rancher/mirrored-coredns-coredns:1.13.1
docker.io/rancher/mirrored-library-busybox:1.37.0
docker.io/rancher/mirrored-library-traefik:3.5.1
docker.io/rancher/mirrored-metrics-server:v0.8.0
docker.io/rancher/mirrored-pause:3.6
""",
    "1.32": """\
docker.io/rancher/klipper-helm:v0.9.4-build20250113
docker.io/rancher/klipper-lb:v0.4.13
docker.io/rancher/local-path-provisioner:v0.0.31
docker.io/rancher/mirrored-coredns-coredns:1.12.0
docker.io/rancher/mirrored-library-busybox:1.36.1
docker.io/rancher/mirrored-library-traefik:3.3.2
docker.io/rancher/mirrored-metrics-server:v0.7.2
docker.io/rancher/mirrored-pause:3.6
""",
}
"""The lists of K3s, looked at by hand."""


class _Recipes:
    def recipe(self, name: str, asked_at: Place | None = None, series: str = "") -> Recipe:
        return FOLDER.load(name, asked_at, series)


@pytest.mark.parametrize("series", WANTED)
def test_each_image_of_the_list_is_built_under_its_name(series: str):
    lock = read_lock((ROOT / "rvbuild.lock").read_bytes(), "rvbuild.lock")
    pinned = Locked(lock, _Recipes(), "amd64")
    names = []
    for recipe in (each for name in FOLDER.names() for each in FOLDER.series.every(name)):
        locked = lock.pins.get(PinRef(recipe.name, "version"))
        in_series = recipe.image is not None and recipe.series == series
        if in_series and locked is not None and locked.file == LIST:
            values = Values(recipe, pinned, {"name": recipe.base, "arch": "riscv64"})
            parts = (recipe.image.name, recipe.image.tag) if recipe.image else ()
            where = Place(recipe.file)
            names.append(":".join(substitute(part, values, where) for part in parts))
    assert sorted(names) == WANTED[series].split()
