"""Where the repository of a module is, by its path.

Knows: the hosts whose paths say it, and the ``go-import`` meta tag of all others
(https://go.dev/ref/mod#vcs-find), and what a page may name there: as with GOVCS' default, and as
far as git goes. Must not know: how bytes travel.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import takewhile

from attrs import frozen

from rvbuild.core.advice import Remedy, Use
from rvbuild.core.errors import SourceError
from rvbuild.core.login import TWO_WAYS, SplitAddress
from rvbuild.core.printable import brief
from rvbuild.git.clone_urls import is_git_url
from rvbuild.kinds.go.module_path import ModulePath
from rvbuild.transfers.addresses import is_http
from rvbuild.transfers.html_tags import Tag, tags_of
from rvbuild.transfers.urls import shown

_NAME = r"[\w.-]+"
_HOSTS = (
    rf"(?:github\.com|bitbucket\.org)/{_NAME}/{_NAME}",
    rf"gopkg\.in/(?:{_NAME}/)?{_NAME}\.v\d+(?:-unstable)?",
    rf"git\.apache\.org/{_NAME}\.git",
)
_BY_HOST = re.compile(rf"(?P<root>{'|'.join(_HOSTS)})(?:/{_NAME})*", re.ASCII)
_GITLAB = re.compile(rf"gitlab\.com/{_NAME}/{_NAME}", re.ASCII)
_GIT = re.compile(
    rf"(?P<root>(?P<repository>(?:[a-z0-9-]+\.)+[a-z0-9-]+(?::\d+)?(?:/~?{_NAME})+?)\.git)"
    rf"(?:/~?{_NAME})*",
    re.ASCII,
)
_GIT_VCS = "git"
PROXY_VCS = "mod"
"""What a meta tag has instead of ``git`` where it names a module proxy."""


@frozen
class ImportRoot:
    """A repository.

    Attributes:
        prefix: The module path of its root.
        url: Its address.
        vcs: ``git``, or ``mod`` if the address is a module proxy's.
        folder: The folder in it that ``prefix`` means; empty for its root.
    """

    prefix: str
    url: str
    vcs: str = _GIT_VCS
    folder: str = ""

    def module_folder(self, path: ModulePath) -> str:
        """The folder of a module without its major version; empty for the root.

        Raises:
            SourceError: the repository cannot hold the module.
        """
        if self.prefix == path.path:
            return self.folder
        if not _covers(self.prefix, path.prefix):
            msg = f"the repository of {self.prefix} cannot hold this module"
            raise SourceError(msg, where=path.path)
        parts = (self.folder, path.prefix[len(self.prefix) :].strip("/"))
        return "/".join(part for part in parts if part)


def root_by_host(path: str) -> ImportRoot | None:
    """The repository of a path that says it itself; None if it does not.

    1. A path of GitHub, Bitbucket, gopkg.in, or Apache's git does, and so does one of GitLab with
       three elements (with more, some may be groups).
    2. An element that ends with ``.git`` ends the repository's path.
    """
    known = _BY_HOST.fullmatch(path)
    if known is not None:
        return ImportRoot(known["root"], f"https://{known['root']}")
    gitlab = ModulePath.parse(path).prefix
    if _GITLAB.fullmatch(gitlab):
        return ImportRoot(gitlab, f"https://{gitlab}")
    named = _GIT.fullmatch(path)
    return ImportRoot(named["root"], f"https://{named['repository']}") if named else None


def mirror_advice(path: str) -> Use:
    """A mirror that says where the repository of a module is.

    Example: for ``go.corp.example/lib/v2`` it is one of ``https://go.corp.example/lib``.
    """
    root = root_by_host(path)
    url = root.url if root else f"https://{ModulePath.parse(path).prefix}"
    return Remedy.MIRROR.of(f"{url}=REPOSITORY")


def root_by_mirror(path: str, is_mirrored: Callable[[str], bool]) -> ImportRoot | None:
    """The repository that a mirror is of the longest prefix of a path; None if none is.

    Args:
        path: The module's.
        is_mirrored: Whether a mirror of an address is a repository.
    """
    parts = path.split("/")
    prefixes = ("/".join(parts[:count]) for count in range(len(parts), 1, -1))
    roots = (ImportRoot(prefix, f"https://{prefix}") for prefix in prefixes)
    return next((root for root in roots if is_mirrored(root.url)), None)


def root_by_page(path: str, page: Callable[[str], bytes]) -> ImportRoot:
    """The repository that the page ``https://PATH?go-get=1`` names.

    Its meta tag ``go-import`` has a prefix that covers the path. If that is shorter, the prefix's
    own page must have the same tag.

    Args:
        path: The module's.
        page: Returns what is at an address; SourceError if nobody has it.

    Raises:
        SourceError: nothing says where it is, or it is kept by something else than git.
    """
    root = _by_meta(path, path, page)
    if root.prefix != path and _by_meta(root.prefix, path, page) != root:
        msg = f"its page and that of {root.prefix} have different go-import tags"
        raise SourceError(msg, where=path)
    return root


def _by_meta(at: str, path: str, page: Callable[[str], bytes]) -> ImportRoot:
    """What the page of ``at`` says about ``path``."""
    if "." not in at.partition("/")[0]:
        msg = "its first element is no host name: nobody can say where its repository is"
        raise SourceError(msg, where=path)
    url = f"https://{at}?go-get=1"
    fitting = [
        root
        for root in go_imports(page(url).decode(errors="replace"), url)
        if _covers(root.prefix, path)
    ]
    fitting = [root for root in fitting if root.vcs == PROXY_VCS] or fitting
    if len(fitting) != 1:
        msg = (
            "the page has no go-import tag for it" if not fitting else "several go-import tags fit"
        )
        raise SourceError(msg, where=url)
    _check(fitting[0], url)
    return fitting[0]


def _check(root: ImportRoot, page: str) -> None:
    """Refuse what a page may not name: anything but git and proxies, and nothing of this machine.

    Raises:
        SourceError: the page names it.
    """
    hint = "let GOPROXY name a proxy that has it"
    if root.vcs not in {_GIT_VCS, PROXY_VCS}:
        msg = f"it is kept by {brief(root.vcs)!r}, and modules are made from git only"
        raise SourceError(msg, where=page, hint=hint)
    if root.vcs == PROXY_VCS and not is_http(root.url):
        msg = f"its go-import tag names a module proxy that is none: {brief(shown(root.url))}"
        raise SourceError(msg, where=page, hint=hint)
    if root.vcs == _GIT_VCS and not ("://" in root.url and is_git_url(root.url)):
        what = "a git repository that is none"
        if SplitAddress.of(root.url).is_ambiguous:  # git may read it otherwise than we do
            what = TWO_WAYS
        msg = f"its go-import tag names {what}: {brief(shown(root.url))}"
        raise SourceError(msg, where=page, hint=hint)


def go_imports(html: str, url: str) -> list[ImportRoot]:
    """The ``go-import`` tags of the head of a page, which is at ``url``.

    Raises:
        SourceError: it cannot be read.
    """
    roots = []
    for tag in takewhile(_is_in_head, tags_of(html, url)):
        if tag.name != "meta" or tag.attributes.get("name") != "go-import":
            continue
        words = (tag.attributes.get("content") or "").split()
        if len(words) in {3, 4}:
            prefix, vcs, repository, *folder = words
            roots.append(ImportRoot(prefix, repository, vcs, "".join(folder).strip("/")))
    return roots


def _is_in_head(tag: Tag) -> bool:
    return tag != Tag("head", closing=True) and (tag.closing or tag.name != "body")


def _covers(prefix: str, path: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
