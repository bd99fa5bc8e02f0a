"""A command that signs: an agent, a security token, a service that keeps the private key.

Knows: how it is asked. Must not know: which keys are trusted, envelopes.

It gets the bytes to sign on its standard input, and writes the signature in base64 to its standard
output. Its standard error is the caller's: it may ask a person there to touch a token. The
command's words may hold a secret, and are in no message.
"""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from collections.abc import Sequence
from typing import BinaryIO, NoReturn

from attrs import field, frozen

from rvbuild.core.errors import UsageError
from rvbuild.core.public_key import PublicKey
from rvbuild.trust.ed25519 import is_signature

_WHERE = "signing-command"
_HINT = "try it alone: it reads bytes, and writes their signature in base64, in one line"
_MOST_BYTES = 1024


@frozen
class SigningCommand:
    """Signs as `rvbuild.core.ports.signer` has it.

    Args:
        public: The key by which its signatures must verify.
        words: The program and its arguments; no shell reads them.
        seconds: How long one signature may take.
    """

    public: PublicKey
    _words: Sequence[str] = field(repr=False)
    _seconds: float = 60.0

    def sign(self, data: bytes) -> bytes:
        """See `rvbuild.core.ports.signer`; the signature is verified before anybody else does.

        Raises:
            UsageError: the command fails, is too slow, or signs with another key.
        """
        with tempfile.TemporaryFile() as question, tempfile.TemporaryFile() as answer:
            question.write(data)
            question.seek(0)
            self._run(question, answer)
            answer.seek(0)
            text = answer.read(_MOST_BYTES)
        try:
            signature = base64.b64decode(text.strip(), validate=True)
        except ValueError:
            _refuse("it wrote no base64")
        if not is_signature(self.public.raw, signature, data):
            _refuse(f"what it wrote is no signature by the key {self.public.key_id}")
        return signature

    def _run(self, question: BinaryIO, answer: BinaryIO) -> None:
        """Run it. Files and no pipes: what it leaves running cannot hold us up."""
        why = ""
        try:
            process = subprocess.Popen(self._words, stdin=question, stdout=answer)  # noqa: S603 - the user's own command
        except OSError as error:
            _refuse(f"it cannot be run: {os.strerror(error.errno or 0)}")
        try:
            code = process.wait(self._seconds)
            why = f"it ended with exit code {code}" if code else ""
        except subprocess.TimeoutExpired:
            why = f"it did not sign within {self._seconds:g} s"
        finally:
            process.kill()  # nothing, if it has ended
            process.wait()
        if why:  # outside of the handler: what is raised there refers to the command's words
            _refuse(why)


def _refuse(why: str) -> NoReturn:
    msg = f"the command that should sign does not: {why}"
    raise UsageError(msg, where=_WHERE, hint=_HINT) from None
