"""Where the user's clients look for Python packages.

Knows: which client's word is the strongest. Must not know: what an index answers. No index is
named here: without any configuration it is the default of the client that is installed.

Each of four settings is taken from the strongest place that has it: the addresses of the base
index, of further indexes, of folders and pages of files (``find-links``), and whether indexes are
forbidden (``no-index``). The places, strongest first: pip's variables, uv's, pip's files, uv's.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.kinds.pypi.client_option import HINT, ClientOption
from rvbuild.kinds.pypi.default_index import clients_default
from rvbuild.kinds.pypi.pip_config import pip_files, pip_variables
from rvbuild.kinds.pypi.uv_config import uv_files, uv_variables
from rvbuild.transfers.addresses import http_address, local_path

_DEFAULT = "the client's own default (PIP_INDEX_URL or pip.conf name another index)"


@frozen(kw_only=True)
class Indexes:
    """Where to look, in this order; each address and path as the user wrote it.

    Attributes:
        links: Folders, files, and pages that list files of any project.
        urls: Simple indexes: below each a project has a page.
        named_by: The settings that say so.
        forbidden_by: The setting that forbids indexes; empty if none does.
    """

    links: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    forbidden_by: str = ""


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
    parts = (pip_variables, uv_variables, pip_files, uv_files)
    options = ChainMap(*(dict(part(environment)) for part in parts))
    nothing = ClientOption((), "")
    links, ban = options.get("find-links", nothing), options.get("no-index", nothing)
    if ban.texts:
        named_by = (ban.place, links.place) if links.texts else (ban.place,)
        return Indexes(links=links.texts, named_by=named_by, forbidden_by=ban.place)
    base = options.get("index-url")
    if base is None:
        base = ClientOption(((default or clients_default)(environment),), _DEFAULT)
    more = options.get("extra-index-url", nothing)
    urls = [url for option in (base, more) for url in _addresses(option)]
    return Indexes(
        links=links.texts,
        urls=tuple(dict.fromkeys(urls)),
        named_by=tuple(option.place for option in (links, base, more) if option.texts),
    )


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
