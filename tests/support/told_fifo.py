"""A FIFO by which a child process tells that it has come somewhere, and that it has ended."""

from __future__ import annotations

import os
import select
from pathlib import Path

from attrs import define

_PATIENCE = 60_000
"""Milliseconds after which a child that tells nothing fails its test."""


@define
class ToldFifo:
    """One that is read here; the child opens it for writing, and keeps it open until it ends."""

    path: Path
    _descriptor: int

    @classmethod
    def at(cls, path: Path) -> ToldFifo:
        os.mkfifo(path)
        return cls(path, os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    def line(self) -> str:
        """The first thing that is told."""
        self._wait()
        return os.read(self._descriptor, 4096).decode().strip()

    def wait_for_the_end(self) -> None:
        """Wait until nobody has it open any more, who may tell nothing else."""
        self._wait()
        assert os.read(self._descriptor, 4096) == b""
        os.close(self._descriptor)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        assert poll.poll(_PATIENCE), f"nobody tells anything by {self.path}"
