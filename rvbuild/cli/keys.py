"""`keys`: draws keys, and says what people do next with one.

Knows: lines and documents. Must not know: files of keys, signatures.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping

from rvbuild.app.keys import (
    KeyChange,
    KeyView,
    NewKey,
    list_keys,
    make_key,
    revoke_key,
    rotate_key,
    trust_key,
)
from rvbuild.app.memo import Memo
from rvbuild.app.settings import user_file
from rvbuild.app.workspace import Workspace
from rvbuild.cli.json_text import print_answer
from rvbuild.core.printable import printable_line
from rvbuild.core.public_key import PublicKey


def keys_command(arguments: argparse.Namespace, workspace: Workspace, _memo: Memo | None) -> int:
    """`rvbuild keys new`, `list`, `trust`, `revoke` and `rotate`."""
    subject = arguments.subject
    if arguments.action == "list":
        _show(list_keys(workspace), as_json=arguments.json)
        return 0
    if arguments.action == "new":
        made = make_key(workspace, subject)
        _answer(arguments, _new_row(made), [str(made.public)], _after_new(made))
    elif arguments.action == "trust":
        change = trust_key(workspace, subject, own=arguments.user)
        _answer(arguments, _change_row(change), _change_lines(change), _after_trust(workspace))
    elif arguments.action == "revoke":
        change = revoke_key(workspace, subject, arguments.why)
        _answer(arguments, _change_row(change), _change_lines(change), _after_revoke(change))
    else:
        change = rotate_key(workspace, subject)
        lines = [str(change.follower.public)] if change.follower else []
        _answer(arguments, _change_row(change), lines, _after_rotate(change))
    return 0


def _answer(
    arguments: argparse.Namespace,
    row: Mapping[str, object],
    lines: Iterable[str],
    advice: Iterable[str],
) -> None:
    """Write what was done: as a document, or as lines, and what comes next beside them."""
    if arguments.json:
        print_answer(row)
        return
    for line in lines:
        sys.stdout.write(printable_line(line) + "\n")
    for line in () if arguments.quiet else advice:
        sys.stderr.write(printable_line(line) + "\n")


# ---- the documents


def _key_row(key: PublicKey) -> dict[str, object]:
    return {"name": key.name, "fingerprint": key.fingerprint, "public": str(key)}


def _new_row(made: NewKey) -> dict[str, object]:
    files = list(made.public_files)
    return {**_key_row(made.public), "private_file": made.private_file, "files": files}


def _change_row(change: KeyChange) -> dict[str, object]:
    row = {**_key_row(change.public), "files": list(change.files)}
    return {**row, "follower": _new_row(change.follower)} if change.follower else row


def _view_row(view: KeyView) -> dict[str, object]:
    word = view.revocation
    return {
        **_key_row(view.public),
        "trusted": bool(view.files) and word is None,
        "revoked": {"day": word.day, "why": word.why} if word else None,
        "files": list(view.files),
        "private_file": view.private_file,
        "signs": view.signs,
    }


# ---- the lines


def _show(views: list[KeyView], *, as_json: bool) -> None:
    if as_json:
        print_answer({"keys": [_view_row(view) for view in views]})
        return
    width = max((len(view.public.name) for view in views), default=0)
    for view in views:
        line = f"{view.public.name:<{width}}  {view.public.fingerprint}  {_state(view)}"
        sys.stdout.write(printable_line(line) + "\n")
    if not views:
        sys.stderr.write("there is no key: `rvbuild keys new NAME` makes one\n")


def _state(view: KeyView) -> str:
    word = view.revocation
    parts = [f"revoked on {word.day}: {word.why}" if word else ""]
    if word is None:
        files = ", ".join(map(_near, view.files))
        parts.append(f"trusted by {files}" if files else "not trusted")
    parts.append(f"private key in {view.private_file}" if view.private_file else "")
    parts.append("signs" if view.signs else "")
    return "; ".join(filter(None, parts))


def _change_lines(change: KeyChange) -> Iterator[str]:
    for file in change.files:
        yield f"{change.public.name}  {change.public.fingerprint}  {_near(file)}"


def _near(path: str) -> str:
    """A path as a person here would write it."""
    near = os.path.relpath(path)
    return path if near.startswith("..") else near


# ---- what comes next


def _after_new(made: NewKey) -> Iterator[str]:
    name, line = made.public.name, shlex.quote(str(made.public))
    yield f"the private key is in {made.private_file}: whoever has it signs as {name}"
    yield f"to trust it, commit that line as cache/keys/{name}.pub: `rvbuild keys trust {line}`"
    yield from _signing_advice(made)


def _signing_advice(made: NewKey) -> Iterator[str]:
    yield f'sign with it here: signing-key = "{made.public.name}" in {user_file(os.environ)}'
    yield "or in CI: keep the text of the private key as the secret RVBUILD_SIGNING_KEY"


def _after_trust(workspace: Workspace) -> Iterator[str]:
    if workspace.project:
        yield "compare the fingerprint with its owner's; commit the file, so that all trust the key"


def _after_revoke(change: KeyChange) -> Iterator[str]:
    name = change.public.name
    yield f"commit that, beside {name}.pub: nothing is accepted that {name} signed, whenever it did"
    if change.private_file:
        yield f"remove the private key, here and wherever it was copied to: {change.private_file}"
    yield from (
        f"`accept.{entry}` names {name}, which no longer counts" for entry in change.policies
    )


def _after_rotate(change: KeyChange) -> Iterator[str]:
    made, old = change.follower, change.public.name
    if made is None:
        return
    new = made.public.name
    yield f"the private key is in {made.private_file}: whoever has it signs as {new}"
    yield f"trusted by {', '.join(map(_near, made.public_files))}: commit that first"
    yield from (f"`accept.{entry}` names {old}: name {new} beside it" for entry in change.policies)
    yield from _signing_advice(made)
    yield f"{old} stays trusted for what it signed; remove its private key where nothing needs it"
    yield f"if others may have had it: `rvbuild keys revoke {old} --why TEXT`"
