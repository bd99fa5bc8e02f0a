"""What people are told of a source: kind, name, digest, places."""

from __future__ import annotations

import pytest
from attrs import evolve

from rvbuild.app.descriptions import (
    SourceDescription,
    describe_bundle,
    describe_modules,
    describe_source,
    describe_spec,
)
from rvbuild.core.go_source import GoModFiles, GoModule
from rvbuild.core.recipe import FromSpec, GoModulesSpec
from rvbuild.core.source import Files, Source
from rvbuild.core.spec import SourceSpec
from rvbuild.kinds.debian.source import DebianPackage
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.git.source import GitSource
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.go.source import GoToolchain
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec
from rvbuild.kinds.path.source import PathSource
from rvbuild.kinds.path.spec import PathSpec
from rvbuild.kinds.pypi.source import Wheel
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.kinds.url.source import DebianFile, UrlSource
from rvbuild.kinds.url.spec import UrlSpec

URL = "https://me:secret@example.org/lib-1.tar.xz"
PLACE = "https://example.org/lib-1.tar.xz"
ORIG = "Debian source package lib: lib_1.orig.tar.xz"
COMMIT = "76c5c770b21e101f00a32445d3e6fdc325d563b5"
DEB = DebianPackage(
    name="sh", version="1", architecture="amd64", pool="pool/s/sh.deb", sha256="ab", size=1
)


def of(kind: str, name: str, *places: str, digest: str = "") -> SourceDescription:
    return SourceDescription(kind=kind, name=name, places=places, digest=digest)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            UrlSource(urls=(URL,), sha256="ab", debian=DebianFile(package="lib", file=ORIG[27:])),
            of("url", "lib-1.tar.xz", PLACE, ORIG, digest="ab"),
        ),
        (
            GitSource(url="https://me:secret@example.org/k", commit=COMMIT, tree="cd", date=0),
            of("git", "k@76c5c770", f"https://example.org/k at {COMMIT}", digest="cd"),
        ),
        (
            GitSource(url="https://e.org/k", commit=COMMIT, tree="cd", date=0, tag="v1"),
            evolve(
                of("git", "k@76c5c770", f"https://e.org/k at tag v1 ({COMMIT})", digest="cd"),
                tag="v1",
            ),
        ),
        (GoModule(path="e/m", version="v1", h1="h1:x="), of("go-module", "e/m@v1", "GOPROXY",
                                                            digest="h1:x=")),
        (
            GoModFiles(go_sum="ab" * 32, modules=()),
            of("go-mod-files", "go.mod files of go.sum abababababab", "GOPROXY"),
        ),
        (
            GoToolchain(version="1.2", platform="linux-amd64", h1="h1:y="),
            of("go-toolchain", "go1.2.linux-amd64", "GOPROXY", digest="h1:y="),
        ),
        (
            Wheel(project="z", version="1", filename="z-1.whl", sha256="ef"),
            of("pypi", "z-1.whl", "the Python package index", digest="ef"),
        ),
        (DEB, of("debian", "sh_1_amd64.deb", "Debian: pool/s/sh.deb", digest="ab")),
        (
            PathSource(path="/x/y", digest="ab/1"),
            evolve(of("path", "y", "/x/y", digest="ab/1"), here=True),
        ),
        (Files(label="files of x", files=()), of("recipe", "files of x", "beside the recipe")),
    ],
)  # fmt: skip
def test_a_source_by_content(source: Source, expected: SourceDescription):
    """No user's name or password is among it."""
    assert describe_source(source) == expected


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            UrlSpec(url=URL, sha256="ab", debian=("lib", ORIG[27:])),
            of("url", "lib-1.tar.xz", PLACE, ORIG, digest="ab"),
        ),
        (UrlSpec(url="", debian=("lib", ORIG[27:])), of("url", "lib_1.orig.tar.xz", ORIG)),
        (
            GitSpec(url="https://me:secret@example.org/k", commit=COMMIT),
            of("git", "https://example.org/k", f"https://example.org/k at {COMMIT}"),
        ),
        (
            GitSpec(url="https://e.org/k", tag="v1"),
            evolve(of("git", "https://e.org/k", "https://e.org/k at tag v1"), tag="v1"),
        ),
        (
            GitSpec(url="https://e.org/k", tag="v1", commit=COMMIT),
            evolve(of("git", "https://e.org/k", f"https://e.org/k at tag v1 ({COMMIT})"), tag="v1"),
        ),
        (GoModuleSpec(path="e/m", version="v1"), of("go-module", "e/m@v1", "GOPROXY")),
        (GoToolchainSpec(version="1.2"), of("go-toolchain", "go1.2", "GOPROXY")),
        (WheelSpec(project="z", version="1"), of("pypi", "z 1", "the Python package index")),
        (
            DebianSpec(packages=("sh", "sed"), suite="bookworm"),
            of("debian", "sh sed", "Debian bookworm"),
        ),
        (PathSpec(path="../y"), evolve(of("path", "../y", "../y"), here=True)),
        (FromSpec(recipe="k3s-source"), of("from", "k3s-source")),
    ],
)
def test_what_a_recipe_asks_for(spec: SourceSpec, expected: SourceDescription):
    assert describe_spec(spec) == expected


def test_many_packages_are_counted():
    spec = DebianSpec(packages=("sh", "sed"), suite="bookworm")
    assert describe_bundle(spec, 26) == of("debian", "26 packages", "Debian bookworm")


def test_modules_that_nobody_found_out_are_those_of_their_recipe():
    expected = of("go-module", "modules of app", "GOPROXY")
    assert describe_modules("app", GoModulesSpec(source="k3s-source")) == expected
