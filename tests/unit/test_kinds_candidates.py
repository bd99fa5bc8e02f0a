"""What the upstreams of each kind have, asked over the loopback device."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, frozen
from made_crates import cargo_home

from rvbuild.core.errors import RecipeError, RvbuildError, SourceError
from rvbuild.core.lock import LockedSource
from rvbuild.core.ports.registries import ResolveContext
from rvbuild.core.renewal import Renewal
from rvbuild.core.spec import SourceSpec
from rvbuild.core.spec_text import spec_text
from rvbuild.core.version_listing import VersionListing
from rvbuild.kinds.clients import SourceClients
from rvbuild.kinds.crates import candidates as of_crates
from rvbuild.kinds.crates.spec import CrateSpec, CratesSpec
from rvbuild.kinds.debian.spec import DebianSpec
from rvbuild.kinds.git import candidates as of_git
from rvbuild.kinds.git.spec import GitSpec
from rvbuild.kinds.go.spec import GoModuleSpec, GoToolchainSpec
from rvbuild.kinds.pypi import candidates as of_pypi
from rvbuild.kinds.pypi.spec import WheelSpec
from rvbuild.kinds.table import TAGS, candidates_module
from rvbuild.kinds.url.spec import UrlSpec
from rvbuild.transfers.fetch_settings import FetchSettings

Site = Any  # conftest.py has it; a test file imports no other


def _nothing(_source: str, _file: str) -> bytes:
    raise AssertionError


CONTEXT = ResolveContext(build_arch="amd64", folder="recipes/r", where=None, read=_nothing)


@define
class User:
    """Somebody whose clients all ask one site."""

    site: Site
    folder: Path
    opened: list[SourceClients]

    def ask(
        self,
        spec: SourceSpec,
        *,
        offline: bool = False,
        context: ResolveContext = CONTEXT,
        **more: str,
    ) -> VersionListing | Renewal:
        """What an upstream has, in a run of its own."""
        address = self.site.address
        registry = cargo_home(self.folder / "cargo", f'registry = "sparse+{address}/index/"')
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GOPROXY": f"{address}/go",
            "GOENV": "off",
            "PIP_INDEX_URL": f"{address}/simple",
            "PIP_CONFIG_FILE": os.devnull,
            "CARGO_HOME": str(registry),
            "RVBUILD_DEBIAN_MIRROR": f"{address}/debian",
            "RVBUILD_DEBIAN_UNCHECKED": f"{address}/debian",
            **more,
        }
        settings = FetchSettings(
            tmp=str(self.folder / "tmp"), environment=environment, offline=offline
        )
        clients = SourceClients(settings)
        self.opened.append(clients)
        return clients.candidates(spec, context)

    def listing(self, spec: SourceSpec, **more: str) -> VersionListing:
        answer = self.ask(spec, **more)
        assert isinstance(answer, VersionListing)
        return answer


@pytest.fixture
def user(new_site: Callable[[], Site], tmp_path: Path) -> Iterator[User]:
    made = User(new_site(), tmp_path, [])
    yield made
    for clients in made.opened:
        clients.close()


# ---- Go

MODULE = GoModuleSpec(path="example.org/Mod", version="v1.0.0")
AT = "/go/example.org/!mod/@v"
GO_MOD = b"""module example.org/Mod
retract v1.1.0 // it deletes things
retract (
    [v1.3.0, v1.4.0]
    v1.9.0-rc1
)
"""


def test_a_proxy_lists_what_a_module_has_not_retracted(user: User):
    listed = "v1.4.1\nv1.0.0\nv1.1.0\nv1.3.0\nv1.3.5\nv1.10.0\nv2.0.0-rc1\nno-version\n"
    listed += "v0.0.0-20230301143203-a9d515a09cc2\nv1.10.1-0.20250102030405-0123456789ab\n"
    user.site.pages |= {f"{AT}/list": listed.encode(), f"{AT}/v1.10.0.mod": GO_MOD}
    listing = user.listing(MODULE)
    assert listing.versions == ("v1.0.0", "v1.4.1", "v1.10.0", "v2.0.0-rc1")
    assert user.site.paths == [f"{AT}/list", f"{AT}/v1.10.0.mod"]


def test_a_proxy_says_when_a_version_came(user: User):
    user.site.pages |= {f"{AT}/list": b"v1.0.0\nv1.1.0\n", f"{AT}/v1.1.0.mod": b"module x\n"}
    infos = {"v1.0.0": b'{"Time": "2023-11-14T22:13:20Z"}', "v1.1.0": b"{}", "v1.2.0": b"nothing"}
    user.site.pages |= {f"{AT}/{version}.info": info for version, info in infos.items()}
    moments = user.listing(MODULE).moments
    assert moments(["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0"]) == {"v1.0.0": 1_700_000_000}


def test_a_module_that_has_no_versions(user: User):
    user.site.pages[f"{AT}/list"] = b""
    assert user.listing(MODULE).versions == ()


def test_a_pre_release_may_be_all_that_there_is(user: User):
    user.site.pages |= {f"{AT}/list": b"v0.1.0-rc1\n", f"{AT}/v0.1.0-rc1.mod": b"module x\n"}
    assert user.listing(MODULE).versions == ("v0.1.0-rc1",)


def test_the_next_proxy_is_asked_as_for_a_file(user: User):
    address = user.site.address
    user.site.pages |= {f"{AT}/list": b"v1.0.0\n", f"{AT}/v1.0.0.mod": b"module x\n"}
    assert user.listing(MODULE, GOPROXY=f"{address}/none,{address}/go").versions == ("v1.0.0",)
    with pytest.raises(SourceError, match="no module proxy gave its list of versions") as caught:
        user.ask(MODULE, GOPROXY=f"{address}/none,off")
    assert caught.value.where == "example.org/Mod"
    assert len(caught.value.details) == 2


def test_toolchains_of_the_build_machine(user: User):
    at = "/go/golang.org/toolchain/@v"
    versions = ["1.26.1.linux-amd64", "1.26.1.linux-arm64", "1.27rc1.linux-amd64"]
    listed = "".join(f"v0.0.1-go{version}\n" for version in versions)
    info = b'{"Time": "2023-11-14T22:13:20Z"}'
    user.site.pages |= {f"{at}/list": listed.encode()}
    user.site.pages |= {f"{at}/v0.0.1-go1.26.1.linux-amd64.info": info}
    listing = user.listing(GoToolchainSpec(version="1.25.0"))
    assert listing.versions == ("1.26.1", "1.27rc1")
    assert listing.moments(["1.26.1"]) == {"1.26.1": 1_700_000_000}
    form = listing.form("1.27rc1")
    assert form is not None
    assert form.is_prerelease


# ---- Python

WHEEL = "{}-{}-py3-none-any.whl"


def python_index(files: Mapping[str, Mapping[str, object]]) -> bytes:
    rows = [{"filename": name, "url": f"/f/{name}", "hashes": {}, **m} for name, m in files.items()]
    return json.dumps({"meta": {"api-version": "1.1"}, "name": "x", "files": rows}).encode()


TOOL = WheelSpec(project="Tool", version="1.0")


def test_releases_with_a_wheel_for_the_machine(user: User):
    first = {"upload-time": "2023-11-14T22:13:20.123Z"}
    user.site.pages["/simple/tool/"] = python_index({
        "tool-1.0-py3-none-any.whl": first,
        "tool-1.1-py3-none-any.whl": {"yanked": "it is broken"},
        "tool-1.2.tar.gz": {},
        "tool-1.3-py3-none-macosx_11_0_arm64.whl": {},
        "tool-1.4-py3-none-manylinux_2_17_x86_64.whl": {"upload-time": "soon"},
        "tool-1.4-py3-none-manylinux_2_17_aarch64.whl": first,
        "tool-2.0rc1-py3-none-any.whl": {"upload-time": "2023-11-14T22:13:21Z"},
        "other-9-py3-none-any.whl": {},
    })  # fmt: skip
    listing = user.listing(TOOL)
    assert listing.versions == ("1.0", "1.4", "2.0rc1")
    assert listing.moments(listing.versions) == {"1.0": 1_700_000_000, "2.0rc1": 1_700_000_001}
    assert user.site.paths == ["/simple/tool/"]


def test_each_index_of_the_user_counts_as_it_does_for_a_wheel(user: User):
    user.site.pages["/simple/tool/"] = python_index({WHEEL.format("tool", "1.0"): {}})
    timed = {"upload-time": "2023-11-14T22:13:20Z"}
    more = {WHEEL.format("tool", "1.0"): timed, WHEEL.format("tool", "2.0"): {}}
    user.site.pages["/own/tool/"] = python_index(more)
    own = f"{user.site.address}/own"
    listing = user.listing(TOOL, PIP_EXTRA_INDEX_URL=own)
    assert listing.versions == ("1.0", "2.0")
    assert listing.moments(["1.0"]) == {"1.0": 1_700_000_000}
    uv = {"PIP_INDEX_URL": "", "UV_INDEX_URL": f"{user.site.address}/simple", "UV_INDEX": own}
    assert user.listing(TOOL, **uv).versions == ("1.0", "2.0")
    uv["UV_INDEX"] = f"{user.site.address}/none"
    assert user.listing(TOOL, **uv).versions == ("1.0",)


def test_an_index_that_lacks_the_project_or_has_no_wheel(user: User):
    user.site.pages["/own/tool/"] = python_index({"tool-1.0.tar.gz": {}})
    for more in ({}, {"PIP_EXTRA_INDEX_URL": f"{user.site.address}/own"}):
        with pytest.raises(SourceError, match="no index said which releases have a wheel"):
            user.ask(TOOL, **more)


def test_an_index_that_refuses_may_have_anything(user: User):
    user.site.pages["/simple/tool/"] = python_index({WHEEL.format("tool", "1.0"): {}})
    user.site.pages["/own/tool/"] = b"no list of files"
    with pytest.raises(SourceError, match="no index said which releases"):
        user.ask(TOOL, PIP_EXTRA_INDEX_URL=f"{user.site.address}/own")


PEP440 = ["1.0.dev1", "1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.2", "1!0.1"]


def test_python_orders_its_versions_itself():
    forms = [of_pypi.form(text) for text in PEP440]
    ranks = [form.rank for form in forms if form]
    assert len(ranks) == len(PEP440)
    assert sorted(ranks) == ranks
    assert [form.is_prerelease for form in forms if form] == [True] * 3 + [False] * 4
    assert of_pypi.form("soon") is None
    cpu, plain, next_one = of_pypi.form("1.0+cpu"), of_pypi.form("1.0"), of_pypi.form("1.0.1")
    assert cpu is not None
    assert plain is not None
    assert next_one is not None
    assert (cpu.family, plain.family) == ("cpu", "")
    assert (plain.major, plain.minor) == (next_one.major, next_one.minor) == ((0, 1), (0, 1, 0))


# ---- moments

Put = Callable[[User, str], VersionListing]


def _put_module(user: User, time: str) -> VersionListing:
    user.site.pages |= {f"{AT}/list": b"v1.0.0\n", f"{AT}/v1.0.0.mod": b"module x\n"}
    user.site.pages[f"{AT}/v1.0.0.info"] = json.dumps({"Time": time}).encode()
    return user.listing(MODULE)


def _put_toolchain(user: User, time: str) -> VersionListing:
    at = "/go/golang.org/toolchain/@v"
    user.site.pages[f"{at}/list"] = b"v0.0.1-go1.26.1.linux-amd64\n"
    user.site.pages[f"{at}/v0.0.1-go1.26.1.linux-amd64.info"] = json.dumps({"Time": time}).encode()
    return user.listing(GoToolchainSpec(version="1.25.0"))


def _put_wheel(user: User, time: str) -> VersionListing:
    files = {WHEEL.format("tool", "1.0"): {"upload-time": time}}
    user.site.pages["/simple/tool/"] = python_index(files)
    return user.listing(TOOL)


def _put_crate(user: User, time: str) -> VersionListing:
    row = {"name": "tool", "vers": "1.2.3", "pubtime": time}
    user.site.pages["/index/to/ol/tool"] = json.dumps(row).encode()
    return user.listing(CRATE)


PUT: dict[str, Put] = {
    "a Go module": _put_module,
    "a Go toolchain": _put_toolchain,
    "a wheel": _put_wheel,
    "a crate": _put_crate,
}


@pytest.mark.parametrize("kind", PUT)
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00", "1", ""])
def test_a_moment_that_is_none_is_not_known(user: User, kind: str, time: str):
    """Those of repositories are in test_git_upstream_refs.py and test_git_log.py."""
    listing = PUT[kind](user, time)
    assert len(listing.versions) == 1
    assert listing.moments(listing.versions) == {}


# ---- crates

CRATE = CrateSpec(name="tool", version="1.2.3")


def test_versions_of_a_crate_that_were_not_yanked(user: User):
    rows = [
        {"name": "tool", "vers": "1.2.3", "yanked": False, "pubtime": "2023-11-14T22:13:20Z"},
        {"name": "tool", "vers": "1.2.4", "yanked": True},
        {"name": "tool", "vers": "1.3.0", "pubtime": "soon"},
        {"name": "TOOL", "vers": "9.0.0"},
    ]
    user.site.pages["/index/to/ol/tool"] = "".join(f"{json.dumps(r)}\n" for r in rows).encode()
    listing = user.listing(CRATE)
    assert listing.versions == ("1.2.3", "1.3.0")
    assert listing.moments(listing.versions) == {"1.2.3": 1_700_000_000}
    assert user.site.paths == ["/index/to/ol/tool"]


def test_a_registry_without_the_crate(user: User):
    with pytest.raises(SourceError, match="not there"):
        user.ask(CRATE)
    with pytest.raises(RecipeError, match="not the name of a crate"):
        user.ask(CrateSpec(name="../tool", version="1"))


REACHES = [
    ("1.2.3", "1.9.0", True, False),
    ("1.2.3", "1.2.9", True, True),
    ("0.3.1", "0.4.0", False, False),
    ("0.3.1", "0.3.2", True, True),
    ("0.0.3", "0.0.4", False, False),
    ("0.0.0", "0.0.0", True, True),
]


@pytest.mark.parametrize(("old", "new", "major", "minor"), REACHES)
def test_below_1_0_cargo_takes_the_first_number_that_counts(
    old: str, new: str, *, major: bool, minor: bool
):
    first, second = of_crates.form(old), of_crates.form(new)
    assert first is not None
    assert second is not None
    assert (first.major == second.major, first.minor == second.minor) == (major, minor)


def test_what_is_no_version_of_a_crate():
    assert of_crates.form("soon") is None
    form = of_crates.form("1.0.0-rc.1")
    assert form is not None
    assert form.is_prerelease


# ---- Debian


SUITE = DebianSpec(packages=("tool",), suite="forky")
FORKY = "/debian/dists/forky"
PACKAGES = f"{FORKY}/main/binary-amd64/Packages.gz"


def publish(site: Site, day: str, version: str) -> None:
    """Let the archive have an index of a day, without a signature."""
    digest = hashlib.sha256(b"").hexdigest()
    rows = [("tool", version, "Depends: lib\n"), ("lib", "1", "")]
    text = "\n".join(
        f"Package: {name}\nVersion: {number}\nArchitecture: amd64\n{more}"
        f"Filename: pool/main/t/{name}.deb\nSHA256: {digest}\nSize: 0\n"
        for name, number, more in rows
    )
    data = gzip.compress(text.encode())
    listed = f" {hashlib.sha256(data).hexdigest()} {len(data)} {PACKAGES.removeprefix(FORKY)[1:]}\n"
    head = f"Origin: Debian\nSuite: forky\nDate: {day} Aug 2026 14:23:11 UTC\nSHA256:\n"
    site.pages |= {f"{FORKY}/Release": (head + listed).encode(), PACKAGES: data}


def test_a_suite_has_packages_of_today(user: User):
    publish(user.site, "Sun, 30", "2:1.0-3")
    answer = user.ask(SUITE)
    assert isinstance(answer, Renewal)
    assert answer.name == "20260830T142311Z"
    assert [part.label for part in answer.parts] == ["lib_1_amd64.deb", "tool_2:1.0-3_amd64.deb"]


LOCKED = [
    ("the same index", "Sun, 30", spec_text(SUITE), False),
    ("a newer index", "Mon, 31", spec_text(SUITE), True),
    ("other packages", "Sun, 30", "{debian: [lib], suite: forky}", True),
]


@pytest.mark.parametrize(("_name", "day", "text", "is_read"), LOCKED)
def test_packages_are_looked_up_where_the_index_is_another(
    user: User, _name: str, day: str, text: str, *, is_read: bool
):
    publish(user.site, "Sun, 30", "1")
    first = user.ask(SUITE)
    assert isinstance(first, Renewal)
    publish(user.site, day, "2")
    user.site.requests.clear()
    entry = LockedSource(spec=text, parts=tuple(part for part in first.parts))
    answer = user.ask(SUITE, context=evolve(CONTEXT, earlier=entry))
    assert isinstance(answer, Renewal)
    assert (answer.parts != first.parts) == is_read
    assert user.site.paths.count(f"{FORKY}/Release") == 1
    assert any("Packages" in path or "by-hash" in path for path in user.site.paths) == is_read


# ---- all

LISTED: dict[str, tuple[SourceSpec, str, str]] = {
    "crate": (CRATE, "version", "tool"),
    "crates": (CratesSpec(source="s"), "", ""),
    "debian": (DebianSpec(packages=("a",), suite="s"), "suite", "{debian: [a], suite: s}"),
    "go-module": (MODULE, "version", "example.org/Mod"),
    "go-toolchain": (GoToolchainSpec(version="1.25.0"), "go-toolchain", "go"),
    "pypi": (TOOL, "version", "Tool"),
}


@pytest.mark.parametrize("tag", LISTED)
def test_each_kind_says_which_word_chooses_and_who_is_asked(tag: str):
    spec, word, upstream = LISTED[tag]
    module = candidates_module(tag)
    assert module is not None
    assert (module.version_word(spec), module.upstream(spec)) == (word, upstream)


def test_kinds_without_a_list_say_so(user: User):
    assert [tag for tag in TAGS if candidates_module(tag) is None] == ["path", "url"]
    with pytest.raises(TypeError, match="url has no list"):
        user.ask(UrlSpec(url="https://x.invalid/x-1.tar.gz"))


@pytest.mark.parametrize("tag", ["crate", "debian", "go-module", "go-toolchain", "pypi"])
def test_offline_nobody_is_asked(user: User, tag: str):
    with pytest.raises(RvbuildError):
        user.ask(LISTED[tag][0], offline=True)
    assert not user.site.paths


@frozen
class Refs:
    """What a repository has."""

    tags: Mapping[str, str]
    branch: str = "main"


@define
class OneRepository:
    """Asks a repository that has tags which git takes, and no recipe can say."""

    def refs(self, url: str) -> Refs:
        del url
        return Refs(dict.fromkeys(("v1", "-x", "--upload-pack=x", "a/-b", "v2.lock"), "1" * 40))

    def moments(self, refs: object, tags: Sequence[str]) -> Mapping[str, int]:
        del refs
        return dict.fromkeys(tags, 1)

    def commits_behind(self, refs: object, commit: str) -> int | None:
        del refs, commit
        return None


def test_a_tag_that_no_recipe_can_say_is_none():
    listing = of_git.ask(GitSpec(url="https://git.invalid/x", tag="v1"), CONTEXT, OneRepository())
    assert listing.versions == ("v1",)
    assert listing.moments(listing.versions) == {"v1": 1}
