"""Which checksum database the user's go command asks, and for which modules it does not.

Knows: the syntax of GOSUMDB, and the keys that the go command itself brings. Must not know: how a
database is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from attrs import frozen

from rvbuild.core.errors import SourceError
from rvbuild.core.transparent_log import LogKey
from rvbuild.kinds.go.go_settings import OFF, go_variables
from rvbuild.kinds.go.module_patterns import covers

_KNOWN = {"sum.golang.org": "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"}
"""As the go command has them (cmd/go/internal/modfetch/key.go); a name is no address."""

_MIRRORS = {"sum.golang.google.cn": "sum.golang.org https://sum.golang.google.cn"}
"""Names for a database at another address (cmd/go/internal/modfetch/sumdb.go)."""

HOW_TO_SET = f"set GOSUMDB={next(iter(_KNOWN))}, or install Go (its default is used then)"
_HINT = "set GOSUMDB as the go command has it: NAME, NAME+ID+KEY, and an address behind it; or off"


@frozen(kw_only=True)
class SumSettings:
    """The database.

    Attributes:
        key: That of the database; None for none.
        address: Where GOSUMDB says that it is: no proxy is asked for it then; empty: it does not.
        excluded: Patterns of modules that it is not asked about.
        is_set: Whether somebody says which database there is, or that there is none.
    """

    key: LogKey | None
    address: str
    excluded: str
    is_set: bool = True

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """The settings of the environment, else of `go env`'s file, else the go command's own.

        Raises:
            SourceError: they are not valid.
        """
        names = ("GOSUMDB", "GONOSUMDB", "GOPRIVATE")
        values = go_variables(environment, names)
        excluded = values.get("GONOSUMDB", values.get("GOPRIVATE", ""))
        text = values.get("GOSUMDB", OFF)
        if text == OFF:
            return cls(key=None, address="", excluded=excluded, is_set="GOSUMDB" in values)
        try:
            key, address = _key_and_address(_MIRRORS.get(text, text))
        except ValueError as cause:
            msg = "GOSUMDB cannot be read"
            raise SourceError(msg, where="GOSUMDB", hint=_HINT) from cause
        return cls(key=key, address=address, excluded=excluded)

    def is_excluded(self, module: str) -> bool:
        """Whether GONOSUMDB keeps a module from the database."""
        return covers(self.excluded, module)


def _key_and_address(text: str) -> tuple[LogKey, str]:
    name, *addresses = text.split() or [""]
    if len(addresses) > 1:
        msg = "has more than a key and an address"
        raise ValueError(msg)
    return LogKey.parse(_KNOWN.get(name, name)), "".join(addresses)
