"""Archive readers: from bytes that nobody vouches for into a tree sink.

Know: formats, and the rules that keep an archive in its place. Must not know: disks,
networks.
"""

from rvbuild.archives.unpack import unpack
from rvbuild.archives.unpack_limits import Links, UnpackLimits

__all__ = ["Links", "UnpackLimits", "unpack"]
