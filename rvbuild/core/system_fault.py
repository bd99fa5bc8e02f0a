"""What somebody can do about a call of the system that failed, by its errno and by what was there.

Knows: what each errno means at each site. Must not know: paths, who made the call.
"""

from __future__ import annotations

import errno
from enum import Enum

from rvbuild.core.advice import Hint, Remedy, advise


class Site(Enum):
    """What was written or read when the call failed."""

    STORE = "the store, with the downloads and the steps' folders in it"
    RECIPE = "a new recipe"
    LOCK = "the project's lock"
    PROJECT = "several files of the project"
    LINK = "a link to a result"
    COPY = "a copy of a result"
    CACHE = "a cache that is a folder"
    ELSEWHERE = "anything else of this machine"


_RIGHTS = "look whose it is, and who may read or write it"
_READ_ONLY = "look how its disk is mounted: nothing can be written there"
_DISK = "look at the disk: the kernel's log says more"
_SERVED = "look at its file system, which a server or a program serves: it does not answer"
_MOUNTED = "something is mounted inside the store: unmount it, then run it again"
_IN_THE_WAY = advise("a file is in the way: move it, or ", Remedy.STORE)
_FILES = advise("raise the limit on open files (`ulimit -n`), or ", Remedy.FEWER_STEPS)
_ROOM = "free some space on that disk"
_QUOTA = "free some space: your quota of that disk is used up"

_PROJECT_RIGHTS = "see that the project, its recipes and its lock are yours to write (`chmod u+w`)"
_LOCK_RIGHTS = "see that the lock and its folder are yours to write (`chmod u+w`)"
_LINK_RIGHTS = "build in a folder that you may write"
_LINK_IN_THE_WAY = "something that is no folder is in the way of the link: move it"

_OF_THE_USERS_DISK: dict[int, Hint] = {errno.ENOSPC: _ROOM, errno.EDQUOT: _QUOTA}
_ANYWHERE: dict[int, Hint] = {
    errno.ENOSPC: advise("free some space, or ", Remedy.STORE),
    errno.EDQUOT: advise("free some space, or ", Remedy.STORE),
    errno.EFBIG: "raise the limit on the size of files (`ulimit -f`)",
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EMFILE: _FILES,
    errno.ENFILE: "the machine has too many files open; close some programs",
    errno.ENOMEM: advise("give it more (`ulimit -v`), or ", Remedy.FEWER_STEPS),
    errno.EAGAIN: advise("raise the limit on processes (`ulimit -u`), or ", Remedy.FEWER_STEPS),
    errno.EIO: _DISK,
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ELOOP: "look where the links on this path lead",
    errno.ENODEV: _DISK,
    errno.ENXIO: _DISK,
    errno.ESTALE: _SERVED,
    errno.ENOTCONN: _SERVED,
    errno.ETIMEDOUT: _SERVED,
    errno.EREMOTEIO: _SERVED,
    errno.EBUSY: "look what uses it, or what is mounted there",
    errno.EOPNOTSUPP: "use a place on another file system",
    errno.ENOSYS: "use a place on another file system, or a newer kernel",
    errno.EINTR: "run it again: a call of the kernel was interrupted",
}
"""What a system call tells of the machine, and not of a bug of ours; and what to do."""

_AT: dict[Site, dict[int, Hint]] = {
    Site.STORE: {
        errno.ENOSPC: advise(Remedy.COLLECT, ", or ", Remedy.STORE),
        errno.EDQUOT: advise(Remedy.COLLECT, ", or ", Remedy.STORE),
        errno.EROFS: advise(Remedy.STORE.of("a folder that can be written")),
        errno.EACCES: advise(Remedy.STORE.of("a folder that you may write")),
        errno.EPERM: advise(Remedy.STORE.of("a folder that you may write")),
        errno.ENOTDIR: _IN_THE_WAY,
        errno.EEXIST: _IN_THE_WAY,
        errno.EIO: advise("the disk reports a fault: see `dmesg`, then ", Remedy.REPAIR),
        errno.EBUSY: _MOUNTED,
        errno.EXDEV: _MOUNTED,
        errno.ENAMETOOLONG: advise(Remedy.STORE.of("a folder with a shorter path")),
        errno.ELOOP: "look where the links on the store's path lead",
        errno.ENOENT: advise("the store lacks something that it had: ", Remedy.REPAIR),
    },
    Site.COPY: {
        errno.ENOSPC: advise(_ROOM, ", or ", Remedy.COPIES),
        errno.EDQUOT: advise(_QUOTA, ", or ", Remedy.COPIES),
    },
    Site.CACHE: {
        errno.ENOSPC: "free some space on the cache's disk, or collect the cache",
        errno.EDQUOT: "free some space, or collect the cache: your quota of its disk is used up",
        errno.EROFS: _READ_ONLY,
        errno.EACCES: _RIGHTS,
        errno.EPERM: _RIGHTS,
    },
    Site.RECIPE: {
        **_OF_THE_USERS_DISK,
        errno.EROFS: "write it in a copy of the project, on a disk that can be written",
    },
    Site.LOCK: {
        **_OF_THE_USERS_DISK,
        errno.EROFS: "lock a copy of the project, on a disk that can be written",
        errno.EACCES: _LOCK_RIGHTS,
        errno.EPERM: f"{_LOCK_RIGHTS}, and that neither is made immutable (`lsattr`)",
        errno.EEXIST: "remove the link, or let it lead to a lock",
    },
    Site.PROJECT: {
        **_OF_THE_USERS_DISK,
        errno.EROFS: "change a copy of the project, on a disk that can be written",
        errno.EACCES: _PROJECT_RIGHTS,
        errno.EPERM: f"{_PROJECT_RIGHTS}, and that none is made immutable (`lsattr`)",
    },
    Site.LINK: {
        **_OF_THE_USERS_DISK,
        errno.EROFS: "build in a folder that can be written",
        errno.EACCES: _LINK_RIGHTS,
        errno.EPERM: f"{_LINK_RIGHTS}, on a file system that has symbolic links",
        errno.ENOTDIR: _LINK_IN_THE_WAY,
        errno.EEXIST: _LINK_IN_THE_WAY,
        errno.ENOENT: "build in a folder that is there: somebody removed it, or a link on its "
        "path leads nowhere",
    },
}
"""What is to be done otherwise at a site."""

_ELSE: dict[Site, Hint] = {
    Site.STORE: advise(Remedy.REPAIR),
    Site.RECIPE: "a recipe is a folder below recipes/, which must be one, and yours to write",
    Site.LOCK: "look at the project's folder, and at the disk that it is on",
    Site.PROJECT: "look at the project's folder, and at the disk that it is on",
    Site.LINK: "build in another folder",
    Site.COPY: advise(Remedy.COPIES),
    Site.CACHE: "look at the cache's folder, and at the disk that it is on",
}
"""What helps at a site whatever else goes wrong there."""

OF_ONE_PATH = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
        *(errno.ENOTEMPTY, errno.ELOOP, errno.EBUSY, errno.ENAMETOOLONG, errno.EXDEV),
    }
)
"""What is wrong with one path, where all others of the same disk may be as good as before."""
_OF_RIGHTS = frozenset((errno.EROFS, errno.EACCES, errno.EPERM))
"""Nobody may write there: the site says better than `_ANYWHERE` where else it can be done."""


def hint_for(number: int | None, site: Site) -> Hint | None:
    """What to do about an errno at a site; None elsewhere, if it says nothing of the machine.

    The first of these that has an answer decides:

    1. What the site says of the errno (`_AT`).
    2. What the errno means anywhere (`_ANYWHERE`). But if it is one of rights (`_OF_RIGHTS`), a
       site that has a last word (3) gives that instead.
    3. The site's last word, whatever the errno is (`_ELSE`). ``Site.ELSEWHERE`` has none.

    Example: a copy of a result meets a disk to read only. The site says nothing of EROFS, which is
    one of rights; so its last word is given: to have the copies elsewhere. Of EIO it says nothing
    either; there the advice that holds anywhere comes first: to look at the disk.

    Args:
        number: The errno; None if the error has none.
        site: What was written or read.
    """
    code = number or 0
    hint = _AT.get(site, {}).get(code)
    if hint is None and not (code in _OF_RIGHTS and site in _ELSE):
        hint = _ANYWHERE.get(code)
    return hint or _ELSE.get(site)
