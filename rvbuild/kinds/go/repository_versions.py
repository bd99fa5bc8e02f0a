"""The versions of a module by the tags of its repository: what ``direct`` in GOPROXY lists.

Knows: which tags are a module's versions. Must not know: which repository a path names, proxies.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import BinaryIO

from attrs import field, frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.gomod import is_module_version
from rvbuild.git.upstream_refs import RefReader, UpstreamRefs
from rvbuild.kinds.go.import_root import ImportRoot
from rvbuild.kinds.go.module_path import ModulePath, ModuleRevision
from rvbuild.transfers.urls import shown

_INCOMPATIBLE = "+incompatible"


@frozen
class RepositoryVersions:
    """Lists versions.

    Rules:

    1. A tag is a version of the module in the folder that the tag's name begins with.
    2. Its major version is the one of the module's path.
    3. A module without a major version in its path has also higher ones, with ``+incompatible``:
       whether such a tag has a go.mod, so that it is none, nobody looks here.

    Attributes:
        refs: Asks repositories, each once.
        root: Returns the repository of a module's path.
    """

    refs: RefReader
    root: Callable[[str], ImportRoot]
    _known: dict[str, UpstreamRefs] = field(factory=dict, init=False, repr=False)

    def list(self, path: str, to: BinaryIO) -> str:
        """Write a module's versions, one a line; where they came from.

        Raises:
            SourceError: nobody has the repository.
        """
        refs = self._refs_of(path)
        to.write("".join(f"{version}\n" for version in self._versions(path, refs)).encode())
        return shown(refs.address)

    def info(self, path: str, version: str, to: BinaryIO) -> str:
        """Write when a version was tagged, as a proxy says it; where that came from.

        Raises:
            SourceError: nobody knows it.
        """
        refs = self._refs_of(path)
        tag = ModuleRevision.of(version, self._folder(path)).revision.tag
        moment = self.refs.moments(refs, [tag]).get(tag) if tag in refs.tags else None
        if moment is None:
            msg = "its repository does not say when it was tagged"
            raise SourceError(msg, where=f"{path}@{version}")
        time = dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        to.write(json.dumps({"Version": version, "Time": time}).encode())
        return shown(refs.address)

    def _refs_of(self, path: str) -> UpstreamRefs:
        url = self.root(path).url
        if url not in self._known:
            self._known[url] = self.refs.refs(url)
        return self._known[url]

    def _folder(self, path: str) -> str:
        return self.root(path).module_folder(ModulePath.parse(path))

    def _versions(self, path: str, refs: UpstreamRefs) -> Iterator[str]:
        folder, module = self._folder(path), ModulePath.parse(path)
        begin = f"{folder}/" if folder else ""
        for tag in refs.tags:
            version = tag.removeprefix(begin)
            if tag != begin + version or not is_module_version(version) or "+" in version:
                continue
            major = version.partition(".")[0]
            if module.major:
                if module.major[1:] == major:
                    yield version
            elif major in {"v0", "v1"}:
                yield version
            elif not folder:
                yield version + _INCOMPATIBLE
