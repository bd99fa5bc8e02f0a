"""Programs that follow no K3s have a Go of their own, and images the version of their program."""

from __future__ import annotations

from pathlib import Path

import pytest

from rvbuild.recipes_yaml.collection import RecipeCollection

FOLDER = RecipeCollection((str(Path(__file__).parents[2] / "recipes"),))
LITERAL = {
    name: version
    for name in FOLDER.names()
    if isinstance(version := FOLDER.load(name).version, str)
}
IMAGES = [f"{name}-image" for name in LITERAL if f"{name}-image" in LITERAL]


def test_both_go_toolchains_are_set_up_alike():
    k3s, own = FOLDER.load("go"), FOLDER.load("go-current")
    assert own.exports.path == k3s.exports.path
    assert {**own.exports.env, "GOROOT": "/in/go"} == k3s.exports.env
    assert own.exports.env["GOROOT"] == "/in/go-current"
    assert own.architectures == k3s.architectures


@pytest.mark.parametrize("name", ["registry", "crane", "registry-image"])
def test_what_is_built_with_it_has_no_series(name: str):
    assert [each.series for each in FOLDER.series.every(name)] == [""]


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_says_the_version_of_its_program(image: str):
    program = LITERAL[image.removesuffix("-image")]
    assert LITERAL[image] == program.removeprefix("v")
