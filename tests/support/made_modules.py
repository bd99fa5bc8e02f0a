"""Go modules of a test's own: their zips, sums, and the pages of a proxy."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

from attrs import frozen

from rvbuild.core.digest import Digest
from rvbuild.core.gosum import hash1, hash1_go_mod


@frozen
class MadeModule:
    """A module; ``files`` are texts by path, without the go.mod."""

    path: str
    version: str
    go_mod: str
    files: Mapping[str, str]

    @property
    def every_file(self) -> dict[str, bytes]:
        """What its zip has."""
        texts = {"go.mod": self.go_mod, **self.files}
        prefix = f"{self.path}@{self.version}/"
        return {prefix + name: text.encode() for name, text in sorted(texts.items())}

    @property
    def sums(self) -> tuple[str, str]:
        """Its lines of a go.sum."""
        zipped = hash1({name: Digest.of(data).hash for name, data in self.every_file.items()})
        own = f"{self.path} {self.version}"
        return f"{own} {zipped}", f"{own}/go.mod {hash1_go_mod(self.go_mod.encode())}"

    @property
    def pages(self) -> dict[str, bytes]:
        """What a proxy has of it."""
        to = io.BytesIO()
        with zipfile.ZipFile(to, "w") as archive:
            for name, data in self.every_file.items():
                archive.writestr(zipfile.ZipInfo(name), data)
        at = f"/{self.path}/@v/{self.version}"
        return {f"{at}.mod": self.go_mod.encode(), f"{at}.zip": to.getvalue()}


def module(path: str, version: str, source: str, *requires: str, go: str = "1.21") -> MadeModule:
    """A module of one file; ``requires`` are paths with versions."""
    lines = "".join(f"require {each}\n" for each in requires)
    name = path.rpartition("/")[2]
    return MadeModule(
        path, version, f"module {path}\n\ngo {go}\n\n{lines}",
        {f"{name}.go": f"package {name}\n\n{source}"},
    )  # fmt: skip
