"""A public key of ed25519: whose it is, its bytes, and the line of text that people commit.

Knows: that line, fingerprints. Must not know: files, signatures, who is trusted.

The line is ``rvbuild-ed25519 BASE64 NAME``, for example::

    rvbuild-ed25519 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= ci

Messages here quote nothing of a text: whoever mixes two files up may have put a private key there.
"""

from __future__ import annotations

import base64
import hashlib

from attrs import Attribute, field, frozen

from rvbuild.core.errors import UsageError
from rvbuild.core.key_name import is_key_name
from rvbuild.core.place import Place

RAW_BYTES = 32
"""Of a public key, and of the seed of a private one."""

_WORD = "rvbuild-ed25519"
PRIVATE_WORD = "rvbuild-ed25519-private"
"""With which the text of a private key begins."""

_FORM = f"write one line: {_WORD} BASE64 NAME"

_PRIME = 2**255 - 19
_SIGN = 1 << 255
_OF_ORDER_8 = 0x5FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL = {0, 1, _PRIME - 1, _OF_ORDER_8, _PRIME - _OF_ORDER_8}
"""The y coordinates of the eight points whose order is small."""


def _check_name(_: object, __: Attribute[str], name: str) -> None:
    if not is_key_name(name):
        msg = "a key's name has at most 64 letters, digits, and . _ - within"
        raise ValueError(msg)


def _check_raw(_: object, __: Attribute[bytes], raw: bytes) -> None:
    """Refuse what is no key, and the points for which anybody can make signatures."""
    if len(raw) != RAW_BYTES:
        msg = f"a key has {RAW_BYTES} bytes, and here are {len(raw)}"
        raise ValueError(msg)
    if int.from_bytes(raw, "little") % _SIGN % _PRIME in _SMALL:
        msg = "this is no key but a point of small order, for which anybody can sign"
        raise ValueError(msg)


@frozen
class PublicKey:
    """A name, and the 32 bytes of the key that has it."""

    name: str = field(validator=_check_name)
    raw: bytes = field(validator=_check_raw, repr=False)

    @property
    def fingerprint(self) -> str:
        """For people: the first 16 hex digits of the SHA-256 of ``raw``."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def key_id(self) -> str:
        """``NAME:FINGERPRINT``, what an envelope says of a signature."""
        return f"{self.name}:{self.fingerprint}"

    def __str__(self) -> str:
        return f"{_WORD} {base64.b64encode(self.raw).decode()} {self.name}"

    @classmethod
    def parse(cls, line: str, place: Place) -> PublicKey:
        """Read what ``str`` gives.

        Args:
            line: One line without its end.
            place: Where it stands.

        Raises:
            UsageError: it is another text; with the column.
        """
        if line.startswith(PRIVATE_WORD):
            msg = "this is a private key, where a public one belongs"
            hint = "keep it to yourself; if others could read it, make a new one"
            raise UsageError(msg, where=place, hint=hint)
        name, raw = split_key_line(line, _WORD, place, _FORM)
        try:
            return cls(name, raw)
        except ValueError as error:
            raise UsageError(str(error), where=place, hint=_FORM) from error

    @classmethod
    def read(cls, data: bytes, file: str) -> PublicKey:
        """Read a file that holds one key.

        Raises:
            UsageError: it holds something else; with line and column.
        """
        [line] = text_lines(data, file, 1, _FORM)
        return cls.parse(line, Place(file, 1))


def text_lines(data: bytes, file: str, count: int, form: str) -> list[str]:
    """The lines of a file, which may end as on Windows, and the last one in nothing.

    Args:
        data: The file's bytes.
        file: Its name, for messages.
        count: How many lines it must have.
        form: What to write there, for a hint.

    Raises:
        UsageError: it has other lines, or something else than printable ASCII.
    """
    lines = data.removesuffix(b"\n").split(b"\n")
    if len(lines) != count:
        msg = f"{'one line' if count == 1 else f'{count} lines'} must be here, and nothing else"
        raise UsageError(msg, where=Place(file, min(len(lines), count + 1)), hint=form)
    return [
        _text(line.removesuffix(b"\r"), Place(file, number), form)
        for number, line in enumerate(lines, 1)
    ]


def _text(line: bytes, place: Place, form: str) -> str:
    text = line.decode("ascii", errors="replace")
    for column, letter in enumerate(text, 1):
        if not (letter.isascii() and letter.isprintable()):
            msg = "a byte that is no printable ASCII"
            raise UsageError(msg, where=Place(place.file, place.line, column), hint=form)
    return text


def split_key_line(line: str, word: str, place: Place, form: str) -> tuple[str, bytes]:
    """Name and bytes of ``WORD BASE64 NAME``.

    Raises:
        UsageError: the line is another one.
    """
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != word:
        msg = "not the line of a key"
        raise UsageError(msg, where=place, hint=form)
    try:
        raw = base64.b64decode(parts[1], validate=True)
    except ValueError:
        raw = b""
    column = len(word) + 2
    if base64.b64encode(raw).decode() != parts[1] or len(raw) != RAW_BYTES:
        msg = f"here must be {RAW_BYTES} bytes in base64"
        raise UsageError(msg, where=Place(place.file, place.line, column), hint=form)
    if not is_key_name(parts[2]):
        column += len(parts[1]) + 1
        msg = "a key's name has at most 64 letters, digits, and . _ - within"
        raise UsageError(msg, where=Place(place.file, place.line, column), hint=form)
    return parts[2], raw
