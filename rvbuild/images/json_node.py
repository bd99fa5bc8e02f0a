"""Typed access to JSON that somebody else wrote; every error carries its place.

Knows: kinds of values. Must not know: which keys exist.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from attrs import frozen

from rvbuild.core.errors import Malformed

LARGEST = 4 << 20
"""Bytes of the largest document: registries refuse larger ones too."""


@frozen
class JsonNode:
    """A JSON value, and the file and keys that led to it."""

    where: str
    value: Any

    @classmethod
    def read(cls, data: bytes, where: str) -> JsonNode:
        """The document in a file, of which ``data`` may be the beginning.

        Raises:
            VerificationError: it is too large, or not JSON.
        """
        if len(data) > LARGEST:
            msg = f"it is larger than {LARGEST} bytes"
            raise Malformed(msg, where=where)
        try:
            return cls(where, json.loads(data))
        except (ValueError, RecursionError) as error:
            msg = "it is not JSON"
            raise Malformed(msg, where=where) from error

    def refuse(self, why: str) -> NoReturn:
        """Raise the error of this value.

        Raises:
            VerificationError: always.
        """
        raise Malformed(why, where=self.where)

    def __getitem__(self, key: str) -> JsonNode:
        """The value under ``key``, None if it is not there."""
        if not isinstance(self.value, dict):
            self.refuse("it must be an object")
        return JsonNode(f"{self.where}: {key}", self.value.get(key))

    def text(self, default: str | None = None) -> str:
        value = default if self.value is None else self.value
        if not isinstance(value, str):
            self.refuse("it must be a string")
        try:
            value.encode()
        except UnicodeEncodeError:  # JSON can spell half of a character
            self.refuse("it cannot be UTF-8")
        return value

    def number(self) -> int:
        if not isinstance(self.value, int):
            self.refuse("it must be a number")
        return self.value

    def items(self) -> list[JsonNode]:
        """What the list holds; a null is an empty one."""
        if not isinstance(self.value, list | None):
            self.refuse("it must be a list")
        return [JsonNode(f"{self.where}[{at}]", one) for at, one in enumerate(self.value or [])]

    def texts(self) -> tuple[str, ...]:
        return tuple(one.text() for one in self.items())
