"""A folder of this machine, as a recipe asks for it."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import field, frozen

from rvbuild.core.spec import Comparison, SourceSpec
from rvbuild.kinds.declaration import TEXT, key
from rvbuild.kinds.path.source import PathSource


@frozen(kw_only=True)
class PathSpec(SourceSpec):
    """A folder of this machine, relative to the recipe's folder."""

    answer = PathSource
    path: str = field(metadata=key("path", TEXT))

    @property
    def volatile(self) -> bool:
        return True

    def compare(self, part: PathSource, arch: str) -> Iterator[Comparison]:
        """The lock has the folder's whole path; the recipe says how it ends."""
        del arch
        tail: list[str] = []
        for name in self.path.split("/"):
            tail = (
                tail[:-1] if name == ".." else [*tail, *([name] if name not in {"", "."} else [])]
            )
        end = "/".join(["", *tail])
        yield "path", part.path, part.path if f"/{part.path}".endswith(end) else f"…{end}"


SPECS = {"path": PathSpec}
