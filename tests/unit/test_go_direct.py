"""Modules made from their git repositories: against the go command, and where it would refuse."""

from __future__ import annotations

import io
import json
import os
import subprocess
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest
from attrs import define
from git_server import serving, smart_http
from go_command import GO, go, needs_go
from site_of_bytes import serve_pages

from rvbuild.cli.remedies import hint_text
from rvbuild.core.errors import SourceError
from rvbuild.git.repositories import Repositories
from rvbuild.git.revision import Revision
from rvbuild.kinds.go.direct import Direct
from rvbuild.kinds.go.fetch import GoClient, client
from rvbuild.kinds.go.go_proxy import GoProxy
from rvbuild.kinds.go.import_root import ImportRoot, go_imports, root_by_host, root_by_page
from rvbuild.kinds.go.module_files import module_files
from rvbuild.kinds.go.module_path import ModulePath, ModuleRevision
from rvbuild.transfers.fetch_services import FetchServices
from rvbuild.transfers.fetch_settings import FetchSettings

R, OLD = "github.com/o/r", "github.com/o/old"
TIME = "2021-02-03T04:05:06Z"
FILES = {
    "go.mod": f"module {R}\n\ngo 1.21\n",
    "a.go": "package r\n",
    "LICENSE": "words\n",
    ".gitattributes": "*.txt export-ignore\n*.bat text eol=crlf\nsubst.go export-subst ident\n",
    "notes.txt": "kept all the same\n",
    "dos.bat": "rem\nrem\n",
    "subst.go": "package r // $Format:%H$ $Id$\n",
    "vendor/modules.txt": "# x\n",
    "vendor/x.org/x/x.go": "package x\n",
    "pkg/vendor/v.go": "package vendor\n",
    "pkg/vendor/w/w.go": "package w\n",
    "sub/go.mod": f"module {R}/sub\n\nrequire x.org/x v1.0.0\n",
    "sub/s.go": "package sub\n",
    "sub/deep/go.mod": f"module {R}/sub/deep\n",
    "sub/deep/d.go": "package deep\n",
    "own/go.mod": f"module {R}/own\n",
    "own/LICENSE": "other words\n",
    "v2/go.mod": f"module {R}/v2\n\ngo 1.20\n",
    "v2/b.go": "package r\n",
    "é/ü x.go": "package x\n",
}
MODULES = [
    (R, "v1.0.0"),
    (R, "PSEUDO"),
    (f"{R}/sub", "v0.1.0"),
    (f"{R}/sub/deep", "v0.2.0-rc.1"),
    (f"{R}/own", "v0.1.0"),
    (f"{R}/v2", "v2.0.0"),
    (f"{R}/v3", "v3.1.0"),
    (OLD, "v0.9.0"),
    (OLD, "v4.0.0+incompatible"),
    (OLD, "FIRST"),
]


def git(folder: Path, *words: str) -> str:
    author = {
        f"GIT_{who}_{what}": value
        for who in ("AUTHOR", "COMMITTER")
        for what, value in {"NAME": "A", "EMAIL": "a@b.example", "DATE": TIME}.items()
    }
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *words], cwd=folder, env=environment | author, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


def commit(folder: Path, files: Mapping[str, str], *tags: str) -> str:
    """Add a commit; the beginning of its name that a pseudo-version has."""
    if not (folder / ".git").exists():
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "one")
    for number, tag in enumerate(tags):
        git(folder, "tag", *(["-a", "-m", "it", tag] if number % 2 else [tag]))
    return git(folder, "rev-parse", "HEAD")[:12]


@define
class Upstream:
    """Two repositories, and the versions of MODULES that depend on their commits."""

    folder: Path
    versions: dict[str, str]

    @property
    def mirrors(self) -> tuple[tuple[str, str], ...]:
        paths = ((path, path.rpartition("/")[2]) for path in (R, OLD))
        return tuple((f"https://{path}", str(self.folder / name)) for path, name in paths)

    def version(self, name: str) -> str:
        return self.versions.get(name, name)


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Upstream:
    folder = tmp_path_factory.mktemp("upstream")
    r, old = folder / "r", folder / "old"
    r.mkdir()
    git(r, "init", "-q", "-b", "main")
    (r / "link.go").symlink_to("a.go")
    (r / "run.sh").write_text("#!/bin/sh\n")
    (r / "run.sh").chmod(0o755)
    commit(r, FILES, "v1.0.0", "sub/v0.1.0", "sub/deep/v0.2.0-rc.1", "own/v0.1.0", "v2.0.0")
    later = commit(r, {"new.go": "package r\n"})
    commit(r, {"go.mod": f"module {R}/v3\n\ngo 1.24\n"}, "v3.1.0")
    first = commit(old, {"old.go": "package old\n"})
    commit(old, {"more.go": "package old\n"}, "v0.9.0", "v4.0.0")
    stamp = "20210203040506"
    return Upstream(
        folder, {"PSEUDO": f"v1.0.1-0.{stamp}-{later}", "FIRST": f"v0.0.0-{stamp}-{first}"}
    )


def direct(folder: Path, mirrors: tuple[tuple[str, str], ...], **settings: str) -> GoClient:
    """A client with nothing but git."""
    environment = {"PATH": os.environ["PATH"], "GOENV": "off", "GOPROXY": "direct", **settings}
    environment |= {"HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    made = FetchSettings(tmp=str(folder / "tmp"), mirrors=mirrors, environment=environment)
    return client(FetchServices(made))


@needs_go
@pytest.mark.parametrize(("path", "name"), MODULES)
def test_the_go_command_makes_the_same_module(
    upstream: Upstream, tmp_path: Path, path: str, name: str
):
    """Its hash, which is that of each file's name and content, and its go.mod."""
    version = upstream.version(name)
    config = tmp_path / "gitconfig"
    lines = (f'[url "{to}"]\n\tinsteadOf = {url}\n' for url, to in upstream.mirrors)
    config.write_text("".join(lines))
    (tmp_path / "here").mkdir()
    done = go(
        tmp_path / "here",
        *("mod", "download", "-json", f"{path}@{version}"),
        GOPROXY="direct",
        GIT_CONFIG_GLOBAL=str(config),
        PATH=f"{Path(GO or '').parent}:{os.environ['PATH']}",
        HOME=str(tmp_path),
    )
    said = json.loads(done.stdout)
    assert "Error" not in said
    ours = direct(tmp_path, upstream.mirrors)
    assert ours.go_module(path, version) == said["Sum"]
    assert ours.proxy.go_mod(path, version)[0] == Path(said["GoMod"]).read_bytes()


def test_a_repository_elsewhere_is_cloned(upstream: Upstream, tmp_path: Path):
    """One tag, or all for a pseudo-version; what came is the same as from a folder."""
    pseudo = upstream.version("PSEUDO")
    (tmp_path / "there").mkdir()
    here = direct(tmp_path / "here", upstream.mirrors)
    modules = [(R, "v1.0.0"), (R, pseudo), (f"{R}/sub", "v0.1.0"), (R, "v1.0.0")]
    with serving(smart_http(upstream.folder)) as address:
        there = direct(tmp_path / "there", ((f"https://{R}", f"{address}/r/.git"),))
        for path, version in modules:
            assert there.go_module(path, version) == here.go_module(path, version)
    assert there.go_module(R, "v1.0.0") == here.go_module(R, "v1.0.0")  # from the clone
    clones = list((tmp_path / "there/tmp/git").iterdir())
    assert len(clones) == 3
    counts = {git(clone, "rev-list", "--all", "--count") for clone in clones}
    assert counts == {"1", "3"}  # of a tag one commit, for a pseudo-version all


def test_a_mirror_says_where_a_repository_is(upstream: Upstream, tmp_path: Path):
    """Of a path whose host would have to be asked, for the module and those below it."""
    mirror = ("https://corp.example/team/r.git", str(upstream.folder / "r"))
    made = direct(tmp_path, (mirror,), GOPRIVATE="corp.example", GOPROXY="off")
    assert made.go_module("corp.example/team/r", "v1.0.0").startswith("h1:")
    assert made.proxy.go_mod("corp.example/team/r/sub", "v0.1.0")[0] == FILES["sub/go.mod"].encode()
    with pytest.raises(SourceError):
        made.go_module("corp.example/team/r2", "v1.0.0")
    folder = ("https://corp.example", str(upstream.folder))  # a mirror of many
    made = direct(tmp_path, (folder,))
    assert made.go_module("corp.example/r", "v1.0.0").startswith("h1:")
    named = direct(tmp_path, (("https://github.com/o", str(upstream.folder)),))
    assert named.go_module(R, "v1.0.0").startswith("h1:")


def of_mirror(folder: Path, start: str, to: str) -> Direct:
    """What makes modules of ``corp.example``, which has no pages, and has one mirror."""
    folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    mirrors = ((f"https://corp.example/{start}", to),)
    settings = FetchSettings(tmp=str(folder / "tmp"), mirrors=mirrors, environment=environment)

    def page(url: str) -> bytes:
        msg = "nobody is there"
        raise SourceError(msg, where=url, hint="ask somebody else")

    return Direct(Repositories.of(FetchServices(settings)), page)


def test_a_mirror_elsewhere_says_where_a_repository_is(upstream: Upstream, tmp_path: Path):
    """So does one of many; no page is asked for."""
    module = ("corp.example/team/r/sub", "v0.1.0")
    git(upstream.folder, "clone", "-q", "--bare", "r", str(tmp_path / "served/team/r.git"))
    here = of_mirror(tmp_path / "here", "team/r", str(upstream.folder / "r"))
    expected = io.BytesIO()
    here.go_mod(*module, expected)
    with serving(smart_http(tmp_path / "served")) as at:
        for name, start, to in (("one", "team/r", "team/r.git"), ("many", "team", "team")):
            written = io.BytesIO()
            made = of_mirror(tmp_path / name, start, f"{at}/{to}")
            assert made.go_mod(*module, written).startswith(f"{at}/team/r")
            assert written.getvalue() == expected.getvalue()


def test_a_mirror_that_is_no_repository_is_told(upstream: Upstream, tmp_path: Path):
    """As a folder at once; elsewhere beside what came of the module's page."""
    here = of_mirror(tmp_path / "here", "team/r", str(tmp_path))
    with pytest.raises(SourceError, match="is not a git repository"):
        here.go_mod("corp.example/team/r/sub", "v0.1.0", io.BytesIO())
    with serving(smart_http(upstream.folder)) as at:
        there = of_mirror(tmp_path / "there", "team/r", f"{at}/none")
        with pytest.raises(SourceError, match="neither a mirror nor its page") as caught:
            there.go_mod("corp.example/team/r", "v1.0.0", io.BytesIO())
    assert f"{at}/none: " in caught.value.details[0]
    assert "nobody is there" in caught.value.details[1]
    assert "ask somebody else" in hint_text(caught.value.hint)


def test_a_folder_that_instead_of_leads_to_is_read(upstream: Upstream, tmp_path: Path):
    url, folder = upstream.mirrors[0]
    (tmp_path / ".gitconfig").write_text(f'[url "{folder}"]\n\tinsteadOf = {url}\n')
    here = direct(tmp_path, ())
    assert here.go_module(R, "v1.0.0") == direct(tmp_path, upstream.mirrors).go_module(R, "v1.0.0")


@pytest.mark.parametrize(
    ("path", "version", "says"),
    [
        (R, "v1.0.9", "it has no tag v1.0.9"),
        (f"{R}/sub", "v0.9.0", "it has no tag sub/v0.9.0"),
        (R, "v0.0.0-20210203040506-ffffffffffff", "the revision, or a part of it, is not there"),
        (f"{R}/v3", "v1.0.0", "the commit has no v3/go.mod|declares 'github.com/o/r'"),
        (R, "v3.1.0", "declares 'github.com/o/r/v3'"),
        (f"{OLD}/sub", "v0.9.0", "it has no tag sub/v0.9.0"),
        (f"{OLD}/v4", "v4.0.0", "the commit has no go.mod"),
    ],
)
def test_what_a_repository_does_not_have_is_told(
    upstream: Upstream, tmp_path: Path, path: str, version: str, says: str
):
    with pytest.raises(SourceError, match="no module proxy gave its zip") as caught:
        direct(tmp_path, upstream.mirrors).go_module(path, version)
    lines = "\n".join(caught.value.details)
    assert any(each in lines for each in says.split("|")), lines
    assert str(upstream.folder) in lines


def test_a_pseudo_version_says_when_its_commit_was_made(upstream: Upstream, tmp_path: Path):
    version = upstream.version("PSEUDO").replace("20210203040506", "20210203040507")
    with pytest.raises(SourceError) as caught:
        direct(tmp_path, upstream.mirrors).go_module(R, version)
    assert "is of 20210203040506 (UTC)" in "\n".join(caught.value.details)


def test_without_git_nothing_is_made(upstream: Upstream, tmp_path: Path):
    with pytest.raises(SourceError) as caught:
        direct(tmp_path, upstream.mirrors, PATH=str(tmp_path)).go_module(R, "v1.0.0")
    assert "install git" in hint_text(caught.value.hint)


def test_offline_only_what_is_here_is_read(upstream: Upstream, tmp_path: Path):
    environment = {"PATH": os.environ["PATH"], "GOPROXY": "direct", "HOME": str(tmp_path)}
    made = FetchSettings(
        tmp=str(tmp_path / "tmp"),
        mirrors=upstream.mirrors[:1],
        environment=environment,
        offline=True,
    )
    clients = client(FetchServices(made))
    assert clients.go_module(R, "v1.0.0").startswith("h1:")
    for path in (OLD, "vanity.example/x"):
        with pytest.raises(SourceError) as caught:
            clients.go_module(path, "v0.9.0")
        assert "offline" in "\n".join(caught.value.details)


# ---- who is asked


@pytest.mark.parametrize(
    ("settings", "made"),
    [
        ({"GOPROXY": "{proxy},direct"}, True),
        ({"GOPROXY": "{proxy}|direct"}, True),
        ({"GOPROXY": "{proxy}"}, False),
        ({"GOPROXY": "{proxy},off"}, False),
        ({"GOPROXY": "off", "GOPRIVATE": "github.com/o"}, True),
        ({"GOPROXY": "{proxy}", "GONOPROXY": "github.com/*/r"}, True),
        ({"GOPROXY": "{proxy}", "GOPRIVATE": "github.com/o", "GONOPROXY": "none"}, False),
    ],
)
def test_when_a_module_is_made(
    upstream: Upstream, tmp_path: Path, settings: dict[str, str], *, made: bool
):
    with serve_pages({}) as served:
        filled = {name: text.format(proxy=served.url) for name, text in settings.items()}
        clients = direct(tmp_path, upstream.mirrors, **filled)
        if made:
            assert clients.go_module(R, "v1.0.0").startswith("h1:")
        else:
            with pytest.raises(SourceError):
                clients.go_module(R, "v1.0.0")
        private = "GONOPROXY" in settings or "GOPRIVATE" in settings
        asks = "{proxy}" in settings["GOPROXY"] and (not private or not made)
        assert bool(served.asked) is asks


# ---- where a repository is

META = '<meta name="go-import" content="{}">'


@pytest.mark.parametrize(
    ("path", "root"),
    [
        ("github.com/a/b", ImportRoot("github.com/a/b", "https://github.com/a/b")),
        ("github.com/a/b/c/v2", ImportRoot("github.com/a/b", "https://github.com/a/b")),
        ("bitbucket.org/a/b/c", ImportRoot("bitbucket.org/a/b", "https://bitbucket.org/a/b")),
        ("gitlab.com/a/b/v3", ImportRoot("gitlab.com/a/b", "https://gitlab.com/a/b")),
        ("gopkg.in/yaml.v3", ImportRoot("gopkg.in/yaml.v3", "https://gopkg.in/yaml.v3")),
        ("gopkg.in/a/b.v1/c", ImportRoot("gopkg.in/a/b.v1", "https://gopkg.in/a/b.v1")),
        ("h.example/x/y.git/z", ImportRoot("h.example/x/y.git", "https://h.example/x/y")),
    ],
)
def test_paths_that_say_where_they_are(path: str, root: ImportRoot):
    assert root_by_host(path) == root


@pytest.mark.parametrize("path", ["github.com/a", "gitlab.com/a/b/c", "v.example/x", "gopkg.in/x"])
def test_paths_that_do_not_say_it(path: str):
    assert root_by_host(path) is None


def test_a_page_says_where_the_others_are():
    text = META.format("v.example/x git https://g.example/x.git")
    asked: list[str] = []

    def page(url: str) -> bytes:
        asked.append(url)
        return f"<!doctype html><html><head>{text}</head></html>".encode()

    root = ImportRoot("v.example/x", "https://g.example/x.git")
    assert root_by_page("v.example/x/y", page) == root
    assert asked == ["https://v.example/x/y?go-get=1", "https://v.example/x?go-get=1"]
    assert root.module_folder(ModulePath.parse("v.example/x/y/v2")) == "y"


NOT_NAMED = [
    *("mod file:///etc", "mod /etc", "mod direct", "mod off", "mod ssh://g.example/x"),
    *("mod https://", "mod https://[x/y"),
    *("git file:///x", "git /x", "git x", "git -x", "git ext::sh", "git ext::sh://x"),
    *("git git@g.example:x", "git https://-x/y", "git https://[x/y", "git --upload-pack=x://y"),
]


@pytest.mark.parametrize("named", ["git ssh://git@g.example/x", "mod https://p.example:8/x"])
def test_what_a_page_may_name(named: str):
    tag = META.format(f"v.example/x {named}").encode()
    assert root_by_page("v.example/x", lambda _url: tag).url == named.partition(" ")[2]


@pytest.mark.parametrize(
    ("pages", "says"),
    [
        ({"v.example/x": ""}, "no go-import tag"),
        ({"v.example/x": META.format("v.example/y git https://g.example/y")}, "no go-import tag"),
        ({"v.example/x": META.format("v.example/x hg https://g.example/x")}, "kept by 'hg'"),
        *(
            ({"v.example/x": META.format(f"v.example/x {named}")}, "that is none")
            for named in NOT_NAMED
        ),
        (
            {"v.example/x": META.format("v.example/x git https://g/1") * 2},
            "several go-import tags",
        ),
        (
            {
                "v.example/x": META.format("v.example git https://g/1"),
                "v.example": META.format("v.example git https://g/2"),
            },
            "different go-import tags",
        ),
    ],
)
def test_a_page_that_does_not_say_it(pages: dict[str, str], says: str):
    def page(url: str) -> bytes:
        return pages[url.removeprefix("https://").removesuffix("?go-get=1")].encode()

    with pytest.raises(SourceError, match=says):
        root_by_page("v.example/x", page)


def test_a_path_without_a_host_is_nowhere():
    with pytest.raises(SourceError, match="no host name"):
        root_by_page("corp/x", pytest.fail)


def test_tags_outside_of_the_head_do_not_count():
    tag = META.format("a.example git https://g.example")
    tags = partial(go_imports, url="https://a.example")
    assert len(tags(f"<META name=go-import content='a.example git u'>{tag}<p>")) == 2
    assert tags(f"<head></head>{tag}") == []
    assert tags(f"<body>{tag}") == []
    assert tags("<meta name=go-import content='a b'><meta name=go-import>") == []
    (sub,) = tags(META.format("a.example git https://g.example go/"))
    assert sub.module_folder(ModulePath.parse("a.example/y")) == "go/y"


def test_a_page_may_name_a_proxy(upstream: Upstream, tmp_path: Path):
    """`mod` in its tag: that proxy is asked, and no repository."""
    made = direct(tmp_path, upstream.mirrors)
    to = io.BytesIO()
    assert made.proxy.direct is not None
    made.proxy.direct.go_mod(R, "v1.0.0", to)
    with serve_pages({"/v.example/x/@v/v1.0.0.mod": to.getvalue()}) as served:
        tag = META.format(f"v.example/x mod {served.url}")
        other = direct(tmp_path, ())
        assert other.proxy.direct is not None
        asks = GoProxy(
            other.proxy.transport,
            other.proxy.settings,
            type(other.proxy.direct)(other.proxy.direct.repositories, lambda _url: tag.encode()),
        )
        assert asks.go_mod("v.example/x", "v1.0.0")[0] == FILES["go.mod"].encode()


# ---- what belongs to a module


@pytest.mark.parametrize(
    ("name", "before", "since"),
    [
        ("a/b.go", True, True),
        ("vendor/modules.txt", True, False),
        ("vendor/x.org/x.go", False, False),
        ("vendor/x.go", True, True),
        ("pkg/vendor/v.go", False, True),
        ("pkg/vendor/w/w.go", False, False),
        ("nested/x.go", False, False),
        ("nested/deep/x.go", False, False),
        ("nested-not/x.go", True, True),
        ("upper/x.go", False, False),
        (".hg_archival.txt", False, False),
        ("a/.hg_archival.txt", True, True),
    ],
)
def test_the_files_of_a_module(name: str, *, before: bool, since: bool):
    names = {"go.mod", "nested/go.mod", "upper/GO.mod", name}
    assert (name in module_files(names, (1, 23))) is before
    assert (name in module_files(names, (1, 24))) is since


@pytest.mark.parametrize(
    ("version", "folder", "revision"),
    [
        ("v1.2.3", "", ModuleRevision(Revision(tag="v1.2.3"))),
        ("v1.2.3", "a/b", ModuleRevision(Revision(tag="a/b/v1.2.3"))),
        ("v4.0.0+incompatible", "", ModuleRevision(Revision(tag="v4.0.0"))),
        ("v1.2.3-rc.1", "", ModuleRevision(Revision(tag="v1.2.3-rc.1"))),
        (
            "v0.0.0-20210203040506-0123456789ab",
            "a",
            ModuleRevision(Revision(commit="0123456789ab"), "20210203040506"),
        ),
        (
            "v1.2.4-0.20210203040506-0123456789ab",
            "",
            ModuleRevision(Revision(commit="0123456789ab"), "20210203040506"),
        ),
        (
            "v2.1.2-rc.1.0.20210203040506-0123456789ab+incompatible",
            "",
            ModuleRevision(Revision(commit="0123456789ab"), "20210203040506"),
        ),
        (
            "v1.2.3-20210203040506-0123456789ab",
            "",
            ModuleRevision(Revision(tag="v1.2.3-20210203040506-0123456789ab")),
        ),
    ],
)
def test_what_a_version_is_in_a_repository(version: str, folder: str, revision: ModuleRevision):
    assert ModuleRevision.of(version, folder) == revision
