"""Which keys a run trusts, and with which one it signs.

Knows: settings, the environment, and the folders of keys. Must not know: what is signed.

The rules, the first that applies:

1. `RVBUILD_SIGNING_KEY` in the environment is the text of a private key, as a CI system keeps it.
2. With the settings `signing-command` and `signing-key`, the command signs; the public key of that
   name must be a known one, by which each signature is verified.
3. With `signing-key` alone, the private key is the file `NAME.key` in the user's folder of keys.
4. Else nothing is signed.

A name in `signing-key` that is not that of the key in the environment is an error.
"""

from __future__ import annotations

import os
from typing import NoReturn

from attrs import frozen

from rvbuild.app.settings import Settings, user_folder
from rvbuild.app.workspace import KEYS, Workspace
from rvbuild.core.acceptance import Acceptance
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError
from rvbuild.core.ports.signer import Signer
from rvbuild.trust.key_files import PRIVATE, names_in, read_private, refuse_open_folder
from rvbuild.trust.keyring import Keyring
from rvbuild.trust.private_key import PrivateKey
from rvbuild.trust.signing_command import SigningCommand

VARIABLE = "RVBUILD_SIGNING_KEY"
"""The environment variable that has the text of a private key."""


@frozen
class KeyFolders:
    """Where keys are.

    Attributes:
        team: The public keys that a project's people agree on; None outside of a project.
        own: The user's private keys, and public ones that only this user trusts.
    """

    team: str | None
    own: str

    @classmethod
    def of(cls, workspace: Workspace) -> KeyFolders:
        """Those of a run."""
        team = os.path.join(workspace.project, KEYS) if workspace.project else None
        return cls(team, os.path.join(user_folder(os.environ), "keys"))

    @property
    def public(self) -> str:
        """Where a key goes that is to be trusted: the team's folder, if there is a team."""
        return self.team or self.own

    def private_file(self, name: str) -> str:
        """Where the private key of that name is kept."""
        return os.path.join(self.own, name + PRIVATE)

    def private_names(self) -> list[str]:
        """The names of all private keys here."""
        return names_in(self.own, PRIVATE)

    def keyring(self) -> Keyring:
        """The keys that are trusted, and those that were revoked.

        Raises:
            UsageError: a file is not of its form, or the keys contradict each other.
        """
        refuse_open_folder(self.own)
        return Keyring.read([folder for folder in (self.team, self.own) if folder])


def find_signer(settings: Settings, folders: KeyFolders, keyring: Keyring) -> Signer | None:
    """Who signs in this run; None: nobody.

    Raises:
        UsageError: somebody should, and cannot.
    """
    name, text = settings.signing_key, os.environ.get(VARIABLE)
    if text:
        return _in_environment(text, name)
    if settings.signing_command:
        return _command(settings, keyring)
    if not name:
        return None
    file = folders.private_file(name)
    if not os.path.lexists(file):
        msg = f"the private key {name}, which should sign, is not here"
        hint = advise(
            Remedy.NEW_KEY.of(name),
            f"; or put it there, or its text into {VARIABLE}{_state()};",
            " or see `signing-key`",
        )
        raise UsageError(msg, where=file, hint=hint)
    return read_private(file)


def refuse_no_signer() -> NoReturn:
    """Say that nobody signs, and how somebody would.

    Raises:
        UsageError: always.
    """
    msg = "nobody signs: results are believed because of a key"
    hint = advise(f"set {VARIABLE}{_state()} or `signing-key`, or ", Remedy.NEW_KEY)
    raise UsageError(msg, where="signing-key", hint=hint)


def _state() -> str:
    """How the variable is: a CI system gives a secret that it lacks as an empty text."""
    return " (it is empty)" if os.environ.get(VARIABLE) == "" else " (it is not set)"


def acceptance(settings: Settings, *, release: bool) -> Acceptance:
    """Whose results a build takes."""
    text = settings.accept.get("release" if release else "build")
    return Acceptance.parse(text) if text else Acceptance()


def _in_environment(text: str, name: str) -> PrivateKey:
    try:
        key = PrivateKey.read(text.encode(errors="replace"), VARIABLE)
    except UsageError as error:
        also = "it holds the key itself; its name alone belongs into the setting `signing-key`"
        raise UsageError(error.message, where=VARIABLE, hint=also) from None
    if name not in ("", key.name):
        msg = f"the key here is {key.name}, and `signing-key` says {name}"
        raise UsageError(msg, where=VARIABLE, hint="let both name one key, or set one of them")
    return key


def _command(settings: Settings, keyring: Keyring) -> SigningCommand:
    name = settings.signing_key
    known = keyring.named(name)
    if known is None:
        msg = f"there is no public key {name}" if name else "it is not said which key it signs with"
        hint = advise("set `signing-key` to the name of a trusted key; ", Remedy.TRUST_KEY)
        raise UsageError(msg, where="signing-command", hint=hint)
    return SigningCommand(known.public, settings.signing_command)
