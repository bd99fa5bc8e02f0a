"""A suite's index as an archive sends it: its text, and the signatures that are with it.

Knows: the clear-signed form of `InRelease` (RFC 9580, section 7). Must not know: keys, what the
text says, where it came from.
"""

from __future__ import annotations

import re

from attrs import frozen

from rvbuild.core.errors import Malformed, SourceError

_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_CLEAR = re.compile(
    _BEGIN + rb"\r?\n(?:[A-Za-z-]+: .*\n)*\r?\n"
    rb"(?P<text>(?:(?!-).*\n|- .*\n)*)"
    rb"(?P<signature>-----BEGIN PGP SIGNATURE-----\r?\n(?:(?!-).*\n)*"
    rb"-----END PGP SIGNATURE-----)\s*\Z"
)
_END = re.compile(rb"^-----END PGP SIGNATURE-----[ \t\r]*$", re.MULTILINE)
_FIELD = re.compile(rb"(?:Origin|Label|Suite|Version|Codename|Date|Architectures|SHA256): ?")


@frozen(kw_only=True)
class SignedIndex:
    """An index that nobody has verified yet.

    Attributes:
        text: What a `Release` file says. If ``clear``, it is what stands between the marks, with a
            dash escaped as the form has it.
        signatures: Armored or binary, as they came; empty if there is none.
        clear: Whether text and signatures came as one clear-signed message.
    """

    text: bytes
    signatures: bytes = b""
    clear: bool = False

    @property
    def plain(self) -> str:
        """The text, readable."""
        escaped = rb"^- " if self.clear else rb"(?!)"
        return re.sub(escaped, b"", self.text, flags=re.MULTILINE).decode(errors="replace")

    @classmethod
    def parse(cls, data: bytes) -> SignedIndex:
        """Read an ``InRelease``.

        Raises:
            SourceError: it has nothing of an index, as the page of a portal has not.
            Malformed: it is a clear-signed message with something around it, or damaged.
        """
        message = _CLEAR.match(data)
        if message is not None:
            return cls(text=message["text"], signatures=message["signature"], clear=True)
        if _BEGIN in data:
            msg = f"the index {_fault(data)}"
            raise Malformed(msg)
        return cls.parse_unsigned(data)

    @classmethod
    def parse_unsigned(cls, data: bytes, signatures: bytes = b"") -> SignedIndex:
        """Read a ``Release``, whose signatures, if there are any, came in a file of their own.

        Raises:
            SourceError: it has nothing of an index.
        """
        if not _FIELD.match(data):
            msg = "not an index of a Debian archive"
            raise SourceError(msg)
        return cls(text=data, signatures=signatures)


def _fault(data: bytes) -> str:
    if not data.startswith(_BEGIN):
        return "has text before its signed part"
    end = _END.search(data)
    if end is None:
        return "is cut off: its signature does not end"
    if data[end.end() :].strip():
        return "has text after its signed part"
    return "is no well-formed signed message"
