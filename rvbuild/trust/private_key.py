"""A private key: its name, its seed, and the line of text that is kept secret.

Knows: that line. Must not know: files, who trusts the key.

The line is ``rvbuild-ed25519-private:BASE64:NAME``: one word, since GitLab masks no secret that has
a space in it. One with spaces in the place of the colons, as keys were written before, is read as
well. Nothing here shows the seed but ``text``, which is a method, so that no message has it by
accident.
"""

from __future__ import annotations

import base64
from functools import cached_property

from attrs import field, frozen

from rvbuild.core.place import Place
from rvbuild.core.public_key import PRIVATE_WORD, PublicKey, split_key_line, text_lines
from rvbuild.trust.ed25519 import new_seed, public_bytes, sign_bytes

_FORM = f"the text of a private key is one line: {PRIVATE_WORD}:BASE64:NAME"


@frozen(slots=False)
class PrivateKey:
    """Signs by itself: see `rvbuild.core.ports.signer`."""

    name: str
    _seed: bytes = field(repr=False)

    @classmethod
    def new(cls, name: str) -> PrivateKey:
        """A key that nobody else has."""
        return cls(name, new_seed())

    @classmethod
    def read(cls, data: bytes, file: str) -> PrivateKey:
        """Read what ``text`` gives; a newline may follow.

        Raises:
            UsageError: it is another text, of which the message quotes nothing.
        """
        [line] = text_lines(data, file, 1, _FORM)
        words = line if " " in line else line.replace(":", " ")
        return cls(*split_key_line(words, PRIVATE_WORD, Place(file, 1), _FORM))

    def text(self) -> str:
        """The line, for a file that only its owner may read."""
        return f"{PRIVATE_WORD}:{base64.b64encode(self._seed).decode()}:{self.name}"

    @cached_property
    def public(self) -> PublicKey:
        """The key that others trust."""
        return PublicKey(self.name, public_bytes(self._seed))

    def sign(self, data: bytes) -> bytes:
        """See `rvbuild.core.ports.signer`."""
        return sign_bytes(self._seed, data)
