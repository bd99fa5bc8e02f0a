"""Who signs what is pushed, and whether anybody will take it.

Knows: keys, and what was set about them. Must not know: caches, results.
"""

from __future__ import annotations

import time

from rvbuild.app.run_caches import RunCaches, signer_of
from rvbuild.app.session import Session
from rvbuild.app.signing_key import acceptance, refuse_no_signer
from rvbuild.core.advice import Remedy, advise
from rvbuild.core.errors import UsageError
from rvbuild.core.events import Noticed
from rvbuild.core.ports.signer import Signer
from rvbuild.core.public_key import PublicKey
from rvbuild.trust.keyring import Keyring

_KINDS = ("build", "release")
_FIRST_DAY = 1_767_225_600
"""2026-01-01: a clock that says an earlier day was never set."""


def push_signer(session: Session, caches: RunCaches) -> Signer:
    """Who signs what is pushed, which somebody will take.

    Raises:
        UsageError: nobody does, or nobody would take it.
    """
    signer = signer_of(session, caches)
    if signer is None:
        refuse_no_signer()
    refuse_revoked(caches.keyring, signer.public)
    if time.time() < _FIRST_DAY:
        msg = "the clock of this machine was never set"
        raise UsageError(msg, hint="set it (`timedatectl`, `date`): leases have times")
    return signer


def refuse_revoked(keyring: Keyring, key: PublicKey) -> None:
    """See that the key that signs here was not revoked.

    Raises:
        UsageError: it was.
    """
    if keyring.revocation(key):
        msg = f"the key {key.key_id} was revoked: nobody takes what it signs"
        hint = advise("sign with another; ", Remedy.NEW_KEY)
        raise UsageError(msg, where="signing-key", hint=hint)


def tell_untrusted(session: Session, keyring: Keyring, key: PublicKey) -> None:
    """Say it if builds here take nothing that a key signs; others may."""
    known = keyring.named(key.name)
    settings = session.workspace.settings
    policies = {kind: acceptance(settings, release=kind == "release") for kind in _KINDS}
    others = [kind for kind, each in policies.items() if each.keys and key.name not in each.keys]
    if known is None or known.public != key:
        text = "is not trusted here: builds of this project take nothing that it signs"
    elif others:
        text = f"signs, and is none of the keys that `accept` takes for {' and '.join(others)}"
    else:
        return
    session.report(Noticed(f"key {key.key_id}", text))
