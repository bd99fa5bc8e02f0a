"""Looks whether this machine can build.

Knows: what a store's folder must be fit for, which proxies and which archives of Debian are asked.
Must not know: what else is looked at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from rvbuild.app.workspace import Workspace
from rvbuild.core.errors import SourceError
from rvbuild.executors.doctor import MachineCheck, checks
from rvbuild.git.process import Git
from rvbuild.kinds.table import client_routes
from rvbuild.stores.fitness import refuse_unfit, refuse_unwritable
from rvbuild.transfers.apt_config import APT, HINT, SNAPSHOT_VARIABLE, apt_settings, find_archives
from rvbuild.transfers.apt_route import apt_route
from rvbuild.transfers.proxies import Proxies
from rvbuild.transfers.urls import shown
from rvbuild.transfers.wire import refuse_unusable

__all__ = ["Machine", "MachineCheck", "examine_machine"]


@frozen
class Machine:
    """What was looked at, in order."""

    checks: tuple[MachineCheck, ...]

    @property
    def is_fit(self) -> bool:
        """Whether nothing keeps it from building."""
        return all(check.ok for check in self.checks)


def examine_machine(workspace: Workspace) -> Machine:
    """Look at the machine and the store's folder; looking makes no store, and asks nobody."""
    looks = checks(workspace.store, (refuse_unwritable, refuse_unfit))
    return Machine((*looks, look_at_proxies(os.environ), look_at_archives(os.environ)))


def look_at_proxies(environment: Mapping[str, str]) -> MachineCheck:
    """The proxies that the environment and the clients' configurations name; none is asked."""
    name, places = "proxies", dict[str, None]()
    try:
        for proxies in _proxies(environment):
            for address, named_by in proxies.addresses():
                if address:
                    refuse_unusable(address, named_by)
                    places[f"{shown(address)} ({named_by})"] = None
        if program := shutil.which("git", path=environment.get("PATH")):
            Git(program, environment).refuse_unusable_proxies()
    except SourceError as error:
        found = "; ".join((str(error), *error.details))
        return MachineCheck(name=name, ok=False, found=found, hint=error.hint or "")
    return MachineCheck(name=name, ok=True, found=", ".join(places) or "none")


def _proxies(environment: Mapping[str, str]) -> Iterator[Proxies]:
    """Those of the environment, of apt, and of each other client."""
    yield Proxies.of_environment(environment)
    yield apt_route(apt_settings(environment), environment).proxies
    for route in client_routes():
        yield route(environment).proxies


def look_at_archives(environment: Mapping[str, str], etc: Path = APT) -> MachineCheck:
    """Where Debian's packages are taken from, in order, and who says so."""
    name = "Debian archives"
    try:
        archives = find_archives(environment, etc)
    except SourceError as error:
        found = "; ".join((f"{error.where}: {error.message}", *error.details))
        return MachineCheck(name=name, ok=False, found=found, hint=error.hint or "")
    places = [f"{shown(base)} ({who})" for base, who in archives.places]
    if not places:
        hint = f"{HINT}; or take {SNAPSHOT_VARIABLE}=off away"
        return MachineCheck(name=name, ok=False, found=_NO_ARCHIVE, hint=hint)
    return MachineCheck(name=name, ok=True, found=", then ".join(places))


_NO_ARCHIVE = "none: apt knows no release of Debian, and no snapshot archive is asked"
