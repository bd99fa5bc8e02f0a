"""Advice in the command line's words.

Knows: by which command or option a person gets what a remedy names. Must not know: who gives the
advice.
"""

from __future__ import annotations

from attrs import frozen

from rvbuild.core.advice import Hint, Remedy, Use


@frozen
class _Words:
    """How to ask for a remedy: ``alone``, and for a certain subject (``{}``)."""

    alone: str
    subject: str = ""


_ONLINE = "online (without --offline and the setting `offline`)"
WORDS = {
    Remedy.LOCK: _Words("run `rvbuild lock`", "run `rvbuild lock {}`"),
    Remedy.LOCK_ONLINE: _Words(f"run `rvbuild lock` {_ONLINE}"),
    Remedy.FETCH_ONLINE: _Words(f"first run `rvbuild fetch TARGET` {_ONLINE}"),
    Remedy.MIRROR: _Words("give --mirror FROM=TO"),
    Remedy.OVERRIDE: _Words("say --override RECIPE/SOURCE=FOLDER", "say --override {}"),
    Remedy.STORE: _Words("use another store with --store", "use {} with --store"),
    Remedy.COLLECT: _Words("free some space with `rvbuild gc`"),
    Remedy.REPAIR: _Words("run `rvbuild store repair`"),
    Remedy.IMPORT: _Words("run `rvbuild store import OLD`", "run `rvbuild store import {}`"),
    Remedy.FEWER_STEPS: _Words("use fewer --jobs"),
    Remedy.NO_RELEASE: _Words("build without --release"),
    Remedy.VARIANT: _Words("say another with --replace or --option"),
    Remedy.COPIES: _Words("use another DIR with -o"),
    Remedy.LIST: _Words("`rvbuild show` lists the recipes"),
    Remedy.BUILD: _Words("run `rvbuild TARGET`", "run `rvbuild {}`"),
    Remedy.LOG: _Words("see `rvbuild log`", "the whole log: `rvbuild log {}`"),
    Remedy.BEGIN: _Words("run `rvbuild init NAME`", "run `rvbuild init {}`"),
    Remedy.SETTINGS: _Words("`rvbuild config` names the files"),
}


def hint_text(hint: Hint | None) -> str:
    """What to do next, for whoever sits at the command line; empty if there is nothing."""
    parts = hint and ((hint,) if isinstance(hint, str) else hint.parts)
    return "".join(_use_text(part) if isinstance(part, Use) else part for part in parts or ())


def _use_text(use: Use) -> str:
    words = WORDS[use.remedy]
    return words.subject.format(use.subject) if use.subject else words.alone
