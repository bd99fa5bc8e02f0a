"""Where the user's clients look for Python packages.

Knows: whose client's word counts, and how each goes through its indexes. Must not know: what an
index answers. No index is named here: without any configuration it is the default of the client
that is installed.

The rules:

1. Places have ranks, strongest first: pip's variables, uv's, pip's files, uv's.
2. Indexes are those of one client, as that client has them: of the one whose setting of an index
   (`index-url`, `extra-index-url`, a true `no-index`) has the highest rank; pip's if none has one.
3. Folders and pages of files (`find-links`) are those of the client whose setting of them has
   the highest rank.
4. For pip all indexes are equal. For uv the default index is the last one, and the first that has a
   project decides (`index-strategy`), so that a public project cannot take an internal one's place
   (*dependency confusion*).

For example, `UV_INDEX` names a company's index, and pip's file another one: it is uv that is asked
for, with uv's default after the company's, and pip's file has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import partial

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.printable import brief
from rvbuild.kinds.pypi.client_option import HINT, ClientOption, ClientOptions
from rvbuild.kinds.pypi.default_index import clients_default
from rvbuild.kinds.pypi.pip_config import pip_files, pip_variables
from rvbuild.kinds.pypi.uv_config import joined, uv_files, uv_variables
from rvbuild.transfers.addresses import http_address, local_path

_DEFAULT = "the client's own default (PIP_INDEX_URL or pip.conf name another index)"


_INDEXES = ("index-url", "extra-index-url", "no-index")
_NOTHING = ClientOption((), "")


class Strategy(Enum):
    """Which of several indexes decides on a version of a project; the value is uv's word for it.

    For uv an index that does not answer decides, too: nobody knows what it has.
    """

    FIRST_INDEX = "first-index"
    """The first that has the project, whatever versions; one that refuses has it, too."""
    FIRST_MATCH = "unsafe-first-match"
    """The first that has the version, for whatever machine."""
    BEST_MATCH = "unsafe-best-match"
    """The first that has the version for this machine."""
    PIP = ""
    """None: the best file of all is taken, and of equal ones the last. Pip promises no order, but
    its resolver does so; and most people add their own index to the default one."""


@frozen(kw_only=True)
class Indexes:
    """Where to look, in this order; each address and path as the user wrote it.

    Attributes:
        links: Folders, files, and pages that list files of any project.
        urls: Simple indexes: below each a project has a page.
        named_by: The settings that say so.
        forbidden_by: The setting that forbids indexes; empty if none does.
        strategy: Which of them decides.
    """

    links: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    forbidden_by: str = ""
    strategy: Strategy = Strategy.PIP


def find_indexes(
    environment: Mapping[str, str], default: Callable[[Mapping[str, str]], str] | None = None
) -> Indexes:
    """The user's indexes; see the module.

    Args:
        environment: The user's.
        default: Finds the default base; by default `clients_default`.

    Raises:
        SourceError: nothing names an index; or a setting is not valid.
    """
    weak, strong = pip_files(environment), pip_variables(environment)
    weak_uv, strong_uv = uv_files(environment), uv_variables(environment)
    pip, uv = {**weak, **strong}, joined(strong_uv, weak_uv)
    ranks = ((strong, pip), (strong_uv, uv), (weak, pip), (weak_uv, uv))
    client = next((whole for part, whole in ranks if _has(part, _INDEXES)), pip)
    links = next((it["find-links"] for part, it in ranks if "find-links" in part), _NOTHING)
    ban = client.get("no-index", _NOTHING)
    if ban.texts:
        named_by = (ban.place, links.place) if links.texts else (ban.place,)
        return Indexes(links=links.texts, named_by=named_by, forbidden_by=ban.place)
    base = client.get("index-url")
    if base is None:
        base = ClientOption(((default or clients_default)(environment),), _DEFAULT)
    more = client.get("extra-index-url", _NOTHING)
    order = (more, base) if client is uv else (base, more)
    urls = [url for option in order for url in _addresses(option)]
    return Indexes(
        links=links.texts,
        urls=tuple(dict.fromkeys(urls)),
        named_by=tuple(option.place for option in (links, *order) if option.texts),
        strategy=_strategy(client.get("index-strategy")) if client is uv else Strategy.PIP,
    )


def _has(options: ClientOptions, names: tuple[str, ...]) -> bool:
    return any(options.get(name, _NOTHING).texts for name in names)


def _strategy(option: ClientOption | None) -> Strategy:
    if option is None:
        return Strategy.FIRST_INDEX
    text = "".join(option.texts)
    words = {each.value: each for each in Strategy if each.value}
    if text not in words:
        msg = f"not a strategy of uv: {brief(text)!r}"
        raise SourceError(msg, where=option.place, hint=f"write {', '.join(words)}")
    return words[text]


def _addresses(option: ClientOption) -> Iterator[str]:
    """The addresses of simple indexes; one may be a folder of this machine."""
    read = partial(http_address, of="a package index", where=option.place, hint=HINT)
    for text in option.texts:
        try:
            yield read(text).rstrip("/")
        except SourceError:
            path = local_path(text)
            if path is None or not path.is_dir():
                raise
            yield path.as_uri()
