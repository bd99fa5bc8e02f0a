"""An action: a step with every input by content, as in the Remote Execution API.

Knows: ``Command``, ``Action``, ``ActionResult``, and how an input root is put together.
Must not know: how an action runs.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve, field, frozen
from google.protobuf.message import DecodeError

from rvbuild._reapi import reapi_pb2 as pb
from rvbuild.core.digest import Digest
from rvbuild.core.errors import Malformed, RvbuildError
from rvbuild.core.platform import Platform
from rvbuild.core.tree import Directory, DirectoryNode, Node, Tree, from_pb, to_pb

WORKING_DIRECTORY = "build"
OUTPUT = "out"


@frozen
class Mount:
    """A tree at a path of the input root (``in/go``; ``""`` is the root itself).

    ``writable`` trees lie below the working directory and are copied, never shared.
    """

    path: str
    tree: Digest
    writable: bool = False


def _sorted(given: Mapping[str, str]) -> dict[str, str]:
    return dict(sorted(given.items()))


@frozen(kw_only=True)
class Command:
    """What to run, as REAPI spells it, and on what; the environment is sorted by name."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(converter=_sorted)
    platform: Platform

    def encode(self) -> bytes:
        """The ``Command`` message."""
        message = pb.Command(
            arguments=self.arguments,
            working_directory=WORKING_DIRECTORY,
            output_paths=[OUTPUT],
            platform=self.platform.message(),
        )
        for name, value in self.environment.items():
            message.environment_variables.add(name=name, value=value)
        return message.SerializeToString(deterministic=True)


@frozen
class InputRoot:
    """The root ``Directory`` of an action's inputs.

    ``made`` are the root and the folders on the way to mounts: what neither a mount's tree nor
    the toolbox's has, so that whoever sends the inputs to a server must send these, too.
    """

    digest: Digest
    made: Mapping[Digest, Directory] = field(repr=False)


@frozen(kw_only=True)
class Action:
    """A command, its input root, and its time limit in seconds.

    The platform is in the command and, as REAPI 2.2 asks, in the action.
    """

    command: Command
    mounts: tuple[Mount, ...]
    input_root: InputRoot
    timeout: int

    def encode(self) -> bytes:
        """The ``Action`` message."""
        message = pb.Action(
            command_digest=to_pb(Digest.of(self.command.encode())),
            input_root_digest=to_pb(self.input_root.digest),
            platform=self.command.platform.message(),
        )
        message.timeout.seconds = self.timeout
        return message.SerializeToString(deterministic=True)

    @property
    def digest(self) -> Digest:
        """The key under which the result is found, here and on any REAPI server."""
        return Digest.of(self.encode())


@frozen(kw_only=True)
class Outcome:
    """What running an action gave: ``output`` is the root digest of the tree at ``out``.

    ``tree`` is the digest of its ``Tree`` message. ``log`` is the digest of standard
    output and error together. A time-out is ``exit_code`` 124 (as ``timeout(1)`` has it).
    ``inline_log`` are the log's bytes where a server sent them with its answer; the store may
    lack them then.
    ``refusal`` says why there is no output although the command went well: what it left
    is none. Such an outcome is never recorded.
    ``limit`` says which limit the step went over, if it was stopped for that.
    ``accelerated``: a compile cache was within reach; whoever keeps the outcome keeps that
    apart from the message.
    ``folder`` is where what a failed step left stays, if somebody asked for that.
    ``written`` is the tree itself, for whoever looks at it next; None where the outcome was read.
    """

    exit_code: int
    output: Digest | None
    tree: Digest | None
    log: Digest
    refusal: RvbuildError | None = None
    inline_log: bytes | None = field(default=None, eq=False)
    limit: str = field(default="", eq=False)
    accelerated: bool = field(default=False, eq=False)
    folder: str = field(default="", eq=False)
    written: Tree | None = field(default=None, eq=False, repr=False)

    def encode(self) -> bytes:
        """The ``ActionResult`` message."""
        message = pb.ActionResult(exit_code=self.exit_code, stdout_digest=to_pb(self.log))
        if self.output is not None and self.tree is not None:
            message.output_directories.add(
                path=OUTPUT,
                tree_digest=to_pb(self.tree),
                root_directory_digest=to_pb(self.output),
            )
        return message.SerializeToString(deterministic=True)

    @classmethod
    def decode(cls, data: bytes) -> Outcome:
        """Read an ``ActionResult`` as servers answer.

        Their answers may have no standard output, or have it inline; they may name only the
        ``Tree`` message of an output (``with_root``); fields that rvbuild does not use are passed
        over. An answer without the directory ``out`` is read, too: ``output`` and ``tree`` are
        None, and nobody can use it.

        Raises:
            VerificationError: not such a message.
        """
        try:
            message = pb.ActionResult.FromString(data)
            out = next((o for o in message.output_directories if o.path == OUTPUT), None)
            log = _digest(message.stdout_digest)
            return cls(
                exit_code=message.exit_code,
                output=_digest(out.root_directory_digest) if out else None,
                tree=_digest(out.tree_digest) if out else None,
                log=log or Digest.of(message.stdout_raw),
                inline_log=None if log else message.stdout_raw,
            )
        except (DecodeError, ValueError) as error:
            msg = f"not an ActionResult message: {error}"
            raise Malformed(msg) from error

    def with_root(self, message: bytes) -> Outcome:
        """This outcome with the root of its output, which ``message`` has.

        Args:
            message: The ``Tree`` message that ``tree`` names.

        Raises:
            VerificationError: not such a message.
        """
        return evolve(self, output=Tree.decode(message).root)


def _digest(message: pb.Digest) -> Digest | None:
    return from_pb(message) if message.hash else None


Level = dict[str, "Node | Level"]


def input_root(mounts: tuple[Mount, ...], toolbox: Directory | None) -> InputRoot:
    """The root ``Directory`` that has each mount at its path.

    Args:
        mounts: Every mount; the one at ``""`` is the toolbox.
        toolbox: The toolbox's root directory.

    Raises:
        VerificationError: a mount's path is taken by the toolbox.
    """
    root: Level = dict(toolbox.entries) if toolbox else {}
    for mount in mounts:
        if not mount.path:
            continue
        *parents, name = mount.path.split("/")
        level = root
        for parent in parents:
            inner = level.setdefault(parent, {})
            if not isinstance(inner, dict):
                msg = f"the toolbox has /{parent} of its own, where an input is to be mounted"
                raise Malformed(msg)
            level = inner
        if level.setdefault(name, DirectoryNode(mount.tree)) != DirectoryNode(mount.tree):
            msg = f"two inputs at /{mount.path}"
            raise Malformed(msg)
    made: dict[Digest, Directory] = {}
    return InputRoot(_seal(root, made), made)


def _seal(level: Level, made: dict[Digest, Directory]) -> Digest:
    entries = {
        name: DirectoryNode(_seal(node, made)) if isinstance(node, dict) else node
        for name, node in level.items()
    }
    directory = Directory(entries)
    digest = Digest.of(directory.encode())
    made[digest] = directory
    return digest
