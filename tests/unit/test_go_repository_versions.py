"""Versions of modules by the tags of their repository: GOPROXY=direct, and private modules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from git_upstream import PATH, Upstream, upstream_of

from rvbuild.core.errors import SourceError
from rvbuild.kinds.go.fetch import GoClient

MOMENT = 1612325106
"""When `git_upstream` makes each commit and tag."""


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """A repository with tags of modules at its root and below it."""
    with upstream_of(tmp_path) as made:
        tags = ("v1.1.0", "v2.0.0", "v2.1.0+x", "v1.1", "sub/v0.1.0", "sub/v2.0.0", "other")
        for tag in tags:
            made.git("tag", tag)
        yield made


def client(upstream: Upstream, mirror: str) -> GoClient:
    made = upstream.client("go", mirror)
    assert isinstance(made, GoClient)
    return made


LISTED = {
    PATH: ("v1.0.0", "v1.1.0", "v2.0.0+incompatible"),
    f"{PATH}/v2": ("v2.0.0",),
    f"{PATH}/sub": ("v0.1.0",),
    f"{PATH}/sub/v2": ("v2.0.0",),
    f"{PATH}/none": (),
}


@pytest.mark.parametrize("way", ["a folder", "a server"])
@pytest.mark.parametrize("path", LISTED)
def test_tags_are_versions(upstream: Upstream, path: str, way: str):
    mirror = str(upstream.root / "m") if way == "a folder" else upstream.address
    assert client(upstream, mirror).proxy.list(path).decode().split() == [*LISTED[path]]


def test_a_repository_is_asked_once_for_its_modules(upstream: Upstream):
    proxy = client(upstream, upstream.address).proxy
    proxy.list(PATH)
    asked = len(upstream.asked)
    for path in LISTED:
        proxy.list(path)
    assert 0 < asked == len(upstream.asked)


def test_a_tag_says_when_a_version_came(upstream: Upstream):
    versions = client(upstream, str(upstream.root / "m")).versions
    asked = ["v1.1.0", "v1.9.0", "v2.0.0+incompatible"]
    assert versions.module_moments(PATH, asked) == {
        "v1.1.0": MOMENT,
        "v2.0.0+incompatible": MOMENT,
    }
    assert versions.module_moments(f"{PATH}/sub", ["v0.1.0"]) == {"v0.1.0": MOMENT}


def test_what_a_module_retracts_is_read_in_its_newest_version(upstream: Upstream):
    upstream.commit(**{"go.mod": f"module {PATH}\n\nretract v1.1.0\n"})
    upstream.git("tag", "v1.2.0")
    upstream.git("tag", "-d", "v2.0.0", "v2.1.0+x")
    versions = client(upstream, str(upstream.root / "m")).versions
    assert versions.module(PATH) == ("v1.0.0", "v1.2.0")


def test_nobody_has_the_repository(upstream: Upstream):
    with pytest.raises(SourceError, match="no module proxy gave its list of versions"):
        client(upstream, f"{upstream.address}/none").proxy.list(PATH)
