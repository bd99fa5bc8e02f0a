"""Where the recipes, the lock and the store are.

Knows: projects and the user's folders. Must not know: what is in them, whose they may be.
Imports little: a build with nothing to do pays for this module every time.
"""

from __future__ import annotations

import os

from rvbuild.app.settings import PROJECT_FILE, Settings, home_folder
from rvbuild.app.trust import refuse_foreign_project, refuse_foreign_store

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOCK = "rvbuild.lock"
JOURNAL = ".rvbuild-update"
"""What is there while recipes and lock change together; see `rvbuild.app.project_files`."""

KEYS = os.path.join("cache", "keys")
"""The public keys that a project trusts, wherever its store is."""


class Workspace:
    """The folders of one run.

    Args:
        start: The working directory.
        settings: What the user has set.

    Attributes:
        project: The project's folder, or None outside of one.
        recipes: Folders of recipes, most important first.
        locks: Lock files, most important first; the first is the one `lock` writes.
        settled: Files of the project that an interrupted change got only now, by their paths in it.
        settings: What holds here: the user's settings, over the project's.
        store: The store's folder.

    Raises:
        UsageError: the project is above and not to be trusted, or the store is not, or the
            project's settings are wrong.
    """

    def __init__(self, start: str, settings: Settings) -> None:
        here = os.path.abspath(start)
        self.project = _project(here)
        homes = [self.project] if self.project else []
        shipped = shipped_recipes()
        if shipped not in homes:
            homes.append(shipped)
        self.recipes = tuple(os.path.join(home, "recipes") for home in homes)
        self.locks = tuple(os.path.join(home, LOCK) for home in homes)
        if self.project is not None and self.project != here:
            names = (LOCK, PROJECT_FILE, JOURNAL, "recipes", os.path.dirname(KEYS), KEYS)
            refuse_foreign_project(self.project, names, settings.trust)
        self.settled: tuple[str, ...] = ()
        if self.project is not None and os.path.lexists(os.path.join(self.project, JOURNAL)):
            from rvbuild.app.project_files import settle_project  # noqa: PLC0415 - only after that

            self.settled = settle_project(self.project)
        self.settings = settings.with_project(self.project)
        self.store = os.path.abspath(self.settings.store or _default_store(self.project))
        refuse_foreign_store(self.store, self.project, settings.trust)
        self.store = os.path.realpath(self.store)  # once: nobody looks through the links again

    @property
    def has_store(self) -> bool:
        """Whether the store has been made: its folder alone may be a project's `cache/`."""
        return os.path.lexists(os.path.join(self.store, "cas"))


def shipped_recipes() -> str:
    """The folder with the `recipes/` and the lock that came with this rvbuild."""
    inside = os.path.join(PACKAGE, "_recipes")
    return inside if os.path.isdir(inside) else os.path.dirname(PACKAGE)


def _project(start: str) -> str | None:
    """The nearest folder upwards with a lock or settings; else this one, if it has recipes.

    A default series is a project's own word, too: it may be all that is in `recipes/`.
    """
    here = start
    while not any(os.path.exists(os.path.join(here, name)) for name in (LOCK, PROJECT_FILE)):
        above = os.path.dirname(here)
        if above == here:
            return start if _has_recipes(os.path.join(start, "recipes")) else None
        here = above
    return here


def _has_recipes(folder: str) -> bool:
    try:
        names = os.listdir(folder)
    except OSError:
        return False
    return "series.yaml" in names or any(
        os.path.exists(os.path.join(folder, name, "recipe.yaml")) for name in names
    )


def _default_store(project: str | None) -> str:
    if project:
        return os.path.join(project, "cache")
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # as the XDG specification has it: then it is none
        base = os.path.join(home_folder(os.environ), ".cache")
    return os.path.join(base, "rvbuild")
