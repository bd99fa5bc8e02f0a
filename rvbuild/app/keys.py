"""Keys are made, listed, trusted, revoked, and followed by others.

Knows: what each of these changes, and what it leaves to people. Must not know: how it is told.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from datetime import UTC, datetime

from attrs import frozen

from rvbuild.app.signing_key import KeyFolders, acceptance, find_signer
from rvbuild.app.workspace import Workspace
from rvbuild.core.advice import Remedy, advise, joined
from rvbuild.core.errors import StoreError, UsageError, suggestion
from rvbuild.core.key_name import is_key_name
from rvbuild.core.place import Place
from rvbuild.core.public_key import PRIVATE_WORD, PublicKey
from rvbuild.core.revocation import Revocation
from rvbuild.core.system_fault import Site, hint_for
from rvbuild.trust.key_files import PUBLIC, REVOKED, read_key_file, read_private, write_new
from rvbuild.trust.keyring import Keyring, KnownKey
from rvbuild.trust.private_key import PrivateKey

_NUMBERED = re.compile(r"(.+)-([1-9][0-9]{0,8})")


@frozen(kw_only=True)
class NewKey:
    """A key that was made.

    Attributes:
        public: What others trust.
        private_file: Where the private key is.
        public_files: Where the public key was put; none: nobody trusts it yet.
    """

    public: PublicKey
    private_file: str
    public_files: tuple[str, ...] = ()


@frozen(kw_only=True)
class KeyChange:
    """A key that was trusted, revoked, or followed by another.

    Attributes:
        public: The key.
        files: Where that was written.
        private_file: Where its private key is; empty: not here.
        policies: The entries of `accept` that name the key: ``build``, ``release``.
        follower: The key that signs from now on.
    """

    public: PublicKey
    files: tuple[str, ...]
    private_file: str = ""
    policies: tuple[str, ...] = ()
    follower: NewKey | None = None


@frozen(kw_only=True)
class KeyView:
    """A key that this run knows.

    Attributes:
        public: Its name and bytes.
        files: Where its public form is; none: it is not trusted.
        revocation: Why nothing is accepted that it signed.
        private_file: Where its private form is; empty: not here.
        signs: Whether this run signs with it.
    """

    public: PublicKey
    files: tuple[str, ...]
    revocation: Revocation | None
    private_file: str
    signs: bool


def make_key(workspace: Workspace, name: str) -> NewKey:
    """Make a key, which nobody trusts yet.

    Raises:
        UsageError: a key cannot have that name, or one has it or had it, or one that differs from
            it in upper and lower case only.
        StoreError: it cannot be written.
    """
    if not is_key_name(name):
        msg = f"a key cannot be called {name!r}"
        raise UsageError(msg, hint="at most 64 letters, digits, and . _ - within")
    folders = KeyFolders.of(workspace)
    keyring = folders.keyring()
    _refuse_known_name(name, keyring)
    _refuse_near_name(name, keyring, folders)
    return _make(name, folders, ())


def list_keys(workspace: Workspace) -> list[KeyView]:
    """Each key that is here or trusted, by name.

    Raises:
        UsageError: a file is not of its form, or the key that should sign is not here.
    """
    folders = KeyFolders.of(workspace)
    keyring = folders.keyring()
    signer = find_signer(workspace.settings, folders, keyring)
    signs = signer.public if signer else None
    files = map(folders.private_file, folders.private_names())
    private = {read_private(file).public: file for file in files}
    public = {each.public: each.files for each in keyring.known}
    revoked = (each.key for each in keyring.revocations)
    keys = {*public, *private, *revoked, *((signs,) if signs else ())}
    return [
        KeyView(
            public=key,
            files=public.get(key, ()),
            revocation=keyring.revocation(key),
            private_file=private.get(key, ""),
            signs=key == signs,
        )
        for key in sorted(keys, key=lambda key: (key.name, key.raw))
    ]


def trust_key(workspace: Workspace, text: str, *, own: bool = False) -> KeyChange:
    """Put a public key where it is trusted; there is no change, if it is there already.

    Args:
        workspace: The folders of the run.
        text: The name of a file, or a key's line itself.
        own: Whether only this user trusts it, also in a project.

    Raises:
        UsageError: it is no key, or one that contradicts another, or was revoked.
        StoreError: it cannot be written.
    """
    key = _read(text)
    folders = KeyFolders.of(workspace)
    keyring = folders.keyring()
    revocation = keyring.revocation(key)
    if revocation is not None:
        msg = f"the key {key.key_id} was revoked on {revocation.day}: {revocation.why}"
        raise UsageError(msg, hint="ask its owner for a new one, with another name")
    file = os.path.join(folders.own if own else folders.team or folders.own, key.name + PUBLIC)
    known = keyring.named(key.name)
    if known is None or known.public != key:
        _refuse_known_name(key.name, keyring, key)
        Keyring((*keyring.known, KnownKey(key, (file,))))  # that it has no other name
    if known is None or file not in known.files:
        _write(file, str(key))
    return KeyChange(public=key, files=(file,))


def revoke_key(workspace: Workspace, name: str, why: str) -> KeyChange:
    """Accept nothing more that a key signed, whenever it did.

    Raises:
        UsageError: there is no such key, it is revoked, or ``why`` is not one line of ASCII.
        StoreError: it cannot be written.
    """
    folders = KeyFolders.of(workspace)
    known = _known(name, folders.keyring())
    try:
        word = Revocation(known.public, datetime.now(UTC).date().isoformat(), why.strip())
    except ValueError:
        msg = "the reason must be one line of ASCII, of at most 500 letters"
        raise UsageError(
            msg, hint="others read it, where something of this key is refused"
        ) from None
    files = tuple(file.removesuffix(PUBLIC) + REVOKED for file in known.files)
    for file in files:
        _write(file, str(word))
    return KeyChange(
        public=known.public,
        files=files,
        private_file=_private_file(name, folders),
        policies=_policies(workspace, name),
    )


def rotate_key(workspace: Workspace, name: str) -> KeyChange:
    """Make the key that follows another, and trust it where that is trusted.

    The old one stays trusted, for what it signed. ``ci`` is followed by ``ci-2``, that by ``ci-3``.

    Raises:
        UsageError: there is no such key, or it was revoked.
        StoreError: it cannot be written.
    """
    folders = KeyFolders.of(workspace)
    keyring = folders.keyring()
    known = _known(name, keyring)
    following = _next_name(name, keyring, folders)
    return KeyChange(
        public=known.public,
        files=known.files,
        private_file=_private_file(name, folders),
        policies=_policies(workspace, name),
        follower=_make(following, folders, map(os.path.dirname, known.files)),
    )


def _make(name: str, folders: KeyFolders, trusting: Iterable[str]) -> NewKey:
    """Make a key, and put its public form into some folders."""
    key = PrivateKey.new(name)
    private_file = folders.private_file(name)
    _write(private_file, key.text(), private=True)
    files = tuple(os.path.join(folder, name + PUBLIC) for folder in trusting)
    for file in files:
        _write(file, str(key.public))
    return NewKey(public=key.public, private_file=private_file, public_files=files)


def _known(name: str, keyring: Keyring) -> KnownKey:
    """The key of that name, which was not revoked."""
    known = keyring.named(name)
    if known is None:
        msg = f"there is no public key called {name!r}"
        near = suggestion(name, (each.public.name for each in keyring.known))
        raise UsageError(msg, hint=joined([near, advise(Remedy.KEYS)]))
    word = keyring.revocation(known.public)
    if word is not None:
        msg = f"the key {known.public.key_id} was revoked on {word.day}: {word.why}"
        raise UsageError(msg, where=known.files[0])
    return known


def _refuse_known_name(name: str, keyring: Keyring, key: PublicKey | None = None) -> None:
    """A name means one key for ever: old signatures say it, too."""
    known = keyring.named(name)
    taken = [(known.public, ", ".join(known.files))] if known else []
    taken += [(each.key, "revoked") for each in keyring.revocations if each.key.name == name]
    if taken:
        rows = [*taken, *([(key, "this one")] if key else [])]
        details = tuple(f"{each.key_id} ({where})" for each, where in rows)
        msg = f"there is another key called {name}"
        raise UsageError(
            msg, details=details, hint="a key of another name can be trusted beside it"
        )


def _refuse_near_name(name: str, keyring: Keyring, folders: KeyFolders) -> None:
    """People take two such names for one; so do folders of some systems, with the keys' files."""
    near = {each for each in _names(keyring, folders) if each.lower() == name.lower()} - {name}
    if near:
        msg = f"there is a key called {min(near)}, which differs in upper and lower case only"
        raise UsageError(msg, where=name, hint="choose a name that nobody takes for that one")


def _names(keyring: Keyring, folders: KeyFolders) -> set[str]:
    """Of all keys that are here, trusted, or were revoked."""
    public = (each.public.name for each in keyring.known)
    return {*public, *folders.private_names(), *(each.key.name for each in keyring.revocations)}


def _next_name(name: str, keyring: Keyring, folders: KeyFolders) -> str:
    match = _NUMBERED.fullmatch(name)
    stem, number = (match[1], int(match[2])) if match else (name, 1)
    taken = {each.lower() for each in _names(keyring, folders)}
    following = f"{stem}-{number + 1}"
    while following.lower() in taken:
        number += 1
        following = f"{stem}-{number + 1}"
    if not is_key_name(following):
        msg = f"a key cannot be called {following!r}: that is too long"
        raise UsageError(msg, hint="make a key with a shorter name, and trust it")
    return following


def _read(text: str) -> PublicKey:
    """The key in a file, or the one whose line ``text`` is."""
    is_line = " " in text or text.startswith(PRIVATE_WORD)  # which no message may quote
    if is_line and not os.path.lexists(text):
        return PublicKey.parse(text.strip(), Place("the text of the key", 1))
    return PublicKey.read(read_key_file(text), text)


def _private_file(name: str, folders: KeyFolders) -> str:
    file = folders.private_file(name)
    return file if os.path.lexists(file) else ""


def _policies(workspace: Workspace, name: str) -> tuple[str, ...]:
    policies = {"build": False, "release": True}
    return tuple(
        entry
        for entry, release in policies.items()
        if name in acceptance(workspace.settings, release=release).keys
    )


def _write(file: str, text: str, *, private: bool = False) -> None:
    try:
        write_new(file, text, private=private)
    except OSError as error:
        msg = f"the file of a key cannot be written: {error.strerror}"
        hint = hint_for(error.errno, Site.ELSEWHERE)
        raise StoreError(msg, where=file, hint=hint) from error
