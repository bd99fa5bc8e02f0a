"""Advice in the command line's words.

Knows: by which command or option a person gets what a remedy names. Must not know: who gives the
advice.
"""

from __future__ import annotations

import shlex

from attrs import frozen

from rvbuild.core.advice import Hint, Remedy, Use


@frozen
class _Words:
    """How to ask for a remedy: ``alone``, and for a certain subject (``{}``).

    ``{store}`` is the option for the store, where the command line had one: a command without it
    would look after another store.
    """

    alone: str
    subject: str = ""


_ONLINE = "online (without --offline and the setting `offline`)"
WORDS = {
    Remedy.LOCK: _Words("run `rvbuild lock`", "run `rvbuild lock {}`"),
    Remedy.LOCK_ONLINE: _Words(f"run `rvbuild lock` {_ONLINE}"),
    Remedy.RELOCK: _Words(
        "delete its entry from rvbuild.lock (a `sha256` in the recipe, too) and run `rvbuild lock`"
    ),
    Remedy.FETCH_ONLINE: _Words(f"first run `rvbuild fetch TARGET{{store}}` {_ONLINE}"),
    Remedy.MIRROR: _Words("give --mirror FROM=TO", "give --mirror {}"),
    Remedy.OVERRIDE: _Words(
        "build with --override RECIPE/SOURCE=FOLDER", "build with --override {}"
    ),
    Remedy.STORE: _Words("use another store with --store", "use {} with --store"),
    Remedy.COLLECT: _Words("free some space with `rvbuild gc{store}`"),
    Remedy.REPAIR: _Words("run `rvbuild store repair{store}`"),
    Remedy.IMPORT: _Words(
        "run `rvbuild store import OLD{store}`", "run `rvbuild store import {}{store}`"
    ),
    Remedy.FEWER_STEPS: _Words("use fewer --jobs"),
    Remedy.NO_RELEASE: _Words("build without --release"),
    Remedy.NO_CHECKS: _Words("give --no-check"),
    Remedy.VARIANT: _Words("say another with --replace or --option"),
    Remedy.COPIES: _Words("use another DIR with -o"),
    Remedy.LIST: _Words("`rvbuild show` lists the recipes"),
    Remedy.BUILD: _Words("run `rvbuild TARGET{store}`", "run `rvbuild {}{store}`"),
    Remedy.LOG: _Words("see `rvbuild log`", "the whole log: `rvbuild log {}{store}`"),
    Remedy.BEGIN: _Words("run `rvbuild init NAME`", "run `rvbuild init {}`"),
    Remedy.MEND_CACHE: _Words(
        "remove it with `rvbuild caches verify NAME --remove`",
        "remove it with `rvbuild caches verify {} --remove`",
    ),
    Remedy.NEW_KEY: _Words("run `rvbuild keys new NAME`", "run `rvbuild keys new {}`"),
    Remedy.TRUST_KEY: _Words("run `rvbuild keys trust FILE`", "run `rvbuild keys trust {}`"),
    Remedy.KEYS: _Words("`rvbuild keys list` shows whose word counts"),
    Remedy.COMPARE: _Words("compare with a cache: --against CACHE"),
    Remedy.MOVE_TO: _Words(
        "say it with --to REF: a tag, a commit or a version",
        "run `rvbuild update {} --to REF`: a tag, a commit or a version",
    ),
    Remedy.MOVE_ALONE: _Words("move one alone", "run `rvbuild update {}`"),
    Remedy.SAY: _Words("say each with --set NAME=VALUE", "say each with --set: {}"),
    Remedy.SETTINGS: _Words("`rvbuild config` names the files"),
}


def hint_text(hint: Hint | None, store: str | None = None) -> str:
    """What to do next, for whoever sits at the command line; empty if there is nothing.

    Args:
        hint: Text, or advice.
        store: The store that the command line named, if it named one.
    """
    if hint is None or isinstance(hint, str):
        return hint or ""
    option = f" --store {shlex.quote(store)}" if store else ""
    parts = (_words(part, option) if isinstance(part, Use) else part for part in hint.parts)
    return "".join(parts)


def _words(use: Use, store: str) -> str:
    words = WORDS[use.remedy]
    text = words.subject if use.subject else words.alone
    return text.format(use.subject, store=store)
