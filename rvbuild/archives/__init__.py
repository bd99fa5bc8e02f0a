"""Archive readers: from bytes that nobody vouches for into a tree sink.

Know: formats, and the rules that keep an archive in its place. Must not know: disks,
networks.
"""

from rvbuild.archives.limits import Limits, Links
from rvbuild.archives.unpack import unpack

__all__ = ["Limits", "Links", "unpack"]
