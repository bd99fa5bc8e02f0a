"""Cargo.lock: which crates a program is built with.

Knows: the file's versions 1 to 4. Must not know: where the file is from, how a crate is had.
Format: cargo's own, https://doc.rust-lang.org/cargo/guide/cargo-toml-vs-cargo-lock.html;
``src/cargo/core/resolver/encode.rs`` of cargo tells how the versions differ.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from attrs import frozen

from rvbuild.core.errors import LockError
from rvbuild.core.place import Place
from rvbuild.core.printable import brief
from rvbuild.kinds.crates.source import VendoredCrate, crate_problem

MAX_BYTES = 16 << 20
_VERSIONS = range(1, 5)
_DEFAULT_REGISTRY = re.compile(r"registry\+https://github\.com/rust-lang/crates\.io-index")
"""What the file calls cargo's default registry, wherever its crates are had: only a name."""

_PACKAGE = re.compile(r"[ \t]*\[\[[ \t]*package[ \t]*\]\]")
_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


def parse_cargo_lock(data: bytes, file: str = "Cargo.lock") -> tuple[VendoredCrate, ...]:
    """The crates of the default registry that a Cargo.lock names, sorted.

    Packages without a source are the program's own (its workspace, or folders beside it): they
    come with the program.

    Args:
        data: The file.
        file: Its name, for messages.

    Raises:
        LockError: it is not valid, or names what cannot be fetched by checksum; ``where`` is the
            line of the package.
    """
    text = _text(data, file)
    top = _toml(text, file)
    version = top.get("version", 1)
    if type(version) is not int or version not in _VERSIONS:
        msg = f"Cargo.lock has version {brief(str(version), 40)}; 1 to {_VERSIONS[-1]} are known"
        raise LockError(
            msg, where=Place(file), hint="let an older cargo write it, or update rvbuild"
        )
    crates: dict[tuple[str, str], VendoredCrate] = {}
    for package in _packages(top, text, file):
        crate = package.crate(_checksums(top, file))
        if crate is not None and crates.setdefault((crate.name, crate.version), crate) is not crate:
            package.refuse("is there twice", "let cargo write the file again")
    return tuple(sorted(crates.values()))


def _text(data: bytes, file: str) -> str:
    if len(data) > MAX_BYTES:
        msg = f"a Cargo.lock of more than {MAX_BYTES} bytes"
        raise LockError(msg, where=Place(file))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        msg = "Cargo.lock is not UTF-8"
        raise LockError(msg, where=Place(file, line)) from None


def _toml(text: str, file: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number that is too long
        at = _AT.search(str(error))
        where = Place(file, int(at[1]), int(at[2])) if at else Place(file)
        cause = str(error)[: at.start()].strip() if at else type(error).__name__
        msg = f"Cargo.lock is not TOML: {brief(cause)}"
        raise LockError(msg, where=where) from None


def _checksums(top: Mapping[str, Any], file: str) -> Mapping[str, Any]:
    """Where version 1 has the checksums: ``checksum NAME VERSION (SOURCE)`` to hex."""
    metadata = top.get("metadata", {})
    if not isinstance(metadata, dict):
        msg = "'metadata' of Cargo.lock must be a table"
        raise LockError(msg, where=Place(file))
    return metadata


@frozen(kw_only=True)
class _Package:
    """One ``[[package]]``."""

    name: str
    version: str
    source: str
    checksum: str
    where: Place

    def crate(self, checksums: Mapping[str, Any]) -> VendoredCrate | None:
        """The crate that it names; None for the program's own package."""
        if not self.source:
            return None
        if self.source.startswith("git+"):
            self.refuse(
                f"comes from git ({brief(self.source[4:])}), which is not supported yet",
                "depend on a release of a registry, or replace it by a folder of the program's "
                "own source (`[patch]` with `path`)",
            )
        if not _DEFAULT_REGISTRY.fullmatch(self.source):
            self.refuse(
                f"comes from {brief(self.source)}: only cargo's default registry (also where it "
                "is replaced) is supported",
                "have the crate in a mirror that replaces the default registry",
            )
        key = f"checksum {self.name} {self.version} ({self.source})"
        sha256 = self.checksum or str(checksums.get(key, ""))
        if not sha256:
            self.refuse("has no checksum", "let cargo write the file again, with the registry")
        wrong = crate_problem(self.name, self.version, sha256)
        if wrong:
            raise LockError(wrong, where=self.where)
        return VendoredCrate(name=self.name, version=self.version, sha256=sha256)

    def refuse(self, message: str, hint: str) -> NoReturn:
        """Raise the error of this package."""
        msg = f"the crate {brief(self.name, 80)} {brief(self.version, 80)} {message}"
        raise LockError(msg, where=self.where, hint=hint)


def _packages(top: Mapping[str, Any], text: str, file: str) -> Iterator[_Package]:
    tables = top.get("package", [])
    if not isinstance(tables, list):
        msg = "'package' of Cargo.lock must be a list of tables"
        raise LockError(msg, where=Place(file))
    lines = [n for n, line in enumerate(text.split("\n"), 1) if _PACKAGE.match(line)]
    if len(lines) != len(tables):  # written otherwise than cargo does
        lines = [0] * len(tables)
    for table, line in zip(tables, lines, strict=True):
        where = Place(file, line)
        if not isinstance(table, dict):
            msg = "a package of Cargo.lock must be a table"
            raise LockError(msg, where=where)
        yield _Package(
            name=_field(table, "name", where),
            version=_field(table, "version", where),
            source=_field(table, "source", where, ""),
            checksum=_field(table, "checksum", where, ""),
            where=where,
        )


def _field(table: Mapping[str, Any], key: str, where: Place, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        msg = f"{key!r} of a package of Cargo.lock must be text"
        raise LockError(msg, where=where)
    return value
